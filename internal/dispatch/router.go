package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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
	Recorder *Recorder
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

// routing is one run of the router.
type routing struct {
	*Router
	hard   context.Context
	claims *claims
	// owing counts the messages whose jobs and outcomes are not stored yet.
	owing sync.WaitGroup
}

// Run routes what the source delivers until ctx ends, and returns when every delivery is settled:
// at hard, what could not be stored is left to whoever takes the messages next.
func (r *Router) Run(ctx, hard context.Context, source Source) {
	(&routing{Router: r, hard: hard, claims: newClaims(r.Log)}).run(ctx, source)
}

func (r *routing) run(ctx context.Context, source Source) {
	out := make(chan Delivery, source.Hold())
	var pulling sync.WaitGroup
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	pulling.Go(func() { source.Renew(renew) })
	pulling.Go(func() {
		defer close(out)
		source.Run(ctx, out)
	})
	rounds := make(chan struct{}, routeRounds)
	var planning sync.WaitGroup
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
		if !r.Recorder.pause(ctx, nil, func(paused bool) { r.Metrics.pause("", "", "router", paused) }) || ctx.Err() != nil {
			r.giveBack(batch)
			continue
		}
		rounds <- struct{}{}
		planning.Go(func() {
			defer func() { <-rounds }()
			r.route(context.WithoutCancel(ctx), batch)
		})
	}
	planning.Wait()
	r.owing.Wait()
	stopRenewing()
	pulling.Wait()
}

func (r *routing) giveBack(batch []Delivery) {
	for _, d := range batch {
		if c := r.claims.take(d); c != nil {
			c.Nak(0)
		}
	}
}

// routed is a message on its way through a round.
type routed struct {
	delivery Delivery
	claim    *claim
	app      string
	conf     App
	message  *hongyan.Message
	stored   time.Time
	trace    string
}

