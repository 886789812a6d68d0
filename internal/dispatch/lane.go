package dispatch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// lane is one of a sender's queues. Its fields belong to the goroutine of run, except calls and
// landing.
type lane struct {
	s      *Sender
	name   string
	source Source
	limits vendors.Limits
	hard   context.Context

	// calls bounds the calls under way; landing waits for them and for what follows from them.
	// flights hands calls to goroutines that have made one before: their stacks have grown already,
	// which a new one's has not.
	calls   *places
	landing sync.WaitGroup
	flights chan *call

	claims *claims
	debts  debtor
	// owing counts the deliveries whose records are not stored yet.
	owing sync.WaitGroup

	// looking are the jobs that wait for a look at the records, and looked is where they come back.
	looking map[*work]struct{}
	looked  chan *question

	out   chan Delivery
	queue []piece // what is at hand, oldest first
	hand  hand
}

// work is a job while it is being sent.
type work struct {
	claim   *claim
	subject string
	size    int
	job     *Job
	class   vendors.Class
	began   time.Time // of its first call
	results []vendors.Result
	sick    []bool
	left    atomic.Int32
	trace   string
}

// piece is the part of a job's targets that is not on its way yet and goes to one host.
type piece struct {
	w         *work
	targets   []int
	partition string
}

func (l *lane) run(ctx context.Context) {
	l.flights = make(chan *call)
	l.out = make(chan Delivery, l.source.Hold())
	l.looking, l.looked = map[*work]struct{}{}, make(chan *question, l.source.Hold())
	l.claims, l.debts.vendor = newClaims(l.s.Log), l.s.Certificate.Vendor
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	var pulling sync.WaitGroup
	l.source.Want(l.more)
	pulling.Go(func() { l.source.Renew(renew) })
	pulling.Go(func() {
		defer close(l.out)
		l.source.Run(ctx, l.out)
	})
	for l.wait(ctx) {
		c := l.assemble(ctx)
		if c == nil {
			l.calls.leave(false)
			continue
		}
		l.hand.less(len(c.works))
		l.fly(c)
	}
	close(l.flights)
	l.giveBack()
	l.landing.Wait()
	l.owing.Wait()
	stopRenewing()
	pulling.Wait()
}

// fly makes a call in a goroutine that is free, or in a new one.
func (l *lane) fly(c *call) {
	select {
	case l.flights <- c:
	default:
		l.landing.Go(func() {
			l.call(c)
			for c := range l.flights {
				l.call(c)
			}
		})
	}
}

