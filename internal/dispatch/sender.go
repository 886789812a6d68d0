package dispatch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Certificate is what a sender sends through.
type Certificate struct {
	App, Vendor, ID string
	Driver          vendors.Driver
	// Class is the vendor's class of a notification.
	Class func(*vendors.Notification) vendors.Class
	// Concurrency is how many calls may be under way at once in each lane; 0 is 1,000 for a vendor
	// that takes one device a call and 64 for the others.
	Concurrency int
	// Zone is where the vendor's day ends; nil is UTC.
	Zone *time.Location
}

func (c *Certificate) concurrency() int {
	if c.Concurrency > 0 {
		return c.Concurrency
	}
	if l := c.Driver.Limits(); l.Batch > 1 || l.Mixed > 1 {
		return 64
	}
	return 1000
}

// Hold is how many jobs a lane of the certificate keeps at hand: enough to fill the calls that come
// next.
func (c *Certificate) Hold() int { return min(c.concurrency()+c.concurrency()/2, 4000) + 16 }

// Sender sends the jobs of one certificate: each lane has its own source and in-flight cap, the
// breaker is common.
type Sender struct {
	Certificate Certificate
	Queue       Queue
	Recorder    *Recorder
	// Looker is nil for no look at what became of jobs that come again.
	Looker   *Looker
	Devices  Devices
	Subjects hongyan.Subjects
	// Limiter is nil for no limits.
	Limiter Limiter
	Retries Retries
	Breaker parking.Options
	Metrics *Metrics
	Tracer  trace.Tracer
	Log     *slog.Logger
	Now     func() time.Time
	// Parked, when it is set, is told of every change of the breaker that this sender saw itself,
	// and of every probe that failed: whether it is open, since when, and the result that says why.
	// Follow brings it the others' changes.
	Parked func(open bool, since time.Time, result vendors.Result)

	mu      sync.Mutex
	breaker *parking.Breaker
	flying  int
	drops   dropGuard
}

// Limiter keeps to the vendor's rates, quotas and device caps, for all workers together;
// *ratelimit.Limiter implements it.
type Limiter interface {
	Take(ctx context.Context, r ratelimit.Request) (ratelimit.Grant, error)
	Settle(g ratelimit.Grant, o ratelimit.Outcome)
	Pace(certificate string, batch int) float64
	Caps(certificate string, class vendors.Class) bool
	TakeDevices(ctx context.Context, r ratelimit.DeviceRequest) ([]bool, error)
	ReturnDevices(ctx context.Context, r ratelimit.DeviceRequest) error
}

// Run sends until ctx ends; then it stops pulling, gives back at once what no call was made for,
// and finishes what is under way until hard ends. It returns when every delivery is settled.
func (s *Sender) Run(ctx, hard context.Context, lanes map[string]Source) {
	s.mu.Lock()
	if s.breaker == nil {
		s.breaker = parking.New(s.Breaker)
	}
	s.mu.Unlock()
	s.Metrics.park(s.Certificate.Vendor, s.Certificate.ID, false)
	var wg sync.WaitGroup
	for name, source := range lanes {
		wg.Go(func() {
			l := &lane{s: s, name: name, source: source, calls: newPlaces(s.Certificate.concurrency()), limits: s.Certificate.Driver.Limits(), hard: hard}
			l.run(ctx)
		})
	}
	wg.Wait()
}

// announce logs a change of the breaker, once.
func (s *Sender) announce(state parking.State, why vendors.Reason, since time.Time, results []vendors.Result) {
	c := &s.Certificate
	open := state == parking.Open
	s.Metrics.park(c.Vendor, c.ID, open)
	var r vendors.Result
	if open {
		r = speaker(results, why)
		s.Log.Error("certificate is parked: its jobs wait, one push probes from time to time", "vendor", c.Vendor, "certificate", c.ID,
			"reason", why.String(), "code", r.Code, "error", r.Err)
	} else {
		s.Log.Info("certificate is no longer parked", "vendor", c.Vendor, "certificate", c.ID)
	}
	if s.Parked != nil {
		s.Parked(open, since, r)
	}
}

// speaker is the first result with the reason, or the last one.
func speaker(results []vendors.Result, why vendors.Reason) (r vendors.Result) {
	for _, r = range results {
		if r.Reason == why {
			break
		}
	}
	return r
}

// Follow learns that another worker parked the certificate since a time, or that its trouble is
// over.
func (s *Sender) Follow(open bool, why vendors.Reason, since time.Time) {
	now := s.Now()
	s.mu.Lock()
	if s.breaker == nil {
		s.breaker = parking.New(s.Breaker)
	}
	changed := s.breaker.Follow(open, why, since, now)
	s.mu.Unlock()
	if !changed {
		return
	}
	c := &s.Certificate
	s.Metrics.park(c.Vendor, c.ID, open)
	if open {
		s.Log.Info("certificate is parked by another worker", "vendor", c.Vendor, "certificate", c.ID, "reason", why.String())
	}
}

func (s *Sender) forgetProbe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaker.Forget()
}

// State is the breaker's state, for the operators' view.
func (s *Sender) State() (parking.State, vendors.Reason, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaker == nil {
		return parking.Closed, vendors.Accepted, time.Time{}
	}
	return s.breaker.State()
}

// random is uniform in [0,1).
func random() float64 { return rand.Float64() }
