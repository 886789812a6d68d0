package recall

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

const (
	// gatherFor is how long the first recall waits for company, and for the other workers to hear
	// of it: what they record later they know to be recalled.
	gatherFor = 500 * time.Millisecond
	// roundEvery is how often the outcomes are read at most.
	roundEvery = time.Second
	// restFactor is how long a round is followed by none, in times that it took.
	restFactor = 4
	// troubleLasts is how long after trouble with NATS another worker may still owe records, and
	// patience is what it gets to store them.
	troubleLasts = 60 * time.Second
	patience     = 10 * time.Second
	// countedWithin is how far back is looked for those for whom a recalled message was counted,
	// where nothing is overwritten.
	countedWithin = 2 * time.Hour
	// again is how long after a failure a round is tried anew.
	again = time.Second
	// lookupUsers is how many users are looked up together.
	lookupUsers   = 1000
	lookupTimeout = 30 * time.Second
)

// Devices is what is needed of the directory; *directory.Directory implements it.
type Devices interface {
	// Lookup reads many users at once, each at the place of its Ref; nil where nothing is known.
	Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error)
}

// Marks know what was recalled; *marks.Marks implements it.
type Marks interface {
	// Recalled says whether a message was recalled, as far as this worker has heard.
	Recalled(app, message string) bool
}

// Badges keep the numbers on the icons of users, for apps that count; *badge.Book implements it.
type Badges interface {
	// Change makes changes and returns when they are stored.
	Change(ctx context.Context, changes []badge.Change) error
}

// Recaller implements route.Withdrawals and send.Recalls for a worker. It may be used by many
// goroutines.
type Recaller struct {
	Outcomes Outcomes
	Devices  Devices
	// Marks is nil where nobody hears of recalls.
	Marks    Marks
	Recorder *store.Recorder
	Apps     *route.Apps
	// Badges is nil where no app counts. Moved is told of the users from whose numbers a recalled
	// message was taken away.
	Badges Badges
	Moved  func(app, user string)
	// Trouble is when NATS was away or refused last.
	Trouble func() time.Time
	Metrics *dispatch.Metrics
	Log     *slog.Logger
	Now     func() time.Time

	ctx       context.Context
	recalling sync.WaitGroup

	mu      sync.Mutex
	waiting map[asked]*question
	running bool
	ended   bool
	next    time.Time // before which no round begins
}

// asked names a question.
type asked struct{ app, message string }

// question is a recalled message, and what is known of its pushes.
type question struct {
	asked
	recall route.Recall
	// window is empty where only what is in late is meant.
	window window
	late   map[device]*push // what was handed over
	pushes map[device]*push // that, and what was found
	// others are users without a push for whom the message was counted on icons.
	others map[string]bool
	duties []*store.Duty // a share of each
	due    time.Time
}

// Start makes the recaller ready. When ctx ends it begins nothing more; Wait waits for the rest.
func (c *Recaller) Start(ctx context.Context) { c.ctx = ctx }

// Wait returns when no round runs any more. Nobody may recall after it was called.
func (c *Recaller) Wait() { c.recalling.Wait() }

// within is for how long after its acceptance a push of an app is taken back; 0 for never.
func (c *Recaller) within(app string) time.Duration { return c.policy(app).RecallOverwrite }

// back is how far back is looked for what was accepted of a recalled message of an app; 0 where
// nothing follows from it. An app that counts takes the message away from its icons in any case.
func (c *Recaller) back(app string) time.Duration {
	within := c.within(app)
	if within <= 0 && c.counts(app) {
		return countedWithin
	}
	return within
}

// policy is the policy of an app; the zero value where it is not served.
func (c *Recaller) policy(app string) route.Policy {
	conf, _ := c.Apps.Of(app)
	return conf.Policy
}

// Recalled implements send.Recalls.
func (c *Recaller) Recalled(app, message string) bool {
	return c.Marks != nil && c.back(app) > 0 && c.Marks.Recalled(app, message)
}

// Recall implements route.Withdrawals.
func (c *Recaller) Recall(r route.Recall, duty *store.Duty) {
	now := c.Now()
	back := c.back(r.App)
	w := windowOf(&r, back)
	if back <= 0 || w.empty() {
		duty.Done(true)
		return
	}
	due := now
	if trouble := c.Trouble(); !trouble.IsZero() && now.Sub(trouble) < troubleLasts {
		due = trouble.Add(patience)
	}
	c.ask(&question{asked: asked{r.App, r.Signal.MessageID}, recall: r, window: w, due: due}, duty)
}

