package apns

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// storm pushes n times at once and counts the reasons.
func storm(t *testing.T, d *driver, n int) map[vendors.Reason]int {
	t.Helper()
	var mu sync.Mutex
	got := map[vendors.Reason]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			r := one(t, d, chat())
			mu.Lock()
			defer mu.Unlock()
			got[r.Reason]++
		})
	}
	wg.Wait()
	return got
}

// after answers a stream a moment later, so that the streams of a storm overlap.
func (c *rawConn) after(d time.Duration, stream uint32) {
	c.server.serving.Go(func() {
		time.Sleep(d)
		c.answer(stream, "200", "")
	})
}

// TestColdStart: APNs allows one stream until a push with a good token was answered, and 1,000
// then. Who takes 100 for granted, as net/http does, has most of a storm refused and opens ten
// connections.
func TestColdStart(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 3} {
		s := &rawServer{limit: 1}
		var held []uint32 // streams that are answered when there are a hundred
		s.request = func(c *rawConn, stream uint32) {
			switch {
			case c.seen == 1:
				time.Sleep(50 * time.Millisecond)
				c.settings(1000)
				c.answer(stream, "200", "")
			case connections > 1:
				c.after(20*time.Millisecond, stream)
			case c.seen <= 101:
				if held = append(held, stream); len(held) == 100 {
					for _, stream := range held {
						c.answer(stream, "200", "")
					}
				}
			default:
				c.answer(stream, "200", "")
			}
		}
		d := serveRaw(t, s, func(c *Config) { c.Connections = connections })
		began := time.Now()
		got := storm(t, d, 500)
		if got[vendors.Accepted] != 500 {
			t.Errorf("%d connections: %v", connections, got)
		}
		conns, refused, most := s.count()
		if conns > connections || refused != 0 {
			t.Errorf("%d connections were opened and %d streams refused, want at most %d and 0", conns, refused, connections)
		}
		if connections == 1 && most < 100 {
			t.Errorf("at most %d pushes were under way at once: the warm connection is not used", most)
		}
		if took := time.Since(began); took > 8*time.Second { // not the time-out
			t.Errorf("the storm took %v", took)
		}
	}
}

// TestStreamLimit: a low limit is kept to, without refused streams, further connections or a stall
// (golang/go#70809).
func TestStreamLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []uint32{1, 7} {
		s := &rawServer{limit: limit, request: func(c *rawConn, stream uint32) { c.after(time.Millisecond, stream) }}
		d := serveRaw(t, s, nil)
		if got := storm(t, d, 200); got[vendors.Accepted] != 200 {
			t.Errorf("limit %d: %v", limit, got)
		}
		if conns, refused, most := s.count(); conns != 1 || refused != 0 || most > int(limit) {
			t.Errorf("limit %d: %d connections, %d refused, at most %d at once", limit, conns, refused, most)
		}
	}
}

// TestLimitDropsAndRises: a field report has the limit at 1 again after a refused push, until the
// next accepted one.
func TestLimitDropsAndRises(t *testing.T) {
	t.Parallel()
	s := &rawServer{limit: 100}
	s.request = func(c *rawConn, stream uint32) {
		switch c.seen {
		case 50:
			c.settings(1)
			c.answer(stream, "400", "BadDeviceToken")
		case 120:
			c.settings(100)
			fallthrough
		default:
			c.after(time.Millisecond, stream)
		}
	}
	d := serveRaw(t, s, nil)
	got := storm(t, d, 300)
	if got[vendors.Accepted]+got[vendors.BadToken] != 300 || got[vendors.BadToken] != 1 {
		t.Errorf("%v", got)
	}
	if conns, _, _ := s.count(); conns != 1 {
		t.Errorf("%d connections", conns)
	}
}

