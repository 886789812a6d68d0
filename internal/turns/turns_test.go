package turns_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/turns"
)

// begins does n pieces of large work at once, each of which takes a while, and returns when each
// began, in order.
func begins(t *turns.Turns, n int, while time.Duration) []time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	began := time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			turn := t.Begin(true)
			mu.Lock()
			all = append(all, time.Since(began))
			mu.Unlock()
			time.Sleep(while)
			turn.End()
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

func TestTurns(t *testing.T) {
	const µs, ms = time.Microsecond, time.Millisecond
	for name, c := range map[string]struct {
		processors int           // 0 for no turns
		small      time.Duration // since
		n          int
		while      time.Duration
		want       []time.Duration
	}{
		"none":                {0, 0, 3, 5 * ms, []time.Duration{0, 0, 0}},
		"no small work":       {2, 1001 * ms, 3, 5 * ms, []time.Duration{0, 0, 0}},
		"small work":          {2, 0, 3, 5 * ms, []time.Duration{0, 7500 * µs, 14950 * µs}},
		"small work, a while": {2, 990 * ms, 3, 5 * ms, []time.Duration{0, 7500 * µs, 14950 * µs}},
		"one processor":       {1, 0, 2, 5 * ms, []time.Duration{0, 7500 * µs}},
		"three processors":    {3, 0, 4, 5 * ms, []time.Duration{0, 0, 7500 * µs, 7500 * µs}},
		"a long rest":         {2, 0, 2, 100 * ms, []time.Duration{0, 125 * ms}},
		"short rests add up":  {2, 0, 4, ms / 2, []time.Duration{0, ms / 2, ms, 2250 * µs}},
		"patience":            {2, 0, 3, 900 * ms, []time.Duration{0, 500 * ms, 500 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all *turns.Turns
				if c.processors > 0 {
					all = turns.New(c.processors)
				}
				all.Source().Small()
				time.Sleep(c.small)
				if diff := cmp.Diff(c.want, begins(all, c.n, c.while)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// What comes from one source in masses waits for the small work of others alone, and rests eight
// times as long, at most 25 ms.
func TestSource(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		own, other bool // who did small work
		while      time.Duration
		want       []time.Duration
	}{
		"none":           {false, false, ms, []time.Duration{0, 0}},
		"its own":        {true, false, ms, []time.Duration{0, 0}},
		"another's":      {false, true, ms, []time.Duration{0, 5 * ms}},
		"of both":        {true, true, ms, []time.Duration{0, 5 * ms}},
		"a longest rest": {false, true, 10 * ms, []time.Duration{0, 35 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := turns.New(4)
				own, other := all.Source(), all.Source()
				if c.other {
					other.Small()
				}
				if c.own {
					own.Small()
				}
				if yields := own.Yield(); yields != c.other {
					t.Errorf("it yields: %v", yields)
				}
				if diff := cmp.Diff(c.want, begins(own, 2, c.while)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Sources wait for their own turns, not for each other's.
func TestSourcesWaitForTheirOwnTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := turns.New(2)
		all.Source().Small()
		root, a, b := all.Begin(true), all.Source().Begin(true), all.Source().Begin(true)
		for _, turn := range []turns.Turn{root, a, b} {
			if turn == (turns.Turn{}) {
				t.Error("it got no place")
			}
			turn.End()
		}
	})
}
