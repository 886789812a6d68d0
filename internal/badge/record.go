package badge

import (
	"hash/fnv"
	"slices"
	"time"
)

// Most is the highest number.
const Most = 999

const (
	// mostKnown is how many messages a record knows one by one when the oldest of them are older
	// than knownFor: no message comes again so late but after an outage.
	mostKnown = 64
	knownFor  = 10 * time.Minute
	// mostConversations is how many conversations a record knows of which something was read, or
	// whose messages are no longer known one by one.
	mostConversations = 256
	// marksFor is how long a read mark counts.
	marksFor = 24 * time.Hour
)

// Message is a message that counts.
type Message struct {
	ID, Conversation string
	// Sent is when it was sent, by which a read mark says whether it was read. Stored is when it
	// reached the stream, by which a report says whether its number holds it already.
	Sent, Stored time.Time
}

// Report is a number that somebody who knows says, and as of when.
type Report struct {
	Unread int
	At     time.Time
}

// Mark says that a user read a conversation up to a time.
type Mark struct {
	Conversation string
	At           time.Time
}

// Record is what is known of the number on a user's icons. The zero value is a user of whom nothing
// is known, whose number is 0. Its methods say whether they changed it.
type Record struct {
	base   int
	baseAt int64 // times are in Unix microseconds; 0 for never
	// conversations are those of which more is known than known says, in any order.
	conversations []conversation
	known         []known // by when they were stored, oldest first
}

// conversation is what is known of a conversation.
type conversation struct {
	hash uint32 // 0 for all that there was no room for
	read int64  // up to when it was read
	// folded is how many messages count that are no longer known one by one, and the newest times
	// among them.
	folded       int
	sent, stored int64
}

func (c *conversation) touched() int64 { return max(c.read, c.sent) }

// before says whether the conversation is given up before another one.
func (c *conversation) before(o *conversation) bool {
	if (c.folded == 0) != (o.folded == 0) {
		return c.folded == 0
	}
	return c.touched() < o.touched()
}

// known is a message that counts.
type known struct {
	id           uint64
	conversation uint32
	sent, stored int64
}

func hashID(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return h.Sum64()
}

// hashConversation is never 0.
func hashConversation(id string) uint32 {
	h := hashID(id)
	return max(uint32(h^h>>32), 1)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Number is what the icons shall show, at most [Most].
func (r *Record) Number() int {
	n := r.base + len(r.known)
	for i := range r.conversations {
		n += r.conversations[i].folded
	}
	return min(n, Most)
}

// Empty says whether nothing is known.
func (r *Record) Empty() bool {
	return r.baseAt == 0 && len(r.conversations) == 0 && len(r.known) == 0
}

// Count counts a message, unless it was counted before, is in the number that was reported since,
// or was read. A record that is full counts no more.
func (r *Record) Count(m Message) (changed bool) {
	k := known{id: hashID(m.ID), conversation: hashConversation(m.Conversation), sent: micros(m.Sent), stored: micros(m.Stored)}
	if k.stored <= r.baseAt || r.Number() >= Most {
		return false
	}
	if c := r.find(k.conversation); c != nil && k.sent <= c.read {
		return false
	}
	at := len(r.known)
	for i := range r.known {
		if r.known[i].id == k.id {
			return false
		}
	}
	for at > 0 && r.known[at-1].stored > k.stored {
		at--
	}
	r.known = slices.Insert(r.known, at, k)
	r.fold()
	return true
}

// Report takes over a number, unless a later one is known. Messages that were stored until then are
// in it.
func (r *Record) Report(x Report) (changed bool) {
	at, unread := micros(x.At), min(max(x.Unread, 0), Most)
	if at < r.baseAt || at == r.baseAt && (unread >= r.base || at == 0) {
		return false
	}
	r.base, r.baseAt = unread, at
	r.known = slices.DeleteFunc(r.known, func(k known) bool { return k.stored <= at })
	for i := range r.conversations {
		if c := &r.conversations[i]; c.stored <= at {
			c.folded = 0
		}
	}
	r.tidy()
	return true
}

// Read takes away what was counted in a conversation and sent until the mark's time. What was sent
// until then and comes later does not count.
func (r *Record) Read(m Mark) (changed bool) {
	hash, at := hashConversation(m.Conversation), micros(m.At)
	if c := r.find(hash); at <= 0 || c != nil && at <= c.read {
		return false
	}
	c := r.make(hash)
	c.read = at
	if c.sent <= at {
		c.folded = 0
	}
	r.known = slices.DeleteFunc(r.known, func(k known) bool { return k.conversation == hash && k.sent <= at })
	r.tidy()
	return true
}

// Forget takes away a message that was recalled. One that is not known alone any more stays.
func (r *Record) Forget(id string) (changed bool) {
	before, hash := len(r.known), hashID(id)
	r.known = slices.DeleteFunc(r.known, func(k known) bool { return k.id == hash })
	return len(r.known) < before
}

// clone is a record that can be changed while others read this one.
func (r *Record) clone() *Record {
	c := *r
	c.conversations, c.known = slices.Clone(r.conversations), slices.Clone(r.known)
	return &c
}

// find is a conversation of which something is known, or nil.
func (r *Record) find(hash uint32) *conversation {
	for i := range r.conversations {
		if r.conversations[i].hash == hash {
			return &r.conversations[i]
		}
	}
	return nil
}

// make is find that makes what is not there.
func (r *Record) make(hash uint32) *conversation {
	if c := r.find(hash); c != nil {
		return c
	}
	r.conversations = append(r.conversations, conversation{hash: hash})
	return &r.conversations[len(r.conversations)-1]
}

// fold leaves it to the conversations to know how many old messages there are.
func (r *Record) fold() {
	newest := r.known[len(r.known)-1].stored
	n := 0
	for n < len(r.known)-mostKnown && r.known[n].stored < newest-knownFor.Microseconds() {
		k := &r.known[n]
		c := r.make(k.conversation)
		c.folded++
		c.sent, c.stored = max(c.sent, k.sent), max(c.stored, k.stored)
		n++
	}
	if n > 0 {
		r.known = slices.Delete(r.known, 0, n)
		r.tidy()
	}
}

// tidy drops what is known of conversations and says nothing any more, and puts together what there
// is no room for.
func (r *Record) tidy() {
	newest := r.baseAt
	for i := range r.conversations {
		newest = max(newest, r.conversations[i].touched())
	}
	r.conversations = slices.DeleteFunc(r.conversations, func(c conversation) bool {
		return c.folded == 0 && c.read <= newest-marksFor.Microseconds()
	})
	for len(r.conversations) > mostConversations {
		oldest := -1 // marks alone go before what counts
		for i := range r.conversations {
			if c := &r.conversations[i]; c.hash != 0 && (oldest < 0 || c.before(&r.conversations[oldest])) {
				oldest = i
			}
		}
		c := r.conversations[oldest]
		r.conversations = slices.Delete(r.conversations, oldest, oldest+1)
		if c.folded > 0 {
			rest := r.make(0)
			rest.folded += c.folded
			rest.sent, rest.stored = max(rest.sent, c.sent), max(rest.stored, c.stored)
		}
	}
}
