package ratelimit

import (
	"encoding/json"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	cut    = 0.5  // what is left of the rate after a vendor's "too fast"
	growth = 0.02 // of the rate before the cut, regained each second
	// leastOpen is the slowest that a certificate without a rate is made: devices a second, all
	// workers together.
	leastOpen = 20.0
	// sparse is how many results there are to one refusal when it is taken for a device's limit and
	// not for the certificate's.
	sparse = 20
	// maxPause bounds Retry-After for a whole certificate.
	maxPause = time.Hour
)

// throttle is the rate of a certificate as this worker keeps it.
type throttle struct {
	base       float64 // devices or requests a second, all workers together; 0 for none
	perRequest bool
	burst      time.Duration

	open    atomic.Bool  // no rate and not slowed: nothing to look at
	granted atomic.Int64 // devices, ever

	mu     sync.Mutex
	bucket *rate.Limiter
	share  float64
	until  time.Time // when the share ends, if it is not renewed before; zero for never
	now    time.Time // the latest time seen: the bucket must not be shown time twice
	slow   slowdown

	marked   int64 // granted at the time of mark
	mark     time.Time
	observed float64 // devices a second of this worker, between the last two marks

	second time.Time // of the counts below
	hot    [2]int    // results that say "too fast", in this second and the one before
}

// slowdown is a vendor's "too fast".
type slowdown struct {
	// a second, all workers together: before and after the cut; from is 0 when there is none
	from, rate float64
	since      time.Time // when the rate began to grow again
	pause      time.Time // Retry-After's end
	cutAt      time.Time // when the last news was taken
	note       string    // its note on the board, as last seen
	// the note that this worker made last; not yet on the board while it differs from note
	own string
}

// slowed is the value of a slowdown's note. It carries durations, not times, so that clocks need
// not agree.
type slowed struct {
	From    float64 `json:"from"`
	Rate    float64 `json:"rate"`
	PauseMS int64   `json:"pause_ms,omitempty"`
	By      string  `json:"by,omitempty"`
	N       int64   `json:"n"` // tells two equal ones apart
}

func newThrottle(r vendors.Rate, burst time.Duration) *throttle {
	t := &throttle{base: r.DevicesPerSecond, burst: burst}
	if r.RequestsPerSecond > 0 {
		t.base, t.perRequest = r.RequestsPerSecond, true
	}
	t.bucket = rate.NewLimiter(0, 1)
	t.bucket.AllowN(time.Time{}, 1) // it starts empty: a worker that comes brings no burst along
	t.open.Store(t.base <= 0)
	return t
}

// clock is now, never earlier than what was seen before. Called with mu held.
func (t *throttle) clock(now time.Time) time.Time {
	if now.After(t.now) {
		t.now = now
	}
	return t.now
}

// current is the rate in force for all workers together; 0 for none. It ends a slowdown that has
// healed. Called with mu held.
func (t *throttle) current(now time.Time) float64 {
	s := &t.slow
	if s.from <= 0 {
		return t.base
	}
	r := s.rate
	if grown := now.Sub(s.since); grown > 0 {
		r += growth * s.from * grown.Seconds()
	}
	if t.base > 0 && r < t.base || t.base <= 0 && r < 2*s.from {
		return r
	}
	t.slow = slowdown{cutAt: s.cutAt, note: s.note, own: s.own}
	return t.base
}

// adjust makes the bucket follow the rate in force and the share. Called with mu held, and at least
// once a beat.
func (t *throttle) adjust(now time.Time) {
	now = t.clock(now)
	r := t.current(now)
	t.open.Store(r <= 0 && !t.paused(now))
	if r <= 0 {
		return
	}
	mine := r * t.share
	t.bucket.SetLimitAt(now, rate.Limit(mine))
	t.bucket.SetBurstAt(now, max(1, int(mine*t.burst.Seconds())))
}

func (t *throttle) paused(now time.Time) bool { return now.Before(t.slow.pause) }

// setShare sets the worker's share of the rate, and how long it may be used; zero for ever.
func (t *throttle) setShare(share float64, until, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.share, t.until = share, until
	t.adjust(now)
	if elapsed := t.now.Sub(t.mark); elapsed >= 500*time.Millisecond {
		granted := t.granted.Load()
		t.observed = float64(granted-t.marked) / elapsed.Seconds()
		t.mark, t.marked = t.now, granted
	}
}

