package bus

import (
	"context"
	"sync"
	"time"
)

// budget bounds the bytes of all consumers' deliveries that are not settled. A consumer that floods
// leaves as much as it may hold itself to one that comes next, so that it never takes all; and one
// that holds nothing may always have one message, so that nobody starves. The sum can pass the size
// by as much: one message for each consumer.
type budget struct {
	size int

	mu      sync.Mutex
	used    int // in hand, and promised to pulls
	holders int // accounts that hold something
	open    int // accounts of consumers that pull
	mean    int // a moving average of a message's bytes
	freed   int // since those who wait were told
	waiting map[*account]struct{}
}

// account is a consumer's part of the budget.
type account struct {
	budget *budget
	bytes  int           // in hand, and promised; the budget's lock guards it
	told   chan struct{} // there may be room
}

// An idle pull asks for this much, without a promise: all of them together for an eighth of the
// budget.
const (
	mostIdle  = 64 << 10
	leastIdle = 4 << 10
)

// recheck is when one that waits for room looks again, told or not: shares change with everybody's
// coming and going.
const recheck = time.Second

func newBudget(size int) *budget { return &budget{size: size, waiting: map[*account]struct{}{}} }

func (b *budget) account() *account { return &account{budget: b, told: make(chan struct{}, 1)} }

// enter and leave say that a consumer pulls.
func (b *budget) enter() { b.count(1) }
func (b *budget) leave() { b.count(-1) }

func (b *budget) count(by int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open += by
}

// inHand is what is in hand, promises included.
func (b *budget) inHand() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// room is what one more may take that holds mine bytes, when so many hold used bytes of size: of
// equal shares one is left free.
func room(size, used, holders, mine int) int {
	if mine == 0 {
		holders++
	}
	return min(size/(holders+1)-mine, size-used)
}

// reserve is what is left to the consumers that hold nothing, a message each, and not more than
// three quarters of all. The lock is held.
func (b *budget) reserve(a *account) int {
	empty := b.open - b.holders
	if a.bytes == 0 {
		empty--
	}
	return min(b.size*3/4, max(0, empty)*b.mean)
}

// grant is what a pull may ask for.
type grant struct {
	// bytes that it may bring; 0 stands for a single message of any size.
	bytes int
	// promised are those of them that are kept free for it.
	promised int
}

// take waits until there is room for a pull that has a use for want bytes; want is 0 for one that
// waits for what may come. tooFew are bytes that the next message did not fit into, 0 where it is
// not known to be large. False means that ctx ended.
func (a *account) take(ctx context.Context, want, tooFew int) (grant, bool) {
	for {
		if g, ok := a.try(want, tooFew); ok {
			return g, true
		}
		timer := time.NewTimer(recheck)
		select {
		case <-a.told:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		a.budget.mu.Lock()
		delete(a.budget.waiting, a)
		a.budget.mu.Unlock()
		if ctx.Err() != nil {
			return grant{}, false
		}
	}
}

func (a *account) try(want, tooFew int) (grant, bool) {
	b := a.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	least := min(mostIdle, max(leastIdle, b.size/8/max(b.open, 1)))
	if tooFew > 0 {
		least = max(least, 2*tooFew)
		want = max(want, least)
	}
	free := room(b.size-b.reserve(a), b.used, b.holders, a.bytes)
	switch {
	case tooFew > 0 && a.bytes == 0: // so its size becomes known
		return grant{}, true
	case free >= least && want == 0:
		return grant{bytes: least}, true
	case free >= least:
		n := min(max(want, least), free)
		a.add(n)
		return grant{bytes: n, promised: n}, true
	case a.bytes == 0:
		return grant{}, true
	}
	b.waiting[a] = struct{}{}
	return grant{}, false
}

// spend takes the bytes of a message from a grant, what was not promised too: it is in memory.
func (a *account) spend(g *grant, n int) {
	kept := min(g.promised, n)
	g.promised -= kept
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	if a.budget.mean == 0 {
		a.budget.mean = n
	}
	a.budget.mean += (n - a.budget.mean) / 16
	a.add(n - kept)
}

// release gives back bytes.
func (a *account) release(n int) {
	if n == 0 {
		return
	}
	b := a.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	a.add(-n)
	b.freed += n
	if _, waits := b.waiting[a]; waits {
		a.tell()
	}
	if b.freed < b.size/64 {
		return
	}
	b.freed = 0
	for other := range b.waiting {
		other.tell()
	}
}

func (a *account) tell() {
	select {
	case a.told <- struct{}{}:
	default:
	}
}

// add changes what is in hand. The budget's lock is held.
func (a *account) add(n int) {
	before := a.bytes
	a.bytes += n
	a.budget.used += n
	switch {
	case before == 0 && a.bytes > 0:
		a.budget.holders++
	case before > 0 && a.bytes == 0:
		a.budget.holders--
	}
}
