package send

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A worker that is full plans nothing more of an app that has much at hand, and goes on with
// others.
func TestLoadHoldsBackWhoHasMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Load
		l.add("flood", mostDevices)
		if !l.Wait(t.Context(), "other") {
			t.Fatal("another app does not wait, and its context did not end")
		}
		through := make(chan bool, 1)
		go func() { through <- l.Wait(t.Context(), "flood") }()
		synctest.Wait()
		select {
		case <-through:
			t.Fatal("the flood goes on although the worker is full")
		default:
		}
		l.add("flood", -1)
		if !<-through {
			t.Error("it does not go on when there is room")
		}
		l.add("flood", 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if l.Wait(ctx, "flood") {
			t.Error("it goes on after its context ended")
		}
		l.add("flood", -mostDevices)
		if l.Devices() != 0 || len(l.apps) != 0 {
			t.Errorf("%d devices of %d apps are left", l.Devices(), len(l.apps))
		}
	})
}

// What waits for midnight comes at an even rate: the first by chance, then one after the other, and
// what is too much for that by chance again.
func TestAfterMidnight(t *testing.T) {
	t.Parallel()
	const luck = 0.25
	var s Sender
	for _, c := range []struct {
		waited int
		want   time.Duration
	}{
		{0, leastSpread / 4}, {10*spreadRate - 1, leastSpread / 4}, {10 * spreadRate, 10 * time.Second}, {100 * spreadRate, 100 * time.Second},
		{240 * spreadRate, mostSpread}, {241 * spreadRate, mostSpread / 4}, {1_000_000, mostSpread / 4},
	} {
		s.afterMidnight(noon, luck)
		for s.waited < c.waited {
			s.waits()
		}
		if got := s.afterMidnight(noon, luck); got != c.want {
			t.Errorf("with %d that wait another comes after %v, not %v", c.waited, got, c.want)
		}
	}
	if got := s.afterMidnight(noon.AddDate(0, 0, 1), luck); got != leastSpread/4 {
		t.Errorf("the first of the next day comes after %v", got)
	}
}

// A million for one midnight come within five minutes, and never many more than at an even rate.
func TestMillionForOneMidnight(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	var s Sender
	random := rand.New(rand.NewPCG(1, 2))
	var of [mostSpread/time.Second + 1]int // jobs of each second
	for range n {
		of[s.afterMidnight(noon, random.Float64())/time.Second]++
		s.waits()
	}
	if most := slices.Max(of[:]); most > 5000 {
		t.Errorf("%d come in one second", most)
	}
}
