package parking

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Breaker parks a certificate whose vendor is in trouble or whose credentials are wrong, and lets
// one push through from time to time to see whether it is over. It is a plain state machine: the
// caller locks and passes the time.
//
// How far a result reaches decides what it does ([vendors.Result.Reach]). Wrong credentials of the
// certificate open the breaker at once, other failures of it or of single calls after
// [Options.Failures] calls in a row. What the vendor says of single devices or notifications opens
// it only when [Options.Suspects] different ones got the same reason, with none accepted in between
// and none within the last ten seconds: a foreign token among healthy pushes, however often it is
// tried, parks nothing. What it says of the certificate's pushes of one kind is for a breaker of
// that kind.
type Breaker struct {
	opts  Options
	state State
	// failures in a row, of calls.
	failures int
	// suspects are the different devices and notifications, by their hash, of which the vendor said
	// suspicion since it last accepted a push.
	suspects  []uint64
	suspicion vendors.Reason
	seed      maphash.Seed
	// success is when the vendor last answered a call as healthy vendors do, accepted when it last
	// accepted a push.
	success, accepted time.Time
	// reason opened it, probe is when the next push may go, wait how long after a failed one.
	reason  vendors.Reason
	since   time.Time
	probe   time.Time
	wait    time.Duration
	probing bool
}

// State is Closed or Open.
type State uint8

// States. A certificate is parked while its breaker is open.
const (
	Closed State = iota
	Open
)

// String is "closed" or "open".
func (s State) String() string {
	if s == Open {
		return "open"
	}
	return "closed"
}

// Options say when a breaker opens and how often it probes. The zero value means the defaults.
type Options struct {
	// Failures is how many calls in a row must fail to open it; default 10. Wrong credentials of
	// the certificate open it at once.
	Failures int
	// Suspects is how many different devices or notifications must get the same reason to open it,
	// where the vendor speaks of them alone; default 10.
	Suspects int
	// FirstProbe and LastProbe bound the time between probes, doubled after each; defaults 1s and
	// 30s.
	FirstProbe, LastProbe time.Duration
}

const (
	// quiet is for how long nothing may have been accepted before the vendor's word about single
	// devices is taken for one about the certificate.
	quiet = 10 * time.Second
	// followSkew is how far the workers' clocks may stand apart.
	followSkew = 5 * time.Second
)

// New returns a closed breaker.
func New(opts Options) *Breaker {
	if opts.Failures <= 0 {
		opts.Failures = 10
	}
	if opts.Suspects <= 0 {
		opts.Suspects = 10
	}
	if opts.FirstProbe <= 0 {
		opts.FirstProbe = time.Second
	}
	if opts.LastProbe <= 0 {
		opts.LastProbe = 30 * time.Second
	}
	return &Breaker{opts: opts, seed: maphash.MakeSeed()}
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

// heard is what the results of a call say together.
type heard struct {
	accepted, healthy bool
	// failed is the reason of a failure of the certificate or the call, single that of single
	// devices or notifications; Accepted for none.
	failed, single vendors.Reason
	// credentials says that those of the certificate are wrong.
	credentials bool
}

func hear(results []vendors.Result) heard {
	h := heard{failed: vendors.Accepted, single: vendors.Accepted}
	for i := range results {
		r := &results[i]
		switch {
		case r.Reason == vendors.Interrupted:
		case !vendors.Sick(r.Reason):
			h.healthy = true
			h.accepted = h.accepted || r.Reason == vendors.Accepted
		default:
			switch r.Reach() {
			case vendors.ScopeKind:
				h.healthy = true // the vendor knows the certificate; kinds have breakers of their own
			case vendors.ScopeDevice, vendors.ScopeNotification:
				h.single = r.Reason
			case vendors.ScopeCertificate:
				h.failed = r.Reason
				h.credentials = h.credentials || r.Reason == vendors.BadCredentials
			default:
				h.failed = r.Reason
			}
		}
	}
	return h
}

// Record learns from the results of a call for the devices that began at began, and says whether
// the state changed. There is a result for each device, in order.
func (b *Breaker) Record(devices []vendors.Device, results []vendors.Result, probe bool, began, now time.Time) (changed bool) {
	if probe {
		b.probing = false
	}
	h := hear(results)
	if h.accepted {
		b.accepted, b.suspects = now, b.suspects[:0]
	} else if h.single != vendors.Accepted {
		b.suspect(devices, results)
	}
	if h.healthy {
		b.failures = 0
		b.success = now
		if b.state == Open && (probe || began.After(b.since)) {
			b.state, b.reason, b.since, b.suspects = Closed, vendors.Accepted, now, b.suspects[:0]
			return true
		}
	}
	why := h.failed
	switch {
	case why != vendors.Accepted && !h.healthy:
		b.failures++
	case h.single != vendors.Accepted && !h.accepted:
		why = h.single
	default:
		return false
	}
	if b.state == Open {
		if probe {
			b.wait = min(2*b.wait, b.opts.LastProbe)
			b.probe = now.Add(b.wait)
			b.reason = why
		}
		return false
	}
	suspicious := len(b.suspects) >= b.opts.Suspects && (b.accepted.IsZero() || now.Sub(b.accepted) >= quiet)
	if h.credentials && !h.healthy || b.failures >= b.opts.Failures || suspicious {
		b.open(why, now)
		return true
	}
	return false
}

// suspect notes the devices and notifications of which the vendor said that they fail.
func (b *Breaker) suspect(devices []vendors.Device, results []vendors.Result) {
	for i := range results {
		r := &results[i]
		if !vendors.Sick(r.Reason) {
			continue
		}
		var who string
		switch r.Reach() {
		case vendors.ScopeDevice:
			who = devices[i].Token
		case vendors.ScopeNotification:
			who = devices[i].Notification.Key
		default:
			continue
		}
		if r.Reason != b.suspicion {
			b.suspicion, b.suspects = r.Reason, b.suspects[:0]
		}
		if hash := maphash.String(b.seed, who); len(b.suspects) < b.opts.Suspects && !slices.Contains(b.suspects, hash) {
			b.suspects = append(b.suspects, hash)
		}
	}
}

func (b *Breaker) open(why vendors.Reason, now time.Time) {
	b.state, b.reason, b.since = Open, why, now
	b.wait = b.opts.FirstProbe
	b.probe = now.Add(b.wait)
}

// Follow learns from another worker. An open breaker elsewhere opens this one, unless own pushes
// got through after since, when that one opened: then the trouble is over, or the other worker's
// alone. When it closed there, the next push here is a probe at once. Follow says whether the state
// changed.
func (b *Breaker) Follow(open bool, why vendors.Reason, since, now time.Time) (changed bool) {
	switch {
	case open && b.state == Closed:
		if b.success.After(since.Add(followSkew)) {
			return false
		}
		b.open(why, now)
		return true
	case !open && b.state == Open:
		b.probe, b.wait = now, b.opts.FirstProbe
	}
	return false
}

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
func (b *Breaker) State() (State, vendors.Reason, time.Time) {
	return b.state, b.reason, b.since
}
