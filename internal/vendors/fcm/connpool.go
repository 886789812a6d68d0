package fcm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// connPool spreads the calls over as many HTTP/2 connections as they need. A plain http.Transport
// would dial once for every call that comes while no connection is open, and once for every call
// above the stream limit of a connection, and would then close all of these connections but one.
// Therefore each connection is a [conn], which never gets more calls than one connection can carry
// and whose first call is made alone.
type connPool struct {
	base    *http.Client
	dial    dialFunc
	streams int

	mu    sync.Mutex
	conns []*conn
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newConnPool makes a pool whose connections are configured like those of the client.
func newConnPool(client *http.Client, streams int) (*connPool, error) {
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("fcm: the HTTP client has no http.Transport to copy")
	}
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &connPool{base: client, dial: dial, streams: streams}, nil
}

func (p *connPool) do(req *http.Request) (vendors.Response, error) {
	c := p.acquire()
	defer p.release(c)
	return c.do(req)
}

// acquire returns the conn with the fewest calls under way, or a new one if all are full.
func (p *connPool) acquire() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *conn
	for _, c := range p.conns {
		if best == nil || c.calls < best.calls {
			best = c
		}
	}
	if best == nil || best.calls >= p.streams {
		best = newConn(p)
		p.conns = append(p.conns, best)
	}
	best.calls++
	return best
}

func (p *connPool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.calls--
}

func (p *connPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.client.CloseIdleConnections()
	}
}

// conn is a transport that holds one connection, or several where the endpoint speaks HTTP/1.1.
type conn struct {
	client *http.Client
	calls  int // guarded by pool.mu

	mu      sync.Mutex
	open    int      // connections
	opened  int      // connections ever
	opening *opening // a first call is under way
}

// opening is the first call of a conn that has no connection. The other calls wait until done is
// closed; err then says why no connection could be opened, or is nil.
type opening struct {
	done chan struct{}
	err  error
}

func newConn(p *connPool) *conn {
	c := &conn{}
	t := p.base.Transport.(*http.Transport).Clone() // newPool looked
	// for HTTP/1.1, which takes a connection a call
	t.MaxIdleConns, t.MaxIdleConnsPerHost = p.streams, p.streams
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := p.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open++
		c.opened++
		return &trackedConn{Conn: nc, closed: sync.OnceFunc(func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.open--
		})}, nil
	}
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	// Pings notice a connection whose other end has disappeared; timeouts would take minutes.
	t.HTTP2.SendPingTimeout, t.HTTP2.PingTimeout = 15*time.Second, 10*time.Second
	c.client = &http.Client{Transport: t, CheckRedirect: p.base.CheckRedirect}
	return c
}

// do makes the call. If the call has to open the connection it is made alone, and the others follow
// when it is answered. If no connection could be opened the others fail with the same error, rather
// than try one after another.
func (c *conn) do(req *http.Request) (vendors.Response, error) {
	ctx := req.Context()
	for {
		c.mu.Lock()
		if c.opening == nil && c.open > 0 {
			c.mu.Unlock()
			return vendors.Do(c.client, req)
		}
		if o := c.opening; o != nil {
			c.mu.Unlock()
			select {
			case <-o.done:
				if o.err != nil {
					return vendors.Response{}, o.err
				}
			case <-ctx.Done():
				return vendors.Response{}, ctx.Err()
			}
			continue
		}
		o := &opening{done: make(chan struct{})}
		c.opening = o
		before := c.opened
		c.mu.Unlock()

		resp, err := vendors.Do(c.client, req)

		c.mu.Lock()
		c.opening = nil
		if err != nil && c.opened == before && ctx.Err() == nil {
			o.err = err
		}
		c.mu.Unlock()
		close(o.done)
		return resp, err
	}
}

// trackedConn calls closed when it is closed.
type trackedConn struct {
	net.Conn
	closed func()
}

func (c *trackedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
