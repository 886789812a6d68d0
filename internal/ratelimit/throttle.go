package ratelimit

import (
	"encoding/json"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	cutFactor         = 0.5  // the part of the rate that is left after "too fast"
	regrowthPerSecond = 0.02 // of the rate before the cut, regained each second
	// minRateUnlimited is the slowest that a certificate without a rate is made: devices a second,
	// all workers together.
	minRateUnlimited = 20.0
	// resultsPerRefusal is how many results there are to one refusal when it is taken for a
	// device's limit and not for the certificate's.
	resultsPerRefusal = 20
	// maxPause bounds Retry-After for a whole certificate.
	maxPause = time.Hour
)

// throttle keeps this worker's share of the rate of a certificate.
type throttle struct {
	base       float64 // devices or requests a second, all workers together; 0 for none
	perRequest bool
	burst      time.Duration

	unlimited atomic.Bool  // no rate, and not slowed down: nothing to check
	granted   atomic.Int64 // devices, ever

	mu         sync.Mutex
	bucket     bucket
	share      float64
	shareUntil time.Time // when the share ends, if it is not renewed before; zero for never
	// phase, 0 to 1, differs among the workers: those that begin to send at the same moment borrow
	// at different ones.
	phase      float64
	borrowFrom time.Time
	lastSeen   time.Time // the latest time seen: the bucket must not be shown time twice
	slowdown   slowdown

	markedGranted int64 // granted at the time of mark
	markedAt      time.Time
	observed      float64 // devices a second of this worker, between the last two marks

	second         time.Time // of the counts below
	recentRefusals [2]int    // results that say "too fast", in this second and the one before
}

// slowdown is the state after a vendor's "too fast".
type slowdown struct {
	// a second, all workers together: before and after the cut; from is 0 when there is none
	from, rate  float64
	since       time.Time // when the rate began to grow again
	pausedUntil time.Time // Retry-After's end
	cutAt       time.Time // when the last news was taken
	published   string    // its entry in the KV, as last read
	// the entry that this worker made last; it is not stored yet while it differs from published
	own string
}

// slowdownEntry is the entry of a slowdown. It contains durations and no times, so that the
// workers' clocks may differ.
type slowdownEntry struct {
	From    float64 `json:"from"`
	Rate    float64 `json:"rate"`
	PauseMS int64   `json:"pause_ms,omitempty"`
	By      string  `json:"by,omitempty"`
	N       int64   `json:"n"` // tells two equal ones apart
}

func newThrottle(r vendors.Rate, burst time.Duration) *throttle {
	// The bucket starts empty, so that a new worker adds no burst.
	t := &throttle{base: r.DevicesPerSecond, burst: burst}
	if r.RequestsPerSecond > 0 {
		t.base, t.perRequest = r.RequestsPerSecond, true
	}
	t.unlimited.Store(t.base <= 0)
	return t
}

// clock returns now, or the latest time seen before if that is later. Called with mu held.
func (t *throttle) clock(now time.Time) time.Time {
	if now.After(t.lastSeen) {
		t.lastSeen = now
	}
	return t.lastSeen
}

// current is the rate in force for all workers together; 0 for none. It ends a slowdown whose rate
// has grown back. Called with mu held.
func (t *throttle) current(now time.Time) float64 {
	s := &t.slowdown
	if s.from <= 0 {
		return t.base
	}
	r := s.rate
	if grown := now.Sub(s.since); grown > 0 {
		r += regrowthPerSecond * s.from * grown.Seconds()
	}
	if t.base > 0 && r < t.base || t.base <= 0 && r < 2*s.from {
		return r
	}
	t.slowdown = slowdown{cutAt: s.cutAt, published: s.published, own: s.own}
	return t.base
}

// adjust sets the bucket to this worker's share of the rate in force. Called with mu held, and at
// least once per heartbeat.
func (t *throttle) adjust(now time.Time) {
	now = t.clock(now)
	r := t.current(now)
	t.unlimited.Store(r <= 0 && !t.paused(now))
	if r <= 0 {
		return
	}
	mine := r * t.share
	t.bucket.set(mine, max(1, math.Floor(mine*t.burst.Seconds())), now)
}

func (t *throttle) paused(now time.Time) bool { return now.Before(t.slowdown.pausedUntil) }

// setShare sets the worker's share of the rate, its phase among the workers, and until when the
// share may be used; zero means for ever.
func (t *throttle) setShare(share, phase float64, until, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if math.Abs(share-t.share) > epsilon || math.Abs(phase-t.phase) > epsilon {
		t.borrowFrom = time.Time{} // the workers find their order anew
	}
	t.share, t.phase, t.shareUntil = share, phase, until
	t.adjust(now)
	if elapsed := t.lastSeen.Sub(t.markedAt); elapsed >= 500*time.Millisecond {
		granted := t.granted.Load()
		t.observed = float64(granted-t.markedGranted) / elapsed.Seconds()
		t.markedAt, t.markedGranted = t.lastSeen, granted
	}
}

