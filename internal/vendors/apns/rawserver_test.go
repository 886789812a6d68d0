package apns

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawServer is an HTTP/2 server by hand, for what net/http's cannot do: change its settings, refuse
// streams, send a GOAWAY with debug data. Each connection has a script that sees every complete
// request.
type rawServer struct {
	t        testing.TB
	listener net.Listener
	// limit is the MAX_CONCURRENT_STREAMS of a new connection, 0 for none.
	limit uint32
	// hello runs when a connection, the nth from 1, is up; request when a request is complete.
	// Neither runs twice at once on one connection.
	hello   func(c *rawConn)
	request func(c *rawConn, stream uint32)

	mu      sync.Mutex
	conns   []*rawConn
	refused int
	serving sync.WaitGroup
}

type rawConn struct {
	server *rawServer
	n      int
	net    net.Conn
	mu     sync.Mutex // of the framer's writing side and what follows
	framer *http2.Framer
	buf    bytes.Buffer
	enc    *hpack.Encoder
	limit  uint32
	open   int             // streams now
	no     map[uint32]bool // refused streams
	most   int             // streams at once so far
	seen   int             // complete requests so far
}

// serveRaw starts the server and a driver in front of it.
func serveRaw(t testing.TB, s *rawServer, change func(*Config)) *driver {
	t.Helper()
	s.t = t
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS() // for its certificate only
	config := &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2"}}
	ca := caFile(t, cert.Certificate().Raw)
	cert.Close()
	var err error
	if s.listener, err = tls.Listen("tcp", "127.0.0.1:0", config); err != nil {
		t.Fatal(err)
	}
	s.serving.Go(s.accept)
	cfg := keyConfig("https://"+s.listener.Addr().String(), ca)
	cfg.Connections = 1
	if change != nil {
		change(cfg)
	}
	d := start(t, cfg)
	t.Cleanup(func() { // before the driver's Close
		s.listener.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.net.Close()
		}
		s.mu.Unlock()
		s.serving.Wait()
	})
	return d
}

func (s *rawServer) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		c := &rawConn{server: s, n: len(s.conns) + 1, net: nc, limit: s.limit, no: map[uint32]bool{}}
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		c.enc = hpack.NewEncoder(&c.buf)
		s.serving.Go(c.run)
	}
}

// count returns the connections so far, the refused streams, and the most streams that were open at
// once on one connection.
func (s *rawServer) count() (conns, refused, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.mu.Lock()
		most = max(most, c.most)
		c.mu.Unlock()
	}
	return len(s.conns), s.refused, most
}

func (c *rawConn) run() {
	defer c.net.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.net, preface); err != nil {
		return
	}
	c.framer = http2.NewFramer(c.net, c.net)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.settings(c.limit)
	if c.server.hello != nil {
		c.server.hello(c)
	}
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.write(func(w *http2.Framer) { w.WriteSettingsAck() })
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.write(func(w *http2.Framer) { w.WritePing(true, f.Data) })
			}
		case *http2.MetaHeadersFrame:
			c.begin(f.StreamID)
		case *http2.DataFrame:
			if n := f.Length; n > 0 {
				c.write(func(w *http2.Framer) { w.WriteWindowUpdate(0, n) })
			}
			if f.StreamEnded() && c.server.request != nil && !c.no[f.StreamID] {
				c.seen++
				c.server.request(c, f.StreamID)
			}
		}
	}
}

// begin refuses a stream above the limit.
func (c *rawConn) begin(stream uint32) {
	c.mu.Lock()
	refuse := c.limit > 0 && c.open >= int(c.limit)
	if !refuse {
		c.open++
		c.most = max(c.most, c.open)
	}
	c.no[stream] = refuse
	c.mu.Unlock()
	if refuse {
		c.server.mu.Lock()
		c.server.refused++
		c.server.mu.Unlock()
		c.write(func(w *http2.Framer) { w.WriteRSTStream(stream, http2.ErrCodeRefusedStream) })
	}
}

func (c *rawConn) write(do func(w *http2.Framer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(c.framer)
}

// settings announces a limit of streams; 0 announces none.
func (c *rawConn) settings(limit uint32) {
	c.write(func(w *http2.Framer) {
		c.limit = limit
		if limit == 0 {
			w.WriteSettings()
			return
		}
		w.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: limit})
	})
}

// answer answers 200, or an error with a reason.
func (c *rawConn) answer(stream uint32, status, reason string) {
	c.write(func(w *http2.Framer) {
		c.open--
		c.buf.Reset()
		c.enc.WriteField(hpack.HeaderField{Name: ":status", Value: status})
		c.enc.WriteField(hpack.HeaderField{Name: "apns-id", Value: "00000000-0000-0000-0000-000000000000"})
		w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.buf.Bytes(), EndHeaders: true, EndStream: reason == ""})
		if reason != "" {
			w.WriteData(stream, true, []byte(`{"reason":"`+reason+`"}`))
		}
	})
}

func (c *rawConn) goAway(last uint32, code http2.ErrCode, debug string) {
	c.write(func(w *http2.Framer) { w.WriteGoAway(last, code, []byte(debug)) })
}
