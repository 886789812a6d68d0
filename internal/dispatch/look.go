package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Record is a stored record of what became of a message on some devices.
type Record struct {
	hongyan.Outcome
	// Job of a waiting record names the stored job that the devices wait in.
	Job    string
	Stored time.Time
}

// Records reads what became of pushes.
type Records interface {
	// Records calls each with the records of an app's users in a partition since a time, oldest
	// first, until it returns false.
	Records(ctx context.Context, app string, partition int, since time.Time, each func(Record) (more bool)) error
}

// Looker looks up what became of the devices of jobs that were taken before, by a worker that was
// killed or that could not store or ack in time. One Looker serves all lanes of a worker: one read
// for each app and partition answers for all that waits.
type Looker struct {
	Records Records
	// Trouble is when NATS was away or refused last: then the others still have records to store.
	Trouble func() time.Time
	Metrics *Metrics
	Log     *slog.Logger
	Now     func() time.Time

	looking sync.WaitGroup

	mu      sync.Mutex
	waiting []*question
	running bool
}

const (
	// lookLimit is the most records that one read goes through. What lies beyond is pushed.
	lookLimit = 200_000
	// lookGather is how long the first question waits for company.
	lookGather = 50 * time.Millisecond
	// troubleLasts is how long after trouble a job that comes again may be one that another worker
	// still owes records of: no longer than a claim.
	troubleLasts = 60 * time.Second
	// patience, and that of urgent jobs, is what these workers get to store them.
	patience       = 10 * time.Second
	urgentPatience = 2 * time.Second
)

// question asks which devices of a job have an end, or a later job, since it was stored.
type question struct {
	work   *work
	since  time.Time
	due    time.Time
	answer func(*question)

	done   map[[2]string]bool // user and device
	unread bool               // there were more records than lookLimit
}

// look answers a question, by a call of its answer, unless ctx ends before.
func (l *Looker) look(ctx context.Context, q *question) {
	now := l.Now()
	q.due = now
	if trouble := l.Trouble(); !trouble.IsZero() && now.Sub(trouble) < troubleLasts {
		wait := patience
		if q.work.job.Lane == hongyan.LaneUrgent {
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
	for wait := lookGather; sleep(ctx, wait); {
		due, next, ok := l.take()
		if !ok {
			return
		}
		wait = next
		if len(due) == 0 {
			continue
		}
		err := l.read(ctx, due)
		if err == nil {
			said = false
			for _, q := range due {
				q.answer(q)
			}
			continue
		}
		if !said && ctx.Err() == nil {
			said = true
			l.Log.Warn("cannot read what became of jobs that came again, they wait", "jobs", len(due), "error", err)
		}
		l.mu.Lock()
		l.waiting = append(l.waiting, due...)
		l.mu.Unlock()
		wait = time.Second
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running, l.waiting = false, nil // their lanes give the jobs back
}

// take takes what is due, and says when to look again; false means that nothing waits.
func (l *Looker) take() (due []*question, next time.Duration, ok bool) {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running = false
		return nil, 0, false
	}
	var rest []*question
	next = time.Second
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
func (l *Looker) read(ctx context.Context, questions []*question) error {
	type part struct {
		app       string
		partition int
	}
	type device struct{ message, user, device string }
	asked := map[part]map[device][]*question{}
	since := map[part]time.Time{}
	for _, q := range questions {
		q.done, q.unread = map[[2]string]bool{}, false
		for _, t := range q.work.job.Targets {
			p := part{q.work.job.App, hongyan.Partition(t.User)}
			if asked[p] == nil {
				asked[p] = map[device][]*question{}
			}
			if s, ok := since[p]; !ok || q.since.Before(s) {
				since[p] = q.since
			}
			d := device{q.work.job.Notification.MessageID, t.User, t.Device}
			asked[p][d] = append(asked[p][d], q)
		}
	}
	for p, devices := range asked {
		n, beyond := 0, false
		err := l.Records.Records(ctx, p.app, p.partition, since[p], func(r Record) bool {
			if n++; n > lookLimit {
				beyond = true
				return false
			}
			if !r.Status.End() && r.Status != hongyan.StatusWaiting {
				return true
			}
			for _, d := range r.Devices {
				for _, q := range devices[device{r.MessageID, d.User, d.Device}] {
					own := r.Status == hongyan.StatusWaiting && r.Job == q.work.job.StoredAs
					if !own && !r.Stored.Before(q.since) {
						q.done[[2]string{d.User, d.Device}] = true
					}
				}
			}
			return true
		})
		if err != nil {
			return err
		}
		if beyond {
			for _, qs := range devices {
				for _, q := range qs {
					q.unread = true
				}
			}
		}
	}
	return nil
}

// look asks what became of a job's devices before it is sent.
func (l *lane) look(ctx context.Context, w *work) {
	l.looking[w] = struct{}{}
	l.s.Looker.look(ctx, &question{work: w, since: w.claim.stored, answer: func(q *question) { l.looked <- q }})
}

// seen goes on with a job after the look: with the devices that nothing became of yet.
func (l *lane) seen(q *question) {
	w := q.work
	delete(l.looking, w)
	var rest []Target
	for _, t := range w.job.Targets {
		if !q.done[[2]string{t.User, t.Device}] {
			rest = append(rest, t)
		}
	}
	m := l.s.Metrics
	m.look("done", len(w.job.Targets)-len(rest))
	if q.unread {
		m.look("unread", len(rest))
	} else {
		m.look("pushed", len(rest))
	}
	switch {
	case len(rest) == 0:
		w.claim.Ack()
		return
	case len(rest) < len(w.job.Targets):
		w.job = w.job.part(rest)
	}
	l.start(w)
}
