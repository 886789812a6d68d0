package bus_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestLimitStore(t *testing.T) {
	ratelimittest.RunStore(t, func(t *testing.T) (a, b ratelimit.Store) {
		one := bustest.Start(t)
		two := bustest.Connect(t, one.URL(), bus.Topology{})
		return one.LimitStore(), two.LimitStore()
	})
}

// However many notes there are, they are listed, and a reader that follows them hears of each
// change: a server answers a read of last values only up to 1,024 of them.
func TestThousandsOfNotes(t *testing.T) {
	const n = 2500
	b := bustest.Start(t)
	room := b.Notes("many")
	follow := room.Follow("state.")
	var group errgroup.Group
	group.SetLimit(64)
	for i := range n {
		group.Go(func() error {
			return room.Put(t.Context(), fmt.Sprintf("state.spent.c%d.private", i), []byte(strconv.Itoa(i)), time.Minute)
		})
	}
	group.Go(func() error { return room.Put(t.Context(), "member.w1", nil, time.Minute) })
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	all, err := room.List(t.Context())
	if err != nil || len(all) != n+1 {
		t.Fatalf("%d notes are listed, want %d; %v", len(all), n+1, err)
	}
	want := func(n int) map[string][]byte {
		t.Helper()
		notes, err := follow.List(t.Context())
		if err != nil || len(notes) != n {
			t.Fatalf("%d notes are followed, want %d; %v", len(notes), n, err)
		}
		return notes
	}
	if got := want(n)["state.spent.c2499.private"]; string(got) != "2499" {
		t.Fatalf("the last note is %q", got)
	}
	if err := room.Put(t.Context(), "state.slow.c7", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := room.Put(t.Context(), "state.spent.c7.private", []byte("new"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := want(n + 1)["state.spent.c7.private"]; string(got) != "new" {
		t.Fatalf("a note that changed is %q", got)
	}
	other := b.Notes("many").Follow("state.") // another worker's, or an operator's
	if err := other.Remove(t.Context(), "state.slow.c7"); err != nil {
		t.Fatal(err)
	}
	want(n)
	if notes, err := other.List(t.Context()); err != nil || len(notes) != n {
		t.Fatalf("who comes later sees %d notes, %v", len(notes), err)
	}
	if err := room.Put(t.Context(), "state.slow.c8", nil, time.Second); err != nil {
		t.Fatal(err)
	}
	want(n + 1)
	time.Sleep(1200 * time.Millisecond) // the server's clock
	want(n)
}

// Two thousand certificates whose quotas are spent, and one with a rate that goes on, on real NATS.
func TestLimiterWithThousandsOfNotes(t *testing.T) {
	const n = 2000
	b := bustest.Start(t)
	store := b.LimitStore()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	var group errgroup.Group
	group.SetLimit(64)
	for i := range n {
		group.Go(func() error {
			return store.Put(t.Context(), fmt.Sprintf("state.spent.c%d.all", i), []byte(`{"until":"`+until+`"}`), time.Minute)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	certificates := []ratelimit.Certificate{{ID: "rated", Rate: vendors.Rate{DevicesPerSecond: 1000}}, {ID: "c1999"}}
	l, err := ratelimit.New(store, ratelimit.Options{Member: "w1", Certificates: certificates})
	if err != nil {
		t.Fatal(err)
	}
	var run sync.WaitGroup
	run.Go(func() {
		if err := l.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
	defer run.Wait()
	defer func() {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	sent, late := 0, 0
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		g, err := l.Take(t.Context(), ratelimit.Request{Certificate: "rated", Devices: 10, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		sent += g.Devices
		if time.Until(end) < time.Second { // longer than a lease lives without renewal
			late += g.Devices
		}
	}
	if sent < 2000 || late < 300 {
		t.Errorf("%d devices in 7 s, %d in the last, at 1000 a second", sent, late)
	}
	g, err := l.Take(t.Context(), ratelimit.Request{Certificate: "c1999", Devices: 1, Now: time.Now()})
	if err != nil || g.Reason != vendors.QuotaSpent {
		t.Errorf("a certificate whose quota is spent gets %+v, %v", g, err)
	}
}

func TestNoteIsCreatedOnce(t *testing.T) {
	b := bustest.Start(t)
	room := b.Notes("lock")
	if taken, err := room.Create(t.Context(), "x", []byte("1"), time.Minute); taken || err != nil {
		t.Fatalf("first: taken %v, %v", taken, err)
	}
	if taken, err := room.Create(t.Context(), "x", []byte("2"), time.Minute); !taken || err != nil {
		t.Fatalf("second: taken %v, %v", taken, err)
	}
	if err := room.Remove(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if v, err := room.Get(t.Context(), "x"); v != nil || err != nil {
		t.Fatalf("after removal: %q, %v", v, err)
	}
	if taken, err := room.Create(t.Context(), "x", []byte("3"), time.Minute); taken || err != nil {
		t.Fatalf("third: taken %v, %v", taken, err)
	}
}
