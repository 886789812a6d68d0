package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

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
	// lateWait is how long a pull's last messages may take after the server's word that it ended.
	lateWait = 3 * time.Second
	// notNow is when a receiver that wants nothing more is asked again, at first and at last.
	notNow, notForLong = 20 * time.Millisecond, 640 * time.Millisecond
	// pullAgain is the pause after a pull that failed, makeAgain the one after a durable consumer
	// could not be made.
	pullAgain, makeAgain = 250 * time.Millisecond, time.Second
)

// errAgain is a pull that the server ended before its time, or did not answer.
var errAgain = errors.New("the server ended the pull")

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
	tooFew  int     // bytes that the next message did not fit into; 0 when none are known
	silence *time.Timer
}

// run pulls until ctx ends, or until it cannot be known what earlier pulls may still bring: after
// one that failed, or when the connection came back. Deliveries do not tell which pull they answer,
// so the next pulls begin with a subscription of their own.
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
			sleep.For(ctx, makeAgain)
			continue
		}
		n, ok := c.places(ctx)
		if !ok {
			return
		}
		want := 0
		if waiting, _ := c.Waiting(); waiting > 0 {
			want = max(1, int(float64(min(n, waiting)+1)*p.size*5/4))
		}
		g, ok := c.account.take(ctx, want, p.tooFew)
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
			sleep.For(ctx, pullAgain)
			return
		}
	}
}

// pull asks for n messages and hands on those that come, until the server has no more to send for
// it. When ctx ends, what the server sent already still comes through, to be given back at once:
// dropped here, it would come back only after the ack wait.
//
// With replicas a message leaves the server once the others know of the delivery, and the word that
// the pull ended may overtake it.
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
	lacks, left := n, g.bytes // messages that the server may still send, and bytes
	ended := false            // the server takes no more messages for it
	for lacks > 0 && (g.bytes == 0 || left > 0) {
		select {
		case msg := <-p.msgs:
			s := statusOf(msg)
			if s.code == 0 {
				p.accept(msg, g)
				lacks--
				left -= msg.Size()
				if stopping == nil {
					silence = stopQuiet
				}
				if !ended {
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
				if s.left == n {
					p.tooFew = g.bytes
					waiting, _ := c.Waiting()
					c.found(max(waiting, 1))
				}
			case s.code == 404 || s.code == 408:
				c.found(0)
			case s.full:
			case s.code == 503:
				return fmt.Errorf("%w: nobody answers for it", errAgain)
			default:
				return fmt.Errorf("%w: %s", errAgain, s.text)
			}
			ended = true
			lacks -= s.left
			p.silence.Reset(lateWait)
		case <-stopping:
			stopping, cut = nil, time.After(stopLimit)
			silence = stopQuiet
			p.silence.Reset(silence)
		case <-again:
			return fmt.Errorf("%w: the connection was lost", errAgain)
		case <-cut:
			return nil
		case <-p.silence.C:
			switch {
			case stopping == nil:
				return nil
			case ended:
				return fmt.Errorf("%w: %d messages that it says it sent did not come", errAgain, lacks)
			default:
				return fmt.Errorf("%w: it does not answer", errAgain)
			}
		}
	}
	return nil
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
		c.found(int(m.NumPending))
	}
	size := msg.Size()
	c.account.spend(g, size)
	p.tooFew = 0
	if p.size == 0 {
		p.size = float64(size)
	}
	p.size += (float64(size) - p.size) / 16
	c.mu.Lock()
	if c.takenBefore(d.stored) {
		d.deliveries++
	}
	c.held[d] = struct{}{}
	c.out++
	c.asked = max(0, c.asked-1)
	c.last = d.taken
	c.mu.Unlock()
	p.out <- d
}

// takenBefore says whether a message may have been taken under an earlier consumer of the same
// name, and something have become of it: it was stored before this one was made, and outcomes were
// recorded since. The lock is held.
func (c *Consumer) takenBefore(stored time.Time) bool {
	margin := c.bus.clockMargin()
	return stored.Before(c.made.Add(margin)) && stored.Before(c.recorded.Add(margin))
}

// lastRecord is when an outcome was recorded last; now where that cannot be found out.
func (b *Bus) lastRecord(ctx context.Context) time.Time {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, b.topology.Outcomes())
	if err != nil {
		return time.Now()
	}
	return s.CachedInfo().State.LastTime
}

// clockMargin is by how much the clocks may differ that say when a message was stored and when a
// consumer was made: those of a cluster's nodes. A server alone has one.
func (b *Bus) clockMargin() time.Duration {
	if b.nc.ConnectedClusterName() == "" {
		return 0
	}
	return 2 * time.Second
}

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
	tooBig bool // the next message does not fit into the bytes that are left
	full   bool // it brought as many messages as it asked for
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
	s.full = code == 409 && s.text == "Batch Completed"
	s.tooBig = code == 409 && strings.HasPrefix(s.text, "Message Size Exceeds MaxBytes")
	return s
}
