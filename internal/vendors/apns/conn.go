package apns

//lint:file-ignore SA1019 the transport goes with the issue that makes a connection for pushes; net/http has no way yet to give a request to a certain connection

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sideshow/apns2"
	"golang.org/x/net/http2"
)

// conn is an apns2 client that keeps one connection open. It has two places in the client's
// transport: apns2 calls it as the RoundTripper around the HTTP/2 transport, and the HTTP/2
// transport asks it for a connection, as its connection pool.
//
//	no connection ──first push──▶ opening, others wait ──answer──▶ warm ──GOAWAY, failures──▶ no connection
//	                                     └──no answer──▶ no connection; one of those who waited is the next first
//
// If a connection did not process a push, which it says by a GOAWAY or a REFUSED_STREAM, the
// transport itself asks for another connection and sends the push there.
type conn struct {
	client *apns2.Client
	h2     *http2.Transport
	tls    *tls.Config
	reader reader

	mu      sync.Mutex
	current *tlsConn // the one for new pushes; nil when there is none
	open    map[*tlsConn]struct{}
	opening *opening // while one push opens or warms the connection
	closed  bool
	writers sync.WaitGroup

	// isOpening is true while opening is not nil, so that busy needs no lock.
	isOpening atomic.Bool
	// queued counts the pushes that wait for a stream. The one that holds watcher looks for a free
	// stream; freed wakes it when a push has ended.
	queued  atomic.Int32
	watcher chan struct{}
	freed   chan struct{}
}

// opening is a connection that is being dialed, or whose first push is not answered yet.
type opening struct {
	done chan struct{}
	// err may be read once done is closed: a failure that all pushes which waited have in common.
	err error
}

const (
	// maxTries is how many connections are tried for one push before its result is Unavailable.
	maxTries = 3
	// maxFailures is how many pushes in a row may stay without an answer before their connection is
	// replaced.
	maxFailures = 3
	// recheckStream is how often a push that waits for a stream looks for one, even if no other
	// push has ended: a stream becomes free a moment after its push returned, and one that was
	// reset becomes free only after the peer's next PING.
	recheckStream = 5 * time.Millisecond
)

var (
	errRefused = errors.New("APNs took the push on none of the connections")
	errClosed  = errors.New("the driver is closed")
)

func newConn(client *apns2.Client, config *tls.Config, rd reader) *conn {
	c := &conn{
		client: client, h2: client.HTTPClient.Transport.(*http2.Transport), tls: config, reader: rd,
		open: map[*tlsConn]struct{}{}, watcher: make(chan struct{}, 1), freed: make(chan struct{}, 1),
	}
	c.h2.ConnPool = c
	client.HTTPClient.Transport = c
	return c
}

// busy reports whether a push would have to wait on this connection.
func (c *conn) busy() bool { return c.isOpening.Load() || c.queued.Load() > 0 }

// RoundTrip implements http.RoundTripper for apns2.
func (c *conn) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	x.rewrite(req)
	resp, err := c.h2.RoundTrip(req)
	if err == nil {
		err = x.receive(resp)
	}
	if err = c.release(x, err); err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseIdleConnections does nothing. apns2 expects its transport to have it, but a conn closes its
// connection itself.
func (c *conn) CloseIdleConnections() {}

// GetClientConn implements http2.ClientConnPool. The transport calls it again for a push that the
// connection did not process.
func (c *conn) GetClientConn(req *http.Request, addr string) (*http2.ClientConn, error) {
	ctx, x := req.Context(), exchangeOf(req)
	if x.conn != nil {
		if err := c.release(x, errRefused); isFatal(err) {
			return nil, err // every further connection would get the same GOAWAY
		}
	}
	if x.tries == maxTries {
		return nil, errRefused
	}
	x.tries++
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, errClosed
		}
		if o := c.opening; o != nil {
			c.mu.Unlock()
			select {
			case <-o.done:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if o.err != nil {
				return nil, o.err
			}
			continue
		}
		tc := c.current
		if tc == nil || !tc.warm {
			return c.openAlone(ctx, x, addr)
		}
		if c.queued.Load() == 0 && tc.h2.ReserveNewRequest() {
			c.takeLocked(x, tc)
			c.mu.Unlock()
			return tc.h2, nil
		}
		c.mu.Unlock()
		ok, err := c.awaitStream(ctx, tc)
		if err != nil {
			return nil, err
		}
		if ok {
			c.mu.Lock()
			c.takeLocked(x, tc)
			c.mu.Unlock()
			return tc.h2, nil
		}
		c.drop(tc)
	}
}

