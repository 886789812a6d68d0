package hongyan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/nats-io/nats.go"
)

// ErrMissed means that outcomes may have been missed by a [Client] that follows them: the
// connection was lost for a time, they came faster than they were taken, or some cannot be read.
// Those that follow are told as before. The stream PUSH_OUTCOMES has the ones that were missed.
var ErrMissed = errors.New("outcomes may have been missed")

// outcomesRoom is how many messages with outcomes, of at most 64 KiB each, wait to be taken.
const outcomesRoom = 1024

// Outcomes follows what becomes of an app's messages, from now on: whatever is stored after
// Outcomes returned is told, each outcome at most a few milliseconds after it was stored. It
// promises less than the stream PUSH_OUTCOMES: what is stored while nobody follows is not told
// later, and after [ErrMissed] some may be missing. An outcome may come twice.
//
// The sequence can be ranged over once, by one goroutine. It ends, without an error, when ctx does.
// An error that comes with an outcome's zero value is ErrMissed, after which the sequence goes on,
// or its last word: a [PermissionError], or nats.ErrConnectionClosed. The connection follows until
// ctx or the range ends, so ctx must end also where nobody ranges.
//
// The NATS user needs the right to subscribe to push.outcome.<app>.*.*; without it the error is a
// PermissionError.
func (c *Client) Outcomes(ctx context.Context, app string) (iter.Seq2[Outcome, error], error) {
	if err := validApp(app); err != nil {
		return nil, err
	}
	nc, subject := c.js.Conn(), c.subjects.OutcomesOf(app, "")
	ctx, release := c.permissions.guard(ctx, PermissionError{"subscribe", subject})
	f := &follower{ctx: ctx, nc: nc, msgs: make(chan *nats.Msg, outcomesRoom)}
	f.status = nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	before := nc.LastError()
	sub, err := nc.ChanSubscribe(subject, f.msgs)
	if err != nil {
		nc.RemoveStatusListener(f.status)
		release()
		return nil, fmt.Errorf("follow outcomes: %w", err)
	}
	f.slow = sub.StatusChanged(nats.SubscriptionSlowConsumer)
	f.stop = sync.OnceFunc(func() {
		_ = sub.Unsubscribe() // fails only where the connection is gone
		nc.RemoveStatusListener(f.status)
		release()
	})
	// The server's word on the subscription comes before its answer to the flush.
	err = f.flush()
	if last := nc.LastError(); last != before { //nolint:errorlint // the same value is the word on something before
		if refused := PermissionErrorFrom(last); refused != nil && *refused == (PermissionError{"subscribe", subject}) {
			err = refused
		}
	}
	if refused := refusal(ctx); refused != nil {
		err = refused
	}
	if err != nil {
		f.stop()
		return nil, fmt.Errorf("follow outcomes: %w", err)
	}
	context.AfterFunc(ctx, f.stop)
	return f.outcomes, nil
}

// follower is a subscription to outcomes and what is heard of it.
type follower struct {
	ctx    context.Context // ends with the caller's, or when the right is taken away
	nc     *nats.Conn
	msgs   chan *nats.Msg
	status chan nats.Status
	slow   <-chan nats.SubStatus
	stop   func()
}

// flush waits until the server has the subscription, and all that it said before has arrived. One
// that fails is made again when the connection is back.
func (f *follower) flush() error {
	ctx, cancel := context.WithTimeout(f.ctx, tryTimeout)
	defer cancel()
	return f.nc.FlushWithContext(ctx)
}

// outcomes yields outcomes and errors until ctx ends, the connection is closed, or yield returns
// false.
func (f *follower) outcomes(yield func(Outcome, error) bool) {
	defer f.stop()
	missed := func(why string) bool { return yield(Outcome{}, fmt.Errorf("%w: %s", ErrMissed, why)) }
	for {
		select {
		case <-f.ctx.Done():
			if refused := refusal(f.ctx); refused != nil {
				yield(Outcome{}, fmt.Errorf("follow outcomes: %w", refused))
			}
			return
		case now, open := <-f.status:
			switch {
			case !open && f.ctx.Err() != nil:
				continue // ctx has the word
			case !open || now == nats.CLOSED:
				yield(Outcome{}, fmt.Errorf("follow outcomes: %w", nats.ErrConnectionClosed))
				return
			}
			_ = f.flush() // whoever looks for what was missed now misses nothing between
			if !missed("the connection was lost for a time") {
				return
			}
		case _, open := <-f.slow:
			if !open { // the subscription has ended, and so has ctx or the connection
				f.slow = nil
				continue
			}
			if !missed("they came faster than they were taken") {
				return
			}
		case m := <-f.msgs:
			outcomes, err := ParseOutcomes(m.Data)
			for _, o := range outcomes {
				if !yield(o, nil) {
					return
				}
			}
			if err != nil && !yield(Outcome{}, fmt.Errorf("%w: %w", ErrMissed, err)) {
				return
			}
		}
	}
}
