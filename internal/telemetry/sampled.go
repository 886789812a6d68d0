package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"
)

// Of one warning, sampleFirst lines are written in each sampleEvery.
const (
	sampleEvery = time.Minute
	sampleFirst = 10
	// maxSampled is how many warnings of one sampleEvery are told apart; beyond, all are written.
	maxSampled = 1000
)

// sampledBy are the attributes by which warnings with the same words are told apart: where one
// certificate is in trouble, the others must still be heard.
var sampledBy = []string{"vendor", "certificate", "stream", "consumer"}

// Sampled is a handler that writes at most ten lines a minute of one warning. The first line of a
// later minute says in not_logged_before how many were left out. Other levels go through: errors
// need a person, changes of state happen once, and who asks for debug lines wants all.
func Sampled(next slog.Handler) slog.Handler {
	return &sampled{Handler: next, seen: &seen{said: map[string]*said{}}}
}

type sampled struct {
	slog.Handler
	seen *seen
}

// seen is what a handler and those made of it have written.
type seen struct {
	mu    sync.Mutex
	said  map[string]*said
	freed time.Time // when those that are over were forgotten last
}

// said is what was written of one warning, and left out, since a time.
type said struct {
	since   time.Time
	written int
	left    int
}

// say says whether a line is to be written, and how many were left out before.
func (s *seen) say(key string, now time.Time) (left int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.said[key]
	if w == nil && len(s.said) >= maxSampled {
		s.free(now)
	}
	switch {
	case w == nil && len(s.said) >= maxSampled:
		return 0, true
	case w == nil:
		s.said[key] = &said{since: now, written: 1}
		return 0, true
	case now.Sub(w.since) >= sampleEvery:
		left = w.left
		*w = said{since: now, written: 1}
		return left, true
	case w.written < sampleFirst:
		w.written++
		return 0, true
	}
	w.left++
	return 0, false
}

// free forgets warnings whose time is over, so that new ones find room. It goes through them at
// most once a second. How many of their last lines were left out is not said then. The lock is
// held.
func (s *seen) free(now time.Time) {
	if now.Sub(s.freed) < time.Second {
		return
	}
	s.freed = now
	maps.DeleteFunc(s.said, func(_ string, w *said) bool { return now.Sub(w.since) >= sampleEvery })
}

// Handle implements slog.Handler.
func (s *sampled) Handle(ctx context.Context, r slog.Record) error {
	if r.Level != slog.LevelWarn {
		return s.Handler.Handle(ctx, r)
	}
	var key strings.Builder
	key.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		for _, name := range sampledBy {
			if a.Key == name {
				key.WriteString("\x00" + name + "=" + a.Value.String())
			}
		}
		return true
	})
	left, ok := s.seen.say(key.String(), r.Time)
	if !ok {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("not_logged_before", left))
	}
	return s.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (s *sampled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sampled{Handler: s.Handler.WithAttrs(attrs), seen: s.seen}
}

// WithGroup implements slog.Handler.
func (s *sampled) WithGroup(name string) slog.Handler {
	return &sampled{Handler: s.Handler.WithGroup(name), seen: s.seen}
}
