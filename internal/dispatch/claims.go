package dispatch

import (
	"log/slog"
	"sync"
	"time"
)

// claims knows what this worker holds of one queue and what it settled lately, so that a message
// which comes again although it is known here does no work a second time.
type claims struct {
	log *slog.Logger

	mu   sync.Mutex
	held map[place]*claim
	// settled are those whose ack may have been lost.
	settled recent[struct{}]
	// given were given back without an attempt; the value is how often they had been taken then.
	given recent[int]
}

// place is a message's place in its stream. Sequences begin anew when a stream is made anew; the
// time tells them apart.
type place struct {
	sequence uint64
	stored   int64
}

func newClaims(log *slog.Logger) *claims { return &claims{log: log, held: map[place]*claim{}} }

// claim is a message that is held. It must be ended once, by Ack, Nak or Forget.
type claim struct {
	of     *claims
	at     place
	stored time.Time
	// again says that the message was taken before and may have been worked on by another worker.
	again bool

	// guarded by of.mu
	delivery Delivery
	taken    int // how often the message was taken
	kept     bool
}

// take begins to hold a delivery. It returns nil when the message is known here: then the delivery
// takes the place of the one that is held, or is acked once more.
func (c *claims) take(d Delivery) *claim {
	seq, stored, taken := d.Meta()
	at := place{seq, stored.UnixNano()}
	c.mu.Lock()
	if h := c.held[at]; h != nil {
		old := h.delivery
		h.delivery, h.taken = d, taken
		kept := h.kept
		c.mu.Unlock()
		old.Forget()
		if kept {
			d.Keep()
		}
		return nil
	}
	if taken > 1 {
		if _, done := c.settled.get(at); done {
			c.mu.Unlock()
			c.report(d, d.Ack())
			return nil
		}
	}
	h := &claim{of: c, at: at, stored: stored, delivery: d, taken: taken}
	if taken > 1 {
		before, ours := c.given.get(at)
		h.again = !ours || before != taken-1
	}
	c.held[at] = h
	c.mu.Unlock()
	return h
}

func (c *claims) report(d Delivery, err error) {
	if err != nil {
		c.log.Debug("cannot settle, the message comes again", "subject", d.Subject(), "error", err)
	}
}

// Ack ends the claim: the message is done.
func (h *claim) Ack() {
	d := h.end(func() { h.of.settled.put(h.at, struct{}{}) })
	h.of.report(d, d.Ack())
}

// Nak gives the message back, to come again after the delay. No attempt was made, or none that
// needs a record.
func (h *claim) Nak(delay time.Duration) {
	d := h.end(func() { h.of.given.put(h.at, h.taken) })
	h.of.report(d, d.Nak(delay))
}

// Forget ends the claim without a word: the message comes again when the server misses it.
func (h *claim) Forget() { h.end(func() {}).Forget() }

func (h *claim) end(remember func()) Delivery {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	delete(h.of.held, h.at)
	remember()
	return h.delivery
}

// Keep makes the message count no longer among those at hand.
func (h *claim) Keep() {
	h.of.mu.Lock()
	d := h.delivery
	h.kept = true
	h.of.mu.Unlock()
	d.Keep()
}

// Takes is how often the message was taken.
func (h *claim) Takes() int {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	return h.taken
}

// recentSize is how many entries a recent remembers at least, once it had as many.
const recentSize = 8192

// recent remembers the entries put last, between one and two times recentSize of them.
type recent[V any] struct{ young, old map[place]V }

func (r *recent[V]) put(at place, v V) {
	if r.young == nil || len(r.young) >= recentSize {
		r.old, r.young = r.young, map[place]V{}
	}
	r.young[at] = v
}

func (r *recent[V]) get(at place) (v V, ok bool) {
	if v, ok = r.young[at]; !ok {
		v, ok = r.old[at]
	}
	return v, ok
}
