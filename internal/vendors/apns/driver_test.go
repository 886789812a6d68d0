package apns

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func chat() *vendors.Notification { return vendortest.Chat() }

func start(t testing.TB, cfg *Config) *driver {
	t.Helper()
	d, err := cfg.Driver(vendors.Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d.(*driver)
}

func device(i int, n *vendors.Notification) vendors.Device {
	return vendors.Device{Token: testToken(i), Key: fmt.Sprintf("%032x", 0xabc000+i), Notification: n}
}

func one(t testing.TB, d vendors.Driver, n *vendors.Notification) vendors.Result {
	t.Helper()
	got := d.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{device(0, n)}, Now: time.Now()})
	if len(got) != 1 {
		t.Fatalf("%d results for one device", len(got))
	}
	return got[0]
}

// serve starts a server that answers as the handler says, and a driver in front of it with one
// connection.
func serve(t testing.TB, handler http.HandlerFunc, change func(*Config)) *driver {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = quiet()
	srv.StartTLS()
	cfg := keyConfig(srv.URL, caFile(t, srv.Certificate().Raw))
	cfg.Connections = 1
	if change != nil {
		change(cfg)
	}
	d, err := cfg.Driver(vendors.Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return d.(*driver)
}

// TestEveryCode has the fake answer each reason, again and again, and wants its row of the table.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	rig := vendortest.NewRig(t, subject(), nil)
	for _, c := range codes() {
		rig.Sandbox.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: c.Code})
		got := one(t, rig.Driver, chat())
		want := c.Reason
		if c.Code == "ExpiredProviderToken" {
			want = vendors.BadCredentials // it was sent again once, and even that did not help
		}
		if got.Reason != want || got.Code != c.Code {
			t.Errorf("%s: got %v %s (%v), want %v", c.Code, got.Reason, got.Code, got.Err, want)
		}
		if dated := !got.DeadSince.IsZero(); dated != (c.Code == "Unregistered" || c.Code == "ExpiredToken") {
			t.Errorf("%s: dead since %v", c.Code, got.DeadSince)
		}
		if got.VendorID == "" {
			t.Errorf("%s: no apns-id", c.Code)
		}
		rig.Sandbox.Clear("", 0)
		if got := one(t, rig.Driver, chat()); got.Reason != vendors.Accepted {
			t.Fatalf("after %s: %v %s (%v)", c.Code, got.Reason, got.Code, got.Err)
		}
	}
}

