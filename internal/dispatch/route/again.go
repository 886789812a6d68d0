package route

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

const (
	// decideGather is how long the first question waits for company.
	decideGather = 5 * time.Millisecond
	// decideUsers is about how many users are looked up together.
	decideUsers = 1000
)

// Decider decides once more on what waited, with one read of the directory for many jobs. One
// Decider serves all senders of a worker.
type Decider struct {
	Devices Devices
	// Marks is nil where nobody remembers recalls, read marks and calls.
	Marks *marks.Marks
	Apps  *Apps
	// Badges keep the numbers of apps that count; nil where none does.
	Badges Badges
	Log    *slog.Logger
	Now    func() time.Time

	deciding sync.WaitGroup

	mu sync.Mutex
	// calls are those about invitations to calls, which wait for no others.
	calls, others asking
}

// asking are questions that wait.
type asking struct {
	waiting []*question
	running bool
}

// question asks about some targets of a job.
type question struct {
	job     *dispatch.Job
	targets []int
	answer  func([]dispatch.Decided)
	ended   func()
}

// Decide decides once more on some targets of a job of an app that the decider knows. It calls
// answer, with a decision for each of them, or ended where ctx ends before: once, from another
// goroutine, which must not be held up. While the directory cannot be read the job waits.
func (d *Decider) Decide(ctx context.Context, job *dispatch.Job, targets []int, answer func([]dispatch.Decided), ended func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := &d.others
	if rings(job) {
		a = &d.calls
	}
	a.waiting = append(a.waiting, &question{job, targets, answer, ended})
	if !a.running {
		a.running = true
		d.deciding.Go(func() { d.run(ctx, a) })
	}
}

// rings says whether a job invites to a call.
func rings(job *dispatch.Job) bool {
	call := job.Notification.Call
	return call != nil && call.Action == hongyan.CallInvite
}

// Wait returns when nothing is being decided any more. Nobody may ask after it was called.
func (d *Decider) Wait() { d.deciding.Wait() }

// run answers what waits, until nothing does.
func (d *Decider) run(ctx context.Context, a *asking) {
	said := false
	for wait := decideGather; sleep.For(ctx, wait); {
		wait = 0
		round, ok := d.take(a)
		if !ok {
			return
		}
		err := d.decide(ctx, round)
		if err == nil {
			said = false
			continue
		}
		if ctx.Err() == nil && !said {
			said = true
			d.Log.Warn("the directory, or what was said of messages, cannot be read; what waited and could be sent now waits until it is", "error", err)
		}
		d.mu.Lock()
		a.waiting = append(round, a.waiting...)
		d.mu.Unlock()
		wait = backoffDelay()
	}
	d.mu.Lock()
	rest := a.waiting
	a.waiting, a.running = nil, false
	d.mu.Unlock()
	for _, q := range rest {
		q.ended()
	}
}

// take takes the questions of one round; false when none waits.
func (d *Decider) take(a *asking) (round []*question, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(a.waiting) == 0 {
		a.running = false
		return nil, false
	}
	n := 0
	for users := 0; n < len(a.waiting) && (n == 0 || users+len(a.waiting[n].targets) <= decideUsers); n++ {
		users += len(a.waiting[n].targets)
	}
	round, a.waiting = a.waiting[:n:n], a.waiting[n:]
	return round, true
}

// decide answers a round of questions by what is known of their users now.
func (d *Decider) decide(ctx context.Context, round []*question) error {
	users, err := d.read(ctx, round, d.Devices.Lookup)
	if err != nil {
		return err
	}
	said, err := d.say(ctx, round)
	if err != nil {
		return err
	}
	now := d.Now()
	decisions := make([][]dispatch.Decided, len(round))
	var doubts []*question
	var of []int
	reports := d.reports(round, users)
	for k, q := range round {
		decisions[k], users = d.plan(q, users, &said[k], now), users[len(q.targets):]
		if d.Devices.MustConfirm() && doubtful(decisions[k]) {
			doubts, of = append(doubts, q), append(of, k)
		}
	}
	if len(doubts) > 0 {
		if users, err = d.read(ctx, doubts, d.Devices.Confirm); err != nil {
			return err
		}
		for i, q := range doubts {
			decisions[of[i]], users = d.plan(q, users, &said[of[i]], now), users[len(q.targets):]
		}
	}
	var later []int
	for k, q := range round {
		if len(reports) > 0 && d.counts(q.job) {
			later = append(later, k)
		} else {
			q.answer(decisions[k])
		}
	}
	if len(later) > 0 {
		d.deciding.Go(func() {
			d.report(ctx, reports)
			for _, k := range later {
				round[k].answer(decisions[k])
			}
		})
	}
	return nil
}

