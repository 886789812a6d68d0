package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Backlog is what waits in a vendor's job stream.
type Backlog struct {
	// Jobs that are stored, those under way included.
	Jobs uint64
	// Oldest is when the oldest of them was stored; zero when there is none.
	Oldest time.Time
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
