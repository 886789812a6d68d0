package ratelimit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// ErrClosed is returned by Take after Close.
var ErrClosed = errors.New("the limiter is closed")

// Request describes a vendor call that is about to be made.
type Request struct {
	Certificate string
	Class       vendors.Class
	// Urgent requests may use the urgent reserve of the quota.
	Urgent bool
	// Devices is how many the call would carry, at least 1.
	Devices int
	// Requests is how many requests the vendor counts for the call. Default 1.
	Requests int
	Now      time.Time
}

// Grant is the answer to a Request. It must be passed to Settle once, unless Devices is 0.
type Grant struct {
	// Devices is how many may be sent now, at most what was asked for.
	Devices int
	// Reason says why Devices is 0: RateLimited (too fast, or the store does not answer) or
	// QuotaSpent.
	Reason vendors.Reason
	// Wait is how long to wait before the next Take, if Devices is 0.
	Wait time.Duration

	class   *class
	at      time.Time
	charges [4]charge // from the two pools of the first day, then of the last day
	probe   bool
}

// charge is what a grant took from a pool.
type charge struct {
	pool *pool
	n    int64
}

// Outcome says what became of a granted call.
type Outcome struct {
	// Counted is how many devices the vendor counted, or may have counted; see [Counts]. The others
	// go back to the quota. It is 0 if nothing was sent.
	Counted int
	// RateLimited and QuotaSpent are how many devices got that answer.
	RateLimited, QuotaSpent int
	// RetryAfter is the longest that the vendor asked for.
	RetryAfter time.Duration
	Now        time.Time
}

// Counts reports whether a push with this result counts against the vendor's quota. Without an
// answer, it may have been counted, and Counts is true.
func Counts(r vendors.Reason) bool {
	switch r {
	case vendors.Accepted, vendors.Timeout, vendors.Unavailable, vendors.Interrupted, vendors.Unknown:
		return true
	}
	return false
}

// OutcomeOf sums up a call's results.
func OutcomeOf(results []vendors.Result, now time.Time) Outcome {
	o := Outcome{Now: now}
	for i := range results {
		switch r := &results[i]; {
		case Counts(r.Reason):
			o.Counted++
		case r.Reason == vendors.RateLimited && r.Scope == vendors.ScopeDevice:
			// One device's share is used up, not the certificate's.
		case r.Reason == vendors.RateLimited:
			o.RateLimited++
			o.RetryAfter = max(o.RetryAfter, r.RetryAfter)
		case r.Reason == vendors.QuotaSpent:
			o.QuotaSpent++
		}
	}
	return o
}

// Limiter keeps the limits of all certificates for one worker. It is safe for concurrent use.
type Limiter struct {
	store Store
	opts  Options
	log   *slog.Logger
	certs atomic.Pointer[map[string]*certificate] // never changed, only replaced, under mu

	members atomic.Int64
	closed  atomic.Bool   // changed under mu
	failing atomic.Bool   // the last call of the store failed
	done    chan struct{} // closed by Close
	runs    sync.WaitGroup
	wake    chan struct{}
	refills chan refill
	ids     string // begins the ids of this limiter's additions
	serial  atomic.Uint64

	mu      sync.Mutex
	outbox  map[string]pendingPut // entries to store
	entries map[string]string     // the KV as last read
	claim   claim
	phase   float64   // this worker's place among all by name, 0 to 1
	since   time.Time // when Run began
	heldAs  string    // this worker's entry of what it holds, as last stored
	heldAt  time.Time
	// retired are certificates that Replace took out or changed, until what they lease is back.
	retired []retired
}

// New makes a limiter. It does not call the store.
func New(store Store, opts Options) (*Limiter, error) {
	defaults(&opts)
	l := &Limiter{
		store: store, opts: opts, log: opts.Logger, done: make(chan struct{}), wake: make(chan struct{}, 1),
		refills: make(chan refill, 256), ids: rand.Text() + "-",
		outbox: map[string]pendingPut{}, entries: map[string]string{},
	}
	l.members.Store(1)
	var problems []error
	if !opts.Alone && !validToken(opts.Member) {
		problems = append(problems, fmt.Errorf("member %q is not 1 to 64 of [A-Za-z0-9_-]", opts.Member))
	}
	certs, wrong := newCertificates(opts.Certificates, opts)
	if problems = append(problems, wrong...); len(problems) > 0 {
		return nil, fmt.Errorf("ratelimit: %w", errors.Join(problems...))
	}
	l.certs.Store(&certs)
	return l, nil
}

