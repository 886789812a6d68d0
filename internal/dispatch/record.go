package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Recorder stores what follows from attempts and from planned messages, however long that takes.
// What cannot be stored is tried again under the same id until it is; the delivery that it follows
// from is held meanwhile, and acked at the end. No attempt is ever repeated because of a failed
// store. One Recorder serves all lanes and the router of a worker.
type Recorder struct {
	Queue    Queue
	Subjects hongyan.Subjects
	Metrics  *Metrics
	Log      *slog.Logger
	Now      func() time.Time

	storing sync.WaitGroup

	mu      sync.Mutex
	streams map[string]*backlog
	owed    map[string]int // jobs and letters that attempts led to and that wait, by stream
	bytes   int
	trouble time.Time     // when a store failed last
	freed   chan struct{} // closed when something was stored that had to be tried again
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
	// storeTimeout bounds one try.
	storeTimeout = 20 * time.Second
)

// debt is what must be stored before a delivery is done with.
type debt struct {
	// msgs are stored first, then are stored only after all of them: a record that says "dead" or
	// "waiting" must not be there without the letter or the job.
	msgs, then []Outgoing
	// done is called once: with true when all is stored, with false when the recorder was stopped
	// before.
	done func(stored bool)
	// keep is called once if the first try failed.
	keep func()
	// owner is paused while it owes a job or a dead letter; nil for the router.
	owner *debtor
	// divert stores jobs that their stream does not take among those that come later.
	divert bool
	size   int // of the delivery

	mu     sync.Mutex
	left   int
	failed bool // some try failed
	lost   bool
}

// debtor is who makes attempts and may have to pause.
type debtor struct {
	vendor string
	owes   int // jobs and letters of its own that are not stored; the recorder's lock guards it
}

