package main

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

var hangFor = flag.Duration("hang", 15*time.Second, "how long Huawei hangs in TestSickVendorHurtsOnlyItself")

// Huawei hangs: the APNs pushes of the same time go as before, no Huawei job loses an attempt, and
// all arrive after it wakes.
func TestSickVendorHurtsOnlyItself(t *testing.T) {
	if testing.Short() {
		t.Skip("a vendor hangs for a while")
	}
	r := newRig(t, "")
	r.rewrite("timeout: 1m", "timeout: 10s")
	const users = 50
	for u := range users {
		user := fmt.Sprintf("u%d", u)
		r.register(user, "apns", "apns")
		r.register(user, "huawei", "huawei")
	}
	worker := r.start()
	sent := 0
	// phase sends a steady trickle for d and returns the ids.
	phase := func(name string, d time.Duration) (ids []string) {
		for end := time.Now().Add(d); time.Now().Before(end); sent++ {
			id := fmt.Sprintf("m-%s-%d", name, sent)
			ids = append(ids, id)
			r.send(chat(id, fmt.Sprintf("u%d", sent%users)))
			time.Sleep(10 * time.Millisecond) // the backend's own pace
		}
		return ids
	}
	phase("warm", 2*time.Second)
	before := phase("before", 5*time.Second)
	r.settled(2*time.Minute, "apns", "huawei")
	r.box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultHang})
	during := phase("during", *hangFor)
	r.box.Clear("huawei", 0)
	r.settled(5*time.Minute, "apns", "huawei")

	outcomes := r.outcomes()
	latency := func(ids []string) (p50, p99 int64) {
		var all []int64
		for _, id := range ids {
			for u := range users {
				if o, ok := outcomes[[3]string{id, fmt.Sprintf("u%d", u), "apns"}]; ok {
					if o.Status != hongyan.StatusAccepted {
						t.Errorf("APNs push of %s ended as %s %s", id, o.Status, o.Reason)
					}
					all = append(all, o.LatencyMS)
				}
			}
		}
		if len(all) != len(ids) {
			t.Fatalf("%d outcomes for %d messages", len(all), len(ids))
		}
		slices.Sort(all)
		return all[len(all)/2], all[len(all)*99/100]
	}
	p50a, p99a := latency(before)
	p50b, p99b := latency(during)
	t.Logf("APNs latency over %d and %d pushes: p50 %d ms, p99 %d ms before; p50 %d ms, p99 %d ms while Huawei hung for %v", len(before), len(during), p50a, p99a, p50b, p99b, *hangFor)
	// Not a benchmark: a queue shared with Huawei would show as seconds.
	if p99b > p99a+500 {
		t.Errorf("APNs p99 moved from %d ms to %d ms", p99a, p99b)
	}
	attempts := map[int]int{}
	for _, id := range during {
		found := false
		for u := range users {
			if o, ok := outcomes[[3]string{id, fmt.Sprintf("u%d", u), "huawei"}]; ok {
				found = true
				attempts[o.Attempt]++
				if o.Status != hongyan.StatusAccepted {
					t.Errorf("Huawei push of %s ended as %s %s", id, o.Status, o.Reason)
				}
			}
		}
		if !found {
			t.Errorf("Huawei push of %s is missing", id)
		}
	}
	if len(attempts) != 1 || attempts[1] != len(during) {
		t.Errorf("Huawei jobs lost attempts: %v", attempts)
	}
	if err := worker.stop(sigterm); err != nil {
		t.Errorf("the worker did not stop cleanly: %v", err)
	}
}
