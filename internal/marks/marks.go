package marks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Value is a stored mark.
type Value struct {
	Subject  string
	Data     []byte
	Sequence uint64
	Stored   time.Time
}

// Store is where marks are.
type Store interface {
	// LastMarks reads the last value of every subject that one of the filters covers. upTo is the
	// last sequence that the answer takes into account. An error means that nothing is known.
	LastMarks(ctx context.Context, filters []string) (values []Value, upTo uint64, err error)
	// LastMark is the last sequence as the store's leader knows it: what was acknowledged before
	// the call is at or below it.
	LastMark(ctx context.Context) (sequence uint64, err error)
	// MarksSince calls each with what was stored since a time, oldest first, until it returns
	// false.
	MarksSince(ctx context.Context, since time.Time, each func(Value) (more bool)) error
}

// Feed tells of what is stored.
type Feed interface {
	// FollowMarks tells l until ctx ends, one call at a time.
	FollowMarks(ctx context.Context, l Listener)
}

// Listener hears of what is stored.
type Listener interface {
	// Live says that each mark after a sequence is told from now on, which was stored at a time.
	Live(sequence uint64, stored time.Time)
	// Heard tells of one. An empty subject is a change that concerns nobody.
	Heard(v Value)
	// Lost says that one may be missed from now on, until Live is called.
	Lost(err error)
}

// Marks answers what was said of messages. It may be used by many goroutines.
type Marks struct {
	store    Store
	subjects hongyan.Subjects
	opts     Options
	memory   *memory
	// heard is the last sequence heard of; zero where some may be missed.
	heard          atomic.Uint64
	asked, read    atomic.Int64 // messages
	said, reported atomic.Int64 // when trouble was logged last, in Unix nanoseconds

	mu       sync.Mutex
	expected map[string]*Expectation // by subject
}

// Options of Marks. The zero value is useful.
type Options struct {
	// Bytes bounds the memory, about; default 16 MiB.
	Bytes int
	// Unreadable is told of each mark that cannot be read; nil for nobody.
	Unreadable func(err error)
	// Log is nil for no log, Now for time.Now.
	Log *slog.Logger
	Now func() time.Time
}

// New returns marks over a store. They hear of nothing before [Marks.Run].
func New(store Store, subjects hongyan.Subjects, opts Options) *Marks {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Marks{store: store, subjects: subjects, opts: opts, memory: newMemory(cmp.Or(opts.Bytes, 16<<20)), expected: map[string]*Expectation{}}
}

// About is a message, or what is left of it, that is asked about.
type About struct {
	App, Message string
	SentAt       time.Time
	Conversation string
	// Users are its recipients.
	Users []string
	// Call is set when the message is an event of a call, Stored is when that was stored.
	Call   *hongyan.Call
	Stored time.Time
}

// Said is what was said of a message. The zero value says nothing.
type Said struct {
	Recalled bool
	// Read and Over say of each of the users, at its place, whether the user has read the
	// conversation since, and whether the call ended for the user: by any event where the message
	// invites to it, else by another event before this one. Nil where it is so for nobody.
	Read, Over []bool
	// Call is what is known of the call, for an event that ends its ringing.
	Call *State
}

// Of is why the i-th user is not notified of a message or of an invitation to a call, by what was
// said; empty where nothing speaks against it.
func (s *Said) Of(i int) hongyan.Reason {
	switch {
	case s.Recalled:
		return hongyan.Recalled
	case s.Read != nil && s.Read[i]:
		return hongyan.Read
	case s.Over != nil && s.Over[i]:
		return hongyan.CallOver
	}
	return ""
}

func (a *About) invites() bool { return a.Call != nil && a.Call.Action == hongyan.CallInvite }

// ends says whether the message ends the ringing of a call.
func (a *About) ends() bool { return a.Call != nil && !a.invites() }

func (s *Said) mark(list *[]bool, i, n int) {
	if *list == nil {
		*list = make([]bool, n)
	}
	(*list)[i] = true
}

// recalled looks a message up in the memory. A lock is held.
func (m *memory) recalled(app, message string) bool {
	_, ok := m.find(m.key(recalled, app, message, ""))
	return ok
}

// hasRead says whether a user has read a conversation since a message was sent. A lock is held.
func (m *memory) hasRead(app, user, conversation string, sent time.Time) bool {
	at, ok := m.find(m.key(readUpTo, app, user, conversation))
	return ok && at >= sent.UnixNano()
}

// over says whether a call ended for a user. A lock is held.
func (m *memory) over(app, call, user string) bool {
	_, ok := m.find(m.key(callOver, app, call, user))
	return ok
}

// fill adds what the memory knows. It returns false where that may not be all.
func (m *memory) fill(a *About, s *Said) (all bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all = m.covers(a.SentAt) && !a.ends()
	if len(m.young.at)+len(m.old.at) == 0 {
		return all
	}
	s.Recalled = m.recalled(a.App, a.Message)
	for i, u := range a.Users {
		if m.hasRead(a.App, u, a.Conversation, a.SentAt) {
			s.mark(&s.Read, i, len(a.Users))
		}
		if a.invites() && m.over(a.App, a.Call.ID, u) {
			s.mark(&s.Over, i, len(a.Users))
		}
	}
	return all
}

