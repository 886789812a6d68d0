package h2conn

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// TestColdStart: APNs allows one stream until a push with a good token was answered, and 1,000
// then. Nobody else is sent before, nothing is refused, and one connection does.
func TestColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1)}
		p.request = func(c *peerConn, r *request) {
			if c.seen == 1 {
				time.Sleep(50 * time.Millisecond)
				if c.most != 1 {
					t.Errorf("%d requests were sent before the first answer", c.most)
				}
				c.streams(1000)
				c.answer(r, "200", "")
				return
			}
			c.after(50*time.Millisecond, r)
		}
		tr := transport(t, p, nil)
		began := time.Now()
		if bad := failed(storm(t.Context(), tr, 500)); bad != nil {
			t.Error(bad[0])
		}
		if p.count() != 1 || p.conn(1).most != 499 {
			t.Errorf("%d connections, at most %d at once, want 1 and 499", p.count(), p.conn(1).most)
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("it took %v, want two round trips", took)
		}
	})
}

// TestStreamLimit: a low limit is kept to without a stall, by as many connections as there may be.
func TestStreamLimit(t *testing.T) {
	for _, limit := range []uint32{1, 7} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{settings: streams(limit), request: func(c *peerConn, r *request) { c.after(time.Millisecond, r) }}
			tr := transport(t, p, func(o *Options) { o.MaxConns = 2 })
			if bad := failed(storm(t.Context(), tr, 200)); bad != nil {
				t.Error(bad[0])
			}
			if p.count() != 2 {
				t.Errorf("limit %d: %d connections, want 2", limit, p.count())
			}
		})
	}
}

// TestOwnStreamLimit: Options.MaxStreams holds where the peer names no limit.
func TestOwnStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) { c.after(time.Millisecond, r) }}
		tr := transport(t, p, func(o *Options) { o.MaxConns, o.MaxStreams = 1, 10 })
		if bad := failed(storm(t.Context(), tr, 100)); bad != nil || p.conn(1).most != 10 {
			t.Errorf("at most %d at once, %v", p.conn(1).most, bad)
		}
	})
}

// TestLimitDropsAndRises: a field report has the limit at 1 again after a refused push, until the
// next accepted one. None at all is possible too.
func TestLimitDropsAndRises(t *testing.T) {
	for _, low := range []uint32{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{settings: streams(100)}
			p.request = func(c *peerConn, r *request) {
				switch c.seen {
				case 50:
					c.streams(low)
					c.after(time.Second, r)
					c.p.serving.Go(func() {
						time.Sleep(2 * time.Second)
						c.streams(100)
					})
				default:
					c.after(time.Millisecond, r)
				}
			}
			tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
			if bad := failed(storm(t.Context(), tr, 300)); bad != nil || p.count() != 1 {
				t.Errorf("%d connections, %v", p.count(), bad)
			}
		})
	}
}

// TestRefusedStream: a request that was refused goes to another connection, once that has answered.
func TestRefusedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 && c.seen == 2 {
				c.reset(r, http2.ErrCodeRefusedStream)
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, nil)
		for range 3 {
			wantOK(t, tr)
		}
		if p.count() != 2 {
			t.Errorf("%d connections, want 2", p.count())
		}
	})
}

// TestRefusedWithoutAnother: if no other connection can be opened, the one that refused the request
// is asked again.
func TestRefusedWithoutAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.seen == 2 {
				c.reset(r, http2.ErrCodeRefusedStream)
				return
			}
			c.answer(r, "200", "")
		}}
		dials := 0
		tr := transport(t, p, func(o *Options) {
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dials++; dials > 1 {
					return nil, errors.New("connection refused")
				}
				return p.pipe(ctx, network, addr)
			}
		})
		wantOK(t, tr)
		wantOK(t, tr)
		if dials < 2 || p.conn(1).seen != 3 {
			t.Errorf("%d dials, %d requests", dials, p.conn(1).seen)
		}
	})
}

// TestAlwaysRefused: after three connections it is told, and it is told that the request can be
// sent again.
func TestAlwaysRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) { c.reset(r, http2.ErrCodeRefusedStream) }}
		tr := transport(t, p, nil)
		wantError(t, tr, Refused, asReset(http2.ErrCodeRefusedStream))
		if p.count() != 3 {
			t.Errorf("%d connections, want 3", p.count())
		}
	})
}

// TestStreamReset: one request fails, the connection goes on.
func TestStreamReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.seen == 2 {
				c.reset(r, http2.ErrCodeInternal)
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		wantError(t, tr, Unknown, asReset(http2.ErrCodeInternal))
		wantOK(t, tr)
		if p.count() != 1 {
			t.Errorf("%d connections, want 1", p.count())
		}
	})
}

