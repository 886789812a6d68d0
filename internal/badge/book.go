package badge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Change is what changes a user's record: each of its parts that is there.
type Change struct {
	Ref
	Report  *Report
	Mark    *Mark
	Message *Message
	// Forget is the id of a message that was recalled.
	Forget string
}

// apply changes a record.
func (c *Change) apply(r *Record) (changed bool) {
	if c.Report != nil {
		changed = r.Report(*c.Report)
	}
	if c.Mark != nil && (c.Report != nil || !r.Empty()) { // else nothing was counted
		changed = r.Read(*c.Mark) || changed
	}
	if c.Message != nil {
		changed = r.Count(*c.Message) || changed
	}
	if c.Forget != "" {
		changed = r.Forget(c.Forget) || changed
	}
	return changed
}

// depends says whether a change that a record did not take might be taken by what others made of it
// since. All else that makes a record refuse a change holds for ever.
func (c *Change) depends(r *Record) bool {
	return c.Forget != "" || c.Message != nil && r.Number() >= Most
}

// Options of a Book. The zero value is useful.
type Options struct {
	// CacheBytes bounds the records that are remembered, about; default 16 MiB.
	CacheBytes int
	// Unreadable is told of each record that cannot be read and counts as absent. It must be quick.
	Unreadable func()
	// Log is nil for no log.
	Log *slog.Logger
}

// Book keeps the records of all users of the apps that count. It may be used by many goroutines.
type Book struct {
	store Store
	opts  Options
	cache *cache
	// wrote is the highest revision that this worker wrote. No answer that takes less into account
	// is taken for one.
	wrote  atomic.Uint64
	asking gathering[*question]
	later  gathering[*changing]
}

// New returns a book over a store.
func New(store Store, opts Options) *Book {
	if opts.Unreadable == nil {
		opts.Unreadable = func() {}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	b := &Book{store: store, opts: opts, cache: newCache(cmp.Or(opts.CacheBytes, 16<<20))}
	b.asking.most, b.asking.do = 4, b.answer
	b.asking.weight = func(q *question) int { return len(q.refs) }
	b.later.most, b.later.do = 1, b.changeLater
	b.later.weight = func(c *changing) int { return len(c.changes) }
	return b
}

const (
	// readTimeout bounds a read for numbers.
	readTimeout = 5 * time.Second
	// staleWait is how long it takes to read again from a replica that was behind, at first, and
	// stalePatience how long in all.
	staleWait, stalePatience = 2 * time.Millisecond, 500 * time.Millisecond
	// mostConflicts is how often a record is tried to be changed that others change meanwhile.
	mostConflicts = 200
	// conflictWait is the longest wait before that, so that those who change it do not go in step.
	conflictWait = 4 * time.Millisecond
)

// Change changes records and returns when all that changed is stored. After an error some may be
// changed: making the same changes once more completes them. A [NewerError] says for whom nothing
// could be changed, while all else is stored.
func (b *Book) Change(ctx context.Context, changes []Change) error {
	of := make(map[Ref][]*Change, len(changes))
	left := make([]Ref, 0, len(changes))
	for i := range changes {
		ref := changes[i].Ref
		if of[ref] == nil {
			left = append(left, ref)
		}
		of[ref] = append(of[ref], &changes[i])
	}
	var newer NewerError
	for tries := 0; ; tries++ {
		known, err := b.known(ctx, left)
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(ref Ref) bool {
			if known[ref].newer {
				newer.Users = append(newer.Users, ref)
			}
			return known[ref].newer
		})
		if left, err = b.write(ctx, left, of, known); err != nil {
			return err
		}
		switch {
		case len(left) > 0:
		case len(newer.Users) > 0:
			return fmt.Errorf("change badges: %w", &newer)
		default:
			return nil
		}
		if tries == mostConflicts {
			return fmt.Errorf("change badges: %d records are changed by others again and again", len(left))
		}
		if !sleep.For(ctx, rand.N(conflictWait)) {
			return context.Cause(ctx)
		}
	}
}

