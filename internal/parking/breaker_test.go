package parking_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func results(reasons ...vendors.Reason) (rs []vendors.Result) {
	for _, r := range reasons {
		rs = append(rs, vendors.Result{Reason: r})
	}
	return rs
}

// record tells the breaker of a call for a device for each result.
func record(b *parking.Breaker, rs []vendors.Result, probe bool, began, now time.Time) bool {
	devices := make([]vendors.Device, len(rs))
	for i := range devices {
		devices[i] = vendors.Device{Token: fmt.Sprint("device", i), Notification: &vendors.Notification{Key: "n"}}
	}
	return b.Record(devices, rs, probe, began, now)
}

func TestBreakerOpensProbesAndCloses(t *testing.T) {
	t.Parallel()
	b := parking.New(parking.Options{Failures: 3, FirstProbe: time.Second, LastProbe: 3 * time.Second})
	now := noon
	for i := range 3 {
		if ok, _, _ := b.Allow(now); !ok {
			t.Fatalf("closed, but call %d is not allowed", i)
		}
		if changed := record(b, results(vendors.Timeout), false, now, now); changed != (i == 2) {
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
		record(b, results(vendors.Unavailable), true, now, now)
	}
	now = now.Add(3 * time.Second)
	if _, probe, _ := b.Allow(now); !probe {
		t.Fatal("no probe")
	}
	if changed := record(b, results(vendors.BadToken), true, now, now); !changed {
		t.Fatal("an answer about a device is a healthy vendor's, but it stays open")
	}
	if ok, probe, _ := b.Allow(now); !ok || probe {
		t.Fatal("closed, but not allowed")
	}
}

func TestBreakerAndCredentials(t *testing.T) {
	t.Parallel()
	b := parking.New(parking.Options{})
	if !record(b, results(vendors.BadCredentials), false, noon, noon) {
		t.Error("wrong credentials do not park the certificate at once")
	}
	if state, why, _ := b.State(); state != parking.Open || why != vendors.BadCredentials {
		t.Errorf("state %v because of %v", state, why)
	}
}

func TestBreakerIgnoresOurOwnShutdown(t *testing.T) {
	t.Parallel()
	b := parking.New(parking.Options{Failures: 1})
	if record(b, results(vendors.Interrupted, vendors.Interrupted), false, noon, noon) {
		t.Error("a shutdown opened the breaker")
	}
}

// A failure is the vendor's when others beside it failed too and none succeeded since; a lone one
// is the push's own.
func TestBreakerSick(t *testing.T) {
	t.Parallel()
	b := parking.New(parking.Options{})
	record(b, results(vendors.Timeout), false, noon, noon)
	if b.Sick(noon, 1) {
		t.Error("one failure alone is called an outage")
	}
	if !b.Sick(noon, 2) {
		t.Error("a failure among others without any success is not called an outage")
	}
	record(b, results(vendors.Accepted), false, noon, noon.Add(time.Second))
	if b.Sick(noon, 5) {
		t.Error("a vendor that takes others' pushes is called sick")
	}
	record(b, results(vendors.Timeout), false, noon.Add(2*time.Second), noon.Add(3*time.Second))
	record(b, results(vendors.Timeout), false, noon.Add(2*time.Second), noon.Add(3*time.Second))
	if !b.Sick(noon.Add(2*time.Second), 1) {
		t.Error("failures in a row are not called an outage")
	}
}

// A breaker follows another worker's word, unless its own pushes got through after it.
func TestBreakerFollows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		success time.Time // of this worker's last push; zero for none
		since   time.Time
		want    parking.State
	}{
		{name: "idle", since: noon.Add(-time.Hour), want: parking.Open},
		{name: "well-before", success: noon.Add(-2 * time.Minute), since: noon.Add(-time.Minute), want: parking.Open},
		// The other worker's clock may be behind.
		{name: "well-at-the-same-time", success: noon, since: noon.Add(-3 * time.Second), want: parking.Open},
		{name: "well-after", success: noon, since: noon.Add(-time.Minute), want: parking.Closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := parking.New(parking.Options{FirstProbe: 10 * time.Second})
			if !c.success.IsZero() {
				record(b, results(vendors.Accepted), false, c.success, c.success)
			}
			changed := b.Follow(true, vendors.BadCredentials, c.since, noon)
			if got, _, _ := b.State(); got != c.want || changed != (got == parking.Open) {
				t.Fatalf("the breaker is %v, want %v; changed %v", got, c.want, changed)
			}
			if c.want == parking.Closed {
				return
			}
			if ok, _, _ := b.Allow(noon); ok {
				t.Fatal("parked, but allowed")
			}
			b.Follow(false, vendors.Accepted, noon, noon)
			if ok, probe, _ := b.Allow(noon); !ok || !probe {
				t.Fatal("the trouble is over elsewhere, but no probe goes out at once")
			}
		})
	}
}

