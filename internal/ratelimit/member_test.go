package ratelimit

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestSharesNeverAddUpToMoreThanOne: workers that look, publish, hear of it and use in any
// interleaving, join, leave and die, are late by more than their lease, with looks and publications
// that fail in every way.
func TestSharesNeverAddUpToMoreThanOne(t *testing.T) {
	t.Parallel()
	const heartbeat, ttl = time.Second, 5 * time.Second
	type entry struct {
		claim float64
		ends  time.Time
	}
	type worker struct {
		claim   claim
		publish float64
		began   time.Time // of the publication under way
		stage   int       // what comes next: look, publish, hear of it
		asleep  time.Time // does nothing before
	}
	full, overslept := 0, 0
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		kv := map[*worker]entry{}
		var live []*worker
		now := time.Unix(0, 0)
		for range 600 {
			switch p := rnd.IntN(100); {
			case p < 4 && len(live) < 8:
				live = append(live, &worker{})
			case p < 6 && len(live) > 0: // a crash, or a leave
				i := rnd.IntN(len(live))
				w := live[i]
				live = append(live[:i:i], live[i+1:]...)
				if rnd.IntN(2) == 0 {
					delete(kv, w)
				}
			case len(live) > 0:
				w := live[rnd.IntN(len(live))]
				if now.Before(w.asleep) {
					break
				}
				if rnd.IntN(50) == 0 {
					w.asleep = now.Add(time.Duration(rnd.Int64N(int64(2 * ttl))))
				}
				switch w.stage {
				case 0:
					if rnd.IntN(10) == 0 { // the look failed
						break
					}
					var others []float64
					for o, n := range kv {
						if o != w && now.Before(n.ends) {
							others = append(others, n.claim)
						}
					}
					if w.claim.lapsed(now) {
						overslept++
					}
					w.publish, w.began = w.claim.next(others, now, heartbeat/2), now
					w.stage = 1
				case 1:
					w.stage = 2
					if rnd.IntN(20) == 0 { // it is lost on the way
						w.stage = 0
						break
					}
					kv[w] = entry{w.publish, now.Add(ttl)}
					if rnd.IntN(20) == 0 { // its answer is
						w.stage = 0
					}
				case 2:
					w.claim.renewed(w.began, now, ttl)
					w.stage = 0
				}
			}
			now = now.Add(time.Duration(rnd.Int64N(int64(heartbeat / 4))))
			sum := 0.0
			for _, w := range live {
				if !w.claim.lapsed(now) {
					sum += w.claim.share
				}
			}
			if sum > 1+10*epsilon {
				t.Fatalf("seed %d: the shares in use add up to %v", seed, sum)
			}
			if len(live) > 0 && sum > 1-10*epsilon {
				full++
			}
		}
	}
	if full < 10_000 || overslept < 1000 {
		t.Errorf("the whole rate was in use %d times, and a lease lapsed %d times: the test does not test enough", full, overslept)
	}
}

func TestClaimAlone(t *testing.T) {
	t.Parallel()
	const lag, ttl = time.Second / 2, 5 * time.Second
	var c claim
	now := time.Unix(0, 0)
	at := func(heartbeats float64) time.Time { return now.Add(time.Duration(heartbeats * float64(time.Second))) }
	if got := c.next(nil, now, lag); got != 1 || c.share != 0 {
		t.Fatalf("first heartbeat: publishes %v, uses %v; want 1, 0", got, c.share)
	}
	c.renewed(now, now, ttl)
	// A look too soon after the publication may miss what others published meanwhile.
	if c.next(nil, at(0.25), lag); c.share != 0 {
		t.Errorf("a look after a quarter of a heartbeat: uses %v, want 0", c.share)
	}
	if c.next(nil, at(1), lag); c.share != 1 {
		t.Errorf("second heartbeat: uses %v, want 1", c.share)
	}
	c.renewed(at(1), at(1), ttl)
	if got := c.next([]float64{0}, at(2), lag); got != 0.5 || c.share != 0.5 {
		t.Errorf("another joined: publishes %v, uses %v; want a half at once", got, c.share)
	}
}

// A worker that comes back after its lease begins anew, whether it finds out before it looks or
// only when it is stored again.
func TestClaimLapses(t *testing.T) {
	t.Parallel()
	const lag, ttl = time.Second / 2, 5 * time.Second
	now := time.Unix(0, 0)
	whole := func() claim { return claim{share: 1, until: now.Add(ttl)} }
	if c := whole(); c.lapsed(now.Add(ttl-1)) || !c.lapsed(now.Add(ttl)) {
		t.Error("a lease must be used until its end, and no longer")
	}
	c := whole()
	if got := c.next(nil, now.Add(ttl), lag); got != 1 || c.share != 0 {
		t.Errorf("a look after the lease: publishes %v, uses %v; want 1, 0", got, c.share)
	}
	c = whole()
	c.next(nil, now.Add(ttl-1), lag)
	c.renewed(now.Add(ttl-1), now.Add(ttl), ttl)
	if c.share != 0 || c.lapsed(now.Add(ttl+1)) {
		t.Errorf("a renewal that is heard of after the lease: uses %v of a new lease, want 0", c.share)
	}
	c = whole()
	c.next(nil, now.Add(ttl-2), lag)
	c.renewed(now.Add(ttl-2), now.Add(ttl-1), ttl)
	if c.share != 1 || c.lapsed(now.Add(2*ttl-3)) || !c.lapsed(now.Add(2*ttl-2)) {
		t.Errorf("a renewal in time: uses %v, want 1 for as long as the lease from when it was asked for", c.share)
	}
}
