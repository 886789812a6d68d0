package marks

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keep is how long the memory remembers at least, where there is room.
	keep = 10 * time.Minute
	// entryBytes is about what an entry takes when the map has just grown.
	entryBytes = 64
	// clocks is how far the clocks of an IM backend, of NATS and of a worker may be apart.
	clocks = 5 * time.Minute
)

// memory is what was heard lately, in two generations: the old one is forgotten as a whole when the
// young one is full, or ten minutes old. It may be used by many goroutines.
type memory struct {
	seeds [2]maphash.Seed
	room  int // entries of a generation
	// changes counts what was learnt.
	changes atomic.Uint64

	mu         sync.RWMutex
	young, old generation
	// floor is since when all is remembered; it holds only while live.
	floor time.Time
	live  bool
	// forgot counts the generations that were forgotten.
	forgot int
}

type generation struct {
	began, last time.Time // when the first mark in it was stored, and when the latest one
	at          map[key]int64
}

// key names what a mark is about. Names of any length become 128 bits that nobody outside can
// foresee.
type key [2]uint64

// The kinds of entries.
const (
	recalled byte = 'r' // a message: when
	readUpTo byte = 'd' // a user and a conversation: up to when
	callOver byte = 'o' // a call and a user: when it ended
)

func newMemory(bytes int) *memory {
	return &memory{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, room: max(bytes/entryBytes/2, 1)}
}

func (m *memory) key(kind byte, app, a, b string) (k key) {
	for i := range k {
		var h maphash.Hash
		h.SetSeed(m.seeds[i])
		_ = h.WriteByte(kind) // a hash never fails
		_, _ = h.WriteString(app)
		_ = h.WriteByte(0)
		_, _ = h.WriteString(a)
		_ = h.WriteByte(0)
		_, _ = h.WriteString(b)
		k[i] = h.Sum64()
	}
	return k
}

// each calls f for each entry that a mark makes.
func (m *memory) each(x *Mark, f func(k key, at int64)) {
	at := x.At.UnixNano()
	switch x.What {
	case Recall:
		f(m.key(recalled, x.App, x.Message, ""), at)
	case Read:
		f(m.key(readUpTo, x.App, x.User, x.Conversation), at)
	case Call:
		for _, u := range x.Ended {
			f(m.key(callOver, x.App, x.CallID, u), at)
		}
	}
}

// learn takes a mark into account that was stored at a time.
func (m *memory) learn(x *Mark, stored time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.each(x, func(k key, at int64) { m.put(k, at, stored) })
}

// put remembers an entry. The lock is held.
func (m *memory) put(k key, at int64, stored time.Time) {
	if known, ok := m.young.at[k]; ok && known >= at {
		return
	}
	if known, ok := m.old.at[k]; !ok || known < at {
		m.changes.Add(1)
	} else {
		at = known
	}
	if m.young.at != nil && (len(m.young.at) >= m.room || stored.Sub(m.young.began) >= keep) {
		m.turn()
	}
	if m.young.at == nil {
		m.young = generation{began: stored, at: map[key]int64{}}
	}
	if stored.After(m.young.last) {
		m.young.last = stored
	}
	m.young.at[k] = at
}

// turn makes the young generation the old one, and forgets that. The lock is held.
func (m *memory) turn() {
	if m.old.at != nil {
		m.forgot++
		// What is forgotten may be younger than the oldest of what stays: a replay comes after what
		// is heard meanwhile.
		if since := m.old.last.Add(1); m.floor.Before(since) {
			m.floor = since
		}
	}
	m.old, m.young = m.young, generation{}
}

// find looks an entry up. A lock is held.
func (m *memory) find(k key) (at int64, ok bool) {
	if at, ok = m.young.at[k]; !ok {
		at, ok = m.old.at[k]
	}
	return at, ok
}

// begin says that each mark is heard that is stored from a time on. What it returns goes to extend.
func (m *memory) begin(at time.Time) (forgot int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live, m.floor = true, at
	return m.forgot
}

// extend says that what was stored since an earlier time was learnt as well, since begin returned
// forgot.
func (m *memory) extend(since time.Time, forgot int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live && m.forgot == forgot && since.Before(m.floor) {
		m.floor = since
	}
}

// stop says that marks may be missed from now on.
func (m *memory) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live = false
}

// complete says whether each mark that was stored since a time is remembered. A lock is held.
func (m *memory) complete(since time.Time) bool { return m.live && !since.Before(m.floor) }

// covers says whether the memory alone answers for a message that was sent at a time. A lock is
// held.
func (m *memory) covers(sent time.Time) bool { return m.complete(sent.Add(-clocks)) }

// size is what the memory holds.
func (m *memory) size() (entries int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.young.at) + len(m.old.at)
}
