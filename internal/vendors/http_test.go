package vendors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// plain is a made-up vendor: a call is a list of tokens, its answer a reason's name for each of
// them.
type plain struct{ url string }

type plainCall struct {
	Tokens   []string `json:"tokens"`
	Generic  bool     `json:"generic"`
	Prepared string   `json:"prepared"`
}

func (plain) Limits() Limits { return Limits{Batch: 100} }

func (p plain) Request(ctx context.Context, batch Batch, token string) (*http.Request, error) {
	call := plainCall{Generic: batch.Generic, Prepared: batch.Prepared}
	for _, d := range batch.Devices {
		call.Tokens = append(call.Tokens, d.Token)
	}
	if call.Tokens[0] == "unwritable" {
		return nil, errors.New("cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/send?secret=x", strings.NewReader(string(JSON(call))))
	if err == nil {
		req.Header.Set("Authorization", token)
	}
	return req, err
}

func (plain) Interpret(resp Response, batch Batch) []Result {
	var names []string
	if resp.Status != http.StatusOK || json.Unmarshal(resp.Body, &names) != nil {
		return All(len(batch.Devices), HTTPResult(resp))
	}
	results := make([]Result, len(batch.Devices))
	for i, name := range names {
		switch name {
		case "probe":
			results[i] = Result{Reason: Unknown, ProbeSingly: true}
		case "rephrase":
			results[i] = Result{Reason: Refused, Rephrase: true}
		default:
			reason, ok := map[string]Reason{"ok": Accepted, "dead": BadToken, "auth": AuthExpired, "slow": RateLimited}[name]
			if !ok {
				panic("no reason " + name)
			}
			results[i] = Result{Reason: reason}
		}
	}
	return results
}

// loggedIn is plain with an access token.
type loggedIn struct{ plain }

func (p loggedIn) TokenRequest(ctx context.Context, _ time.Time) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/login", nil)
}

func (loggedIn) InterpretToken(resp Response, now time.Time) (AccessToken, Result) {
	if resp.Status != http.StatusOK {
		return AccessToken{}, LoginResult(resp)
	}
	return AccessToken{Value: string(resp.Body), Expires: now.Add(time.Hour)}, Result{Reason: Accepted}
}

// prepared is plain with a content that is stored first.
type prepared struct{ plain }

func (p prepared) Prepare(ctx context.Context, batch Batch, _ string) (*http.Request, error) {
	if len(batch.Devices) == 1 {
		return nil, nil // a single device needs none
	}
	return http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/store", nil)
}

func (prepared) Prepared(resp Response, _ Batch) (string, Result) {
	if resp.Status != http.StatusOK {
		return "", HTTPResult(resp)
	}
	return string(resp.Body), Result{Reason: Accepted}
}

// tokens hands out t0, t1, … and fetches a new one when the last was invalidated.
type tokens struct {
	fetch   TokenFetch
	current string
	stuck   bool // a token that was refused is handed out again
}

func (s *tokens) Token(ctx context.Context) (string, error) {
	if s.current == "" {
		t, err := s.fetch(ctx, time.Time{})
		if err != nil {
			return "", err
		}
		s.current = t.Value
	}
	return s.current, nil
}

func (s *tokens) Invalidate(token string) {
	if token == s.current && !s.stuck {
		s.current = ""
	}
}

// vendor serves answers in turn, and keeps the calls.
type vendor struct {
	*httptest.Server
	header http.Header // of each answer; set before the first call
	mu     sync.Mutex
	calls  []string
}

