package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
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
	kind, app, ok := r.place(d.Subject())
	if ok && kind == "signal" {
		// Recalls and read marks are not acted on yet.
		r.Metrics.Ignore("signal")
		r.ack(d)
		return nil
	}
	seq, stored, _ := d.Meta()
	m, unnamed, err := ParseMessage(d.Data(), stored)
	if unnamed {
		r.Metrics.Ignore("field")
	}
	conf, known := r.Apps[app]
	if err == nil && !known {
		err = errors.New("the configuration has no app of this name")
	}
	if err == nil {
		return &routed{delivery: d, app: app, conf: conf, message: m, stored: stored, trace: d.Header(HeaderTrace)}
	}
	id := ""
	if m != nil && len(m.ID) <= hongyan.MaxMessageID {
		id = m.ID
	}
	// App names of strangers must not become metric labels.
	label := app
	if !known {
		label = "unknown"
	}
	r.Metrics.message(label, "malformed")
	letter := deadMessage(r.Subjects, d, app, id, err, fmt.Sprintf("malformed/%d", seq))
	if perr := publishAll(ctx, r.Queue, []Outgoing{letter}); perr != nil {
		r.Log.Warn("cannot store a dead letter, trying again", "app", app, "error", perr)
		r.nak(d, backoffDelay())
		return nil
	}
	r.Log.Warn("message is malformed", "app", app, "message_id", id, "error", err)
	r.ack(d)
	return nil
}

// place reads <prefix>.<kind>.<app>.
func (r *Router) place(subject string) (kind, app string, ok bool) {
	i := strings.LastIndexByte(subject, '.')
	if i < 0 {
		return "", "", false
	}
	app = subject[i+1:]
	j := strings.LastIndexByte(subject[:i], '.')
	return subject[j+1 : i], app, true
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
			// Strings that came through the JSON decoder always go out again.
			r.Log.Error("cannot encode a job", "app", m.app, "message_id", m.message.ID, "error", err)
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
	o := hongyan.Outcome{MessageID: m.message.ID, App: m.app, User: d.User, Status: hongyan.Suppressed, Reason: string(d.Suppressed), At: now.UTC()}
	if d.Device != nil {
		o.Device = d.Device.ID
		o.Certificate = d.Certificate
		if o.Certificate == "" {
			o.Certificate = d.Device.Registration.Certificate
		}
		o.Vendor = m.conf.Accounts[o.Certificate].Vendor
	}
	if d.Suppressed == NoAccount {
		r.Log.Warn("registration names a certificate that the configuration lacks", "app", m.app, "user", d.User, "device", o.Device, "certificate", o.Certificate)
	}
	msg, err := outcome(r.Subjects, &o)
	if err != nil {
		r.Log.Error("cannot encode an outcome", "app", m.app, "message_id", m.message.ID, "error", err)
		return msgs
	}
	return append(msgs, msg)
}

// publish stores jobs and outcomes. A job whose vendor's stream is full is stored among those that
// come later: a vendor that is sick for long must not hold up the messages of the others.
func (r *Router) publish(ctx context.Context, msgs []Outgoing) []error {
	if len(msgs) == 0 {
		return nil
	}
	errs := r.Queue.Publish(ctx, msgs)
	if errs == nil {
		return nil
	}
	var later []Outgoing
	var at []int
	jobs := strings.TrimSuffix(r.Subjects.Job("", "", ""), "..")
	for i, err := range errs {
		if errors.Is(err, ErrFull) && strings.HasPrefix(msgs[i].Subject, jobs) {
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
