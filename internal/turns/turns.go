// Package turns keeps a processor free for small work.
//
// Large work is what keeps a processor busy for milliseconds without waiting for anything, as
// writing a call for a thousand devices does. Go runs what is ready in turn, and looks at the
// network when nothing is, or every ten milliseconds. A small piece of work that waits for the
// network a few times, as a push does, stands each time behind all the large ones that are ready.
// What is urgent is never large: it waits for no turn.
package turns

import (
	"sync/atomic"
	"time"
)

// What is large: work for so many devices, and reading a text of so many bytes.
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
	firstRest, leastRest, mostRest = 50, 10, 100
	moreRest, lessRest             = 20, 1
)

// Turns let large work have all processors but one, at least one, while there is small work, and
// where the machine is busy not all of their time: after a turn its place rests. A rest is a timer,
// and how late it ends is how long small work waits, too. So rests are as long as they must be for
// few of them to end a millisecond late, between a tenth of their turn and all of it. Without
// small work nothing waits. They may be used by many goroutines; nil Turns hold up nothing.
type Turns struct {
	places chan time.Time // each with the time until which it rests
	small  atomic.Int64   // when there was small work last, in Unix nanoseconds
	rest   atomic.Int64   // in hundredths of a turn
}

// New returns the turns of a process that has a number of processors.
func New(processors int) *Turns {
	n := max(processors-1, 1)
	t := &Turns{places: make(chan time.Time, n)}
	t.rest.Store(firstRest)
	for range n {
		t.places <- time.Time{}
	}
	return t
}

// Small notes that there is small work.
func (t *Turns) Small() {
	if t != nil {
		t.small.Store(time.Now().UnixNano())
	}
}

// Turn is leave to do a piece of work.
type Turn struct {
	of    *Turns
	began time.Time
}

// Begin waits for a turn for work that is large, for half a second and a rest at most; the turn of
// any other is now. Nothing that waits may be done before the turn's End.
func (t *Turns) Begin(large bool) Turn {
	if t == nil || !large || time.Now().UnixNano()-t.small.Load() > int64(recently) {
		return Turn{}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case rests := <-t.places:
		if rest := time.Until(rests); rest > 0 {
			timer.Reset(rest)
			<-timer.C
			t.rest.Store(adapt(t.rest.Load(), time.Since(rests)))
		}
		return Turn{of: t, began: time.Now()}
	case <-timer.C:
		return Turn{}
	}
}

// End ends the turn.
func (t Turn) End() {
	if t.of != nil {
		now := time.Now()
		t.of.places <- now.Add(min(now.Sub(t.began)*time.Duration(t.of.rest.Load())/100, longestRest))
	}
}

// adapt is how long rests are from now on, in hundredths, when one of them ended so late.
func adapt(rest int64, by time.Duration) int64 {
	if by > late {
		return min(rest+moreRest, mostRest)
	}
	return max(rest-lessRest, leastRest)
}
