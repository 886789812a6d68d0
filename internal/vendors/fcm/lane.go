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

// pool spreads the calls over as many HTTP/2 connections as they need. An http.Transport left to
// itself dials once for every call of a cold burst, and again for every call above a connection's
// stream limit, and then throws all but one of them away. So each connection has a [lane] of its
// own that never gets more calls than one connection carries, and whose first call goes alone.
type pool struct {
	base    *http.Client
	dial    dialFunc
	streams int

	mu    sync.Mutex
	lanes []*lane
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newPool makes a pool whose connections are like the client's.
func newPool(client *http.Client, streams int) (*pool, error) {
	t, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("fcm: the HTTP client has no http.Transport to copy")
	}
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &pool{base: client, dial: dial, streams: streams}, nil
}

func (p *pool) do(req *http.Request) (vendors.Response, error) {
	l := p.take()
	defer p.give(l)
	return l.do(req)
}

// take picks the lane with the fewest calls under way, or opens one more.
func (p *pool) take() *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *lane
	for _, l := range p.lanes {
		if best == nil || l.calls < best.calls {
			best = l
		}
	}
	if best == nil || best.calls >= p.streams {
		best = newLane(p)
		p.lanes = append(p.lanes, best)
	}
	best.calls++
	return best
}

func (p *pool) give(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.calls--
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lanes {
		l.client.CloseIdleConnections()
	}
}

// lane is a transport that holds one connection, or several where the endpoint speaks HTTP/1.1.
type lane struct {
	client *http.Client
	calls  int // guarded by pool.mu

	mu      sync.Mutex
	open    int      // connections
	opened  int      // connections ever
	opening *opening // a first call is under way
}

// opening is the first call of a lane without a connection. Those behind it wait until done is
// closed; err then says why no connection came about, if so.
type opening struct {
	done chan struct{}
	err  error
}

func newLane(p *pool) *lane {
	l := &lane{}
	t := p.base.Transport.(*http.Transport).Clone() // newPool looked
	// for HTTP/1.1, which takes a connection a call
	t.MaxIdleConns, t.MaxIdleConnsPerHost = p.streams, p.streams
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := p.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open++
		l.opened++
		return &conn{Conn: c, closed: sync.OnceFunc(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open--
		})}, nil
	}
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	// A connection whose far end went away without a word is found out by pings rather than by
	// minutes of timeouts.
	t.HTTP2.SendPingTimeout, t.HTTP2.PingTimeout = 15*time.Second, 10*time.Second
	l.client = &http.Client{Transport: t, CheckRedirect: p.base.CheckRedirect}
	return l
}

// do makes the call, alone where it has to open the connection. The calls behind it go as soon as
// it is answered; when no connection came about they share its failure rather than try one after
// the other.
func (l *lane) do(req *http.Request) (vendors.Response, error) {
	ctx := req.Context()
	for {
		l.mu.Lock()
		if l.opening == nil && l.open > 0 {
			l.mu.Unlock()
			return vendors.Do(l.client, req)
		}
		if o := l.opening; o != nil {
			l.mu.Unlock()
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
		l.opening = o
		before := l.opened
		l.mu.Unlock()

		resp, err := vendors.Do(l.client, req)

		l.mu.Lock()
		l.opening = nil
		if err != nil && l.opened == before && ctx.Err() == nil {
			o.err = err
		}
		l.mu.Unlock()
		close(o.done)
		return resp, err
	}
}

// conn tells its lane when it is closed.
type conn struct {
	net.Conn
	closed func()
}

func (c *conn) Close() error {
	c.closed()
	return c.Conn.Close()
}
