package dispatch

import (
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Breaker parks a certificate whose vendor is in trouble or whose credentials are wrong, and lets
// one push through from time to time to see whether it is over. It is a plain state machine: the
// caller locks and passes the time.
type Breaker struct {
	opts  BreakerOptions
	state BreakerState
	// failures in a row, of calls.
	failures int
	// success is when the vendor last answered a call as healthy vendors do.
	success time.Time
	// reason opened it, probe is when the next push may go, wait how long after a failed one.
	reason  vendors.Reason
	since   time.Time
	probe   time.Time
	wait    time.Duration
	probing bool
}

// BreakerState is Closed or Open.
type BreakerState uint8

// States.
const (
	Closed BreakerState = iota
	Open
)

// String is "closed" or "open".
func (s BreakerState) String() string {
	if s == Open {
		return "open"
	}
	return "closed"
}

// BreakerOptions say when a breaker opens and how often it probes. The zero value means the
// defaults.
type BreakerOptions struct {
	// Failures in a row that open it; default 10. Wrong credentials open it at once.
	Failures int
	// FirstProbe and LastProbe bound the time between probes, doubled after each; defaults 1s and
	// 30s.
	FirstProbe, LastProbe time.Duration
}

// NewBreaker returns a closed breaker.
func NewBreaker(opts BreakerOptions) *Breaker {
	if opts.Failures <= 0 {
		opts.Failures = 10
	}
	if opts.FirstProbe <= 0 {
		opts.FirstProbe = time.Second
	}
	if opts.LastProbe <= 0 {
		opts.LastProbe = 30 * time.Second
	}
	return &Breaker{opts: opts}
}

// Allow says whether a call may be made now, whether it is a probe (then it must carry a single
// device), and otherwise how long to wait. A call that was allowed must be reported to Record, or
// to Forget when it was not made after all.
func (b *Breaker) Allow(now time.Time) (ok, probe bool, wait time.Duration) {
	switch {
	case b.state == Closed:
		return true, false, 0
	case b.probing:
		return false, false, b.opts.FirstProbe
	case now.Before(b.probe):
		return false, false, b.probe.Sub(now)
	}
	b.probing = true
	return true, true, 0
}

// Forget takes back an allowed probe that was not made.
func (b *Breaker) Forget() { b.probing = false }

// Record learns from the results of a call that began at began, and says whether the state changed.
func (b *Breaker) Record(results []vendors.Result, probe bool, began, now time.Time) (changed bool) {
	if probe {
		b.probing = false
	}
	sick, interrupted := vendors.Accepted, true
	healthy := false
	for _, r := range results {
		if r.Reason != vendors.Interrupted {
			interrupted = false
		}
		if rules[r.Reason].sick {
			sick = r.Reason
		} else if r.Reason != vendors.Interrupted {
			healthy = true
		}
	}
	switch {
	case interrupted:
		return false
	case healthy:
		b.failures = 0
		b.success = now
		if b.state == Open && (probe || began.After(b.since)) {
			b.state, b.reason, b.since = Closed, vendors.Accepted, now
			return true
		}
		return false
	}
	b.failures++
	if b.state == Open {
		if probe {
			b.wait = min(2*b.wait, b.opts.LastProbe)
			b.probe = now.Add(b.wait)
			b.reason = sick
		}
		return false
	}
	if sick == vendors.BadCredentials || b.failures >= b.opts.Failures {
		b.state, b.reason, b.since = Open, sick, now
		b.wait = b.opts.FirstProbe
		b.probe = now.Add(b.wait)
		return true
	}
	return false
}

// Follow learns from another worker. An open breaker elsewhere opens this one; when it closed
// there, the next push here is a probe at once. It says whether the state changed.
func (b *Breaker) Follow(open bool, why vendors.Reason, now time.Time) (changed bool) {
	switch {
	case open && b.state == Closed:
		b.state, b.reason, b.since = Open, why, now
		b.wait = b.opts.FirstProbe
		b.probe = now.Add(b.wait)
		return true
	case !open && b.state == Open:
		b.probe, b.wait = now, b.opts.FirstProbe
	}
	return false
}

// WellSince says whether it is closed and the vendor answered a call as healthy vendors do after a
// time.
func (b *Breaker) WellSince(t time.Time) bool { return b.state == Closed && b.success.After(t) }

// Sick says whether the failure of a call that began at began is the vendor's as a whole: the
// breaker is open, or others that ran beside it failed too and none succeeded since. inFlight is
// how many calls ran at the time, this one included.
func (b *Breaker) Sick(began time.Time, inFlight int) bool {
	if b.state == Open {
		return true
	}
	return b.success.Before(began) && (inFlight > 1 || b.failures > 1)
}

// State returns the state, what opened it and since when.
func (b *Breaker) State() (BreakerState, vendors.Reason, time.Time) {
	return b.state, b.reason, b.since
}
