package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/natsaddr"
	"github.com/hongyan-im/hongyan/internal/natsauth"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Bus is a connection to an installation's streams. It may be used by many goroutines.
//
// It has up to three connections to NATS. The server closes one that does not read fast enough what
// it is sent, and publishes under way on it are lost then; only pulled work can come in such
// amounts. So work is pulled on a connection of its own, urgent work on another, which chat cannot
// fill; both are made when they are first needed. All else is on the first one: what is published,
// because its answers are small and must not be lost; acks, because a lost one repeats a push; and
// reads of the directory and of records, whose size each asker bounds.
type Bus struct {
	nc           *nats.Conn
	work, urgent link
	js           jetstream.JetStream
	topology     Topology
	log          *slog.Logger
	windows      windows
	directory    reader
	marks        reader
	badges       reader
	tokens       reader
	back         *atomic.Int64 // when a connection came back last, in Unix nanoseconds
	refusals     *refusals
	laterRoom    laterRoom
	markRoom     markRoom

	budget    *budget
	making    chan struct{} // bounds the durable consumers that are made at once
	restoring restoring
	failing   pulses
	misfit    func(error)
	watchers  watchers
	idleClose time.Duration // when a consumer ends for which no message is stored
}

// makers is how many durable consumers are made at once.
const makers = 8

// Options of Connect.
type Options struct {
	// URL is one or several server addresses, comma-separated.
	URL string
	// Credentials of the connection, their problems named as Key has it; nil for the keys of the
	// configuration.
	Credentials natsauth.Credentials
	Key         func(key string) string
	// More options of nats.go, such as those of a [Context].
	More []nats.Option
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
	// BytesInHand bounds the bytes of all deliveries that are not settled; default 16 MiB. Each
	// consumer may always have one message, and leaves room for another consumer.
	BytesInHand int
	// Misfit is told of what a person has to change before work can be pulled, an ErrMisfit or
	// ErrNotAllowed. Nil for nobody. It must not block.
	Misfit func(error)
}

// bytesInHand is the default of Options.BytesInHand. The server closes a connection for which
// four times as much waits, and a worker's memory is several times what it has in hand.
const bytesInHand = 16 << 20

// mostAnswers is more than any request has: a page has at most 1,024 messages and an end.
const mostAnswers = 4096

// Connect connects, trying for as long as ctx lives and saying so, unless opts.Once. An address or
// credentials that cannot be used fail at once. No error and no log line repeats a secret.
func Connect(ctx context.Context, opts Options) (*Bus, error) {
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	back, refusals := new(atomic.Int64), new(refusals)
	options := []nats.Option{
		nats.Name(opts.Name),
		nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		// What is published while the connection is gone fails at once and is tried again by those
		// who own it.
		nats.ReconnectBufSize(-1),
		// A secret that is replaced may be here before it is at the server, or after.
		nats.IgnoreAuthErrorAbort(),
		// Each read of a page makes the room for its answers, which are at most 1,024; the default
		// is half a megabyte for each.
		nats.SyncQueueLen(mostAnswers),
		nats.Timeout(5 * time.Second), nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("lost the connection to NATS, trying again", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("nats reports an error", "error", err)
			if refused := hongyan.PermissionErrorFrom(err); refused != nil {
				refusals.refuse(refused)
				if opts.Refused != nil {
					opts.Refused(refused)
				}
			}
		}),
	}
	shown := natsaddr.Redact(opts.URL)
	if err := natsaddr.Check(opts.URL); err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", shown, err)
	}
	key := opts.Key
	if key == nil {
		key = func(key string) string { return "nats." + key }
	}
	credentials, err := opts.Credentials.Options(opts.URL, key)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", shown, err)
	}
	options = slices.Concat(options, credentials, opts.More)
	b := &Bus{topology: opts.Topology, log: log, back: back, refusals: refusals, budget: newBudget(cmp.Or(opts.BytesInHand, bytesInHand)),
		making: make(chan struct{}, makers), misfit: opts.Misfit, idleClose: idleClose}
	b.work.dial, b.urgent.dial = dialer(b, opts, "work", options), dialer(b, opts, "urgent work", options)
	options = append(options, nats.ReconnectHandler(b.cameBack))
	var nc *nats.Conn
	for said := false; ; {
		var err error
		if nc, err = nats.Connect(opts.URL, options...); err == nil {
			break
		}
		if opts.Once {
			return nil, fmt.Errorf("connect to NATS at %s: %w", shown, err)
		}
		if !said {
			log.Warn("nats is not there yet, trying until it is", "url", shown, "error", err)
			said = true
		}
		if !sleep.For(ctx, time.Second) {
			return nil, fmt.Errorf("connect to NATS at %s: %w", shown, errors.Join(context.Cause(ctx), err))
		}
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	b.nc, b.js, b.windows = nc, js, windows{nc: nc, subjects: opts.Topology.Subjects}
	b.directory.open(b, nc, "directory", opts.Topology.Directory(), opts.Topology.probe())
	b.marks.open(b, nc, "marks", opts.Topology.Marks(), opts.Topology.markProbe())
	b.badges.open(b, nc, "badges", opts.Topology.Badges(), opts.Topology.badgeProbe())
	b.tokens.open(b, nc, "tokens' owners", opts.Topology.Tokens(), opts.Topology.tokenProbe())
	return b, nil
}

// cameBack notes that a connection was lost and is back.
func (b *Bus) cameBack(nc *nats.Conn) {
	b.back.Store(time.Now().UnixNano())
	b.log.Info("connected to NATS again", "server", natsaddr.Redact(nc.ConnectedUrl()))
}

// IsRefused says whether a server did not let a connection in, for want of the right credentials.
func IsRefused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired)
}

// Topology names the streams and subjects.
func (b *Bus) Topology() Topology { return b.topology }

// Connected says whether all connections stand at this moment.
func (b *Bus) Connected() bool {
	return b.nc.IsConnected() && b.work.connected() && b.urgent.connected()
}

// Reconnected is when a connection came back after it was lost; zero when none ever was.
func (b *Bus) Reconnected() time.Time {
	if at := b.back.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// InHand is how many bytes all deliveries that are not settled hold, and what is kept free for
// pulls under way; see Options.BytesInHand.
func (b *Bus) InHand() int { return b.budget.inHand() }

// Close sends what is still buffered and closes the connections. Nothing may pull any more.
func (b *Bus) Close() {
	b.work.close()
	b.urgent.close()
	if b.nc.IsConnected() {
		_ = b.nc.FlushTimeout(2 * time.Second) // what does not get out now comes again
	}
	b.nc.Close()
}

// Flush waits until the server has what was sent.
func (b *Bus) Flush(ctx context.Context) error { return b.nc.FlushWithContext(ctx) }

// URL is the address of the server that the connection stands to, without credentials.
func (b *Bus) URL() string { return natsaddr.Redact(b.nc.ConnectedUrl()) }