// item is a message of a debt.
type item struct {
	of    *debt
	msg   Outgoing
	since time.Time // of the first failure
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

// Record stores what is owed. It returns when each message was tried once, or earlier; ctx is the
// worker's hard end: what is not stored by then is given up, and its done called with false.
func (r *Recorder) Record(ctx context.Context, debts ...*debt) {
	var items []*item
	for _, d := range debts {
		items = append(items, r.begin(d)...)
	}
	r.dispatch(ctx, items)
}

// begin counts a debt's next messages and returns them. A debt without any is done.
func (r *Recorder) begin(d *debt) []*item {
	msgs := d.msgs
	if len(msgs) == 0 {
		msgs, d.then = d.then, nil
	}
	if d.msgs = nil; len(msgs) == 0 {
		d.done(true)
		return nil
	}
	items := make([]*item, len(msgs))
	for k, m := range msgs {
		items[k] = &item{of: d, msg: m}
	}
	d.left = len(msgs)
	return items
}

// dispatch tries messages for the first time, those of each stream apart.
func (r *Recorder) dispatch(ctx context.Context, items []*item) {
	groups := map[string][]*item{}
	var order []string
	for _, i := range items {
		s := r.stream(i.msg.Subject)
		if _, ok := groups[s]; !ok {
			order = append(order, s)
		}
		groups[s] = append(groups[s], i)
	}
	for k, s := range order {
		if k == len(order)-1 {
			r.first(ctx, s, groups[s])
			return
		}
		r.storing.Go(func() { r.first(ctx, s, groups[s]) })
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
func (r *Recorder) first(ctx context.Context, stream string, items []*item) {
	r.mu.Lock()
	sick := r.streams[stream] != nil
	r.mu.Unlock()
	var cause error
	if !sick {
		if items, cause = r.try(ctx, items); len(items) == 0 {
			return
		}
	}
	r.enqueue(ctx, stream, items, cause)
}

// try publishes messages of one stream and returns those that must be tried again.
func (r *Recorder) try(ctx context.Context, items []*item) (failed []*item, cause error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	msgs := make([]Outgoing, len(items))
	for k, i := range items {
		msgs[k] = i.msg
	}
	errs := storeAll(ctx, r.Queue, r.Subjects, msgs)
	full := map[*item]bool{}
	for k, i := range items {
		if errs != nil && errs[k] != nil {
			cause = errs[k]
			failed = append(failed, i)
			if errors.Is(errs[k], ErrFull) {
				full[i] = true
			}
		}
	}
	if len(failed) == 0 {
		r.stored(ctx, items)
		return nil, nil
	}
	isFailed := make(map[*item]bool, len(failed))
	for _, i := range failed {
		isFailed[i] = true
	}
	var ok []*item
	for _, i := range items {
		if !isFailed[i] {
			ok = append(ok, i)
		}
	}
	r.stored(ctx, ok)
	if errors.Is(cause, ErrAway) {
		return failed, cause // no stream would take them
	}
	return r.divert(ctx, failed, full), cause
}

// divert stores jobs that their stream does not take among those that come later: a vendor that is
// sick for long must not hold up the messages of the others. It returns what stays.
func (r *Recorder) divert(ctx context.Context, failed []*item, full map[*item]bool) (rest []*item) {
	now := r.Now()
	var later []*item
	for _, i := range failed {
		s, err := r.Subjects.Parse(i.msg.Subject)
		waited := !i.since.IsZero() && now.Sub(i.since) >= divertAfter
		if err != nil || s.Kind != hongyan.KindJob || !i.of.divert || !full[i] && !waited {
			rest = append(rest, i)
			continue
		}
		due := now.Add(divertAfter + rand.N(divertAfter))
		if full[i] {
			due = now.Add(shortWait + rand.N(shortWait))
		}
		r.drop(i)
		later = append(later, &item{of: i.of, msg: r.Queue.Later(i.msg, due)})
	}
	if len(later) > 0 {
		r.Log.Debug("a job stream takes no jobs, they wait outside", "jobs", len(later), "subject", later[0].msg.Subject)
		r.first(ctx, laterStream, later)
	}
	return rest
}

// enqueue leaves messages to the stream's backlog.
func (r *Recorder) enqueue(ctx context.Context, stream string, items []*item, cause error) {
	now := r.Now()
	r.mu.Lock()
	b := r.streams[stream]
	fresh := b == nil
	if fresh {
		b = &backlog{since: now}
		if r.streams == nil {
			r.streams = map[string]*backlog{}
		}
		r.streams[stream] = b
	}
	r.trouble = now
	var keep []func()
	for _, i := range items {
		i.since = now
		r.count(stream, i, 1)
		if d := i.of; !d.failed {
			d.failed = true
			r.grow(heldBytes, d.size)
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
		r.storing.Go(func() { r.retry(ctx, stream, b) })
	}
}

// count adds or takes away what an item means for the pauses. The lock is held.
func (r *Recorder) count(stream string, i *item, sign int) {
	r.grow(stream, sign*i.size())
	if d := i.of; d.owner != nil && stream != outcomeStream {
		d.owner.owes += sign
		if r.owed == nil {
			r.owed = map[string]int{}
		}
		r.owed[stream] += sign
	}
}

// grow changes the bytes that wait. The lock is held.
func (r *Recorder) grow(stream string, n int) {
	r.bytes += n
	r.Metrics.unstored(stream, n)
}

// drop takes an item out of the count, for another takes its place.
func (r *Recorder) drop(i *item) {
	if i.since.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(r.stream(i.msg.Subject), i, -1)
	r.wake()
}

// wake makes those who wait for room look again. The lock is held.
func (r *Recorder) wake() {
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// retry tries a stream's backlog until it is empty or ctx ends.
func (r *Recorder) retry(ctx context.Context, stream string, b *backlog) {
	delay := firstRetry
	for {
		if !sleep(ctx, delay) {
			r.abandon(stream, b)
			return
		}
		r.mu.Lock()
		some := b.items[:min(len(b.items), retryBatch)]
		b.items = b.items[len(some):]
		r.mu.Unlock()
		failed, _ := r.try(ctx, some)
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

// stored ends items.
func (r *Recorder) stored(ctx context.Context, items []*item) { r.end(ctx, items, false) }

func (r *Recorder) end(ctx context.Context, items []*item, lost bool) {
	if len(items) == 0 {
		return
	}
	r.mu.Lock()
	for _, i := range items {
		if !i.since.IsZero() {
			r.count(r.stream(i.msg.Subject), i, -1)
		}
	}
	r.mu.Unlock()
	for _, i := range items {
		d := i.of
		d.mu.Lock()
		d.left--
		d.lost = d.lost || lost
		last := d.left == 0
		d.mu.Unlock()
		if !last {
			continue
		}
		if !d.lost && len(d.then) > 0 {
			r.Record(ctx, d)
			continue
		}
		r.mu.Lock()
		if d.failed {
			r.grow(heldBytes, -d.size)
		}
		r.wake()
		r.mu.Unlock()
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
	r.Log.Warn("stopping with records that could not be stored; whoever takes their jobs looks for them first", "stream", stream, "records", len(items))
	r.end(context.Background(), items, true)
}

// pause waits while attempts must not be made: while too much waits to be stored, or while a stream
// does not take what the owner owes. It returns false when ctx ends before. A nil owner is the
// router.
func (r *Recorder) pause(ctx context.Context, owner *debtor, paused func(bool)) bool {
	said := false
	defer func() {
		if said {
			paused(false)
		}
	}()
	for {
		r.mu.Lock()
		if !r.paused(owner) {
			r.mu.Unlock()
			return true
		}
		if r.freed == nil {
			r.freed = make(chan struct{})
		}
		freed := r.freed
		r.mu.Unlock()
		if !said {
			said = true
			paused(true)
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *Recorder) paused(owner *debtor) bool {
	if r.bytes >= maxUnstored {
		return true
	}
	if owner == nil {
		return false
	}
	return owner.owes > 0 || r.owed[jobStream(owner.vendor)] > 0
}

// Wait returns when nothing is being stored any more. Nobody may record anything after it was
// called.
func (r *Recorder) Wait() { r.storing.Wait() }

// Trouble is when a store failed last; zero when none did.
func (r *Recorder) Trouble() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble
}
