package recall

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
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

// Recaller implements route.Withdrawals and send.Recalls for a worker. It may be used by many
// goroutines.
type Recaller struct {
	Outcomes Outcomes
	Devices  Devices
	// Marks is nil where nobody hears of recalls.
	Marks    Marks
	Recorder *store.Recorder
	Apps     *route.Apps
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
	duties []*store.Duty    // a share of each
	due    time.Time
}

// Start makes the recaller ready. When ctx ends it begins nothing more; Wait waits for the rest.
func (c *Recaller) Start(ctx context.Context) { c.ctx = ctx }

// Wait returns when no round runs any more. Nobody may recall after it was called.
func (c *Recaller) Wait() { c.recalling.Wait() }

// within is for how long after its acceptance a push of an app is taken back; 0 for never.
func (c *Recaller) within(app string) time.Duration {
	conf, _ := c.Apps.Of(app)
	return conf.Policy.RecallOverwrite
}

// Recalled implements send.Recalls.
func (c *Recaller) Recalled(app, message string) bool {
	return c.Marks != nil && c.within(app) > 0 && c.Marks.Recalled(app, message)
}

// Recall implements route.Withdrawals.
func (c *Recaller) Recall(r route.Recall, duty *store.Duty) {
	now := c.Now()
	w := windowOf(&r, c.within(r.App))
	if c.within(r.App) <= 0 || w.empty() {
		duty.Done(true)
		return
	}
	duty.Keep() // so that those that wait for a round hold up no others
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
		recall: route.Recall{App: job.App, Signal: hongyan.Signal{MessageID: job.Notification.MessageID}, Stored: at},
		window: window{from: at, to: at.Add(-1)}, late: map[device]*push{}, due: at,
	}
	for _, i := range targets {
		t := &job.Targets[i]
		d := device{t.User, t.Device}
		q.late[d] = &push{device: d, certificate: job.Certificate, shown: dispatch.ShownOf(job.Notification), at: at}
	}
	c.ask(q, duty)
}

// Again implements route.Withdrawals and send.Recalls.
func (c *Recaller) Again(app, message string, since time.Time, duty *store.Duty) {
	now := c.Now()
	r := route.Recall{App: app, Signal: hongyan.Signal{MessageID: message}, Stored: now, Again: true}
	w := window{from: since, to: now.Add(acceptedWithin)}
	if first := now.Add(-c.within(app)); w.from.Before(first) {
		w.from = first
	}
	c.ask(&question{asked: asked{app, message}, recall: r, window: w, due: now}, duty)
}

// ask adds a question to those that wait, or to the one that waits about the same message.
func (c *Recaller) ask(q *question, duty *store.Duty) {
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
}

// run answers what waits, round by round, until nothing does.
func (c *Recaller) run() {
	said := false
	for wait := gatherFor; sleep(c.ctx, wait); {
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
	var found []*question
	for _, q := range questions {
		if len(q.pushes) == 0 {
			c.Metrics.Ignore("recall_nothing_accepted")
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
	var windows []window
	now := c.Now()
	for _, q := range questions {
		w := q.window
		if c.collapses(app) && !w.empty() && w.to.Before(now) {
			w.to = now // whether a newer message took its place
		}
		windows = append(windows, w)
	}
	return newFinding(app, questions).find(c.ctx, c.Outcomes, union(windows))
}

// collapses says whether newer messages of an app replace older ones.
func (c *Recaller) collapses(app string) bool {
	conf, _ := c.Apps.Of(app)
	for _, a := range conf.Accounts {
		return a.Collapse // the policy is the app's
	}
	return false
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

// sleep waits for d, or returns false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
