package dispatchtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// Badges is a store of badges in memory, which implements badge.Store as the real one does. The
// zero value is empty and well.
type Badges struct {
	// Delay is how long a call takes, if it is set. It must not change while there are calls.
	Delay func() time.Duration
	// LoseAnswers, if it is set, says for each record that is written whether nobody hears that.
	LoseAnswers func() bool

	mu       sync.Mutex
	sequence uint64
	records  map[badge.Ref]badge.Stored
	reads    int
	writes   int
	away     bool
}

// errAway is what calls end with while the store is away.
var errAway = errors.New("the store of badges is away")

// Leave makes every call fail until it comes back.
func (s *Badges) Leave(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// Calls is how many records were asked for and written until now.
func (s *Badges) Calls() (reads, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.writes
}

// Erase removes a record.
func (s *Badges) Erase(ref badge.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, ref)
}

func (s *Badges) pause(ctx context.Context) error {
	if s.Delay == nil {
		return ctx.Err()
	}
	sleep.For(ctx, s.Delay())
	return ctx.Err()
}

// ReadBadges implements badge.Store. What it answers is what there is in the middle of its delay.
func (s *Badges) ReadBadges(ctx context.Context, refs []badge.Ref) (stored []badge.Stored, upTo uint64, err error) {
	if err := s.pause(ctx); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	if s.away {
		s.mu.Unlock()
		return nil, 0, errAway
	}
	for _, ref := range refs {
		s.reads++
		if r, ok := s.records[ref]; ok {
			stored = append(stored, r)
		}
	}
	upTo = s.sequence
	s.mu.Unlock()
	return stored, upTo, s.pause(ctx)
}

// WriteBadges implements badge.Store.
func (s *Badges) WriteBadges(ctx context.Context, records []badge.Stored) []badge.Written {
	written := make([]badge.Written, len(records))
	err := s.pause(ctx)
	for i, r := range records {
		written[i] = s.write(r, err)
	}
	if err := s.pause(ctx); err != nil {
		for i := range written {
			written[i] = badge.Written{Err: err}
		}
	}
	return written
}

func (s *Badges) write(r badge.Stored, err error) badge.Written {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.away {
		err = errAway
	}
	if err != nil {
		return badge.Written{Err: err}
	}
	if s.records[r.Ref].Revision != r.Revision {
		return badge.Written{Changed: true}
	}
	if s.records == nil {
		s.records = map[badge.Ref]badge.Stored{}
	}
	s.sequence++
	s.writes++
	r.Revision = s.sequence
	s.records[r.Ref] = r
	if s.LoseAnswers != nil && s.LoseAnswers() {
		return badge.Written{Err: errTimeout}
	}
	return badge.Written{Revision: r.Revision}
}