func serve(t *testing.T, answer func(r *http.Request, call plainCall, n int) (status int, body string)) *vendor {
	t.Helper()
	v := &vendor{header: http.Header{}}
	sends := 0
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var call plainCall
		_ = json.Unmarshal(data, &call) // a login has no body
		v.mu.Lock()
		text := r.URL.Path
		if text == "/send" {
			text = strings.TrimSpace(fmt.Sprint(call.Tokens, " ", r.Header.Get("Authorization"), map[bool]string{true: " generic"}[call.Generic], call.Prepared))
		}
		v.calls = append(v.calls, text)
		n := sends
		if r.URL.Path == "/send" {
			sends++
		}
		v.mu.Unlock()
		status, body := answer(r, call, n)
		maps.Copy(w.Header(), v.header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(v.Close)
	return v
}

func push(t *testing.T, p Protocol, common Common, stuck bool, names ...string) []Result {
	t.Helper()
	d, err := NewHTTP(p, &common, Env{Tokens: func(_ string, fetch TokenFetch) TokenSource { return &tokens{fetch: fetch, stuck: stuck} }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var b Batch
	for _, name := range names {
		b.Devices = append(b.Devices, Device{Token: name})
	}
	return d.Push(t.Context(), b)
}

func reasons(results []Result) []Reason {
	list := make([]Reason, len(results))
	for i, r := range results {
		list[i] = r.Reason
	}
	return list
}

// all answers every device of a call alike.
func all(call plainCall, name string) (int, string) {
	return http.StatusOK, string(JSON(slices.Repeat([]string{name}, len(call.Tokens))))
}

// An expired access token is renewed once, and only the devices that failed for it are sent again;
// where the fresh one is refused too, the certificate is wrong.
func TestExpiredTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		again string // what the second call answers
		stuck bool
		want  []Reason
		calls []string
	}{
		"fresh_one_helps": {"ok", false, []Reason{Accepted, Accepted, BadToken}, []string{"/login", "[a b c] t1", "/login", "[a] t2"}},
		"fresh_refused":   {"auth", false, []Reason{BadCredentials, Accepted, BadToken}, []string{"/login", "[a b c] t1", "/login", "[a] t2"}},
		// The source gives the same token again when it was fetched a moment ago: as fresh as can
		// be.
		"no_fresh_one": {"auth", true, []Reason{BadCredentials, Accepted, BadToken}, []string{"/login", "[a b c] t1", "[a] t1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logins := 0
			v := serve(t, func(r *http.Request, call plainCall, n int) (int, string) {
				if r.URL.Path == "/login" {
					logins++
					return http.StatusOK, fmt.Sprint("t", logins)
				}
				if n == 0 {
					return http.StatusOK, `["auth","ok","dead"]`
				}
				return all(call, c.again)
			})
			got := push(t, loggedIn{plain{v.URL}}, Common{}, c.stuck, "a", "b", "c")
			if diff := cmp.Diff(c.want, reasons(got)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.calls, v.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A login that fails ends every device with the login's own result, and no push is sent.
func TestFailedLogin(t *testing.T) {
	t.Parallel()
	v := serve(t, func(*http.Request, plainCall, int) (int, string) { return http.StatusUnauthorized, "" })
	got := push(t, loggedIn{plain{v.URL}}, Common{}, false, "a", "b")
	if diff := cmp.Diff([]Reason{BadCredentials, BadCredentials}, reasons(got)); diff != "" {
		t.Error(diff)
	}
	var te *TokenError
	if !errors.As(got[0].Err, &te) || len(v.calls) != 1 {
		t.Errorf("error %v after the calls %q", got[0].Err, v.calls)
	}
}

// A text that the vendor's content check refuses is sent once more in its generic form, for the
// devices that it was refused for; a generic text is not sent again.
func TestRefusedTextIsRephrasedOnce(t *testing.T) {
	t.Parallel()
	v := serve(t, func(_ *http.Request, call plainCall, n int) (int, string) {
		if n == 0 {
			return http.StatusOK, `["ok","rephrase","rephrase"]`
		}
		return all(call, "rephrase")
	})
	got := push(t, plain{v.URL}, Common{}, false, "a", "b", "c")
	if diff := cmp.Diff([]Reason{Accepted, Refused, Refused}, reasons(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"[a b c]", "[b c]  generic"}, v.calls); diff != "" {
		t.Error(diff)
	}
}

// One answer for a whole batch that cannot be trusted of each device is probed with up to five of
// them.
func TestProbes(t *testing.T) {
	t.Parallel()
	eight := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for name, c := range map[string]struct {
		single func(token string) string
		want   []Reason
		probes int
	}{
		"all_dead": {func(string) string { return "dead" }, slices.Repeat([]Reason{BadToken}, 8), 5},
		// the batch was not dead: what was probed has its end, the rest waits
		"some_live": {func(token string) string { return map[bool]string{true: "ok", false: "dead"}[token == "d"] },
			[]Reason{BadToken, BadToken, Unknown, Accepted, BadToken, Unknown, BadToken, Unknown}, 5},
		// the vendor has a problem of its own: more calls would not help
		"sick": {func(string) string { return "slow" }, []Reason{RateLimited, Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Unknown}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, func(_ *http.Request, call plainCall, n int) (int, string) {
				if n == 0 {
					return all(call, "probe")
				}
				if len(call.Tokens) != 1 {
					t.Errorf("a probe of %q", call.Tokens)
				}
				return all(call, c.single(call.Tokens[0]))
			})
			got := push(t, plain{v.URL}, Common{}, false, eight...)
			if diff := cmp.Diff(c.want, reasons(got)); diff != "" {
				t.Error(diff)
			}
			for _, r := range got {
				if r.ProbeSingly {
					t.Error("a driver for HTTP never asks its caller to probe")
				}
			}
			if len(v.calls) != 1+c.probes {
				t.Errorf("%d calls, want 1 and %d probes", len(v.calls), c.probes)
			}
		})
	}
}

// A content that must be stored first is, where the batch needs it, and nothing is pushed when that
// fails.
func TestPreparedContent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store int
		names []string
		want  []Reason
		calls []string
	}{
		"stored":    {http.StatusOK, []string{"a", "b"}, []Reason{Accepted, Accepted}, []string{"/store", "[a b] handle"}},
		"single":    {http.StatusOK, []string{"a"}, []Reason{Accepted}, []string{"[a]"}},
		"not_taken": {http.StatusTooManyRequests, []string{"a", "b"}, []Reason{RateLimited, RateLimited}, []string{"/store"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, func(r *http.Request, call plainCall, _ int) (int, string) {
				if r.URL.Path == "/store" {
					return c.store, "handle"
				}
				return all(call, "ok")
			})
			if diff := cmp.Diff(c.want, reasons(push(t, prepared{plain{v.URL}}, Common{}, false, c.names...))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.calls, v.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is wrong between us and the vendor, and what it must not tell.
func TestCallsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	v := serve(t, func(_ *http.Request, call plainCall, _ int) (int, string) {
		switch call.Tokens[0] {
		case "hang":
			<-release
		case "long":
			return http.StatusOK, strings.Repeat(" ", MaxResponse+1)
		}
		return all(call, "ok")
	})
	defer close(release)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		token, url string
		want       Reason
	}{
		"hangs": {"hang", v.URL, Timeout}, "is_gone": {"a", gone.URL, Unavailable}, "says_too_much": {"long", v.URL, Unavailable},
		"request_cannot_be_written": {"unwritable", v.URL, BadPayload},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := time.Minute // a busy machine is no vendor that hangs
			if c.want == Timeout {
				timeout = 100 * time.Millisecond
			}
			got := push(t, plain{c.url}, Common{Timeout: timeout}, false, c.token)[0]
			if got.Reason != c.want || got.Err == nil {
				t.Errorf("got %v, %v, want %v", got.Reason, got.Err, c.want)
			}
			if got.Err != nil && strings.Contains(got.Err.Error(), "secret") {
				t.Errorf("the error quotes the address: %v", got.Err)
			}
		})
	}
}

func TestOurOwnShutdownIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := TransportResult(ctx, context.Canceled); got.Reason != Interrupted {
		t.Errorf("got %v", got.Reason)
	}
	if got := TransportResult(t.Context(), context.Canceled); got.Reason != Unavailable {
		t.Errorf("a connection that somebody else cancelled: got %v", got.Reason)
	}
}

// Following a redirect would carry the secrets of a request to somebody else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	v := serve(t, func(*http.Request, plainCall, int) (int, string) { return http.StatusFound, "" })
	if got := push(t, plain{v.URL}, Common{}, false, "a")[0]; got.Reason != Unavailable || got.Code != "HTTP 302" || len(v.calls) != 1 {
		t.Errorf("got %+v after %q", got, v.calls)
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Mon, 23 Nov 2026 08:00:00 GMT"
	for name, c := range map[string]struct {
		value, date string
		want        time.Duration
	}{
		"none": {"", date, 0}, "seconds": {"40", "", 40 * time.Second}, "blanks": {" 7 ", "", 7 * time.Second}, "negative": {"-1", "", 0},
		"a_week": {"604800", "", 24 * time.Hour}, "beyond_all": {"99999999999999999", "", 24 * time.Hour}, "no_number": {"soon", date, 0},
		// Our own clock does not matter.
		"date":              {"Mon, 23 Nov 2026 08:01:30 GMT", date, 90 * time.Second},
		"date_without_date": {"Mon, 23 Nov 2026 08:01:30 GMT", "", 0},
		"past":              {"Mon, 23 Nov 2026 07:00:00 GMT", date, 0},
		"date_in_a_week":    {"Mon, 30 Nov 2026 08:00:00 GMT", date, 24 * time.Hour},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.value)
		h.Set("Date", c.date)
		if got := ParseRetryAfter(h); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// The reason of each status by itself, of a push and of a login.
func TestHTTPResult(t *testing.T) {
	t.Parallel()
	for status, want := range map[int][2]Reason{
		200: {Unavailable, Unavailable}, 302: {Unavailable, Unavailable}, 400: {BadPayload, BadCredentials}, 401: {AuthExpired, BadCredentials},
		403: {BadCredentials, BadCredentials}, 404: {BadCredentials, BadCredentials}, 405: {BadCredentials, BadCredentials}, 408: {Unavailable, Unavailable},
		407: {Unavailable, Unavailable}, 413: {Unavailable, Unavailable}, 421: {Unavailable, Unavailable}, 451: {Unavailable, Unavailable}, 429: {RateLimited, RateLimited}, 500: {Unavailable, Unavailable}, 503: {Unavailable, Unavailable},
	} {
		resp := Response{Status: status, RetryAfter: time.Second}
		got, login := HTTPResult(resp), LoginResult(resp)
		if got.Reason != want[0] || login.Reason != want[1] {
			t.Errorf("HTTP %d: a push %v, a login %v, want %v", status, got.Reason, login.Reason, want)
		}
		if got.Code != fmt.Sprint("HTTP ", status) || got.RetryAfter != time.Second {
			t.Errorf("HTTP %d: %+v", status, got)
		}
	}
}

func TestNewHTTPWantsTokens(t *testing.T) {
	t.Parallel()
	if _, err := NewHTTP(loggedIn{}, &Common{}, Env{}); err == nil {
		t.Error("a vendor with an access token needs a source of it")
	}
	if d, err := NewHTTP(plain{}, &Common{}, Env{}); err != nil {
		t.Error(err)
	} else {
		d.Close()
	}
}

// A page of HTML, and what only a proxy says, is neither the message's fault nor that of the
// credentials; the vendor's own word about a size is the message's.
func TestHTTPResultOfSomethingBetween(t *testing.T) {
	t.Parallel()
	html := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	for name, c := range map[string]struct {
		resp Response
		want Reason
		how  Scope
	}{
		"login_page":         {Response{Status: 401, Header: html, Body: []byte("please log in")}, Unavailable, ScopeCall},
		"firewall":           {Response{Status: 403, Body: []byte("\ufeff\r\n<html>blocked</html>")}, Unavailable, ScopeCall},
		"page_400":           {Response{Status: 400, Body: []byte("<!DOCTYPE html>")}, Unavailable, ScopeCall},
		"proxy_wants_login":  {Response{Status: 407, Body: []byte(`{"code":1}`)}, Unavailable, ScopeCall},
		"refused_by_law":     {Response{Status: 451, Body: []byte("no")}, Unavailable, ScopeCall},
		"too_large_for_page": {Response{Status: 413, Body: []byte("Request Entity Too Large")}, Unavailable, ScopeCall},
		"too_large":          {Response{Status: 413, Body: []byte(`{"error":"too large"}`)}, BadPayload, ScopeUnsaid},
		"too_fast":           {Response{Status: 429, Header: html}, RateLimited, ScopeUnsaid},
		"one_text":           {Response{Status: 403, Body: []byte(`{"error":"no"}`)}, BadCredentials, ScopeNotification},
	} {
		if got := HTTPResult(c.resp); got.Reason != c.want || got.Scope != c.how {
			t.Errorf("%s: got %v of scope %d, want %v of scope %d", name, got.Reason, got.Scope, c.want, c.how)
		}
	}
}

// A token that no call can carry is dead by itself, alone and among others, and is never sent.
func TestTokensThatNoCallCarries(t *testing.T) {
	t.Parallel()
	v := serve(t, func(_ *http.Request, call plainCall, _ int) (int, string) { return all(call, "ok") })
	for _, bad := range []string{"", "a,b", "a;b", "a b", "a\tb", "a\u00a0b", "a\x00b", "a\xffb", strings.Repeat("a", MaxToken+1)} {
		if got := push(t, plain{v.URL}, Common{}, false, bad); got[0].Reason != BadToken || got[0].Err == nil {
			t.Errorf("%q alone: %+v", bad, got[0])
		}
		got := push(t, plain{v.URL}, Common{}, false, "good", bad, "fine")
		if diff := cmp.Diff([]Reason{Accepted, BadToken, Accepted}, reasons(got)); diff != "" {
			t.Errorf("%q among others: %s", bad, diff)
		}
	}
	for _, call := range v.calls {
		if call != "[good fine]" && call != "[good fine] " {
			t.Errorf("sent %q", call)
		}
	}
}

// A call of several that is too large is taken apart by the caller; one alone is not.
func TestTooLargeCallAsksToBeSplit(t *testing.T) {
	t.Parallel()
	v := serve(t, func(*http.Request, plainCall, int) (int, string) {
		return http.StatusRequestEntityTooLarge, `{"error":"too large"}`
	})
	if got := push(t, plain{v.URL}, Common{}, false, "a", "b"); !got[0].Split || !got[1].Split {
		t.Errorf("two: %+v", got)
	}
	if got := push(t, plain{v.URL}, Common{}, false, "a"); got[0].Split || got[0].Reason != BadPayload {
		t.Errorf("one: %+v", got)
	}
}

// The proxy of a certificate carries its calls, and the environment's does not.
func TestProxy(t *testing.T) {
	t.Parallel()
	var hosts []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer proxy.Close()
	via := strings.Replace(proxy.URL, "http://", "http://user:pass@", 1)
	got := push(t, plain{"https://vendor.example.com"}, Common{Proxy: via}, false, "a")
	if got[0].Reason != Unavailable {
		t.Errorf("got %+v", got[0])
	}
	if got[0].Err == nil || strings.Contains(got[0].Err.Error(), "pass") {
		t.Errorf("the error is %v", got[0].Err)
	}
	if diff := cmp.Diff([]string{"CONNECT vendor.example.com:443 Basic dXNlcjpwYXNz"}, hosts); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"proxy:3128", "socks5://proxy:1", "http://", "http://proxy/path"} {
		if _, err := ParseProxy(bad); err == nil {
			t.Errorf("%q is taken for a proxy", bad)
		}
	}
}

// A connection that fell silent is checked with PINGs, and both lanes' calls find idle ones.
func TestClientKeepsAndChecksConnections(t *testing.T) {
	t.Parallel()
	client, err := NewClient(&Common{Concurrency: 7})
	if err != nil {
		t.Fatal(err)
	}
	transport := client.Transport.(*http.Transport)
	if h2 := transport.HTTP2; h2 == nil || h2.SendPingTimeout <= 0 || h2.PingTimeout <= 0 {
		t.Errorf("no PING is sent: %+v", h2)
	}
	if transport.MaxIdleConnsPerHost < 14 {
		t.Errorf("%d idle connections for two lanes of 7 calls", transport.MaxIdleConnsPerHost)
	}
}