// word is a result that is about one device or notification only.
func word(r vendors.Reason, s vendors.Scope) []vendors.Result {
	return []vendors.Result{{Reason: r, Scope: s}}
}

func device(token, notification string) []vendors.Device {
	return []vendors.Device{{Token: token, Notification: &vendors.Notification{Key: notification}}}
}

// A foreign token among healthy pushes parks nothing, however often it is tried; nor does one that
// is alone.
func TestForeignTokenParksNothing(t *testing.T) {
	t.Parallel()
	for _, others := range []vendors.Reason{vendors.Accepted, vendors.Interrupted} {
		b := parking.New(parking.Options{})
		now := noon
		for i := range 1000 {
			now = now.Add(time.Minute)
			if others == vendors.Accepted && i%5 == 0 {
				b.Record(device("healthy", "n"), results(vendors.Accepted), false, now, now)
			}
			if b.Record(device("foreign", "n"), word(vendors.BadCredentials, vendors.ScopeDevice), false, now, now) {
				t.Fatalf("others %v: the %d-th answer about one foreign token parks", others, i+1)
			}
		}
	}
	// Many foreign tokens at a time, while others are accepted.
	b := parking.New(parking.Options{})
	b.Record(device("healthy", "n"), results(vendors.Accepted), false, noon, noon)
	for i := range 100 {
		if b.Record(device(fmt.Sprint("foreign", i), "n"), word(vendors.BadCredentials, vendors.ScopeDevice), false, noon, noon.Add(5*time.Second)) {
			t.Fatalf("%d foreign tokens right after an accepted push park", i+1)
		}
	}
	mixed := append(word(vendors.BadCredentials, vendors.ScopeDevice), results(vendors.Accepted)...)
	if b.Record(append(device("foreign", "n"), device("healthy", "n")...), mixed, false, noon, noon.Add(time.Minute)) {
		t.Fatal("a foreign token in a call whose other device was accepted parks")
	}
}

// The same word about different devices or notifications, with none accepted, is about the
// certificate.
func TestManySuspectsPark(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		scope vendors.Scope
	}{{"devices", vendors.ScopeDevice}, {"notifications", vendors.ScopeNotification}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := parking.New(parking.Options{Suspects: 3})
			b.Record(device("healthy", "n"), results(vendors.Accepted), false, noon, noon)
			now := noon.Add(time.Minute)
			for i := range 3 {
				for range 4 { // each is tried some times
					changed := b.Record(device(fmt.Sprint("d", i), fmt.Sprint("n", i)), word(vendors.BadCredentials, tt.scope), false, now, now)
					if changed {
						if i < 2 {
							t.Fatalf("%d %s park", i+1, tt.name)
						}
						if state, why, _ := b.State(); state != parking.Open || why != vendors.BadCredentials {
							t.Fatalf("%v because of %v", state, why)
						}
						// A probe that hears the same keeps it parked, one that is accepted ends
						// it.
						if b.Record(device("d9", "n9"), word(vendors.BadCredentials, tt.scope), true, now, now) {
							t.Error("a probe that hears the same changes the state")
						}
						if !b.Record(device("d9", "n9"), results(vendors.Accepted), true, now, now) {
							t.Error("a probe that is accepted does not end it")
						}
						return
					}
				}
			}
			t.Fatalf("three different %s do not park", tt.name)
		})
	}
}

// What the vendor says of a call parks like an outage: after some in a row.
func TestCallsOwnWordIsAnOutage(t *testing.T) {
	t.Parallel()
	b := parking.New(parking.Options{Failures: 3})
	for i := range 3 {
		if changed := b.Record(device("d", "n"), word(vendors.BadCredentials, vendors.ScopeCall), false, noon, noon); changed != (i == 2) {
			t.Fatalf("after call %d: changed %v", i+1, changed)
		}
	}
}
