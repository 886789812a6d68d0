package send

import (
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Act is what a verdict does with a device's push.
type Act uint8

const (
	// Done means that the vendor took it.
	Done Act = iota
	// Die means that it becomes a dead letter.
	Die
	// Retry means that it is tried again after Verdict.Delay.
	Retry
)

// Verdict is what becomes of a device's push after a result.
type Verdict struct {
	Act Act
	// Reason is the outcome's: the result's own, or Expired or AttemptsExhausted.
	Reason vendors.Reason
	// Delay until the next try.
	Delay time.Duration
	// Counts says that this was an attempt.
	Counts bool
	// Drop says that the registration is to be removed.
	Drop bool
}

// rule is a row of the reason table.
type rule struct {
	act    Act
	counts bool
	drop   bool
	// tries bounds the attempts, 0 leaves it to Retries.Attempts.
	tries int
}

// rules is the reason table of the contract, total over all reasons.
var rules = map[vendors.Reason]rule{
	vendors.Accepted:       {act: Done},
	vendors.BadToken:       {act: Die, counts: true, drop: true},
	vendors.NotDisplayed:   {act: Die, counts: true},
	vendors.BadPayload:     {act: Die, counts: true},
	vendors.Refused:        {act: Die, counts: true},
	vendors.DeviceCapped:   {act: Die},
	vendors.BadCredentials: {act: Retry},
	vendors.AuthExpired:    {act: Retry},
	vendors.RateLimited:    {act: Retry},
	vendors.QuotaSpent:     {act: Retry},
	vendors.Unavailable:    {act: Retry, counts: true},
	vendors.Timeout:        {act: Retry, counts: true},
	vendors.Interrupted:    {act: Retry},
	vendors.Unknown:        {act: Retry, counts: true, tries: 3},
	// Never a driver's word; total all the same.
	vendors.Expired:            {act: Die},
	vendors.AttemptsExhausted:  {act: Die},
	vendors.Malformed:          {act: Die},
	hongyan.UnknownCertificate: {act: Die},
}

// Retries says how often and how fast a push is tried again. The zero value means the defaults.
type Retries struct {
	// Attempts is the most attempts that count; default 8.
	Attempts int
	// Base is the first delay's mean, doubled with each attempt up to Max; defaults 1s and 5m. The
	// delay is drawn between 0 and twice the mean ("full jitter").
	Base, Max time.Duration
}

func (r Retries) withDefaults() Retries {
	if r.Attempts <= 0 {
		r.Attempts = 8
	}
	if r.Base <= 0 {
		r.Base = time.Second
	}
	if r.Max <= 0 {
		r.Max = 5 * time.Minute
	}
	return r
}

// Situation is what Decide knows besides the result.
type Situation struct {
	// Attempts that counted before this one, and when the message was published.
	Attempts  int
	Published time.Time
	Deadline  time.Time
	Now       time.Time
	// Sick says that the vendor as a whole is in trouble, or with a result of [vendors.ScopeKind]
	// that pushes of the kind are: an outage burns no attempts.
	Sick bool
	// Midnight is when the vendor's day ends, and After is how long after that what waits for it
	// comes.
	Midnight time.Time
	After    time.Duration
	// Random is uniform in [0,1).
	Random float64
	Retries
}

// deviceWait is the least wait of a device that got too many pushes, where the vendor names none:
// such limits count by the minute.
const deviceWait = 10 * time.Second

// Pushes of a kind that is parked come again after half the age of their message, within these
// bounds, and up to twice that. The first that comes probes.
const (
	kindWait     = 15 * time.Second
	mostKindWait = 2 * time.Minute
)

// Decide gives the verdict on a result. It is pure.
func Decide(r vendors.Result, s Situation) Verdict {
	s.Retries = s.withDefaults()
	rule, ok := rules[r.Reason]
	if !ok { // a driver's own word, or none at all
		r.Reason = vendors.Unknown
		rule = rules[vendors.Unknown]
	}
	v := Verdict{Act: rule.act, Reason: r.Reason, Counts: rule.counts, Drop: rule.drop}
	if v.Act != Retry {
		return v
	}
	// A device's or a text's own trouble must not be tried for ever: where the certificate, or the
	// kind, was not parked meanwhile, the vendor refuses this push alone.
	own := r.Reason == vendors.BadCredentials && r.Reach() != vendors.ScopeCertificate
	v.Counts = v.Counts || own
	if vendors.Sick(r.Reason) && s.Sick {
		v.Counts = false
	}
	attempts := s.Attempts
	if v.Counts {
		attempts++
	}
	tries := s.Retries.Attempts
	if rule.tries > 0 {
		tries = min(tries, rule.tries)
	}
	left := s.Deadline.Sub(s.Now)
	switch {
	case left <= 0:
		return Verdict{Act: Die, Reason: vendors.Expired, Counts: v.Counts}
	case v.Counts && attempts >= tries && own:
		return Verdict{Act: Die, Reason: vendors.Refused, Counts: true}
	case v.Counts && attempts >= tries:
		return Verdict{Act: Die, Reason: vendors.AttemptsExhausted, Counts: true}
	}
	switch {
	case r.Reason == vendors.BadCredentials && r.Reach() == vendors.ScopeKind:
		// Pushes of this kind wait for somebody to mend the certificate, ever longer.
		v.Delay = min(max(s.Now.Sub(s.Published)/2, kindWait), mostKindWait)
		v.Delay += time.Duration(s.Random * float64(v.Delay))
	case own:
		v.Delay = fullJitter(s.Retries, attempts, s.Random)
	case r.Reason == vendors.QuotaSpent:
		v.Delay = s.Midnight.Sub(s.Now)
		if r.RetryAfter > 0 {
			v.Delay = r.RetryAfter
		}
		if v.Delay >= left {
			return Verdict{Act: Die, Reason: vendors.QuotaSpent} // it will not live that long
		}
		v.Delay += min(s.After, (left-v.Delay)/2)
		return v
	case r.Reason == vendors.Interrupted:
		return v
	case r.Reason == vendors.RateLimited && r.Scope == vendors.ScopeDevice:
		v.Delay = deviceWait + time.Duration(s.Random*float64(deviceWait))
	case r.Reason == vendors.RateLimited, r.Reason == vendors.AuthExpired, r.Reason == vendors.BadCredentials:
		v.Delay = time.Second + time.Duration(s.Random*float64(time.Second))
	default:
		v.Delay = fullJitter(s.Retries, attempts, s.Random)
	}
	if r.RetryAfter > 0 {
		// The vendor's word, and a little more so that not all come at once.
		v.Delay = max(v.Delay, r.RetryAfter+time.Duration(s.Random*float64(min(r.RetryAfter/4, 10*time.Second))))
		if v.Delay >= left {
			return Verdict{Act: Die, Reason: vendors.Expired, Counts: v.Counts}
		}
	} else if v.Delay >= left {
		v.Delay = left / 2 // our own guess must not cost the last chance
	}
	return v
}

// fullJitter draws the delay before the next try after n attempts.
func fullJitter(r Retries, n int, random float64) time.Duration {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(r.Base), backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0), backoff.WithMaxInterval(r.Max), backoff.WithMaxElapsedTime(0))
	mean := b.NextBackOff()
	for range min(n-1, 30) {
		mean = b.NextBackOff()
	}
	return time.Duration(2 * random * float64(mean))
}
