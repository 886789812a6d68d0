package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
)

// Backlog is what waits in a vendor's job stream.
type Backlog struct {
	// Jobs that are stored, those under way included.
	Jobs uint64
	// Oldest is when the oldest of them was stored; zero when there is none.
	Oldest time.Time
}

// OldestJobs says, for each certificate of a vendor of which jobs are stored, when the oldest of
// them was stored.
func (b *Bus) OldestJobs(ctx context.Context, vendor string) (map[string]time.Time, error) {
	name := b.topology.Jobs(vendor)
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	state, err := s.Info(ctx, jetstream.WithSubjectFilter(b.topology.Subjects.Job(vendor, "*", "*")))
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	oldest := map[string]time.Time{}
	for subject := range state.State.Subjects {
		where, err := b.topology.Subjects.Parse(subject)
		if err != nil || len(oldest) >= mostOldest {
			continue
		}
		first, err := b.page(ctx, name, subject, place{}, 1)
		if err != nil {
			return nil, err
		}
		if at, known := oldest[where.Certificate]; len(first) > 0 && (!known || first[0].Time.Before(at)) {
			oldest[where.Certificate] = first[0].Time
		}
	}
	return oldest, nil
}

// mostOldest is of how many certificates of a vendor OldestJobs speaks at most: each takes a read.
const mostOldest = 256

// Skew is how far the server's clock is ahead of this machine's, with half the time of the answer's
// way as the error. It takes one question about a stream.
func (b *Bus) Skew(ctx context.Context) (time.Duration, error) {
	name := b.topology.Messages()
	asked := time.Now()
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", name, err)
	}
	now := time.Now()
	return s.CachedInfo().TimeStamp.Sub(asked.Add(now.Sub(asked) / 2)), nil
}

// Backlog reads a vendor's backlog.
func (b *Bus) Backlog(ctx context.Context, vendor string) (Backlog, error) {
	return b.backlog(ctx, b.topology.Jobs(vendor))
}

// MessageBacklog reads what waits to be routed.
func (b *Bus) MessageBacklog(ctx context.Context) (Backlog, error) {
	return b.backlog(ctx, b.topology.Messages())
}

// PieceBacklog reads what waits of large messages that were divided.
func (b *Bus) PieceBacklog(ctx context.Context) (Backlog, error) {
	return b.backlog(ctx, b.topology.Pieces())
}

// SignalBacklog is how many signals no worker is done with yet.
func (b *Bus) SignalBacklog(ctx context.Context) (uint64, error) {
	return b.count(ctx, b.topology.Messages(), b.topology.Subjects.All(hongyan.KindSignal))
}

func (b *Bus) backlog(ctx context.Context, name string) (Backlog, error) {
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return Backlog{}, fmt.Errorf("read stream %s: %w", name, err)
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return Backlog{}, nil
	}
	return Backlog{Jobs: state.Msgs, Oldest: state.FirstTime}, nil
}