// wait waits until something is at hand and a call may begin; it has a place then. False means the
// end.
func (l *lane) wait(ctx context.Context) bool {
	for len(l.queue) == 0 {
		select {
		case d, ok := <-l.out:
			if !ok {
				return false
			}
			l.open(ctx, d)
		case q := <-l.looked:
			l.seen(q)
		case <-ctx.Done():
			return false
		}
	}
	select {
	case l.calls.taken <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// open puts a delivery's job at hand, settles it when there is nothing to send, or lets it be
// looked for when it was taken before.
func (l *lane) open(ctx context.Context, d Delivery) {
	c := l.claims.take(d)
	if c == nil {
		return
	}
	job, err := DecodeJob(d.Data())
	if err != nil {
		l.bury(d, c, err)
		return
	}
	w := &work{claim: c, subject: d.Subject(), size: len(d.Data()), job: job, trace: d.Header(HeaderTrace)}
	if c.again && l.s.Looker != nil {
		l.look(ctx, w)
		return
	}
	l.start(w)
}

// start puts a job at hand, or settles it when there is nothing to send.
func (l *lane) start(w *work) {
	job, now := w.job, l.s.Now()
	w.results, w.sick = make([]vendors.Result, len(job.Targets)), make([]bool, len(job.Targets))
	w.left.Store(int32(len(job.Targets)))
	switch {
	case !now.Before(job.Notification.Deadline):
		l.finish(w, vendors.Expired)
		return
	case w.claim.Takes() > maxTakes:
		l.finish(w, vendors.AttemptsExhausted)
		return
	}
	if wait := job.NotBefore.Sub(now); wait > 0 {
		w.claim.Nak(wait)
		return
	}
	if l.s.Certificate.Class != nil {
		w.class = l.s.Certificate.Class(job.Notification)
	}
	l.hand.took(len(job.Targets))
	l.queue = append(l.queue, pieces(w, l.limits.Partition)...)
}

// finish ends a job that nothing was sent of.
func (l *lane) finish(w *work, reason vendors.Reason) {
	for i := range w.results {
		w.results[i] = vendors.Result{Reason: reason}
	}
	l.landing.Go(func() { l.settle(w) })
}

// pieces divides a job's targets by host.
func pieces(w *work, partition func(vendors.Device) string) []piece {
	if partition == nil {
		all := make([]int, len(w.job.Targets))
		for i := range all {
			all[i] = i
		}
		return []piece{{w: w, targets: all}}
	}
	var ps []piece
	at := map[string]int{}
	for i := range w.job.Targets {
		t := &w.job.Targets[i]
		host := partition(vendors.Device{Token: t.Token, Region: t.Region})
		k, ok := at[host]
		if !ok {
			k = len(ps)
			at[host] = k
			ps = append(ps, piece{w: w, partition: host})
		}
		ps[k].targets = append(ps[k].targets, i)
	}
	return ps
}

// gate waits while the breaker is open, and meanwhile buries what expires.
func (l *lane) gate(ctx context.Context) (probe, ok bool) {
	for {
		s := l.s
		s.mu.Lock()
		allowed, probe, wait := s.breaker.Allow(s.Now())
		s.mu.Unlock()
		if allowed {
			return probe, true
		}
		if !sleep(ctx, min(wait, time.Second)) {
			return false, false
		}
		l.drain(ctx)
		l.expire()
		if len(l.queue) == 0 {
			return false, false
		}
	}
}

// drain takes over what was delivered or looked for, without waiting.
func (l *lane) drain(ctx context.Context) {
	for len(l.looked) > 0 {
		l.seen(<-l.looked)
	}
	for len(l.out) > 0 {
		d, ok := <-l.out
		if !ok {
			return
		}
		l.open(ctx, d)
	}
}

// expire ends the pieces whose deadline passed while they waited.
func (l *lane) expire() {
	now := l.s.Now()
	kept := l.queue[:0]
	for _, p := range l.queue {
		if now.Before(p.w.job.Notification.Deadline) {
			kept = append(kept, p)
			continue
		}
		l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.Expired})
	}
	clear(l.queue[len(kept):])
	l.queue = kept
}

// resolve gives targets a result without a call.
func (l *lane) resolve(w *work, targets []int, r vendors.Result) {
	for _, i := range targets {
		w.results[i] = r
	}
	l.hand.less(len(targets))
	if w.left.Add(-int32(len(targets))) == 0 {
		l.landing.Go(func() { l.settle(w) })
	}
}

// giveBack ends the lane's turn: what no call was made for goes back at once, the rest of a job
// that is partly on its way is called interrupted and goes back with it.
func (l *lane) giveBack() {
	whole := map[*work]int{}
	for _, p := range l.queue {
		whole[p.w] += len(p.targets)
	}
	for _, p := range l.queue {
		if whole[p.w] == len(p.w.job.Targets) {
			p.w.claim.Nak(0)
			whole[p.w] = -1
		} else if whole[p.w] >= 0 {
			l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.Interrupted})
		}
	}
	l.queue = nil
	for w := range l.looking {
		w.claim.Nak(0)
	}
	for d := range l.out {
		if c := l.claims.take(d); c != nil {
			c.Nak(0)
		}
	}
}

// sleep waits for d, or returns false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
