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
	taken := w.Withdraw(ctx, c.batch)
	if !l.limits.Replaces {
		return withdrawn(taken, taken)
	}
	batch := c.batch
	if all(taken) {
		batch.Devices = shortLived(batch)
	}
	return withdrawn(driver.Push(ctx, batch), taken)
}

// all says whether the vendor took back every push.
func all(taken []vendors.Result) bool {
	for i := range taken {
		if taken[i].Reason != vendors.Accepted {
			return false
		}
	}
	return true
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

// withdrawn marks the results of pushes whose originals were taken back.
func withdrawn(results, taken []vendors.Result) []vendors.Result {
	for i := range results {
		results[i].Withdrawn = taken[i].Reason == vendors.Accepted
	}
	return results
}

// ending is how a device's push ends after a verdict that it does.
func ending(job *dispatch.Job, r vendors.Result, v Verdict) (hongyan.Status, hongyan.Reason) {
	switch {
	case job.Withdraws && r.Withdrawn:
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
