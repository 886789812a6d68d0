package store

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Records reads what became of pushes.
type Records interface {
	// Records calls each with the records of an app's users in a partition since a time, oldest
	// first, until it returns false. All that was stored before the call is among them.
	Records(ctx context.Context, app string, partition int, since time.Time, each func(dispatch.Record) (more bool)) error
}

// Looker looks up what became of the devices of messages and jobs that were taken before, by a
// worker that was killed or that could not store or ack in time. One Looker serves a whole worker:
// one read for each app and partition answers for all that waits.
type Looker struct {
	Records Records
	// Trouble is when NATS was away or refused last: then the others still have records to store.
	Trouble func() time.Time
	Log     *slog.Logger
	Now     func() time.Time

	looking sync.WaitGroup

	mu      sync.Mutex
	waiting []*Question
	running bool
}

const (
	// lookLimit is the most records that one read goes through. What lies beyond is pushed.
	lookLimit = 200_000
	// readsAtOnce is how many partitions are read at the same time.
	readsAtOnce = 8
	// lookGather is how long the first question waits for company.
	lookGather = 50 * time.Millisecond
	// lookAgain is how long one that is due may have to wait for those that are not.
	lookAgain = time.Second
	// troubleLasts is how long after trouble a message that comes again may be one that another
	// worker still owes records of: no longer than a claim.
	troubleLasts = 60 * time.Second
	// patience, and that for what is urgent, is what these workers get to store them.
	patience       = 10 * time.Second
	urgentPatience = 2 * time.Second
)

// Question asks which devices of a message have an end, or wait in a job of their own, since a
// time.
type Question struct {
	App, Message string
	// Partitions are those of the users that are asked about.
	Partitions [hongyan.Partitions]bool
	Since      time.Time
	// Job is [dispatch.Job.WaitName] of the job that asks, empty for a message. Its own waiting
	// records and those of the jobs that it follows, which may have been stored late, say nothing.
	Job string
	// Withdrawn asks which devices have a record that what was accepted was taken back, and for
	// nothing else.
	Withdrawn bool
	Urgent    bool
	// Answer is called once, or Ended where the context of Look ends before.
	Answer func(*Answer)
	Ended  func()

	due    time.Time
	answer *Answer
}

// Answer says what became of a message's devices.
type Answer struct {
	devices map[string]map[string]struct{} // by user
	// Unread says that there were more records than one look reads: what became of the others is
	// not known.
	Unread bool
}

// Has says whether a device has an end or a job of its own, alone or because its user as a whole
// has.
func (a *Answer) Has(user, device string) bool {
	of, ok := a.devices[user]
	if !ok {
		return false
	}
	_, whole := of[""]
	_, one := of[device]
	return whole || one
}

// Of says whether a user has an end or a job, at least for one device.
func (a *Answer) Of(user string) bool { return len(a.devices[user]) > 0 }

func (a *Answer) add(user, device string) {
	if a.devices == nil {
		a.devices = map[string]map[string]struct{}{}
	}
	of := a.devices[user]
	if of == nil {
		of = map[string]struct{}{}
		a.devices[user] = of
	}
	of[device] = struct{}{}
}

// Look answers a question, by a call of its Answer or, where ctx ends before, of its Ended.
func (l *Looker) Look(ctx context.Context, q *Question) {

	now := l.Now()
	q.due = now
	if trouble := l.Trouble(); !trouble.IsZero() && now.Sub(trouble) < troubleLasts {
		wait := patience
		if q.Urgent {
			wait = urgentPatience
		}
		if due := trouble.Add(wait); due.After(now) {
			q.due = due
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, q)
	if !l.running {
		l.running = true
		l.looking.Go(func() { l.run(ctx) })
	}
}

// Wait returns when nothing is being looked up any more. Nobody may look after it was called.
func (l *Looker) Wait() { l.looking.Wait() }

// run answers what waits, until nothing does.
func (l *Looker) run(ctx context.Context) {
	said := false
	for wait := lookGather; sleep.For(ctx, wait); {
		due, next, ok := l.take()
		if !ok {
			return
		}
		wait = next
		if len(due) == 0 {
			continue
		}
		wait = lookGather
		err := l.read(ctx, due)
		if err == nil {
			said = false
			for _, q := range due {
				q.Answer(q.answer)
			}
			continue
		}
		if ctx.Err() == nil && !said {
			said = true
			l.Log.Warn("cannot read what became of messages that came again, they wait until it is read", "error", err)
		}
		l.mu.Lock()
		l.waiting = append(due, l.waiting...)
		l.mu.Unlock()
		wait = firstRetry
	}
	l.mu.Lock()
	rest := l.waiting
	l.waiting, l.running = nil, false
	l.mu.Unlock()
	for _, q := range rest {
		q.Ended()
	}
}

// take returns the questions that are due, or how long until one is; false when none waits.
func (l *Looker) take() (due []*Question, next time.Duration, ok bool) {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running = false
		return nil, 0, false
	}
	next = lookAgain
	var rest []*Question
	for _, q := range l.waiting {
		if wait := q.due.Sub(now); wait > 0 {
			rest, next = append(rest, q), min(next, wait)
		} else {
			due = append(due, q)
		}
	}
	l.waiting = rest
	return due, max(next, lookGather), true
}

// read fills in the answers, with one read for each app and partition.
func (l *Looker) read(ctx context.Context, questions []*Question) error {

	type part struct {
		app       string
		partition int
	}
	asked := map[part]map[string][]*Question{} // by message
	since := map[part]time.Time{}
	for _, q := range questions {
		q.answer = new(Answer)
		for n, wanted := range q.Partitions {
			if !wanted {
				continue
			}
			p := part{q.App, n}
			if asked[p] == nil {
				asked[p] = map[string][]*Question{}
			}
			if s, ok := since[p]; !ok || q.Since.Before(s) {
				since[p] = q.Since
			}
			asked[p][q.Message] = append(asked[p][q.Message], q)
		}
	}
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	var learning sync.Mutex // a question may be about several partitions
	for p, messages := range asked {
		reads.Go(func() error {
			n, beyond := 0, false
			err := l.Records.Records(ctx, p.app, p.partition, since[p], func(r dispatch.Record) bool {
				if n++; n > lookLimit {
					beyond = true
					return false
				}
				if about := messages[r.MessageID]; about != nil {
					learning.Lock()
					defer learning.Unlock()
					for _, q := range about {
						q.learn(&r)
					}
				}
				return true
			})
			if err != nil || !beyond {
				return err
			}
			learning.Lock()
			defer learning.Unlock()
			for _, about := range messages {
				for _, q := range about {
					q.answer.Unread = true
				}
			}
			return nil
		})
	}
	return reads.Wait()
}

// learn takes over what a record says.
func (q *Question) learn(r *dispatch.Record) {
	if q.Withdrawn != (r.Status == hongyan.StatusWithdrawn) {
		return
	}
	waits := r.Status == hongyan.StatusWaiting
	if !q.Withdrawn && !r.Status.End() && !waits || r.Stored.Before(q.Since) || waits && q.Job != "" && r.Job <= q.Job {
		return
	}
	for i := range r.Devices {
		q.answer.add(r.Devices[i].User, r.Devices[i].Device)
	}
}
