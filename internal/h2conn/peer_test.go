package h2conn

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is an HTTP/2 server by hand. It does what net/http's cannot: change its settings, refuse
// streams, send a GOAWAY with debug data. And it is strict: whatever the client may not do fails
// the test, see peerConn.check.
type peer struct {
	t testing.TB
	// settings are those that a connection begins with.
	settings []http2.Setting
	// lazy leaves room for DATA only when it is told to; tolerant is for what goes on while a test
	// breaks the rules itself.
	lazy, tolerant bool
	// hello runs when a connection, the nth from 1, is up; request when a request is complete;
	// other for every other frame. None runs at the same time as another on one connection.
	hello   func(c *peerConn)
	request func(c *peerConn, r *request)
	other   func(c *peerConn, f http2.Frame)

	config  *tls.Config // of secure
	mu      sync.Mutex
	conns   []*peerConn
	serving sync.WaitGroup
}

// request is a complete request, or one that is on its way.
type request struct {
	stream uint32
	fields []Field
	body   []byte
	room   int64 // for DATA
	ended  bool  // by the client
}

func (r *request) get(name string) string {
	for _, f := range r.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// lock is a mutex that synctest understands: who waits for it does not keep time from passing.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }

type peerConn struct {
	p   *peer
	n   int
	net net.Conn

	mu     lock // of all that follows
	framer *http2.Framer
	buf    bytes.Buffer
	enc    *hpack.Encoder

	pending    []func() // settings that the client has not acknowledged
	limit      uint32   // streams
	initial    int64
	room       int64
	last       uint32
	open       map[uint32]*request
	most, seen int
	resets     map[uint32]http2.ErrCode // by the client
	away       bool                     // it sent a GOAWAY
	through    uint32                   // we sent one: nothing above this stream is processed
}

func (p *peer) run(nc net.Conn) {
	p.mu.Lock()
	c := &peerConn{
		p: p, n: len(p.conns) + 1, net: nc, mu: make(lock, 1), open: map[uint32]*request{}, resets: map[uint32]http2.ErrCode{}, room: 65535,
		initial: 65535, through: 1<<31 - 1, limit: 1<<32 - 1,
	}
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	c.enc = hpack.NewEncoder(&c.buf)
	c.framer = http2.NewFramer(nc, nc)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.serving.Go(func() {
		defer nc.Close()
		if err := c.serve(); err != nil && !p.tolerant {
			p.t.Errorf("connection %d: %v", c.n, err)
		}
	})
}

// pipe is Options.Dial, for connections without a network and with synctest's time.
func (p *peer) pipe(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.run(theirs)
	return ours, nil
}

// close ends all connections and waits until they are gone.
func (p *peer) close() {
	p.mu.Lock()
	for _, c := range p.conns {
		c.net.Close()
	}
	p.mu.Unlock()
	p.serving.Wait()
}

func (p *peer) conn(n int) *peerConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[n-1]
}

func (p *peer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// lost are the errors by which a connection ends in the ordinary way.
func lost(err error) bool {
	var op *net.OpError
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op)
}

func (c *peerConn) serve() error {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.net, preface); err != nil {
		if lost(err) {
			return nil
		}
		return err
	}
	if string(preface) != http2.ClientPreface {
		return errors.New("wrong preface")
	}
	first := true
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			if lost(err) {
				return nil
			}
			return err
		}
		if _, ok := frame.(*http2.SettingsFrame); first && !ok {
			return errors.New("the first frame is not SETTINGS")
		}
		if first {
			first = false
			if c.p.settings != nil || c.p.hello == nil {
				c.announce(c.p.settings...)
			}
			if c.p.hello != nil {
				c.p.hello(c)
			}
		}
		if err := c.take(frame); err != nil {
			return err
		}
	}
}

// take checks a frame and acts on it.
func (c *peerConn) take(frame http2.Frame) error {
	var done *request
	c.mu.Lock()
	err := func() error {
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				return c.framer.WriteSettingsAck()
			}
			if len(c.pending) == 0 {
				return errors.New("a SETTINGS acknowledgement too much")
			}
			c.pending[0]()
			c.pending = c.pending[1:]
		case *http2.PingFrame:
			if c.p.other == nil && !f.IsAck() {
				return c.framer.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			r, err := c.begin(f)
			if err != nil {
				return err
			}
			if f.StreamEnded() {
				done = r
			}
		case *http2.DataFrame:
			r, n := c.open[f.StreamID], int64(f.Length)
			if c.resets[f.StreamID] != 0 || r == nil && f.StreamID > c.last {
				return errors.New("DATA on a stream that is not open")
			}
			if c.room -= n; c.room < 0 {
				return errors.New("DATA without room on the connection")
			}
			if !c.p.lazy && n > 0 {
				c.room += n
				if err := c.framer.WriteWindowUpdate(0, uint32(n)); err != nil && !lost(err) {
					return err
				}
			}
			if r == nil {
				return nil // we ended it
			}
			if r.room -= n; r.room < 0 {
				return errors.New("DATA without room on the stream")
			}
			if r.ended {
				return errors.New("DATA after the end")
			}
			r.body = append(r.body, f.Data()...)
			if f.StreamEnded() {
				done = r
			}
		case *http2.RSTStreamFrame:
			if f.StreamID > c.last {
				return errors.New("RST_STREAM on an idle stream")
			}
			c.resets[f.StreamID] = f.ErrCode
			delete(c.open, f.StreamID)
		case *http2.GoAwayFrame:
			c.away = true
		case *http2.WindowUpdateFrame:
		default:
			return errors.New("an unexpected frame " + f.Header().String())
		}
		return nil
	}()
	run := done != nil && done.stream <= c.through
	if run {
		done.ended = true
		c.seen++
	}
	c.mu.Unlock()
	if err != nil && !lost(err) {
		return err
	}
	if run && c.p.request != nil {
		c.p.request(c, done)
	}
	if c.p.other != nil && done == nil {
		c.p.other(c, frame)
	}
	return nil
}

