package apns

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// exchange is the part of one call that apns2 cannot pass on: of the request, and of the answer. It
// is in the request's context and belongs to one goroutine at a time.
type exchange struct {
	body       []byte
	expiration string

	answer vendors.Response
	bearer string // the authorization header that was sent

	// The fields below belong to the conn.
	conn    *tlsConn // the connection that carries it now
	last    *tlsConn // the connection that carried it
	opening *opening // non-nil while it is the push that opens and warms the connection
	tries   int      // how many connections it was given to
}

type exchangeKey struct{}

func exchangeOf(req *http.Request) *exchange { return req.Context().Value(exchangeKey{}).(*exchange) }

func (x *exchange) reset() {
	*x = exchange{body: x.body, expiration: x.expiration}
}

// rewrite puts the payload and the header that apns2 cannot send into the request. A RoundTripper
// should not change its request; here apns2 made the request and does not use it again.
func (x *exchange) rewrite(req *http.Request) {
	x.bearer = req.Header.Get("Authorization")
	req.Header["Apns-Expiration"] = []string{x.expiration}
	body := x.body
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
}

// maxAnswer is how much of an answer is read. Apple's have less than a hundred bytes.
const maxAnswer = 64 << 10

// receive keeps the whole answer and gives apns2 an empty body, because apns2 would lose the status
// of an answer that is not JSON.
func (x *exchange) receive(resp *http.Response) error {
	var body []byte
	if resp.ContentLength != 0 {
		var err error
		if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
			resp.Body.Close()
			return err
		}
	}
	resp.Body.Close()
	resp.Body = http.NoBody
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	x.answer = vendors.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, RetryAfter: vendors.ParseRetryAfter(resp.Header)}
	return nil
}

// isHex reports whether a device token is hexadecimal, so that it can be part of the URL. Apple
// says "Don't make assumptions about device token size", so the limit is only there to keep the URL
// short.
func isHex(token string) bool {
	if token == "" || len(token) > 512 {
		return false
	}
	for i := 0; i < len(token); i++ {
		c := token[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// digest returns the key if it is 32 lower-case hex digits, else 32 such digits derived from it.
func digest(key string) string {
	lower := len(key) == 32
	for i := 0; i < len(key) && lower; i++ {
		c := key[i]
		lower = c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
	}
	if lower {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// uuid writes a key as a canonical UUID, the form of apns-id.
func uuid(key string) string {
	k := digest(key)
	return k[:8] + "-" + k[8:12] + "-" + k[12:16] + "-" + k[16:20] + "-" + k[20:]
}