// Say tells what was said of messages, each at its place. It reads those for which the memory does
// not know all, with one read for them together; that is all which is sent at once needs no read.
// The error is one of the read, and then nothing is known.
func (m *Marks) Say(ctx context.Context, about []About) ([]Said, error) {
	said := make([]Said, len(about))
	var missing []int
	for i := range about {
		if !m.memory.fill(&about[i], &said[i]) {
			missing = append(missing, i)
		}
	}
	m.asked.Add(int64(len(about)))
	if len(missing) == 0 {
		return said, nil
	}
	m.read.Add(int64(len(missing)))
	if err := m.look(ctx, about, said, missing); err != nil {
		return nil, fmt.Errorf("read what was said of messages: %w", err)
	}
	return said, nil
}

// Heard is [Marks.Say] by what the memory knows alone, which may not be all.
func (m *Marks) Heard(about []About) []Said {
	said := make([]Said, len(about))
	for i := range about {
		m.memory.fill(&about[i], &said[i])
	}
	return said
}

// look adds what the store knows of some messages.
func (m *Marks) look(ctx context.Context, about []About, said []Said, missing []int) error {
	var filters []string
	asked := map[string]bool{}
	ask := func(filter string) {
		if !asked[filter] {
			asked[filter] = true
			filters = append(filters, filter)
		}
	}
	calls := false
	for _, i := range missing {
		a := &about[i]
		ask(m.subjects.RecallMark(a.App, a.Message))
		for _, u := range a.Users {
			ask(m.subjects.ReadMark(a.App, u, a.Conversation))
		}
		if a.Call != nil {
			ask(m.subjects.CallMarksOf(a.App, a.Call.ID))
			calls = true
		}
	}
	target := m.heard.Load()
	if target == 0 && calls { // what rang, or what ended it, may have been stored a moment ago
		var err error
		if target, err = m.store.LastMark(ctx); err != nil {
			return err
		}
	}
	values, err := m.readUntil(ctx, filters, target)
	if err != nil {
		return err
	}
	type call struct{ app, id string }
	found := map[string]*Mark{} // by subject
	events := map[call][]*Mark{}
	for _, v := range values {
		x := m.parse(v)
		switch {
		case x == nil:
		case x.What == Call:
			x.sequence = v.Sequence
			of := call{x.App, x.CallID}
			events[of] = append(events[of], x)
		default:
			found[v.Subject] = x
		}
	}
	for _, i := range missing {
		a, s := &about[i], &said[i]
		if x := found[m.subjects.RecallMark(a.App, a.Message)]; x != nil && x.Message == a.Message {
			s.Recalled = true
		}
		var state *State
		if a.Call != nil {
			of := events[call{a.App, a.Call.ID}]
			if a.ends() {
				of = before(of, a.Message)
			}
			state = NewState(of)
		}
		if a.ends() {
			s.Call = state
		}
		for k, u := range a.Users {
			x := found[m.subjects.ReadMark(a.App, u, a.Conversation)]
			if x != nil && x.User == u && x.Conversation == a.Conversation && !x.At.Before(a.SentAt) {
				s.mark(&s.Read, k, len(a.Users))
			}
			if a.invites() && state.Over(u) || a.ends() && state.Ended(u, a.Message, a.Stored) {
				s.mark(&s.Over, k, len(a.Users))
			}
		}
	}
	return nil
}

// parse reads a mark; nil where that cannot be done.
func (m *Marks) parse(v Value) *Mark {
	x, err := parse(m.subjects, v.Subject, v.Data)
	if err == nil {
		return x
	}
	if m.opts.Unreadable != nil {
		m.opts.Unreadable(err)
	}
	if m.say(&m.reported) {
		m.opts.Log.Warn("a mark cannot be read, it counts as absent", "subject", v.Subject, "error", err)
	}
	return nil
}

// say says whether a trouble may be logged now: it was not in the last minute.
func (m *Marks) say(last *atomic.Int64) bool {
	now := m.opts.Now().UnixNano()
	before := last.Load()
	return (before == 0 || now-before >= int64(time.Minute)) && last.CompareAndSwap(before, now)
}

const (
	// readAgain is how long it takes to read again from a replica that was behind, at first and at
	// last, and readPatience for how long that goes on.
	readAgain, readAgainMost = 5 * time.Millisecond, 200 * time.Millisecond
	readPatience             = 5 * time.Second
)

// ErrBehind is an answer that is older than it must be.
var ErrBehind = errors.New("the marks' replicas are behind")

// readUntil reads until the answer takes a sequence into account.
func (m *Marks) readUntil(ctx context.Context, filters []string, target uint64) ([]Value, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readPatience, ErrBehind)
	defer cancel()
	for delay := readAgain; ; delay = min(2*delay, readAgainMost) {
		values, upTo, err := m.store.LastMarks(ctx, filters)
		if err != nil || upTo >= target {
			return values, err
		}
		if !sleep.For(ctx, delay) {
			return nil, context.Cause(ctx)
		}
	}
}
