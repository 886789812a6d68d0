package store

import (
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Claims knows what this worker holds of one queue and what it settled lately, so that a message
// which comes again although it is known here does no work a second time.
type Claims struct {
	log *slog.Logger

	mu   sync.Mutex
	held map[place]*Claim
	// settled are those whose ack may have been lost.
	settled recent[struct{}]
	// given were given back without an attempt, and nobody else had made one before; the value is
	// how often they had been taken then.
	given recent[int]
}

// place is a message's place in its stream. Sequences begin anew when a stream is made anew; the
// time tells them apart.
type place struct {
	sequence uint64
	stored   int64
}

// NewClaims holds nothing yet.
func NewClaims(log *slog.Logger) *Claims { return &Claims{log: log, held: map[place]*Claim{}} }

// Claim is a message that is held. It must be ended once, by Ack, Nak or Forget.
type Claim struct {
	of *Claims
	at place
	// Stored is when the message was stored.
	Stored time.Time
	// Again says that the message was taken before and may have been worked on by another worker.
	Again bool

	// guarded by of.mu
	delivery dispatch.Delivery
	taken    int // how often the message was taken
	kept     bool
}

// Take begins to hold a delivery. It returns nil when the message is known here: then the delivery
// takes the place of the one that is held, or is acked once more.
func (c *Claims) Take(d dispatch.Delivery) *Claim {
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
	h := &Claim{of: c, at: at, Stored: stored, delivery: d, taken: taken}
	if taken > 1 {
		before, ours := c.given.get(at)
		h.Again = !ours || before != taken-1
	}
	c.held[at] = h
	c.mu.Unlock()
	return h
}

func (c *Claims) report(d dispatch.Delivery, err error) {
	if err != nil {
		c.log.Debug("cannot settle, the message comes again", "subject", d.Subject(), "error", err)
	}
}

// Ack ends the claim: the message is done.
func (h *Claim) Ack() {
	d := h.end(func() { h.of.settled.put(h.at, struct{}{}) })
	h.of.report(d, d.Ack())
}

// Nak gives the message back, to come again after the delay. No attempt was made, or none that
// needs a record. What another worker may have worked on before is Again when it comes.
func (h *Claim) Nak(delay time.Duration) {
	d := h.end(func() {
		if !h.Again {
			h.of.given.put(h.at, h.taken)
		}
	})
	h.of.report(d, d.Nak(delay))
}

// Forget ends the claim without a word: the message comes again when the server misses it.
func (h *Claim) Forget() { h.end(func() {}).Forget() }

func (h *Claim) end(remember func()) dispatch.Delivery {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	delete(h.of.held, h.at)
	remember()
	return h.delivery
}

// Name names this holding of the message, for the ids of what follows from it: the same however
// often that is published.
func (h *Claim) Name() string {
	return strconv.FormatUint(h.at.sequence, 36) + "/" + strconv.FormatInt(h.at.stored, 36)
}

// Keep makes the message count no longer among those at hand.
func (h *Claim) Keep() {
	h.of.mu.Lock()
	d := h.delivery
	h.kept = true
	h.of.mu.Unlock()
	d.Keep()
}

// Takes is how often the message was taken.
func (h *Claim) Takes() int {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	return h.taken
}

// RollOut is how long a message is left to workers that know what this one does not, when it was
// taken some times: they may still be starting.
func RollOut(takes int) time.Duration {
	return min(5*time.Second<<max(0, min(takes-1, 4)), time.Minute)
}

// Duty is what a claim owes: the claim is acked when all that follows from it is stored. Everything
// that follows holds a share of it.
type Duty struct {
	Claim *Claim
	// Size is the delivery's, in bytes.
	Size int

	left  atomic.Int64
	lost  atomic.Bool
	back  atomic.Int64 // the delay after which it is to come again, and 1; 0 where it is not
	kept  atomic.Bool
	ended func()
}

// NewDuty returns a claim's duty. The caller holds its first share. ended, when it is not nil, is
// called once the claim is ended.
func NewDuty(c *Claim, size int, ended func()) *Duty {
	d := &Duty{Claim: c, Size: size, ended: ended}
	d.left.Store(1)
	return d
}

// Add takes n more shares. The caller must hold one.
func (d *Duty) Add(n int) { d.left.Add(int64(n)) }

// Done ends a share: with false when something that had to be stored was given up. The last one
// acks the claim, or leaves it to come again.
func (d *Duty) Done(stored bool) {
	if !stored {
		d.lost.Store(true)
	}
	if d.left.Add(-1) > 0 {
		return
	}
	switch back := d.back.Load(); {
	case d.lost.Load():
		d.Claim.Forget()
	case back > 0:
		d.Claim.Nak(time.Duration(back - 1))
	default:
		d.Claim.Ack()
	}
	d.end()
}

// GiveBack ends a share and gives the message back with the last one, to come again after the
// delay.
func (d *Duty) GiveBack(delay time.Duration) {
	d.back.Store(int64(delay) + 1)
	d.Done(true)
}

func (d *Duty) end() {
	if d.ended != nil {
		d.ended()
	}
}

// Keep makes the claim count no longer among those at hand, once.
func (d *Duty) Keep() {
	if !d.kept.Swap(true) {
		d.Claim.Keep()
	}
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
