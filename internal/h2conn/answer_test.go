package h2conn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// pieces writes an answer frame by frame.
func (c *peerConn) pieces(r *request, write func(w *http2.Framer, id uint32)) {
	c.write(func(w *http2.Framer) error {
		delete(c.open, r.stream)
		w.AllowIllegalWrites = true
		write(w, r.stream)
		return nil
	})
}

func (c *peerConn) headers(w *http2.Framer, id uint32, end bool, fields ...string) {
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header(fields...), EndHeaders: true, EndStream: end})
}

// TestAnswerForms: all forms that an answer can have.
func TestAnswerForms(t *testing.T) {
	const body = `{"reason":"BadDeviceToken"}`
	for _, form := range []struct {
		name  string
		write func(c *peerConn, w *http2.Framer, id uint32)
	}{
		{"interim", func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "103", "link", "</x>")
			c.headers(w, id, false, ":status", "100")
			c.headers(w, id, false, ":status", "400", "for", "/form", "trailing", "no")
			w.WriteData(id, true, []byte(body))
		}},
		{"trailers", func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "400", "for", "/form", "content-length", fmt.Sprint(len(body)))
			w.WriteData(id, false, []byte(body))
			c.headers(w, id, true, "trailing", "yes")
		}},
		{"continuation", func(c *peerConn, w *http2.Framer, id uint32) {
			h := c.header(":status", "400", "for", "/form", "long", strings.Repeat("x", 200))
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h[:1]})
			for i := 1; i < len(h)-1; i++ {
				w.WriteContinuation(id, false, h[i:i+1])
			}
			w.WriteContinuation(id, false, nil)
			w.WriteContinuation(id, true, h[len(h)-1:])
			w.WriteData(id, true, []byte(body))
		}},
		{"padding", func(c *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header(":status", "400", "for", "/form"), EndHeaders: true, PadLength: 255,
				Priority: http2.PriorityParam{StreamDep: 1<<31 - 1, Weight: 7}})
			w.WriteDataPadded(id, false, []byte(body), make([]byte, 200))
			w.WriteDataPadded(id, true, nil, make([]byte, 200))
		}},
		{"bytes", func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "400", "for", "/form")
			for i := range body {
				w.WriteData(id, false, []byte{body[i]})
				w.WriteData(id, false, nil)
				w.WritePing(false, [8]byte{})
				w.WriteRawFrame(0xfa, 0xff, id, []byte("an extension"))
			}
			w.WriteData(id, true, nil)
		}},
		{"table", func(c *peerConn, w *http2.Framer, id uint32) {
			c.enc.SetMaxDynamicTableSize(0)
			c.headers(w, id, false, ":status", "400", "for", "/form")
			w.WriteData(id, true, []byte(body))
			c.enc.SetMaxDynamicTableSize(4096)
		}},
		{"reset", func(c *peerConn, w *http2.Framer, id uint32) { // after a complete answer (RFC 9113, 8.1)
			c.headers(w, id, false, ":status", "400", "for", "/form")
			w.WriteData(id, true, []byte(body))
			w.WriteRSTStream(id, http2.ErrCodeNo)
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{request: func(c *peerConn, r *request) {
				if r.get(":path") == "/form" {
					c.pieces(r, func(w *http2.Framer, id uint32) { form.write(c, w, id) })
					return
				}
				c.answer(r, "200", "")
			}}
			tr := transport(t, p, nil)
			for range 3 {
				resp, err := push(t.Context(), tr, "/form", "{}")
				if err != nil || resp.Status != 400 || string(resp.Body) != body {
					t.Fatalf("%s: %v %+v", form.name, err, resp)
				}
				if trailing := len(resp.Trailer) > 0; trailing != (form.name == "trailers") {
					t.Errorf("%s: trailers %v", form.name, resp.Trailer)
				}
			}
			wantOK(t, tr)
			if p.count() != 1 {
				t.Errorf("%s: %d connections", form.name, p.count())
			}
		})
	}
}

