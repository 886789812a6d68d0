package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Kinds of faults. The first group is answered by each vendor's fake in the vendor's own way, the
// second by the sandbox for all.
const (
	FaultDeadToken = "dead_token" // the token is dead
	// of a batch, the devices whose token matches fail as dead, the rest are accepted
	FaultPartial     = "partial"
	FaultThrottle    = "throttle"     // too fast; RetryAfter where the vendor has such a header
	FaultQuota       = "quota"        // the day's quota is used up
	FaultExpiredAuth = "expired_auth" // the access token or JWT is called too old
	FaultCode        = "code"         // Fault.Code in the vendor's own answer

	FaultServerError = "server_error" // HTTP Fault.Status, 500 when it is 0
	FaultGarbage     = "garbage"      // HTTP 200 with a body that is no answer
	// reads the request and says nothing until the fault is cleared; then goes on
	FaultHang        = "hang"
	FaultSlow        = "slow"         // waits for Delay, then goes on
	FaultResetBefore = "reset_before" // closes the connection, nothing accepted
	FaultResetAfter  = "reset_after"  // accepts, then closes the connection without an answer
)

// FaultKinds lists all kinds.
var FaultKinds = []string{
	FaultDeadToken, FaultPartial, FaultThrottle, FaultQuota, FaultExpiredAuth, FaultCode,
	FaultServerError, FaultGarbage, FaultHang, FaultSlow, FaultResetBefore, FaultResetAfter,
}

// generalKinds are answered by the sandbox, the same for all vendors.
var generalKinds = []string{FaultServerError, FaultGarbage, FaultHang, FaultSlow, FaultResetBefore, FaultResetAfter}

// Fault is a failure that a vendor's fake will show.
type Fault struct {
	ID     int    `json:"id"`
	Vendor string `json:"vendor"`
	Kind   string `json:"kind"`
	// Token restricts the fault to calls or devices with this token; empty means all.
	Token string `json:"token,omitempty"`
	// Times is how often it strikes before it clears itself; 0 means until cleared.
	Times int `json:"times,omitzero"`
	// RetryAfter, for throttle, and Delay, for slow, are in seconds.
	RetryAfter float64 `json:"retry_after,omitzero"`
	Delay      float64 `json:"delay,omitzero"`
	// Status is the HTTP status of server_error.
	Status int `json:"status,omitzero"`
	// Code is the vendor's own code of kind code, such as "80300007".
	Code string `json:"code,omitempty"`

	cleared chan struct{}
}

// Arm adds a fault and returns its id.
func (c *Core) Arm(f Fault) int {
	c.arming.Lock()
	defer c.arming.Unlock()
	c.faultID++
	f.ID, f.cleared = c.faultID, make(chan struct{})
	c.faults = append(c.faults, &f)
	return f.ID
}

// Clear removes a fault by id, or with id 0 every fault of the vendor, or with an empty vendor
// every fault, and returns how many there were. Hanging calls go on; a hang that has struck its
// last time can be cleared as long as nobody did.
func (c *Core) Clear(vendor string, id int) int {
	c.arming.Lock()
	defer c.arming.Unlock()
	gone := func(f *Fault) bool {
		gone := (id == 0 || f.ID == id) && (vendor == "" || f.Vendor == vendor)
		if gone {
			close(f.cleared)
		}
		return gone
	}
	before := len(c.faults) + len(c.spent)
	c.faults = slices.DeleteFunc(c.faults, gone)
	c.spent = slices.DeleteFunc(c.spent, gone)
	return before - len(c.faults) - len(c.spent)
}

// Faults returns the armed faults.
func (c *Core) Faults() []Fault {
	c.arming.RLock()
	defer c.arming.RUnlock()
	faults := make([]Fault, len(c.faults))
	for i, f := range c.faults {
		faults[i] = *f
	}
	return faults
}

