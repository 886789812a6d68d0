package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

const (
	// windowSize is how many messages to one stream may wait for the server's word.
	windowSize = 8192
	// stallWait is how long a publish waits for room in its window.
	stallWait = 5 * time.Second
	// ackTimeout is how long a message waits for the server's word.
	ackTimeout = 15 * time.Second
)

// windows are the publishes under way, apart for each stream: one that does not answer must not
// hold up those to the others.
type windows struct {
	nc       *nats.Conn
	subjects hongyan.Subjects

	mu  sync.Mutex
	all map[string]jetstream.JetStream // by name
}

func (w *windows) of(subject string) (jetstream.JetStream, error) {
	var name string // of the window; what is no subject of the contract comes later
	if s, err := w.subjects.Parse(subject); err == nil {
		name = string(s.Kind)
		if s.Kind == hongyan.KindJob {
			name += " " + s.Vendor // a stream for each vendor
		}
	}
	return w.named(name)
}

// badgeWindow is that of the numbers on icons.
const badgeWindow = "badge"

func (w *windows) named(name string) (jetstream.JetStream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if js, ok := w.all[name]; ok {
		return js, nil
	}
	js, err := jetstream.New(w.nc, jetstream.WithPublishAsyncMaxPending(windowSize), jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	if w.all == nil {
		w.all = map[string]jetstream.JetStream{}
	}
	w.all[name] = js
	return js, nil
}

func msg(o dispatch.Outgoing) *nats.Msg {
	m := &nats.Msg{Subject: o.Subject, Data: o.Data}
	if o.ID == "" && len(o.Header) == 0 && o.Life == 0 {
		return m
	}
	m.Header = make(nats.Header, len(o.Header)+1)
	if o.Life > 0 {
		m.Header[jetstream.MsgTTLHeader] = []string{wholeSeconds(o.Life).String()}
	}
	if o.ID != "" {
		m.Header[jetstream.MsgIDHeader] = []string{o.ID}
	}
	for k, v := range o.Header {
		m.Header[k] = []string{v}
	}
	return m
}

// Publish stores all messages and waits until each is. errs is nil when all are, else it holds each
// message's error or nil; what failed may be stored all the same. Publishing it again is harmless
// within the dedup window where it has an ID. It implements dispatch.Queue.
func (b *Bus) Publish(ctx context.Context, msgs []dispatch.Outgoing) (errs []error) {
	fail := func(i int, err error) {
		if errs == nil {
			errs = make([]error, len(msgs))
		}
		errs[i] = fmt.Errorf("publish on %s: %w", msgs[i].Subject, classify(err))
	}
	futures := make([]jetstream.PubAckFuture, len(msgs))
	var stalled map[jetstream.JetStream]error // windows that are full
	for i, o := range msgs {
		window, err := b.windows.of(o.Subject)
		if err == nil {
			err = stalled[window]
		}
		if err == nil {
			err = b.takeLater(ctx, o.Subject)
		}
		if o.Life > 0 {
			b.roomMarks(ctx, o.Subject)
		}
		if err != nil {
			fail(i, err)
			continue
		}
		f, err := window.PublishMsgAsync(msg(o), jetstream.WithStallWait(stallWait))
		if err != nil {
			if errors.Is(err, jetstream.ErrTooManyStalledMsgs) {
				if stalled == nil {
					stalled = map[jetstream.JetStream]error{}
				}
				stalled[window] = err
			}
			fail(i, err)
			continue
		}
		futures[i] = f
	}
	for i, f := range futures {
		if f == nil {
			continue
		}
		select {
		case <-f.Ok():
		case err := <-f.Err():
			fail(i, err)
		case <-ctx.Done():
			fail(i, context.Cause(ctx))
		}
	}
	return errs
}

// classify marks the errors that mean a full stream or disk, in which nothing was stored and
// nothing old was dropped, and those that would come again for ever, and
// those of a connection that is lost.
func classify(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) || errors.Is(err, nats.ErrBadHeaderMsg) {
		return errors.Join(dispatch.ErrPermanent, err)
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrDisconnected) {
		return errors.Join(dispatch.ErrAway, err)
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case 10077, // maximum messages or bytes exceeded
			10047, 10023, // insufficient storage or resources
			10167: // too many requests
			return errors.Join(dispatch.ErrFull, err)
		case 10054, // message size exceeds maximum allowed
			10097: // header size exceeds maximum allowed of 64k
			return errors.Join(dispatch.ErrPermanent, err)
		}
	}
	return err
}

// PublishSync stores one message and returns its sequence; duplicate says that one with its ID was
// there already.
func (b *Bus) PublishSync(ctx context.Context, o dispatch.Outgoing, opts ...jetstream.PublishOpt) (sequence uint64, duplicate bool, err error) {
	ack, err := b.js.PublishMsg(ctx, msg(o), opts...)
	if err != nil {
		return 0, false, fmt.Errorf("publish on %s: %w", o.Subject, classify(err))
	}
	return ack.Sequence, ack.Duplicate, nil
}
