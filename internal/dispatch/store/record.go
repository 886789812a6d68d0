package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Recorder stores what follows from attempts and from planned messages, however long that takes.
// What cannot be stored is tried again under the same id until it is; the delivery that it follows
// from is held meanwhile, and acked at the end. No attempt is ever repeated because of a failed
// store. One Recorder serves all senders and routers of a worker.
type Recorder struct {
	Options
	// hard is the worker's end: what is not stored by then is given up.
	hard    context.Context
	storing sync.WaitGroup

	gatherMu    sync.Mutex
	gathered    map[sheet]*gathering
	gatherTimer bool

	mu      sync.Mutex
	streams map[string]*backlog
	owed    map[string]int // jobs and letters that attempts led to and that wait, by stream
	bytes   int            // under way to the server or waiting
	trouble time.Time      // when a store failed last
	freed   chan struct{}  // closed when something was stored that had to be tried again
}

// Options of a Recorder.
type Options struct {
	Queue    dispatch.Queue
	Subjects hongyan.Subjects
	Metrics  *dispatch.Metrics
	Log      *slog.Logger
	Now      func() time.Time
}

// NewRecorder returns a Recorder that gives up, at hard, what it could not store.
func NewRecorder(hard context.Context, opts Options) *Recorder {
	return &Recorder{Options: opts, hard: hard, gathered: map[sheet]*gathering{}, streams: map[string]*backlog{}, owed: map[string]int{}}
}

const (
	// maxUnstored is how many bytes may wait to be stored before attempts pause.
	maxUnstored = 32 << 20
	// firstRetry and lastRetry are the delays between tries; they double in between.
	firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second
	// retryBatch is how many messages a try publishes together.
	retryBatch = 1024
	// divertAfter is how long a job waits for a job stream that does not take it, before it is
	// stored among those that come later.
	divertAfter = 3 * time.Second
	// fullWait is how long a job at least waits among those that come later, when its stream is
	// full.
	fullWait = 30 * time.Second
	// storeTimeout bounds one try.
	storeTimeout = 20 * time.Second
)

// Debt is what must be stored before a share of a duty ends.
type Debt struct {
	// Msgs are stored first. Then is recorded only after all of them: a record that says "dead" or
	// "waiting" must not be there without the letter or the job.
	Msgs []dispatch.Outgoing
	Then []Line
	// After, where it is set, is called once before the share ends: when all of Msgs are stored, or
	// with false when they were given up.
	After func(stored bool)
	// Duty is whose share ends, nil for nobody's.
	Duty *Duty
	// Owner is paused while it owes a job or a dead letter; nil for the router.
	Owner *Debtor
	// Divert stores jobs that their stream does not take among those that come later.
	Divert bool
	// Instead, where it is set, takes over a message whose stream is full. It returns false when it
	// had to give up.
	Instead func(dispatch.Outgoing) (done bool)
}

// debt is a Debt on its way.
type debt struct {
	msgs    []dispatch.Outgoing
	done    func(stored bool) // called once
	keep    func()            // called once if the first try failed
	owner   *Debtor
	divert  bool
	instead func(dispatch.Outgoing) (done bool)
	size    int // of the deliveries

	mu     sync.Mutex
	left   int
	failed bool // some try failed
	lost   bool
}

// item is a message of a debt.
type item struct {
	of     *debt
	msg    dispatch.Outgoing
	stream string
	since  time.Time // of the first failure
}

func (i *item) size() int { return len(i.msg.Data) + len(i.msg.ID) + 256 }

// backlog is what one stream did not take yet, oldest first.
type backlog struct {
	items []*item
	since time.Time
}

// streams apart from those of the jobs
const (
	outcomeStream = string(hongyan.KindOutcome)
	laterStream   = "later"
	// heldBytes are those of deliveries that are held while something waits to be stored
	heldBytes = "held"
)

// Store stores what is owed. It returns when each message was tried once, or earlier. What is given
// up at the worker's hard end ends its share with false.
func (r *Recorder) Store(debts ...*Debt) {
	all := make([]*debt, len(debts))
	for k, d := range debts {
		all[k] = r.of(d)
	}
	r.store(all)
}

func (r *Recorder) of(d *Debt) *debt {
	x := &debt{msgs: d.Msgs, owner: d.Owner, divert: d.Divert, instead: d.Instead}
	if d.Duty != nil {
		x.size, x.keep = d.Duty.Size, d.Duty.Keep
	}
	x.done = func(stored bool) {
		if d.After != nil {
			d.After(stored)
		}
		if stored {
			r.Record(d.Then...)
		}
		if d.Duty != nil {
			d.Duty.Done(stored)
		}
	}
	return x
}