func TestInterpret(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1763884800123)
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   vendors.Result
	}{
		{"accepted", 200, "", vendors.Result{Reason: vendors.Accepted}},
		// Something in between that answers everything.
		{"portal", 200, "<html>", vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 200"}},
		{"reason_with_200", 200, `{"reason":"BadDeviceToken"}`, vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 200"}},
		{"redirect", 302, "", vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 302"}},
		{"proxy_502", 502, "<html>Bad Gateway", vendors.Result{Reason: vendors.Unavailable, Code: "HTTP 502"}},
		{"proxy_403", 403, "<html>Forbidden", vendors.Result{Reason: vendors.Unavailable, Scope: vendors.ScopeCall, Code: "HTTP 403"}},
		{"proxy_429", 429, "slow down", vendors.Result{Reason: vendors.RateLimited, Code: "HTTP 429"}},
		// In milliseconds.
		{"dead", 410, `{"reason":"Unregistered","timestamp":1763884800123}`, vendors.Result{Reason: vendors.BadToken, Code: "Unregistered", DeadSince: at}},
		{"dead_by_string", 410, `{"reason":"ExpiredToken","timestamp":"1763884800123"}`, vendors.Result{Reason: vendors.BadToken, Code: "ExpiredToken", DeadSince: at}},
		// Apple says milliseconds; seconds were seen.
		{"dead_in_seconds", 410, `{"reason":"Unregistered","timestamp":1763884800}`, vendors.Result{Reason: vendors.BadToken, Code: "Unregistered", DeadSince: at.Truncate(time.Second)}},
		{"dead_undated", 410, `{"reason":"Unregistered"}`, vendors.Result{Reason: vendors.BadToken, Code: "Unregistered"}},
		{"dead_nonsense", 410, `{"reason":"Unregistered","timestamp":{}}`, vendors.Result{Reason: vendors.BadToken, Code: "Unregistered"}},
		{"other_spelling", 403, `{"reason":"BadEnvironmentKeyInToken"}`, vendors.Result{Reason: vendors.BadCredentials, Code: "BadEnvironmentKeyInToken"}},
		{"new_400", 400, `{"reason":"BadMood"}`, vendors.Result{Reason: vendors.Unknown, Code: "BadMood"}},
		{"new_403", 403, `{"reason":"BadMood"}`, vendors.Result{Reason: vendors.BadCredentials, Code: "BadMood"}},
		{"new_404", 404, `{"reason":"BadMood"}`, vendors.Result{Reason: vendors.BadPayload, Code: "BadMood"}},
		{"new_410", 410, `{"reason":"BadMood","timestamp":1763884800123}`, vendors.Result{Reason: vendors.BadToken, Code: "BadMood", DeadSince: at}},
		{"new_429", 429, `{"reason":"BadMood"}`, vendors.Result{Reason: vendors.RateLimited, Code: "BadMood"}},
		{"new_503", 503, `{"reason":"BadMood"}`, vendors.Result{Reason: vendors.Unavailable, Code: "BadMood"}},
		{"unprintable", 400, `{"reason":"Bad\nMood ` + strings.Repeat("!", 100) + `"}`, vendors.Result{Reason: vendors.Unknown, Code: "BadMood" + strings.Repeat("!", 57)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := newReader(&vendors.Common{}).interpret(vendors.Response{Status: c.status, Body: []byte(c.body)})
			got.Err = nil
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestRetryAfter: Apple documents no such header; where there is one it counts.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	d := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
		io.WriteString(w, `{"reason":"TooManyRequests"}`)
	}, nil)
	if got := one(t, d, chat()); got.Reason != vendors.RateLimited || got.RetryAfter != 7*time.Second {
		t.Errorf("got %v after %v", got.Reason, got.RetryAfter)
	}
}

func TestWrongTokenCostsNoCall(t *testing.T) {
	t.Parallel()
	d := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made") }, nil)
	// Each would change the path.
	for _, token := range []string{"", "xyz", "ab cd", "../../x", "ab?x=1", "ab/cd", strings.Repeat("a", 513), "abé"} {
		dev := device(0, chat())
		dev.Token = token
		got := d.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{dev}, Now: time.Now()})[0]
		if got.Reason != vendors.BadToken || got.Code != "BadDeviceToken" {
			t.Errorf("token %q: %v %s", token, got.Reason, got.Code)
		}
		if token != "" && strings.Contains(got.Err.Error(), token) {
			t.Errorf("the error tells the token: %v", got.Err)
		}
	}
}

// headersOf is a server that keeps the headers of the last push.
func headersOf(t *testing.T, change func(*Config)) (*driver, func() http.Header) {
	var mu sync.Mutex
	var last http.Header
	d := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		last = r.Header
	}, change)
	return d, func() http.Header {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 500)
	in := func(d time.Duration) func(*vendors.Notification) {
		return func(n *vendors.Notification) { n.Deadline = now.Add(d) }
	}
	voip := func(d time.Duration) func(*vendors.Notification) {
		return func(n *vendors.Notification) { n.VoIP, n.Deadline = true, now.Add(d) }
	}
	for _, c := range []struct {
		name   string
		config func(*Config)
		note   func(*vendors.Notification)
		want   map[string]string
	}{
		{"chat", nil, in(time.Hour), map[string]string{
			"Apns-Topic": testTopic, "Apns-Push-Type": "alert", "Apns-Priority": "10", "Apns-Expiration": "1800003601",
			"Apns-Collapse-Id": chat().Key, "Apns-Id": "00000000-0000-0000-0000-000000abc000",
		}},
		// Without the header APNs would keep the push for 30 days.
		{"no_time_left", nil, in(0), map[string]string{"Apns-Expiration": "0"}},
		{"late", nil, in(-time.Hour), map[string]string{"Apns-Expiration": "0"}},
		{"month", nil, in(90 * 24 * time.Hour), map[string]string{"Apns-Expiration": "1802592001"}},
		{"ttl", func(c *Config) { c.TTL = time.Minute }, in(time.Hour), map[string]string{"Apns-Expiration": "1800000061"}},
		{"voip", nil, voip(time.Minute), map[string]string{
			"Apns-Topic": testTopic + ".voip", "Apns-Push-Type": "voip", "Apns-Priority": "10", "Apns-Expiration": "1800000006",
		}},
		{"voip_ttl", func(c *Config) { c.TTL = 20 * time.Second }, voip(time.Minute), map[string]string{"Apns-Expiration": "1800000021"}},
		{"voip_late", nil, voip(0), map[string]string{"Apns-Expiration": "0"}},
		{"passive", nil, func(n *vendors.Notification) { n.IOS.InterruptionLevel = "passive" }, map[string]string{"Apns-Priority": "5"}},
		{"passive_by_default", func(c *Config) { c.InterruptionLevel = "passive" }, in(1), map[string]string{"Apns-Priority": "5"}},
		{"other_keys", nil, func(n *vendors.Notification) { n.Key = strings.Repeat("KEY/é", 50) }, map[string]string{"Apns-Collapse-Id": digest(strings.Repeat("KEY/é", 50))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, headers := headersOf(t, c.config)
			n := chat()
			c.note(n)
			if got := d.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{device(0, n)}, Now: now})[0]; got.Reason != vendors.Accepted {
				t.Fatalf("%v (%v)", got.Reason, got.Err)
			}
			h := headers()
			for name, want := range c.want {
				if got := strings.Join(h[name], "|"); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if auth := h.Get("Authorization"); !strings.HasPrefix(auth, "bearer ey") {
				t.Error("the authorization header does not begin with \"bearer ey\"")
			}
		})
	}
}