// openAlone opens the connection for this push, or takes the one that has not answered a push yet,
// and sends the push alone over it: the others wait. It is called with the lock held and releases
// it.
func (c *conn) openAlone(ctx context.Context, x *exchange, addr string) (*http2.ClientConn, error) {
	o := &opening{done: make(chan struct{})}
	c.opening, x.opening = o, o
	c.isOpening.Store(true)
	tc := c.current
	c.mu.Unlock()
	var err error
	if tc == nil {
		tc, err = c.dial(ctx, addr)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		// The pushes that wait would fail in the same way, and a thousand dials in a row look like
		// an attack to APNs. But if only this push's own time ran out, the others go on.
		if ctx.Err() == nil {
			o.err = err
		}
		c.endOpeningLocked(x)
		return nil, err
	}
	c.current = tc
	c.takeLocked(x, tc)
	return tc.h2, nil
}

// dial opens a TLS connection and starts HTTP/2 on it.
func (c *conn) dial(ctx context.Context, addr string) (*tlsConn, error) {
	tc, err := dialTLS(ctx, addr, c.tls)
	if err != nil {
		return nil, err
	}
	c.writers.Go(tc.writeLoop)
	if tc.h2, err = c.h2.NewClientConn(tc); err != nil {
		tc.Close()
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[tc] = struct{}{}
	return tc, nil
}

func (c *conn) takeLocked(x *exchange, tc *tlsConn) {
	x.conn, x.last = tc, tc
	tc.inFlight++
}

func (c *conn) endOpeningLocked(x *exchange) {
	close(x.opening.done)
	c.opening, x.opening = nil, nil
	c.isOpening.Store(false)
}

// awaitStream waits for a free stream of a connection. It returns false if the connection takes no
// further pushes.
func (c *conn) awaitStream(ctx context.Context, tc *tlsConn) (bool, error) {
	c.queued.Add(1)
	defer c.queued.Add(-1)
	select {
	case c.watcher <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-c.watcher }()
	if tc.h2.ReserveNewRequest() {
		return true, nil
	}
	again := time.NewTicker(recheckStream)
	defer again.Stop()
	for !tc.closing() {
		select {
		case <-c.freed:
		case <-again.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if tc.h2.ReserveNewRequest() {
			return true, nil
		}
	}
	return false, nil
}

// release ends a push's use of its connection. err is the transport's error; release returns a more
// specific one if the connection knows it.
func (c *conn) release(x *exchange, err error) error {
	tc := x.conn
	if tc == nil {
		return err // it never got one
	}
	x.conn = nil
	canceled := errors.Is(err, context.Canceled)
	if err != nil && !canceled {
		if debug := tc.debug.Load(); debug != nil {
			err = c.reader.goAway(*debug)
		} else if alert := tc.alert.Load(); alert != nil {
			err = *alert
		}
	}
	c.mu.Lock()
	tc.inFlight--
	switch {
	case err == nil:
		tc.warm, tc.failures = true, 0
	case canceled:
	case x.opening != nil:
		c.retireLocked(tc)
	case errors.Is(err, errRefused): // the connection works, but refused the push
	default:
		if tc.failures++; tc.failures >= maxFailures {
			c.retireLocked(tc)
		}
	}
	if x.opening != nil {
		if isFatal(err) {
			x.opening.err = err
		}
		c.endOpeningLocked(x)
	}
	idle := tc.retired && tc.inFlight == 0
	c.mu.Unlock()
	if idle {
		tc.h2.Close()
	}
	if c.queued.Load() > 0 {
		select {
		case c.freed <- struct{}{}:
		default:
		}
	}
	return err
}

func isFatal(err error) bool {
	var away *goAwayError
	return errors.As(err, &away) && away.fatal
}

// drop takes a connection out of use. Pushes that are under way on it are not interrupted.
func (c *conn) drop(tc *tlsConn) {
	if tc == nil {
		return
	}
	c.mu.Lock()
	c.retireLocked(tc)
	idle := tc.inFlight == 0
	c.mu.Unlock()
	if idle {
		tc.h2.Close()
	}
}

func (c *conn) retireLocked(tc *tlsConn) {
	tc.retired = true
	if c.current == tc {
		c.current = nil
	}
}

// MarkDead implements http2.ClientConnPool: the connection has ended.
func (c *conn) MarkDead(cc *http2.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tc := range c.open {
		if tc.h2 == cc {
			c.retireLocked(tc)
			delete(c.open, tc)
		}
	}
}

// close ends all connections and waits for their writers.
func (c *conn) close() {
	c.mu.Lock()
	c.closed = true
	var open []*tlsConn
	for tc := range c.open {
		open = append(open, tc)
	}
	c.mu.Unlock()
	for _, tc := range open {
		tc.h2.Close()
	}
	c.writers.Wait()
}
