package send

import (
	"context"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Waits up to shortWait are delayed redeliveries; longer ones are scheduled messages, which take no
// place among the pending.
const shortWait = 30 * time.Second

const (
	// maxTakes is how often a message or job is taken before it is dead.
	maxTakes = 100
	// maxNaks is how often a job is taken before waits are stored jobs however short they are,
	// which count anew.
	maxNaks = 20
)

// fate is what some targets of a job share.
type fate struct {
	Verdict
	// code tells fates of dead letters apart.
	code string
}

// mostLines is how many ends of a call are recorded together: those of a large one would take
// hundreds of kilobytes.
const mostLines = 64

// carryOut carries out the verdicts on a call: what ended is recorded at once, what is to be tried
// again is kept with its job until all of its targets were tried, and what the vendor refused as a
// whole goes again in smaller calls at once.
func (l *lane) carryOut(c *call, results []vendors.Result, vendorSick bool, now time.Time) {
	var room [1]store.Line
	lines := room[:0]
	if n := min(len(c.works), mostLines); n > 1 {
		lines = make([]store.Line, 0, n)
	}
	var dead, fallen []death
	var apart []int
	var late []piece
	luck := random()
	turn := l.s.Turns.Begin(c.batch.Large())
	for k := 0; k < len(c.works); {
		w := c.works[k]
		n, recalled := k, l.recalled(w)
		for n < len(c.works) && c.works[n] == w {
			i, r := c.index[n], results[n]
			if r.Split {
				apart = append(apart, n)
				n++
				continue
			}
			sick := l.sick(w, &r, vendorSick)
			v := l.decide(w, r, sick, now, luck)
			switch v.Act {
			case Done:
				if lines = append(lines, l.line(w, i, r, v, now)); len(lines) == mostLines {
					l.s.Recorder.Record(lines...)
					lines = lines[:0]
				}
				if recalled {
					late = tooLate(late, w, i)
				}
			case Die:
				if falls(w, i, v) {
					fallen = append(fallen, death{w, i, r, v})
				} else {
					dead = append(dead, death{w, i, r, v})
				}
			case Retry:
				w.keep(answer{i, r, sick})
			}
			n++
		}
		k = n
	}
	l.s.Recorder.Record(lines...)
	turn.End()
	l.overwrite(late, now)
	l.bury(dead, now)
	l.fallBack(fallen)
	for k, left := 0, apart; k < len(c.works); {
		w := c.works[k]
		n, stay := k, 0
		for n < len(c.works) && c.works[n] == w {
			if len(left) > 0 && left[0] == n {
				left, stay = left[1:], stay+1
			}
			n++
		}
		if n-k > stay {
			l.leave(w, n-k-stay)
		}
		k = n
	}
	if len(apart) > 0 {
		l.takeApart(c, apart)
	}
	l.dropTokens(append(dead, fallen...))
}

// resolve gives targets a result without a call. sick is as in [Situation].
func (l *lane) resolve(w *work, targets []int, r vendors.Result, sick bool) {
	now := l.s.Now()
	var dead []death
	for _, i := range targets {
		if v := l.decide(w, r, sick, now, 0); v.Act == Die {
			dead = append(dead, death{w, i, r, v})
		} else {
			w.keep(answer{i, r, sick})
		}
	}
	l.land(func() {
		l.bury(dead, now)
		l.leave(w, len(targets))
	})
}

// sick says, at the time of an answer, whether what it refuses suffers from more than the push
// itself: from the trouble of the pushes of its kind where the answer is about those, else from
// that of the vendor as a whole, of which the caller knows.
func (l *lane) sick(w *work, r *vendors.Result, vendorSick bool) bool {
	if r.Scope == vendors.ScopeKind {
		return l.s.kinds.sick(w.job.Notification.Kind, w.job.Published)
	}
	return vendorSick
}

// decide gives the verdict on a result. sick is what was so when it came, and luck a draw from
// [0,1).
func (l *lane) decide(w *work, r vendors.Result, sick bool, now time.Time, luck float64) Verdict {
	s := l.s
	n := w.job.Notification
	situation := Situation{Attempts: w.job.Attempts, Published: w.job.Published, Deadline: n.Deadline, Now: now, Sick: sick, Random: luck, Retries: s.Retries}
	if r.Reason == vendors.QuotaSpent {
		zone := s.Certificate.Zone
		if zone == nil {
			zone = time.UTC
		}
		situation.Midnight = Midnight(now, zone)
		situation.After = s.afterMidnight(situation.Midnight, luck)
	}
	return Decide(r, situation)
}

// death is a target that came to its end without the vendor's acceptance.
type death struct {
	w       *work
	target  int
	result  vendors.Result
	verdict Verdict
}

// bury stores dead letters, one for the targets of a job that share a fate, and the records of
// their ends after them. Of what was to be withdrawn there is the record alone.
func (l *lane) bury(dead []death, now time.Time) {
	if dead = l.endWithdrawals(dead, now); len(dead) == 0 {
		return
	}
	type grave struct {
		w *work
		fate
	}
	groups := map[grave][]death{}
	var order []grave
	for _, d := range dead {
		g := grave{d.w, fate{d.verdict, d.result.Code}}
		g.Drop = false
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], d)
	}
	var debts []*store.Debt
	for _, g := range order {
		some := groups[g]
		targets := make([]int, len(some))
		debt := &store.Debt{Duty: g.w.duty, Owner: l.debts}
		for k, d := range some {
			targets[k] = d.target
			debt.Then = append(debt.Then, l.line(g.w, d.target, d.result, d.verdict, now))
		}
		next := l.part(g.w, targets, g.Counts)
		first := &next.Targets[0]
		id := ":dead/" + g.w.duty.Claim.Name() + "/" + next.Name() + "/" + dispatch.DeviceHash(first.User, first.Device)
		m, err := dispatch.DeadJob(l.s.Subjects, next, g.Reason, some[0].result, id)
		if err != nil {
			m = l.unwritable(next, id, err)
		}
		debt.Msgs = []dispatch.Outgoing{m}
		g.w.duty.Add(1)
		debts = append(debts, debt)
	}
	l.s.Recorder.Store(debts...)
}

