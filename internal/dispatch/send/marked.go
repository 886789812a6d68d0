package send

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Marks say what was said of messages: recalls, read marks, ends of calls; *marks.Marks implements
// it.
type Marks interface {
	// Changes grows with each mark that says something new; 0 before the first.
	Changes() uint64
	// Suppressed says why a target of a job is not pushed to by what was heard, or nothing. It must
	// not wait.
	Suppressed(job *dispatch.Job, t *dispatch.Target) hongyan.Reason
}

// stopped is targets of a job that are not pushed to.
type stopped struct {
	w       *work
	targets []int
	why     []hongyan.Reason // of each
}

// changes is how much was said by now.
func (l *lane) changes() uint64 {
	if l.s.Marks == nil {
		return 0
	}
	return l.s.Marks.Changes()
}

// said is why a target of a job is not pushed to by what was heard, or nothing. Nothing that is
// said of a message keeps it from being withdrawn.
func (l *lane) said(w *work, target int) hongyan.Reason {
	if l.s.Marks == nil || w.job.Withdraws {
		return ""
	}
	return l.s.Marks.Suppressed(w.job, &w.job.Targets[target])
}

// sift takes the targets out of a piece that are not to be pushed to by what was said since it was
// looked at last. It returns true where there are some.
func (l *lane) sift(p *piece, changes uint64) (out stopped, some bool) {
	if p.heard == changes {
		return out, false
	}
	p.heard = changes
	out.w = p.w
	var rest []int
	for k, i := range p.targets {
		why := l.said(p.w, i)
		switch {
		case why != "":
			if !some {
				rest, some = slices.Clone(p.targets[:k]), true
			}
			out.targets, out.why = append(out.targets, i), append(out.why, why)
		case some:
			rest = append(rest, i)
		}
	}
	if some {
		p.targets = rest
	}
	return out, some
}

// drop takes the devices out of a call that are not to be pushed to by what was said since it was
// gathered. False means that nobody is left.
func (l *lane) drop(c *call) bool {
	changes := l.changes()
	if c.heard == changes {
		return true
	}
	c.heard = changes
	c.twins = slices.DeleteFunc(c.twins, func(t twin) bool {
		why := l.said(t.w, t.index)
		if why != "" {
			l.suppress(stopped{t.w, []int{t.index}, []hongyan.Reason{why}})
		}
		return why != ""
	})
	gone := make([]bool, len(c.works))
	for k, w := range c.works {
		if why := l.said(w, c.index[k]); why != "" {
			l.suppress(stopped{w, []int{c.index[k]}, []hongyan.Reason{why}})
			gone[k] = !c.replace(k)
		}
	}
	if !slices.Contains(gone, true) {
		return true
	}
	out := func(k int) bool { return gone[k] }
	l.uncap(c, out)
	c.compact(out)
	return len(c.works) > 0
}

// suppress records targets of a job that are not pushed to, and counts them as done with: of one
// that withdraws, that it was not possible.
func (l *lane) suppress(out stopped) {
	if len(out.targets) == 0 {
		return
	}
	s, w, now := l.s, out.w, l.s.Now()
	lines := make([]store.Line, len(out.targets))
	var uncounted []string // users for whom the message was counted
	for k, i := range out.targets {
		t := &w.job.Targets[i]
		if w.job.Withdraws {
			lines[k] = l.line(w, i, vendors.Result{Reason: vendors.NotDisplayed}, Verdict{Act: Die}, now)
			continue
		}
		s.Metrics.Suppress(s.Certificate.App, out.why[k])
		if out.why[k] == hongyan.Recalled && s.Badges != nil {
			uncounted = append(uncounted, t.User)
		}
		lines[k] = store.Line{
			Outcome: hongyan.Outcome{MessageID: w.job.Notification.MessageID, App: w.job.App, Vendor: w.job.Vendor, Certificate: w.job.Certificate,
				Status: hongyan.StatusSuppressed, At: now.UTC()},
			Device: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: out.why[k], Attempt: w.job.Attempts},
			Duty:   w.duty,
		}
	}
	if len(uncounted) == 0 {
		s.Recorder.Record(lines...)
		l.land(func() { l.leave(w, len(lines)) })
		return
	}
	l.land(func() {
		s.forget(w.job.Notification.MessageID, uncounted)
		s.Recorder.Record(lines...)
		l.leave(w, len(lines))
	})
}
