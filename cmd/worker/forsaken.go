package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
)

// forsakenEvery is how often streams are looked for of vendors that the configuration lacks.
const forsakenEvery = time.Minute

// serveForsaken serves the jobs of vendors that the configuration lacks, as soon as there is a
// stream of theirs: one was taken out of it, and its jobs still wait. It returns when ctx ends; serve
// must not block.
func serveForsaken(ctx context.Context, b *bus.Bus, configured []string, serve func(vendor string)) {
	missing := slices.Sorted(maps.Keys(kinds))
	missing = slices.DeleteFunc(missing, func(v string) bool { return slices.Contains(configured, v) })
	tick := time.NewTicker(forsakenEvery)
	defer tick.Stop()
	for {
		missing = slices.DeleteFunc(missing, func(v string) bool {
			ask, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if b.Require(ask, b.Topology().Jobs(v)) != nil {
				return false // there is none, or it is asked again
			}
			serve(v)
			return true
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
