package ratelimit_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var public = vendors.Class{Name: "public", Capped: true, DeviceCap: 2}

func devices(n int) (hashes []string) {
	for i := range n {
		hashes = append(hashes, fmt.Sprintf("d%d", i))
	}
	return hashes
}

func TestCaps(t *testing.T) {
	t.Parallel()
	config := map[string]vendors.Quota{"private": 1, "public": 5}
	tests := []struct {
		name   string
		config map[string]vendors.Quota
		class  vendors.Class
		want   bool
	}{
		{"published", nil, public, true},
		{"configured", config, public, true},
		// a cap never applies to a class that is right for chat
		{"configured-for-chat", config, private, false},
		{"published-for-chat", nil, vendors.Class{Name: "all", DeviceCap: 3000}, false},
		{"unlimited", map[string]vendors.Quota{"public": vendors.Unlimited}, public, false},
		{"none", nil, vendors.Class{Name: "public", Capped: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault { calls.Add(1); return ratelimittest.None }}
			l := limiter(t, store, certificates(ratelimit.Certificate{ID: "c", DeviceCap: tt.config}))
			if got := l.Caps("c", tt.class); got != tt.want {
				t.Errorf("Caps = %v, want %v", got, tt.want)
			}
			if _, err := l.TakeDevices(t.Context(), ratelimit.DeviceRequest{Certificate: "c", Class: tt.class, Devices: devices(3), Now: noon}); err != nil {
				t.Fatal(err)
			}
			if cost := calls.Load() > 0; cost != tt.want {
				t.Errorf("the store was called %d times", calls.Load())
			}
		})
	}
}

func TestTakeDevices(t *testing.T) {
	t.Parallel()
	store := &ratelimittest.Store{}
	a := limiter(t, store, certificates(ratelimit.Certificate{ID: "c"}))
	b := limiter(t, store, ratelimit.Options{Member: "w2", Certificates: []ratelimit.Certificate{{ID: "c"}}})
	r := ratelimit.DeviceRequest{Certificate: "c", Class: public, Devices: devices(100), Now: noon}
	var passed [100]atomic.Int32
	var wg sync.WaitGroup
	for _, l := range []*ratelimit.Limiter{a, b, a, b, a} {
		wg.Go(func() {
			allowed, err := l.TakeDevices(t.Context(), r)
			if err != nil {
				t.Error(err)
				return
			}
			for i, ok := range allowed {
				if ok {
					passed[i].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for i := range passed {
		if got := passed[i].Load(); got > 2 {
			t.Errorf("device %d got %d pushes, cap 2", i, got)
		}
	}
	if err := a.ReturnDevices(t.Context(), ratelimit.DeviceRequest{Certificate: "c", Class: public, Devices: devices(1), Now: noon}); err != nil {
		t.Fatal(err)
	}
	allowed, err := b.TakeDevices(t.Context(), ratelimit.DeviceRequest{Certificate: "c", Class: public, Devices: devices(1), Now: noon})
	if err != nil || !allowed[0] {
		t.Errorf("a push that was returned is not there again: %v, %v", allowed, err)
	}
	r.Now = noon.AddDate(0, 0, 1)
	allowed, err = a.TakeDevices(t.Context(), r)
	if err != nil || !allowed[7] {
		t.Errorf("on the next day: %v, %v", allowed, err)
	}
}

// TestTakeDevicesWithoutStore: an error lets nothing through, and what is certain is given back.
func TestTakeDevicesWithoutStore(t *testing.T) {
	t.Parallel()
	var on atomic.Bool
	on.Store(true)
	store := &ratelimittest.Store{Fault: func(c ratelimittest.Call) ratelimittest.Fault {
		if on.Load() && c.Key == "device.c.public.d1.20261123" {
			return ratelimittest.LostAnswer
		}
		return ratelimittest.None
	}}
	l := limiter(t, store, certificates(ratelimit.Certificate{ID: "c"}))
	r := ratelimit.DeviceRequest{Certificate: "c", Class: public, Devices: devices(3), Now: noon}
	if allowed, err := l.TakeDevices(t.Context(), r); !errors.Is(err, ratelimittest.ErrLost) || allowed != nil {
		t.Fatalf("%v, %v; want the store's error", allowed, err)
	}
	on.Store(false)
	for i, want := range []int64{0, 1, 0} { // of the second one nobody knows
		if got := stored(t, store, fmt.Sprintf("device.c.public.d%d.20261123", i)); got != want {
			t.Errorf("device %d stands at %d, want %d", i, got, want)
		}
	}
	r.Devices = []string{"a.b"}
	if _, err := l.TakeDevices(t.Context(), r); err == nil {
		t.Error("a hash with a dot was taken")
	}
}

// TestDevicesAroundMidnight: such a push counts in both days.
func TestDevicesAroundMidnight(t *testing.T) {
	t.Parallel()
	store := &ratelimittest.Store{}
	l := limiter(t, store, certificates(ratelimit.Certificate{ID: "c"}))
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, shanghai)
	r := ratelimit.DeviceRequest{Certificate: "c", Class: public, Devices: devices(1), Now: midnight.Add(-time.Hour)}
	for i, want := range []bool{true, true, false} {
		if i == 1 {
			r.Now = midnight
		}
		allowed, err := l.TakeDevices(t.Context(), r)
		if err != nil || allowed[0] != want {
			t.Errorf("push %d: %v, %v; want %v", i, allowed, err, want)
		}
	}
	if got := stored(t, store, "device.c.public.d0.20261124"); got != 1 {
		t.Errorf("the new day stands at %d, want 1: the push that was refused was given back", got)
	}
}