// counts says whether a job's app counts on icons and the job carries what is counted. A call waits
// for nobody's numbers.
func (d *Decider) counts(job *dispatch.Job) bool {
	return d.Badges != nil && d.Apps.policy(job.App).Badge == BadgeCounted && job.Notification.Call == nil
}

// reports are the numbers that devices reported while their jobs waited, for apps that count.
func (d *Decider) reports(round []*question, users []*directory.User) (changes []badge.Change) {
	for _, q := range round {
		if d.counts(q.job) {
			for k, i := range q.targets {
				if u := users[k]; u != nil {
					if said := reported(u); said != nil {
						changes = append(changes, badge.Change{Ref: badge.Ref{App: q.job.App, User: q.job.Targets[i].User}, Report: said})
					}
				}
			}
		}
		users = users[len(q.targets):]
	}
	return changes
}

// reportTimeout is how long jobs wait for the numbers that devices reported to be stored.
const reportTimeout = 2 * time.Second

// report takes over reported numbers. What cannot be stored is said again with the next message.
func (d *Decider) report(ctx context.Context, changes []badge.Change) {
	bounded, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := d.Badges.Change(bounded, changes); err != nil && ctx.Err() == nil {
		d.Log.Warn("numbers that devices reported are not taken over", "error", err)
	}
}

// doubtful says whether a decision may be due to an answer that lacks what was acknowledged before.
func doubtful(decisions []dispatch.Decided) bool {
	return slices.ContainsFunc(decisions, func(d dispatch.Decided) bool { return staleCould[d.Suppressed] })
}

// say is what was said of the messages of questions, each at its place.
func (d *Decider) say(ctx context.Context, round []*question) ([]marks.Said, error) {
	if d.Marks == nil {
		return make([]marks.Said, len(round)), nil
	}
	calls := rings(round[0].job)
	about := make([]marks.About, len(round))
	for i, q := range round {
		n := q.job.Notification
		a := marks.About{App: q.job.App, Message: n.MessageID, SentAt: q.job.Sent(), Conversation: n.Conversation, Users: make([]string, len(q.targets))}
		if calls {
			a.Call = n.Call // what became of the call matters to nothing else that waited
		}
		for k, t := range q.targets {
			a.Users[k] = q.job.Targets[t].User
		}
		about[i] = a
	}
	if calls {
		return sayOfCalls(ctx, d.Marks, about, d.Log), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return d.Marks.Say(ctx, about)
}

// plan decides on the targets of a question, of whose users the first ones tell.
func (d *Decider) plan(q *question, users []*directory.User, said *marks.Said, now time.Time) []dispatch.Decided {
	decisions := make([]dispatch.Decided, len(q.targets))
	policy := d.Apps.policy(q.job.App)
	for k, i := range q.targets {
		decisions[k] = PlanAgain(q.job, q.job.Targets[i], policy, said.Of(k), users[k], now)
	}
	return decisions
}

// read reads the users of questions, each at the place of its target.
func (d *Decider) read(ctx context.Context, round []*question, read func(context.Context, []directory.Ref) ([]*directory.User, error)) ([]*directory.User, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var refs []directory.Ref
	for _, q := range round {
		for _, i := range q.targets {
			refs = append(refs, directory.Ref{App: q.job.App, User: q.job.Targets[i].User})
		}
	}
	return read(ctx, refs)
}
