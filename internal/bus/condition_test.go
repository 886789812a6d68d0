package bus_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// untaken is what the bus says of it.
func untaken(t *testing.T, b *bus.Bus) uint64 {
	t.Helper()
	n, err := b.Untaken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What a worker holds counts no longer; what nobody serves does.
func TestUntaken(t *testing.T) {
	b := bustest.Start(t)
	if n := untaken(t, b); n != 0 {
		t.Errorf("%d of nothing", n)
	}
	store(t, b, "push.message.demo", []byte("{}"), 5)
	store(t, b, "push.message.ghost", []byte("{}"), 2)
	store(t, b, "push.message.a@b", []byte("{}"), 1)
	store(t, b, "push.signal.demo", []byte("{}"), 10)
	store(t, b, hongyan.Subjects{}.Piece("demo", 3), []byte("{}"), 4)
	if n := untaken(t, b); n != 22 {
		t.Errorf("%d before anybody serves, want 22", n)
	}
	con, err := b.SignalConsumer(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	out := handOut(t, con)
	var all []dispatch.Delivery
	for range 4 {
		all = append(all, <-out)
	}
	if n := untaken(t, b); n != 18 {
		t.Errorf("%d while four signals are held, want 18", n)
	}
	for _, d := range all {
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}
}

// A server that is away is missed in every stream, and no longer once it is back.
func TestCopies(t *testing.T) {
	c := bustest.StartCluster(t)
	b := bustest.Connect(t, c.URL, bus.Topology{Replicas: 3}, "oppo")
	missing := func() (least, most int) {
		copies, err := b.Copies(t.Context(), []string{"oppo"})
		if err != nil || len(copies) == 0 {
			return -1, -1
		}
		var all []int
		for _, c := range copies {
			all = append(all, c.Missing)
		}
		return slices.Min(all), slices.Max(all)
	}
	eventually(t, "all copies are there", 30*time.Second, func() bool { _, most := missing(); return most == 0 })
	c.Servers[2].Shutdown()
	c.Servers[2].WaitForShutdown()
	eventually(t, "a copy of each stream is missing", 60*time.Second, func() bool { least, most := missing(); return least == 1 && most == 1 })
}

// A server alone has no copies to miss.
func TestCopiesOfOneServer(t *testing.T) {
	b := bustest.Start(t)
	copies, err := b.Copies(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range copies {
		if c.Missing != 0 {
			t.Errorf("%+v", c)
		}
	}
}