// TestLostConnection: nobody knows what became of the request under way; the next one gets a new
// connection.
func TestLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 && c.seen == 2 {
				c.net.Close()
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		wantError(t, tr, Unknown, as(ErrLost))
		wantOK(t, tr)
	})
}

// TestNeverSent: of two requests on a connection that ends, the one that was still in the buffer
// goes over the next connection, and the one that was written does not.
func TestNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 && c.seen == 2 {
				<-stuck // and reads nothing more
				c.net.Close()
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		results := make(chan error, 3)
		// The peer reads the second request; the third is in a write that does not come to its end;
		// the fourth is in the buffer.
		for _, path := range []string{"/second", "/third", "/fourth"} {
			go func() {
				_, err := push(t.Context(), tr, path, "{}")
				if path == "/fourth" && err != nil {
					t.Errorf("what was never sent: %v", err)
				}
				results <- err
			}()
			synctest.Wait()
		}
		close(stuck)
		lost := 0
		for range 3 {
			var e *Error
			if err := <-results; errors.As(err, &e) && e.Outcome == Unknown && !e.Safe() {
				lost++
			}
		}
		if lost != 2 || p.conn(2).seen != 1 {
			t.Errorf("%d requests lost and %d on the second connection, want 2 and 1", lost, p.conn(2).seen)
		}
	})
}

// TestWarmUpFails: the first requests on two connections get no answer; those who waited go on, one
// of them first, and nothing that was sent is sent again.
func TestWarmUpFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1)}
		p.request = func(c *peerConn, r *request) {
			if c.n <= 2 {
				c.net.Close()
				return
			}
			if c.seen == 1 {
				c.streams(1000)
			}
			c.answer(r, "200", "")
		}
		tr := transport(t, p, nil)
		bad := failed(storm(t.Context(), tr, 100))
		if len(bad) != 2 || !errors.Is(bad[0], ErrLost) || p.count() != 3 {
			t.Errorf("%v failed over %d connections, want two over three", bad, p.count())
		}
	})
}

// TestTimeout: a request's own timeout ends it like a context's deadline, on a stream or while it
// waits for one, and requests before and after it are not touched.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1), request: func(c *peerConn, r *request) {
			if c.seen != 2 {
				c.answer(r, "200", "")
			}
		}}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		do := func(d time.Duration) error {
			return tr.Do(t.Context(), &Request{Preset: post, Path: "/", Timeout: d}, &Response{})
		}
		if err := do(time.Minute); err != nil {
			t.Fatal(err)
		}
		waits := make(chan error, 1)
		began := time.Now()
		go func() {
			synctest.Wait() // until the other one has the stream
			waits <- do(time.Second)
		}()
		err := do(2 * time.Second)
		var e *Error
		if !errors.As(err, &e) || e.Outcome != Unknown || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		if err := <-waits; !errors.As(err, &e) || e.Outcome != NotSent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the one that waits: %v", err)
		}
		if err := do(time.Hour); err != nil {
			t.Error(err)
		}
	})
}

// TestWarmUpIsGivenUp: a first request that is cancelled, or gets no answer in time, does not hold
// up the others. A cancelled one says nothing of the connection; after a timeout there is a new
// one.
func TestWarmUpIsGivenUp(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{request: func(c *peerConn, r *request) {
				if c.n == 1 && c.seen == 1 {
					return // no answer, ever
				}
				c.answer(r, "200", "")
			}}
			tr := transport(t, p, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			first := make(chan error, 1)
			go func() { _, err := push(ctx, tr, "/first", "{}"); first <- err }()
			synctest.Wait()
			rest := make(chan []error, 1)
			go func() { rest <- storm(t.Context(), tr, 50) }()
			synctest.Wait()
			if errors.Is(end, context.Canceled) {
				cancel()
			}
			var e *Error
			if err := <-first; !errors.Is(err, end) || !errors.As(err, &e) || e.Outcome != Unknown {
				t.Errorf("the first: %v", err)
			}
			if bad := failed(<-rest); bad != nil {
				t.Errorf("%v: the others: %v", end, bad)
			}
			if want := map[error]int{context.Canceled: 1, context.DeadlineExceeded: 2}[end]; p.count() != want {
				t.Errorf("%v: %d connections, want %d", end, p.count(), want)
			}
		})
	}
}