func (r *Recorder) store(debts []*debt) {
	var items []*item
	for _, d := range debts {
		if len(d.msgs) == 0 {
			d.done(true)
			continue
		}
		d.left = len(d.msgs)
		for _, m := range d.msgs {
			items = append(items, &item{of: d, msg: m, stream: r.stream(m.Subject)})
		}
	}
	if len(items) == 0 {
		return
	}
	r.mu.Lock()
	for _, i := range items {
		r.grow(i.stream, i.size())
	}
	for _, d := range debts {
		if len(d.msgs) > 0 {
			r.bytes += d.size
		}
	}
	r.mu.Unlock()
	r.dispatch(items)
}

// dispatch tries messages for the first time, those of each stream apart.
func (r *Recorder) dispatch(items []*item) {
	groups := map[string][]*item{}
	var order []string
	for _, i := range items {
		if _, ok := groups[i.stream]; !ok {
			order = append(order, i.stream)
		}
		groups[i.stream] = append(groups[i.stream], i)
	}
	for k, s := range order {
		if k == len(order)-1 {
			r.first(s, groups[s])
			return
		}
		r.storing.Go(func() { r.first(s, groups[s]) })
	}
}

// stream names the stream of a subject.
func (r *Recorder) stream(subject string) string {
	s, err := r.Subjects.Parse(subject)
	switch {
	case err != nil:
		return laterStream
	case s.Kind == hongyan.KindJob:
		return jobStream(s.Vendor)
	}
	return string(s.Kind)
}

func jobStream(vendor string) string { return string(hongyan.KindJob) + "." + vendor }

// first tries messages of one stream, unless it is known not to take any.
func (r *Recorder) first(stream string, items []*item) {
	r.mu.Lock()
	sick := r.streams[stream] != nil
	r.mu.Unlock()
	var cause error
	if !sick {
		if items, cause = r.try(items); len(items) == 0 {
			return
		}
	}
	r.enqueue(stream, items, cause)
}

// try publishes messages of one stream and returns those that must be tried again.
func (r *Recorder) try(items []*item) (failed []*item, cause error) {
	ctx, cancel := context.WithTimeout(r.hard, storeTimeout)
	defer cancel()
	msgs := make([]dispatch.Outgoing, len(items))
	for k, i := range items {
		msgs[k] = i.msg
	}
	errs := storeAll(ctx, r.Queue, r.Subjects, msgs)
	if errs == nil {
		r.end(items, false)
		return nil, nil
	}
	var ok []*item
	full := map[*item]bool{}
	for k, i := range items {
		if errs[k] == nil {
			ok = append(ok, i)
			continue
		}
		cause = errs[k]
		failed = append(failed, i)
		full[i] = errors.Is(errs[k], dispatch.ErrFull)
	}
	r.end(ok, false)
	r.Metrics.StoreFailed(items[0].stream, len(failed))
	if len(failed) == 0 || errors.Is(cause, dispatch.ErrAway) {
		return failed, cause // no stream would take them
	}
	return r.divert(failed, full), cause
}

// divert takes care of what its stream does not take: jobs are stored among those that come later,
// since a vendor that is sick for long must not hold up the messages of the others, and others are
// done instead. It returns what stays.
func (r *Recorder) divert(failed []*item, full map[*item]bool) (rest []*item) {
	now := r.Now()
	var later []*item
	for _, i := range failed {
		s, err := r.Subjects.Parse(i.msg.Subject)
		waited := !i.since.IsZero() && now.Sub(i.since) >= divertAfter
		switch {
		case full[i] && i.of.instead != nil:
			r.storing.Go(func() {
				done := i.of.instead(i.msg)
				r.end([]*item{i}, !done)
			})
			continue
		case err != nil || s.Kind != hongyan.KindJob || !i.of.divert || !full[i] && !waited:
			rest = append(rest, i)
			continue
		}
		due := now.Add(divertAfter + rand.N(divertAfter))
		if full[i] {
			due = now.Add(fullWait + rand.N(fullWait))
		}
		l := &item{of: i.of, msg: r.Queue.Later(i.msg, due), stream: laterStream}
		r.mu.Lock()
		r.uncount(i)
		r.grow(l.stream, l.size())
		r.wake()
		r.mu.Unlock()
		later = append(later, l)
	}
	if len(later) > 0 {
		r.Log.Debug("a job stream takes no jobs, they wait outside", "jobs", len(later), "subject", later[0].msg.Subject)
		r.first(laterStream, later)
	}
	return rest
}

