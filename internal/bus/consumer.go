package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Consumer hands out the messages of one durable consumer. It holds back nothing: a message is
// delivered as soon as it is there.
type Consumer struct {
	bus   *Bus
	con   jetstream.Consumer
	name  string
	hold  int
	wait  time.Duration // how long a claim lasts that is not renewed
	slots chan struct{} // one for each delivery that is neither settled nor kept
	more  func() int    // nil when all that there is room for is of use

	mu   sync.Mutex
	held map[*Delivery]struct{}
}

// MessageConsumer consumes the message events of chat, holding at most hold deliveries at a time.
func (b *Bus) MessageConsumer(ctx context.Context, hold int) (*Consumer, error) {
	return b.newConsumer(ctx, b.topology.Messages(), "router", ackWait, hold, b.topology.Subjects.All(hongyan.KindMessage))
}

// UrgentConsumer consumes urgent message events and signals, which never queue behind chat, holding
// at most hold deliveries at a time.
func (b *Bus) UrgentConsumer(ctx context.Context, hold int) (*Consumer, error) {
	s := b.topology.Subjects
	return b.newConsumer(ctx, b.topology.Messages(), "urgent", urgentAckWait, hold, s.All(hongyan.KindUrgent), s.All(hongyan.KindSignal))
}

// JobConsumer consumes the jobs of a certificate's lane.
func (b *Bus) JobConsumer(ctx context.Context, vendor, certificate, lane string, hold int) (*Consumer, error) {
	wait := ackWait
	if lane == hongyan.LaneUrgent {
		wait = urgentAckWait
	}
	return b.newConsumer(ctx, b.topology.Jobs(vendor), certificate+"-"+lane, wait, hold, b.topology.Subjects.Job(vendor, certificate, lane))
}

func (b *Bus) newConsumer(ctx context.Context, stream, name string, wait time.Duration, hold int, filters ...string) (*Consumer, error) {
	con, err := b.consumer(ctx, stream, name, wait, filters...)
	if err != nil {
		return nil, err
	}
	return &Consumer{bus: b, con: con, name: name, hold: hold, wait: wait, slots: make(chan struct{}, hold), held: map[*Delivery]struct{}{}}, nil
}

// Run pulls until ctx ends, sends each delivery to out, which should have room for Hold of them,
// and returns when nothing more will come. The receiver must settle every delivery, those that it
// finds in out after Run returned included. It implements dispatch.Source.
func (c *Consumer) Run(ctx context.Context, out chan<- dispatch.Delivery) {
	said := false
	for {
		n, ok := c.reserve(ctx)
		if !ok {
			return
		}
		// what else is free, but leave room for the pull that overlaps the settling of this one
		for n < c.hold/2 {
			select {
			case c.slots <- struct{}{}:
				n++
				continue
			default:
			}
			break
		}
		if c.more != nil {
			more := min(n, max(0, c.more()))
			for ; n > more; n-- {
				<-c.slots
			}
			if n == 0 {
				if !pause(ctx, notNow) {
					return
				}
				continue
			}
		}
		got, err := c.pull(ctx, n, out)
		for range n - got {
			<-c.slots
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if said {
				c.bus.log.Info("consumer pulls again", "consumer", c.name)
			}
			said = false
		default:
			if !said {
				c.bus.log.Warn("consumer cannot pull, trying again", "consumer", c.name, "error", err)
				said = true
			}
			if !pause(ctx, 500*time.Millisecond) {
				return
			}
		}
	}
}

// reserve waits until an eighth of the slots is free and takes them: pulling one by one as they
// become free would cost a round trip each. On false it took none.
func (c *Consumer) reserve(ctx context.Context) (n int, ok bool) {
	for n < max(c.hold/8, 1) {
		select {
		case c.slots <- struct{}{}:
			n++
		case <-ctx.Done():
			for range n {
				<-c.slots
			}
			return 0, false
		}
	}
	return n, true
}