func newCertificates(all []Certificate, opts Options) (certs map[string]*certificate, problems []error) {
	certs = map[string]*certificate{}
	for _, c := range all {
		cert, err := newCertificate(c, opts)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("certificate %q: %w", c.ID, err))
		case certs[c.ID] != nil:
			problems = append(problems, fmt.Errorf("certificate %q is there twice", c.ID))
		default:
			certs[c.ID] = cert
		}
	}
	return certs, problems
}

// Certificates returns all certificates. Their Classes include those that were requested so far.
// Another program that gets them has the same view of the limits.
func (l *Limiter) Certificates() []Certificate {
	var all []Certificate
	certs := *l.certs.Load()
	for _, id := range slices.Sorted(maps.Keys(certs)) {
		cert := certs[id]
		c := cert.config
		classes := *cert.classes.Load()
		c.Classes = nil
		for _, name := range slices.Sorted(maps.Keys(classes)) {
			c.Classes = append(c.Classes, classes[name].known)
		}
		all = append(all, c)
	}
	return all
}

// find returns the class of a request, and makes it if needed.
func (l *Limiter) find(certificate string, vc vendors.Class) (*class, error) {
	cert := l.of(certificate)
	if cert == nil {
		return nil, fmt.Errorf("ratelimit: no certificate %q", certificate)
	}
	name := className(vc)
	if c := (*cert.classes.Load())[name]; c != nil {
		return c, nil
	}
	if !validToken(name) {
		return nil, fmt.Errorf("ratelimit: class %q cannot stand in a key", name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	classes := *cert.classes.Load()
	if c := classes[name]; c != nil {
		return c, nil
	}
	c := newClass(cert, vc, name)
	l.applyClass(c, l.opts.Now())
	classes = maps.Clone(classes)
	classes[name] = c
	cert.classes.Store(&classes)
	return c, nil
}

// Take asks for permission to make a call. It may wait for the store: one round trip if the local
// lease is used up, two at the limit, each no longer than Options.StoreTimeout. If the store fails,
// Take returns a Grant of nothing and no error. Errors are an unknown certificate, a class that
// cannot be part of a key, and ErrClosed.
func (l *Limiter) Take(ctx context.Context, r Request) (Grant, error) {
	c, err := l.find(r.Certificate, r.Class)
	if err != nil {
		return Grant{}, err
	}
	r.Devices = max(1, r.Devices)
	cert := c.cert
	if l.closed.Load() {
		return Grant{}, ErrClosed
	}
	if c.unlimited.Load() && cert.throttle.unlimited.Load() {
		cert.throttle.granted.Add(int64(r.Devices))
		return Grant{Devices: r.Devices, class: c, at: r.Now}, nil
	}
	return l.take(ctx, cert.throttle, c, r), nil
}

func (l *Limiter) take(ctx context.Context, t *throttle, c *class, r Request) Grant {
	g := Grant{class: c, at: r.Now}
	requests := max(1, r.Requests)
	n, wait := t.offer(r.Now, r.Devices, requests)
	if n == 0 {
		return Grant{Reason: vendors.RateLimited, Wait: wait}
	}
	if !c.unlimited.Load() {
		var denied denial
		if n, denied = l.charge(ctx, c, r, n, &g); n == 0 {
			return Grant{Reason: denied.reason, Wait: denied.wait}
		}
	}
	k, wait := t.take(r.Now, n, requests)
	if k < n {
		c.mu.Lock()
		g.refund(int64(n - k))
		if k == 0 && g.probe {
			c.exhausted.probing = false
		}
		c.mu.Unlock()
	}
	if k == 0 {
		return Grant{Reason: vendors.RateLimited, Wait: wait}
	}
	g.Devices = k
	return g
}

// Pace returns how many devices a second this worker may send now, all classes together, if a
// request carries up to batch of them: the worker's share of the rate that is in force, or what one
// call may borrow where that is more. It is infinite if there is no rate. A worker that takes on
// more work than that keeps the other workers from doing it.
func (l *Limiter) Pace(certificate string, batch int) float64 {
	cert := l.of(certificate)
	if cert == nil {
		return math.Inf(1)
	}
	return cert.throttle.pace(batch)
}

// Settle records the outcome of a granted call. What was not counted goes back to the quota. If the
// vendor answered "too fast" or "quota spent", this worker slows down or stops at once, and the
// other workers within a heartbeat.
func (l *Limiter) Settle(g Grant, o Outcome) {
	if g.class == nil || g.Devices <= 0 {
		return
	}
	c, t := g.class, g.class.cert.throttle
	if o.RateLimited > 0 {
		entry, ttl := t.recordRefusals(g.at, o.Now, o.RateLimited, o.RetryAfter, l.opts.Member)
		if entry != nil {
			l.enqueue(joinKey(slowdownKey, c.cert.config.ID), entry, ttl)
			l.log.Warn("vendor says too fast", "certificate", c.cert.config.ID, "retry_after", o.RetryAfter)
		}
	}
	if o.QuotaSpent == 0 && !g.probe && (g.charges == [4]charge{} || o.Counted >= g.Devices) {
		return
	}
	c.mu.Lock()
	g.refund(int64(g.Devices - min(g.Devices, max(0, o.Counted))))
	var until time.Time
	var news bool
	switch {
	case o.QuotaSpent > 0:
		until, news = c.markExhausted(g.at, o.Now)
		if g.probe {
			c.exhausted.probing = false
		}
	case g.probe && o.Counted > 0:
		c.resume()
	case g.probe:
		c.exhausted.probing = false
	}
	c.mu.Unlock()
	if news {
		l.publishExhausted(c, until, o.Now)
	}
}

// refund puts n units back into the pools of each day to which the grant was charged. What was
// taken last goes back first. Called with the class's mutex held.
func (g *Grant) refund(n int64) {
	for day := range 2 {
		left := n
		for _, i := range [2]int{normalPool, reservePool} {
			ch := &g.charges[2*day+i]
			if ch.pool == nil {
				continue
			}
			m := min(left, ch.n)
			ch.n -= m
			ch.pool.held += m
			left -= m
		}
	}
}

// charge takes up to n units from every day in which the call can arrive.
func (l *Limiter) charge(ctx context.Context, c *class, r Request, n int, g *Grant) (int, denial) {
	c.mu.Lock()
	defer c.mu.Unlock()
	probe, denied := c.gate(r.Now)
	if denied.reason != "" {
		return 0, denied
	}
	if probe {
		g.probe, n = true, 1
	}
	if c.dailyQuota() < 0 {
		return n, denial{}
	}
	first, last := c.daysOf(r.Now)
	k := l.drawDay(ctx, c, first, r, int64(n), g.charges[:2])
	spent := first
	if last != first && k > 0 {
		m := l.drawDay(ctx, c, last, r, k, g.charges[2:])
		g.refundFirst(k - m)
		if k = m; k == 0 {
			spent = last
		}
	}
	if k == 0 {
		if g.probe {
			c.exhausted.probing = false
		}
		return 0, l.denialOf(c, spent, r)
	}
	return int(k), denial{}
}

// refundFirst puts n units back into the first day only.
func (g *Grant) refundFirst(n int64) {
	first := Grant{charges: [4]charge{g.charges[0], g.charges[1]}}
	first.refund(n)
	g.charges[0], g.charges[1] = first.charges[0], first.charges[1]
}

// drawDay takes up to n units from one day. An urgent request takes from the reserve first.
func (l *Limiter) drawDay(ctx context.Context, c *class, d *day, r Request, n int64, charges []charge) (k int64) {
	for i := reservePool; i >= normalPool; i-- {
		if i == reservePool && (!r.Urgent || c.cert.config.UrgentReserve == 0) || k == n || c.dailyQuota() < 0 {
			continue
		}
		p := &d.pools[i]
		if m := l.draw(ctx, c, p, c.limit(d, i), n-k, r.Now); m > 0 {
			charges[i] = charge{p, m}
			k += m
		}
	}
	return k
}

// denialOf says why a day gave nothing. It reports QuotaSpent only if for a while nothing was
// returned to any pool that the request may use.
func (l *Limiter) denialOf(c *class, d *day, r Request) denial {
	wait := c.cert.arrival.closesAt(d.dayRange).Sub(r.Now)
	for i := range d.pools {
		if i == reservePool && (!r.Urgent || c.cert.config.UrgentReserve == 0) || c.limit(d, i) <= 0 {
			continue
		}
		switch p := &d.pools[i]; {
		case r.Now.Before(p.retryAt):
			return denial{vendors.RateLimited, p.retryAt.Sub(r.Now)}
		case p.emptySince.IsZero() || !l.opts.Alone && r.Now.Sub(p.emptySince) < l.opts.Drain:
			return denial{vendors.RateLimited, max(10*time.Millisecond, min(recheckSoon, p.recheckAt.Sub(r.Now)))}
		}
	}
	return denial{vendors.QuotaSpent, max(time.Millisecond, wait)}
}

func (l *Limiter) memberCount() int { return int(max(1, l.members.Load())) }
