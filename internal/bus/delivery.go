package bus

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Delivery is one message on loan. It must be settled exactly once: Ack, Nak or Forget. It
// implements dispatch.Delivery.
type Delivery struct {
	msg        *nats.Msg
	consumer   *Consumer
	taken      time.Time
	stored     time.Time
	sequence   uint64
	deliveries int
	kept       bool // it has no place any more; the consumer's lock guards it
}

// Data is the message's body; it must not be changed.
func (d *Delivery) Data() []byte { return d.msg.Data }

// Subject is where it was published.
func (d *Delivery) Subject() string { return d.msg.Subject }

// Header returns a header's value, empty if it is absent.
func (d *Delivery) Header(key string) string {
	h := d.msg.Header
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

// Meta is the message's place in its stream, when it was stored there, and how often it was
// delivered. It is at least 2 for a message that is older than its durable consumer: an earlier
// consumer of the same name may have delivered it.
func (d *Delivery) Meta() (sequence uint64, stored time.Time, deliveries int) {
	return d.sequence, d.stored, d.deliveries
}

// Ack ends the loan: the message is done. It does not wait for the server; a lost ack brings a
// repeat.
func (d *Delivery) Ack() error { return d.settle(d.tell(ack)) }

// Nak gives the message back, to come again after the delay. It does not wait for the server.
func (d *Delivery) Nak(delay time.Duration) error {
	if delay <= 0 {
		return d.settle(d.tell(nak))
	}
	return d.settle(d.tell(nak + ` {"delay": ` + strconv.FormatInt(delay.Nanoseconds(), 10) + "}"))
}

// Forget ends the loan here alone: the server is told nothing.
func (d *Delivery) Forget() { _ = d.settle(nil) }

// Keep frees the delivery's place; its claim is still renewed, and its bytes still count.
func (d *Delivery) Keep() {
	c := d.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, held := c.held[d]; held {
		d.free()
	}
}

// tell says a word about the delivery to the server. It goes out on the connection that stores
// results: no flood of work holds it up, and it survives the loss of the one that it came on.
func (d *Delivery) tell(word string) error {
	return d.consumer.bus.nc.Publish(d.msg.Reply, []byte(word))
}

// free gives back the delivery's place, once. The consumer's lock is held.
func (d *Delivery) free() {
	if d.kept {
		return
	}
	d.kept = true
	d.consumer.out--
	select {
	case d.consumer.freed <- struct{}{}:
	default:
	}
}

func (d *Delivery) settle(err error) error {
	c := d.consumer
	c.mu.Lock()
	_, held := c.held[d]
	if held {
		delete(c.held, d)
		d.free()
	}
	c.mu.Unlock()
	if held {
		c.account.release(d.msg.Size())
	}
	if err != nil {
		return fmt.Errorf("settle delivery: %w", err)
	}
	return nil
}
