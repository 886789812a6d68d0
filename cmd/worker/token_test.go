package main

import (
	"testing"
	"time"
)

// Many workers of one certificate log in once, and a worker that was killed while it had the lock
// holds up the others for a while only.
func TestAccessTokenIsFetchedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	r := newRig(t, "")
	const workers, messages = 6, 300
	r.registerAll(30, "oppo")
	for u := range 30 {
		r.register("u"+itoa(u), "other", "huawei")
	}
	// Somebody was killed while it logged in to Huawei.
	lost, err := r.bus.TokenShare("demo-huawei", []byte("its secret does not matter for the lock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lost.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range workers {
		r.start()
	}
	began := time.Now()
	r.flood(messages, 30, func(int) int { return day })
	r.until(time.Minute, "all through OPPO", func() bool { return r.count("oppo") == messages })
	if got := r.count("huawei"); got != 0 && time.Since(began) < 10*time.Second {
		t.Errorf("%d pushes went to Huawei while somebody else had the lock", got)
	}
	r.settled(3*time.Minute, "oppo", "huawei")
	t.Logf("Huawei's were delivered after %v", time.Since(began).Round(time.Second))
	for _, vendor := range []string{"oppo", "huawei"} {
		c := r.box.Counts()[vendor]
		if c.Logins != 1 || c.Accepted != messages {
			t.Errorf("%s: %d logins of %d workers, want 1; %d of %d accepted", vendor, c.Logins, workers, c.Accepted, messages)
		}
	}
	for _, o := range r.outcomes() {
		if o.Status != "accepted" {
			t.Errorf("%s by %s ended as %s %s", o.MessageID, o.Vendor, o.Status, o.Reason)
		}
	}
}
