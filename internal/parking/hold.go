package parking

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sleep"
)

// HoldRoom is the name of the room of notes that keeps what operators hold by hand: a [Hold] for
// each certificate and app that was ever held, by its [HeldCertificate] or [HeldApp]. Workers read
// it, and write nothing there.
const HoldRoom = "hold"

// HeldCertificate is the key of a certificate's hold in [HoldRoom].
func HeldCertificate(id string) string { return "certificate." + id }

// HeldApp is the key of an app's hold in [HoldRoom]. It concerns all certificates of the app.
func HeldApp(app string) string { return "app." + app }

// Hold is an operator's order that nothing is pushed, or its end.
type Hold struct {
	// Reason and By are the operator's words, why and who.
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
	// Released says that the order ended At.
	Released bool `json:"released,omitzero"`
}

// ReleasedFor is for how long the end of a hold is kept at least: a worker that was away for less
// learns of it when it comes back. A hold itself is kept until it is released.
const ReleasedFor = 30 * 24 * time.Hour

// Holds are the orders that are in force, by their keys.
type Holds map[string]Hold

// ReadHolds reads the notes of [HoldRoom]. A note that cannot be read holds: a newer tool wrote it,
// and what somebody wanted to keep back must not be pushed for that.
func ReadHolds(notes map[string][]byte) Holds {
	holds := Holds{}
	for key, value := range notes {
		var h Hold
		if err := json.Unmarshal(value, &h); err != nil {
			h = Hold{Reason: "a hold that this version cannot read"}
		}
		h.At = h.At.UTC() // so that the same order is equal, in whatever zone it was written
		if !h.Released {
			holds[key] = h
		}
	}
	return holds
}

// Of is the order that holds a certificate of an app, and its key: the certificate's own before the
// app's. ok is false where nothing does.
func (h Holds) Of(app, certificate string) (hold Hold, key string, ok bool) {
	for _, key := range []string{HeldCertificate(certificate), HeldApp(app)} {
		if hold, ok = h[key]; ok {
			return hold, key, true
		}
	}
	return Hold{}, "", false
}

// HoldStore reads the notes of [HoldRoom]; *bus.FollowedNotes implements it.
type HoldStore interface {
	// List returns all notes by their keys. It may lag behind a little, and must never be older
	// than the one before.
	List(ctx context.Context) (map[string][]byte, error)
}

// Watch keeps a worker to the operators' holds. It reads them twice a second, so that nothing is
// begun on any worker two seconds after an order. While they cannot be read, what was read last
// holds.
type Watch struct {
	store HoldStore
	log   *slog.Logger

	mu    sync.Mutex
	certs []watched
	holds Holds
}

// watched is a certificate that the worker serves.
type watched struct {
	app, id string
	held    bool
	follow  func(held bool)
}

const (
	// lookForHolds is how often holds are read, and holdsTimeout how long a read may take.
	lookForHolds, holdsTimeout = 500 * time.Millisecond, 5 * time.Second
)

// NewWatch returns a watch over no certificate. A nil log discards.
func NewWatch(store HoldStore, log *slog.Logger) *Watch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Watch{store: store, log: log, holds: Holds{}}
}

// Add makes follow hear of each change, from Load and Run, and at once where the certificate is
// known to be held already, in the place of what was added under its id before. It must not call
// the watch.
func (w *Watch) Add(app, certificate string, follow func(held bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _, held := w.holds.Of(app, certificate)
	w.remove(certificate)
	w.certs = append(w.certs, watched{app: app, id: certificate, held: held, follow: follow})
	if held {
		follow(true)
	}
}

// Remove ends what Add began. A certificate that was not added is no mistake.
func (w *Watch) Remove(certificate string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(certificate)
}

// remove forgets a certificate. The lock is held.
func (w *Watch) remove(certificate string) {
	w.certs = slices.DeleteFunc(w.certs, func(c watched) bool { return c.id == certificate })
}

// Load reads the holds before anything is sent, and tries until it can or ctx ends, whose error it
// returns then. failed is told of each try that failed.
func (w *Watch) Load(ctx context.Context, failed func(error)) error {
	for {
		err := w.look(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed(err)
		if !sleep.For(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

// Run follows the holds until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for failing := false; sleep.For(ctx, lookForHolds); {
		err := w.look(ctx)
		switch {
		case err != nil && !failing && ctx.Err() == nil:
			w.log.Warn("cannot read what operators hold, what was held stays so", "error", err)
			failing = true
		case err == nil && failing:
			w.log.Info("what operators hold is read again")
			failing = false
		}
	}
}

// look reads the holds and passes on what changed.
func (w *Watch) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, holdsTimeout)
	defer cancel()
	notes, err := w.store.List(ctx)
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	w.apply(ReadHolds(notes))
	return nil
}

// apply takes over what is held now.
func (w *Watch) apply(now Holds) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if maps.Equal(now, w.holds) {
		return
	}
	w.tell(now)
	w.holds = now
	for i := range w.certs {
		c := &w.certs[i]
		if _, _, held := now.Of(c.app, c.id); held != c.held {
			c.held = held
			c.follow(held)
		}
	}
}

// tell logs each order that is new or over, once, where the worker serves what it is about. The
// lock is held.
func (w *Watch) tell(now Holds) {
	ours := map[string]bool{}
	for _, c := range w.certs {
		ours[HeldCertificate(c.id)], ours[HeldApp(c.app)] = true, true
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if h := now[key]; ours[key] && h != w.holds[key] {
			what, id, _ := strings.Cut(key, ".")
			w.log.Info("held by hand: what is to be pushed waits until it is released", what, id, "reason", h.Reason, "by", h.By)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.holds)) {
		if _, held := now[key]; ours[key] && !held {
			what, id, _ := strings.Cut(key, ".")
			w.log.Info("released by hand: what waited is pushed", what, id)
		}
	}
}