// TestHiddenGoAway: APNs tells a wrong certificate by a GOAWAY that processes nothing. No further
// connection would do better, so none is tried for these pushes.
func TestHiddenGoAway(t *testing.T) {
	t.Parallel()
	s := &rawServer{hello: func(c *rawConn) { c.goAway(0, http2.ErrCodeNo, `{"reason":"BadCertificateEnvironment"}`) }}
	d := serveRaw(t, s, nil)
	began := time.Now()
	got := one(t, d, chat())
	if got.Reason != vendors.BadCredentials || got.Code != "BadCertificateEnvironment" {
		t.Errorf("got %v %s (%v)", got.Reason, got.Code, got.Err)
	}
	if got := storm(t, d, 50); got[vendors.BadCredentials] != 50 {
		t.Errorf("a storm gets %v", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to tell", took)
	}
	if conns, _, _ := s.count(); conns > 51 {
		t.Errorf("%d connections were opened", conns)
	}
}

// TestGoAwayOverPush: a GOAWAY that covers a push, and then the end. Its reason may be another
// push's: the token must not be called bad, and nobody knows whether the push was taken.
func TestGoAwayOverPush(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		debug  string
		reason vendors.Reason
		code   string
		tells  string
	}{
		{`{"reason":"BadDeviceToken"}`, vendors.Unavailable, "GOAWAY", "BadDeviceToken"},
		{`{"reason":"Shutdown"}`, vendors.Unavailable, "GOAWAY", "Shutdown"},
		{`{"reason":"` + testToken(0) + `"}`, vendors.Unavailable, "GOAWAY", "without a reason"},
		{``, vendors.Unavailable, "GOAWAY", "without a reason"},
		{`{"reason":"BadCertificate"}`, vendors.BadCredentials, "BadCertificate", "BadCertificate"},
	} {
		s := &rawServer{request: func(conn *rawConn, stream uint32) {
			if conn.n == 1 {
				conn.goAway(stream, http2.ErrCodeNo, c.debug)
				conn.net.Close()
				return
			}
			conn.answer(stream, "200", "")
		}}
		d := serveRaw(t, s, nil)
		got := one(t, d, chat())
		if got.Reason != c.reason || got.Code != c.code || !strings.Contains(fmt.Sprint(got.Err), c.tells) {
			t.Errorf("%s: got %v %s (%v)", c.debug, got.Reason, got.Code, got.Err)
		}
		if strings.Contains(fmt.Sprint(got.Err), testToken(0)) {
			t.Error("the error tells a token")
		}
		if got := one(t, d, chat()); got.Reason != vendors.Accepted {
			t.Errorf("%s: the next push: %v (%v)", c.debug, got.Reason, got.Err)
		}
	}
}

// TestGoAwayWithErrorOnFirstStream: a GOAWAY with an error code has its reason in the debug data
// too.
func TestGoAwayWithErrorOnFirstStream(t *testing.T) {
	t.Parallel()
	s := &rawServer{request: func(c *rawConn, _ uint32) { c.goAway(0, http2.ErrCodeEnhanceYourCalm, `{"reason":"TooManyRequests"}`) }}
	d := serveRaw(t, s, nil)
	if got := one(t, d, chat()); got.Reason != vendors.Unavailable || !strings.Contains(fmt.Sprint(got.Err), "TooManyRequests") {
		t.Errorf("got %v (%v)", got.Reason, got.Err)
	}
}

// TestGracefulGoAway: what a GOAWAY leaves unprocessed goes over a new connection, which is warmed
// by one push too; nobody notices.
func TestGracefulGoAway(t *testing.T) {
	t.Parallel()
	s := &rawServer{limit: 1}
	s.request = func(c *rawConn, stream uint32) {
		switch {
		case c.seen == 1:
			time.Sleep(10 * time.Millisecond)
			c.settings(1000)
			c.answer(stream, "200", "")
		case c.n == 1 && c.seen == 60:
			c.goAway(stream, http2.ErrCodeNo, `{"reason":"Shutdown"}`)
			c.after(20*time.Millisecond, stream)
		default:
			c.after(20*time.Millisecond, stream)
		}
	}
	d := serveRaw(t, s, nil)
	if got := storm(t, d, 300); got[vendors.Accepted] != 300 {
		t.Errorf("%v", got)
	}
	if conns, refused, _ := s.count(); conns != 2 || refused != 0 {
		t.Errorf("%d connections, %d refused streams, want 2 and 0", conns, refused)
	}
}

// TestResetMidFlight: the connection breaks under a push, which is Unavailable, and the next one
// gets a new connection.
func TestResetMidFlight(t *testing.T) {
	t.Parallel()
	s := &rawServer{}
	s.request = func(c *rawConn, stream uint32) {
		if c.n == 1 && c.seen == 2 {
			c.net.Close()
			return
		}
		c.answer(stream, "200", "")
	}
	d := serveRaw(t, s, nil)
	for i, want := range []vendors.Reason{vendors.Accepted, vendors.Unavailable, vendors.Accepted} {
		if got := one(t, d, chat()); got.Reason != want {
			t.Errorf("push %d: %v (%v), want %v", i, got.Reason, got.Err, want)
		}
	}
}

// TestStreamReset: one stream is reset and the connection stays.
func TestStreamReset(t *testing.T) {
	t.Parallel()
	s := &rawServer{}
	s.request = func(c *rawConn, stream uint32) {
		if c.seen == 2 {
			c.write(func(w *http2.Framer) { w.WriteRSTStream(stream, http2.ErrCodeInternal) })
			return
		}
		c.answer(stream, "200", "")
	}
	d := serveRaw(t, s, nil)
	for i, want := range []vendors.Reason{vendors.Accepted, vendors.Unavailable, vendors.Accepted} {
		if got := one(t, d, chat()); got.Reason != want {
			t.Errorf("push %d: %v (%v), want %v", i, got.Reason, got.Err, want)
		}
	}
	if conns, _, _ := s.count(); conns != 1 {
		t.Errorf("%d connections", conns)
	}
}

