package directory

import (
	"context"
	"fmt"
	"time"
)

// Value is the last value of a subject.
type Value struct {
	Subject  string
	Data     []byte
	Revision uint64
	Time     time.Time
	// Expires is when the store removes the value by itself; zero for never.
	Expires time.Time
}

// Read is what a store knows at a moment.
type Read struct {
	Values []Value
	// UpTo is the sequence of the last change that is in it; zero where nobody knows.
	UpTo uint64
}

// Store is where the records are.
type Store interface {
	// LastValues reads the last value of every subject that one of the filters covers. An error
	// means that nothing is known.
	LastValues(ctx context.Context, filters []string) (Read, error)
	// LastSequence is the sequence of the last change as the store's leader knows it: what was
	// acknowledged before the call is at or below it.
	LastSequence(ctx context.Context) (uint64, error)
	// PutIf writes a subject unless it changed since revision; then it returns changed. Empty data
	// removes the value.
	PutIf(ctx context.Context, subject string, data []byte, revision uint64) (changed bool, err error)
}

// Feed tells of changes of a store.
type Feed interface {
	// Follow tells l until ctx ends, one call at a time. It may miss what comes after.
	Follow(ctx context.Context, l Listener)
}

// Listener hears of changes.
type Listener interface {
	// Live says that each change after a sequence is told from now on.
	Live(sequence uint64)
	// Changed tells of one. An empty subject is a change that concerns nobody.
	Changed(subject string, sequence uint64)
	// Lost says that a change may be missed from now on, until Live is called.
	Lost(err error)
}

// ReadUntil reads until the answer takes the changes up to target into account. The error is
// [ErrBehind] where none does within the patience.
func ReadUntil(ctx context.Context, store Store, filters []string, target uint64, patience time.Duration) (Read, error) {
	delay, end := readAgain, time.NewTimer(patience)
	defer end.Stop()
	for {
		r, err := store.LastValues(ctx, filters)
		if err != nil || r.UpTo >= target {
			return r, err
		}
		again := time.NewTimer(delay)
		select {
		case <-again.C:
			delay = min(2*delay, readAgainMost)
			continue
		case <-end.C:
			err = fmt.Errorf("%w: at %d, need %d", ErrBehind, r.UpTo, target)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		again.Stop()
		return Read{}, err
	}
}
