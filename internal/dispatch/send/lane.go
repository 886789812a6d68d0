package send

import (
	"math"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/sleep"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The reasons why a job is stored instead of being sent at once; waiting records carry them.
const (
	busy        = hongyan.Busy
	parked      = hongyan.Parked
	rateLimited = vendors.RateLimited
)

// lane is one of a sender's two lanes. It owns what is at hand; its loop runs while there is
// something.
type lane struct {
	s      *Sender
	name   string
	limits vendors.Limits
	debts  *store.Debtor
	tokens tokens // of the call that is gathered

	// calls bounds the calls under way; landing waits for them and for what follows from them.
	calls   *places
	landing sync.WaitGroup

	mu      sync.Mutex
	hand    hand
	running bool
	stopped bool
	source  dispatch.Source // of the stored jobs, while one is served
	// behind says why jobs of messages are stored although the lane might take them: older ones
	// were stored and are not at hand yet. posting are those on their way to the stream, posts says
	// that somebody stores them, and spilled is when the last of them arrived there.
	behind  hongyan.Reason
	posting []posting
	posts   bool
	spilled time.Time
	// away is how many stored jobs are being looked up, and pieces of them decided again. They are
	// not at hand meanwhile.
	away int
	// out are the stored jobs that were delivered and not opened yet; nil where none is served.
	out chan dispatch.Delivery
}

func newLane(s *Sender, name string) *lane {
	return &lane{s: s, name: name, limits: s.Certificate.Driver.Limits(), debts: &store.Debtor{Vendor: s.Certificate.Vendor}, calls: newPlaces(s.Certificate.concurrency())}
}

// take puts a job at hand, or stores it when it cannot be sent now.
func (l *lane) take(w *work) {
	now := l.s.Now()
	w.since = now
	if l.s.Certificate.Class != nil {
		w.class = l.s.Certificate.Class(w.job.Notification)
	}
	l.guess(w)
	targets := w.whole()
	if w.job.Withdraws {
		targets = w.together(targets)
	}
	ps := pieces(w, targets, l.limits.Partition)
	l.s.Load.add(l.s.Certificate.App, len(w.job.Targets))
	if w.job.Withdraws && !l.withdraws() {
		l.resolve(w, targets, vendors.Result{Reason: vendors.BadPayload}, false)
		return
	}
	l.mu.Lock()
	if why := l.refuses(w); why != "" {
		l.mu.Unlock()
		if w.stored {
			l.giveBack(w)
		} else {
			l.put(ps, why)
		}
		return
	}
	l.hand.push(w, ps)
	l.run()
	l.mu.Unlock()
}

// refuses says why a job must be stored rather than taken to hand, or nothing. The lock is held.
func (l *lane) refuses(w *work) hongyan.Reason {
	switch {
	case l.stopped:
		return busy
	case w.stored:
		return ""
	case l.s.parked.Load() || l.s.held.Load():
		l.behind = parked
	case l.behind != "" && !l.caughtUp():
	case !l.hand.takes(l.pace()):
		l.behind = rateLimited
	}
	return l.behind
}

// caughtUp says whether the jobs that were stored are on their way to the vendor again, and
// remembers it. The lock is held.
func (l *lane) caughtUp() bool {
	if l.posts || l.hand.stored+l.away+len(l.out) > 0 || l.source == nil {
		return false
	}
	if n, asOf := l.source.Waiting(); n > 0 || !asOf.After(l.spilled) {
		return false
	}
	l.behind = ""
	return true
}

// pace is the certificate's rate in devices a second, here.
func (l *lane) pace() float64 {
	if l.s.Limiter == nil {
		return math.Inf(1)
	}
	return l.s.Limiter.Pace(l.s.Certificate.ID, max(l.limits.Batch, l.limits.Mixed, 1))
}

// land does what is owed for jobs, which may have to wait for the store: in a goroutine that the
// lane's end waits for, or after that end before it returns.
func (l *lane) land(do func()) {
	l.mu.Lock()
	if !l.stopped {
		l.landing.Go(do)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	do()
}

// run starts the loop if it does not run. The lock is held, and the lane has not ended, or the
// caller is landing.
func (l *lane) run() {
	if !l.running {
		l.running = true
		l.landing.Go(l.loop)
	}
}

// loop makes calls until nothing is at hand, or the end.
func (l *lane) loop() {
	for l.place() {
		c := l.assemble()
		if c != nil {
			l.landing.Go(func() { l.call(c) })
			continue
		}
		l.calls.leave(false)
		l.mu.Lock()
		if l.hand.empty() {
			l.running = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.stopped, l.running = true, false
	l.mu.Unlock()
}

// place takes a place for a call. It waits until one is free; meanwhile what waited too long is
// stored. False means the end.
func (l *lane) place() bool {
	ctx := l.s.ctx
	if ctx.Err() != nil {
		return false
	}
	select {
	case l.calls.taken <- struct{}{}:
		return true
	default:
	}
	look := time.NewTicker(busyAfter / 8)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case l.calls.taken <- struct{}{}:
			if ctx.Err() == nil {
				return true
			}
			l.calls.leave(false)
			return false
		case <-look.C:
			l.spill()
			l.expire()
		}
	}
}

// spill stores the jobs of messages when the oldest of them waited too long: the lane is full.
func (l *lane) spill() {
	now := l.s.Now()
	l.mu.Lock()
	full := false
	for _, q := range []*line{&l.hand.few, &l.hand.bulk} {
		for i := 0; i < q.len(); i++ {
			if p := q.at(i); !p.w.stored && len(p.targets) > 0 {
				full = full || now.Sub(p.w.since) >= busyAfter
				break
			}
		}
	}
	var out []piece
	if full {
		out = l.hand.remove(func(p *piece) bool { return !p.w.stored })
		l.behind = busy
	}
	l.mu.Unlock()
	l.put(out, busy)
}

// stop ends the lane: what is at hand is stored or given back, and what is under way finished.
func (l *lane) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.landing.Wait()
	l.clearOut()
}

// clearOut leaves what is at hand of a lane that ends, while its calls may still be under way.
func (l *lane) clearOut() {
	l.mu.Lock()
	l.stopped = true
	out := l.hand.remove(func(*piece) bool { return true })
	l.mu.Unlock()
	l.leaveAll(out, busy)
}

// leaveAll stores the pieces of messages, or leaves those that no call was made for to whoever took
// the sender's place; gives stored jobs back of which nothing ended and which would forget nothing,
// and calls the rest of the others interrupted.
func (l *lane) leaveAll(out []piece, why hongyan.Reason) {
	whole := map[*work]int{}
	for _, p := range out {
		whole[p.w] += len(p.targets)
	}
	var fresh []piece
	next := l.s.next.Load()
	for _, p := range out {
		switch n := whole[p.w]; {
		case !p.w.stored && next != nil && n == len(p.w.job.Targets):
			whole[p.w] = -1
			l.s.Load.add(l.s.Certificate.App, -n)
			next.Send(p.w.job, p.w.duty, p.w.look)
		case !p.w.stored && n < 0: // another piece of a job that is next's
		case !p.w.stored:
			fresh = append(fresh, p)
		case n == len(p.w.job.Targets) && !p.w.isChanged():
			whole[p.w] = -1
			l.giveBack(p.w)
		case n >= 0:
			l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.Interrupted}, false)
		}
	}
	l.put(fresh, why)
}

