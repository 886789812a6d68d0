package ratelimit

import (
	"context"
	"time"
)

// Beat does at once what Run does each beat.
func (l *Limiter) Beat(ctx context.Context, now time.Time) {
	l.beat(ctx, now)
	l.tidy(ctx, now)
}