// write makes the changes to records that are known and stores them. It returns those that others
// changed meanwhile.
func (b *Book) write(ctx context.Context, refs []Ref, of map[Ref][]*Change, known map[Ref]held) (again []Ref, err error) {
	var records []Stored
	var next []*Record
	for _, ref := range refs {
		h := known[ref]
		r, changed, unsure := h.record.clone(), false, false
		for _, c := range of[ref] {
			did := c.apply(r)
			changed, unsure = changed || did, unsure || !did && !h.fresh && c.depends(r)
		}
		switch {
		case unsure:
			b.cache.drop(ref)
			again = append(again, ref)
		case changed:
			records = append(records, Stored{Ref: ref, Data: r.encode(), Revision: h.revision})
			next = append(next, r)
		}
	}
	if len(records) == 0 {
		return again, nil
	}
	for i, w := range b.store.WriteBadges(ctx, records) {
		ref := records[i].Ref
		switch {
		case w.Err != nil:
			b.cache.drop(ref)
			err = w.Err
		case w.Changed:
			b.cache.drop(ref)
			again = append(again, ref)
		default:
			b.cache.put(ref, held{record: next[i], revision: w.Revision})
			for old := b.wrote.Load(); old < w.Revision && !b.wrote.CompareAndSwap(old, w.Revision); old = b.wrote.Load() {
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("change badges: %w", err)
	}
	return again, nil
}

// known is the records of users as this worker had them last, or else as they are stored.
func (b *Book) known(ctx context.Context, refs []Ref) (map[Ref]held, error) {
	known := make(map[Ref]held, len(refs))
	var missing []Ref
	for _, ref := range refs {
		if h, ok := b.cache.get(ref); ok {
			known[ref] = h
		} else {
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return known, nil
	}
	read, err := b.read(ctx, missing)
	if err != nil {
		return nil, err
	}
	for ref, h := range read {
		known[ref] = h
	}
	return known, nil
}

// read reads the records of users, an empty one for who has none, as new as all that this worker
// wrote before.
func (b *Book) read(ctx context.Context, refs []Ref) (map[Ref]held, error) {
	delay := staleWait
	for waited := time.Duration(0); ; {
		need := b.wrote.Load()
		stored, upTo, err := b.store.ReadBadges(ctx, refs)
		if err != nil {
			return nil, fmt.Errorf("read badges: %w", err)
		}
		found := make(map[Ref]held, len(refs))
		for _, ref := range refs {
			found[ref] = held{record: new(Record), fresh: true}
		}
		for _, s := range stored {
			r, err := decode(s.Data)
			newer := errors.Is(err, ErrNewer) // then a newer worker counts for this user
			if err != nil {
				r = new(Record)
			}
			if err != nil && !newer {
				b.opts.Unreadable()
			}
			found[s.Ref] = held{r, s.Revision, true, newer}
		}
		stale := upTo < need
		if upTo == 0 { // nothing was found, and the store says no more
			stale = b.knowsAny(refs)
		}
		if !stale || waited >= stalePatience {
			b.keep(found, stale, upTo)
			return found, nil
		}
		if !sleep.For(ctx, delay) {
			return nil, context.Cause(ctx)
		}
		waited, delay = waited+delay, 2*delay
	}
}

// knowsAny says whether this worker knows a record of one of the users.
func (b *Book) knowsAny(refs []Ref) bool {
	for _, ref := range refs {
		if _, ok := b.cache.get(ref); ok {
			return true
		}
	}
	return false
}

// keep remembers what was read. After an answer that was old for long the store is believed: it was
// made anew, or something in it was erased.
func (b *Book) keep(found map[Ref]held, old bool, upTo uint64) {
	if old {
		b.wrote.Store(upTo)
	}
	for ref, h := range found {
		if have, ok := b.cache.get(ref); ok && have.revision > h.revision && (old || upTo >= have.revision) {
			b.cache.drop(ref)
		}
		switch {
		case h.newer:
			b.cache.drop(ref) // what was known of the user is history
		case h.revision > 0:
			h.fresh = false
			b.cache.put(ref, h)
		}
	}
}

// Held is the number of a user as this worker had it last; ok is false where it does not know.
func (b *Book) Held(ref Ref) (n int, ok bool) {
	h, ok := b.cache.get(ref)
	if !ok {
		return 0, false
	}
	return h.record.Number(), true
}

// question asks for numbers.
type question struct {
	refs    []Ref
	numbers []int
	err     error
	done    chan struct{}
}

// Numbers are the users' numbers, in order, no older than the call; -1 for a user whose record only
// newer workers can read. Calls at the same time share a read.
func (b *Book) Numbers(ctx context.Context, refs []Ref) ([]int, error) {
	q := &question{refs: refs, done: make(chan struct{})}
	b.asking.add(q)
	select {
	case <-q.done:
		return q.numbers, q.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answer answers questions by one read.
func (b *Book) answer(round []*question) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	var refs []Ref
	asked := map[Ref]bool{}
	for _, q := range round {
		for _, ref := range q.refs {
			if !asked[ref] {
				asked[ref] = true
				refs = append(refs, ref)
			}
		}
	}
	known, err := b.read(ctx, refs)
	for _, q := range round {
		if q.err = err; err == nil {
			q.numbers = make([]int, len(q.refs))
			for i, ref := range q.refs {
				if q.numbers[i] = known[ref].record.Number(); known[ref].newer {
					q.numbers[i] = -1
				}
			}
		}
		close(q.done)
	}
}

// changing are changes that nobody waits for.
type changing struct {
	changes []Change
	done    func(error)
}

// changeTimeout bounds the changes that nobody waits for.
const changeTimeout = 10 * time.Second

// Read takes a read mark into account: what was counted in the conversation until at is read, and
// unread, where it is not nil, is the number of all that the user has not read at that time. It
// returns at once; done is called when that is stored, or with the error why not: then the same
// call may be made again. It must be quick.
func (b *Book) Read(app, user, conversation string, at time.Time, unread *int, done func(error)) {
	c := Change{Ref: Ref{app, user}, Mark: &Mark{conversation, at}}
	if unread != nil {
		c.Report = &Report{*unread, at}
	}
	b.later.add(&changing{[]Change{c}, done})
}

// Forget takes a recalled message away from what is counted for users of an app. It returns at
// once; done is called as with [Book.Read].
func (b *Book) Forget(app, message string, users []string, done func(error)) {
	changes := make([]Change, len(users))
	for i, u := range users {
		changes[i] = Change{Ref: Ref{app, u}, Forget: message}
	}
	b.later.add(&changing{changes, done})
}

func (b *Book) changeLater(round []*changing) {
	ctx, cancel := context.WithTimeout(context.Background(), changeTimeout)
	defer cancel()
	var changes []Change
	for _, c := range round {
		changes = append(changes, c.changes...)
	}
	err := b.Change(ctx, changes)
	newer := Newer(err)
	for _, c := range round {
		if newer != nil && !slices.ContainsFunc(c.changes, func(of Change) bool { return slices.Contains(newer.Users, of.Ref) }) {
			c.done(nil)
			continue
		}
		c.done(err)
	}
}

// Wait returns when nothing is under way any more that nobody waits for. Nobody may use the book
// after it was called.
func (b *Book) Wait() {
	b.asking.running.Wait()
	b.later.running.Wait()
}

// mostTogether is about how much is taken together of what waits.
const mostTogether = 2000

// gathering hands what comes to do, together what came while do was busy. It has as many goroutines
// as it needs, and at most most.
type gathering[T any] struct {
	most    int
	do      func([]T)
	weight  func(T) int // nil for 1 each
	running sync.WaitGroup

	mu      sync.Mutex
	waiting []T
	busy    int
}

func (g *gathering[T]) add(x T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, x)
	if g.busy < g.most {
		g.busy++
		g.running.Go(g.run)
	}
}

func (g *gathering[T]) run() {
	for {
		g.mu.Lock()
		n := 0
		for weight := 0; n < len(g.waiting) && weight < mostTogether; n++ {
			if weight++; g.weight != nil {
				weight += g.weight(g.waiting[n]) - 1
			}
		}
		if n == 0 {
			g.busy--
			g.mu.Unlock()
			return
		}
		round := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.mu.Unlock()
		g.do(round)
	}
}
