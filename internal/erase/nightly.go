package erase

import (
	"context"
	"fmt"
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
	// A worker that sweeps renews its turn; one that is killed loses it after turnTTL. Where that
	// fails it is tried again after turnAgain, and a sweep ends before the turn can be another's.
	turnTTL, turnEvery, turnAgain = 3 * time.Minute, time.Minute, 10 * time.Second
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
	if due, err := n.due(ctx); err != nil || !due {
		return err
	}
	began := n.Now()
	taken, err := n.Notes.Create(ctx, turnKey, []byte(n.Worker), turnTTL)
	if err != nil || taken {
		return err
	}
	// Another worker may have finished and given up the turn since the first look.
	still, err := n.due(ctx)
	if err != nil {
		return err // the turn ends by itself
	}
	if still {
		if err := n.sweep(ctx, began); err != nil {
			return err
		}
		// Said before the turn is given up: whoever takes it then knows.
		if err := n.Notes.Put(ctx, doneKey, []byte(began.UTC().Format(time.RFC3339)), doneTTL); err != nil {
			return err
		}
	}
	return n.Notes.Remove(ctx, turnKey)
}

// due says whether this night's sweep was not made yet.
func (n *Nightly) due(ctx context.Context) (bool, error) {
	notes, err := n.Notes.List(ctx)
	return err == nil && due(n.Now(), notes[doneKey]), err
}

// sweep sweeps, and renews its turn meanwhile. It ends where that does not succeed in time. held is
// when the turn was taken.
func (n *Nightly) sweep(ctx context.Context, held time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Sweep(ctx) }()
	renew := time.NewTimer(turnEvery)
	defer renew.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-renew.C:
			now := n.Now()
			err := n.renew(ctx)
			switch {
			case err == nil:
				held = now
				renew.Reset(turnEvery)
			case n.Now().Sub(held) < turnTTL-3*turnAgain:
				renew.Reset(turnAgain)
			default:
				cancel()
				<-done
				return fmt.Errorf("renew the turn: %w", err)
			}
		}
	}
}

// renew says that this worker still sweeps.
func (n *Nightly) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, turnAgain)
	defer cancel()
	return n.Notes.Put(ctx, turnKey, []byte(n.Worker), turnTTL)
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
