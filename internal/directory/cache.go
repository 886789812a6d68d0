package directory

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shards share the users among them, so that lookups do not wait for each other.
	shards = 64
	// slots remember the newest change of the users that share one. Two users in one slot cost a
	// read that would not have been needed.
	slots = 1 << 16
	// mostMemory is how long a user is remembered at most: what is removed without a change, by an
	// operator's purge, is seen after that.
	mostMemory = 10 * time.Minute
	// off is a floor that no read reaches.
	off = math.MaxUint64
)

// cache remembers what reads brought. What it holds is as new as a read of this moment would be:
// it takes a user only from a read that took each change into account of which it heard, and
// forgets the user with the next change. It may be used by many goroutines.
type cache struct {
	seed   maphash.Seed
	room   int // bytes of a shard
	shards [shards]shard
	newest [slots]atomic.Uint64 // the newest change heard of, by slot
	// floor is the change from which on each one is told; off where some may be missed.
	floor atomic.Uint64
	// epoch counts the times that all was forgotten.
	epoch atomic.Uint64
}

type shard struct {
	mu    sync.Mutex
	users map[Ref]*entry
	bytes int
	// oldest is the root of a ring: next is the user that nobody asked for the longest.
	oldest entry
}

type entry struct {
	ref        Ref
	user       *User // nil for a user of whom nothing is known
	upTo       uint64
	expires    time.Time
	bytes      int
	prev, next *entry
}

func newCache(bytes int) *cache {
	c := &cache{seed: maphash.MakeSeed(), room: bytes / shards}
	c.floor.Store(off)
	for i := range c.shards {
		c.shards[i].clear()
	}
	return c
}

// place is where a user belongs.
func (c *cache) place(ref Ref) (s *shard, newest *atomic.Uint64) {
	h := maphash.String(c.seed, ref.User) ^ 31*maphash.String(c.seed, ref.App)
	return &c.shards[h%shards], &c.newest[h/shards%slots]
}

// get returns what is known of a user; ok is false when that has to be read. upTo is the last
// change that the answer is known to take into account.
func (c *cache) get(ref Ref, now time.Time) (u *User, upTo uint64, ok bool) {
	s, _ := c.place(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.users[ref]
	if e == nil {
		return nil, 0, false
	}
	if !now.Before(e.expires) {
		s.remove(e)
		return nil, 0, false
	}
	e.unlink()
	s.oldest.before(e)
	return e.user, e.upTo, true
}

// put remembers a user as a read had it that began in an epoch, unless the read may be older than a
// change heard of.
func (c *cache) put(ref Ref, u *User, upTo, epoch uint64, expires time.Time) {
	bytes := u.bytes() + len(ref.App) + len(ref.User)
	if upTo < c.floor.Load() || bytes > c.room/4 {
		return
	}
	s, newest := c.place(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Under the lock: whoever changes one of the two goes on to remove what is there by then.
	if upTo < newest.Load() || c.epoch.Load() != epoch {
		return
	}
	if old := s.users[ref]; old != nil {
		if old.upTo > upTo {
			return
		}
		s.remove(old)
	}
	e := &entry{ref: ref, user: u, upTo: upTo, expires: expires, bytes: bytes}
	s.users[ref] = e
	s.oldest.before(e)
	for s.bytes += bytes; s.bytes > c.room; {
		s.remove(s.oldest.next)
	}
}

// changed forgets a user whose records changed.
func (c *cache) changed(ref Ref, sequence uint64) {
	s, newest := c.place(ref)
	for old := newest.Load(); old < sequence && !newest.CompareAndSwap(old, sequence); old = newest.Load() {
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.users[ref]; e != nil && e.upTo < sequence {
		s.remove(e)
	}
}

// stale says whether a change of the user was heard of that a read does not take into account.
func (c *cache) stale(ref Ref, upTo uint64) bool {
	_, newest := c.place(ref)
	return upTo < newest.Load()
}

// forget forgets everything. What is read from now on is remembered if it takes the changes up to
// floor into account.
func (c *cache) forget(floor uint64) {
	c.floor.Store(floor)
	c.epoch.Add(1)
	for i := range c.newest {
		c.newest[i].Store(0) // sequences may begin anew
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.clear()
		s.mu.Unlock()
	}
}

// size is what the cache holds.
func (c *cache) size() (users, bytes int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		users += len(s.users)
		bytes += s.bytes
		s.mu.Unlock()
	}
	return users, bytes
}

// clear empties the shard. The caller locks.
func (s *shard) clear() {
	s.users, s.bytes = map[Ref]*entry{}, 0
	s.oldest.prev, s.oldest.next = &s.oldest, &s.oldest
}

func (s *shard) remove(e *entry) {
	delete(s.users, e.ref)
	s.bytes -= e.bytes
	e.unlink()
}

// before puts n before e in the ring.
func (e *entry) before(n *entry) {
	n.prev, n.next = e.prev, e
	e.prev.next, e.prev = n, n
}

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }
