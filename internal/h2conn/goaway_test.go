package h2conn

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// hopeless is an Options.Fatal.
func hopeless(e *GoAwayError) bool { return strings.Contains(string(e.Debug), "BadCertificate") }

// TestGoAwayAtOnce: APNs tells a wrong certificate by a GOAWAY that processes nothing. Those who
// wait are told too, and nobody tries one connection after the other.
func TestGoAwayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const debug = `{"reason":"BadCertificateEnvironment"}`
		p := &peer{hello: func(c *peerConn) {
			c.streams(1000)
			c.goAway(0, http2.ErrCodeNo, debug)
		}}
		tr := transport(t, p, func(o *Options) { o.Fatal = hopeless })
		for _, err := range storm(t.Context(), tr, 50) {
			var e *Error
			if !asGoAway(debug)(err) || !errors.As(err, &e) || e.Outcome != Refused || !e.Safe() {
				t.Fatalf("got %v", err)
			}
		}
		if p.count() > 2 {
			t.Errorf("%d connections", p.count())
		}
	})
}

// TestGoAwayAgainAndAgain: one that is not fatal is followed by another connection, three in all,
// and its debug data is there in the end.
func TestGoAwayAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const debug = `{"reason":"TooManyRequests"}`
		p := &peer{request: func(c *peerConn, _ *request) { c.goAway(0, http2.ErrCodeEnhanceYourCalm, debug) }}
		tr := transport(t, p, func(o *Options) { o.Fatal = hopeless })
		began := time.Now()
		wantError(t, tr, Refused, asGoAway(debug))
		if took := time.Since(began); p.count() != 3 || took != 300*time.Millisecond {
			t.Errorf("%d connections in %v, want 3 in 300ms", p.count(), took)
		}
	})
}

// TestGoAwayOverRequest: a GOAWAY that covers the request, and then the end. The peer may have
// processed it, so it goes to no other connection; its reason may be another request's.
func TestGoAwayOverRequest(t *testing.T) {
	for _, debug := range []string{`{"reason":"BadDeviceToken"}`, `{"reason":"BadCertificate"}`, ""} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{request: func(c *peerConn, r *request) {
				if c.n == 1 {
					c.goAway(r.stream, http2.ErrCodeNo, debug)
					c.net.Close()
					return
				}
				c.answer(r, "200", "")
			}}
			tr := transport(t, p, func(o *Options) { o.Fatal = hopeless })
			wantError(t, tr, Unknown, asGoAway(debug))
			wantOK(t, tr)
		})
	}
}

// TestGracefulGoAway: what it leaves unprocessed goes over a new connection, which one request
// warms too; what it covers is answered. Nobody notices.
func TestGracefulGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1), tolerant: true}
		p.request = func(c *peerConn, r *request) {
			switch {
			case c.seen == 1:
				c.streams(1000)
				c.answer(r, "200", "")
			case c.n == 1 && c.seen == 60:
				c.goAway(r.stream, http2.ErrCodeNo, `{"reason":"Shutdown"}`)
				c.after(20*time.Millisecond, r)
			default:
				c.after(20*time.Millisecond, r)
			}
		}
		tr := transport(t, p, nil)
		if bad := failed(storm(t.Context(), tr, 300)); bad != nil {
			t.Error(bad[0])
		}
		if p.count() != 2 || p.conn(2).seen != 240 {
			t.Errorf("%d connections, %d requests on the second, want 2 and 240", p.count(), p.conn(2).seen)
		}
		synctest.Wait()
		if s := tr.Stats(); s.Conns != 1 {
			t.Errorf("%+v: the first connection is not closed", s)
		}
	})
}

// TestGoAwayInTwoSteps: first with the highest stream, so that nothing new is sent, then with the
// last one that was processed (RFC 9113, 6.8). The debug data of the first is kept if the second
// has none.
func TestGoAwayInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{tolerant: true}
		p.request = func(c *peerConn, r *request) {
			switch {
			case c.n == 2 || c.seen == 1:
				c.answer(r, "200", "")
			case r.get(":path") == "/lost":
				c.goAway(1<<31-1, http2.ErrCodeNo, "first")
				c.p.serving.Go(func() {
					time.Sleep(time.Second)
					c.goAway(r.stream, http2.ErrCodeNo, "")
					time.Sleep(time.Second)
					c.net.Close()
				})
			}
		}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		lost, moved := make(chan error, 1), make(chan error, 1)
		go func() { _, err := push(t.Context(), tr, "/lost", "{}"); lost <- err }()
		synctest.Wait()
		tr.mu.Lock()
		if len(tr.conns) != 0 {
			t.Error("the connection is still there for new requests")
		}
		tr.mu.Unlock()
		go func() { _, err := push(t.Context(), tr, "/moved", "{}"); moved <- err }()
		if err := <-moved; err != nil {
			t.Error(err)
		}
		var e *Error
		if err := <-lost; !asGoAway("first")(err) || !errors.As(err, &e) || e.Outcome != Unknown {
			t.Errorf("got %v", err)
		}
	})
}

// TestGoAwayDebugIsBounded: and no part of the error's text.
func TestGoAwayDebugIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, _ *request) {
			c.goAway(0, http2.ErrCodeNo, strings.Repeat("secret", 2000))
		}}
		tr := transport(t, p, func(o *Options) { o.Fatal = func(*GoAwayError) bool { return true } })
		_, err := push(t.Context(), tr, "/", "{}")
		var away *GoAwayError
		if !errors.As(err, &away) || len(away.Debug) != maxDebug || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v with %d bytes", err, len(away.Debug))
		}
	})
}
