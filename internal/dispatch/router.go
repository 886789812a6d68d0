package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// App is what the router knows of an app.
type App struct {
	Policy Policy
	// Accounts by certificate.
	Accounts map[string]Account
}

// Router plans messages and stores their jobs.
type Router struct {
	Queue    Queue
	Devices  Devices
	Subjects hongyan.Subjects
	Apps     map[string]App
	Metrics  *Metrics
	Log      *slog.Logger
	Now      func() time.Time
}

const (
	// routeBatch is how many messages are looked up together.
	routeBatch = 256
	// routeUsers is how many users one round looks up; a larger group is planned in several.
	routeUsers = 1000
	// routeRounds is how many batches are under way at once, so that one waits for the server while
	// another is planned.
	routeRounds = 4
)

// Run routes what the source delivers until ctx ends, and returns when every delivery is settled.
func (r *Router) Run(ctx context.Context, source Source) {
	out := make(chan Delivery, source.Hold())
	var pulling sync.WaitGroup
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	pulling.Go(func() { source.Renew(renew) })
	pulling.Go(func() {
		defer close(out)
		source.Run(ctx, out)
	})
	rounds := make(chan struct{}, routeRounds)
	var routing sync.WaitGroup
	for first := range out {
		batch := []Delivery{first}
	more:
		for len(batch) < routeBatch {
			select {
			case d, ok := <-out:
				if !ok {
					break more
				}
				batch = append(batch, d)
			default:
				break more
			}
		}
		if ctx.Err() != nil {
			r.giveBack(batch)
			continue
		}
		rounds <- struct{}{}
		routing.Go(func() {
			defer func() { <-rounds }()
			r.route(context.WithoutCancel(ctx), batch)
		})
	}
	routing.Wait()
	stopRenewing()
	pulling.Wait()
}

func (r *Router) giveBack(batch []Delivery) {
	for _, d := range batch {
		r.nak(d, 0)
	}
}

// routed is a message on its way through a round.
type routed struct {
	delivery Delivery
	app      string
	conf     App
	message  *hongyan.Message
	stored   time.Time
	trace    string
}

// route plans a batch of deliveries. A delivery is acked only when everything that follows from it
// is stored.
func (r *Router) route(ctx context.Context, batch []Delivery) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var small []*routed
	users := 0
	flush := func() {
		if len(small) > 0 {
			r.round(ctx, small)
		}
		small, users = nil, 0
	}
	for _, d := range batch {
		m := r.read(ctx, d)
		if m == nil {
			continue
		}
		n := len(m.message.Recipients)
		if users+n > routeUsers {
			flush()
		}
		if n > routeUsers {
			r.large(ctx, m)
			continue
		}
		small, users = append(small, m), users+n
	}
	flush()
}

// read parses a delivery. What cannot be read becomes a dead letter at once, and the delivery is
// settled: then it returns nil.
func (r *Router) read(ctx context.Context, d Delivery) *routed {
	subject, err := r.Subjects.Parse(d.Subject())
	seq, stored, _ := d.Meta()
	app := subject.App
	var m *hongyan.Message
	var repairs hongyan.Repairs
	switch {
	case err != nil:
	case subject.Kind == hongyan.KindSignal:
		// Signals are judged and counted; suppressing by them is not built yet.
		_, repairs, err = hongyan.ParseSignal(d.Data(), stored)
		if err == nil {
			r.Metrics.Repaired(repairs)
			r.Metrics.Ignore("signal")
			r.ack(d)
			return nil
		}
	default:
		m, repairs, err = hongyan.ParseMessage(d.Data(), stored)
	}
	r.Metrics.Repaired(repairs)
	conf, known := r.Apps[app]
	if err == nil && !known {
		err = errors.New("the configuration has no app of this name")
	}
	if err == nil {
		trace, dropped := traceOf(d.Header(HeaderTrace))
		if dropped {
			r.Metrics.Ignore("traceparent")
		}
		return &routed{delivery: d, app: app, conf: conf, message: m, stored: stored, trace: trace}
	}
	id := ""
	if m != nil {
		id = headerValue(m.ID)
	}
	// App names of strangers must not become metric labels.
	label := app
	if !known {
		label = "unknown"
	}
	r.Metrics.message(label, "malformed")
	letter := deadMessage(r.Subjects, d, app, id, err, fmt.Sprintf(":malformed/%d/%d", seq, stored.UnixNano()))
	if perr := errors.Join(storeAll(ctx, r.Queue, r.Subjects, []Outgoing{letter})...); perr != nil {
		r.Log.Warn("cannot store a dead letter, trying again", "app", app, "error", perr)
		r.nak(d, backoffDelay())
		return nil
	}
	r.Log.Warn("message is malformed", "app", app, "message_id", id, "error", err)
	r.ack(d)
	return nil
}

