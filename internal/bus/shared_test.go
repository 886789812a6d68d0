package bus_test

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
)

func TestLimitStore(t *testing.T) {
	ratelimittest.RunStore(t, func(t *testing.T) (a, b ratelimit.Store) {
		one := bustest.Start(t)
		two := bustest.Connect(t, one.URL(), bus.Topology{})
		return one.LimitStore(), two.LimitStore()
	})
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
