package vendors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan/internal/turns"
)

// NewHTTP turns the two pure halves of a vendor into a driver for one certificate.
func NewHTTP(protocol Protocol, common *Common, env Env) (Driver, error) {
	client, err := NewClient(common)
	if err != nil {
		return nil, err
	}
	d := &httpDriver{protocol: protocol, client: client, timeout: common.CallTimeout(), turns: env.Turns}
	d.preparer, _ = protocol.(Preparer)
	d.noter, _ = protocol.(Noter)
	var fetch TokenFetch
	switch p := protocol.(type) {
	case Authenticator:
		fetch = func(ctx context.Context, now time.Time) (AccessToken, error) { return d.fetchToken(ctx, p, now) }
	case Signer:
		fetch = func(_ context.Context, now time.Time) (AccessToken, error) {
			token, err := p.Sign(now)
			if err != nil {
				return AccessToken{}, &TokenError{Result{Reason: BadCredentials, Err: err}}
			}
			return token, nil
		}
	default:
		return d.whole(), nil
	}
	if env.Tokens == nil {
		return nil, errors.New("vendors: this vendor needs Env.Tokens")
	}
	d.tokens = env.Tokens(common.ID, fetch)
	return d.whole(), nil
}

// whole is the driver with all that its protocol can do.
func (d *httpDriver) whole() Driver {
	refreshes, canRefresh := d.protocol.(RefreshProtocol)
	revokes, canRevoke := d.protocol.(Revoker)
	switch {
	case canRefresh && canRevoke:
		return &struct {
			*httpDriver
			refresher
			withdrawer
		}{d, refresher{d, refreshes}, withdrawer{d, revokes}}
	case canRefresh:
		return &refresher{d, refreshes}
	case canRevoke:
		return &withdrawer{d, revokes}
	}
	return d
}

// NewClient makes the HTTP client of one certificate. Each has connections of its own, so that a
// failing vendor does not affect the others.
func NewClient(common *Common) (*http.Client, error) {
	tlsConfig, err := common.TLS()
	if err != nil {
		return nil, err
	}
	perHost := 2 * common.Concurrency // of each of the two lanes
	if perHost <= 0 {
		perHost = 2 * 64
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 common.ProxyFor(),
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:       tlsConfig,
			TLSHandshakeTimeout:   5 * time.Second,
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          perHost,
			MaxIdleConnsPerHost:   perHost,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
			HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingIdle, PingTimeout: pingTimeout},
		},
		// A vendor's API does not redirect; following one would carry secrets elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// A connection that was silent for pingIdle is checked with a PING, and given up when that is not
// answered within pingTimeout: a NAT or a load balancer may have forgotten it without a word.
const (
	pingIdle    = 30 * time.Second
	pingTimeout = 10 * time.Second
)

type httpDriver struct {
	protocol Protocol
	preparer Preparer
	noter    Noter
	client   *http.Client
	tokens   TokenSource
	timeout  time.Duration
	turns    *turns.Turns
}

func (d *httpDriver) Limits() Limits { return d.protocol.Limits() }

func (d *httpDriver) Close() { d.client.CloseIdleConnections() }

// Push makes the call, and repeats it at once where the vendor answered without accepting the push,
// so that no phone can show it twice. If the access token was too old, a new one is fetched and the
// devices that failed because of it are sent once more. If the vendor's content check refused the
// text, those devices are sent once more with a generic text. Where a result asks for
// [Result.ProbeSingly], a few devices are sent in calls of their own. A token that no call can
// carry is not sent at all; see [CheckToken].
func (d *httpDriver) Push(ctx context.Context, batch Batch) []Result {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return d.sendable(batch, func(b Batch) []Result { return d.push(ctx, parent, b) })
}

// sendable calls push with the devices whose token a call can carry.
func (d *httpDriver) sendable(batch Batch, push func(Batch) []Result) []Result {
	var results []Result
	for i := range batch.Devices {
		if err := CheckToken(batch.Devices[i].Token); err != nil {
			if results == nil {
				results = make([]Result, len(batch.Devices))
			}
			results[i] = Result{Reason: BadToken, Err: err}
		}
	}
	if results == nil {
		return push(batch)
	}
	return d.resend(results, batch, func(r Result) bool { return r.Err == nil }, push)
}

// MaxToken is the longest token of a device, in bytes. No vendor's is half as long.
const MaxToken = 1024

// CheckToken says what is wrong with a device's token that no call could carry: it is empty, too
// long, or could break out of a list or a header. Such a token is [BadToken] by itself, alike in a
// call of its own and among others. The error quotes nothing of it.
func CheckToken(token string) error {
	unfit := func(r rune) bool {
		return r <= ' ' || r == ',' || r == ';' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r)
	}
	switch {
	case token == "":
		return errors.New("the token is empty")
	case len(token) > MaxToken:
		return fmt.Errorf("the token is longer than %d bytes", MaxToken)
	case strings.ContainsFunc(token, unfit):
		return errors.New("the token holds a character that no token has")
	}
	return nil
}

