package dispatch

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

func results(reasons ...vendors.Reason) (rs []vendors.Result) {
	for _, r := range reasons {
		rs = append(rs, vendors.Result{Reason: r})
	}
	return rs
}

func TestBreakerOpensProbesAndCloses(t *testing.T) {
	t.Parallel()
	b := NewBreaker(BreakerOptions{Failures: 3, FirstProbe: time.Second, LastProbe: 3 * time.Second})
	now := noon
	for i := range 3 {
		if ok, _, _ := b.Allow(now); !ok {
			t.Fatalf("closed, but call %d is not allowed", i)
		}
		if changed := b.Record(results(vendors.Timeout), false, now, now); changed != (i == 2) {
			t.Fatalf("after failure %d: changed %v", i+1, changed)
		}
	}
	if ok, _, wait := b.Allow(now); ok || wait != time.Second {
		t.Fatalf("open, but allowed %v, wait %v", ok, wait)
	}
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
		now = now.Add(wait)
		ok, probe, _ := b.Allow(now)
		if !ok || !probe {
			t.Fatalf("after %v: allowed %v, probe %v", wait, ok, probe)
		}
		if ok, _, _ := b.Allow(now); ok {
			t.Fatal("two probes at once")
		}
		b.Record(results(vendors.Unavailable), true, now, now)
	}
	now = now.Add(3 * time.Second)
	if _, probe, _ := b.Allow(now); !probe {
		t.Fatal("no probe")
	}
	if changed := b.Record(results(vendors.BadToken), true, now, now); !changed {
		t.Fatal("an answer about a device is a healthy vendor's, but it stays open")
	}
	if ok, probe, _ := b.Allow(now); !ok || probe {
		t.Fatal("closed, but not allowed")
	}
}

func TestBreakerAndCredentials(t *testing.T) {
	t.Parallel()
	b := NewBreaker(BreakerOptions{})
	if !b.Record(results(vendors.BadCredentials), false, noon, noon) {
		t.Error("wrong credentials do not park the certificate at once")
	}
	if state, why, _ := b.State(); state != Open || why != vendors.BadCredentials {
		t.Errorf("state %v because of %v", state, why)
	}
}

func TestBreakerIgnoresOurOwnShutdown(t *testing.T) {
	t.Parallel()
	b := NewBreaker(BreakerOptions{Failures: 1})
	if b.Record(results(vendors.Interrupted, vendors.Interrupted), false, noon, noon) {
		t.Error("a shutdown opened the breaker")
	}
}

// A failure is the vendor's when others beside it failed too and none succeeded since; a lone one
// is the push's own.
func TestBreakerSick(t *testing.T) {
	t.Parallel()
	b := NewBreaker(BreakerOptions{})
	b.Record(results(vendors.Timeout), false, noon, noon)
	if b.Sick(noon, 1) {
		t.Error("one failure alone is called an outage")
	}
	if !b.Sick(noon, 2) {
		t.Error("a failure among others without any success is not called an outage")
	}
	b.Record(results(vendors.Accepted), false, noon, noon.Add(time.Second))
	if b.Sick(noon, 5) {
		t.Error("a vendor that takes others' pushes is called sick")
	}
	b.Record(results(vendors.Timeout), false, noon.Add(2*time.Second), noon.Add(3*time.Second))
	b.Record(results(vendors.Timeout), false, noon.Add(2*time.Second), noon.Add(3*time.Second))
	if !b.Sick(noon.Add(2*time.Second), 1) {
		t.Error("failures in a row are not called an outage")
	}
}

func TestBreakerFollows(t *testing.T) {
	t.Parallel()
	b := NewBreaker(BreakerOptions{FirstProbe: 10 * time.Second})
	if !b.Follow(true, vendors.Timeout, noon) {
		t.Fatal("another worker's word does not park")
	}
	if ok, _, _ := b.Allow(noon); ok {
		t.Fatal("parked, but allowed")
	}
	b.Follow(false, vendors.Accepted, noon)
	if ok, probe, _ := b.Allow(noon); !ok || !probe {
		t.Fatal("the trouble is over elsewhere, but no probe goes out at once")
	}
}
