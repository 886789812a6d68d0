package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
)

// Bus is a connection to an installation's streams. It may be used by many goroutines.
type Bus struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	topology Topology
	log      *slog.Logger
}

// Options of Connect.
type Options struct {
	// URL is one or several server addresses, comma-separated.
	URL string
	// Name tells operators who the connection is.
	Name     string
	Topology Topology
	// Log is nil for no log.
	Log *slog.Logger
	// Once gives up after the first failure instead of trying for ever; for tools that a person
	// waits for.
	Once bool
	// Refused is told of each right that the connection's NATS user turns out to lack; nil for
	// nobody. The call that needed it hears nothing from the server and waits until its time is
	// over.
	Refused func(*hongyan.PermissionError)
}

// Connect connects, trying for as long as ctx lives and saying so, unless opts.Once.
func Connect(ctx context.Context, opts Options) (*Bus, error) {
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options := []nats.Option{
		nats.Name(opts.Name),
		nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		// What is published while the connection is gone fails at once and is tried again by those
		// who own it.
		nats.ReconnectBufSize(-1),
		nats.Timeout(5 * time.Second), nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("lost the connection to NATS, trying again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("connected to NATS again", "server", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("nats reports an error", "error", err)
			if refused := hongyan.PermissionErrorFrom(err); refused != nil && opts.Refused != nil {
				opts.Refused(refused)
			}
		}),
	}
	var nc *nats.Conn
	for said := false; ; {
		var err error
		if nc, err = nats.Connect(opts.URL, options...); err == nil {
			break
		}
		if opts.Once {
			return nil, fmt.Errorf("connect to NATS at %s: %w", redactURL(opts.URL), err)
		}
		if !said {
			log.Warn("nats is not there yet, trying until it is", "url", redactURL(opts.URL), "error", err)
			said = true
		}
		if !pause(ctx, time.Second) {
			return nil, fmt.Errorf("connect to NATS at %s: %w", redactURL(opts.URL), errors.Join(context.Cause(ctx), err))
		}
	}
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(16_384), jetstream.WithPublishAsyncTimeout(15*time.Second))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return &Bus{nc: nc, js: js, topology: opts.Topology, log: log}, nil
}

// Topology names the streams and subjects.
func (b *Bus) Topology() Topology { return b.topology }

// Connected says whether the connection stands at this moment.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// Close sends what is still buffered and closes the connection.
func (b *Bus) Close() {
	if b.nc.IsConnected() {
		_ = b.nc.FlushTimeout(2 * time.Second) // what does not get out now comes again
	}
	b.nc.Close()
}

// Flush waits until the server has what was sent.
func (b *Bus) Flush(ctx context.Context) error { return b.nc.FlushWithContext(ctx) }

// pause waits for d, or returns false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// URL is the address of the server that the connection stands to, without credentials.
func (b *Bus) URL() string { return b.nc.ConnectedUrlRedacted() }
