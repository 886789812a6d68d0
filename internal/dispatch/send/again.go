package send

import (
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// decideAfter is how long the decision to push to a device holds. What was decided on longer ago,
// because it waited in a stream, at hand of a parked lane or as a dead letter, is decided on again
// before it is pushed. It is half of the two seconds after which nothing may reach a phone that
// has changed hands.
const decideAfter = time.Second

// old says whether targets of a job were decided on too long ago.
func (l *lane) old(w *work, targets []int, now time.Time) bool {
	return l.s.Decider != nil && now.Sub(w.decidedAt(targets)) >= decideAfter
}

// decideAgain lets pieces be decided on again. What is left of them comes back to hand, in the same
// order. The caller must be landing.
func (l *lane) decideAgain(old []piece) {
	l.landing.Add(len(old))
	for _, p := range old {
		l.s.Decider.Decide(l.s.worker, p.w.job, p.targets,
			func(decisions []dispatch.Decided) {
				l.decided(p, decisions)
				l.landing.Done()
			},
			func() {
				l.comeBack(p, []piece{p})
				l.landing.Done()
			})
	}
}

// decided goes on with a piece by the decisions on its targets.
func (l *lane) decided(p piece, decisions []dispatch.Decided) {
	w, now := p.w, l.s.Now()
	w.decide(p.targets, now)
	out := stopped{w: w}
	var rest []int
	for k, i := range p.targets {
		t, d := &w.job.Targets[i], &decisions[k]
		if d.Suppressed == "" {
			// What names the target stays: others may read it.
			t.Token, t.Region, t.Revision, t.RegisteredAt = d.Target.Token, d.Target.Region, d.Target.Revision, d.Target.RegisteredAt
			rest = append(rest, i)
			continue
		}
		out.targets, out.why = append(out.targets, i), append(out.why, d.Suppressed)
	}
	// Those that are left come back first: the job must not be done with before.
	l.comeBack(p, pieces(w, w.together(rest), l.limits.Partition))
	l.suppress(out)
}

// comeBack puts what is left of a piece that was decided on again at hand.
func (l *lane) comeBack(p piece, rest []piece) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.w.stored {
		l.away--
	}
	rest = slices.DeleteFunc(rest, func(p piece) bool { return len(p.targets) == 0 })
	if len(rest) == 0 {
		return
	}
	l.hand.again(rest)
	if !l.stopped {
		l.run()
	}
}
