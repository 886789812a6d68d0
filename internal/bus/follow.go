package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// readPage is how many notes are read with one request.
const readPage = 1000

// read calls f for each note whose key begins with prefix and whose sequence is at least from,
// oldest first, page by page: a server answers a read of last values only up to 1,024 of them. A
// note that is replaced meanwhile may come twice, the newer value last.
func (n *Notes) read(ctx context.Context, prefix string, from uint64, f func(key string, m *jetstream.RawStreamMsg)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	filter := n.subject(prefix + ">")
	for {
		seq, err := jetstreamext.GetBatch(ctx, n.bus.js, n.bus.topology.Notes(), readPage,
			jetstreamext.GetBatchSeq(max(from, 1)), jetstreamext.GetBatchSubject(filter))
		if err != nil {
			return storeError("read notes", err)
		}
		got := 0
		for m, err := range seq {
			if errors.Is(err, jetstreamext.ErrNoMessages) {
				break
			}
			if err != nil {
				return storeError("read notes", err)
			}
			got++
			from = m.Sequence + 1
			if key, ok := n.subjects().CutOwn(m.Subject); ok {
				f(key, m)
			}
		}
		// The library ends without a word when the time is over.
		if err := ctx.Err(); err != nil {
			return storeError("read notes", err)
		}
		if got < readPage {
			return nil
		}
	}
}

func (n *Notes) list(ctx context.Context, prefix string) (map[string][]byte, error) {
	notes := map[string][]byte{}
	err := n.read(ctx, prefix, 1, func(key string, m *jetstream.RawStreamMsg) { notes[key] = m.Data })
	if err != nil {
		return nil, err
	}
	return notes, nil
}

// FollowedNotes are notes of a room for a reader that lists them often: each list reads only what
// changed since the last one, and everything once a minute. Notes that are removed through
// FollowedNotes are missed at once, wherever that is done, others within a minute. It is safe for
// concurrent use.
type FollowedNotes struct {
	room   *Notes
	prefix string

	mu    sync.Mutex
	notes map[string]followedNote
	next  uint64    // the first sequence that was not read
	whole time.Time // when everything was read
}

type followedNote struct {
	value    []byte
	sequence uint64
	ends     time.Time // zero for never
}

const (
	// wholeEvery is how often everything is read, against what only a stream that was tampered with
	// or made anew can hide.
	wholeEvery = time.Minute
	// removedHeader marks a note that says that there is none.
	removedHeader = "Push-Removed"
)

// Follow returns the notes whose key begins with prefix, for a reader that lists them often.
func (n *Notes) Follow(prefix string) *FollowedNotes {
	return &FollowedNotes{room: n, prefix: prefix, notes: map[string]followedNote{}}
}

// Put stores value under key for ttl, as [Notes.Put] does.
func (f *FollowedNotes) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return f.room.Put(ctx, key, value, ttl)
}

// Remove removes the note; none there is no error. It leaves a mark for twice as long as readers
// that follow need to see it.
func (f *FollowedNotes) Remove(ctx context.Context, key string) error {
	m := &nats.Msg{Subject: f.room.subject(key), Header: nats.Header{removedHeader: []string{"1"}}}
	_, err := f.room.bus.js.PublishMsg(ctx, m, jetstream.WithMsgTTL(2*wholeEvery))
	return storeError("remove note", err)
}

// List returns all notes by their keys. Replicas may lag a little; a list is never older than the
// one before.
func (f *FollowedNotes) List(ctx context.Context) (map[string][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	from, whole := f.next, now.Sub(f.whole) >= wholeEvery
	if whole {
		from = 1
	}
	found := map[string]followedNote{}
	var last uint64
	err := f.room.read(ctx, f.prefix, from, func(key string, m *jetstream.RawStreamMsg) {
		last = m.Sequence
		note := followedNote{value: m.Data, sequence: m.Sequence}
		if m.Header.Get(removedHeader) != "" {
			note.value = nil
		} else if note.value == nil {
			note.value = []byte{}
		}
		if ttl, err := time.ParseDuration(m.Header.Get(jetstream.MsgTTLHeader)); err == nil {
			note.ends = m.Time.Add(ttl)
		}
		found[key] = note
	})
	if err != nil {
		return nil, err
	}
	if whole {
		// A replica that lags does not have what was read from another: that stays.
		for key, note := range f.notes {
			if note.sequence <= last {
				delete(f.notes, key)
			}
		}
		f.whole = now
	}
	f.next = max(f.next, last+1)
	for key, note := range found {
		if note.sequence >= f.notes[key].sequence {
			f.notes[key] = note
		}
	}
	list := make(map[string][]byte, len(f.notes))
	for key, note := range f.notes {
		switch {
		case !note.ends.IsZero() && !now.Before(note.ends):
			delete(f.notes, key)
		case note.value != nil:
			list[key] = note.value
		}
	}
	return list, nil
}
