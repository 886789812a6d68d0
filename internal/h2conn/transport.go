package h2conn

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options are what may differ between hosts. The zero value is ready to use.
type Options struct {
	// TLS is the configuration of the connections; nil is the default one. It is copied.
	TLS *tls.Config
	// Dial opens a TCP connection. Default: a net.Dialer with a KeepAlive of 15 s. Go's resolver
	// does not cache, so that each connection goes where the name points now.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the proxy for a request, as http.Transport.Proxy does: http, https (CONNECT) or
	// socks5. It is asked before each connection, with a request for the host. Default: none.
	Proxy func(*http.Request) (*url.URL, error)
	// ConnectTimeout is how long all steps to a connection may take together. Default 10 s.
	ConnectTimeout time.Duration
	// MaxConns is how many connections may be open for new requests. Default 4.
	MaxConns int
	// MaxStreams is how many requests one connection carries at once, if the peer allows as many.
	// Default 1000.
	MaxStreams int
	// PingIdle is how long a connection may be silent before it is checked with a PING; it can take
	// up to twice as long. Default one minute, which is shorter than the time after which a NAT or
	// a load balancer forgets a connection.
	PingIdle time.Duration
	// PingTimeout is how long the peer may take to answer a PING, or to take what is written.
	// Default 15 s.
	PingTimeout time.Duration
	// IdleTimeout is how long a connection without a request stays open; it can take up to twice as
	// long. Default: for ever, which is what Apple asks for.
	IdleTimeout time.Duration
	// MaxAge is how old a connection gets, give or take a tenth. A new one is opened and warmed
	// before the old one is left; the requests on that one end in peace. Default: for ever.
	MaxAge time.Duration
	// MaxAnswer is the largest body of an answer in bytes. Default 64 KiB.
	MaxAnswer int
	// MaxHeader is the largest header of an answer, counted as in RFC 9113, 6.5.2. Default 16 KiB.
	MaxHeader int
	// MaxBody is the largest body of a request that RoundTrip reads. Default 1 MiB.
	MaxBody int
	// Literals are names, in lower case, of fields of RoundTrip's requests whose values are
	// different each time; they are not put into the connection's table. It holds four values of
	// every name in any case. Beside them there are always :path, authorization, content-length,
	// cookie.
	Literals []string
	// Fatal reports whether a GOAWAY says that no other connection with these credentials will do
	// better. The requests that it refused then fail, and with them those that waited for the
	// connection, instead of going to the next one. It must not block. Default: never.
	Fatal func(*GoAwayError) bool
	// Spent reports whether an answer asks for another connection: the one that brought it gets no
	// further requests. It must neither block nor keep the body. Default: never.
	Spent func(status int, body []byte) bool
}

// Transport carries requests to one host. Its methods may be called by several goroutines at once.
type Transport struct {
	opts      Options
	scheme    string
	authority string
	address   string // host and port to dial
	literals  map[string]bool
	calls     sync.Pool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // readers, writers and the opening of a connection

	// mu guards everything below, and all of each conn and call that has no other note.
	mu      sync.Mutex
	closed  bool
	conns   []*conn            // those for new requests
	all     map[*conn]struct{} // these, and those whose requests still run
	queue   queue              // waits until a connection takes it
	opening bool               // a connection is being opened
	turn    int
	plain   map[string]*Preset // of RoundTrip, by method
	// failures counts the connections in a row that could not be opened, or that ended before they
	// had answered anything.
	failures int
	// answers counts the answers; starved counts the waiting calls in a row whose time ran out
	// while there was none.
	answers uint64
	starved int
	dials   int
}

const (
	// maxTries is how many connections a request is given to that none of them processed.
	maxTries = 3
	// maxFailures is how many calls in a row may run out of time, while their connection answers
	// nothing at all, before it is replaced.
	maxFailures = 3
	// maxOut is how much may wait to be written before a connection takes no further request.
	maxOut = 256 << 10
)

