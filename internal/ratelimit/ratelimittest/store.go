// Package ratelimittest helps to test what uses package ratelimit: a store in memory that can fail
// in every way that a real one can, and [RunStore], the suite that every [ratelimit.Store] must
// pass.
package ratelimittest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// Fault is how a call of a [Store] fails.
type Fault int

// The faults. Of the last two the caller cannot tell which one it met.
const (
	// None carries the call out.
	None Fault = iota
	// NotDone says that it was not carried out.
	NotDone
	// LostRequest does not carry it out, and does not say so.
	LostRequest
	// LostAnswer carries it out, and does not say so.
	LostAnswer
)

// ErrLost is the error of LostRequest and LostAnswer.
var ErrLost = errors.New("no answer from the store")

// Call is a call of a Store.
type Call struct {
	Op    string // "add", "load", "put", "remove" or "list"
	Key   string // the kind for list, the first one for load
	Delta int64  // of add
}

// Store is a [ratelimit.Store] in memory. The zero value is useful.
type Store struct {
	// Now is the clock of the entries' lifetimes; nil is time.Now.
	Now func() time.Time
	// Fault, where it is set, decides how each call fails. It may be called by many goroutines at
	// once, and may wait.
	Fault func(Call) Fault

	mu       sync.Mutex
	counters map[string]int64
	added    map[string]time.Time // ids, and when they were carried out
	entries  map[string]entry
}

type entry struct {
	value string
	ends  time.Time
}

// do carries f out as Fault says.
func (s *Store) do(ctx context.Context, call Call, f func()) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ratelimit.ErrNotDone, err)
	}
	fault := None
	if s.Fault != nil {
		fault = s.Fault(call)
	}
	if fault == None || fault == LostAnswer {
		s.mu.Lock()
		f()
		s.mu.Unlock()
	}
	switch fault {
	case None:
		return nil
	case NotDone:
		return ratelimit.ErrNotDone
	default:
		return ErrLost
	}
}

// Add is as in [ratelimit.Counters].
func (s *Store) Add(ctx context.Context, key string, delta int64, id string) (value int64, err error) {
	repeated := false
	err = s.do(ctx, Call{"add", key, delta}, func() {
		if s.counters == nil {
			s.counters, s.added = map[string]int64{}, map[string]time.Time{}
		}
		if at, ok := s.added[id]; ok && s.now().Sub(at) < remembered {
			repeated = true
			return
		}
		if id != "" {
			s.added[id] = s.now()
		}
		s.counters[key] += delta
		value = s.counters[key]
	})
	switch {
	case err != nil:
		return 0, err
	case repeated:
		return 0, ratelimit.ErrRepeated
	}
	return value, nil
}

// remembered is how long an id is known: no longer than a store must.
const remembered = 2 * time.Minute

// Load is as in [ratelimit.Counters].
func (s *Store) Load(ctx context.Context, keys ...string) (values []int64, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	err = s.do(ctx, Call{Op: "load", Key: keys[0]}, func() {
		for _, k := range keys {
			values = append(values, s.counters[k])
		}
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Put is as in [ratelimit.KV].
func (s *Store) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.do(ctx, Call{Op: "put", Key: key}, func() {
		if s.entries == nil {
			s.entries = map[string]entry{}
		}
		s.entries[key] = entry{string(value), s.now().Add(ttl)}
	})
}

// Remove is as in [ratelimit.KV].
func (s *Store) Remove(ctx context.Context, key string) error {
	return s.do(ctx, Call{Op: "remove", Key: key}, func() { delete(s.entries, key) })
}

// List is as in [ratelimit.KV].
func (s *Store) List(ctx context.Context, kind string) (entries map[string][]byte, err error) {
	entries = map[string][]byte{}
	err = s.do(ctx, Call{Op: "list", Key: kind}, func() {
		for k, n := range s.entries {
			if !s.now().Before(n.ends) {
				delete(s.entries, k)
				continue
			}
			if strings.HasPrefix(k, kind+".") {
				entries[k] = []byte(n.value)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
