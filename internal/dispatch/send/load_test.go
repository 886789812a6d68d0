package send

import (
	"context"
	"testing"
	"testing/synctest"
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

// What waits for midnight is spread over the longer, the more of it there is, and never too long.
func TestSpreadGrows(t *testing.T) {
	t.Parallel()
	var s Sender
	if got := s.spread(noon); got != leastSpread {
		t.Errorf("the first is spread over %v", got)
	}
	for range 100 * spreadRate {
		s.waits()
	}
	if got := s.spread(noon); got.Seconds() != 100 {
		t.Errorf("after 100 seconds' worth it is %v", got)
	}
	for range 1000 * spreadRate {
		s.waits()
	}
	if got := s.spread(noon); got != mostSpread {
		t.Errorf("after a thousand it is %v", got)
	}
	if got := s.spread(noon.AddDate(0, 0, 1)); got != leastSpread {
		t.Errorf("the next day begins with %v", got)
	}
}
