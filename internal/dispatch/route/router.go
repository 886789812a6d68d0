// Package route takes message events and plans them: who is notified of each, and through which
// certificates. The jobs go to the senders of the same worker; the delivery of the message is the
// claim on all that follows from it, and is acked when each device has its end or its job is
// stored.
package route

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/sleep"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// Devices is what the router needs of the directory; *directory.Directory implements it.
type Devices interface {
	// Lookup reads many users at once, each at the place of its Ref; nil where nothing is known.
	Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error)
	// MustConfirm says whether Lookup may lack what was acknowledged before, and Confirm is Lookup
	// that does not.
	MustConfirm() bool
	Confirm(ctx context.Context, refs []directory.Ref) ([]*directory.User, error)
}

// Sender takes over planned jobs of one certificate; *send.Sender implements it.
type Sender interface {
	// Send takes over a job and a share of the duty. look is when the records of the message were
	// looked at, if it had been taken before, else zero.
	Send(job *dispatch.Job, duty *store.Duty, look time.Time)
}

// Router plans messages and hands their jobs to the senders.
type Router struct {
	Recorder *store.Recorder
	// Looker is nil for no look at what became of messages that come again.
	Looker   *store.Looker
	Devices  Devices
	Subjects hongyan.Subjects
	Apps     *Apps
	// Badges keep the numbers of apps that count; nil where none does.
	Badges Badges
	// Moved, when it is set, is told of users whose numbers moved without a push.
	Moved func(app, user string)
	// Marks is nil where nobody remembers recalls, read marks and calls.
	Marks *marks.Marks
	// Withdrawals is nil where what was accepted of recalled messages stays as it is.
	Withdrawals Withdrawals
	// Elsewhere says whether another live worker serves an app, or a certificate of it where that
	// is not empty; nil for no other worker.
	Elsewhere func(app, certificate string) bool
	// Turns are what large messages are read and planned by; nil for no waiting.
	Turns *turns.Turns
	// Yields says that what comes in masses gives way to what others send.
	Yields bool
	// Room, when it is set, waits while too much of an app is at hand, and returns false when ctx
	// ends before.
	Room func(ctx context.Context, app string) bool
	// Stored, when it is set, is told of each subject on which a piece was stored.
	Stored  func(subject hongyan.Subject)
	Metrics *dispatch.Metrics
	// Tracer is nil where nothing is traced.
	Tracer trace.Tracer
	Log    *slog.Logger
	Now    func() time.Time
}

const (
	// routeBatch is how many messages are looked up together.
	routeBatch = 256
	// yieldBatch is the same for what gives way: a fraction of a millisecond's work.
	yieldBatch = 2 * turns.Large
	// routeUsers is how many users one round looks up.
	routeUsers = 1000
	// routeRounds is how many batches are under way at once, so that one waits for the server while
	// another is planned.
	routeRounds = 4
	// maxTakes is how often a message is taken before it is dead.
	maxTakes = 100
	// looksOfExhausted is in how many takes more it is looked up who has an end all the same.
	looksOfExhausted = 10
)

// routing is one run of the router.
type routing struct {
	*Router
	ctx    context.Context // ends when nothing more is to be begun
	hard   context.Context
	claims *store.Claims
	// own are the turns of what the source delivers.
	own *turns.Turns
	// owing counts the messages that are not settled, confirming the rounds that are decided again
	// or counted and the calls that wait for their marks.
	owing, confirming sync.WaitGroup
	counting          counting
}

// Run routes what the source delivers until ctx ends or nothing more comes, and returns when every
// delivery is settled: at hard, what could not be stored is left to whoever takes the messages
// next.
func (r *Router) Run(ctx, hard context.Context, source dispatch.Source) {
	(&routing{Router: r, ctx: ctx, hard: hard, claims: store.NewClaims(r.Log), own: r.Turns.Source()}).run(source)
}

func (r *routing) run(source dispatch.Source) {
	out := make(chan dispatch.Delivery, source.Hold())
	var pulling sync.WaitGroup
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(r.ctx))
	pulling.Go(func() { source.Renew(renew) })
	pulling.Go(func() {
		defer close(out)
		source.Run(r.ctx, out)
	})
	rounds := make(chan struct{}, routeRounds)
	var planning sync.WaitGroup
	for first := range out {
		most := routeBatch
		if r.Yields && r.own.Yield() {
			most = yieldBatch
		}
		batch := dispatch.Together(first, out, most)
		if !r.Recorder.Pause(r.ctx, nil, func(paused bool) { r.Metrics.Pause("", "", "router", paused) }) || r.ctx.Err() != nil {
			r.giveBack(batch)
			continue
		}
		rounds <- struct{}{}
		turn := r.own.Begin(r.Yields && len(batch) >= turns.Large)
		planning.Go(func() {
			defer func() { <-rounds }()
			defer turn.End()
			r.route(batch)
		})
	}
	planning.Wait()
	r.owing.Wait()
	r.confirming.Wait()
	stopRenewing()
	pulling.Wait()
}

