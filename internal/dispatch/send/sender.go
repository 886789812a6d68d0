// Package send makes the vendor calls. A Sender serves one certificate: it takes the jobs of
// messages that were just planned, and those that had to wait in PUSH_JOBS, and passes each through
// gate, gather, limit, push, record and carry out, once.
//
// A job that cannot be sent now, because the certificate is parked, over its rate, or slower than
// what comes in, is stored; jobs that come after it are stored too until the stored ones are at
// hand again, so that nothing overtakes.
package send

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/turns"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Certificate is what a sender sends through.
type Certificate struct {
	App, Vendor, ID string
	Driver          vendors.Driver
	// Class is the vendor's class of a notification.
	Class func(*vendors.Notification) vendors.Class
	// Concurrency is how many calls may be under way at once in each lane; 0 is 2,000 for a vendor
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
	return 2000
}

// Hold is how many stored jobs a lane of the certificate keeps at hand: enough to fill the calls
// that come next.
func (c *Certificate) Hold() int { return min(c.concurrency()+c.concurrency()/2, 4000) + 16 }

// Devices is what a sender needs of the directory; *directory.Directory implements it.
type Devices interface {
	// DropAll removes tokens that a vendor called dead from registrations that did not change.
	DropAll(ctx context.Context, dead []directory.Dead) []directory.Dropped
}

// Acceptances remember, for all workers, when pushes of a certificate were last accepted;
// *accepted.Memory implements it.
type Acceptances interface {
	Saw(certificate string, now time.Time)
	Lately(certificate string, now time.Time) bool
}

// Decider decides once more on what waited; *route.Decider implements it.
type Decider interface {
	// Decide decides on some targets of a job. It calls answer, with a decision for each of them,
	// or ended where ctx ends before: once, from another goroutine, which must not be held up.
	Decide(ctx context.Context, job *dispatch.Job, targets []int, answer func([]dispatch.Decided), ended func())
}