// Strike finds the first armed fault of one of the kinds for this vendor and token, uses it up by
// one, and returns a copy. A fake asks with each device's token; a call as a whole asks with the
// empty token, which only faults without one match.
func (c *Core) Strike(vendor, token string, kinds ...string) (Fault, bool) {
	armed := func() int {
		return slices.IndexFunc(c.faults, func(f *Fault) bool {
			return f.Vendor == vendor && (f.Token == "" || f.Token == token) && slices.Contains(kinds, f.Kind)
		})
	}
	// Nearly always nothing is used up, and every device of every call asks.
	c.arming.RLock()
	i := armed()
	if i < 0 || c.faults[i].Times == 0 {
		defer c.arming.RUnlock()
		if i < 0 {
			return Fault{}, false
		}
		return *c.faults[i], true
	}
	c.arming.RUnlock()
	c.arming.Lock()
	defer c.arming.Unlock()
	if i = armed(); i < 0 {
		return Fault{}, false // another call used it up
	}
	f := c.faults[i]
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			c.faults = slices.Delete(c.faults, i, i+1)
			if f.Kind == FaultHang {
				c.spent = append(c.spent, f)
			}
		}
	}
	return *f, true
}

// largeBody is from how many bytes on a call is one of many devices.
const largeBody = 16 << 10

// general applies the faults that are the same for every vendor around a fake's push API. The
// request is read first: net/http does not notice that a client left before that.
func (c *Core) general(vendor string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readAll(r)
		if err != nil {
			return // the client left
		}
		r.Body = body
		answer := func(w http.ResponseWriter) {
			if len(body.all) >= largeBody {
				c.large <- struct{}{}
				defer func() { <-c.large }()
			}
			next.ServeHTTP(w, r)
		}
		c.Request(vendor)
		f, struck := c.Strike(vendor, c.targetOf(vendor, r.URL.Path, body.all), generalKinds...)
		if !struck {
			answer(w)
			return
		}
		switch f.Kind {
		case FaultServerError:
			status := f.Status
			if status == 0 {
				status = http.StatusInternalServerError
			}
			if f.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter)))
			}
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html><body>"+http.StatusText(status)+"</body></html>")
		case FaultGarbage:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{\"\x00garbage")
		case FaultHang:
			select {
			case <-f.cleared:
				answer(w)
			case <-r.Context().Done():
				// the client left, or the sandbox stops: no answer either way
				panic(http.ErrAbortHandler)
			}
		case FaultSlow:
			if !sleep.For(r.Context(), time.Duration(f.Delay*float64(time.Second))) {
				panic(http.ErrAbortHandler)
			}
			answer(w)
		case FaultResetBefore:
			panic(http.ErrAbortHandler)
		case FaultResetAfter:
			answer(discard{http.Header{}})
			panic(http.ErrAbortHandler)
		}
	})
}

// readBody is the body of a request that has been read to its end.
type readBody struct {
	bytes.Reader
	all []byte
}

func (b *readBody) Close() error { return nil }

// readAll reads a request's body, as much of it as any vendor takes.
func readAll(r *http.Request) (*readBody, error) {
	const most = 64 << 20
	if r.ContentLength <= 0 || r.ContentLength > most {
		all, err := io.ReadAll(io.LimitReader(r.Body, most))
		b := &readBody{all: all}
		b.Reset(all)
		return b, err
	}
	b := &readBody{all: make([]byte, r.ContentLength)}
	b.Reset(b.all)
	_, err := io.ReadFull(r.Body, b.all)
	return b, err
}

// Body is the whole body of a request. That of a push has been read before the vendor's API is
// asked, so that it is at hand; nobody may change it.
func Body(r *http.Request) ([]byte, error) {
	if b, ok := r.Body.(*readBody); ok {
		return b.all, nil
	}
	return io.ReadAll(r.Body)
}

// discard is a ResponseWriter for an answer that nobody will read.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// The longest waits that a fault may ask for, in seconds: longer ones are taken for mistakes.
const (
	maxDelay      = 3600
	maxRetryAfter = 7 * 86400
)

