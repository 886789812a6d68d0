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

// exchange is one call on its way through apns2, in the request's context: what the library cannot
// carry in, and what it drops on the way out. It belongs to one goroutine at a time.
type exchange struct {
	body       []byte
	expiration string

	answer vendors.Response
	bearer string // the authorization header that was sent

	// Kept by the lane.
	conn  *conn    // the connection that carries it now
	last  *conn    // the connection that carried it
	leads *opening // non-nil while it is the push that opens and warms the connection
	tries int      // how many connections it was given to
}

type exchangeKey struct{}

func exchangeOf(req *http.Request) *exchange { return req.Context().Value(exchangeKey{}).(*exchange) }

func (x *exchange) reset() {
	*x = exchange{body: x.body, expiration: x.expiration}
}

// dress gives the request the payload and the header that apns2 cannot send. A RoundTripper ought
// to leave the request as it is; this one is apns2's own, which does not look at it again.
func (x *exchange) dress(req *http.Request) {
	x.bearer = req.Header.Get("Authorization")
	req.Header["Apns-Expiration"] = []string{x.expiration}
	body := x.body
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
}

// maxAnswer is how much of an answer is read. Apple's have less than a hundred bytes.
const maxAnswer = 64 << 10

// receive keeps the whole answer, and leaves apns2 one with an empty body: its own reading loses
// the status when that is not JSON.
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

// isHex says whether a device token is what APNs takes in a path. Apple: "Don't make assumptions
// about device token size", so only a bound that keeps a path a path.
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

// digest is a key's own 32 lower-case hex digits, or as many that are derived from it.
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

// collapseID is the header apns-collapse-id, at most 64 bytes: the message's key, so that a push
// that comes twice replaces itself.
func collapseID(key string) string { return digest(key) }