// New makes a Transport for the host of a URL, whose path is not used. With the scheme http the
// connections are without TLS and speak HTTP/2 from the first byte (RFC 9113, 3.3). Nothing is
// connected before the first request. The Transport must be closed.
func New(base string, opts Options) (*Transport, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("h2conn: the base is not an http or https address")
	}
	opts.ConnectTimeout = cmp.Or(opts.ConnectTimeout, 10*time.Second)
	opts.MaxConns = cmp.Or(opts.MaxConns, 4)
	opts.MaxStreams = cmp.Or(opts.MaxStreams, 1000)
	opts.PingIdle = cmp.Or(opts.PingIdle, time.Minute)
	opts.PingTimeout = cmp.Or(opts.PingTimeout, 15*time.Second)
	opts.MaxAnswer = cmp.Or(opts.MaxAnswer, 64<<10)
	opts.MaxHeader = cmp.Or(opts.MaxHeader, 16<<10)
	opts.MaxBody = cmp.Or(opts.MaxBody, 1<<20)
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	t := &Transport{
		opts: opts, scheme: u.Scheme, authority: u.Host, address: address(u),
		literals: map[string]bool{"content-length": true}, all: map[*conn]struct{}{}, plain: map[string]*Preset{},
	}
	for _, name := range opts.Literals {
		t.literals[strings.ToLower(name)] = true
	}
	t.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Do sends a request and waits for the whole answer, which it puts into resp. If the context ends
// first, or the request's timeout passes, the request is cancelled. Errors about a request that was
// not even tried have no type; all others are an [*Error].
func (t *Transport) Do(ctx context.Context, req *Request, resp *Response) error {
	if !validPath(req.Path) {
		return errors.New("h2conn: the path is invalid")
	}
	for i := range req.Fields {
		if err := check(req.Fields[i]); err != nil {
			return err
		}
	}
	return t.do(ctx, req, resp)
}

func (t *Transport) do(ctx context.Context, req *Request, resp *Response) error {
	if err := ctx.Err(); err != nil {
		return &Error{NotSent, err}
	}
	k := t.calls.Get().(*call)
	*k = call{done: k.done, timer: k.timer, req: req, resp: resp}
	late := k.timeout()
	t.mu.Lock()
	t.submit(k)
	t.mu.Unlock()
	select {
	case <-k.done:
	case <-ctx.Done():
		t.giveUp(k, ctx.Err())
	case <-late:
		t.giveUp(k, context.DeadlineExceeded)
	}
	if late != nil {
		k.timer.Stop()
	}
	err := k.err
	k.req, k.resp, k.err, k.unsent, k.refusal, k.conn, k.avoid = nil, nil, nil, nil, nil, nil, nil
	t.calls.Put(k)
	return err
}

// giveUp ends a call because its time has run out, unless it was answered in the same moment.
func (t *Transport) giveUp(k *call, err error) {
	t.mu.Lock()
	answered := k.state == ended
	if !answered {
		t.abandon(k, err)
	}
	t.mu.Unlock()
	if answered {
		<-k.done
	}
}

// Close ends all requests and connections, and waits until they are gone.
func (t *Transport) Close() {
	t.cancel()
	t.mu.Lock()
	t.closed = true
	t.failWaiting(NotSent, ErrClosed)
	for c := range t.all {
		c.stop()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

// CloseIdleConnections closes the connections that carry no request at the moment. [http.Client]
// calls it.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range append([]*conn(nil), t.conns...) {
		if len(c.streams) == 0 {
			c.retire()
		}
	}
}

// Stats are figures of one moment.
type Stats struct {
	Conns   int // open connections, those included that only wait for their last answers
	Active  int // requests on a connection
	Waiting int // requests that wait for one
	Dials   int // connections ever tried
}

// Stats returns figures of this moment.
func (t *Transport) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Conns: len(t.all), Waiting: t.queue.length, Dials: t.dials}
	for c := range t.all {
		s.Active += len(c.streams)
	}
	return s
}

// Everything from here on is called with the lock held.

// submit gives a call to a connection, or lets it wait for one.
func (t *Transport) submit(k *call) {
	if t.closed {
		t.end(k, &Error{NotSent, ErrClosed})
		return
	}
	k.mark = t.answers
	t.queue.pushBack(k)
	t.fill()
}