func (r *routing) giveBack(batch []dispatch.Delivery) {
	for _, d := range batch {
		if c := r.claims.Take(d); c != nil {
			c.Nak(0)
		}
	}
}

// routed is a message, a piece of one, or a signal, on its way.
type routed struct {
	delivery dispatch.Delivery
	duty     *store.Duty
	app      string
	conf     App
	message  *hongyan.Message
	stored   time.Time // when the whole message was
	size     int       // recipients of the whole message
	bulk     bool      // it is a piece
	taken    time.Time
	// trace is the trace context that its jobs carry: that of span, where that is set, else what
	// came with the message.
	trace string
	span  trace.Span
	// signal is set where it is one, mark is what is remembered of it, and foreign says that no
	// worker serves its app.
	signal  *hongyan.Signal
	mark    *marks.Mark
	foreign bool
	// look is set if the message, or the one that it is a piece of, had been taken before: to since
	// when its records are to be looked at, and then to when they were. answer is what they said.
	look   time.Time
	answer *store.Answer
	// handed says that it was handed over to be withdrawn.
	handed bool
}

// route plans a batch of deliveries.
func (r *routing) route(batch []dispatch.Delivery) {
	var calls, round, signals []*routed
	users := 0
	flush := func() {
		if len(calls) > 0 {
			r.round(calls)
		}
		switch {
		case len(round) == 0:
		case r.Room == nil || r.Room(r.ctx, round[0].app):
			r.round(round)
		default:
			for _, m := range round {
				m.duty.GiveBack(0)
			}
		}
		calls, round, users = nil, nil, 0
	}
	for _, d := range batch {
		m := r.read(d)
		switch {
		case m == nil:
		case m.signal != nil:
			signals = append(signals, m)
		case !m.bulk && divided(m.message, len(d.Data())):
			r.divide(m)
		case !m.look.IsZero() && r.Looker != nil:
			r.look(m)
		case m.message.EndsRinging():
			r.ended(m)
		default:
			n := len(m.message.Recipients)
			if users > 0 && users+n > routeUsers {
				flush()
			}
			if users += n; m.message.Rings() {
				calls = append(calls, m)
			} else {
				round = append(round, m)
			}
		}
	}
	flush()
	r.signals(signals)
}

// line is a record of an end without a certificate.
func (r *routing) line(m *routed, status hongyan.Status, d hongyan.DeviceOutcome) store.Line {
	return store.Line{Outcome: hongyan.Outcome{MessageID: m.message.ID, App: m.app, Status: status, At: r.Now().UTC()}, Device: d, Duty: m.duty}
}

// look looks up what became of a message that was taken before, and plans what is left.
func (r *routing) look(m *routed) { r.lookUp(m, r.ended) }

// lookUp looks up what became of a message since its look, and goes on with the answer.
func (r *routing) lookUp(m *routed, next func(*routed)) {
	q := &store.Question{App: m.app, Message: m.message.ID, Since: m.look, Urgent: m.message.Rings()}
	for _, u := range m.message.Recipients {
		q.Partitions[hongyan.Partition(u)] = true
	}
	r.owing.Add(1)
	asked := r.Now()
	q.Answer = func(a *store.Answer) {
		defer r.owing.Done()
		m.answer, m.look = a, asked
		next(m)
	}
	q.Ended = func() {
		defer r.owing.Done()
		m.duty.GiveBack(0)
	}
	r.Looker.Look(r.ctx, q)
}

// lookupTimeout bounds a read of the directory.
const lookupTimeout = 30 * time.Second

// round plans messages that are looked up together: calls or others. What follows from those that
// do not count on icons waits for none that do.
func (r *routing) round(messages []*routed) {
	first := messages[0]
	r.Metrics.Stage(dispatch.StageTaken, first.taken.Sub(first.duty.Claim.Stored))
	known, err := r.lookup(messages)
	if len(known) < turns.Large && !first.bulk {
		r.own.Small()
	}
	var said []marks.Said
	if err == nil {
		said, err = r.say(messages)
	}
	if err != nil {
		r.Log.Warn("cannot read the directory, or what was said of messages, trying again", "messages", len(messages), "error", err)
		for _, m := range messages {
			m.duty.GiveBack(backoffDelay())
		}
		return
	}
	var settled, counted []planned
	for i, m := range messages {
		n := len(m.message.Recipients)
		p, ours := r.plan(m, known[:n], &said[i])
		known = known[n:]
		if !ours {
			m.duty.GiveBack(store.RollOut(m.duty.Claim.Takes()))
			continue
		}
		if r.counts(&p) {
			counted = append(counted, p)
		} else {
			settled = append(settled, p)
		}
	}
	r.carryOutAll(settled)
	r.countLater(counted)
}

