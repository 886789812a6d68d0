// Package accepted remembers, for all workers and across restarts, when a vendor last accepted a
// push of each certificate. The pipeline asks it before it believes a code that calls a token dead
// but may also mean a wrong environment, topic, project or app ([vendors.Result.Doubtful]): such a
// code removes a registration only while other devices of the certificate were accepted lately.
//
//	a push was accepted ── Saw ──▶ the worker's memory ── Run: a note a minute ──▶ the store
//	may the token go?  ── Lately ─▶ own word, or another worker's ◀── Run: a list ────┘
package accepted

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Room is the name of the room of notes that a [Memory] uses.
const Room = "accepted"

// Window is for how long an accepted push counts.
const Window = 10 * time.Minute

const (
	// tellEvery is how old the word of all workers may become before it is said again. What another
	// worker accepted right after it is not heard of, so notes count for as much longer.
	tellEvery = time.Minute
	readEvery = 20 * time.Second
	// writes is how many notes are written at once.
	writes = 32
)

// Store keeps notes for all workers. *bus.Notes implements it.
type Store interface {
	// Put stores value under key for ttl, instead of what was there.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// List returns all notes by their keys. It may lag behind.
	List(ctx context.Context) (map[string][]byte, error)
}

// Memory remembers when pushes were accepted. It may be used by many goroutines at once.
type Memory struct {
	store Store
	log   *slog.Logger

	certificates atomic.Pointer[map[string]*certificate] // never changed, only replaced, under mu
	mu           sync.Mutex
}

// certificate holds times in nanoseconds since 1970, 0 for never: when a push was last accepted by
// this worker, and by any as far as the notes tell.
type certificate struct{ own, shared atomic.Int64 }

// note is the value of a certificate's note.
type note struct {
	At time.Time `json:"at"`
}

// New returns a memory that knows nothing yet. A nil log discards.
func New(store Store, log *slog.Logger) *Memory {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Memory{store: store, log: log}
	m.certificates.Store(&map[string]*certificate{})
	return m
}

// of returns a certificate's entry, and makes one when there is none.
func (m *Memory) of(id string) *certificate {
	if c := (*m.certificates.Load())[id]; c != nil {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.certificates.Load()
	if c := old[id]; c != nil {
		return c
	}
	all := maps.Clone(old)
	c := &certificate{}
	all[id] = c
	m.certificates.Store(&all)
	return c
}

// Saw records that the vendor accepted a push of the certificate. It costs some nanoseconds and no
// allocation, and tells the other workers at most once a minute.
func (m *Memory) Saw(certificate string, now time.Time) {
	c := m.of(certificate)
	// To the second: many goroutines call this at once.
	if at := now.UnixNano(); at-c.own.Load() >= int64(time.Second) {
		c.own.Store(at)
	}
}

// Lately says whether the vendor accepted a push of the certificate within the last [Window]: one
// of this worker, or one that another worker told of, which may be up to a minute more than that
// ago.
func (m *Memory) Lately(certificate string, now time.Time) bool {
	c := (*m.certificates.Load())[certificate]
	if c == nil {
		return false
	}
	return now.UnixNano()-c.own.Load() <= int64(Window) || now.UnixNano()-c.shared.Load() <= int64(Window+tellEvery)
}

// Load reads what all workers know. Run does it from time to time; a worker that calls it before
// its first push knows from the first.
func (m *Memory) Load(ctx context.Context) error {
	values, err := m.store.List(ctx)
	if err != nil {
		return fmt.Errorf("read when pushes were accepted: %w", err)
	}
	for id, value := range values {
		var n note
		if json.Unmarshal(value, &n) != nil || n.At.IsZero() {
			continue
		}
		c := m.of(id)
		if at := n.At.UnixNano(); at > c.shared.Load() {
			c.shared.Store(at)
		}
	}
	return nil
}

// Run shares with the other workers until ctx ends; then it says what was not said yet. Without the
// store each worker goes by its own pushes.
func (m *Memory) Run(ctx context.Context) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := errors.Join(m.Load(call), m.tell(call))
		cancel()
		if err != nil && ctx.Err() == nil {
			m.log.Debug("cannot share when pushes were accepted, trying again", "error", err)
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := m.tell(leave); err != nil {
			m.log.Debug("the other workers will not hear of the last accepted pushes", "error", err)
		}
		return
	}
}

// tell writes the certificates of which all know only something older than tellEvery: whoever of
// the workers comes first speaks for the others.
func (m *Memory) tell(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(writes)
	for id, c := range *m.certificates.Load() {
		at := c.own.Load()
		if at-c.shared.Load() < int64(tellEvery) {
			continue
		}
		group.Go(func() error {
			value, err := json.Marshal(note{time.Unix(0, at).UTC()})
			if err != nil {
				return fmt.Errorf("say that a push was accepted: %w", err)
			}
			if err := m.store.Put(ctx, id, value, Window+tellEvery); err != nil {
				return fmt.Errorf("say that a push was accepted: %w", err)
			}
			if at > c.shared.Load() {
				c.shared.Store(at)
			}
			return nil
		})
	}
	return group.Wait()
}
