package directory

import (
	"context"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sleep"
)

// questionPeriod is how far apart questions to the store's leader are.
const questionPeriod = 100 * time.Millisecond

// question is one that many ask at the same time: they share an answer, as long as it was asked for
// after each of them came. The zero value is useful.
type question struct {
	mu   sync.Mutex
	next *reply // of a question that is not asked yet
	last time.Time
}

type reply struct {
	done     chan struct{}
	sequence uint64
	err      error
	// left says that whoever was to ask went away.
	left bool
}

func (q *question) ask(ctx context.Context, now func() time.Time, do func(context.Context) (uint64, error)) (uint64, error) {
	for {
		q.mu.Lock()
		r, mine := q.next, false
		if r == nil {
			r, mine = &reply{done: make(chan struct{})}, true
			q.next = r
		}
		wait := questionPeriod - now().Sub(q.last)
		q.mu.Unlock()
		if mine {
			q.put(ctx, r, min(wait, questionPeriod), now, do)
			return r.sequence, r.err
		}
		select {
		case <-r.done:
			if !r.left {
				return r.sequence, r.err
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// put asks, after a while in which others may join.
func (q *question) put(ctx context.Context, r *reply, wait time.Duration, now func() time.Time, do func(context.Context) (uint64, error)) {
	defer close(r.done)
	goesOn := sleep.For(ctx, wait)
	q.mu.Lock()
	q.next = nil
	if goesOn {
		q.last = now()
	}
	q.mu.Unlock()
	if ctx.Err() == nil {
		r.sequence, r.err = do(ctx)
	}
	if ctx.Err() != nil {
		r.left, r.err = true, context.Cause(ctx)
	}
}
