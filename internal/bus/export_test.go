package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// CloseIdleAfter sets when a consumer ends for which no message is stored.
func (b *Bus) CloseIdleAfter(d time.Duration) { b.idleClose = d }

// AtLeader reads the first message that a filter covers from the stream's leader.
func (b *Bus) AtLeader(ctx context.Context, stream, filter string, sequence uint64, since time.Time) (*jetstream.RawStreamMsg, error) {
	found, err := b.leaders(ctx, stream, filter, place{sequence, since})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// DeleteStream removes a stream.
func (b *Bus) DeleteStream(ctx context.Context, name string) error {
	return b.js.DeleteStream(ctx, name)
}