// Late implements send.Recalls.
func (c *Recaller) Late(job *dispatch.Job, targets []int, at time.Time, duty *store.Duty) {
	q := &question{
		asked:  asked{job.App, job.Notification.MessageID},
		recall: recallOf(job.App, job.Notification.MessageID, job.Notification.Conversation, at),
		window: window{from: at, to: at.Add(-1)}, late: map[device]*push{}, due: at,
	}
	for _, i := range targets {
		t := &job.Targets[i]
		d := device{t.User, t.Device}
		q.late[d] = &push{device: d, message: q.message, certificate: job.Certificate, shown: dispatch.ShownOf(job.Notification), accepted: at, at: at}
	}
	c.ask(q, duty)
}

// Again implements route.Withdrawals and send.Recalls.
func (c *Recaller) Again(app, message, conversation string, since time.Time, duty *store.Duty) {
	back := c.back(app)
	if back <= 0 {
		duty.Done(true)
		return
	}
	now := c.Now()
	w := window{from: since, to: now.Add(acceptedWithin)}
	if first := now.Add(-back); w.from.Before(first) {
		w.from = first
	}
	c.ask(&question{asked: asked{app, message}, recall: recallOf(app, message, conversation, now), window: w, due: now}, duty)
}

// recallOf is a recall as a signal would say it.
func recallOf(app, message, conversation string, at time.Time) route.Recall {
	return route.Recall{App: app, Signal: hongyan.Signal{Type: hongyan.SignalRecall, MessageID: message, Conversation: conversation}, Stored: at}
}

// ask adds a question to those that wait, or to the one that waits about the same message. Those
// that wait for a round hold up no others.
func (c *Recaller) ask(q *question, duty *store.Duty) {
	duty.Keep()
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		duty.Done(false)
		return
	}
	defer c.mu.Unlock()
	c.put(q)
	x := c.waiting[q.asked]
	x.duties = append(x.duties, duty)
	if !c.running {
		c.running = true
		c.recalling.Go(c.run)
	}
}

// put lets a question wait, together with one about the same message. The lock is held.
func (c *Recaller) put(q *question) {
	if c.waiting == nil {
		c.waiting = map[asked]*question{}
	}
	x := c.waiting[q.asked]
	if x == nil {
		q.pushes = nil
		c.waiting[q.asked] = q
		return
	}
	if x.late == nil {
		x.late = q.late
	} else {
		maps.Copy(x.late, q.late)
	}
	x.duties = append(x.duties, q.duties...)
	conversation := cmp.Or(x.recall.Signal.Conversation, q.recall.Signal.Conversation)
	switch {
	case q.window.empty():
	case x.window.empty():
		x.recall, x.window, x.due = q.recall, q.window, q.due
	default:
		if q.window.from.Before(x.window.from) {
			x.window.from = q.window.from
		}
		if q.window.to.After(x.window.to) {
			x.window.to = q.window.to
		}
		if q.due.After(x.due) {
			x.due = q.due
		}
	}
	x.recall.Signal.Conversation = conversation
}

// run answers what waits, round by round, until nothing does.
func (c *Recaller) run() {
	said := false
	for wait := gatherFor; sleep.For(c.ctx, wait); {
		questions, next, ok := c.take()
		if !ok {
			return
		}
		if wait = next; len(questions) == 0 {
			continue
		}
		began := c.Now()
		left, err := c.round(questions)
		took := c.Now().Sub(began)
		c.mu.Lock()
		c.next = began.Add(max(roundEvery, (1+restFactor)*took))
		for _, q := range left {
			c.put(q)
		}
		c.mu.Unlock()
		if err == nil {
			said, wait = false, gatherFor
			continue
		}
		if wait = again; !said && c.ctx.Err() == nil {
			said = true
			c.Log.Warn("cannot find what was accepted of recalled messages, trying until it is found", "messages", len(left), "error", err)
		}
	}
	c.mu.Lock()
	rest := c.waiting
	c.waiting, c.running, c.ended = nil, false, true
	c.mu.Unlock()
	for _, q := range rest {
		q.done(false)
	}
}

