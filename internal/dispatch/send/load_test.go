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
