package parking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Room is the name of the room of notes that a [Board] uses. It holds a [Note] for each parked
// certificate, by the certificate's id, and for each parked kind of one, by its [KindKey].
const Room = "park"

// KindKey names a certificate's pushes of one kind where a certificate is named: a [Board] shares
// their breaker like one of a certificate.
func KindKey(certificate string, kind vendors.Kind) string { return certificate + "." + string(kind) }

// Note is what the workers tell each other, and the operators' tools, of a certificate.
type Note struct {
	// Reason is the result's, Code and Error are the vendor's own words.
	Reason string    `json:"reason"`
	Code   string    `json:"code,omitempty"`
	Error  string    `json:"error,omitempty"`
	Since  time.Time `json:"since"`
	// Worker is the one that found it out.
	Worker string `json:"worker"`
	// Over, where it is set, is when a push got through again: the certificate is no longer parked.
	Over time.Time `json:"over,omitzero"`
}

// Store keeps notes for all workers. *bus.Notes implements it.
type Store interface {
	// Put stores value under key for ttl, instead of what was there.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Remove removes the note; none there is no error.
	Remove(ctx context.Context, key string) error
	// List returns all notes by their keys, however many there are. It may lag behind, and two
	// lists may come from two replicas.
	List(ctx context.Context) (map[string][]byte, error)
}

// Board shares the breakers of a worker with the other workers: what one worker found out parks the
// certificate on all, and the first whose probe gets through wakes the others. It costs one read a
// second, and a write every 15 seconds for each parked certificate. It may be used by many
// goroutines at once.
type Board struct {
	store  Store
	worker string
	log    *slog.Logger

	mu      sync.Mutex
	follows map[string]Follow
	words   map[string]*word // what this worker has to say, by certificate
	unsaid  []string         // certificates of which it takes back what it said
	told    chan struct{}    // wakes Run

	// Of Run alone: how often in a row the note of a certificate that others parked was missing,
	// and the last word of others about its end that was passed on.
	missing map[string]int
	over    map[string]time.Time
}

// Follow takes another worker's word about a certificate to its breaker, as [Breaker.Follow] does.
type Follow func(open bool, why vendors.Reason, since time.Time)

// word is what this worker has to say of a certificate.
type word struct {
	note    Note
	written time.Time // zero when it is not
}

const (
	// A note outlives its last renewal by a minute, so that a worker that dies leaves its word to
	// the others' probes.
	noteTTL   = time.Minute
	noteRenew = 15 * time.Second
	look      = time.Second
	// goneAfter is how many lists in a row must lack a note that another worker wrote: a replica
	// may be behind.
	goneAfter = 3
	// writes is how many notes are written at once.
	writes = 32
)

// NewBoard returns a board for a worker, which must have a name of its own. A nil log discards.
func NewBoard(store Store, worker string, log *slog.Logger) *Board {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Board{
		store: store, worker: worker, log: log, follows: map[string]Follow{}, words: map[string]*word{},
		told: make(chan struct{}, 1), missing: map[string]int{}, over: map[string]time.Time{},
	}
}

// Add makes follow hear what other workers say of a certificate. It is called by Run, and must not
// call the board.
func (b *Board) Add(certificate string, follow Follow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follows[certificate] = follow
}

// Tell tells the other workers that a breaker of this one opened, that a probe failed again, or
// that it closed. since is when it opened or closed, r the result that says why it is open.
func (b *Board) Tell(certificate string, open bool, since time.Time, r vendors.Result) {
	since = since.UTC().Round(0)
	note := Note{Since: since, Worker: b.worker}
	if open {
		note.Reason, note.Code = r.Reason.String(), r.Code
		if r.Err != nil {
			note.Error = r.Err.Error()
		}
	} else {
		note.Over = since
	}
	b.mu.Lock()
	w := b.words[certificate]
	if w == nil || w.note.Over.IsZero() != open {
		w = &word{}
		b.words[certificate] = w
	}
	w.note = note
	b.mu.Unlock()
	select {
	case b.told <- struct{}{}:
	default:
	}
}

// Forget takes back what this worker said of a certificate, because it was configured anew or taken
// out. Another follow may have been added for it meanwhile.
func (b *Board) Forget(certificate string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.words[certificate]; w != nil {
		delete(b.words, certificate)
		b.unsaid = append(b.unsaid, certificate)
	}
	select {
	case b.told <- struct{}{}:
	default:
	}
}

// Remove makes nobody hear any more what other workers say of a certificate, and forgets it.
func (b *Board) Remove(certificate string) {
	b.Forget(certificate)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.follows, certificate)
}