// TestExpiredProviderToken: the token is renewed, once for all that met it, and the push sent
// again; one that was made early itself is not made once more.
func TestExpiredProviderToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		age     time.Duration
		early   bool // it was made early
		renewed bool
	}{
		{"old", 30 * time.Minute, false, true},
		{"old_and_early", 30 * time.Minute, true, true},
		// Over a new connection.
		{"young", 5 * time.Minute, false, true},
		// APNs would answer a new one with TooManyProviderTokenUpdates.
		{"young_and_early", 5 * time.Minute, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen := map[string]int{}
			first := ""
			d := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				auth := r.Header.Get("Authorization")
				seen[auth]++
				if auth == first {
					w.WriteHeader(403)
					io.WriteString(w, `{"reason":"ExpiredProviderToken"}`)
				}
			}, nil)
			d.token.IssuedAt -= int64(c.age / time.Second)
			d.token.early = c.early
			first = "bearer " + d.token.Bearer
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					got := one(t, d, chat())
					switch {
					case c.renewed && got.Reason != vendors.Accepted:
						t.Errorf("%v %s (%v)", got.Reason, got.Code, got.Err)
					case !c.renewed && (got.Reason != vendors.BadCredentials || !strings.Contains(got.Err.Error(), "clock")):
						t.Errorf("%v %s (%v), want the advice to check the clock", got.Reason, got.Code, got.Err)
					}
				})
			}
			wg.Wait()
			if want := map[bool]int{true: 2, false: 1}[c.renewed]; len(seen) != want {
				t.Errorf("%d provider tokens were used, want %d", len(seen), want)
			}
		})
	}
}

// TestTooManyProviderTokenUpdates: the token in use is kept.
func TestTooManyProviderTokenUpdates(t *testing.T) {
	t.Parallel()
	rig := vendortest.NewRig(t, subject(), nil)
	d := rig.Driver.(*driver)
	before := d.token.Bearer
	rig.Sandbox.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: "TooManyProviderTokenUpdates", Times: 1})
	if got := one(t, d, chat()); got.Reason != vendors.RateLimited {
		t.Errorf("got %v", got.Reason)
	}
	if d.token.Bearer != before {
		t.Error("a new provider token was made")
	}
}

// TestUnrelatedKeyIdInToken: the push is sent again over a new connection, once.
func TestUnrelatedKeyIdInToken(t *testing.T) {
	t.Parallel()
	for _, stubborn := range []bool{false, true} {
		var mu sync.Mutex
		conns := map[string]int{}
		d := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			conns[r.RemoteAddr]++
			if stubborn || len(conns) == 1 {
				w.WriteHeader(403)
				json.NewEncoder(w).Encode(map[string]string{"reason": "UnrelatedKeyIdInToken"})
			}
		}, nil)
		want := vendors.Accepted
		if stubborn {
			want = vendors.BadCredentials
		}
		if got := one(t, d, chat()); got.Reason != want {
			t.Errorf("stubborn %v: %v (%v)", stubborn, got.Reason, got.Err)
		}
		if len(conns) != 2 {
			t.Errorf("stubborn %v: calls by connection %v, want one on each of two", stubborn, conns)
		}
	}
}