// TestWrongAnswers: each is an error of its own request; the connection goes on, and the header
// table with it.
func TestWrongAnswers(t *testing.T) {
	for _, form := range []struct {
		name  string
		want  error
		write func(c *peerConn, w *http2.Framer, id uint32)
	}{
		{"no status", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, true, "for", "/fails") }},
		{"two statuses", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", ":status", "400")
		}},
		{"status late", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, "for", "/fails", ":status", "200")
		}},
		{"status odd", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, true, ":status", "2OO") }},
		{"status short", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, true, ":status", "+20") }},
		{"pseudo", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, true, ":status", "200", ":path", "/") }},
		{"upper case", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, true, ":status", "200", "Name", "x") }},
		{"line feed", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", "name", "x\ny")
		}},
		{"interim end", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, true, ":status", "100") }},
		{"101", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id, false, ":status", "101") }},
		{"two headers", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "200")
			c.headers(w, id, true, ":status", "200")
		}},
		{"trailers go on", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "200")
			c.headers(w, id, false, "trailing", "yes")
		}},
		{"body first", ErrMalformed, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteData(id, true, []byte("{}")) }},
		{"shorter", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", "content-length", "2")
		}},
		{"longer", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "200", "content-length", "0")
			w.WriteData(id, true, []byte("{}"))
		}},
		{"two lengths", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", "content-length", "0", "content-length", "1")
		}},
		{"length odd", ErrMalformed, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", "content-length", "-1")
		}},
		{"large header", ErrAnswerTooLarge, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", "a", strings.Repeat("x", 900), "b", strings.Repeat("x", 900))
		}},
		{"large body", ErrAnswerTooLarge, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "200")
			w.WriteData(id, false, make([]byte, 4097))
		}},
		{"window of nothing", nil, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteWindowUpdate(id, 0) }},
		{"window overflow", nil, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteWindowUpdate(id, 1<<31-1)
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{request: func(c *peerConn, r *request) {
				if r.get(":path") == "/fails" {
					c.pieces(r, func(w *http2.Framer, id uint32) { form.write(c, w, id) })
					return
				}
				c.answer(r, "200", "")
			}}
			tr := transport(t, p, func(o *Options) { o.MaxHeader, o.MaxAnswer = 1024, 4096 })
			wantOK(t, tr)
			for range 3 {
				is := as(form.want)
				if form.want == nil {
					is = func(err error) bool { var p *ProtocolError; return errors.As(err, &p) }
				}
				wantError(t, tr, Unknown, is)
			}
			wantOK(t, tr)
			if p.count() != 1 || p.conn(1).resets[3] == 0 {
				t.Errorf("%s: %d connections, RST_STREAM %v", form.name, p.count(), p.conn(1).resets[3])
			}
		})
		if t.Failed() {
			t.Fatal(form.name)
		}
	}
}

// TestEarlyAnswer: an answer before the whole body was sent is an answer; the rest is not sent.
func TestEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{lazy: true, settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 100}}}
		p.request = ok
		p.other = func(c *peerConn, f http2.Frame) {
			if d, ok := f.(*http2.DataFrame); ok {
				c.answer(c.open[d.StreamID], "413", "")
			}
		}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		if resp, err := push(t.Context(), tr, "/", strings.Repeat("x", 5000)); err != nil || resp.Status != 413 {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if p.conn(1).resets[3] != http2.ErrCodeCancel {
			t.Error("the stream stays open")
		}
		wantOK(t, tr)
	})
}

// TestNoAnswerIsMixedUp: requests that are cancelled at any moment, answers in any order, resets,
// refusals and a GOAWAY now and then: whoever gets an answer gets his own, and nothing that was
// answered or may have been is sent again.
func TestNoAnswerIsMixedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		times := map[string]int{} // how often the peer processed a request
		p := &peer{settings: streams(50), tolerant: true}
		p.request = func(c *peerConn, r *request) {
			dice := rand.IntN(100)
			switch {
			case dice < 5:
				c.reset(r, http2.ErrCodeRefusedStream)
				return
			case dice < 6 && c.seen > 20:
				c.goAway(r.stream-2, http2.ErrCodeNo, "")
				return
			}
			mu.Lock()
			times[r.get(":path")]++
			mu.Unlock()
			switch {
			case dice < 10:
				c.reset(r, http2.ErrCodeInternal)
			case dice < 12:
				// no answer
			default:
				c.p.serving.Go(func() {
					time.Sleep(rand.N(20 * time.Millisecond))
					c.mu.Lock()
					gone := c.resets[r.stream] != 0
					c.mu.Unlock()
					if !gone || rand.IntN(2) == 0 { // a late answer is ignored
						c.answer(r, "200", r.get(":path"))
					}
				})
			}
		}
		tr := transport(t, p, nil)
		var wg sync.WaitGroup
		answered := 0
		for g := range 100 {
			wg.Go(func() {
				for i := range 30 {
					path := fmt.Sprintf("/%d/%d", g, i)
					ctx, cancel := context.WithTimeout(t.Context(), rand.N(600*time.Millisecond))
					resp, err := push(ctx, tr, path, strings.Repeat("x", rand.IntN(3000)))
					cancel()
					var e *Error
					mu.Lock()
					switch {
					case err == nil:
						answered++
						if string(resp.Body) != path || times[path] != 1 {
							t.Errorf("%s got the body %s; processed %d times", path, resp.Body, times[path])
						}
					case !errors.As(err, &e):
						t.Error(err)
					case times[path] > 1, e.Safe() && times[path] > 0:
						t.Errorf("%s was processed %d times, and the error is %v", path, times[path], err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if answered < 500 {
			t.Errorf("only %d were answered", answered)
		}
		if s := tr.Stats(); s.Active != 0 || s.Waiting != 0 {
			t.Errorf("something is left: %+v", s)
		}
	})
}
