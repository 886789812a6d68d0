package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Waits up to shortWait are delayed redeliveries; longer ones are scheduled messages, which take no
// place among the pending.
const shortWait = 30 * time.Second

// fate is what some targets of a job share.
type fate struct {
	Verdict
	// code and last tell fates of dead letters apart.
	code string
}

const (
	// maxTakes is how often a message or job is taken before it is dead.
	maxTakes = 100
	// maxNaks is how often a job is taken before waits are stored jobs however short they are,
	// which count anew.
	maxNaks = 20
)

// settle carries out the verdicts on a job. Its delivery is held until all that follows is stored,
// and acked then.
func (l *lane) settle(w *work) {
	s := l.s
	f := l.verdicts(w, s.Now())
	if f.again >= 0 {
		w.claim.Nak(f.again)
		return
	}
	l.owe(w.claim, w.size, f.msgs, f.then)
	l.dropTokens(w, f.dead)
}

// owe records what follows from a delivery, and then acks it.
func (l *lane) owe(c *claim, size int, msgs, then []Outgoing) {
	l.owing.Add(1)
	l.s.Recorder.Record(l.hard, &debt{msgs: msgs, then: then, size: size, owner: &l.debts, keep: c.Keep, done: func(stored bool) {
		defer l.owing.Done()
		if stored {
			c.Ack()
		} else {
			c.Forget()
		}
	}})
}

// following is what follows from a job's results.
type following struct {
	msgs, then []Outgoing    // as in debt
	dead       []int         // targets whose registration is to be removed
	again      time.Duration // not negative: the whole job just comes again after it
}

// verdicts decides for each target and writes what follows.
func (l *lane) verdicts(w *work, now time.Time) following {
	s, job := l.s, w.job
	luck := random() // one draw for the job, so that devices with one fate stay together
	zone := s.Certificate.Zone
	if zone == nil {
		zone = time.UTC
	}
	x := following{again: -1}
	groups := map[fate][]int{}
	var order []fate
	for i, r := range w.results {
		v := Decide(r, Situation{Attempts: job.Attempts, Deadline: job.Notification.Deadline, Now: now, Sick: w.sick[i],
			Midnight: Midnight(now, zone), Random: luck, Retries: s.Retries})
		f := fate{Verdict: v}
		switch v.Act {
		case Done:
			x.msgs = l.outcome(x.msgs, w, i, v, now)
			continue
		case Die:
			x.then = l.outcome(x.then, w, i, v, now)
			f.Drop, f.code = false, r.Code
			if v.Drop {
				x.dead = append(x.dead, i)
			}
		case Retry:
			f.Reason = vendors.Accepted // one job for all that wait as long
		}
		if _, ok := groups[f]; !ok {
			order = append(order, f)
		}
		groups[f] = append(groups[f], i)
	}
	if len(order) == 1 && len(groups[order[0]]) == len(w.results) && order[0].Act == Retry && !order[0].Counts && order[0].Delay <= shortWait &&
		w.claim.Takes() < maxNaks {
		return following{again: order[0].Delay}
	}
	for k, f := range order {
		if err := l.follow(&x, w, f, groups[f], fmt.Sprintf("%d/%d", w.claim.at.sequence, k), now); err != nil {
			// A job that was read can be written.
			s.Log.Error("what became of a job cannot be written", "vendor", job.Vendor, "certificate", job.Certificate, "job_id", job.ID, "error", err)
			x.msgs = append(x.msgs, stranded(s.Subjects, Outgoing{Subject: w.subject, ID: ":unwritable/" + tryID(w.subject, w.claim, k)}, err))
		}
	}
	return x
}

// follow adds the message that a fate leads to: a dead letter, or the job for another try and the
// records that say so.
func (l *lane) follow(x *following, w *work, f fate, targets []int, id string, now time.Time) error {
	s := l.s
	some := make([]Target, len(targets))
	for k, i := range targets {
		some[k] = w.job.Targets[i]
	}
	next := w.job.part(some)
	if f.Counts {
		next.Attempts++
	}
	if !w.began.IsZero() {
		if next.FirstAttempt.IsZero() {
			next.FirstAttempt = w.began
		}
		next.LastAttempt = w.began
	}
	if f.Act == Die {
		m, err := deadJob(s.Subjects, next, f.Reason, w.results[targets[0]], ":dead/"+next.ID+"/"+id)
		if err == nil {
			x.msgs = append(x.msgs, m)
		}
		return err
	}
	due := now.Add(f.Delay)
	next.NotBefore = due
	next.StoredAs = ":again/" + next.ID + "/" + id
	data, err := next.Encode()
	if err != nil {
		return err
	}
	m := Outgoing{Subject: s.Subjects.Job(next.Vendor, next.Certificate, next.Lane), ID: next.StoredAs, Data: data, Header: traceHeader(w.trace)}
	if f.Delay > shortWait {
		m = s.Queue.Later(m, due)
	}
	devices := make([]hongyan.DeviceOutcome, len(targets))
	for k, i := range targets {
		t, r := &w.job.Targets[i], &w.results[i]
		devices[k] = hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: r.Reason, VendorCode: r.Code, Attempt: next.Attempts}
	}
	records, err := waiting(s.Subjects, next, devices, now)
	if err != nil {
		return err
	}
	x.msgs, x.then = append(x.msgs, m), append(x.then, records...)
	return nil
}