// part is the job of some targets after an attempt. Whatever the order in which their answers came,
// the targets have that of the job, and those that are one phone by now stand together.
func (l *lane) part(w *work, targets []int, counts bool) *dispatch.Job {
	some := make([]dispatch.Target, len(targets))
	for k, i := range w.together(slices.Sorted(slices.Values(targets))) {
		some[k] = w.job.Targets[i]
	}
	next := w.job.Part(some)
	if counts {
		next.Attempts++
	}
	next.Decided = w.decidedAt(targets)
	w.mu.Lock()
	began := w.began
	w.mu.Unlock()
	if !began.IsZero() {
		if next.FirstAttempt.IsZero() {
			next.FirstAttempt = began
		}
		next.LastAttempt = began
	}
	return next
}

// unwritable is the dead letter of a job that cannot be written.
func (l *lane) unwritable(job *dispatch.Job, id string, err error) dispatch.Outgoing {
	// A job that was composed or read can be written.
	l.s.Log.Error("what became of a job cannot be written", "vendor", job.Vendor, "certificate", job.Certificate, "job_id", job.Name(), "error", err)
	return store.Stranded(l.s.Subjects, dispatch.Outgoing{Subject: l.s.Subjects.Job(job.Vendor, job.Certificate, job.Lane), ID: id}, err)
}

// leave counts n targets of a job as done with. With the last one, what is to be tried again is
// stored, or given back as a whole.
func (l *lane) leave(w *work, n int) {
	l.s.Load.add(l.s.Certificate.App, -n)
	if w.left.Add(-int32(n)) > 0 {
		return
	}
	if len(w.again) > 0 && l.retry(w) {
		return
	}
	w.duty.Done(true)
}

