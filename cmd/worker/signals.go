package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
)

const (
	// signalsPatience is how long a worker that starts reads signals before it takes anything else.
	signalsPatience = 10 * time.Second
	// signalsEvery is how often it looks whether some are left.
	signalsEvery = 20 * time.Millisecond
)

// signalsFirst waits until no signal waits any more, for a while at most: what was recalled or read
// while no worker ran must be known before the messages and jobs are taken that wait.
func signalsFirst(ctx context.Context, b *bus.Bus, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, signalsPatience)
	defer cancel()
	look := time.NewTicker(signalsEvery)
	defer look.Stop()
	for {
		n, err := b.SignalBacklog(ctx)
		switch {
		case err == nil && n == 0:
			return
		case ctx.Err() != nil:
			log.Warn("signals still wait while messages are taken: some of what they suppress may be pushed", "signals", n, "error", err)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
}
