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

// Consumer hands out the messages of one durable consumer, which it makes, and makes again when it
// is gone. It holds back nothing: a message is delivered as soon as it is there.
type Consumer struct {
	bus    *Bus
	link   *link // the connection that it pulls on
	stream string
	want   jetstream.ConsumerConfig
	hold   int
	more   func() int // nil when all that there is room for is of use

	// ends ends when the consumer is closed; see close.
	ends context.Context
	end  context.CancelFunc

	account *account
	pulse   *pulse

	mu   sync.Mutex
	made time.Time // when the durable consumer was made
	// recorded is when the last record of an outcome had been stored by then, or later.
	recorded time.Time
	fit      bool // the durable consumer is there, as far as is known
	held     map[*Delivery]struct{}
	out      int       // deliveries that are neither settled nor kept
	asked    int       // deliveries that a pull may still bring
	last     time.Time // when something was delivered last
	// waiting and waitingAt are as Waiting has them.
	waiting   int
	waitingAt time.Time
	freed     chan struct{} // a place became free
}

// UrgentConsumer consumes urgent message events, which never queue behind chat, holding at most
// hold deliveries at a time. It waits until the durable consumer is made; the error is ErrMisfit or
// the end of ctx.
func (b *Bus) UrgentConsumer(ctx context.Context, hold int) (*Consumer, error) {
	return b.ready(ctx, b.newUrgent(b.topology.Messages(), hold, durable("urgent", "calls that wait to be planned", urgentAckWait, true, b.topology.Subjects.All(hongyan.KindUrgent))))
}

// SignalConsumer is UrgentConsumer for signals.
func (b *Bus) SignalConsumer(ctx context.Context, hold int) (*Consumer, error) {
	return b.ready(ctx, b.newUrgent(b.topology.Messages(), hold, durable("signal", "recalls and read marks", urgentAckWait, true, b.topology.Subjects.All(hongyan.KindSignal))))
}

// RegistrationConsumer consumes the registrations of all devices, each as it was stored last. It
// does not wait for its durable consumer. What a killed worker held comes back after a second.
func (b *Bus) RegistrationConsumer(hold int) *Consumer {
	return b.newNormal(b.topology.Directory(), hold, durable("owners", "registrations whose tokens are compared with earlier ones", registrationAckWait, true, b.topology.Subjects.All(hongyan.KindDevice)))
}

// JobConsumer is UrgentConsumer for the jobs of a certificate's lane.
func (b *Bus) JobConsumer(ctx context.Context, vendor, certificate, lane string, hold int) (*Consumer, error) {
	return b.ready(ctx, b.jobs(hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor, Certificate: certificate, Lane: lane}, hold))
}

// jobs is the consumer of the jobs of a certificate and lane.
func (b *Bus) jobs(where hongyan.Subject, hold int) *Consumer {
	b.serves(where.Vendor)
	name, filter := where.Certificate+"-"+where.Lane, b.topology.Subjects.Build(where)
	if where.Lane == hongyan.LaneUrgent {
		return b.newUrgent(b.topology.Jobs(where.Vendor), hold, durable(name, jobsOf(where), urgentAckWait, false, filter))
	}
	return b.newNormal(b.topology.Jobs(where.Vendor), hold, durable(name, jobsOf(where), ackWait, false, filter))
}

// jobsOf describes the consumer of a certificate's jobs.
func jobsOf(where hongyan.Subject) string {
	return where.Lane + " jobs of certificate " + where.Certificate + " that wait to be sent"
}

func (b *Bus) newNormal(stream string, hold int, want jetstream.ConsumerConfig) *Consumer {
	return b.newOn(&b.work, stream, hold, want)
}

func (b *Bus) newUrgent(stream string, hold int, want jetstream.ConsumerConfig) *Consumer {
	return b.newOn(&b.urgent, stream, hold, want)
}

func (b *Bus) newOn(l *link, stream string, hold int, want jetstream.ConsumerConfig) *Consumer {
	ends, end := context.WithCancel(context.Background())
	return &Consumer{bus: b, link: l, stream: stream, want: want, hold: max(hold, 1), ends: ends, end: end, account: b.budget.account(),
		pulse: &pulse{name: "consumer " + want.Durable + " of stream " + stream, bus: b}, held: map[*Delivery]struct{}{}, freed: make(chan struct{}, 1)}
}

// ready waits until a consumer's durable consumer is there.
func (b *Bus) ready(ctx context.Context, c *Consumer) (*Consumer, error) {
	for {
		err := c.make(ctx)
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, ErrMisfit), ctx.Err() != nil, !pause(ctx, makeAgain):
			c.pulse.stop()
			return nil, err
		}
	}
}