// carryOutAll follows what was planned, and ends its shares.
func (r *routing) carryOutAll(round []planned) {
	if len(round) == 0 {
		return
	}
	var doubts []*routed
	for i := range round {
		p := &round[i]
		doubts = r.settle(p, doubts)
		r.Metrics.Message(p.m.app, "planned")
		p.m.duty.Done(true)
	}
	r.Metrics.Stage(dispatch.StagePlanned, r.Now().Sub(round[0].m.taken))
	if len(doubts) > 0 {
		r.confirming.Go(func() { r.confirm(doubts) })
	}
}

// leave says whether a message is left to another worker: a device's certificate is one that this
// worker does not know and another one serves, while a configuration is rolled out.
func (r *routing) leave(m *routed, decisions []Decision) bool {
	for i := range decisions {
		if d := &decisions[i]; d.Suppressed == hongyan.UnknownCertificate && !ended(d, m.answer) && r.elsewhere(m.app, d.Certificate) {
			return true
		}
	}
	return false
}

func (r *routing) elsewhere(app, certificate string) bool {
	return r.Elsewhere != nil && r.Elsewhere(app, certificate)
}

// lookup reads the recipients of messages, each at its place.
func (r *routing) lookup(messages []*routed) ([]*directory.User, error) {
	return r.ask(messages, r.Devices.Lookup)
}

func (r *routing) ask(messages []*routed, read func(context.Context, []directory.Ref) ([]*directory.User, error)) ([]*directory.User, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), lookupTimeout)
	defer cancel()
	n := 0
	for _, m := range messages {
		n += len(m.message.Recipients)
	}
	refs := make([]directory.Ref, 0, n)
	for _, m := range messages {
		for _, u := range m.message.Recipients {
			refs = append(refs, directory.Ref{App: m.app, User: u})
		}
	}
	return read(ctx, refs)
}

// inPlace plans a piece of a message that there is no room for. It returns false when the worker
// ended before, or the piece is left to another one.
func (r *routing) inPlace(m *routed) (done bool) {
	m.bulk = true
	if m.duty.Claim.Again && r.Looker != nil {
		answered := make(chan bool, 1)
		q := &store.Question{App: m.app, Message: m.message.ID, Since: m.stored, Answer: func(a *store.Answer) { m.answer = a; answered <- true }, Ended: func() { answered <- false }}
		for _, u := range m.message.Recipients {
			q.Partitions[hongyan.Partition(u)] = true
		}
		if r.Looker.Look(r.ctx, q); !<-answered {
			return false
		}
	}
	ended := make(chan bool, 1)
	if r.end(m, func(ok bool) { ended <- ok }); !<-ended {
		return false
	}
	for {
		known, err := r.lookup([]*routed{m})
		var said []marks.Said
		if err == nil {
			said, err = r.say([]*routed{m})
		}
		if err == nil {
			p, ours := r.plan(m, known, &said[0])
			if !ours {
				return false // the whole message comes again, and what ended of it is known then
			}
			if r.counts(&p) {
				err = r.count([]planned{p})
			}
			if err == nil {
				doubts := r.settle(&p, nil)
				return len(doubts) == 0 || r.confirm(doubts)
			}
			if badge.Newer(err) != nil {
				return false // likewise
			}
		}
		r.Log.Warn("cannot read the directory, or what was said of messages, or count on icons, trying again", "app", m.app, "message_id", m.message.ID, "error", err)
		if !sleep.For(r.hard, backoffDelay()) {
			return false
		}
	}
}

// decide decides on the devices of a message's recipients, of whom known is what the directory has,
// and of which said is what was said.
func (r *routing) decide(m *routed, known []*directory.User, said *marks.Said) []Decision {
	accounts := m.conf.Accounts
	if limit := m.conf.Policy.MaxPushGroup; m.bulk && limit > 0 && m.size > limit && m.message.Conversation.Type == hongyan.ConversationGroup {
		m.message.OfflinePush.Disable = true // by the size of the whole group
	}
	return Plan(m.message, m.conf.Policy, known, said, func(certificate string) bool { _, ok := accounts[certificate]; return ok }, r.Now())
}

// looked counts what the records said of a message that was taken before, and hands it over, once,
// if it is recalled by now.
func (r *routing) looked(p *planned) {
	m := p.m
	if m.answer == nil {
		return
	}
	r.Metrics.Looked(p.done, len(p.decisions), m.answer.Unread)
	if r.Withdrawals == nil || m.handed || !p.recalled && !r.Withdrawals.Recalled(m.app, m.message.ID) {
		return
	}
	m.handed = true
	m.duty.Add(1)
	r.Withdrawals.Again(m.app, m.message.ID, m.message.Conversation.ID, m.stored, m.duty)
}

// backoffDelay keeps what failed away for a moment.
func backoffDelay() time.Duration { return time.Second + rand.N(2*time.Second) }