// Run shares until ctx ends; then it takes back what this worker said of certificates that are
// parked: those who followed it find out for themselves, and a worker that starts with better
// credentials in its place is not held up.
func (b *Board) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.leave(ctx)
			return
		case <-b.told:
		case <-tick.C:
		}
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := b.round(call, time.Now())
		cancel()
		if err != nil && ctx.Err() == nil {
			b.log.Debug("cannot share the state of certificates, trying again", "error", err)
		}
	}
}

// round reads what the others say, and then writes what this worker has to say.
func (b *Board) round(ctx context.Context, now time.Time) error {
	values, err := b.store.List(ctx)
	notes := make(map[string]Note, len(values))
	for certificate, value := range values {
		var n Note
		if json.Unmarshal(value, &n) == nil {
			notes[certificate] = n
		}
	}
	if err == nil {
		b.read(notes, now)
	}
	return errors.Join(err, b.write(ctx, notes, now))
}

// read passes on what the others say.
func (b *Board) read(notes map[string]Note, now time.Time) {
	type change struct {
		follow Follow
		open   bool
		note   Note
	}
	var changes []change
	b.mu.Lock()
	for certificate, n := range notes {
		follow, mine := b.follows[certificate], b.words[certificate]
		if follow == nil || n.Worker == b.worker {
			continue
		}
		switch {
		case n.Over.IsZero():
			b.missing[certificate] = 0
			if mine != nil && !n.Since.After(mine.note.Over) { // what this worker said ended it
				mine.written = time.Time{}
				continue
			}
			changes = append(changes, change{follow, true, n})
		case n.Over != b.over[certificate]:
			// Another worker got through: no more renewals, and our next push is a probe.
			b.over[certificate] = n.Over
			delete(b.missing, certificate)
			if mine != nil && mine.note.Over.IsZero() {
				delete(b.words, certificate)
			}
			changes = append(changes, change{follow, false, n})
		}
	}
	for certificate := range b.missing {
		if b.follows[certificate] == nil {
			delete(b.missing, certificate)
			continue
		}
		if _, there := notes[certificate]; there {
			continue
		}
		if b.missing[certificate]++; b.missing[certificate] < goneAfter {
			continue
		}
		delete(b.missing, certificate)
		if mine := b.words[certificate]; mine == nil || !mine.note.Over.IsZero() {
			changes = append(changes, change{b.follows[certificate], false, Note{}})
		}
	}
	for certificate, w := range b.words {
		if over := w.note.Over; !over.IsZero() && now.Sub(over) > noteTTL {
			delete(b.words, certificate)
		}
	}
	for certificate, at := range b.over {
		if _, there := notes[certificate]; !there && now.Sub(at) > 2*noteTTL {
			delete(b.over, certificate)
		}
	}
	b.mu.Unlock()
	for _, c := range changes {
		c.follow(c.open, vendors.Reason(c.note.Reason), c.note.Since)
	}
}

// write writes what is new or must be renewed. Of several workers that parked a certificate one
// keeps the note alive.
func (b *Board) write(ctx context.Context, notes map[string]Note, now time.Time) error {
	var group errgroup.Group
	group.SetLimit(writes)
	b.mu.Lock()
	due := map[string]Note{}
	for certificate, w := range b.words {
		n, there := notes[certificate]
		switch others := there && n.Worker != b.worker && n.Over.IsZero(); {
		case w.written.IsZero() && !(w.note.Over.IsZero() && others):
		case w.note.Over.IsZero() && !others && now.Sub(w.written) >= noteRenew:
		default:
			continue
		}
		due[certificate] = w.note
	}
	var unsaid []string
	for _, certificate := range b.unsaid {
		if n := notes[certificate]; b.words[certificate] == nil && n.Worker == b.worker {
			unsaid = append(unsaid, certificate)
		}
	}
	b.unsaid = nil
	b.mu.Unlock()
	for _, certificate := range unsaid { // where it fails, the note ends by itself
		group.Go(func() error { return b.store.Remove(ctx, certificate) })
	}
	for certificate, note := range due {
		group.Go(func() error {
			data, err := json.Marshal(note)
			if err != nil {
				return fmt.Errorf("share a parked certificate: %w", err)
			}
			if err := b.store.Put(ctx, certificate, data, noteTTL); err != nil {
				return err
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if w := b.words[certificate]; w != nil && w.note.Over.Equal(note.Over) {
				w.written = now
			}
			return nil
		})
	}
	return group.Wait()
}

func (b *Board) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(writes)
	b.mu.Lock()
	var ours []string
	for certificate, w := range b.words {
		if w.note.Over.IsZero() && !w.written.IsZero() {
			ours = append(ours, certificate)
		}
	}
	b.mu.Unlock()
	for _, certificate := range ours {
		group.Go(func() error { return b.store.Remove(ctx, certificate) })
	}
	if err := group.Wait(); err != nil { // then they end by themselves
		b.log.Debug("cannot take back what was said of parked certificates", "error", err)
	}
}