// giveBack gives back a stored job that no call was made for.
func (l *lane) giveBack(w *work) {
	l.s.Load.add(l.s.Certificate.App, -len(w.job.Targets))
	w.duty.GiveBack(0)
}

// gate waits while the breaker is open or an operator holds the certificate; what is at hand is
// stored or given back meanwhile, but for some stored jobs: to probe with, and to end those whose
// deadline passes. False means that nothing may be sent now.
func (l *lane) gate() (probe, ok bool) {
	for {
		s := l.s
		keep, wait := s.Certificate.Hold(), time.Second
		if !s.held.Load() {
			s.mu.Lock()
			allowed, probe, next := s.breaker.Allow(s.Now())
			s.mu.Unlock()
			if allowed {
				return probe, true
			}
			keep, wait = probes, next
		}
		l.clear(keep)
		if l.idle() || !sleep.For(s.ctx, min(wait, time.Second)) {
			return false, false
		}
		l.expire()
		if l.idle() {
			return false, false
		}
	}
}

const (
	// probes is how many stored jobs a parked lane keeps at hand.
	probes = 16
	// heldDevices bounds the stored jobs that a lane keeps at hand while an operator holds it,
	// beside what it holds in any case: those that came first are mostly the first whose deadline
	// passes.
	heldDevices = 1000
)

// clear stores what is at hand of messages, and gives back all stored jobs but some.
func (l *lane) clear(keep int) {
	l.mu.Lock()
	kept := map[*work]bool{}
	out := l.hand.remove(func(p *piece) bool {
		if !p.w.stored {
			return true
		}
		if !kept[p.w] && len(kept) >= keep {
			return true
		}
		kept[p.w] = true
		return false
	})
	l.behind = parked
	l.mu.Unlock()
	l.leaveAll(out, parked)
}

func (l *lane) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hand.empty()
}

// expire ends the pieces whose deadline passed while they waited.
func (l *lane) expire() {
	now := l.s.Now()
	l.mu.Lock()
	out := l.hand.remove(func(p *piece) bool { return !now.Before(p.w.job.Notification.Deadline) })
	l.mu.Unlock()
	for _, p := range out {
		l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.Expired}, false)
	}
}
