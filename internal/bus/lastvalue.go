package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/hongyan-im/hongyan/internal/directory"
)

// filtersPerRead keeps a read under the server's limit of 1,024 subjects for usual users, who have
// a few each; a read that is over is split.
const filtersPerRead = 200

// LastValues reads the last value of every subject that one of the filters covers, in any order,
// with one request for many filters. It implements directory.Store.
func (b *Bus) LastValues(ctx context.Context, filters []string) ([]directory.Value, error) {
	values := make([]directory.Value, 0, 3*len(filters))
	for len(filters) > 0 {
		n := min(len(filters), filtersPerRead)
		var err error
		if values, err = b.lastValues(ctx, filters[:n], values); err != nil {
			return nil, err
		}
		filters = filters[n:]
	}
	return values, nil
}

func (b *Bus) lastValues(ctx context.Context, filters []string, values []directory.Value) ([]directory.Value, error) {
	ctx2, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	before := len(values)
	seq, err := jetstreamext.GetLastMsgsFor(ctx2, b.js, b.topology.Directory(), filters)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	for msg, err := range seq {
		switch {
		case errors.Is(err, jetstreamext.ErrNoMessages):
			return values[:before], nil
		case errors.Is(err, jetstreamext.ErrBatchUnsupported) && len(filters) > 1:
			// How the library reports "too many results": halve.
			half := len(filters) / 2
			if values, err = b.lastValues(ctx, filters[:half], values[:before]); err != nil {
				return nil, err
			}
			return b.lastValues(ctx, filters[half:], values)
		case errors.Is(err, jetstreamext.ErrBatchUnsupported):
			// A single user with more subjects than one answer holds must not hold up everybody
			// else.
			return b.pagedValues(ctx, filters[0], values[:before])
		case err != nil:
			return nil, fmt.Errorf("read directory: %w", err)
		}
		values = append(values, directory.Value{Subject: msg.Subject, Data: msg.Data, Revision: msg.Sequence, Time: msg.Time})
	}
	// The library ends without a word when the time is over; what it got until then is not all
	// there is.
	if err := ctx2.Err(); err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	return values, nil
}

// pagedValues reads what one filter covers page by page: in a last-value stream every stored
// message is a last value.
func (b *Bus) pagedValues(ctx context.Context, filter string, values []directory.Value) ([]directory.Value, error) {
	const page = 1000
	for from := uint64(1); ; {
		entries, err := b.Read(ctx, b.topology.Directory(), filter, from, page)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			values = append(values, directory.Value{Subject: e.Subject, Data: e.Data, Revision: e.Sequence, Time: e.Time})
			from = e.Sequence + 1
		}
		if len(entries) < page {
			return values, nil
		}
	}
}

// PutIf writes a last-value subject, unless it changed since revision was read. Empty data removes
// the value and leaves a marker that goes away by itself after an hour. It implements
// directory.Store.
func (b *Bus) PutIf(ctx context.Context, subject string, data []byte, revision uint64) (changed bool, err error) {
	opts := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(revision)}
	if len(data) == 0 {
		opts = append(opts, jetstream.WithMsgTTL(time.Hour))
	}
	_, err = b.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, opts...)
	if isConflict(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("write directory: %w", err)
	}
	return false, nil
}

// Put writes a last-value subject.
func (b *Bus) Put(ctx context.Context, subject string, data []byte) error {
	_, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data})
	if err != nil {
		return fmt.Errorf("write directory: %w", err)
	}
	return nil
}