// round plans messages that are looked up together.
func (r *Router) round(ctx context.Context, messages []*routed) {
	var refs []directory.Ref
	seen := map[directory.Ref]struct{}{}
	for _, m := range messages {
		for _, u := range m.message.Recipients {
			ref := directory.Ref{App: m.app, User: u}
			if _, twice := seen[ref]; !twice {
				seen[ref] = struct{}{}
				refs = append(refs, ref)
			}
		}
	}
	known, err := r.Devices.Lookup(ctx, refs)
	if err != nil {
		r.Log.Warn("cannot read the directory, trying again", "users", len(refs), "error", err)
		for _, m := range messages {
			r.nak(m.delivery, backoffDelay())
		}
		return
	}
	var msgs []Outgoing
	ends := make([]int, len(messages))
	for i, m := range messages {
		msgs = r.plan(msgs, m, m.message.Recipients, known)
		ends[i] = len(msgs)
	}
	errs := r.publish(ctx, msgs)
	from := 0
	for i, m := range messages {
		var failed error
		if errs != nil {
			failed = errors.Join(errs[from:ends[i]]...)
		}
		from = ends[i]
		r.finish(m, failed)
	}
}

// large plans a message to more users than one round looks up.
func (r *Router) large(ctx context.Context, m *routed) {
	for rest := m.message.Recipients; len(rest) > 0; {
		part := rest[:min(len(rest), routeUsers)]
		rest = rest[len(part):]
		refs := make([]directory.Ref, len(part))
		for i, u := range part {
			refs[i] = directory.Ref{App: m.app, User: u}
		}
		known, err := r.Devices.Lookup(ctx, refs)
		if err == nil {
			err = errors.Join(r.publish(ctx, r.plan(nil, m, part, known))...)
		}
		if err != nil {
			r.finish(m, err)
			return
		}
	}
	r.finish(m, nil)
}

// finish settles a message.
func (r *Router) finish(m *routed, failed error) {
	if failed != nil {
		r.Log.Warn("cannot store what follows from a message, trying again", "app", m.app, "message_id", m.message.ID, "error", failed)
		r.nak(m.delivery, backoffDelay())
		return
	}
	r.Metrics.message(m.app, "planned")
	r.ack(m.delivery)
}

// plan appends the jobs and the suppressed outcomes of a message for some of its recipients.
func (r *Router) plan(msgs []Outgoing, m *routed, recipients []string, known map[directory.Ref]*directory.User) []Outgoing {
	now := r.Now()
	accounts := m.conf.Accounts
	decisions := Plan(m.message, recipients, m.conf.Policy,
		func(user string) *directory.User { return known[directory.Ref{App: m.app, User: user}] },
		func(certificate string) bool { _, ok := accounts[certificate]; return ok }, now)
	for i := range decisions {
		if d := &decisions[i]; d.Suppressed != "" {
			msgs = r.suppress(msgs, m, d, now)
		}
	}
	jobs := Compose(m.message, m.app, decisions, func(certificate string) Account { return accounts[certificate] }, m.stored)
	for _, job := range jobs {
		data, err := job.Encode()
		if err != nil {
			r.Log.Error("cannot encode a job", "app", m.app, "message_id", m.message.ID, "certificate", job.Certificate, "error", err)
			msgs = r.unwritable(msgs, m, job, err, now)
			continue
		}
		r.Metrics.job(job)
		msgs = append(msgs, Outgoing{Subject: r.Subjects.Job(job.Vendor, job.Certificate, job.Lane), ID: job.ID, Data: data, Header: traceHeader(m.trace)})
	}
	return msgs
}

func traceHeader(trace string) map[string]string {
	if trace == "" {
		return nil
	}
	return map[string]string{HeaderTrace: trace}
}