// retry stores the targets that are to be tried again. It returns true when the whole job is given
// back instead, which ends its duty.
func (l *lane) retry(w *work) (given bool) {
	now := l.s.Now()
	luck := random() // one draw for the job, so that devices with one fate stay together
	groups := map[fate][]answer{}
	var order []fate
	var dead []death
	for _, a := range w.again {
		v := l.decide(w, a.result, a.sick, now, luck)
		if v.Act != Retry {
			dead = append(dead, death{w, a.target, a.result, v})
			continue
		}
		f := fate{Verdict: v}
		f.Reason = vendors.Accepted // one job for all that wait as long
		if groups[f] == nil {
			order = append(order, f)
		}
		groups[f] = append(groups[f], a)
	}
	if w.stored && len(order) == 1 && len(groups[order[0]]) == len(w.job.Targets) && !order[0].Counts && order[0].Delay <= shortWait &&
		w.duty.Claim.Takes() < maxNaks && !w.changed {
		w.duty.GiveBack(order[0].Delay)
		return true
	}
	l.bury(dead, now)
	debts := make([]*store.Debt, len(order))
	for k, f := range order {
		debts[k] = l.postpone(w, f, groups[f], now)
	}
	l.s.Recorder.Store(debts...)
	return false
}

// postpone is the debt of targets that share a fate: their job, for another try.
func (l *lane) postpone(w *work, f fate, answers []answer, now time.Time) *store.Debt {
	targets := make([]int, len(answers))
	for k, a := range answers {
		targets[k] = a.target
	}
	next := l.part(w, targets, f.Counts)
	next.NotBefore = now.Add(f.Delay)
	if answers[0].result.Reason == vendors.QuotaSpent {
		l.s.waits()
	}
	devices := make([]hongyan.DeviceOutcome, len(answers))
	s := l.s
	for k, a := range answers {
		t := &w.job.Targets[a.target]
		devices[k] = hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: a.result.Reason, VendorCode: a.result.Code, Attempt: next.Attempts}
		if a.result.Scope == vendors.ScopeKind && s.kinds.parked(w.job.Notification.Kind) {
			devices[k].Reason = parked
		}
	}
	return l.wait(w, next, ":again/"+w.duty.Claim.Name()+"/", devices, f.Delay)
}

// posting is a piece of a message's job that must wait.
type posting struct {
	piece
	why  hongyan.Reason
	note string
}

// put stores jobs of messages that cannot be sent now, in order. It does not wait for that while
// the lane runs.
func (l *lane) put(ps []piece, why hongyan.Reason) {
	if len(ps) == 0 {
		return
	}
	note := ""
	if why == parked && l.s.held.Load() {
		note = vendors.NoteHeld
	}
	l.mu.Lock()
	for _, p := range ps {
		l.posting = append(l.posting, posting{p, why, note})
	}
	begins := !l.posts
	l.posts = true
	l.mu.Unlock()
	if begins {
		l.land(l.post)
	}
}

// post stores what put left, together, until nothing is left.
func (l *lane) post() {
	for {
		l.mu.Lock()
		ps := l.posting
		l.posting = nil
		if len(ps) == 0 {
			l.posts = false
			l.spilled = l.s.Now()
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		debts := make([]*store.Debt, len(ps))
		for k, p := range ps {
			next := l.part(p.w, p.targets, false)
			devices := make([]hongyan.DeviceOutcome, len(p.targets))
			for k, i := range p.targets {
				t := &p.w.job.Targets[i]
				devices[k] = hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: p.why, Attempt: next.Attempts, Note: p.note}
			}
			debts[k] = l.wait(p.w, next, ":job/", devices, 0)
		}
		l.s.Recorder.Store(debts...)
		for _, p := range ps {
			l.leave(p.w, len(p.targets))
		}
		if l.s.Stored != nil {
			c := &l.s.Certificate
			l.s.Stored(hongyan.Subject{Kind: hongyan.KindJob, Vendor: c.Vendor, Certificate: c.ID, Lane: l.name})
		}
	}
}

