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
	// gcSlack is by how much the memory may outgrow what the percentage was meant for, beside a
	// twentieth of it: the runtime keeps some percent below its limit.
	gcSlack = 4 << 20
)

// gcPercent is how far, in percent, the heap may grow beyond the bytes that live in it.
func gcPercent(live uint64) int {
	room := min(gcRoom, heapAim-min(live, heapAim))
	return int(min(max(100*room/max(live, 1), leastGC), mostGC))
}

// gcLimit is the limit of memory, of which so much is no heap, for a heap with so many bytes alive.
// The percentage is of what was alive at the last collection: where three times as much is alive at
// the next, the heap would grow to three times its aim before the percentage follows.
func gcLimit(live, other uint64) int64 {
	meant := other + max(heapAim, live+live*leastGC/100)
	return int64(meant + meant/20 + gcSlack)
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
	memory := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
	}
	before, percent := debug.SetGCPercent(mostGC), mostGC
	most := debug.SetMemoryLimit(-1)
	limit := most
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
			metrics.Read(memory)
			live, other := memory[0].Value.Uint64(), memory[1].Value.Uint64()
			for _, heap := range memory[2:] {
				other -= heap.Value.Uint64()
			}
			if p := gcPercent(live); p < percent*9/10 || p > percent*11/10 {
				debug.SetGCPercent(p)
				percent = p
			}
			if l := min(gcLimit(live, other), most); l < limit*19/20 || l > limit {
				debug.SetMemoryLimit(l)
				limit = l
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
		debug.SetMemoryLimit(most)
	}
}
