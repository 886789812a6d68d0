package send

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// intake takes the stored jobs of a lane to hand.
type intake struct {
	*lane
	claims *store.Claims
	// owing counts the deliveries that are not settled, busy what goes on beside.
	owing, busy sync.WaitGroup
}

// Serve takes the stored jobs of a lane to hand until ctx ends, the sender retires or nothing more
// comes, and returns when every delivery is settled.
func (s *Sender) Serve(ctx context.Context, lane string, source dispatch.Source) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	in := &intake{lane: s.lane(lane), claims: store.NewClaims(s.Log)}
	out := make(chan dispatch.Delivery, source.Hold())
	in.mu.Lock()
	in.source, in.out = source, out
	in.mu.Unlock()
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	var pulling sync.WaitGroup
	source.Want(in.more)
	pulling.Go(func() { source.Renew(renew) })
	pulling.Go(func() {
		defer close(out)
		source.Run(ctx, out)
	})
	for d := range out {
		in.open(d)
	}
	in.owing.Wait()
	in.mu.Lock()
	if in.source == source {
		in.source, in.out = nil, nil
	}
	in.mu.Unlock()
	in.busy.Wait()
	stopRenewing()
	pulling.Wait()
}

// more is how many stored jobs more the lane can use now. Those that were delivered and are not at
// hand yet count as its own: no other worker can send them.
func (in *intake) more() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		return 0 // what is taken now is given back at once
	}
	coming := len(in.out) + in.away
	if in.s.held.Load() {
		if in.hand.devices >= heldDevices {
			return 0
		}
		return max(0, in.s.Certificate.Hold()-in.hand.stored-coming)
	}
	if in.s.parked.Load() {
		return max(0, probes-in.hand.stored-coming)
	}
	pace := in.pace()
	if math.IsInf(pace, 1) {
		return math.MaxInt32
	}
	return in.hand.room(pace, coming)
}

// open puts a delivery's job at hand, settles it when there is nothing to send, or lets it be
// looked for when it was taken before.
func (in *intake) open(d dispatch.Delivery) {
	c := in.claims.Take(d)
	if c == nil {
		return
	}
	s := in.s
	in.owing.Add(1)
	duty := store.NewDuty(c, len(d.Data()), in.owing.Done)
	job, err := dispatch.DecodeJob(d.Data())
	if errors.Is(err, dispatch.ErrNewerJob) {
		duty.GiveBack(store.RollOut(c.Takes())) // a newer worker reads it
		return
	}
	if err == nil {
		c := &s.Certificate
		err = belongs(job, c.App, hongyan.Subject{Vendor: c.Vendor, Certificate: c.ID, Lane: in.name})
	}
	if err != nil {
		letter := dispatch.DeadMessage(s.Subjects, d, s.Certificate.App, "", err, fmt.Sprintf(":malformed/%s/%s", d.Subject(), c.Name()))
		s.Log.Error("a job cannot be read", "subject", d.Subject(), "error", err)
		in.busy.Go(func() { s.Recorder.Store(&store.Debt{Msgs: []dispatch.Outgoing{letter}, Duty: duty, Owner: in.debts}) })
		return
	}
	job.Trace = d.Header(dispatch.HeaderTrace)
	w := &work{job: job, duty: duty, stored: true}
	if since := d.Header(dispatch.HeaderLook); since != "" {
		if at, err := time.Parse(time.RFC3339Nano, since); err == nil {
			w.look = at
		}
	}
	if (c.Again || !w.look.IsZero()) && s.Looker != nil {
		in.ask(w)
		return
	}
	in.start(w)
}

// belongs says whether a job is what its subject says. So what it says of itself may be believed,
// also as a label of metrics.
func belongs(j *dispatch.Job, app string, where hongyan.Subject) error {
	if j.App != app || j.Vendor != where.Vendor || j.Certificate != where.Certificate || j.Lane != where.Lane {
		return errors.New("its app, vendor, certificate or lane is not that of its subject")
	}
	return nil
}

// start puts a job at hand, or settles it when there is nothing to send.
func (in *intake) start(w *work) {
	job, now := w.job, in.s.Now()
	w.left.Store(int32(len(job.Targets)))
	switch {
	case !now.Before(job.Notification.Deadline):
		in.finish(w, vendors.Expired)
		return
	case w.duty.Claim.Takes() > maxTakes:
		in.finish(w, vendors.AttemptsExhausted)
		return
	}
	if wait := job.NotBefore.Sub(now); wait > 0 {
		w.duty.GiveBack(wait)
		return
	}
	in.take(w)
}

// finish ends a job that nothing was sent of.
func (in *intake) finish(w *work, reason vendors.Reason) {
	all := w.whole()
	in.s.Load.add(in.s.Certificate.App, len(all))
	in.resolve(w, all, vendors.Result{Reason: reason}, false)
}

// ask looks up what became of a job's devices, and goes on with those that nothing became of.
func (in *intake) ask(w *work) {
	s, job := in.s, w.job
	q := &store.Question{App: job.App, Message: job.Notification.MessageID, Since: w.duty.Claim.Stored, Job: job.WaitName(), Withdrawn: job.Withdraws, Urgent: job.Lane == hongyan.LaneUrgent}
	if !w.look.IsZero() && w.look.Before(q.Since) {
		q.Since = w.look
	}
	for i := range job.Targets {
		q.Partitions[hongyan.Partition(job.Targets[i].User)] = true
	}
	asked := s.Now()
	in.setAway(1)
	q.Answer = func(a *store.Answer) {
		w.look = asked
		in.seen(w, a)
		in.setAway(-1)
	}
	q.Ended = func() {
		w.duty.GiveBack(0)
		in.setAway(-1)
	}
	s.Looker.Look(s.worker, q)
}

func (in *intake) setAway(by int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.away += by
}

// seen goes on with a job after the look.
func (in *intake) seen(w *work, a *store.Answer) {
	var rest []dispatch.Target
	for _, t := range w.job.Targets {
		if !a.Has(t.User, t.Device) {
			rest = append(rest, t)
		}
	}
	in.s.Metrics.Looked(len(w.job.Targets)-len(rest), len(rest), a.Unread)
	if len(rest) < len(w.job.Targets) && in.recalled(w) {
		w.duty.Add(1)
		n := w.job.Notification
		in.s.Recalls.Again(w.job.App, n.MessageID, n.Conversation, w.job.Published, w.duty)
	}
	switch {
	case len(rest) == 0:
		w.duty.Done(true)
		return
	case len(rest) < len(w.job.Targets):
		w.job = w.job.Part(rest)
	}
	in.start(w)
}
