package ratelimit_test

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// pair is two workers on one store and one clock.
type pair struct {
	t     *testing.T
	now   time.Time
	store *ratelimittest.Store
	a, b  *ratelimit.Limiter
}

func newPair(t *testing.T, cert ratelimit.Certificate) *pair {
	p := &pair{t: t, now: noon}
	clock := func() time.Time { return p.now }
	p.store = &ratelimittest.Store{Now: clock}
	p.a = limiter(t, p.store, ratelimit.Options{Member: "a", Now: clock, Certificates: []ratelimit.Certificate{cert}})
	p.b = limiter(t, p.store, ratelimit.Options{Member: "b", Now: clock, Certificates: []ratelimit.Certificate{cert}})
	p.pass(5 * time.Second)
	return p
}

func (p *pair) pass(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(time.Second)
		p.a.Heartbeat(p.t.Context(), p.now)
		p.b.Heartbeat(p.t.Context(), p.now)
	}
}

// speed is how many devices a second l grants over the next d.
func (p *pair) speed(l *ratelimit.Limiter, d time.Duration) float64 {
	n := 0
	for range int(d / time.Second) {
		for at := p.now; at.Before(p.now.Add(time.Second)); at = at.Add(10 * time.Millisecond) {
			g := take(p.t, l, request(20, at)) // too few to borrow much
			l.Settle(g, counted(g.Devices, at))
			n += g.Devices
		}
		p.pass(time.Second)
	}
	return float64(n) / d.Seconds()
}

func near(got, want float64) bool { return got > want*0.9 && got < want*1.1 }

// TestQuotaSpentStopsTheClass: it holds for all workers, without another call, until its
// midnight; then one push finds out.
func TestQuotaSpentStopsTheClass(t *testing.T) {
	t.Parallel()
	for _, q := range []vendors.Quota{1000, vendors.Unlimited} {
		p := newPair(t, quota(q))
		g := take(t, p.a, request(10, p.now))
		p.a.Settle(g, ratelimit.Outcome{Counted: 3, QuotaSpent: 7, Now: p.now})
		if g := take(t, p.a, request(1, p.now)); g.Reason != vendors.QuotaSpent {
			t.Errorf("quota %v: the worker that heard it: %v, want quota_spent at once", q, g.Reason)
		}
		p.pass(time.Second)
		g = take(t, p.b, request(1, p.now))
		if g.Reason != vendors.QuotaSpent {
			t.Fatalf("quota %v: the other worker a heartbeat later: %d, %v, want quota_spent", q, g.Devices, g.Reason)
		}
		midnight := time.Date(2026, 11, 24, 0, 0, 5, 0, shanghai)
		if got := p.now.Add(g.Wait); !got.Equal(midnight) {
			t.Errorf("quota %v: until %v, want %v", q, got, midnight)
		}

		// A worker that comes later knows it too.
		c := limiter(t, p.store, ratelimit.Options{Member: "c", Now: func() time.Time { return p.now }, Certificates: []ratelimit.Certificate{quota(q)}})
		c.Heartbeat(t.Context(), p.now)
		if g := take(t, c, request(1, p.now)); g.Reason != vendors.QuotaSpent {
			t.Errorf("quota %v: a worker that comes later: %v, want quota_spent", q, g.Reason)
		}

		p.now = midnight
		probe := take(t, p.a, request(10, p.now))
		if probe.Devices != 1 {
			t.Fatalf("quota %v: after midnight %d were granted, want 1 to find out", q, probe.Devices)
		}
		if g := take(t, p.a, request(10, p.now)); g.Devices != 0 || g.Reason != vendors.RateLimited {
			t.Errorf("quota %v: before the probe's answer: %d, %v, want none, rate_limited", q, g.Devices, g.Reason)
		}
		p.a.Settle(probe, counted(1, p.now))
		if g := take(t, p.a, request(10, p.now)); g.Devices != 10 {
			t.Errorf("quota %v: after a good probe %d, want 10", q, g.Devices)
		}
		p.pass(time.Second)
		// the entry lives a little longer than the exhaustion
		if g := take(t, p.a, request(10, p.now)); g.Devices != 10 {
			t.Errorf("quota %v: a heartbeat later %d, want 10", q, g.Devices)
		}
	}
}

// TestProbeRefused: a vendor whose day ends later than ours stops it again, until the next
// midnight.
func TestProbeRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t, quota(vendors.Unlimited))
	p.a.Settle(take(t, p.a, request(1, p.now)), ratelimit.Outcome{QuotaSpent: 1, Now: p.now})
	p.now = time.Date(2026, 11, 24, 0, 0, 6, 0, shanghai)
	p.a.Settle(take(t, p.a, request(1, p.now)), ratelimit.Outcome{QuotaSpent: 1, Now: p.now})
	if g := take(t, p.a, request(1, p.now)); g.Reason != vendors.QuotaSpent || g.Wait < 23*time.Hour {
		t.Errorf("%v, wait %v; want quota_spent until the next midnight", g.Reason, g.Wait)
	}
}

// TestQuotaSpentAroundMidnight: the answer is about the day that ends, and holds for a minute at
// least.
func TestQuotaSpentAroundMidnight(t *testing.T) {
	t.Parallel()
	p := newPair(t, quota(vendors.Unlimited))
	p.now = time.Date(2026, 11, 24, 0, 0, 3, 0, shanghai)
	p.a.Settle(take(t, p.a, request(1, p.now)), ratelimit.Outcome{QuotaSpent: 1, Now: p.now})
	if g := take(t, p.a, request(1, p.now)); g.Reason != vendors.QuotaSpent || g.Wait != time.Minute {
		t.Errorf("%v, wait %v; want quota_spent for a minute", g.Reason, g.Wait)
	}
}

