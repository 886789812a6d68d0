package apns

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

// lane is an apns2 client with one connection. It stands twice in the client's transport: around
// it, as the RoundTripper that apns2 calls, and inside it, as the pool that is asked for a
// connection.
//
//	no connection ──first push──▶ opening, others wait ──answer──▶ warm ──GOAWAY, failures──▶ no connection
//	                                     └──no answer──▶ no connection; one of those who waited is the next first
//
// The transport gives a push that a connection did not process, after a GOAWAY or a REFUSED_STREAM,
// to the next one by itself.
type lane struct {
	client *apns2.Client
	h2     *http2.Transport
	tls    *tls.Config
	reader reader

	mu      sync.Mutex
	conn    *conn // the one for new pushes; nil when there is none
	conns   map[*conn]struct{}
	opening *opening // while one push opens or warms the connection
	closed  bool
	writers sync.WaitGroup

	// held mirrors opening != nil, for busy.
	held atomic.Bool
	// queued counts the pushes that wait for a stream; one of them, who has the turn, watches for a
	// free one.
	queued atomic.Int32
	turn   chan struct{}
	freed  chan struct{}
}

// opening is a connection on its way to being warm.
type opening struct {
	done chan struct{}
	// err, when done is closed, is a failure that everyone who waited shares.
	err error
}

const (
	// maxTries is how many connections one push is given to before it is Unavailable.
	maxTries = 3
	// maxFailures is how many pushes in a row may get no answer before their connection is
	// replaced.
	maxFailures = 3
	// lookAgain is how often a push that waits for a stream looks for one without a word from
	// another push: a stream is free a moment after its push returned, and a reset one only after
	// the peer's next PING.
	lookAgain = 5 * time.Millisecond
)

var (
	errRefused = errors.New("APNs took the push on none of the connections")
	errClosed  = errors.New("the driver is closed")
)

func newLane(client *apns2.Client, config *tls.Config, rd reader) *lane {
	l := &lane{
		client: client, h2: client.HTTPClient.Transport.(*http2.Transport), tls: config, reader: rd,
		conns: map[*conn]struct{}{}, turn: make(chan struct{}, 1), freed: make(chan struct{}, 1),
	}
	l.h2.ConnPool = l
	client.HTTPClient.Transport = l
	return l
}

// busy says that a push would have to wait here.
func (l *lane) busy() bool { return l.held.Load() || l.queued.Load() > 0 }

// RoundTrip sends a request of apns2's.
func (l *lane) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	x.dress(req)
	resp, err := l.h2.RoundTrip(req)
	if err == nil {
		err = x.receive(resp)
	}
	if err = l.release(x, err); err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseIdleConnections is what apns2 expects of its transport; a lane closes its connection itself.
func (l *lane) CloseIdleConnections() {}

// GetClientConn implements http2.ClientConnPool. The transport asks again for a push that a
// connection did not process.
func (l *lane) GetClientConn(req *http.Request, addr string) (*http2.ClientConn, error) {
	ctx, x := req.Context(), exchangeOf(req)
	if x.conn != nil {
		if err := l.release(x, errRefused); isFatal(err) {
			return nil, err // every further connection would get the same GOAWAY
		}
	}
	if x.tries == maxTries {
		return nil, errRefused
	}
	x.tries++
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return nil, errClosed
		}
		if o := l.opening; o != nil {
			l.mu.Unlock()
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
		c := l.conn
		if c == nil || !c.warm {
			return l.lead(ctx, x, addr)
		}
		if l.queued.Load() == 0 && c.h2.ReserveNewRequest() {
			l.takeLocked(x, c)
			l.mu.Unlock()
			return c.h2, nil
		}
		l.mu.Unlock()
		ok, err := l.await(ctx, c)
		if err != nil {
			return nil, err
		}
		if ok {
			l.mu.Lock()
			l.takeLocked(x, c)
			l.mu.Unlock()
			return c.h2, nil
		}
		l.drop(c)
	}
}

