package main

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

var (
	quotaSize = flag.Int("quota", 10_000, "the daily quota in TestQuotaIsSharedByWorkers; three times as many messages are sent")
	killQuota = flag.Int("killquota", 3_000, "the same in TestQuotaHoldsUnderKills")
)

const day = 24 * 60 * 60

// someDieSoon: every third message does not live until the vendor's midnight, twelve hours from
// now.
func someDieSoon(i int) int {
	if i%3 == 0 {
		return 60 * 60
	}
	return day
}

// quotaRig is an installation whose APNs certificate has a daily quota. APNs takes one device a
// call, so every unit is asked for. A worker makes no more than so many calls at once: the sandbox,
// with the race detector, must answer all of them in time.
func quotaRig(t *testing.T, quota string, concurrency int) *rig {
	r := newRig(t, "")
	r.env = []string{zoned(t, noon())}
	r.configure("demo-apns", "daily_quota: {all: "+quota+"}", "timezone: Test/Vendor", "concurrency: "+itoa(concurrency))
	r.registerAll(100, "apns")
	return r
}

// Eight workers, three times as many messages as the quota: exactly the quota is used, the rest
// waits for midnight or dies at once.
func TestQuotaIsSharedByWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("eight real processes")
	}
	quota := *quotaSize
	r := quotaRig(t, itoa(quota), 50)
	for range 8 {
		r.start()
	}
	began := time.Now()
	r.flood(3*quota, 100, someDieSoon)
	r.settled(5*time.Minute, "apns")
	ends, waiting := r.ends(), r.waiting("apns")
	t.Logf("%d accepted of %d after %v; ends %v, %d wait", r.count("apns"), 3*quota, time.Since(began).Round(time.Second), ends, waiting)
	if got := r.count("apns"); got != quota || ends["accepted accepted"] != quota {
		t.Errorf("APNs accepted %d, the outcomes say %d; the quota is %d", got, ends["accepted accepted"], quota)
	}
	if dead := ends["dead quota_spent"]; quota+dead+waiting != 3*quota || dead == 0 || waiting == 0 {
		t.Errorf("%d were accepted, %d are dead, %d wait: together not %d", quota, dead, waiting, 3*quota)
	}
	if p := r.quota("demo-apns"); p.Limit != int64(quota) || p.Used+p.Leased+p.Lost != int64(quota) || p.Left != 0 {
		t.Errorf("publisher limits shows %+v", p)
	}
	r.noViolations()
}

// The same while workers are killed and replaced: never more than the quota, and every message has
// an end or waits.
func TestQuotaHoldsUnderKills(t *testing.T) {
	if testing.Short() {
		t.Skip("kills real processes")
	}
	t.Parallel()
	quota := *killQuota
	// Four calls of 50 ms at once make 640 a second of eight workers: the quota lasts for many of
	// the looks below.
	r := quotaRig(t, itoa(quota), 4)
	r.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultSlow, Delay: 0.05})
	r.flood(3*quota, 100, someDieSoon)
	workers := make([]*process, 8)
	for i := range workers {
		workers[i] = r.start()
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const kills = 8
	var at []int
	for len(at) < kills {
		next := (len(at) + 1) * quota / (kills + 2)
		r.until(time.Minute, itoa(next)+" accepted", func() bool { return r.count("apns") >= next })
		n := r.count("apns")
		if n >= quota {
			t.Errorf("only %d workers were killed before the quota was used up", len(at))
			break
		}
		w := rng.IntN(len(workers))
		workers[w].kill()
		workers[w] = r.start()
		at = append(at, n)
	}
	r.box.Clear("apns", 0)
	r.settled(5*time.Minute, "apns")
	ends, waiting := r.ends(), r.waiting("apns")
	accepted := r.count("apns")
	t.Logf("%d accepted; kills at %v; %d different ones; ends %v, %d wait; %+v", accepted, at, unique(r.box.Pushes()), ends, waiting, r.quota("demo-apns"))
	if accepted > quota {
		t.Errorf("APNs accepted %d, the quota is %d", accepted, quota)
	}
	if accepted < quota*8/10 {
		t.Errorf("only %d of %d were used", accepted, quota)
	}
	if got := ends["accepted accepted"] + ends["dead quota_spent"] + waiting; got < 3*quota {
		t.Errorf("%d messages have an end or wait, %d were sent", got, 3*quota)
	}
	r.noViolations()
}

// What waits for the vendor's midnight arrives after it, within the new day's quota.
func TestQuotaIsThereAgainAfterMidnight(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a midnight")
	}
	t.Parallel()
	const quota = 300
	r := newRig(t, "")
	midnight := time.Now().Add(30 * time.Second).Truncate(time.Second)
	r.env = []string{zoned(t, midnight)}
	// With a time-out of three seconds only the last eight before midnight count for both days.
	r.rewrite("timeout: 1m", "timeout: 3s")
	r.configure("demo-apns", "daily_quota: {all: "+itoa(quota)+"}", "timezone: Test/Vendor")
	r.registerAll(20, "apns")
	for range 4 {
		r.start()
	}
	// They come again spread over part of what is left of their life.
	life := int(time.Until(midnight).Seconds()) + 25
	r.flood(2*quota, 20, func(int) int { return life })
	r.settled(time.Minute, "apns")
	if waiting := r.waiting("apns"); time.Now().Before(midnight) && (r.count("apns") != quota || waiting != quota) {
		t.Errorf("before midnight %d were accepted and %d wait, want %d and %d", r.count("apns"), waiting, quota, quota)
	}
	r.until(time.Until(midnight)+40*time.Second, "all accepted", func() bool { return r.count("apns") >= 2*quota })
	old := 0
	for _, at := range r.arrivals("apns") {
		if at.Before(midnight) {
			old++
		}
	}
	if total := len(r.arrivals("apns")); old != quota || total != 2*quota {
		t.Errorf("%d were accepted, %d of them before midnight", total, old)
	}
	for _, o := range r.outcomes() {
		if o.Status != "accepted" || o.Attempt != 1 {
			t.Errorf("%s ended as %s %s with attempt %d: waiting is no attempt", o.MessageID, o.Status, o.Reason, o.Attempt)
			break
		}
	}
	r.noViolations()
}