// TestProbeThatNeverComesBack: a worker's probe whose job was lost does not stop the class for
// ever.
func TestProbeThatNeverComesBack(t *testing.T) {
	t.Parallel()
	p := newPair(t, quota(vendors.Unlimited))
	p.a.Settle(take(t, p.a, request(1, p.now)), ratelimit.Outcome{QuotaSpent: 1, Now: p.now})
	p.now = time.Date(2026, 11, 24, 0, 0, 6, 0, shanghai)
	take(t, p.a, request(1, p.now))
	if g := take(t, p.a, request(5, p.now.Add(31*time.Second))); g.Devices != 1 {
		t.Errorf("half a minute later %d, want another probe", g.Devices)
	}
}

// TestTooFast: down at once for all workers, up slowly.
func TestTooFast(t *testing.T) {
	t.Parallel()
	p := newPair(t, ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: 1000}})
	if got := p.speed(p.a, 3*time.Second); !near(got, 500) {
		t.Fatalf("one of two workers sends %v a second, want 500", got)
	}
	g1, g2 := take(t, p.a, request(40, p.now.Add(time.Second))), take(t, p.a, request(10, p.now.Add(time.Second)))
	p.now = p.now.Add(time.Second)
	p.a.Settle(g1, ratelimit.Outcome{RateLimited: g1.Devices, Now: p.now})
	// of before the cut: no news
	p.a.Settle(g2, ratelimit.Outcome{RateLimited: g2.Devices, Now: p.now})
	if got := p.speed(p.a, 2*time.Second); !near(got, 250) {
		t.Errorf("the worker that heard it sends %v, want about 250", got)
	}
	if got := p.speed(p.b, 2*time.Second); !near(got, 260) {
		t.Errorf("the other one sends %v, want about 260", got)
	}
	p.pass(30 * time.Second)
	if got := p.speed(p.b, 5*time.Second); !near(got, 500) {
		t.Errorf("after 30 s it sends %v, want 500 again", got)
	}
}

// TestRetryAfter is obeyed by all workers, with or without a configured rate.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, r := range []vendors.Rate{{}, {DevicesPerSecond: 1000}, {RequestsPerSecond: 100}} {
		p := newPair(t, ratelimit.Certificate{ID: "c", Rate: r})
		g := take(t, p.a, request(1, p.now.Add(time.Second)))
		p.now = p.now.Add(time.Second)
		p.a.Settle(g, ratelimit.Outcome{RateLimited: 1, RetryAfter: 40 * time.Second, Now: p.now})
		if g := take(t, p.a, request(1, p.now)); g.Reason != vendors.RateLimited || g.Wait != 40*time.Second {
			t.Errorf("rate %v: %d, %v, wait %v; want rate_limited for 40s", r, g.Devices, g.Reason, g.Wait)
		}
		p.pass(time.Second)
		if g := take(t, p.b, request(1, p.now)); g.Reason != vendors.RateLimited || g.Wait < 38*time.Second {
			t.Errorf("rate %v, the other worker: %d, %v, wait %v; want rate_limited for about 39s", r, g.Devices, g.Reason, g.Wait)
		}
		p.pass(41 * time.Second)
		if g := take(t, p.b, request(1, p.now)); g.Devices != 1 {
			t.Errorf("rate %v: after it %d, %v", r, g.Devices, g.Reason)
		}
	}
}

// TestTooFastWithoutRate: a certificate without a rate is slowed from the speed it had, and is free
// again later.
func TestTooFastWithoutRate(t *testing.T) {
	t.Parallel()
	p := newPair(t, ratelimit.Certificate{ID: "c"})
	for range 5 {
		for range 100 {
			p.a.Settle(take(t, p.a, request(4, p.now)), counted(4, p.now))
		}
		p.pass(time.Second)
	}
	g := take(t, p.a, request(100, p.now)) // 400 a second by one of two workers
	p.a.Settle(g, ratelimit.Outcome{RateLimited: 100, Now: p.now})
	if got := p.speed(p.a, 3*time.Second); got < 180 || got > 240 {
		t.Errorf("%v a second, want about half of 400", got)
	}
	p.pass(2 * time.Minute)
	if g := take(t, p.a, request(100_000, p.now)); g.Devices != 100_000 {
		t.Errorf("two minutes later %d, want no limit", g.Devices)
	}
}

// TestOneDevicesLimitSlowsNobody: APNs and FCM also say "too fast" about a single device.
func TestOneDevicesLimitSlowsNobody(t *testing.T) {
	t.Parallel()
	for _, r := range []vendors.Rate{{}, {DevicesPerSecond: 1000}} {
		p := newPair(t, ratelimit.Certificate{ID: "c", Rate: r})
		p.pass(time.Second)
		for i := range 300 {
			at := p.now.Add(time.Duration(i) * 10 * time.Millisecond)
			g := take(t, p.a, request(1, at))
			if g.Devices == 0 {
				t.Fatalf("rate %v: push %d was held back: %v", r, i, g.Reason)
			}
			o := counted(1, at)
			if i > 100 && i%50 == 0 {
				o = ratelimit.Outcome{RateLimited: 1, RetryAfter: time.Minute, Now: at}
			}
			p.a.Settle(g, o)
			if i%100 == 99 {
				p.a.Heartbeat(t.Context(), at)
				p.b.Heartbeat(t.Context(), at)
			}
		}
	}
}