// push is Push for tokens that can be sent.
func (d *httpDriver) push(ctx, parent context.Context, batch Batch) []Result {
	call := func(b Batch) []Result {
		return d.renewed(ctx, parent, b, func(b Batch, token string) []Result { return d.call(ctx, parent, b, token) })
	}
	results := call(batch)
	results = d.resend(results, batch, func(r Result) bool { return r.ProbeSingly }, func(b Batch) []Result {
		return d.probe(b, results, call)
	})
	return d.resend(results, batch, func(r Result) bool { return r.Rephrase && !batch.Generic }, func(b Batch) []Result {
		b.Generic = true
		rs := call(b)
		for i := range rs {
			if rs[i].Note == "" {
				rs[i].Note = NoteTextReplaced
			}
		}
		return rs
	})
}

// maxProbes is the largest number of calls that are made because of [Result.ProbeSingly].
const maxProbes = 5

// probe sends up to maxProbes devices, evenly spread over the batch, in calls of their own. If all
// of their tokens are dead, the vendor's answer was true of the whole batch, and the other tokens
// count as dead too. Otherwise the other devices keep the result that they had, and are tried again
// later in a different batch.
func (d *httpDriver) probe(batch Batch, before []Result, call func(Batch) []Result) []Result {
	n := len(batch.Devices)
	results := make([]Result, n)
	var rest Result
	for _, r := range before {
		if r.ProbeSingly {
			rest = r
			break
		}
	}
	probes := min(n, maxProbes)
	dead := 0
	probed := make([]bool, n)
	for k := range probes {
		i := k * n / probes
		single := batch
		single.Devices = batch.Devices[i : i+1]
		rs := call(single)
		results[i], probed[i] = rs[0], true
		results[i].ProbeSingly = false
		if rs[0].Reason == BadToken {
			dead++
			rest.Code, rest.Err = rs[0].Code, rs[0].Err
		} else if rs[0].Reason != Accepted {
			break // the vendor has a problem of its own: more calls would not help
		}
	}
	rest.ProbeSingly = false
	if dead == probes {
		rest.Reason = BadToken
	}
	for i := range results {
		if !probed[i] {
			results[i] = rest
		}
	}
	return results
}

// resend calls push with the devices whose result is chosen, and replaces their results by the new
// ones.
func (d *httpDriver) resend(results []Result, batch Batch, chosen func(Result) bool, push func(Batch) []Result) []Result {
	var at []int
	for i, r := range results {
		if chosen(r) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return results
	}
	sub := batch
	sub.Devices = make([]Device, len(at))
	for k, i := range at {
		sub.Devices[k] = batch.Devices[i]
	}
	for k, r := range push(sub) {
		results[at[k]] = r
	}
	return results
}

// redact removes the URL from an error: it may contain a device's token.
func redact(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// TransportResult is the result of a call that got no answer. parent is the context without the
// call's own deadline: if it was cancelled, this program is shutting down.
func TransportResult(parent context.Context, err error) Result {
	err = redact(err)
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(parent.Err(), context.Canceled):
		return Result{Reason: Interrupted, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Result{Reason: Timeout, Err: err}
	default:
		return Result{Reason: Unavailable, Err: err}
	}
}

// maxRetryAfter is the longest wait that a vendor may ask for: a day, the longest quota period.
const maxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads a Retry-After header (RFC 9110, 10.2.3) in either form, at most a day. The
// HTTP date is measured against the answer's own Date header, so that our clock does not matter;
// without one it is ignored.
func ParseRetryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if secs, err := strconv.ParseInt(v, 10, 64); err == nil {
		if secs < 0 {
			return 0
		}
		if secs > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(secs) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(at.Sub(date), 0), maxRetryAfter)
}

// HTTPResult is the result that follows from the HTTP status alone, for answers whose body says
// nothing more. A page of HTML comes from something between here and the vendor, such as a proxy or
// a firewall, and so do 407, 421, 425, 451 and a 413 that is no JSON: they say nothing of the
// message or the credentials, and are Unavailable. A page about one call is that call's alone until
// others fail too, and a 403 the notification's.
func HTTPResult(resp Response) Result {
	r := Result{Reason: Unknown, Code: "HTTP " + strconv.Itoa(resp.Status), RetryAfter: resp.RetryAfter}
	switch s := resp.Status; {
	case s == http.StatusTooManyRequests:
		r.Reason = RateLimited
	case s == http.StatusRequestTimeout, s >= 500:
		r.Reason = Unavailable
	case s >= 400 && between(resp):
		r.Reason, r.Scope = Unavailable, ScopeCall
		r.Err = errors.New("something between here and the vendor answered")
	case s == http.StatusUnauthorized:
		r.Reason = AuthExpired
	case s == http.StatusForbidden:
		// A firewall may refuse one text; that of all tells the breaker.
		r.Reason, r.Scope = BadCredentials, ScopeNotification
	case s == http.StatusNotFound, s == http.StatusMethodNotAllowed:
		r.Reason = BadCredentials
	case s >= 400:
		r.Reason = BadPayload
	default:
		// A 2xx or 3xx whose body could not be read: nobody knows whether it was accepted.
		r.Reason = Unavailable
		r.Err = errors.New("unreadable answer")
	}
	return r
}

// between says whether an answer of 400 to 499 comes from something between here and the vendor.
func between(resp Response) bool {
	body := bytes.TrimSpace(bytes.TrimPrefix(resp.Body, []byte("\ufeff")))
	switch resp.Status {
	case http.StatusProxyAuthRequired, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusUnavailableForLegalReasons:
		return true
	case http.StatusRequestEntityTooLarge:
		return !json.Valid(body)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(body, []byte("<"))
}
