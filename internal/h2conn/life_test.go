package h2conn

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAge: before a connection is left, another one is there and has answered; requests under way
// on the old one end in peace.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if r.get(":path") == "/slow" {
				c.after(3*time.Minute, r)
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, func(o *Options) { o.MaxAge = time.Hour })
		wantOK(t, tr)
		time.Sleep(50 * time.Minute)
		slow := make(chan error, 1)
		go func() {
			time.Sleep(3 * time.Minute)
			_, err := push(t.Context(), tr, "/slow", "{}")
			slow <- err
		}()
		for range 30 {
			wantOK(t, tr)
			time.Sleep(time.Minute)
		}
		if err := <-slow; err != nil {
			t.Errorf("a request on the old connection: %v", err)
		}
		if s := tr.Stats(); s.Dials != 2 || s.Conns != 1 {
			t.Errorf("%+v, want two connections and one of them open", s)
		}
		if p.conn(2).seen == 0 || p.conn(1).seen+p.conn(2).seen != 32 {
			t.Errorf("%d requests on the first and %d on the second", p.conn(1).seen, p.conn(2).seen)
		}
	})
}

// TestIdle: connections without a request are closed after a while, and only they.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: ok}
		tr := transport(t, p, func(o *Options) { o.IdleTimeout = 10 * time.Minute })
		for range 20 {
			wantOK(t, tr)
			time.Sleep(5 * time.Minute)
		}
		if s := tr.Stats(); s.Dials != 1 || s.Conns != 1 {
			t.Errorf("%+v while it is in use", s)
		}
		time.Sleep(20 * time.Minute)
		if s := tr.Stats(); s.Conns != 0 {
			t.Errorf("%+v when it is idle", s)
		}
		wantOK(t, tr)
		tr.CloseIdleConnections()
		synctest.Wait()
		if s := tr.Stats(); s.Conns != 0 {
			t.Errorf("%+v after CloseIdleConnections", s)
		}
	})
}

// TestSpent: an answer can ask for another connection.
func TestSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 && c.seen == 2 {
				c.answer(r, "503", `{"reason":"Shutdown"}`)
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, func(o *Options) {
			o.Spent = func(status int, body []byte) bool { return status == 503 && strings.Contains(string(body), "Shutdown") }
		})
		wantOK(t, tr)
		if resp, err := push(t.Context(), tr, "/", "{}"); err != nil || resp.Status != 503 {
			t.Errorf("got %v %v", resp, err)
		}
		wantOK(t, tr)
		if p.count() != 2 || p.conn(2).seen != 1 {
			t.Errorf("%d connections", p.count())
		}
	})
}

// TestLongRoundTrips: the peer gives back room for DATA a round trip later, so one connection
// carries 65,535 bytes per round trip. Others are opened, one after the other.
func TestLongRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const trip = 50 * time.Millisecond
		p := &peer{lazy: true}
		p.request = func(c *peerConn, r *request) {
			c.p.serving.Go(func() {
				time.Sleep(trip)
				c.grant(0, len(r.body))
				c.answer(r, "200", "")
			})
		}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 3 })
		body := strings.Repeat("x", 4000)
		done := make(chan error)
		for range 400 {
			go func() { _, err := push(t.Context(), tr, "/", body); done <- err }()
		}
		for range 400 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if p.count() != 3 {
			t.Errorf("%d connections, want 3", p.count())
		}
	})
}

// TestStreamIDsRunOut: the connection is left before they do.
func TestStreamIDsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: ok}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		tr.mu.Lock()
		tr.conns[0].nextID = lastID - 2
		tr.mu.Unlock()
		for range 4 {
			wantOK(t, tr)
		}
		if p.count() != 2 || p.conn(1).last != lastID || p.conn(2).seen != 2 {
			t.Errorf("%d connections, the first up to stream %d", p.count(), p.conn(1).last)
		}
	})
}

// TestConnectFails: all who wait fail together, none was sent, and the next attempt waits longer
// each time. One that works ends that.
func TestConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: ok}
		refused := errors.New("connection refused")
		var at []time.Duration
		began := time.Now()
		works := false
		tr := transport(t, p, func(o *Options) {
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr != "push.example:80" {
					t.Errorf("dialed %s", addr)
				}
				at = append(at, time.Since(began))
				time.Sleep(10 * time.Millisecond)
				if works {
					return p.pipe(ctx, network, addr)
				}
				return nil, refused
			}
		})
		for range 4 {
			for _, err := range storm(t.Context(), tr, 20) {
				var e *Error
				if !errors.As(err, &e) || e.Outcome != NotSent || !errors.Is(err, refused) {
					t.Fatalf("got %v", err)
				}
			}
		}
		want := []time.Duration{0, 110 * time.Millisecond, 320 * time.Millisecond, 730 * time.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("dialed at %v, want %v", at, want)
		}
		works = true
		wantOK(t, tr)
		if tr.failures != 0 {
			t.Error("the failures are not forgotten")
		}
	})
}

// TestClose: whatever runs ends, and later requests fail.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1), request: func(*peerConn, *request) {}}
		tr := transport(t, p, nil)
		errs := make(chan []error, 1)
		go func() { errs <- storm(t.Context(), tr, 10) }()
		synctest.Wait()
		tr.Close()
		counts := map[Outcome]int{}
		for _, err := range <-errs {
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrClosed) {
				t.Fatalf("got %v", err)
			}
			counts[e.Outcome]++
		}
		if counts[Unknown] != 1 || counts[NotSent] != 9 {
			t.Errorf("%v, want one that was sent", counts)
		}
		wantError(t, tr, NotSent, as(ErrClosed))
		tr.Close()
	})
}
