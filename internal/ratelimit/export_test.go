package ratelimit

import (
	"context"
	"time"
)

// Heartbeat does at once what Run does at each heartbeat.
func (l *Limiter) Heartbeat(ctx context.Context, now time.Time) {
	_ = l.flush(ctx)
	l.heartbeat(ctx, now)
	l.reconcile(ctx, now)
}
