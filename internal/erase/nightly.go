package erase

import (
	"context"
	"log/slog"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Room is the name of the room of notes by which workers agree on who sweeps.
const Room = "sweep"

const (
	// hour is when a night's sweep is due, in the time zone of [hongyan.DefaultTimezone].
	hour = 3
	// lookEvery is how often a worker looks whether a sweep is due.
	lookEvery = time.Minute
	// A worker that sweeps renews its turn; one that is killed loses it after turnTTL.
	turnTTL, turnEvery = 3 * time.Minute, time.Minute
	// doneTTL is how long it is known when the last sweep was done.
	doneTTL = 72 * time.Hour

	turnKey, doneKey = "turn", "done"
)

// Notes is how workers tell each other. *bus.Notes implements it.
type Notes interface {
	// Create stores value under key for ttl, and returns taken where there is one already.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) (taken bool, err error)
	// Put stores value under key for ttl, instead of what was there.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// List returns all notes by their keys. It may lag behind.
	List(ctx context.Context) (map[string][]byte, error)
	// Remove removes the note; none there is no error.
	Remove(ctx context.Context, key string) error
}

// Nightly has one of all workers sweep once a night.
type Nightly struct {
	Notes Notes
	// Worker is this one's name.
	Worker string
	// Sweep sweeps; it ends when its context does.
	Sweep func(context.Context) error
	Log   *slog.Logger
	Now   func() time.Time
}

// Run looks every minute whether a sweep is due that nobody has made, and makes it, until ctx ends.
func (n *Nightly) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := n.look(ctx); err != nil && ctx.Err() == nil {
				n.Log.Warn("the nightly sweep is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// look sweeps where that is due and nobody else does.
func (n *Nightly) look(ctx context.Context) error {
	notes, err := n.Notes.List(ctx)
	if err != nil || !due(n.Now(), notes[doneKey]) {
		return err
	}
	taken, err := n.Notes.Create(ctx, turnKey, []byte(n.Worker), turnTTL)
	if err != nil || taken {
		return err
	}
	began := n.Now()
	if err := n.sweep(ctx); err != nil {
		return err
	}
	// Said before the turn is given up: whoever takes it then knows.
	if err := n.Notes.Put(ctx, doneKey, []byte(began.UTC().Format(time.RFC3339)), doneTTL); err != nil {
		return err
	}
	return n.Notes.Remove(ctx, turnKey)
}

// sweep sweeps, and renews its turn meanwhile. It ends where that does not succeed in time.
func (n *Nightly) sweep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Sweep(ctx) }()
	renew := time.NewTicker(turnEvery)
	defer renew.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-renew.C:
			if err := n.Notes.Put(ctx, turnKey, []byte(n.Worker), turnTTL); err != nil {
				cancel()
				<-done
				return err
			}
		}
	}
}

// due says whether a night has begun since the last sweep, by the note that tells of it.
func due(now time.Time, done []byte) bool {
	zone, err := time.LoadLocation(hongyan.DefaultTimezone)
	if err != nil {
		zone = time.FixedZone("", 8*60*60)
	}
	here := now.In(zone)
	night := time.Date(here.Year(), here.Month(), here.Day(), hour, 0, 0, 0, zone)
	if here.Before(night) {
		night = night.AddDate(0, 0, -1)
	}
	last, err := time.Parse(time.RFC3339, string(done))
	return err != nil || last.Before(night)
}