func (r *Router) suppress(msgs []Outgoing, m *routed, d *Decision, now time.Time) []Outgoing {
	r.Metrics.suppress(m.app, d.Suppressed)
	e := Ended{
		Outcome:       hongyan.Outcome{MessageID: m.message.ID, App: m.app, Status: hongyan.StatusSuppressed, At: now.UTC()},
		DeviceOutcome: hongyan.DeviceOutcome{User: d.User, Reason: d.Suppressed},
	}
	if d.Device != nil {
		e.Device = d.Device.ID
		e.Certificate = d.Certificate
		if e.Certificate == "" {
			e.Certificate = d.Device.Registration.Certificate
		}
		e.Vendor = m.conf.Accounts[e.Certificate].Vendor
	}
	if d.Suppressed == hongyan.UnknownCertificate {
		r.Log.Warn("registration names a certificate that the configuration lacks", "app", m.app, "user", d.User, "device", e.Device, "certificate", e.Certificate)
	}
	return r.end(msgs, m, e)
}

// end appends the record of an end. One that cannot be written is a dead letter of its message.
func (r *Router) end(msgs []Outgoing, m *routed, e Ended) []Outgoing {
	msg, err := outcome(r.Subjects, e)
	if err != nil {
		r.Log.Error("cannot encode an outcome", "app", m.app, "message_id", m.message.ID, "error", err)
		seq, stored, _ := m.delivery.Meta()
		msg = deadMessage(r.Subjects, m.delivery, m.app, m.message.ID, err, fmt.Sprintf(":outcome/%d/%d", seq, stored.UnixNano()))
	}
	return append(msgs, msg)
}

// unwritable ends the devices of a job that cannot be written: the dead letter is the message
// itself.
func (r *Router) unwritable(msgs []Outgoing, m *routed, job *Job, cause error, now time.Time) []Outgoing {
	seq, stored, _ := m.delivery.Meta()
	msgs = append(msgs, deadMessage(r.Subjects, m.delivery, m.app, m.message.ID, cause,
		fmt.Sprintf(":unwritable/%d/%d/%s", seq, stored.UnixNano(), job.Certificate)))
	for _, t := range job.Targets {
		msgs = r.end(msgs, m, Ended{
			Outcome: hongyan.Outcome{MessageID: m.message.ID, App: m.app, Vendor: job.Vendor, Certificate: job.Certificate,
				Status: hongyan.StatusDead, At: now.UTC()},
			DeviceOutcome: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: vendors.Malformed},
		})
	}
	return msgs
}

// publish stores jobs and outcomes. A job whose vendor's stream is full is stored among those that
// come later: a vendor that is sick for long must not hold up the messages of the others.
func (r *Router) publish(ctx context.Context, msgs []Outgoing) []error {
	if len(msgs) == 0 {
		return nil
	}
	errs := storeAll(ctx, r.Queue, r.Subjects, msgs)
	if errs == nil {
		return nil
	}
	var later []Outgoing
	var at []int
	for i, err := range errs {
		if subject, perr := r.Subjects.Parse(msgs[i].Subject); errors.Is(err, ErrFull) && perr == nil && subject.Kind == hongyan.KindJob {
			later = append(later, r.Queue.Later(msgs[i], r.Now().Add(30*time.Second+rand.N(30*time.Second))))
			at = append(at, i)
		}
	}
	if len(later) == 0 {
		return errs
	}
	r.Log.Warn("a job stream is full, its new jobs wait outside", "jobs", len(later), "subject", msgs[at[0]].Subject)
	again := r.Queue.Publish(ctx, later)
	failed := false
	for k, i := range at {
		errs[i] = nil
		if again != nil {
			errs[i] = again[k]
		}
	}
	for _, err := range errs {
		failed = failed || err != nil
	}
	if !failed {
		return nil
	}
	return errs
}

// backoffDelay keeps what failed away for a moment.
func backoffDelay() time.Duration { return time.Second + rand.N(2*time.Second) }

func (r *Router) ack(d Delivery) {
	if err := d.Ack(); err != nil {
		r.Log.Debug("cannot ack, the message comes again", "subject", d.Subject(), "error", err)
	}
}

func (r *Router) nak(d Delivery, delay time.Duration) {
	if err := d.Nak(delay); err != nil {
		r.Log.Debug("cannot give back, the message comes again", "subject", d.Subject(), "error", err)
	}
}