// take returns the questions of the next round, or how long until one begins; false when nothing
// waits.
func (c *Recaller) take() (due []*question, next time.Duration, ok bool) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.running = false
		return nil, 0, false
	}
	if wait := c.next.Sub(now); wait > 0 {
		return nil, wait, true
	}
	for at, q := range c.waiting {
		if !q.due.After(now) {
			due = append(due, q)
			delete(c.waiting, at)
		}
	}
	return due, gatherFor, true
}

// round finds out what was accepted of the messages of questions, and sees to it. With an error it
// returns those that nothing was done about.
func (c *Recaller) round(questions []*question) (left []*question, err error) {
	apps := map[string][]*question{}
	for _, q := range questions {
		apps[q.app] = append(apps[q.app], q)
	}
	for app, asked := range apps {
		switch err := c.find(app, asked); {
		case errors.Is(err, errFull):
			return c.divide(questions)
		case err != nil:
			return questions, err
		}
	}
	if err := c.forget(questions); err != nil {
		return questions, err
	}
	var found []*question
	for _, q := range questions {
		if len(q.pushes) == 0 {
			c.Metrics.Ignore("recall_nothing_accepted")
			q.done(true)
			continue
		}
		if c.within(q.app) <= 0 { // it was looked for to be counted no more
			q.done(true)
			continue
		}
		found = append(found, q)
	}
	users, err := c.lookup(found)
	if err != nil {
		return found, err
	}
	for _, q := range found {
		c.withdraw(q, users)
		q.done(true)
	}
	return nil, nil
}

// divide sees to half of the questions, of which there are several.
func (c *Recaller) divide(questions []*question) (left []*question, err error) {
	half := len(questions) / 2
	for _, q := range questions {
		q.pushes = nil
	}
	left, err = c.round(questions[:half])
	return append(left, questions[half:]...), err
}

// find fills in the pushes of an app's questions.
func (c *Recaller) find(app string, questions []*question) error {
	collapses, now := c.policy(app).Collapse, c.Now()
	var windows []window
	for _, q := range questions {
		w := q.window
		if collapses {
			w = q.sinceAccepted(now)
		}
		windows = append(windows, w)
	}
	return newFinding(app, questions, c.counts(app)).find(c.ctx, c.Outcomes, union(windows))
}

// counts says whether an app counts what its icons show.
func (c *Recaller) counts(app string) bool {
	return c.Badges != nil && c.policy(app).Badge == route.BadgeCounted
}

// forget takes recalled messages away from what is counted, before anything is pushed that carries
// a number. Taking one away once more changes nothing.
func (c *Recaller) forget(questions []*question) error {
	var changes []badge.Change
	for _, q := range questions {
		if !c.counts(q.app) {
			continue
		}
		for d := range q.pushes {
			q.others[d.user] = true
		}
		for u := range q.others {
			changes = append(changes, badge.Change{Ref: badge.Ref{App: q.app, User: u}, Forget: q.message})
		}
	}
	for some := range slices.Chunk(changes, lookupUsers) {
		ctx, cancel := context.WithTimeout(c.ctx, lookupTimeout)
		err := c.Badges.Change(ctx, some)
		cancel()
		if err != nil {
			return err
		}
		for i := range some {
			if c.Moved != nil {
				c.Moved(some[i].App, some[i].User)
			}
		}
	}
	return nil
}

// lookup reads the users of what was found.
func (c *Recaller) lookup(questions []*question) (map[directory.Ref]*directory.User, error) {
	users := map[directory.Ref]*directory.User{}
	var refs []directory.Ref
	for _, q := range questions {
		for d := range q.pushes {
			ref := directory.Ref{App: q.app, User: d.user}
			if _, known := users[ref]; !known {
				users[ref] = nil
				refs = append(refs, ref)
			}
		}
	}
	for len(refs) > 0 {
		some := refs[:min(len(refs), lookupUsers)]
		refs = refs[len(some):]
		ctx, cancel := context.WithTimeout(c.ctx, lookupTimeout)
		found, err := c.Devices.Lookup(ctx, some)
		cancel()
		if err != nil {
			return nil, err
		}
		for i, u := range found {
			users[some[i]] = u
		}
	}
	return users, nil
}

// done ends the question's shares.
func (q *question) done(stored bool) {
	for _, d := range q.duties {
		d.Done(stored)
	}
	q.duties = nil
}
