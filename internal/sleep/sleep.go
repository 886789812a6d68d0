// Package sleep waits for a while that a context can end. It is for loops that have something to
// wait for which nobody tells them: the end of a backoff, or others who may join.
package sleep

import (
	"context"
	"time"
)

// For waits for d, and says whether ctx goes on: false when it ended before, or by then.
func For(ctx context.Context, d time.Duration) bool {
	// Go 1.26.8 crashes now and then, under the race detector, when a timer without duration is
	// waited for in testing/synctest.
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
