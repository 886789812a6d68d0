package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// ErrNoStream is a stream that does not exist: no worker has run yet, or it runs with other
// prefixes.
var ErrNoStream = errors.New("does not exist")

// Require says which of the streams are missing, with ErrNoStream; nil when all are there.
func (b *Bus) Require(ctx context.Context, streams ...string) error {
	for _, name := range streams {
		_, err := b.js.Stream(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("stream %s %w", name, ErrNoStream)
		case err != nil:
			return fmt.Errorf("look for stream %s: %w", name, err)
		}
	}
	return nil
}

// place is where a scan begins: at a sequence, or at a time where the sequence is 0, or at the
// beginning where both are zero.
type place struct {
	sequence uint64
	since    time.Time
}

// Pages of a scan. A page ends at whichever comes first; a stream's reader keeps no more than one
// in memory.
const (
	pageMessages = 1000
	pageBytes    = 8 << 20
)

// page reads up to n messages of a stream that a subject filter covers, oldest first, without
// consuming them. An empty page is the stream's end.
func (b *Bus) page(ctx context.Context, stream, subject string, from place, n int) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	opts := []jetstreamext.GetBatchOpt{jetstreamext.GetBatchSubject(subject), jetstreamext.GetBatchMaxBytes(pageBytes)}
	switch {
	case from.sequence > 0:
		opts = append(opts, jetstreamext.GetBatchSeq(from.sequence))
	case !from.since.IsZero():
		opts = append(opts, jetstreamext.GetBatchStartTime(from.since.UTC()))
	}
	seq, err := jetstreamext.GetBatch(ctx, b.js, stream, n, opts...)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	var msgs []*jetstream.RawStreamMsg
	for msg, err := range seq {
		switch {
		case errors.Is(err, jetstreamext.ErrNoMessages):
			return msgs, nil
		case errors.Is(err, jetstreamext.ErrBatchUnsupported), errors.Is(err, nats.ErrNoResponders):
			// Nobody answers for the stream: it is missing, or its replicas are between two
			// leaders.
			if missing := b.Require(ctx, stream); missing != nil {
				return nil, missing
			}
			return nil, fmt.Errorf("read stream %s: nobody answers for it at the moment", stream)
		case err != nil:
			return nil, fmt.Errorf("read stream %s: %w", stream, err)
		}
		msgs = append(msgs, msg)
	}
	if err := ctx.Err(); err != nil {
		// The library ends a read that timed out as if it were complete.
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return msgs, nil
}

// scan calls each with the messages of a stream that a subject filter covers, oldest first, until
// it returns false, the end, or the last message that was there when it began.
func (b *Bus) scan(ctx context.Context, stream, subject string, from place, each func(*jetstream.RawStreamMsg) (more bool)) error {
	s, err := b.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s %w", stream, ErrNoStream)
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	last := s.CachedInfo().State.LastSeq
	for {
		msgs, err := b.page(ctx, stream, subject, from, pageMessages)
		if err != nil {
			return err
		}
		if len(msgs) == 0 {
			return nil
		}
		for _, m := range msgs {
			if m.Sequence > last || !each(m) {
				return nil
			}
		}
		from = place{sequence: msgs[len(msgs)-1].Sequence + 1}
	}
}