// TestWarmUpFails: the push that goes alone gets no answer; those who waited go on, one of them
// first.
func TestWarmUpFails(t *testing.T) {
	t.Parallel()
	var lost atomic.Int32
	s := &rawServer{limit: 1}
	s.request = func(c *rawConn, stream uint32) {
		if c.n <= 2 {
			lost.Add(1)
			c.net.Close()
			return
		}
		if c.seen == 1 {
			c.settings(1000)
		}
		c.answer(stream, "200", "")
	}
	d := serveRaw(t, s, nil)
	got := storm(t, d, 100)
	if got[vendors.Unavailable] != 2 || got[vendors.Accepted] != 98 {
		t.Errorf("%v, want 2 unavailable and the rest accepted", got)
	}
	if lost.Load() != 2 {
		t.Errorf("%d pushes went over a connection that was not warm, want one on each of two", lost.Load())
	}
}

// TestWarmUpCancelled: our own shutdown of the first push, or its timeout, does not hold up the
// others.
func TestWarmUpCancelled(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"cancel", "timeout"} {
		var first atomic.Bool
		arrived := make(chan struct{})
		s := &rawServer{}
		s.request = func(c *rawConn, stream uint32) {
			if first.CompareAndSwap(false, true) {
				close(arrived)
				return // no answer, ever
			}
			c.answer(stream, "200", "")
		}
		d := serveRaw(t, s, nil)
		ctx, cancel := context.WithCancel(context.Background())
		want := vendors.Interrupted
		if how == "timeout" {
			ctx, cancel = context.WithTimeout(context.Background(), time.Second)
			want = vendors.Timeout
		}
		done := make(chan vendors.Result, 1)
		go func() {
			done <- d.Push(ctx, vendors.Batch{Devices: []vendors.Device{device(0, chat())}, Now: time.Now()})[0]
		}()
		select {
		case <-arrived:
		case got := <-done:
			t.Fatalf("%s: the first push did not arrive: %v (%v)", how, got.Reason, got.Err)
		}
		rest := make(chan map[vendors.Reason]int, 1)
		go func() { rest <- storm(t, d, 50) }()
		if how == "cancel" {
			time.Sleep(20 * time.Millisecond)
			cancel()
		}
		if got := <-done; got.Reason != want {
			t.Errorf("%s: %v (%v)", how, got.Reason, got.Err)
		}
		cancel()
		if got := <-rest; got[vendors.Accepted] != 50 {
			t.Errorf("%s: the others: %v", how, got)
		}
	}
}

// TestSilentConnectionIsReplaced: after three pushes in a row without an answer the connection is
// given up.
func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	s := &rawServer{}
	s.request = func(c *rawConn, stream uint32) {
		if c.n == 1 && c.seen > 1 {
			return
		}
		c.answer(stream, "200", "")
	}
	d := serveRaw(t, s, func(c *Config) { c.Timeout = time.Second })
	for i, want := range []vendors.Reason{vendors.Accepted, vendors.Timeout, vendors.Timeout, vendors.Timeout, vendors.Accepted} {
		if got := one(t, d, chat()); got.Reason != want {
			t.Errorf("push %d: %v (%v), want %v", i, got.Reason, got.Err, want)
		}
	}
}

// TestRefusedStreams: what a server refuses again and again is Unavailable, without a fourth
// connection.
func TestRefusedStreams(t *testing.T) {
	t.Parallel()
	s := &rawServer{}
	s.request = func(c *rawConn, stream uint32) {
		c.write(func(w *http2.Framer) { w.WriteRSTStream(stream, http2.ErrCodeRefusedStream) })
	}
	d := serveRaw(t, s, nil)
	if got := one(t, d, chat()); got.Reason != vendors.Unavailable {
		t.Errorf("got %v (%v)", got.Reason, got.Err)
	}
	if conns, _, _ := s.count(); conns > 3 {
		t.Errorf("%d connections", conns)
	}
}

// TestConnectionsFollowNeed: one connection carries what it can, and further ones, up to the
// configured number, are opened when it is full.
func TestConnectionsFollowNeed(t *testing.T) {
	t.Parallel()
	s := &rawServer{limit: 10, request: func(c *rawConn, stream uint32) { c.after(50*time.Millisecond, stream) }}
	d := serveRaw(t, s, func(c *Config) { c.Connections = 0 })
	if got := storm(t, d, 10); got[vendors.Accepted] != 10 {
		t.Fatalf("%v", got)
	}
	if conns, _, _ := s.count(); conns != 1 {
		t.Errorf("%d connections for what one carries", conns)
	}
	if got := storm(t, d, 200); got[vendors.Accepted] != 200 {
		t.Fatalf("%v", got)
	}
	if conns, refused, _ := s.count(); conns != defaultConnections || refused != 0 {
		t.Errorf("%d connections and %d refused streams, want %d and 0", conns, refused, defaultConnections)
	}
}