// pace is how many devices a second this worker may send; batch is how many a request carries.
func (t *throttle) pace(batch int) float64 {
	if t.open.Load() {
		return math.Inf(1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	pace := float64(t.bucket.Limit())
	if t.current(t.now) <= 0 {
		return math.Inf(1) // paused without a rate
	}
	if t.perRequest {
		pace *= float64(batch)
	}
	return pace
}

// offer says how many of n devices may be sent now, and when to come again if none. It takes
// nothing out of the bucket. Where fewer than n are there it waits for half a burst, so that a slow
// rate does not make many small calls.
func (t *throttle) offer(now time.Time, n, requests int) (k int, wait time.Duration) {
	if t.open.Load() {
		return n, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.look(now, n, requests, true)
}

// take takes n devices, or what there is, out of the bucket.
func (t *throttle) take(now time.Time, n, requests int) (k int, wait time.Duration) {
	if !t.open.Load() {
		t.mu.Lock()
		defer t.mu.Unlock()
		k, wait = t.look(now, n, requests, false)
		if k == 0 {
			return 0, wait
		}
		if t.current(t.now) > 0 {
			cost := k
			if t.perRequest {
				cost = min(requests, t.bucket.Burst())
			}
			t.bucket.AllowN(t.now, cost)
		}
		n = k
	}
	t.granted.Add(int64(n))
	return n, 0
}

func (t *throttle) look(now time.Time, n, requests int, chunk bool) (k int, wait time.Duration) {
	now = t.clock(now)
	if t.paused(now) {
		return 0, t.slow.pause.Sub(now)
	}
	if t.current(now) <= 0 {
		t.open.Store(true)
		return n, 0
	}
	limit, burst := float64(t.bucket.Limit()), t.bucket.Burst()
	if limit <= 0 || !t.until.IsZero() && !now.Before(t.until) { // not yet, or no longer, a share
		return 0, lookSoon
	}
	need := min(requests, burst)
	if !t.perRequest {
		need = 1
		if chunk {
			need = min(n, max(1, burst/2))
		}
	}
	there := t.bucket.TokensAt(now) + epsilon
	if there < float64(need) {
		return 0, max(time.Millisecond, time.Duration(math.Ceil((float64(need)-there)/limit*float64(time.Second))))
	}
	if t.perRequest {
		return n, 0
	}
	return min(n, int(there)), 0
}

// learn takes the vendor's answers to a call made at at: refused of them, at least one, said "too
// fast". It returns the note that tells the other workers and how long it is of use, nil when there
// is no news. What went well is in granted.
func (t *throttle) learn(at, now time.Time, refused int, retryAfter time.Duration, by string) (note []byte, ttl time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.clock(now)
	t.count(now, refused)
	if float64((t.hot[0]+t.hot[1])*sparse) < t.speed(now) {
		return nil, 0
	}
	news := t.slow.cutAt.IsZero() || at.After(t.slow.cutAt)
	pause := now.Add(min(retryAfter, maxPause))
	longer := pause.After(t.slow.pause.Add(time.Second)) && retryAfter > 0
	if !news && !longer {
		return nil, 0
	}
	if news {
		from := t.current(now)
		if from <= 0 {
			from = t.speed(now)
			if t.share > 0 {
				from /= t.share
			}
			from = max(from, 2*leastOpen)
		}
		t.slow.from, t.slow.rate = from, max(from*cut, t.least())
		t.slow.cutAt = now
		t.bucket.SetLimitAt(now, 0)
		t.bucket.AllowN(now, int(t.bucket.TokensAt(now))) // no burst after a refusal
	}
	if longer {
		t.slow.pause = pause
	}
	t.slow.since = latest(now, t.slow.pause)
	t.adjust(now)
	s := slowed{From: t.slow.from, Rate: t.slow.rate, By: by, N: now.UnixNano()}
	if t.paused(now) {
		s.PauseMS = t.slow.pause.Sub(now).Milliseconds()
	}
	note, _ = json.Marshal(s) // numbers and a name always marshal
	t.slow.own = string(note)
	return note, s.lasts()
}

// count adds to this second's refusals.
func (t *throttle) count(now time.Time, refused int) {
	switch since := now.Sub(t.second); {
	case since >= 2*time.Second:
		t.second, t.hot = now, [2]int{}
	case since >= time.Second:
		t.second = now
		t.hot = [2]int{0, t.hot[0]}
	}
	t.hot[0] += refused
}

// least is the slowest that the certificate is ever made.
func (t *throttle) least() float64 {
	if t.base > 0 {
		return max(t.base/100, min(1, t.base))
	}
	return leastOpen
}

// speed is how fast this worker was lately, devices a second.
func (t *throttle) speed(now time.Time) float64 {
	speed := t.observed
	if elapsed := now.Sub(t.mark).Seconds(); elapsed >= 0.1 && !t.mark.IsZero() {
		speed = max(speed, float64(t.granted.Load()-t.marked)/elapsed)
	}
	return speed
}

// apply takes the slowdown's note from the board, "" for none. A note that cannot be read is left
// alone.
func (t *throttle) apply(value string, now time.Time) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if value == t.slow.note {
		return false
	}
	now = t.clock(now)
	// our own word is still on its way to the board, and newer
	underWay := t.slow.own != t.slow.note && t.slow.own != ""
	was := t.slow.from > 0
	t.slow.note = value
	if underWay {
		return false
	}
	var s slowed
	switch {
	case value == "": // over, or an operator removed it
		t.slow = slowdown{cutAt: t.slow.cutAt}
	case json.Unmarshal([]byte(value), &s) != nil || !(s.From > 0) || !(s.Rate > 0):
		return false
	default:
		t.slow = slowdown{from: s.From, rate: s.Rate, since: now, cutAt: now, note: value}
		if s.PauseMS > 0 {
			t.slow.pause = now.Add(time.Duration(min(s.PauseMS, maxPause.Milliseconds())) * time.Millisecond)
			t.slow.since = t.slow.pause
		}
	}
	t.slow.own = value
	t.adjust(now)
	return was != (t.slow.from > 0) || value != ""
}

// lasts is how long a slowdown's note is of use.
func (s *slowed) lasts() time.Duration {
	heal := (2*s.From - s.Rate) / (growth * s.From)
	return time.Duration(s.PauseMS)*time.Millisecond + time.Duration(heal*float64(time.Second)) + 10*time.Second
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
