package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	waiting atomic.Int64 // as Waiting has it

	mu    sync.Mutex
	made  time.Time // when the durable consumer was made
	fit   bool      // the durable consumer is there, as far as is known
	held  map[*Delivery]struct{}
	out   int           // deliveries that are neither settled nor kept
	asked int           // deliveries that a pull may still bring
	last  time.Time     // when something was delivered last
	freed chan struct{} // a place became free
}

// UrgentConsumer consumes urgent message events, which never queue behind chat, holding at most
// hold deliveries at a time. It waits until the durable consumer is made; the error is ErrMisfit or
// the end of ctx.
func (b *Bus) UrgentConsumer(ctx context.Context, hold int) (*Consumer, error) {
	return b.ready(ctx, b.newUrgent(b.topology.Messages(), hold, durable("urgent", urgentAckWait, true, b.topology.Subjects.All(hongyan.KindUrgent))))
}

// SignalConsumer is UrgentConsumer for signals.
func (b *Bus) SignalConsumer(ctx context.Context, hold int) (*Consumer, error) {
	return b.ready(ctx, b.newUrgent(b.topology.Messages(), hold, durable("signal", urgentAckWait, true, b.topology.Subjects.All(hongyan.KindSignal))))
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
		return b.newUrgent(b.topology.Jobs(where.Vendor), hold, durable(name, urgentAckWait, false, filter))
	}
	return b.newNormal(b.topology.Jobs(where.Vendor), hold, durable(name, ackWait, false, filter))
}

// newConsumer is a consumer that is always there.
func (b *Bus) newConsumer(ctx context.Context, stream, name string, wait time.Duration, hold int, filters ...string) (*Consumer, error) {
	return b.ready(ctx, b.newNormal(stream, hold, durable(name, wait, true, filters...)))
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

// Pulls. One that waits for what may come is long, so that it costs little; one for messages that
// are known to wait keeps bytes of the budget free and is short, because others may take them.
const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	pullSilence   = 2*pullHeartbeat + time.Second
	shortPull     = time.Second
	// stopQuiet is how long nothing must have come before a pull is given up at the end, and
	// stopLimit how long it may go on bringing something.
	stopQuiet = 200 * time.Millisecond
	stopLimit = 2 * time.Second
	// owedWait is how long what a pull brought, by the server's word, may be on its way.
	owedWait = time.Second
	// notNow is when a receiver that wants nothing more is asked again, at first and at last.
	notNow, notForLong = 20 * time.Millisecond, 640 * time.Millisecond
	// pullAgain is the pause after a pull that failed, makeAgain the one after a durable consumer
	// could not be made.
	pullAgain, makeAgain = 250 * time.Millisecond, time.Second
)

// errAgain is a pull that the server ended before its time, or did not answer.
var errAgain = errors.New("the server ended the pull")

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
	c.mu.Lock()
	c.made, c.fit = at, true
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

// puller is one run of a consumer on its connection.
type puller struct {
	c     *Consumer
	nc    *nats.Conn
	again <-chan struct{} // closed when the connection came back
	out   chan<- dispatch.Delivery
	inbox string
	sub   *nats.Subscription
	msgs  chan *nats.Msg

	pulls   uint64
	size    float64 // a moving average of a message's bytes; 0 before the first
	tooBig  int     // bytes that the next message did not fit into; 0 when it is not known to be big
	silence *time.Timer
}

// run pulls until ctx ends or the connection came back: what was asked for before may be lost.
func (p *puller) run(ctx context.Context) {
	c := p.c
	p.silence = time.NewTimer(time.Hour)
	defer p.silence.Stop()
	for ctx.Err() == nil {
		select {
		case <-p.again:
			c.look()
			return
		default:
		}
		if c.make(ctx) != nil {
			pause(ctx, makeAgain)
			continue
		}
		n, ok := c.places(ctx)
		if !ok {
			return
		}
		want := 0
		if waiting := int(c.waiting.Load()); waiting > 0 {
			want = max(1, int(float64(min(n, waiting)+1)*p.size*5/4))
		}
		g, ok := c.account.take(ctx, max(want, p.tooBig), p.tooBig)
		if !ok {
			c.unask()
			return
		}
		if g.bytes == 0 {
			n = min(n, 1)
		}
		err := p.pull(ctx, n, &g)
		c.unask()
		c.account.release(g.promised)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			c.pulse.beat()
		default:
			c.look()
			c.pulse.fail(err)
			pause(ctx, pullAgain)
		}
	}
}

