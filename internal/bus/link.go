package bus

import (
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
)

// link is a connection that is made when it is first needed.
type link struct {
	dial func(back nats.ConnHandler) (*nats.Conn, error)

	mu     sync.Mutex
	nc     *nats.Conn
	again  chan struct{} // closed when the connection comes back
	closed bool
}

// dialer connects like the bus's first connection, in the background: there was a server already.
func dialer(b *Bus, opts Options, purpose string, options []nats.Option) func(nats.ConnHandler) (*nats.Conn, error) {
	return func(back nats.ConnHandler) (*nats.Conn, error) {
		nc, err := nats.Connect(opts.URL, slices.Concat(options, []nats.Option{
			nats.Name(opts.Name + " (" + purpose + ")"), nats.RetryOnFailedConnect(true),
			nats.ReconnectHandler(func(nc *nats.Conn) {
				b.cameBack(nc)
				back(nc)
			}),
		})...)
		if err != nil {
			return nil, fmt.Errorf("connect to NATS: %w", err)
		}
		return nc, nil
	}
}

// open returns the connection, which may not stand yet, and a channel that is closed when it comes
// back after it was lost.
func (l *link) open() (*nats.Conn, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, nats.ErrConnectionClosed
	}
	if l.nc == nil {
		nc, err := l.dial(func(*nats.Conn) { l.cameBack() })
		if err != nil {
			return nil, nil, err
		}
		l.nc, l.again = nc, make(chan struct{})
	}
	return l.nc, l.again, nil
}

func (l *link) cameBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nc == nil {
		return // lost before open returned
	}
	close(l.again)
	l.again = make(chan struct{})
}

// connected says whether the connection stands; one that nobody needs counts as standing.
func (l *link) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nc == nil || l.nc.IsConnected()
}

func (l *link) close() {
	l.mu.Lock()
	nc := l.nc
	l.closed = true
	l.mu.Unlock()
	if nc != nil {
		nc.Close()
	}
}
