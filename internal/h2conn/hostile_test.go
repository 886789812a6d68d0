package h2conn

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// TestBrokenRules: each mistake ends the connection with an error that names it, and a GOAWAY with
// its code. Nothing of it reaches the next connection.
func TestBrokenRules(t *testing.T) {
	for _, rule := range []struct {
		name string
		code http2.ErrCode
		do   func(c *peerConn, w *http2.Framer, id uint32)
	}{
		{"push promise", http2.ErrCodeProtocol, func(c *peerConn, w *http2.Framer, id uint32) {
			w.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, BlockFragment: c.header(":method", "GET"), EndHeaders: true})
		}},
		{"idle headers", http2.ErrCodeProtocol, func(c *peerConn, w *http2.Framer, id uint32) { c.headers(w, id+2, true, ":status", "200") }},
		{"even headers", http2.ErrCodeProtocol, func(c *peerConn, w *http2.Framer, _ uint32) { c.headers(w, 2, true, ":status", "200") }},
		{"idle data", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteData(id+2, true, []byte("x")) }},
		{"idle reset", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteRSTStream(id+2, http2.ErrCodeNo) }},
		{"idle window", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteWindowUpdate(id+2, 1) }},
		{"stream 0 data", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, _ uint32) { w.WriteRawFrame(http2.FrameData, 0, 0, []byte("x")) }},
		{"stream 0 headers", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 0, nil)
		}},
		{"stream 0 reset", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteRawFrame(http2.FrameRSTStream, 0, 0, make([]byte, 4))
		}},
		{"lone continuation", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteContinuation(id, true, nil) }},
		{"interrupted header", http2.ErrCodeProtocol, func(c *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header(":status", "200")})
			w.WritePing(false, [8]byte{})
		}},
		{"window of nothing", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, _ uint32) { w.WriteWindowUpdate(0, 0) }},
		{"window overflow", http2.ErrCodeFlowControl, func(_ *peerConn, w *http2.Framer, _ uint32) { w.WriteWindowUpdate(0, 1<<31-1) }},
		{"stream window overflow", http2.ErrCodeFlowControl, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteWindowUpdate(id, 1<<31-1-65535)
			w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100_000})
		}},
		{"settings on a stream", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteRawFrame(http2.FrameSettings, 0, id, nil) }},
		{"settings length", http2.ErrCodeFrameSize, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 5))
		}},
		{"settings ack with content", http2.ErrCodeFrameSize, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteRawFrame(http2.FrameSettings, http2.FlagSettingsAck, 0, make([]byte, 6))
		}},
		{"settings window", http2.ErrCodeFlowControl, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}},
		{"settings frame size", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1})
		}},
		{"settings push", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 1})
		}},
		{"ping length", http2.ErrCodeFrameSize, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 7))
		}},
		{"goaway length", http2.ErrCodeFrameSize, func(_ *peerConn, w *http2.Framer, _ uint32) {
			w.WriteRawFrame(http2.FrameGoAway, 0, 0, make([]byte, 7))
		}},
		{"large frame", http2.ErrCodeFrameSize, func(_ *peerConn, w *http2.Framer, id uint32) { w.WriteData(id, true, make([]byte, 16<<10+1)) }},
		{"padding of data", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, id, []byte{9, 0, 0})
		}},
		{"padding of headers", http2.ErrCodeProtocol, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, id, []byte{9, 0, 0})
		}},
		{"short padding", http2.ErrCodeFrameSize, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, id, nil)
		}},
		{"header index", http2.ErrCodeCompression, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0xff, 0x80, 0x01}, EndHeaders: true, EndStream: true})
		}},
		{"header cut", http2.ErrCodeCompression, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x40, 0x05, 'a'}, EndHeaders: true, EndStream: true})
		}},
		{"header table", http2.ErrCodeCompression, func(_ *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: appendInt(nil, 0x20, 5, 1<<20), EndHeaders: true, EndStream: true})
		}},
		{"header string", http2.ErrCodeEnhanceYourCalm, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, true, ":status", "200", "a", strings.Repeat("\"", 5000))
		}},
		{"continuation flood", http2.ErrCodeEnhanceYourCalm, func(c *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header(":status", "200")})
			for i := range 10 {
				w.WriteContinuation(id, false, appendLiteral(nil, withoutIndexing, 0, Field{Name: fmt.Sprint(i), Value: strings.Repeat("\"", 1000)}))
			}
		}},
		{"empty continuation flood", http2.ErrCodeEnhanceYourCalm, func(c *peerConn, w *http2.Framer, id uint32) {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header(":status", "200")})
			for range maxBurden + 1 {
				w.WriteContinuation(id, false, nil)
			}
		}},
		{"ping flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, _ uint32) { w.WritePing(false, [8]byte{}) })},
		{"settings flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, _ uint32) { w.WriteSettings() })},
		{"window flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, id uint32) { w.WriteWindowUpdate(id, 1) })},
		{"priority flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, id uint32) { w.WritePriority(id, http2.PriorityParam{Weight: 1}) })},
		{"unknown flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, id uint32) { w.WriteRawFrame(0xfe, 0, id, nil) })},
		{"goaway flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, id uint32) { w.WriteGoAway(id, 0, nil) })},
		{"late reset flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, _ uint32) { w.WriteRSTStream(1, 0) })},
		{"late data flood", http2.ErrCodeEnhanceYourCalm, flood(func(w *http2.Framer, _ uint32) { w.WriteData(1, false, []byte("x")) })},
		{"empty data flood", http2.ErrCodeEnhanceYourCalm, func(c *peerConn, w *http2.Framer, id uint32) {
			c.headers(w, id, false, ":status", "200")
			flood(func(w *http2.Framer, id uint32) { w.WriteData(id, false, nil) })(c, w, id)
		}},
		{"interim flood", http2.ErrCodeEnhanceYourCalm, func(c *peerConn, w *http2.Framer, id uint32) {
			for range maxBurden + 10 {
				c.headers(w, id, false, ":status", "102")
			}
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{tolerant: true}
			code := make(chan http2.ErrCode, 1)
			p.other = func(c *peerConn, f http2.Frame) {
				if g, ok := f.(*http2.GoAwayFrame); ok && c.n == 1 {
					code <- g.ErrCode
				}
			}
			p.request = func(c *peerConn, r *request) {
				if c.n == 1 && c.seen == 2 {
					c.p.serving.Go(func() { c.pieces(r, func(w *http2.Framer, id uint32) { rule.do(c, w, id) }) })
					return
				}
				c.answer(r, "200", "")
			}
			tr := transport(t, p, func(o *Options) { o.MaxHeader = 4096 })
			wantOK(t, tr)
			wantError(t, tr, Unknown, asProtocol(rule.code))
			if rule.code != http2.ErrCodeEnhanceYourCalm { // who floods may read nothing himself
				if got := <-code; got != rule.code {
					t.Errorf("the peer got %v", got)
				}
			}
			wantOK(t, tr)
		})
		if t.Failed() {
			t.Fatal(rule.name)
		}
	}
}

func flood(write func(w *http2.Framer, id uint32)) func(*peerConn, *http2.Framer, uint32) {
	return func(_ *peerConn, w *http2.Framer, id uint32) {
		for range maxBurden + 10 {
			write(w, id)
		}
	}
}

// TestWrongBeginning: what is no HTTP/2, or does not begin with SETTINGS.
func TestWrongBeginning(t *testing.T) {
	for name, hello := range map[string]func(c *peerConn){
		"ping": func(c *peerConn) { c.write(func(w *http2.Framer) error { return w.WritePing(false, [8]byte{}) }) },
		"ack":  func(c *peerConn) { c.write(func(w *http2.Framer) error { return w.WriteSettingsAck() }) },
		"headers": func(c *peerConn) {
			c.pieces(&request{stream: 1}, func(w *http2.Framer, id uint32) { c.headers(w, id, true, ":status", "200") })
		},
		"http/1.1": func(c *peerConn) { fmt.Fprint(c.net, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &peer{tolerant: true, hello: hello}
			tr := transport(t, p, nil)
			wantError(t, tr, Unknown, func(err error) bool { var p *ProtocolError; return errors.As(err, &p) })
		})
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestHeaderBomb: a header of sixteen thousand references to one long field of the table is not
// built up, and the table stays right.
func TestHeaderBomb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", 3000)
		p := &peer{request: func(c *peerConn, r *request) {
			if r.get(":path") != "/fails" {
				c.answer(r, "200", "", "bomb", long)
				return
			}
			c.pieces(r, func(w *http2.Framer, id uint32) {
				h := append([]byte(nil), c.header(":status", "200", "bomb", long)...)
				h = append(h, strings.Repeat(string(h[len(h)-1:]), 16000)...)
				w.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h, EndHeaders: true, EndStream: true})
			})
		}}
		tr := transport(t, p, nil)
		wantOK(t, tr)
		before := allocated()
		for range 10 {
			wantError(t, tr, Unknown, as(ErrAnswerTooLarge))
		}
		if grown := allocated() - before; grown > 10<<20 {
			t.Errorf("%d bytes for ten bombs of 50 MB", grown)
		}
		wantOK(t, tr)
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestRapidResets: a peer that resets every stream at once costs its requests and nothing more.
func TestRapidResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{request: func(c *peerConn, r *request) {
			if c.seen == 1 {
				c.answer(r, "200", "")
				return
			}
			c.reset(r, http2.ErrCodeEnhanceYourCalm)
		}}
		tr := transport(t, p, func(o *Options) { o.MaxConns = 1 })
		wantOK(t, tr)
		for _, err := range storm(t.Context(), tr, 20_000) {
			if !asReset(http2.ErrCodeEnhanceYourCalm)(err) {
				t.Fatal(err)
			}
		}
		if s := tr.Stats(); s.Active != 0 || p.count() != 1 {
			t.Errorf("%+v, %d connections", s, p.count())
		}
	})
}

// TestFloodWithoutReading: a peer that asks for answers and reads none.
func TestFloodWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{tolerant: true, request: func(c *peerConn, _ *request) {
			for range 2 * maxBurden { // the only reader of this connection is busy here
				c.write(func(w *http2.Framer) error { return w.WritePing(false, [8]byte{}) })
			}
		}}
		tr := transport(t, p, nil)
		wantError(t, tr, Unknown, asProtocol(http2.ErrCodeEnhanceYourCalm))
	})
}

// TestOrdinaryTrafficIsNoFlood: some WINDOW_UPDATEs for each request, as fast as they go; and a
// peer that asks every second whether we are there, for hours.
func TestOrdinaryTrafficIsNoFlood(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			over := make(chan struct{})
			p := &peer{request: func(c *peerConn, r *request) {
				for range 8 {
					c.grant(r.stream, 1)
				}
				c.answer(r, "200", "")
			}}
			p.hello = func(c *peerConn) {
				c.streams(100)
				c.p.serving.Go(func() {
					for {
						select {
						case <-over:
							return
						case <-time.After(time.Second):
							c.write(func(w *http2.Framer) error { return w.WritePing(false, [8]byte{}) })
						}
					}
				})
			}
			tr := transport(t, p, nil)
			n := 3000
			if pause > 0 {
				n = 500
			}
			for range n {
				wantOK(t, tr)
				time.Sleep(pause)
			}
			close(over)
			if p.count() != 1 {
				t.Errorf("with a pause of %v: %d connections", pause, p.count())
			}
		})
	}
}