// TestShutdownRenewsConnection: after 503 Shutdown the next push goes over a new connection.
func TestShutdownRenewsConnection(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"reason":"Shutdown"}`, `{"reason":"IdleTimeout"}`} {
		var mu sync.Mutex
		conns := map[string]int{}
		d := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			conns[r.RemoteAddr]++
			if len(conns) == 1 {
				w.WriteHeader(503)
				io.WriteString(w, answer)
			}
		}, nil)
		if got := one(t, d, chat()); got.Reason != vendors.Unavailable {
			t.Errorf("%s: %v", answer, got.Reason)
		}
		if got := one(t, d, chat()); got.Reason != vendors.Accepted {
			t.Errorf("after %s: %v", answer, got.Reason)
		}
	}
}

// TestEndpointWithoutHTTP2: whatever is there gets no frames that it cannot read.
func TestEndpointWithoutHTTP2(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = quiet()
	srv.StartTLS() // HTTP/1.1 only
	defer srv.Close()
	got := one(t, start(t, keyConfig(srv.URL, caFile(t, srv.Certificate().Raw))), chat())
	if got.Reason != vendors.Unavailable || !strings.Contains(fmt.Sprint(got.Err), "HTTP/2") {
		t.Errorf("got %v (%v)", got.Reason, got.Err)
	}
}

// TestUntrustedEndpoint: without ca_file a private endpoint's certificate is not believed, and the
// error says so.
func TestUntrustedEndpoint(t *testing.T) {
	t.Parallel()
	d := serve(t, func(http.ResponseWriter, *http.Request) {}, func(c *Config) { c.CAFile = "" })
	if got := one(t, d, chat()); got.Reason != vendors.Unavailable || !strings.Contains(fmt.Sprint(got.Err), "certificate") {
		t.Errorf("got %v (%v)", got.Reason, got.Err)
	}
}

func TestLongAnswer(t *testing.T) {
	t.Parallel()
	d := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		io.WriteString(w, strings.Repeat("x", maxAnswer+1))
	}, nil)
	if got := one(t, d, chat()); got.Reason != vendors.Unavailable {
		t.Errorf("got %v (%v)", got.Reason, got.Err)
	}
}

// A clock that is wrong gets one renewal, over a new connection, and then parks the certificate
// without any more tokens.
func TestWrongClockIsGivenUp(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	tokens := map[string]bool{}
	conns := map[string]bool{}
	d := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tokens[r.Header.Get("Authorization")], conns[r.RemoteAddr] = true, true
		mu.Unlock()
		w.WriteHeader(403)
		io.WriteString(w, `{"reason":"ExpiredProviderToken"}`)
	}, func(c *Config) { c.Connections = 1 })
	for range 5 {
		if got := one(t, d, chat()); got.Reason != vendors.BadCredentials || got.Reach() != vendors.ScopeCertificate {
			t.Errorf("got %+v", got)
		}
	}
	if len(tokens) > 2 || len(conns) < 2 {
		t.Errorf("%d tokens over %d connections", len(tokens), len(conns))
	}
}

// A certificate without the topic for VoIP still serves alerts, so such a push is refused alone; a
// device that got too many waits alone; a dead token is doubted where the code may mean more.
func TestScopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code     string
		voip     bool
		reason   vendors.Reason
		reach    vendors.Scope
		doubtful bool
	}{
		{"TopicDisallowed", true, vendors.Refused, vendors.ScopeDevice, false},
		{"BadTopic", true, vendors.Refused, vendors.ScopeDevice, false},
		{"TopicDisallowed", false, vendors.BadCredentials, vendors.ScopeCertificate, false},
		{"TooManyRequests", false, vendors.RateLimited, vendors.ScopeDevice, false},
		{"BadDeviceToken", false, vendors.BadToken, vendors.ScopeDevice, true},
		{"DeviceTokenNotForTopic", true, vendors.BadToken, vendors.ScopeDevice, true},
		{"Unregistered", false, vendors.BadToken, vendors.ScopeDevice, false},
	} {
		rig := vendortest.NewRig(t, subject(), nil)
		rig.Sandbox.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: c.code})
		n := chat()
		n.VoIP = c.voip
		if got := one(t, rig.Driver, n); got.Reason != c.reason || got.Reach() != c.reach || got.Doubtful != c.doubtful {
			t.Errorf("%s, VoIP %v: got %+v", c.code, c.voip, got)
		}
	}
}

// What ends a call replaces the ringing notification.
func TestReplaces(t *testing.T) {
	t.Parallel()
	rig := vendortest.NewRig(t, subject(), nil)
	n := chat()
	n.ReplaceKey = "fedcba98765432100123456789abcdef"
	got := one(t, rig.Driver, n)
	if p := rig.Sandbox.Pushes(); got.Reason != vendors.Accepted || p[0].Key != n.ReplaceKey {
		t.Errorf("got %+v, %+v", got, p)
	}
}