// outcome appends the record of a target's end.
func (l *lane) outcome(msgs []Outgoing, w *work, i int, v Verdict, now time.Time) []Outgoing {
	job, t, r := w.job, &w.job.Targets[i], &w.results[i]
	status := hongyan.StatusAccepted
	if v.Act == Die {
		status = hongyan.StatusDead
	}
	latency := now.Sub(job.Published)
	l.s.Metrics.outcome(job, v.Reason)
	if v.Act == Done {
		l.s.Metrics.accepted(job, latency)
	}
	attempt := job.Attempts
	if v.Counts || v.Act == Done {
		attempt++
	}
	m, err := outcome(l.s.Subjects, Ended{
		Outcome: hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate,
			Status: status, At: now.UTC()},
		DeviceOutcome: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: v.Reason, VendorCode: r.Code, VendorID: r.VendorID,
			Attempt: attempt, LatencyMS: latency.Milliseconds()},
	})
	if err != nil {
		l.s.Log.Error("an outcome cannot be written", "vendor", job.Vendor, "certificate", job.Certificate, "job_id", job.ID, "error", err)
		return msgs
	}
	m.ID = ":o/" + tryID(w.subject, w.claim, job.Attempts) + "/" + deviceHash(t.User, t.Device)
	return append(msgs, m)
}

// dropTokens removes registrations that the vendor called dead, after what became of their pushes
// is on its way.
func (l *lane) dropTokens(w *work, targets []int) {
	if len(targets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.hard, 20*time.Second)
	defer cancel()
	for _, i := range targets {
		l.dropToken(ctx, w, i)
	}
}

// dropToken removes a registration that the vendor called dead, unless it changed or was made after
// the vendor's word.
func (l *lane) dropToken(ctx context.Context, w *work, i int) {
	job, t, r := w.job, &w.job.Targets[i], &w.results[i]
	l.s.mu.Lock()
	believed, doubted := l.s.drops.believe()
	l.s.mu.Unlock()
	if doubted {
		l.s.Log.Error("the vendor calls one device after the other dead and accepts none: registrations stay; check the certificate's environment, topic and app",
			"vendor", job.Vendor, "certificate", job.Certificate, "code", r.Code, "in_a_row", dropLimit)
	}
	if !believed {
		return
	}
	if !r.DeadSince.IsZero() && t.RegisteredAt.After(r.DeadSince) {
		return
	}
	dropped, err := l.s.Devices.Drop(ctx, directory.Ref{App: job.App, User: t.User}, t.Device, t.Token, t.Revision)
	switch {
	case err != nil:
		// The next push meets the dead token again, and this is tried again.
		l.s.Log.Warn("cannot remove a dead registration", "app", job.App, "user", t.User, "device", t.Device, "error", err)
	case dropped:
		l.s.Metrics.drop(job)
		l.s.Log.Debug("removed a dead registration", "app", job.App, "user", t.User, "device", t.Device, "certificate", job.Certificate, "code", r.Code)
	}
}

// bury makes a dead letter of a job that cannot be read.
func (l *lane) bury(d Delivery, c *claim, cause error) {
	letter := deadMessage(l.s.Subjects, d, l.s.Certificate.App, "", cause, fmt.Sprintf(":malformed/%s/%d", d.Subject(), c.at.sequence))
	l.s.Log.Error("a job cannot be read", "subject", d.Subject(), "error", cause)
	l.landing.Go(func() { l.owe(c, len(d.Data()), []Outgoing{letter}, nil) })
}

// report logs a call's results: one wide line for each device at debug level, and a warning for
// codes that nobody knows.
func (l *lane) report(c *call, results []vendors.Result, began time.Time, took time.Duration) {
	s := l.s
	cert := &s.Certificate
	counts := map[vendors.Reason]int{}
	for k, r := range results {
		counts[r.Reason]++
		level := slog.LevelDebug
		if r.Reason.String() == vendors.Unknown.String() {
			level = slog.LevelWarn
		}
		if !s.Log.Enabled(context.Background(), level) {
			continue
		}
		t := &c.works[k].job.Targets[c.index[k]]
		s.Log.Log(context.Background(), level, "push attempt", "vendor", cert.Vendor, "certificate", cert.ID, "lane", l.name, "reason", r.Reason.String(),
			"code", r.Code, "message_id", c.works[k].job.Notification.MessageID, "user", t.User, "device", t.Device, "token", tokenHash(t.Token),
			"attempt", c.works[k].job.Attempts+1, "batch", len(results), "probe", c.probe, "began", began, "took", took, "retry_after", r.RetryAfter, "error", r.Err)
	}
	for reason, n := range counts {
		s.Metrics.attempt(c.works[0].job, reason, n)
	}
}

// tokenHash names a token in a log without telling it.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}

// span traces a call as a child of the message that it carries, or of the first of several.
func (l *lane) span(c *call) (context.Context, func([]vendors.Result)) {
	s := l.s
	parent := c.works[0].trace
	if s.Tracer == nil || parent == "" {
		return l.hard, func([]vendors.Result) {}
	}
	ctx := propagation.TraceContext{}.Extract(l.hard, propagation.MapCarrier{"traceparent": parent})
	ctx, span := s.Tracer.Start(ctx, "push "+s.Certificate.Vendor, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("push.vendor", s.Certificate.Vendor), attribute.String("push.certificate", s.Certificate.ID),
		attribute.String("push.lane", l.name), attribute.Int("push.devices", len(c.works)),
		attribute.String("push.message_id", c.works[0].job.Notification.MessageID)))
	return ctx, func(results []vendors.Result) {
		defer span.End()
		for _, r := range results {
			if r.Reason != vendors.Accepted {
				span.SetStatus(codes.Error, r.Reason.String())
				span.SetAttributes(attribute.String("push.reason", r.Reason.String()), attribute.String("push.code", r.Code))
				if r.Err != nil {
					span.RecordError(errors.New(r.Err.Error()))
				}
				return
			}
		}
	}
}
