package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// gcRoom is by how much the heap grows beyond what lives in it before it is collected, as long
	// as it stays within heapAim.
	gcRoom  = 36 << 20
	heapAim = 50 << 20
	// leastGC and mostGC bound that, in percent of what lives.
	leastGC, mostGC = 33, 400
)

// gcPercent is how far, in percent, the heap may grow beyond the bytes that live in it.
func gcPercent(live uint64) int {
	room := min(gcRoom, heapAim-min(live, heapAim))
	return int(min(max(100*room/max(live, 1), leastGC), mostGC))
}

// paceGC sets, after each collection of garbage, when the next one begins, until stop is called.
// Little lives in a worker that sends what comes, and collecting that over and over would cost a
// seventh of its CPU; where much lives, a heap of twice that would be memory for nothing. GOGC,
// where it is set, rules instead; GOMEMLIMIT holds as well.
func paceGC() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	var mu sync.Mutex // guards what follows, and that nothing is set after stop
	stopped := false
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	before, percent := debug.SetGCPercent(mostGC), mostGC
	// A cycle frees the object, which makes the next one.
	type cycle struct{ _ [16]byte }
	var next func()
	next = func() {
		runtime.AddCleanup(new(cycle), func(struct{}) {
			mu.Lock()
			defer mu.Unlock()
			if stopped {
				return
			}
			metrics.Read(live)
			if p := gcPercent(live[0].Value.Uint64()); p < percent*9/10 || p > percent*11/10 {
				debug.SetGCPercent(p)
				percent = p
			}
			next()
		}, struct{}{})
	}
	next()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		debug.SetGCPercent(before)
	}
}
