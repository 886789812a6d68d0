package dispatchtest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// markStream holds what was said of messages.
const markStream = string(hongyan.KindMark)

// live are the marks that did not end their life yet. The lock is held.
func (q *Queue) marks(now time.Time) (all []marks.Value) {
	for _, m := range q.stored[markStream] {
		if m.Life > 0 && now.Sub(m.Stored) >= m.Life {
			continue
		}
		all = append(all, marks.Value{Subject: m.Subject, Data: m.Data, Sequence: m.Sequence, Stored: m.Stored})
	}
	return all
}

// LastMarks implements marks.Store.
func (c *Connection) LastMarks(ctx context.Context, filters []string) (values []marks.Value, upTo uint64, err error) {
	if c.cut.Load() {
		return nil, 0, dispatch.ErrAway
	}
	q := c.Queue
	if err := q.slow(ctx); err != nil {
		return nil, 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.markReads++
	if f := q.faults[markStream]; f.Refuse != nil {
		return nil, 0, f.Refuse
	}
	last := map[string]marks.Value{}
	for _, v := range q.marks(time.Now()) {
		for _, f := range filters {
			if whole, wild := strings.CutSuffix(f, ".*"); v.Subject == f || wild && strings.HasPrefix(v.Subject, whole+".") {
				last[v.Subject] = v
			}
		}
	}
	for _, v := range last {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b marks.Value) int { return int(a.Sequence) - int(b.Sequence) })
	return values, q.sequence, nil
}

// slow waits as long as a read of marks takes.
func (q *Queue) slow(ctx context.Context) error {
	q.mu.Lock()
	delay := q.faults[markStream].Delay
	q.mu.Unlock()
	if delay > 0 && !pause(ctx, nil, delay) {
		return context.Cause(ctx)
	}
	return nil
}

// LastMark implements marks.Store.
func (c *Connection) LastMark(ctx context.Context) (uint64, error) {
	if c.cut.Load() {
		return 0, dispatch.ErrAway
	}
	if err := c.Queue.slow(ctx); err != nil {
		return 0, err
	}
	c.Queue.mu.Lock()
	defer c.Queue.mu.Unlock()
	return c.Queue.sequence, nil
}

// MarksSince implements marks.Store.
func (c *Connection) MarksSince(_ context.Context, since time.Time, each func(marks.Value) bool) error {
	if c.cut.Load() {
		return dispatch.ErrAway
	}
	c.Queue.mu.Lock()
	all := c.Queue.marks(time.Now())
	c.Queue.mu.Unlock()
	for _, v := range all {
		if !v.Stored.Before(since) && !each(v) {
			break
		}
	}
	return nil
}

// MarkReads is how often marks were read.
func (q *Queue) MarkReads() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.markReads
}

// Deafen makes all followers of the marks miss what is stored from now on, and say so, until it is
// called with false.
func (q *Queue) Deafen(deaf bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deaf = deaf
	q.tell()
}

// FollowMarks implements marks.Feed: each mark is told of MarkLag after it was stored.
func (c *Connection) FollowMarks(ctx context.Context, l marks.Listener) {
	q := c.Queue
	next, live := 0, false
	for ctx.Err() == nil {
		q.mu.Lock()
		changed, deaf, all := q.changed, q.deaf || c.cut.Load(), slices.Clone(q.stored[markStream])
		if !deaf && !live {
			q.sequence++ // a record of its own, so that there is one
		}
		sequence, lag := q.sequence, q.MarkLag
		q.mu.Unlock()
		switch {
		case deaf && live:
			live = false
			l.Lost(dispatch.ErrAway)
		case !deaf && !live:
			next, live = len(all), true
			l.Live(sequence, time.Now())
		case live && next < len(all):
			m := all[next]
			next++
			if wait := lag - time.Since(m.Stored); wait > 0 && !pause(ctx, nil, wait) {
				return
			}
			l.Heard(marks.Value{Subject: m.Subject, Data: m.Data, Sequence: m.Sequence, Stored: m.Stored})
		default:
			if !pause(ctx, changed, 0) {
				return
			}
		}
	}
}