// pull asks for n messages and hands on those that come within pullExpiry. When ctx ends, what the
// server sent already still comes through, to be given back at once: dropped here, it would come
// back only after the ack wait.
func (c *Consumer) pull(ctx context.Context, n int, out chan<- dispatch.Delivery) (got int, err error) {
	pullCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pullExpiry)
	defer cancel()
	batch, err := c.con.Fetch(n, jetstream.FetchContext(pullCtx), jetstream.FetchHeartbeat(pullHeartbeat))
	if err != nil {
		return 0, err
	}
	messages, stopping := batch.Messages(), ctx.Done()
	quiet := time.NewTimer(pullExpiry + time.Second)
	defer quiet.Stop()
	for {
		select {
		case msg, ok := <-messages:
			if !ok {
				if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) && !errors.Is(err, nats.ErrTimeout) {
					return got, err
				}
				return got, nil
			}
			d := &Delivery{msg: msg, consumer: c, taken: time.Now()}
			c.mu.Lock()
			c.held[d] = struct{}{}
			c.mu.Unlock()
			got++
			out <- d
			if stopping == nil {
				quiet.Reset(stopQuiet)
			}
		case <-stopping:
			stopping = nil
			quiet.Reset(stopQuiet)
		case <-quiet.C:
			cancel() // the messages end
		}
	}
}

const (
	pullExpiry    = 5 * time.Second
	pullHeartbeat = 1 * time.Second
	// stopQuiet is how long nothing must have come before a pull is given up at the end.
	stopQuiet = 200 * time.Millisecond
	// notNow is when a receiver that wants nothing more is asked again.
	notNow = 20 * time.Millisecond
)

// Want makes Run ask more how many further deliveries are of use, before each pull. It implements
// dispatch.Source.
func (c *Consumer) Want(more func() int) { c.more = more }

// Hold is the most deliveries that are not settled.
func (c *Consumer) Hold() int { return c.hold }

// Renew tells the server, every few seconds until ctx ends, that the deliveries held are still
// worked on. It belongs to whoever runs Run and must outlive it by as long as deliveries are being
// settled.
func (c *Consumer) Renew(ctx context.Context) {
	for pause(ctx, c.wait/3) {
		limit := time.Now().Add(-c.wait / 4)
		var old []*Delivery
		c.mu.Lock()
		for d := range c.held {
			if d.taken.Before(limit) {
				old = append(old, d)
			}
		}
		c.mu.Unlock()
		for _, d := range old {
			// a claim that is lost brings the message again, to us or another
			_ = d.msg.InProgress()
		}
	}
}

// Held is how many deliveries are not settled.
func (c *Consumer) Held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

// Delivery is one message on loan. It must be settled exactly once: Ack, Nak or
// Forget.
type Delivery struct {
	msg      jetstream.Msg
	consumer *Consumer
	taken    time.Time
	kept     bool // it has no place any more; the consumer's lock guards it
}

// Data is the message's body; it must not be changed.
func (d *Delivery) Data() []byte { return d.msg.Data() }

// Subject is where it was published.
func (d *Delivery) Subject() string { return d.msg.Subject() }

// Header returns a header's value, empty if it is absent.
func (d *Delivery) Header(key string) string {
	h := d.msg.Headers()
	if h == nil {
		return ""
	}
	if v := h.Get(key); v != "" {
		return v
	}
	for k, vs := range h { // publishers in other languages write traceparent and Traceparent
		if len(vs) > 0 && strings.EqualFold(k, key) {
			return vs[0]
		}
	}
	return ""
}

// Meta is the message's place in its stream and the time it was stored there.
func (d *Delivery) Meta() (sequence uint64, stored time.Time, deliveries int) {
	m, err := d.msg.Metadata()
	if err != nil {
		return 0, d.taken, 1 // a message of a consumer always has metadata
	}
	return m.Sequence.Stream, m.Timestamp, int(m.NumDelivered)
}

// Ack ends the loan: the message is done. It does not wait for the server; a lost ack brings a
// repeat.
func (d *Delivery) Ack() error { return d.settle(d.msg.Ack()) }

// Nak gives the message back, to come again after the delay.
func (d *Delivery) Nak(delay time.Duration) error {
	if delay <= 0 {
		return d.settle(d.msg.Nak())
	}
	return d.settle(d.msg.NakWithDelay(delay))
}

// Forget ends the loan here alone: the server is told nothing.
func (d *Delivery) Forget() { _ = d.settle(nil) }

// Keep frees the delivery's place; its claim is still renewed.
func (d *Delivery) Keep() {
	c := d.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, held := c.held[d]; held {
		d.free()
	}
}

// free gives back the delivery's place, once. The consumer's lock is held.
func (d *Delivery) free() {
	if !d.kept {
		d.kept = true
		<-d.consumer.slots
	}
}

func (d *Delivery) settle(err error) error {
	c := d.consumer
	c.mu.Lock()
	if _, held := c.held[d]; held {
		delete(c.held, d)
		d.free()
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("settle delivery: %w", err)
	}
	return nil
}