// enqueue leaves messages to the stream's backlog.
func (r *Recorder) enqueue(stream string, items []*item, cause error) {
	now := r.Now()
	r.mu.Lock()
	b := r.streams[stream]
	fresh := b == nil
	if fresh {
		b = &backlog{since: now}
		r.streams[stream] = b
	}
	r.trouble = now
	var keep []func()
	for _, i := range items {
		i.since = now
		r.owe(i, 1)
		if d := i.of; !d.failed {
			d.failed = true
			r.Metrics.Unstored(heldBytes, d.size)
			if d.keep != nil {
				keep = append(keep, d.keep)
			}
		}
		b.items = append(b.items, i)
	}
	r.mu.Unlock()
	for _, k := range keep {
		k()
	}
	if fresh {
		r.Log.Warn("cannot store what became of pushes, trying until it is stored; no push is repeated for it", "stream", stream, "error", cause)
		r.storing.Go(func() { r.retry(stream, b) })
	}
}

// owe counts an item that had to be tried again among those that pause its owner, or takes it away.
// The lock is held.
func (r *Recorder) owe(i *item, sign int) {
	if d := i.of; d.owner != nil && i.stream != outcomeStream {
		d.owner.owes += sign
		if r.owed[i.stream] += sign; r.owed[i.stream] == 0 {
			delete(r.owed, i.stream)
		}
	}
}

// uncount takes an item out of all counts. The lock is held.
func (r *Recorder) uncount(i *item) {
	r.grow(i.stream, -i.size())
	if !i.since.IsZero() {
		r.owe(i, -1)
	}
}

// grow changes the bytes that wait. The lock is held.
func (r *Recorder) grow(stream string, n int) {
	r.bytes += n
	r.Metrics.Unstored(stream, n)
}

// wake makes those who wait for room look again. The lock is held.
func (r *Recorder) wake() {
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// retry tries a stream's backlog until it is empty or the worker ends.
func (r *Recorder) retry(stream string, b *backlog) {
	delay := firstRetry
	for {
		if !sleep(r.hard, delay) {
			r.abandon(stream, b)
			return
		}
		r.mu.Lock()
		some := b.items[:min(len(b.items), retryBatch)]
		b.items = b.items[len(some):]
		r.mu.Unlock()
		failed, _ := r.try(some)
		now := r.Now()
		r.mu.Lock()
		if len(failed) > 0 {
			r.trouble = now
		}
		b.items = append(failed[:len(failed):len(failed)], b.items...)
		left := len(b.items)
		if left == 0 {
			delete(r.streams, stream)
		}
		r.wake()
		r.mu.Unlock()
		switch {
		case left == 0:
			r.Log.Info("all that had to wait is stored", "stream", stream, "after", now.Sub(b.since).Round(time.Millisecond))
			return
		case len(failed) == 0:
			delay = 0
		default:
			delay = min(max(2*delay, firstRetry), lastRetry)
		}
	}
}

// end ends items that are stored, or lost.
func (r *Recorder) end(items []*item, lost bool) {
	if len(items) == 0 {
		return
	}
	var over []*debt
	r.mu.Lock()
	for _, i := range items {
		r.uncount(i)
		d := i.of
		d.mu.Lock()
		d.left--
		d.lost = d.lost || lost
		last := d.left == 0
		d.mu.Unlock()
		if !last {
			continue
		}
		r.bytes -= d.size
		if d.failed {
			r.Metrics.Unstored(heldBytes, -d.size)
		}
		over = append(over, d)
	}
	r.wake()
	r.mu.Unlock()
	for _, d := range over {
		d.done(!d.lost)
	}
}

// abandon gives up what is not stored: the worker ends.
func (r *Recorder) abandon(stream string, b *backlog) {
	r.mu.Lock()
	items := b.items
	b.items = nil
	delete(r.streams, stream)
	r.mu.Unlock()
	r.Log.Warn("stopping with records that could not be stored; whoever takes their messages looks for them first", "stream", stream, "records", len(items))
	r.end(items, true)
}

// Wait returns when nothing is being stored any more. Nobody may record or store anything after it
// was called, but for what follows from what is being stored.
func (r *Recorder) Wait() { r.storing.Wait() }

// Trouble is when a store failed last; zero when none did.
func (r *Recorder) Trouble() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble
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
