package h2conn

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// TestSendWindows: a body waits for room on its stream and on the connection, both of which may be
// opened in any steps and by SETTINGS; the strict peer sees that it never sends more.
func TestSendWindows(t *testing.T) {
	body := strings.Repeat("0123456789", 4000) // longer than two frames
	for _, c := range []struct {
		name     string
		settings []http2.Setting
		grant    func(c *peerConn, r *request) // on DATA, or HEADERS, that does not end the stream
	}{
		{"stream", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}, func(c *peerConn, r *request) { c.grant(r.stream, 777) }},
		{"one by one", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 39_990}}, func(c *peerConn, r *request) { c.grant(r.stream, 1) }},
		{"settings", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 10}}, func(c *peerConn, _ *request) {
			c.announce(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(c.initial) + 1234})
		}},
		{"below zero", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 20_000}}, func(c *peerConn, r *request) {
			if c.initial > 0 {
				c.announce(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) // the window is -20,000 now
			}
			c.grant(r.stream, 30_000)
		}},
		{"large frames", []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 1<<24 - 1}}, func(*peerConn, *request) {}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{settings: c.settings}
			p.request = func(pc *peerConn, r *request) {
				if string(r.body) != body && r.get(":path") != "/ok" {
					t.Errorf("%s: a body of %d bytes", c.name, len(r.body))
				}
				pc.answer(r, "200", "")
			}
			p.other = func(pc *peerConn, f http2.Frame) {
				switch f.(type) {
				case *http2.DataFrame, *http2.MetaHeadersFrame:
					if r := pc.open[f.Header().StreamID]; r != nil {
						c.grant(pc, r)
					}
				}
			}
			tr := transport(t, p, nil)
			for range 3 {
				if _, err := push(t.Context(), tr, "/long", body); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				wantOK(t, tr)
			}
		})
	}
}

// TestConnectionWindow: with no room on the connection a request is not even begun, and waits
// without a stream. Room comes in steps of any size; several bodies share it.
func TestConnectionWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{lazy: true, request: ok}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		results := make(chan error, 20)
		for range 20 {
			go func() {
				_, err := push(t.Context(), tr, "/", strings.Repeat("x", 5000))
				results <- err
			}()
		}
		synctest.Wait()
		c := p.conn(1)
		if s := tr.Stats(); s.Active != 0 || s.Waiting != 20-65533/5000 {
			t.Errorf("%+v: what has no room takes a stream", s)
		}
		for len(results) < 20 {
			c.grant(0, 1000)
			synctest.Wait()
		}
		for range 20 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestLongBodies: bodies above what the whole connection has room for.
func TestLongBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{lazy: true, request: ok}
		p.other = func(c *peerConn, f http2.Frame) {
			if d, ok := f.(*http2.DataFrame); ok && d.Length > 0 {
				c.grant(0, int(d.Length))
				c.grant(d.StreamID, int(d.Length))
			}
		}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		body := strings.Repeat("x", 300_000)
		results := make(chan error, 8)
		for range 8 {
			go func() { _, err := push(t.Context(), tr, "/", body); results <- err }()
		}
		for range 8 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestReceiveWindow: many megabytes of answers pass, because room is given back; also that of
// answers which nobody waits for any more.
func TestReceiveWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{tolerant: true}
		var room atomic.Int64 // for what the peer sends
		room.Store(65535)
		answer := strings.Repeat("x", 10_000)
		p.other = func(_ *peerConn, f http2.Frame) {
			if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == 0 {
				room.Add(int64(w.Increment))
			}
		}
		p.request = func(c *peerConn, r *request) {
			if room.Add(-10_000) < 0 {
				t.Error("an answer has no room")
			}
			if r.get(":path") == "/gone" {
				c.p.serving.Go(func() {
					time.Sleep(2 * time.Second)
					c.answer(r, "200", answer)
				})
				return
			}
			c.answer(r, "200", answer)
		}
		tr := transport(t, p, nil)
		for i := range 500 {
			if resp, err := push(t.Context(), tr, "/", "{}"); err != nil || len(resp.Body) != len(answer) {
				t.Fatal(err)
			}
			if i%2 == 0 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				push(ctx, tr, "/gone", "{}")
				cancel()
				time.Sleep(2 * time.Second) // its answer comes and is ignored
			}
		}
		if p.count() != 1 {
			t.Errorf("%d connections", p.count())
		}
	})
}

// TestFullBuffer: what waits to be written is bounded. More follows when it is written, whether or
// not anything is answered.
func TestFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		reads := make(chan struct{})
		p := &peer{lazy: true, settings: streams(1000)}
		var all []*request
		p.request = func(c *peerConn, r *request) {
			if c.seen == 1 {
				c.grant(0, 1<<24)
				c.answer(r, "200", "")
				return
			}
			<-reads
			if all = append(all, r); len(all) == n {
				for _, r := range all {
					c.answer(r, "200", "")
				}
			}
		}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		results := make(chan error, n)
		for range n {
			go func() { _, err := push(t.Context(), tr, "/", strings.Repeat("x", 10_000)); results <- err }()
		}
		synctest.Wait()
		tr.mu.Lock()
		if waits := len(tr.conns[0].out.b); waits > maxOut+11_000 || tr.queue.length == 0 {
			t.Errorf("%d bytes wait to be written", waits)
		}
		tr.mu.Unlock()
		close(reads)
		for range n {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestPeerSendsTooMuch: more DATA than there is room for ends the connection.
func TestPeerSendsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{tolerant: true, request: func(c *peerConn, r *request) {
			c.pieces(r, func(w *http2.Framer, id uint32) {
				c.headers(w, id, false, ":status", "200")
				for range 70 {
					w.WriteData(id, false, make([]byte, 16<<10))
				}
			})
		}}
		tr := transport(t, p, func(o *Options) { o.MaxAnswer = 2 << 20 })
		wantError(t, tr, Unknown, asProtocol(http2.ErrCodeFlowControl))
	})
}

// TestBoundedAnswers: answers that never end hold what the connection has room for, and no more.
// As many as fit run out of time; one more ends the connection, and all that it carries.
func TestBoundedAnswers(t *testing.T) {
	const answer = 4 * (15 << 10)
	const fit = connWindow / answer
	for _, c := range []struct {
		requests int
		is       func(error) bool
	}{
		{fit, as(context.DeadlineExceeded)},
		{fit + 1, asProtocol(http2.ErrCodeFlowControl)},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{tolerant: true}
			p.request = func(c *peerConn, r *request) {
				if c.seen == 1 {
					c.answer(r, "200", "")
					return
				}
				c.pieces(r, func(w *http2.Framer, id uint32) {
					c.headers(w, id, false, ":status", "200")
					for range 4 {
						w.WriteData(id, false, make([]byte, answer/4))
					}
				})
			}
			tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
			wantOK(t, tr)
			for _, err := range storm(t.Context(), tr, c.requests) {
				if !c.is(err) {
					t.Errorf("of %d requests one ended with %v", c.requests, err)
				}
			}
			wantOK(t, tr)
		})
	}
}

// TestDeadlineDuringBody: a body that waits for room does not keep the call.
func TestDeadlineDuringBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1}}, request: ok}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		wantError(t, tr, Unknown, func(err error) bool { return err != nil })
	})
}
