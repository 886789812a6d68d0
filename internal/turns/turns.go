// Package turns keeps processors free for small work.
//
// Large work is what keeps a processor busy for milliseconds without waiting for anything, as
// writing a call for a thousand devices does, or planning what an app published in masses. Go runs
// what is ready in turn, and looks at the network when nothing is, or every ten milliseconds. A
// small piece of work that waits for the network a few times, as a push does, stands each time
// behind all the large ones that are ready. What is urgent is never large: it waits for no turn.
package turns

import (
	"sync"
	"sync/atomic"
	"time"
)

// What is large: work for so many devices or messages, and reading a text of so many bytes.
const (
	Large     = 32
	LargeText = 16 << 10
)

const (
	// recently is for how long small work counts as being there.
	recently = time.Second
	// patience is how long large work waits for a turn at most: what is slow shall not become a
	// timeout.
	patience = 500 * time.Millisecond
	// longestRest bounds the rest after a turn.
	longestRest = 25 * time.Millisecond
	// late is a time by which a rest ends late only where there is more to do than the processors
	// can.
	late = time.Millisecond
	// firstRest is how long rests are at first, in hundredths of their turns; leastRest and
	// mostRest bound them. They grow by moreRest when one ended late, and shrink by lessRest when
	// one did not, so that one in twenty does.
	firstRest, leastRest, mostRest = 50, 10, 400
	moreRest, lessRest             = 20, 1
	// follows is how much a source's turns cost, in times of what they take: what is planned is
	// sent and stored later.
	follows = 8
	// grace is a rest that is left for later: a timer for less takes longer than the rest.
	grace = 500 * time.Microsecond
)

// Turns let large work have all processors but one, at least one, while there is small work, and
// where the machine is busy not all of their time: after a turn its place rests. A rest is a timer,
// and how late it ends is how long small work waits, too. So rests are as long as they must be for
// few of them to end a millisecond late, between a tenth of their turn and four times as long.
// Without small work nothing waits. They may be used by many goroutines; nil Turns hold up nothing.
type Turns struct {
	*process
	places chan time.Time // each with the time until which it rests
	cost   int64          // of a turn, in times of what it took
}

// process is what all turns of a process have in common.
type process struct {
	rest atomic.Int64 // in hundredths of a turn

	mu          sync.Mutex
	last, other small // the last small work, and the last of anybody else
}

// small is a note of small work: whose it was, and when.
type small struct {
	of *Turns
	at time.Time
}

// New returns the turns of a process that has a number of processors.
func New(processors int) *Turns {
	t := &Turns{process: &process{}, cost: 1}
	t.rest.Store(firstRest)
	t.open(max(processors-1, 1))
	return t
}

func (t *Turns) open(places int) {
	t.places = make(chan time.Time, places)
	for range places {
		t.places <- time.Time{}
	}
}

// Source returns the turns of somebody whose work is small while little of it comes at once, and
// large where it comes in masses. It gives way to the small work of others, not to its own, has one
// place, and waits for nobody else's turns.
func (t *Turns) Source() *Turns {
	if t == nil {
		return nil
	}
	s := &Turns{process: t.process, cost: follows}
	s.open(1)
	return s
}

// Small notes that there is small work.
func (t *Turns) Small() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.of != t {
		t.other = t.last
	}
	t.last = small{t, time.Now()}
}

// Yield says whether large work waits for turns now: whether there is small work to give way to.
func (t *Turns) Yield() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	others := t.last
	if others.of == t {
		others = t.other
	}
	return time.Since(others.at) <= recently
}

// Turn is leave to do a piece of work.
type Turn struct {
	of    *Turns
	began time.Time
	left  time.Duration // of the place's rest, for later
}

// Begin waits for a turn for work that is large, for half a second and a rest at most; the turn of
// any other is now. Nothing that waits for others may be done before the turn's End.
func (t *Turns) Begin(large bool) Turn {
	if !large || !t.Yield() {
		return Turn{}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case rests := <-t.places:
		left := max(time.Until(rests), 0)
		if left > grace {
			timer.Reset(left)
			<-timer.C
			t.rest.Store(adapt(t.rest.Load(), time.Since(rests)))
			left = 0
		}
		return Turn{of: t, began: time.Now(), left: left}
	case <-timer.C:
		return Turn{}
	}
}

// End ends the turn.
func (t Turn) End() {
	if t.of == nil {
		return
	}
	now := time.Now()
	cost := now.Sub(t.began) * time.Duration(t.of.cost)
	t.of.places <- now.Add(t.left + min(cost*time.Duration(t.of.rest.Load())/100, longestRest))
}

// adapt is how long rests are from now on, in hundredths, when one of them ended so late.
func adapt(rest int64, by time.Duration) int64 {
	if by > late {
		return min(rest+moreRest, mostRest)
	}
	return max(rest-lessRest, leastRest)
}