// wait is the debt of a job that waits, and then of the records that say so. prefix and the job's
// first device make the id under which it is stored.
func (l *lane) wait(w *work, next *dispatch.Job, prefix string, devices []hongyan.DeviceOutcome, delay time.Duration) *store.Debt {
	s := l.s
	now := s.Now()
	first := &next.Targets[0]
	next.StoredAs = prefix + next.Name() + "/" + dispatch.DeviceHash(first.User, first.Device)
	next.Turn++
	debt := &store.Debt{Duty: w.duty, Owner: l.debts, Divert: !w.stored}
	w.duty.Add(1)
	data, err := next.Encode()
	if err != nil {
		debt.Msgs = []dispatch.Outgoing{l.unwritable(next, next.StoredAs, err)}
		return debt
	}
	m := dispatch.Outgoing{Subject: s.Subjects.Job(next.Vendor, next.Certificate, next.Lane), ID: next.StoredAs, Data: data, Header: headers(w)}
	if delay > shortWait {
		m = s.Recorder.Queue.Later(m, now.Add(delay))
	}
	for i := range devices {
		if next.Withdraws { // its devices have their end since they were accepted
			break
		}
		debt.Then = append(debt.Then, store.Line{Duty: w.duty, Job: next.WaitName(), Device: devices[i], Outcome: hongyan.Outcome{
			MessageID: next.Notification.MessageID, App: next.App, Vendor: next.Vendor, Certificate: next.Certificate, Status: hongyan.StatusWaiting, At: now.UTC()}})
	}
	debt.Msgs = []dispatch.Outgoing{m}
	return debt
}

// headers are those of a stored job.
func headers(w *work) map[string]string {
	if w.job.Trace == "" && w.look.IsZero() {
		return nil
	}
	h := map[string]string{}
	if w.job.Trace != "" {
		h[dispatch.HeaderTrace] = w.job.Trace
	}
	if !w.look.IsZero() {
		h[dispatch.HeaderLook] = w.look.UTC().Format(time.RFC3339Nano)
	}
	return h
}

// line is the record of a target's end.
func (l *lane) line(w *work, i int, r vendors.Result, v Verdict, now time.Time) store.Line {
	job, t := w.job, &w.job.Targets[i]
	status, reason := ending(job, t, v)
	latency := now.Sub(job.Published)
	l.s.Metrics.Outcome(job, reason)
	var shown dispatch.Shown
	if status == hongyan.StatusAccepted {
		l.s.Metrics.Accepted(job, latency)
		shown = dispatch.ShownOf(job.Notification)
	}
	if job.Notification.Fallback && r.Note == "" {
		r.Note = vendors.NoteVoIPFallback
	}
	attempt := job.Attempts
	if v.Counts || v.Act == Done {
		attempt++
	}
	return store.Line{
		Outcome: hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate,
			Status: status, At: now.UTC()},
		Device: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: reason, VendorCode: r.Code, VendorID: r.VendorID,
			Attempt: attempt, LatencyMS: latency.Milliseconds(), Note: r.Note},
		Shown: shown, Duty: w.duty,
	}
}

// dropTokens removes registrations that the vendor called dead, after what became of their pushes
// is on its way, unless they changed or were made after the vendor's word.
func (l *lane) dropTokens(dead []death) {
	var drops []directory.Dead
	var of []*death
	for k := range dead {
		d := &dead[k]
		t := &d.w.job.Targets[d.target]
		if !d.verdict.Drop || d.w.job.Withdraws || !d.result.DeadSince.IsZero() && t.RegisteredAt.After(d.result.DeadSince) {
			continue
		}
		drops = append(drops, directory.Dead{Ref: directory.Ref{App: d.w.job.App, User: t.User}, Device: t.Device, Token: t.Token, Revision: t.Revision})
		of = append(of, d)
	}
	if len(drops) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.s.hard, 20*time.Second)
	defer cancel()
	for k, dropped := range l.s.Devices.DropAll(ctx, drops) {
		job, t := of[k].w.job, &of[k].w.job.Targets[of[k].target]
		if dropped.Removed {
			l.s.Metrics.Drop(job)
			l.s.Log.Debug("removed a dead registration", "app", job.App, "user", t.User, "device", t.Device, "certificate", job.Certificate, "code", of[k].result.Code)
		}
		if dropped.Err != nil {
			// The next push meets the dead token again, and this is tried again.
			l.s.Log.Warn("cannot remove a dead registration", "app", job.App, "user", t.User, "device", t.Device, "error", dropped.Err)
		}
	}
}