// Recalls knows which messages were recalled; *recall.Recaller implements it.
type Recalls interface {
	// Recalled says whether a message was recalled, as far as the worker has heard. It is quick.
	Recalled(app, message string) bool
	// Late takes over devices of a job on which the vendor accepted a message, at a time, that had
	// been recalled while the push was under way, to overwrite it there. The caller took a share of
	// the duty for it, which ends with Done when each of them has its end or its stored job. It
	// must not hold up the caller.
	Late(job *dispatch.Job, targets []int, at time.Time, duty *store.Duty)
	// Again takes over a recalled message of which something is taken again: whoever took it before
	// may have been killed after the vendor's acceptance, and before it was withdrawn. since is
	// when the message was stored; the share of the duty is as with Late.
	Again(app, message, conversation string, since time.Time, duty *store.Duty)
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

// Sender sends the jobs of one certificate. Each lane has its own calls under way, the breaker is
// common. One that nothing is sent through costs no goroutine.
type Sender struct {
	Certificate Certificate
	Recorder    *store.Recorder
	// Looker is nil for no look at what became of jobs that come again.
	Looker *store.Looker
	// Decider is nil where what waited is sent as it was planned.
	Decider Decider
	// Marks is nil where nobody remembers recalls, read marks and calls.
	Marks    Marks
	Devices  Devices
	Subjects hongyan.Subjects
	// Limiter is nil for no limits.
	Limiter Limiter
	// Badges is nil where the app's pushes carry the numbers that their jobs say.
	Badges Badges
	// Refresher is nil where numbers on icons are not mended.
	Refresher Refresher
	// Accepted is nil where every word of a dead token is believed.
	Accepted Acceptances
	// Turns are what the results of large calls are judged by; nil for no waiting.
	Turns *turns.Turns
	// Load is nil where nobody asks for it.
	Load *Load
	// Recalls is nil where nobody recalls messages.
	Recalls Recalls
	Retries Retries
	Breaker parking.Options
	Metrics *dispatch.Metrics
	Tracer  trace.Tracer
	Log     *slog.Logger
	Now     func() time.Time
	// Parked, when it is set, is told of every change of the breaker that this sender saw itself,
	// and of every probe that failed: whether it is open, since when, and the result that says why.
	// Follow brings it the others' changes.
	Parked func(open bool, since time.Time, result vendors.Result)
	// ParkedKind is the same for the pushes of one kind; FollowKind brings the others' changes.
	ParkedKind func(kind vendors.Kind, open bool, since time.Time, result vendors.Result)
	// Dated, when it is set, is told of the Date header of each answer of the vendor.
	Dated func(date string)
	// Stored, when it is set, is told of each subject on which a job was stored.
	Stored func(subject hongyan.Subject)

	// ctx ends when nothing more is to be begun, here or, for worker, anywhere; hard when the calls
	// under way are cut off.
	ctx, worker, hard context.Context
	end               context.CancelFunc
	// retired says that the certificate is no longer this sender's; next has it instead, if any.
	retired atomic.Bool
	next    atomic.Pointer[Sender]

	// saying is held while something is said of the breakers; silent ends that.
	saying sync.Mutex
	silent bool

	mu      sync.Mutex
	breaker *parking.Breaker
	parked  atomic.Bool // what the breaker says
	held    atomic.Bool // what an operator says
	kinds   kinds
	flying  int
	lanes   [2]*lane  // urgent, normal; made when they are used first
	stopped bool      // lanes that are made from now on send nothing
	doubted time.Time // when it was last said that dead tokens are not believed
	// midnight is the end of the vendor's day that waited jobs wait for.
	midnight time.Time
	waited   int
	// refreshing are the calls under way that refresh icons.
	refreshing sync.WaitGroup
}

// Start makes the sender ready. When ctx ends it begins nothing more; Stop finishes. hard cuts off
// the calls that are under way then.
func (s *Sender) Start(ctx, hard context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Dated != nil {
		hard = vendors.WithDates(hard, s.Dated)
	}
	s.worker, s.hard = ctx, hard
	s.ctx, s.end = context.WithCancel(ctx)
	if s.breaker == nil {
		s.breaker = parking.New(s.Breaker)
	}
	s.Metrics.Fresh(s.Certificate.Vendor, s.Certificate.ID)
	s.Metrics.Park(s.Certificate.Vendor, s.Certificate.ID, s.parked.Load())
	s.Metrics.Hold(s.Certificate.Vendor, s.Certificate.ID, s.held.Load())
}

// Stop waits, after Start's ctx ended or Retire, until what is under way is done and what is at
// hand is stored or given back. Jobs may still be sent: they are stored, or sent by whoever took
// the sender's place.
func (s *Sender) Stop() {
	for _, l := range s.shut() {
		l.stop()
	}
	s.refreshing.Wait()
	if s.end != nil {
		s.end()
	}
}

// shut makes the sender begin nothing more, and returns the lanes that were used.
func (s *Sender) shut() (used []*lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, l := range s.lanes {
		if l != nil {
			used = append(used, l)
		}
	}
	return used
}

// Silence makes the sender say no more of its breakers, to Parked, ParkedKind, metrics and logs: it
// is about to retire, and what it finds out is not true of its successor, which is started after
// that. The sender still sends.
func (s *Sender) Silence() {
	s.saying.Lock()
	defer s.saying.Unlock()
	s.silent = true
}

// say says something of a breaker, unless the sender is silent.
func (s *Sender) say(what func()) {
	s.saying.Lock()
	defer s.saying.Unlock()
	if !s.silent {
		what()
	}
}

// Retire takes the certificate away from a sender that was started: its configuration changed, and
// next sends from now on, or nobody where that is nil. The calls under way go on; what is at hand
// goes to next at once, as far as no call was made for it, and is else stored. Serve ends. Stop
// finishes, and then the driver may be closed.
func (s *Sender) Retire(next *Sender) {
	s.Silence()
	s.next.Store(next)
	s.retired.Store(true)
	lanes := s.shut()
	s.end()
	for _, l := range lanes {
		l.clearOut()
	}
}

func (s *Sender) lane(name string) *lane {
	i := 1
	if name == hongyan.LaneUrgent {
		i = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes[i] == nil {
		s.lanes[i] = newLane(s, name)
		s.lanes[i].stopped = s.stopped
	}
	return s.lanes[i]
}

// Send takes over a job of a message that was just planned. It is sent as soon as may be, or stored
// when that is not now. The share of the duty that the caller took for it ends when each of its
// devices has its end or waits in a stored job. look is when the records of the message were looked
// at, if it had been taken before, else zero.
func (s *Sender) Send(job *dispatch.Job, duty *store.Duty, look time.Time) {
	if next := s.next.Load(); next != nil {
		next.Send(job, duty, look)
		return
	}
	w := &work{job: job, duty: duty, look: look}
	w.left.Store(int32(len(job.Targets)))
	s.lane(job.Lane).take(w)
}

// announce says that the breaker changed.
func (s *Sender) announce(state parking.State, why vendors.Reason, since time.Time, results []vendors.Result) {
	c := &s.Certificate
	open := state == parking.Open
	s.Metrics.Park(c.Vendor, c.ID, open)
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
// over. A sender whose own pushes got through after that time is not parked: the trouble is over,
// or the other worker's alone.
func (s *Sender) Follow(open bool, why vendors.Reason, since time.Time) {
	now := s.Now()
	s.mu.Lock()
	if s.breaker == nil {
		s.breaker = parking.New(s.Breaker)
	}
	changed := s.breaker.Follow(open, why, since, now)
	state, _, _ := s.breaker.State()
	s.parked.Store(state == parking.Open)
	s.mu.Unlock()
	if !changed {
		return
	}
	s.say(func() {
		c := &s.Certificate
		s.Metrics.Park(c.Vendor, c.ID, open)
		if open {
			s.Log.Info("certificate is parked by another worker", "vendor", c.Vendor, "certificate", c.ID, "reason", why.String())
		}
	})
}

// Hold learns that an operator holds the certificate, or released it. While it is held nothing is
// pushed, probes and refreshed numbers included: a call that has not begun does not begin, and what
// comes is stored.
func (s *Sender) Hold(held bool) {
	s.held.Store(held)
	s.Metrics.Hold(s.Certificate.Vendor, s.Certificate.ID, held)
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