// lead makes a push the one that opens the connection, unless there is one that was not warmed yet,
// and goes over it alone. It is called with the lock held.
func (l *lane) lead(ctx context.Context, x *exchange, addr string) (*http2.ClientConn, error) {
	o := &opening{done: make(chan struct{})}
	l.opening, x.leads = o, o
	l.held.Store(true)
	c := l.conn
	l.mu.Unlock()
	var err error
	if c == nil {
		c, err = l.open(ctx, addr)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		// All of them would fail like this, and a thousand dials in a row look like an attack to
		// APNs. A push that ran out of its own time says nothing about the others.
		if ctx.Err() == nil {
			o.err = err
		}
		l.endOpeningLocked(x)
		return nil, err
	}
	l.conn = c
	l.takeLocked(x, c)
	return c.h2, nil
}

// open dials and makes the HTTP/2 connection.
func (l *lane) open(ctx context.Context, addr string) (*conn, error) {
	c, err := dial(ctx, addr, l.tls)
	if err != nil {
		return nil, err
	}
	l.writers.Go(c.writeLoop)
	if c.h2, err = l.h2.NewClientConn(c); err != nil {
		c.Close()
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
	return c, nil
}

func (l *lane) takeLocked(x *exchange, c *conn) {
	x.conn, x.last = c, c
	c.inFlight++
}

func (l *lane) endOpeningLocked(x *exchange) {
	close(x.leads.done)
	l.opening, x.leads = nil, nil
	l.held.Store(false)
}

// await waits for a free stream of a connection; false says that the connection takes no more.
func (l *lane) await(ctx context.Context, c *conn) (bool, error) {
	l.queued.Add(1)
	defer l.queued.Add(-1)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-l.turn }()
	if c.h2.ReserveNewRequest() {
		return true, nil
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for !c.gone() {
		select {
		case <-l.freed:
		case <-again.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if c.h2.ReserveNewRequest() {
			return true, nil
		}
	}
	return false, nil
}

// release ends a push's use of its connection, with the error that the transport gave, and returns
// the error that tells more.
func (l *lane) release(x *exchange, err error) error {
	c := x.conn
	if c == nil {
		return err // it never got one
	}
	x.conn = nil
	canceled := errors.Is(err, context.Canceled)
	if err != nil && !canceled {
		if debug := c.debug.Load(); debug != nil {
			err = l.reader.goAway(*debug)
		} else if alert := c.alert.Load(); alert != nil {
			err = *alert
		}
	}
	l.mu.Lock()
	c.inFlight--
	switch {
	case err == nil:
		c.warm, c.failures = true, 0
	case canceled:
	case x.leads != nil:
		l.retireLocked(c)
	case errors.Is(err, errRefused): // the connection lives, and said no
	default:
		if c.failures++; c.failures >= maxFailures {
			l.retireLocked(c)
		}
	}
	if x.leads != nil {
		if isFatal(err) {
			x.leads.err = err
		}
		l.endOpeningLocked(x)
	}
	idle := c.retired && c.inFlight == 0
	l.mu.Unlock()
	if idle {
		c.h2.Close()
	}
	if l.queued.Load() > 0 {
		select {
		case l.freed <- struct{}{}:
		default:
		}
	}
	return err
}

func isFatal(err error) bool {
	var away *goAwayError
	return errors.As(err, &away) && away.fatal
}

// drop takes a connection out of use; pushes that are under way on it may end.
func (l *lane) drop(c *conn) {
	if c == nil {
		return
	}
	l.mu.Lock()
	l.retireLocked(c)
	idle := c.inFlight == 0
	l.mu.Unlock()
	if idle {
		c.h2.Close()
	}
}

func (l *lane) retireLocked(c *conn) {
	c.retired = true
	if l.conn == c {
		l.conn = nil
	}
}

// MarkDead implements http2.ClientConnPool: the connection has ended.
func (l *lane) MarkDead(cc *http2.ClientConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.h2 == cc {
			l.retireLocked(c)
			delete(l.conns, c)
		}
	}
}

// close ends all connections and waits for their writers.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	var open []*conn
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.h2.Close()
	}
	l.writers.Wait()
}
