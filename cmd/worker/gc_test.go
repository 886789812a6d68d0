package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, mostGC}, {5 << 20, mostGC}, {9 << 20, mostGC}, {12 << 20, 300}, {20 << 20, 150}, {25 << 20, 100}, {32 << 20, 56},
		{40 << 20, leastGC}, {64 << 20, leastGC}, {1 << 30, leastGC},
	} {
		if got := gcPercent(c.live); got != c.want {
			t.Errorf("%d MB live: %d %%, want %d", c.live>>20, got, c.want)
		}
	}
}

func TestGCLimit(t *testing.T) {
	for _, c := range []struct {
		live, other uint64
		want        int64
	}{
		{0, 30 << 20, 84<<20 + gcSlack},
		{30 << 20, 30 << 20, 84<<20 + gcSlack},
		{100 << 20, 67 << 20, 210<<20 + gcSlack},
	} {
		if got := gcLimit(c.live, c.other); got != c.want {
			t.Errorf("%d MB live, %d MB of others: got %d, want %d", c.live>>20, c.other>>20, got, c.want)
		}
	}
}

// The pace follows what lives in the heap, and ends with stop.
func TestPaceGC(t *testing.T) {
	t.Setenv("GOGC", "")
	percent := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before, limit := percent(), debug.SetMemoryLimit(-1)
	stop := paceGC()
	live := make([]byte, 256<<20)
	deadline := time.Now().Add(30 * time.Second)
	for percent() != leastGC {
		if time.Now().After(deadline) {
			t.Fatalf("with 256 MB alive it is %d %%, want %d", percent(), leastGC)
		}
		runtime.GC()
		time.Sleep(time.Millisecond) // the cleanup runs beside
	}
	if got := debug.SetMemoryLimit(-1); got < 256<<20 || got > 1<<30 {
		t.Errorf("with 256 MB alive the limit is %d MB", got>>20)
	}
	runtime.KeepAlive(live)
	stop()
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("the limit stays at %d, before it was %d", got, limit)
	}
	if got := percent(); got != before {
		t.Errorf("it stays at %d %%, before it was %d", got, before)
	}
}
