package dispatch_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// turnstile is a gatekeeper that counts devices under a cap.
type turnstile struct {
	gatekeeper
	spent bool // every device had its share

	mu              sync.Mutex
	taken, returned []time.Time
}

func (*turnstile) Caps(string, vendors.Class) bool { return true }

func (g *turnstile) TakeDevices(_ context.Context, r ratelimit.DeviceRequest) ([]bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken = append(g.taken, r.Now)
	return slices.Repeat([]bool{!g.spent}, len(r.Devices)), nil
}

func (g *turnstile) ReturnDevices(_ context.Context, r ratelimit.DeviceRequest) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.returned = append(g.returned, r.Now)
	return nil
}

// Devices of a job that all had their share of the day are one dead letter.
func TestCappedDevicesShareALetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.driver.limits, m.limiter = vendors.Limits{Batch: 100}, &turnstile{spent: true}
		m.jobFor(1, "u1", "u2", "u3")
		stop := m.worker()
		time.Sleep(time.Minute)
		stop(time.Second)
		for _, u := range []string{"u1", "u2", "u3"} {
			if got := m.end(u); got != "dead device_capped" {
				t.Errorf("%s ended as %q", u, got)
			}
		}
		if n := len(m.queue.Stored("dead")); n != 1 {
			t.Errorf("%d dead letters, want one", n)
		}
	})
}

// What was counted is taken back in the day in which it was counted, however long the call waited
// then; the call's own time is when it is made.
func TestCapIsTakenBackInItsDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 550 * time.Millisecond
		m := newMemory(t)
		gate := &turnstile{}
		m.limiter = gate
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n == 1 {
				return vendors.Result{Reason: vendors.RateLimited}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.jobFor(1, "u1")
		began := time.Now()
		time.AfterFunc(wait, func() { gate.open.Store(true) })
		stop := m.worker()
		time.Sleep(time.Minute)
		stop(time.Second)
		if got := m.end("u1"); got != "accepted accepted" {
			t.Errorf("it ended as %q", got)
		}
		if len(gate.taken) != 2 || len(gate.returned) != 1 || !gate.returned[0].Equal(gate.taken[0]) {
			t.Errorf("it was counted at %v and taken back at %v", gate.taken, gate.returned)
		}
		if made := m.driver.calls[0].Now; made.Sub(began) < wait || !gate.taken[0].Before(made) {
			t.Errorf("it was counted at %v, and the call says that it is made at %v", gate.taken, made)
		}
	})
}