// pace is how many devices a second this worker may send; batch is how many a request carries. It
// is no less than what one call may borrow.
func (t *throttle) pace(batch int) float64 {
	if t.unlimited.Load() {
		return math.Inf(1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	whole := t.current(t.lastSeen)
	if whole <= 0 {
		return math.Inf(1) // paused without a rate
	}
	pace := t.bucket.rate
	if t.perRequest {
		return pace * float64(batch)
	}
	return max(pace, min(float64(batch), whole, pace*maxDebt.Seconds()))
}

// offer returns how many of n devices may be sent now, and how long to wait if none. It takes
// nothing from the bucket. If there are fewer than n it waits for half a burst, so that a slow rate
// does not lead to many small calls.
func (t *throttle) offer(now time.Time, n, requests int) (k int, wait time.Duration) {
	if t.unlimited.Load() {
		return n, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.check(now, n, requests, true)
}

// take takes n devices from the bucket, or as many as there are.
func (t *throttle) take(now time.Time, n, requests int) (k int, wait time.Duration) {
	if !t.unlimited.Load() {
		t.mu.Lock()
		defer t.mu.Unlock()
		k, wait = t.check(now, n, requests, false)
		if k == 0 {
			return 0, wait
		}
		if t.current(t.lastSeen) > 0 {
			cost := float64(k)
			if t.perRequest {
				cost = min(float64(requests), t.bucket.burst)
			}
			t.bucket.tokens -= cost
		}
		n = k
	}
	t.granted.Add(int64(n))
	return n, 0
}

func (t *throttle) check(now time.Time, n, requests int, chunk bool) (k int, wait time.Duration) {
	now = t.clock(now)
	if t.paused(now) {
		return 0, t.slowdown.pausedUntil.Sub(now)
	}
	if t.current(now) <= 0 {
		t.unlimited.Store(true)
		return n, 0
	}
	b := &t.bucket
	b.advance(now)
	// not yet, or no longer, a share
	if b.rate <= 0 || !t.shareUntil.IsZero() && !now.Before(t.shareUntil) {
		return 0, recheckSoon
	}
	need := min(float64(requests), b.burst)
	if !t.perRequest {
		need = 1
		if chunk {
			need = min(float64(n), max(1, math.Floor(b.burst/2)))
		}
	}
	there := b.tokens + epsilon
	if there < need {
		return 0, max(time.Millisecond, time.Duration(math.Ceil((need-there)/b.rate*float64(time.Second))))
	}
	if t.perRequest {
		return n, 0
	}
	return max(1, int(min(float64(n), max(there, t.debt(now, float64(n)))))), 0
}

// maxDebt is how long a worker's share takes at most to make up for what a call borrowed.
const maxDebt = 2 * time.Second

// debt is how many devices of n a call may carry beyond what is in the bucket: without it the calls
// become smaller with each worker that shares the rate, on a vendor that takes a thousand at once.
// What a call borrows, the worker's next one waits for, so that over time the rate is kept. It is
// at most a second of the whole rate, and what the worker's share makes up for within maxDebt.
//
// Workers must not all borrow at the same moment. In the time that a call of n devices takes a
// worker's share, counted by the clock, each has its turn, from which on it may borrow. It waits
// for that when it had nothing to send, and when workers come or go; then it first waits until all
// debts are paid. Called with mu held.
func (t *throttle) debt(now time.Time, n float64) float64 {
	b := &t.bucket
	most := min(n, t.current(now), b.rate*maxDebt.Seconds())
	anew := t.borrowFrom.IsZero()
	if anew || b.fullFor(now) >= idleAfter {
		round := max(time.Millisecond, time.Duration(most/b.rate*float64(time.Second)))
		from := now
		if anew {
			from = now.Add(round)
		}
		ago := time.Duration(from.UnixNano())%round - time.Duration(t.phase*float64(round)) // since its turn
		if ago > 0 {
			ago -= round
		}
		t.borrowFrom = from.Add(-ago)
	}
	if now.Before(t.borrowFrom) {
		return 0
	}
	return most
}

// idleAfter is for how long the bucket must have been full for the worker to have nothing to send.
const idleAfter = time.Second

// bucket is a token bucket that may be in debt.
type bucket struct {
	rate, burst float64 // tokens a second, and the most that are kept
	tokens      float64 // negative for a debt
	at          time.Time
	fullAt      time.Time // since when it is full; zero when it is not
}

// advance adds the tokens of the time since the last call.
func (b *bucket) advance(now time.Time) {
	elapsed := now.Sub(b.at)
	if b.at.IsZero() || elapsed <= 0 {
		b.at = latest(b.at, now)
		return
	}
	full := b.tokens >= b.burst
	grown := b.tokens + b.rate*elapsed.Seconds()
	switch {
	case grown < b.burst:
		b.fullAt = time.Time{}
	case !full || b.fullAt.IsZero():
		b.fullAt = now
		if over := grown - b.burst; b.rate > 0 {
			b.fullAt = now.Add(-min(elapsed, time.Duration(over/b.rate*float64(time.Second))))
		}
	}
	b.tokens, b.at = min(grown, b.burst), now
}

// set changes the rate and the burst from now on.
func (b *bucket) set(rate, burst float64, now time.Time) {
	b.advance(now)
	b.rate, b.burst = rate, burst
	b.tokens = min(b.tokens, burst)
}

// fullFor is for how long the bucket is full.
func (b *bucket) fullFor(now time.Time) time.Duration {
	if b.fullAt.IsZero() {
		return 0
	}
	return now.Sub(b.fullAt)
}

// recordRefusals records that refused devices of a call made at sentAt, at least one, were answered
// with "too fast". It returns the entry that tells the other workers and for how long it is of use,
// or nil if nothing changed. Pushes that were accepted are counted in granted.
func (t *throttle) recordRefusals(sentAt, now time.Time, refused int, retryAfter time.Duration, by string) (entry []byte, ttl time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.clock(now)
	t.countRefusals(now, refused)
	if float64((t.recentRefusals[0]+t.recentRefusals[1])*resultsPerRefusal) < t.observedSpeed(now) {
		return nil, 0
	}
	news := t.slowdown.cutAt.IsZero() || sentAt.After(t.slowdown.cutAt)
	pause := now.Add(min(retryAfter, maxPause))
	longer := pause.After(t.slowdown.pausedUntil.Add(time.Second)) && retryAfter > 0
	if !news && !longer {
		return nil, 0
	}
	if news {
		from := t.current(now)
		if from <= 0 {
			from = t.observedSpeed(now)
			if t.share > 0 {
				from /= t.share
			}
			from = max(from, 2*minRateUnlimited)
		}
		t.slowdown.from, t.slowdown.rate = from, max(from*cutFactor, t.minRate())
		t.slowdown.cutAt = now
		t.bucket.advance(now)
		t.bucket.tokens = min(t.bucket.tokens, 0) // no burst after a refusal
	}
	if longer {
		t.slowdown.pausedUntil = pause
	}
	t.slowdown.since = latest(now, t.slowdown.pausedUntil)
	t.adjust(now)
	s := slowdownEntry{From: t.slowdown.from, Rate: t.slowdown.rate, By: by, N: now.UnixNano()}
	if t.paused(now) {
		s.PauseMS = t.slowdown.pausedUntil.Sub(now).Milliseconds()
	}
	entry, _ = json.Marshal(s) // numbers and a name always marshal
	t.slowdown.own = string(entry)
	return entry, s.usefulFor()
}

// countRefusals adds to the refusals of this second.
func (t *throttle) countRefusals(now time.Time, refused int) {
	switch since := now.Sub(t.second); {
	case since >= 2*time.Second:
		t.second, t.recentRefusals = now, [2]int{}
	case since >= time.Second:
		t.second = now
		t.recentRefusals = [2]int{0, t.recentRefusals[0]}
	}
	t.recentRefusals[0] += refused
}

// minRate is the rate below which the certificate is never slowed down.
func (t *throttle) minRate() float64 {
	if t.base > 0 {
		return max(t.base/100, min(1, t.base))
	}
	return minRateUnlimited
}

// observedSpeed is how fast this worker was recently, in devices a second.
func (t *throttle) observedSpeed(now time.Time) float64 {
	speed := t.observed
	if elapsed := now.Sub(t.markedAt).Seconds(); elapsed >= 0.1 && !t.markedAt.IsZero() {
		speed = max(speed, float64(t.granted.Load()-t.markedGranted)/elapsed)
	}
	return speed
}

// applyEntry applies the slowdown's entry of the KV, "" if there is none. An entry that cannot be
// read is ignored.
func (t *throttle) applyEntry(value string, now time.Time) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if value == t.slowdown.published {
		return false
	}
	now = t.clock(now)
	// this worker's own entry is not stored yet, and it is newer
	underWay := t.slowdown.own != t.slowdown.published && t.slowdown.own != ""
	was := t.slowdown.from > 0
	t.slowdown.published = value
	if underWay {
		return false
	}
	var s slowdownEntry
	switch {
	case value == "": // it ended, or an operator removed it
		t.slowdown = slowdown{cutAt: t.slowdown.cutAt}
	case json.Unmarshal([]byte(value), &s) != nil || !(s.From > 0) || !(s.Rate > 0):
		return false
	default:
		t.slowdown = slowdown{from: s.From, rate: s.Rate, since: now, cutAt: now, published: value}
		if s.PauseMS > 0 {
			t.slowdown.pausedUntil = now.Add(time.Duration(min(s.PauseMS, maxPause.Milliseconds())) * time.Millisecond)
			t.slowdown.since = t.slowdown.pausedUntil
		}
	}
	t.slowdown.own = value
	t.adjust(now)
	return was != (t.slowdown.from > 0) || value != ""
}

// usefulFor is how long a slowdown's entry is of use.
func (s *slowdownEntry) usefulFor() time.Duration {
	heal := (2*s.From - s.Rate) / (regrowthPerSecond * s.From)
	return time.Duration(s.PauseMS)*time.Millisecond + time.Duration(heal*float64(time.Second)) + 10*time.Second
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
