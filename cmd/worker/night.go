package main

import (
	"context"
	"time"

	"github.com/hongyan-im/hongyan/internal/erase"
)

// sweepNightly has one of all workers erase, once a night, the records of people of whom nothing is
// heard, until ctx ends.
func (s *service) sweepNightly(ctx context.Context, worker string) {
	sweep := &erase.Sweep{Eraser: erase.Eraser{Store: s.bus, Places: s.topology(), Subjects: s.topology().Subjects}, Now: time.Now}
	nightly := &erase.Nightly{Notes: s.bus.Notes(erase.Room), Worker: worker, Log: s.log, Now: time.Now, Sweep: func(ctx context.Context) error {
		var since time.Time
		if ttl := *s.loaded.Load().conf.DirectoryTTL; ttl > 0 {
			since = time.Now().Add(-ttl)
		}
		done, err := sweep.Run(ctx, since)
		s.log.Info("swept: people of whom nothing is heard, and tokens that nobody holds", "users", done.Users, "records", done.Records, "tokens", done.Owners)
		if done.Failed > 0 && err == nil {
			s.log.Warn("some of what was to be swept is left for the next night", "failed", done.Failed, "error", done.Err)
		}
		return err
	}}
	nightly.Run(ctx)
}
