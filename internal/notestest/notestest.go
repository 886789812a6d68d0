// Package notestest is a room of notes in memory, for tests of what workers tell each other: notes
// end, writes fail, and a list may come from a replica that is behind.
package notestest

import (
	"context"
	"sync"
	"time"
)

// Room keeps notes as *bus.Notes does. The zero value is useful; it may be used by many goroutines.
type Room struct {
	mu     sync.Mutex
	log    []change
	behind time.Duration
	err    error
	puts   int
}

// change is what was done to a note; value is nil when it was removed.
type change struct {
	at, ends time.Time
	key      string
	value    []byte
}

// Behind makes lists show what there was that long ago, without what ended since.
func (r *Room) Behind(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behind = d
}

// Fail makes every call fail with err, nil for none.
func (r *Room) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// Puts is how many notes were put.
func (r *Room) Puts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.puts
}

func (r *Room) change(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set(ctx, key, value, ttl)
}

// set is change where the lock is held.
func (r *Room) set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.err != nil {
		return r.err
	}
	now := time.Now()
	if value != nil {
		r.puts++
	}
	r.log = append(r.log, change{now, now.Add(ttl), key, value})
	return nil
}

// Put stores value under key for ttl.
func (r *Room) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return r.change(ctx, key, append([]byte{}, value...), ttl)
}

// Create is Put that fails with taken when there is a note already.
func (r *Room) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (taken bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, there := time.Now(), false
	for _, c := range r.log {
		if c.key == key {
			there = c.value != nil && now.Before(c.ends)
		}
	}
	if there {
		return true, nil
	}
	return false, r.set(ctx, key, append([]byte{}, value...), ttl)
}

// Remove removes the note.
func (r *Room) Remove(ctx context.Context, key string) error { return r.change(ctx, key, nil, 0) }

// List returns all notes by their keys.
func (r *Room) List(ctx context.Context) (map[string][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	now := time.Now()
	notes := map[string][]byte{}
	for _, c := range r.log {
		if c.at.After(now.Add(-r.behind)) {
			break
		}
		delete(notes, c.key)
		if c.value != nil && now.Before(c.ends) {
			notes[c.key] = c.value
		}
	}
	return notes, nil
}