// fill gives waiting calls to the connections, in order, and has another connection opened if some
// have to go on waiting.
func (t *Transport) fill() {
	for k := t.queue.first; k != nil; {
		next := k.next
		if c := t.pick(k); c != nil {
			t.queue.remove(k)
			c.start(k)
		} else if k.avoid == nil {
			break
		}
		k = next
	}
	if t.queue.first != nil {
		t.grow()
	}
}

// pick returns the connection for a call, or nil if none takes it now: first a new one, which its
// first call will warm, then the least busy one; an aged one only if there is no other.
func (t *Transport) pick(k *call) *conn {
	var best *conn
	t.turn++
	for i := range t.conns {
		c := t.conns[(t.turn+i)%len(t.conns)]
		if !c.takes(k) || k.avoid == c && t.opts.MaxConns > 1 {
			continue
		}
		if best == nil || c.rank() < best.rank() || c.rank() == best.rank() && len(c.streams) < len(best.streams) {
			best = c
		}
	}
	return best
}

// grow opens another connection, one at a time: not while there is one that has not answered yet.
func (t *Transport) grow() {
	young := 0
	for _, c := range t.conns {
		if !c.warm {
			return
		}
		if !c.aged {
			young++
		}
	}
	if t.closed || t.opening || young >= t.opts.MaxConns {
		return
	}
	t.opening = true
	t.dials++
	wait := backoff(t.failures)
	t.wg.Go(func() { t.open(wait) })
}

// backoff is how long to wait before connecting, after some failures in a row.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(100*time.Millisecond<<min(failures-1, 8), 3*time.Second)
}

// open opens a connection. It is called without the lock.
func (t *Transport) open(wait time.Duration) {
	nc, err := t.connectAfter(wait)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opening = false
	if err == nil && t.closed {
		nc.Close()
		return
	}
	if err != nil {
		t.failures++
		for k := t.queue.first; k != nil; k = k.next {
			k.avoid = nil // it is this connection or none
		}
		if len(t.conns) == 0 {
			// All would fail in the same way, and a thousand attempts in a row look like an attack.
			t.failWaiting(NotSent, err)
		}
		t.fill()
		return
	}
	c := newConn(t, nc)
	t.conns = append(t.conns, c)
	t.all[c] = struct{}{}
	t.wg.Go(c.readLoop)
	t.wg.Go(c.writeLoop)
	t.fill()
}

func (t *Transport) failWaiting(o Outcome, err error) {
	for k := t.queue.first; k != nil; k = t.queue.first {
		t.queue.remove(k)
		t.end(k, &Error{o, err})
	}
}

// end ends a call that is neither queued nor on a connection any more.
func (t *Transport) end(k *call, err error) {
	k.state, k.err = ended, err
	k.done <- struct{}{}
}

// again lets a call that its connection did not process wait for the next one, before all others.
func (t *Transport) again(k *call, o Outcome, cause error) {
	k.tries++
	k.avoid, k.refusal, k.outcome = k.conn, cause, o
	if k.tries >= maxTries || t.closed {
		t.end(k, &Error{o, cause})
		return
	}
	k.mark = t.answers
	t.queue.pushFront(k)
}

// abandon ends a call because its context has ended.
func (t *Transport) abandon(k *call, err error) {
	late := errors.Is(err, context.DeadlineExceeded)
	if k.state == queued {
		t.queue.remove(k)
		k.state, k.err = ended, &Error{NotSent, err}
		if k.refusal != nil {
			k.err = &Error{k.outcome, errors.Join(err, k.refusal)}
		}
		if late && k.mark == t.answers {
			// All this time no connection had room for it and none answered anything.
			if t.starved++; t.starved >= maxFailures {
				t.starved = 0
				for len(t.conns) > 0 {
					t.conns[0].retire()
				}
				t.fill()
			}
		}
		return
	}
	c := k.conn
	c.cancel(k)
	k.state, k.err = ended, &Error{Unknown, err}
	if late && k.mark == c.answers {
		// All this time the connection has answered nothing.
		c.disappoint()
		if c.failures++; !c.warm || c.failures >= maxFailures {
			c.retire()
		}
	}
	t.fill()
}
