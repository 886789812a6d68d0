package apns

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// conn is a TLS connection to APNs between the HTTP/2 transport and the network. The transport
// writes each push in two small pieces, and each would be a system call: conn gathers what comes
// while the one before is under way. On the way back it reads along for the debug data of a GOAWAY,
// which the transport keeps to itself while it looks for another connection.
type conn struct {
	*tls.Conn
	frames frameReader
	// debug is the debug data of the first GOAWAY.
	debug atomic.Pointer[[]byte]
	// alert is the TLS alert by which the peer refused our certificate. The transport forgets it
	// when it came before the first push.
	alert atomic.Pointer[error]

	mu      sync.Mutex
	ready   sync.Cond // something is pending, or err is set
	room    sync.Cond // pending was taken, or err is set
	pending []byte
	err     error

	// The lane's, under its lock.
	h2       *http2.ClientConn
	warm     bool // a push was answered
	retired  bool // no further push may use it
	inFlight int
	failures int // transport failures in a row
}

const (
	// maxPending is how much may wait to be written before the writers wait too.
	maxPending = 256 << 10
	// keepBuffer is the largest buffer that is kept for the next write.
	keepBuffer = 64 << 10
)

// errNoHTTP2 is of an endpoint that is no APNs, or of a proxy that cannot pass HTTP/2.
var errNoHTTP2 = errors.New("the endpoint does not speak HTTP/2")

// dial opens a connection. apns2's own way would go on for 20 seconds after the context's end.
func dial(ctx context.Context, addr string, config *tls.Config) (*conn, error) {
	config = config.Clone()
	config.NextProtos = []string{http2.NextProtoTLS}
	config.DynamicRecordSizingDisabled = true // many pushes in one record
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}, Config: config}
	nc, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc.(*tls.Conn)}
	if c.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		nc.Close()
		return nil, errNoHTTP2
	}
	c.ready.L, c.room.L = &c.mu, &c.mu
	return c, nil
}

// Write takes the bytes and leaves the writing to writeLoop. An error of an earlier write is
// returned by a later one.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) > maxPending && c.err == nil {
		c.room.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if len(c.pending) == 0 {
		c.ready.Signal()
	}
	c.pending = append(c.pending, p...)
	return len(p), nil
}

// writeLoop writes what is pending until the connection is closed or fails. A connection that fails
// it leaves open: the reader meets the same failure, and perhaps before it the peer's reason, such
// as a TLS alert.
func (c *conn) writeLoop() {
	var buf []byte
	for {
		c.mu.Lock()
		for len(c.pending) == 0 && c.err == nil {
			c.ready.Wait()
		}
		if c.err != nil {
			c.mu.Unlock()
			return
		}
		buf, c.pending = c.pending, buf[:0]
		c.room.Broadcast()
		c.mu.Unlock()
		if _, err := c.Conn.Write(buf); err != nil {
			c.fail(err)
			return
		}
		if cap(buf) > keepBuffer {
			buf = nil
		}
	}
}

func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.ready.Broadcast()
	c.room.Broadcast()
}

// Close closes the connection. What is still pending is lost.
func (c *conn) Close() error {
	c.fail(net.ErrClosed)
	return c.Conn.Close()
}

// Read reads, and reads along.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if debug, ok := c.frames.scan(p[:n]); ok {
		c.debug.CompareAndSwap(nil, &debug)
	}
	if err != nil && aboutCertificate(err) {
		c.alert.Store(&err)
	}
	return n, err
}

// gone says whether the connection takes no further push, as opposed to being full.
func (c *conn) gone() bool {
	s := c.h2.State()
	return s.Closed || s.Closing
}

// frameReader follows HTTP/2 frames through a byte stream (RFC 9113, 4.1).
type frameReader struct {
	header [9]byte
	have   int    // bytes of header
	left   int    // bytes of the frame's payload still to come
	away   []byte // payload of a GOAWAY so far
	inAway bool
}

// maxDebug is how much of a GOAWAY's payload is kept.
const maxDebug = 4 << 10

// scan reads on, and returns the debug data of a GOAWAY that ended in b.
func (f *frameReader) scan(b []byte) (debug []byte, ok bool) {
	for len(b) > 0 {
		if f.have < len(f.header) {
			n := copy(f.header[f.have:], b)
			f.have, b = f.have+n, b[n:]
			if f.have < len(f.header) {
				break
			}
			f.left = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
			f.inAway, f.away = http2.FrameType(f.header[3]) == http2.FrameGoAway, nil
		}
		n := min(f.left, len(b))
		if f.inAway && len(f.away) < maxDebug {
			f.away = append(f.away, b[:n]...)
		}
		f.left, b = f.left-n, b[n:]
		if f.left == 0 {
			if f.inAway && len(f.away) >= 8 { // the last stream's id and the error code come first
				debug, ok = f.away[8:], true
			}
			f.have = 0
		}
	}
	return debug, ok
}