// begin checks a header.
func (c *peerConn) begin(f *http2.MetaHeadersFrame) (*request, error) {
	if c.away {
		return nil, errors.New("a request after GOAWAY")
	}
	if f.StreamID%2 == 0 || f.StreamID <= c.last {
		return nil, errors.New("a wrong stream id")
	}
	c.last = f.StreamID
	if uint32(len(c.open)) >= c.limit {
		return nil, errors.New("more streams than it may open")
	}
	r := &request{stream: f.StreamID, fields: slices.Clone(f.Fields), room: c.initial}
	for _, name := range []string{":method", ":scheme", ":authority", ":path"} {
		if r.get(name) == "" {
			return nil, errors.New("no " + name)
		}
	}
	for _, f := range r.fields {
		if strings.ToLower(f.Name) != f.Name {
			return nil, errors.New("upper case in " + f.Name)
		}
	}
	c.open[f.StreamID] = r
	c.most = max(c.most, len(c.open))
	return r, nil
}

// write does something with the framer. That the client has gone is no concern of the server's.
func (c *peerConn) write(do func(w *http2.Framer) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := do(c.framer); err != nil && !lost(err) {
		c.p.t.Error(err)
	}
}

// announce sends SETTINGS. They bind the client when it has acknowledged them.
func (c *peerConn) announce(settings ...http2.Setting) {
	c.write(func(w *http2.Framer) error {
		c.pending = append(c.pending, func() {
			for _, s := range settings {
				switch s.ID {
				case http2.SettingMaxConcurrentStreams:
					c.limit = s.Val
				case http2.SettingInitialWindowSize:
					for _, r := range c.open {
						r.room += int64(s.Val) - c.initial
					}
					c.initial = int64(s.Val)
				case http2.SettingHeaderTableSize:
					c.framer.ReadMetaHeaders.SetAllowedMaxDynamicTableSize(s.Val)
				}
			}
		})
		return w.WriteSettings(settings...)
	})
}

func (c *peerConn) streams(limit uint32) {
	c.announce(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: limit})
}

// grant makes room for DATA, on a stream or, with 0, on the connection.
func (c *peerConn) grant(stream uint32, n int) {
	c.write(func(w *http2.Framer) error {
		if r := c.open[stream]; r != nil {
			r.room += int64(n)
		}
		if stream == 0 {
			c.room += int64(n)
		}
		return w.WriteWindowUpdate(stream, uint32(n))
	})
}

// header encodes fields, given as name, value, name, value.
func (c *peerConn) header(fields ...string) []byte {
	c.buf.Reset()
	for i := 0; i < len(fields); i += 2 {
		c.enc.WriteField(Field{Name: fields[i], Value: fields[i+1]})
	}
	return c.buf.Bytes()
}

// answer answers with a status and a body; the path that was asked for comes back as a field, so
// that a test sees whether an answer is its own.
func (c *peerConn) answer(r *request, status, body string, fields ...string) {
	c.write(func(w *http2.Framer) error {
		delete(c.open, r.stream)
		h := c.header(append([]string{":status", status, "for", r.get(":path")}, fields...)...)
		err := w.WriteHeaders(http2.HeadersFrameParam{StreamID: r.stream, BlockFragment: h, EndHeaders: true, EndStream: body == ""})
		if body != "" && err == nil {
			err = w.WriteData(r.stream, true, []byte(body))
		}
		return err
	})
}

func (c *peerConn) reset(r *request, code http2.ErrCode) {
	c.write(func(w *http2.Framer) error {
		delete(c.open, r.stream)
		return w.WriteRSTStream(r.stream, code)
	})
}

func (c *peerConn) goAway(last uint32, code http2.ErrCode, debug string) {
	c.write(func(w *http2.Framer) error {
		c.through = last
		return w.WriteGoAway(last, code, []byte(debug))
	})
}

// ok answers everything.
func ok(c *peerConn, r *request) { c.answer(r, "200", "") }

// transport makes a Transport over pipes to a peer. In a synctest bubble everything is over when
// the test is.
func transport(t testing.TB, p *peer, change func(*Options)) *Transport {
	t.Helper()
	p.t = t
	opts := Options{Dial: p.pipe}
	if change != nil {
		change(&opts)
	}
	tr, err := New("http://push.example", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tr.Close()
		p.close()
	})
	return tr
}

// secure makes a Transport that reaches the peer over TLS and a loopback connection.
func secure(t testing.TB, p *peer, server *tls.Config, change func(*Options)) *Transport {
	t.Helper()
	p.t = t
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS() // for its certificate only
	config := &tls.Config{NextProtos: []string{"h2"}}
	if server != nil {
		config = server
	}
	config.Certificates = cert.TLS.Certificates
	p.config = config
	trusted := x509.NewCertPool()
	trusted.AddCert(cert.Certificate())
	cert.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.serving.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			tc := tls.Server(nc, config)
			p.serving.Go(func() {
				if tc.Handshake() != nil {
					nc.Close()
					return
				}
				p.run(tc)
			})
		}
	})
	opts := Options{TLS: &tls.Config{RootCAs: trusted}}
	if change != nil {
		change(&opts)
	}
	tr, err := New("https://"+listener.Addr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tr.Close()
		listener.Close()
		p.close()
	})
	return tr
}