// TestSlowAnswersAreNoReason: requests that run out of time say nothing of a connection that
// answers others in the meantime, nor do two with an answer after them.
func TestSlowAnswersAreNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if r.get(":path") != "/slow" {
				c.answer(r, "200", "")
			}
		}}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		slow := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					if _, err := push(ctx, tr, "/slow", "{}"); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v", err)
					}
				})
			}
			synctest.Wait()
			if n > 2 {
				wantOK(t, tr)
			}
			wg.Wait()
		}
		slow(20)
		for range 3 {
			slow(2)
			wantOK(t, tr)
		}
		if p.count() != 1 {
			t.Errorf("%d connections, want 1", p.count())
		}
	})
}

// TestUnansweredConnectionIsLeft: after three requests in a row without an answer.
func TestUnansweredConnectionIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 && c.seen > 1 {
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := push(ctx, tr, "/", "{}"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		wantOK(t, tr)
		if p.count() != 2 {
			t.Errorf("%d connections, want 2", p.count())
		}
	})
}

// TestStarvedConnectionIsLeft: one that lets nobody in is left after three requests in a row, which
// were never sent.
func TestStarvedConnectionIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 {
				c.streams(0)
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			var e *Error
			if _, err := push(ctx, tr, "/", "{}"); !errors.As(err, &e) || e.Outcome != NotSent {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		wantOK(t, tr)
		if p.conn(1).seen != 1 || p.conn(2).seen != 1 {
			t.Errorf("%d requests on the first connection and %d on the second", p.conn(1).seen, p.conn(2).seen)
		}
	})
}

// TestCancelFreesTheStream: at once, for another request, and the peer is told.
func TestCancelFreesTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1), request: func(c *peerConn, r *request) {
			if r.get(":path") != "/hangs" {
				c.answer(r, "200", "")
			}
		}}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		ctx, cancel := context.WithCancel(t.Context())
		go push(ctx, tr, "/hangs", "{}")
		synctest.Wait()
		began := time.Now()
		done := make(chan struct{})
		go func() { wantOK(t, tr); close(done) }()
		synctest.Wait()
		cancel()
		<-done
		if time.Since(began) != 0 {
			t.Errorf("the stream was free after %v", time.Since(began))
		}
		if code := p.conn(1).resets[3]; code != http2.ErrCodeCancel {
			t.Errorf("the peer got %v, want CANCEL", code)
		}
	})
}

// TestCancelWhileWaiting: nothing was sent.
func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: streams(1), request: func(*peerConn, *request) {}}
		tr := transport(t, p, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go push(ctx, tr, "/hangs", "{}")
		synctest.Wait()
		var e *Error
		soon, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		if _, err := push(soon, tr, "/waits", "{}"); !errors.As(err, &e) || e.Outcome != NotSent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, err := push(soon, tr, "/late", "{}"); !errors.As(err, &e) || e.Outcome != NotSent {
			t.Errorf("with a context that has ended: %v", err)
		}
		cancel()
	})
}

// TestSilentConnection: a connection that is silent is asked by a PING. If the peer answers, it
// stays; if not, its requests fail and the next one gets another connection.
func TestSilentConnection(t *testing.T) {
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var pings atomic.Int32
			p := &peer{request: func(c *peerConn, r *request) {
				if c.n == 2 || c.seen == 1 {
					c.answer(r, "200", "")
				}
			}}
			p.other = func(c *peerConn, f http2.Frame) {
				if ping, ok := f.(*http2.PingFrame); ok && c.n == 1 && !ping.IsAck() {
					pings.Add(1)
					if answers {
						c.write(func(w *http2.Framer) error { return w.WritePing(true, ping.Data) })
					}
				}
			}
			tr := transport(t, p, nil)
			wantOK(t, tr)
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			began := time.Now()
			_, err := push(ctx, tr, "/hangs", "{}")
			if answers {
				if !errors.Is(err, context.DeadlineExceeded) || pings.Load() < 5 {
					t.Errorf("%d PINGs in ten minutes, then %v", pings.Load(), err)
				}
				return
			}
			if took := time.Since(began); !errors.Is(err, ErrSilent) || took > 2*time.Minute+15*time.Second || pings.Load() != 1 {
				t.Errorf("after %v and %d PINGs: %v", took, pings.Load(), err)
			}
			wantOK(t, tr)
		})
	}
}

// TestPeerReadsNothing: a write that does not end is given up, like a PING.
func TestPeerReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &peer{request: func(c *peerConn, r *request) {
			if c.n == 1 && c.seen == 2 {
				<-release
				return
			}
			c.answer(r, "200", "")
		}}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		done := make(chan error, 2)
		for range 2 {
			go func() { _, err := push(ctx, tr, "/", "{}"); done <- err }()
			synctest.Wait()
		}
		for range 2 {
			var e *Error
			if err := <-done; !errors.As(err, &e) || e.Outcome != Unknown || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		close(release)
		wantOK(t, tr)
	})
}
