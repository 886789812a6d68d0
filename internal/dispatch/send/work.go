package send

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// work is a job while it is being sent.
type work struct {
	job  *dispatch.Job
	duty *store.Duty
	// look is when the records of what the job comes from were looked at, if that had been taken
	// before: whoever takes the job looks at those since.
	look time.Time
	// stored says that the job was taken from PUSH_JOBS, so that its duty is its own.
	stored bool
	class  vendors.Class
	since  time.Time // at hand since

	// decided is when each target was decided on again, in Unix nanoseconds and 0 for never; nil
	// where none was.
	decided atomic.Pointer[[]atomic.Int64]
	// left counts the targets without a verdict that was carried out, or kept in again.
	left atomic.Int32

	mu    sync.Mutex
	began time.Time // of its first call
	again []answer  // of the targets that are to be tried again
	// changed says that the job is not any more as it is stored: given back, it would forget.
	changed bool
}

// answer is what a call said of one target of a job.
type answer struct {
	target int
	result vendors.Result
	sick   bool // the vendor as a whole was in trouble
}

// keep keeps the answer to a target that is to be tried again, until all targets of the job were
// tried.
func (w *work) keep(a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = append(w.again, a)
}

// tookBack notes that the vendor took back the push to a target.
func (w *work) tookBack(target int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job.Targets[target].TakenBack, w.changed = true, true
}

// isChanged says whether the job, given back, would forget something.
func (w *work) isChanged() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// begin notes when the first call for the job began.
func (w *work) begin(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() {
		w.began = now
	}
}

// decide notes that targets were decided on again.
func (w *work) decide(targets []int, now time.Time) {
	if w.decided.Load() == nil {
		all := make([]atomic.Int64, len(w.job.Targets))
		w.decided.CompareAndSwap(nil, &all)
	}
	at := *w.decided.Load()
	for _, i := range targets {
		at[i].Store(now.UnixNano())
	}
}

// decidedAt is when the first of some targets was decided on last.
func (w *work) decidedAt(targets []int) time.Time {
	all := w.decided.Load()
	if all == nil {
		return w.job.Decided
	}
	first := int64(math.MaxInt64)
	for _, i := range targets {
		if first = min(first, (*all)[i].Load()); first == 0 {
			return w.job.Decided
		}
	}
	return time.Unix(0, first).UTC()
}

// alike says whether the devices of two jobs may share a call although the vendor takes only one
// notification a call: the jobs are pieces of one message.
func (w *work) alike(o *work) bool {
	a, b := w.job, o.job
	return a.Notification == b.Notification ||
		a.Notification.MessageID == b.Notification.MessageID && a.Variant == b.Variant && a.Published.Equal(b.Published) && a.App == b.App
}

// samePush says whether two jobs say the same to a phone: they are parts of one message.
func (w *work) samePush(o *work) bool {
	a, b := w.job, o.job
	return a == b || a.Notification.MessageID == b.Notification.MessageID && a.Notification.Key == b.Notification.Key &&
		a.Notification.Preview == b.Notification.Preview && a.App == b.App && a.Published.Equal(b.Published)
}

// piece is the part of a job's targets that is not on its way yet and goes to one host.
type piece struct {
	w       *work
	targets []int
	host    string
	// with are those that go in one call and with nobody else: the vendor refused a larger call
	// that they were part of. Nil for a piece that goes with any others.
	with *company
	// heard is how much had been said of messages when the piece was looked at last.
	heard uint64
}

// company is the pieces of a call to come.
type company struct{ _ byte }

// first is the targets of a job with one; nobody changes it.
var first = []int{0}

// whole are all targets of a job.
func (w *work) whole() []int {
	n := len(w.job.Targets)
	if n == 1 {
		return first[:1:1]
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// together puts targets of a job that share a token one after the other, in the place of the first
// of them: they are one phone. The planning does so, but two devices may have one token by now, and
// of what is to be withdrawn nobody has.
func (w *work) together(targets []int) []int {
	if len(targets) < 3 {
		return targets
	}
	apart := false
	first := make(map[string]int, len(targets)) // where a token stands first
	for k, i := range targets {
		token := w.job.Targets[i].Token
		if _, known := first[token]; !known {
			first[token] = k
		} else if token != w.job.Targets[targets[k-1]].Token {
			apart = true
		}
	}
	if !apart {
		return targets
	}
	return slices.SortedStableFunc(slices.Values(targets), func(a, b int) int {
		return cmp.Compare(first[w.job.Targets[a].Token], first[w.job.Targets[b].Token])
	})
}

// pieces divides targets of a job by what keeps devices out of one call. Those with one token,
// which must stand together, stay so.
func pieces(w *work, targets []int, host func(vendors.Device) string) []piece {
	if host == nil {
		return []piece{{w: w, targets: targets}}
	}
	of := func(i int) string {
		t := &w.job.Targets[i]
		return host(vendors.Device{Token: t.Token, Region: t.Region, Badge: t.Badge})
	}
	if len(targets) == 1 {
		return []piece{{w: w, targets: targets, host: of(targets[0])}}
	}
	var ps []piece
	at := map[string]int{}
	k, before := 0, ""
	for _, i := range targets {
		token := w.job.Targets[i].Token
		if len(ps) > 0 && token == before {
			ps[k].targets = append(ps[k].targets, i)
			continue
		}
		before = token
		h := of(i)
		var ok bool
		k, ok = at[h]
		if !ok {
			k = len(ps)
			at[h] = k
			ps = append(ps, piece{w: w, host: h})
		}
		ps[k].targets = append(ps[k].targets, i)
	}
	return ps
}

// line is a queue of pieces, oldest first.
type line struct {
	items []piece
	head  int
}

func (l *line) len() int         { return len(l.items) - l.head }
func (l *line) at(i int) *piece  { return &l.items[l.head+i] }
func (l *line) push(ps ...piece) { l.items = append(l.items, ps...) }

// back puts pieces before all others.
func (l *line) back(ps []piece) {
	if l.head >= len(ps) {
		l.head -= len(ps)
		copy(l.items[l.head:], ps)
		return
	}
	l.items = append(ps, l.items[l.head:]...)
	l.head = 0
}

// tidy drops the pieces that are used up: the first ones cheaply, and where holes says so all.
func (l *line) tidy(holes bool) {
	for l.head < len(l.items) && len(l.items[l.head].targets) == 0 {
		l.items[l.head] = piece{}
		l.head++
	}
	switch {
	case l.head == len(l.items):
		l.items, l.head = l.items[:0], 0
		if cap(l.items) > 1024 {
			l.items = nil
		}
		return
	case !holes && l.head < 1024:
		return
	}
	kept := l.items[:0]
	for _, p := range l.items[l.head:] {
		if len(p.targets) > 0 {
			kept = append(kept, p)
		}
	}
	clear(l.items[len(kept):])
	l.items, l.head = kept, 0
}

// remove takes out the pieces that leave says, in order.
func (l *line) remove(leave func(p *piece) bool) (out []piece) {
	kept := l.items[:0]
	for i := l.head; i < len(l.items); i++ {
		p := l.items[i]
		switch {
		case len(p.targets) == 0:
		case leave(&p):
			out = append(out, p)
		default:
			kept = append(kept, p)
		}
	}
	clear(l.items[len(kept):])
	l.items, l.head = kept, 0
	return out
}