// Run pulls until ctx ends, sends each delivery to out, which should have room for Hold of them,
// and returns when nothing more will come. A consumer that was made on demand ends by itself when
// nothing came for a while. The receiver must settle every delivery, those that it finds in out
// after Run returned included. It implements dispatch.Source.
func (c *Consumer) Run(ctx context.Context, out chan<- dispatch.Delivery) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ends, cancel)()
	c.account.budget.enter()
	defer c.account.budget.leave()
	defer c.pulse.stop()
	for ctx.Err() == nil {
		nc, again, err := c.link.open()
		if err != nil {
			c.pulse.fail(err)
			pause(ctx, makeAgain)
			continue
		}
		p := &puller{c: c, nc: nc, again: again, out: out, msgs: make(chan *nats.Msg, c.hold+64), inbox: nc.NewInbox()}
		if p.sub, err = nc.ChanSubscribe(p.inbox+".*", p.msgs); err != nil {
			c.pulse.fail(fmt.Errorf("subscribe: %w", err))
			pause(ctx, makeAgain)
			continue
		}
		p.run(ctx)
		p.drain()
	}
}

// close ends Run, for want of messages.
func (c *Consumer) close() { c.end() }

// make makes the durable consumer, if it is to be looked at.
func (c *Consumer) make(ctx context.Context) error {
	c.mu.Lock()
	fit := c.fit
	c.mu.Unlock()
	if fit {
		return nil
	}
	at, err := c.bus.make(ctx, c.stream, c.want)
	if err != nil {
		if ctx.Err() == nil {
			c.pulse.fail(err)
		}
		return err
	}
	recorded := c.bus.lastRecord(ctx)
	c.mu.Lock()
	c.made, c.recorded, c.fit = at, recorded, true
	c.mu.Unlock()
	c.pulse.beat()
	return nil
}

// look has the durable consumer looked at before the next pull.
func (c *Consumer) look() {
	c.mu.Lock()
	c.fit = false
	c.mu.Unlock()
}

// places waits until an eighth of the places is free, because pulling one by one as they become
// free would cost a round trip each, and until the receiver has a use for more. It says how many a
// pull may ask for: not more than half of all, so that the next pull overlaps the settling of this
// one. False means that ctx ended.
func (c *Consumer) places(ctx context.Context) (n int, ok bool) {
	least := max(c.hold/8, 1)
	for again := notNow; ; {
		c.mu.Lock()
		free := c.hold - c.out
		c.mu.Unlock()
		wait := time.Duration(0)
		if free >= least {
			n = min(free, max(c.hold/2, least))
			if c.more != nil {
				n = min(n, c.more())
			}
			if n > 0 {
				return n, true
			}
			if wait = again; !pause(ctx, notNow) {
				return 0, false
			}
			again = min(2*again, notForLong)
		}
		if !c.someFreed(ctx, wait) {
			return 0, false
		}
	}
}

// someFreed waits until a place is free, or for a time that is not zero.
func (c *Consumer) someFreed(ctx context.Context, atMost time.Duration) bool {
	var over <-chan time.Time
	if atMost > 0 {
		timer := time.NewTimer(atMost)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-c.freed:
	case <-over:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (c *Consumer) ask(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = n
}

func (c *Consumer) unask() { c.ask(0) }

// Want makes Run ask more how many further deliveries are of use, before each pull. It implements
// dispatch.Source.
func (c *Consumer) Want(more func() int) { c.more = more }

// Hold is the most deliveries that are neither settled nor kept.
func (c *Consumer) Hold() int { return c.hold }

// Waiting is how many messages wait that were not handed out yet, and when that was found out: at
// the last delivery, or when a pull ended with less than it asked for.
func (c *Consumer) Waiting() (n int, asOf time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting, c.waitingAt
}

func (c *Consumer) found(waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.waitingAt = waiting, time.Now()
}

// Renew tells the server, every few seconds until ctx ends, that the deliveries held, kept ones
// too, are still worked on. It belongs to whoever runs Run and must outlive it by as long as
// deliveries are being settled.
func (c *Consumer) Renew(ctx context.Context) {
	wait := c.want.AckWait
	for pause(ctx, wait/3) {
		limit := time.Now().Add(-wait / 4)
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
			_ = d.tell("+WPI")
		}
	}
}

// Held is how many deliveries are not settled.
func (c *Consumer) Held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

// idle is for how long nothing was held and nothing came, since since at the longest.
func (c *Consumer) idle(since, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) > 0 {
		return 0
	}
	if c.last.After(since) {
		since = c.last
	}
	return now.Sub(since)
}
