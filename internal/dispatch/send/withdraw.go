package send

import (
	"context"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// shownWithin is for how long a vendor that takes back what is not shown yet keeps what overwrites
// the rest: phones that show the original are on. On the others nothing shall be left of it.
const shownWithin = time.Minute

// withdraws says whether something can be done here about what was accepted.
func (l *lane) withdraws() bool {
	_, takesBack := l.s.Certificate.Driver.(vendors.Withdrawer)
	return takesBack || l.limits.Replaces
}

// push makes the call, unless the worker ended before it could: a push, or a withdrawal with what
// overwrites it.
func (l *lane) push(ctx context.Context, c *call, may bool) []vendors.Result {
	if !may {
		return vendors.All(len(c.works), vendors.Result{Reason: vendors.Interrupted})
	}
	driver := l.s.Certificate.Driver
	w, takesBack := driver.(vendors.Withdrawer)
	if !takesBack || !c.works[0].job.Withdraws {
		return driver.Push(ctx, c.batch)
	}
	taken := c.takeBack(ctx, w)
	if !l.limits.Replaces {
		return taken
	}
	batch := c.batch
	if !slices.ContainsFunc(taken, func(r vendors.Result) bool { return r.Reason != vendors.Accepted }) {
		batch.Devices = shortLived(batch)
	}
	return driver.Push(ctx, batch)
}

// takeBack asks the vendor to take back the pushes of a call, but for those that it took back
// before, when what was to overwrite them could not be pushed. What is taken back is noted with the
// targets.
func (c *call) takeBack(ctx context.Context, vendor vendors.Withdrawer) []vendors.Result {
	taken := vendors.All(len(c.works), vendors.Result{Reason: vendors.Accepted})
	some := c.batch
	some.Devices = nil
	var at []int
	for k, w := range c.works {
		if !w.job.Targets[c.index[k]].TakenBack {
			some.Devices, at = append(some.Devices, c.batch.Devices[k]), append(at, k)
		}
	}
	if len(at) == 0 {
		return taken
	}
	for k, r := range vendor.Withdraw(ctx, some) {
		taken[at[k]] = r
		if r.Reason == vendors.Accepted {
			c.works[at[k]].tookBack(c.index[at[k]])
		}
	}
	for _, t := range c.twins {
		if taken[t.at].Reason == vendors.Accepted {
			t.w.tookBack(t.index)
		}
	}
	return taken
}

// shortLived are the devices of a batch, with notifications that the vendor keeps no longer than
// shownWithin.
func shortLived(batch vendors.Batch) []vendors.Device {
	devices := make([]vendors.Device, len(batch.Devices))
	var from, short *vendors.Notification
	for i, d := range batch.Devices {
		if d.Notification != from {
			from = d.Notification
			n := *from
			if last := batch.Now.Add(shownWithin); n.Deadline.After(last) {
				n.Deadline = last
			}
			short = &n
		}
		d.Notification = short
		devices[i] = d
	}
	return devices
}

// ending is how the push to a target of a job ends after a verdict that it does.
func ending(job *dispatch.Job, t *dispatch.Target, v Verdict) (hongyan.Status, hongyan.Reason) {
	switch {
	case job.Withdraws && t.TakenBack:
		return hongyan.StatusWithdrawn, hongyan.Withdrawn
	case job.Withdraws && v.Act == Done:
		return hongyan.StatusWithdrawn, hongyan.Overwritten
	case job.Withdraws:
		return hongyan.StatusWithdrawn, hongyan.NotPossible
	case v.Act == Die:
		return hongyan.StatusDead, v.Reason
	}
	return hongyan.StatusAccepted, v.Reason
}

// endWithdrawals records the ends of what could not be overwritten, and returns the others.
func (l *lane) endWithdrawals(dead []death, now time.Time) (rest []death) {
	if !slices.ContainsFunc(dead, func(d death) bool { return d.w.job.Withdraws }) {
		return dead
	}
	var lines []store.Line
	for _, d := range dead {
		if d.w.job.Withdraws {
			lines = append(lines, l.line(d.w, d.target, d.result, d.verdict, now))
		} else {
			rest = append(rest, d)
		}
	}
	l.s.Recorder.Record(lines...)
	return rest
}

// recalled says whether what is accepted of a job now was recalled before.
func (l *lane) recalled(w *work) bool {
	return l.s.Recalls != nil && !w.job.Withdraws && l.s.Recalls.Recalled(w.job.App, w.job.Notification.MessageID)
}

// tooLate adds a target that was accepted to those whose message had been recalled by then.
func tooLate(late []piece, w *work, target int) []piece {
	if n := len(late); n > 0 && late[n-1].w == w {
		late[n-1].targets = append(late[n-1].targets, target)
		return late
	}
	return append(late, piece{w: w, targets: []int{target}})
}

// overwrite hands over what was accepted although it had been recalled.
func (l *lane) overwrite(late []piece, now time.Time) {
	for _, p := range late {
		p.w.duty.Add(1)
		l.s.Recalls.Late(p.w.job, p.targets, now, p.w.duty)
	}
}
