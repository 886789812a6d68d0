package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Entry is a message of a stream, looked at without consuming it.
type Entry struct {
	Subject  string
	Sequence uint64
	Time     time.Time
	Data     []byte
	Header   map[string][]string
}

// Read returns up to n messages of a stream that match a subject filter, from a sequence on. It
// consumes nothing; no entries means that there are none yet.
func (b *Bus) Read(ctx context.Context, stream, filter string, from uint64, n int) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	seq, err := jetstreamext.GetBatch(ctx, b.js, stream, n, jetstreamext.GetBatchSeq(max(from, 1)), jetstreamext.GetBatchSubject(filter))
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	var entries []Entry
	for m, err := range seq {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", stream, err)
		}
		entries = append(entries, Entry{Subject: m.Subject, Sequence: m.Sequence, Time: m.Time, Data: m.Data, Header: m.Header})
	}
	// The library ends without a word when the time is over.
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return entries, nil
}
