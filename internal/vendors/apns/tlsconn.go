package apns

//lint:file-ignore SA1019 the transport goes with the issue that makes a connection for pushes; net/http has no way yet to give a request to a certain connection

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

// tlsConn is the TLS connection between the HTTP/2 transport and APNs. The transport writes each
// push in two small pieces, each of which would be a system call; tlsConn collects what is written
// while the write before is under way, and writes it at once. It also watches what it reads for the
// debug data of a GOAWAY, which the transport does not pass on while it looks for another
// connection.
type tlsConn struct {
	*tls.Conn
	frames frameReader
	// debug is the debug data of the first GOAWAY.
	debug atomic.Pointer[[]byte]
	// alert is the TLS alert by which the peer refused our certificate. The transport loses it if
	// it arrived before the first push.
	alert atomic.Pointer[error]

	mu      sync.Mutex
	ready   sync.Cond // something is pending, or err is set
	space   sync.Cond // pending was taken, or err is set
	pending []byte
	err     error

	// The fields below belong to the conn and are guarded by its lock.
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

// errNoHTTP2 means that the endpoint is not APNs, or that a proxy in between does not support
// HTTP/2.
var errNoHTTP2 = errors.New("the endpoint does not speak HTTP/2")

// dialTLS opens a connection and stops when the context ends. apns2's own dial function would go on
// for up to 20 seconds after that.
func dialTLS(ctx context.Context, addr string, config *tls.Config) (*tlsConn, error) {
	config = config.Clone()
	config.NextProtos = []string{http2.NextProtoTLS}
	config.DynamicRecordSizingDisabled = true // many pushes in one record
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}, Config: config}
	nc, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &tlsConn{Conn: nc.(*tls.Conn)}
	if c.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		nc.Close()
		return nil, errNoHTTP2
	}
	c.ready.L, c.space.L = &c.mu, &c.mu
	return c, nil
}

// Write stores the bytes, which writeLoop then writes. If that fails, a later Write returns the
// error.
func (c *tlsConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) > maxPending && c.err == nil {
		c.space.Wait()
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

// writeLoop writes what is pending until the connection is closed or a write fails. In the second
// case it does not close the connection: the reader will see the failure too, and perhaps first the
// reason that the peer sent, such as a TLS alert.
func (c *tlsConn) writeLoop() {
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
		c.space.Broadcast()
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

func (c *tlsConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.ready.Broadcast()
	c.space.Broadcast()
}

// Close closes the connection. What is still pending is lost.
func (c *tlsConn) Close() error {
	c.fail(net.ErrClosed)
	return c.Conn.Close()
}

// Read reads from the connection and looks for a GOAWAY in what it reads.
func (c *tlsConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if debug, ok := c.frames.scan(p[:n]); ok {
		c.debug.CompareAndSwap(nil, &debug)
	}
	if err != nil && aboutCertificate(err) {
		c.alert.Store(&err)
	}
	return n, err
}

// closing reports whether the connection takes no further pushes at all. It is false if the
// connection is only full at the moment.
func (c *tlsConn) closing() bool {
	s := c.h2.State()
	return s.Closed || s.Closing
}

// frameReader finds the HTTP/2 frames in a stream of bytes (RFC 9113, 4.1).
type frameReader struct {
	header [9]byte
	have   int    // bytes of header
	left   int    // bytes of the frame's payload still to come
	away   []byte // payload of a GOAWAY so far
	inAway bool
}

// maxDebug is how much of a GOAWAY's payload is kept.
const maxDebug = 4 << 10

// scan takes the next bytes of the stream. It returns the debug data of a GOAWAY frame that ended
// in them.
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