// route plans a batch of deliveries. A delivery is acked only when everything that follows from it
// is stored.
func (r *routing) route(ctx context.Context, batch []Delivery) {
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
		m := r.read(d)
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
func (r *routing) read(d Delivery) *routed {
	subject, err := r.Subjects.Parse(d.Subject())
	c := r.claims.take(d)
	if c == nil {
		return nil
	}
	seq, stored, takes := d.Meta()
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
			c.Ack()
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
		m := &routed{delivery: d, claim: c, app: app, conf: conf, message: m, stored: stored, trace: trace}
		if takes > maxTakes {
			r.exhaust(m)
			return nil
		}
		return m
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
	r.Log.Warn("message is malformed", "app", app, "message_id", id, "error", err)
	r.owe(c, len(d.Data()), []Outgoing{letter}, nil)
	return nil
}

// owe records what follows from a delivery, and then acks it.
func (r *routing) owe(c *claim, size int, msgs, then []Outgoing) {
	r.Recorder.Record(r.hard, r.debt(c, size, msgs, then))
}

// debt is what follows from a delivery, which is acked once it is stored.
func (r *routing) debt(c *claim, size int, msgs, then []Outgoing) *debt {
	r.owing.Add(1)
	return &debt{msgs: msgs, then: then, size: size, divert: true, keep: c.Keep, done: func(all bool) {
		defer r.owing.Done()
		if all {
			c.Ack()
		} else {
			c.Forget()
		}
	}}
}

// exhaust ends a message that was taken again and again without an end.
func (r *routing) exhaust(m *routed) {
	r.Log.Error("a message was taken too often without an end", "app", m.app, "message_id", m.message.ID, "takes", maxTakes)
	r.Metrics.message(m.app, "exhausted")
	id := tryID(m.delivery.Subject(), m.claim, maxTakes)
	letter := deadMessage(r.Subjects, m.delivery, m.app, m.message.ID, fmt.Errorf("it was taken %d times without an end", maxTakes), ":exhausted/"+id)
	letter.Subject, letter.Header[HeaderReason] = r.Subjects.Dead("", "", vendors.AttemptsExhausted), vendors.AttemptsExhausted.String()
	var ends []Outgoing
	for _, u := range m.message.Recipients {
		ends = r.end(ends, m, Ended{
			Outcome:       hongyan.Outcome{MessageID: m.message.ID, App: m.app, Status: hongyan.StatusDead, At: r.Now().UTC()},
			DeviceOutcome: hongyan.DeviceOutcome{User: u, Reason: vendors.AttemptsExhausted},
		})
	}
	r.owe(m.claim, len(m.delivery.Data()), []Outgoing{letter}, ends)
}

// round plans messages that are looked up together.
func (r *routing) round(ctx context.Context, messages []*routed) {
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
	known, err := lookUp(ctx, r.Devices, refs)
	if err != nil {
		r.Log.Warn("cannot read the directory, trying again", "users", len(refs), "error", err)
		for _, m := range messages {
			m.claim.Nak(backoffDelay())
		}
		return
	}
	debts := make([]*debt, len(messages))
	for i, m := range messages {
		r.Metrics.message(m.app, "planned")
		debts[i] = r.debt(m.claim, len(m.delivery.Data()), r.plan(nil, m, m.message.Recipients, known), nil)
	}
	r.Recorder.Record(r.hard, debts...) // together, so that a round trip serves them all
}

// lookUp finds users by their names.
func lookUp(ctx context.Context, devices Devices, refs []directory.Ref) (map[directory.Ref]*directory.User, error) {
	users, err := devices.Lookup(ctx, refs)
	known := make(map[directory.Ref]*directory.User, len(users))
	for i, u := range users {
		known[refs[i]] = u
	}
	return known, err
}

// large plans a message to more users than one round looks up. What follows from each part is
// stored while the next one is looked up.
func (r *routing) large(ctx context.Context, m *routed) {
	var parts sync.WaitGroup
	var lost atomic.Bool
	var failed error
	for rest := m.message.Recipients; len(rest) > 0; {
		part := rest[:min(len(rest), routeUsers)]
		rest = rest[len(part):]
		refs := make([]directory.Ref, len(part))
		for i, u := range part {
			refs[i] = directory.Ref{App: m.app, User: u}
		}
		known, err := lookUp(ctx, r.Devices, refs)
		if err != nil {
			failed = err
			break
		}
		parts.Add(1)
		r.owing.Add(1)
		r.Recorder.Record(r.hard, &debt{msgs: r.plan(nil, m, part, known), size: len(m.delivery.Data()), divert: true, keep: m.claim.Keep, done: func(stored bool) {
			defer r.owing.Done()
			if !stored {
				lost.Store(true)
			}
			parts.Done()
		}})
	}
	r.owing.Go(func() {
		parts.Wait()
		switch {
		case failed != nil:
			r.Log.Warn("cannot read the directory, trying again", "app", m.app, "message_id", m.message.ID, "error", failed)
			m.claim.Nak(backoffDelay())
		case lost.Load():
			m.claim.Forget()
		default:
			r.Metrics.message(m.app, "planned")
			m.claim.Ack()
		}
	})
}

// plan appends the jobs and the suppressed outcomes of a message for some of its recipients.
func (r *routing) plan(msgs []Outgoing, m *routed, recipients []string, known map[directory.Ref]*directory.User) []Outgoing {
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

func (r *routing) suppress(msgs []Outgoing, m *routed, d *Decision, now time.Time) []Outgoing {
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
func (r *routing) end(msgs []Outgoing, m *routed, e Ended) []Outgoing {
	msg, err := outcome(r.Subjects, e)
	if err != nil {
		r.Log.Error("cannot encode an outcome", "app", m.app, "message_id", m.message.ID, "error", err)
		seq, stored, _ := m.delivery.Meta()
		msg = deadMessage(r.Subjects, m.delivery, m.app, m.message.ID, err, fmt.Sprintf(":outcome/%d/%d", seq, stored.UnixNano()))
	}
	if err == nil {
		msg.ID = ":s/" + tryID(m.delivery.Subject(), m.claim, 0) + "/" + deviceHash(e.User, e.Device)
	}
	return append(msgs, msg)
}

// unwritable ends the devices of a job that cannot be written: the dead letter is the message
// itself.
func (r *routing) unwritable(msgs []Outgoing, m *routed, job *Job, cause error, now time.Time) []Outgoing {
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

// backoffDelay keeps what failed away for a moment.
func backoffDelay() time.Duration { return time.Second + rand.N(2*time.Second) }