// pull asks for n messages and hands on those that come. When ctx ends, what the server sent
// already still comes through, to be given back at once: dropped here, it would come back only
// after the ack wait.
func (p *puller) pull(ctx context.Context, n int, g *grant) error {
	c := p.c
	request := pullRequest{Expires: pullExpiry, Batch: n, MaxBytes: g.bytes, Heartbeat: pullHeartbeat}
	silence := pullSilence
	if g.promised > 0 {
		request.Expires, request.Heartbeat, silence = shortPull, 0, shortPull+pullHeartbeat
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("write pull request: %w", err)
	}
	c.ask(n)
	p.pulls++
	reply := p.inbox + "." + strconv.FormatUint(p.pulls, 10)
	if err := p.nc.PublishRequest(jetstream.DefaultAPIPrefix+"CONSUMER.MSG.NEXT."+c.stream+"."+c.want.Durable, reply, body); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	p.silence.Reset(silence)
	stopping, again := ctx.Done(), p.again
	var cut <-chan time.Time
	got, owed := 0, -1 // what the server has sent without our having it; -1 while the pull goes on
	left := g.bytes
	for {
		select {
		case msg := <-p.msgs:
			s := statusOf(msg)
			if s.code == 0 {
				p.accept(msg, g)
				got++
				left -= msg.Size()
				if owed > 0 {
					owed--
				}
				if got == n || owed == 0 || g.bytes > 0 && left <= 0 {
					return nil
				}
				if stopping == nil {
					silence = stopQuiet
				}
				if owed < 0 {
					p.silence.Reset(silence)
				}
				continue
			}
			if msg.Subject != reply {
				continue // an earlier pull's
			}
			switch {
			case s.code == 100:
				c.pulse.beat()
				if stopping != nil {
					p.silence.Reset(silence)
				}
				continue
			case s.tooBig:
				if got == 0 && s.left == n {
					p.tooBig = max(4*g.bytes, 2*leastIdle)
					c.waiting.Store(max(c.waiting.Load(), 1))
				}
			case s.code == 404 || s.code == 408:
				c.waiting.Store(0)
			case s.code == 503:
				return fmt.Errorf("%w: nobody answers for it", errAgain)
			default:
				return fmt.Errorf("%w: %s", errAgain, s.text)
			}
			// With replicas the end of a pull may overtake its last messages.
			if owed = n - s.left - got; owed <= 0 {
				return nil
			}
			p.silence.Reset(owedWait)
		case <-stopping:
			stopping, cut = nil, time.After(stopLimit)
			silence = stopQuiet
			p.silence.Reset(silence)
		case <-again:
			return fmt.Errorf("%w: the connection was lost", errAgain)
		case <-cut:
			return nil
		case <-p.silence.C:
			if stopping == nil || owed > 0 {
				return nil
			}
			return fmt.Errorf("%w: it does not answer", errAgain)
		}
	}
}

// drain ends the subscription. What the server sent before it knew still comes through.
func (p *puller) drain() {
	if err := p.sub.Drain(); err == nil {
		_ = p.nc.FlushTimeout(stopLimit) // without the connection nothing comes any more
	}
	for {
		select {
		case msg := <-p.msgs:
			if statusOf(msg).code == 0 {
				p.accept(msg, &grant{})
			}
		default:
			return
		}
	}
}

// accept hands on a message.
func (p *puller) accept(msg *nats.Msg, g *grant) {
	c := p.c
	d := &Delivery{msg: msg, consumer: c, taken: time.Now(), deliveries: 1}
	if m, err := msg.Metadata(); err == nil { // a message of a consumer always has them
		d.sequence, d.stored, d.deliveries = m.Sequence.Stream, m.Timestamp, int(m.NumDelivered)
		c.waiting.Store(int64(m.NumPending))
	}
	size := msg.Size()
	c.account.spend(g, size)
	p.tooBig = 0
	if p.size == 0 {
		p.size = float64(size)
	}
	p.size += (float64(size) - p.size) / 16
	c.mu.Lock()
	if d.deliveries == 1 && d.stored.Before(c.made.Add(madeMargin)) {
		d.deliveries = 2
	}
	c.held[d] = struct{}{}
	c.out++
	c.asked = max(0, c.asked-1)
	c.last = d.taken
	c.mu.Unlock()
	p.out <- d
}

// madeMargin is by how much the clocks of a cluster's nodes may differ: one says when a message was
// stored, another when the consumer was made.
const madeMargin = 2 * time.Second

// pullRequest is the body of a pull; see NATS's ADR-13.
type pullRequest struct {
	Expires   time.Duration `json:"expires"`
	Batch     int           `json:"batch"`
	MaxBytes  int           `json:"max_bytes,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
}

// status is what the server says about a pull; code 0 is a message.
type status struct {
	code int
	text string
	// left is how many messages the pull did not bring, where the server says so.
	left   int
	tooBig bool
}

func statusOf(msg *nats.Msg) status {
	if len(msg.Data) > 0 || len(msg.Header) == 0 || msg.Reply != "" {
		return status{}
	}
	code, err := strconv.Atoi(msg.Header.Get("Status"))
	if err != nil {
		return status{}
	}
	s := status{code: code, text: msg.Header.Get("Description")}
	s.left, _ = strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	s.tooBig = code == 409 && strings.HasPrefix(s.text, "Message Size Exceeds MaxBytes")
	return s
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

// Waiting is how many messages wait that were not handed out yet, as of the last delivery; 0 after
// a pull that found less than it asked for.
func (c *Consumer) Waiting() int { return int(c.waiting.Load()) }

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
