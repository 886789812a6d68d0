package badge

import "sync"

// held is a record as this worker last had it.
type held struct {
	record   *Record // never changed
	revision uint64
	// fresh says that it was just read, newer that only newer workers can read it; then the record
	// is empty.
	fresh, newer bool
}

func (h held) bytes() int { return 200 + 20*len(h.record.conversations) + 32*len(h.record.known) }

// cache remembers the records used last, between a half and the whole of its room in bytes.
type cache struct {
	room int

	mu         sync.Mutex
	young, old map[Ref]held
	bytes      int // of the young
}

func newCache(room int) *cache { return &cache{room: room, young: map[Ref]held{}} }

func (c *cache) get(ref Ref) (h held, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, ok = c.young[ref]; ok {
		return h, true
	}
	if h, ok = c.old[ref]; ok {
		c.add(ref, h)
	}
	return h, ok
}

// put remembers a record, unless a newer one is.
func (c *cache) put(ref Ref, h held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range []map[Ref]held{c.young, c.old} {
		if have, ok := m[ref]; ok && have.revision >= h.revision {
			return
		}
	}
	c.add(ref, h)
}

// add puts a record among the young. The lock is held.
func (c *cache) add(ref Ref, h held) {
	if have, ok := c.young[ref]; ok {
		c.bytes -= have.bytes()
	}
	if c.bytes += h.bytes(); c.bytes > c.room/2 {
		c.old, c.young, c.bytes = c.young, map[Ref]held{}, h.bytes()
	}
	delete(c.old, ref)
	c.young[ref] = h
}

// drop forgets a record that turned out to be old.
func (c *cache) drop(ref Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.young[ref]; ok {
		c.bytes -= have.bytes()
		delete(c.young, ref)
	}
	delete(c.old, ref)
}