// problems returns everything that is wrong with a fault from outside, one sentence each. vendors
// are the vendors that the sandbox plays.
func (f Fault) problems(vendors []string) []error {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if err := checkVendor(vendors, f.Vendor); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains(FaultKinds, f.Kind) {
		errs = append(errs, fmt.Errorf("kind %q is unknown: use one of %s", f.Kind, strings.Join(FaultKinds, ", ")))
		return errs // the rest depends on the kind
	}
	wrong(f.ID != 0, "id is the sandbox's to give: leave it out")
	wrong(f.Times < 0, "times is %d: it must be how often the fault strikes, or 0 for until it is cleared", f.Times)
	wrong(f.RetryAfter < 0 || f.RetryAfter > maxRetryAfter, "retry_after is %g: it must be seconds from 0 to %d", f.RetryAfter, maxRetryAfter)
	wrong(f.RetryAfter != 0 && f.Kind != FaultThrottle && f.Kind != FaultServerError, "retry_after means nothing to kind %s: it goes with throttle and server_error", f.Kind)
	wrong(f.Delay < 0 || f.Delay > maxDelay, "delay is %g: it must be seconds from 0 to %d", f.Delay, maxDelay)
	if f.Kind == FaultSlow {
		wrong(f.Delay == 0, "delay is required for kind slow: the seconds that each call waits")
	} else {
		wrong(f.Delay != 0, "delay means nothing to kind %s: it goes with slow", f.Kind)
	}
	if f.Kind == FaultServerError {
		wrong(f.Status != 0 && (f.Status < 400 || f.Status > 599), "status is %d: it must be an HTTP status from 400 to 599, or 0 for 500", f.Status)
	} else {
		wrong(f.Status != 0, "status means nothing to kind %s: it goes with server_error", f.Kind)
	}
	if f.Kind == FaultCode {
		wrong(f.Code == "", "code is required for kind code: the vendor's own code, such as 80300007")
	} else {
		wrong(f.Code != "", "code means nothing to kind %s: it goes with code", f.Kind)
	}
	if f.Kind == FaultPartial && f.Token == "" && f.Times == 0 {
		errs = append(errs, errors.New("kind partial needs a token, or times: without both every device fails, which is kind dead_token"))
	}
	return errs
}

// targetOf returns the token of an armed general fault if the call contains it, so that a fault can
// be aimed at one device in any vendor's format: the token may be in the path, in JSON, in a form,
// or in JSON inside a form. It returns "" if no such fault is armed for a token of this call.
func (c *Core) targetOf(vendor, path string, body []byte) string {
	c.arming.RLock()
	defer c.arming.RUnlock()
	var decoded []byte // of a form; made once, and only when a fault is aimed
	for _, f := range c.faults {
		if f.Vendor != vendor || f.Token == "" || !slices.Contains(generalKinds, f.Kind) {
			continue
		}
		if decoded == nil {
			decoded = unescape(body)
		}
		token := []byte(f.Token)
		if mentions([]byte(path), token) || mentions(body, token) || mentions(decoded, token) {
			return f.Token
		}
	}
	return ""
}

// unescape undoes a form's percent-encoding, and JSON's optional escape of the slash. Bytes that
// are no form stay as they are, and so does a plus: it is a blank in a form, which no token has,
// and itself elsewhere.
func unescape(body []byte) []byte {
	if form, err := url.PathUnescape(string(body)); err == nil {
		body = []byte(form)
	}
	return bytes.ReplaceAll(body, []byte(`\/`), []byte("/"))
}

// mentions reports whether text contains the whole token: "demo-1" is not mentioned by "demo-10".
func mentions(text, token []byte) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], token)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(token)
		if (start == 0 || !partOfToken(text[start-1])) && (end == len(text) || !partOfToken(text[end])) {
			return true
		}
		from = start + 1
	}
}

func partOfToken(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-'
}
