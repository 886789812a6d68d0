package ratelimit

import "time"

// A claim's fractions are sums of 1/n; nothing smaller than this matters.
const epsilon = 1e-9

// claim is a worker's fraction of every rate: the part that it uses, and the part that it has asked
// for. It changes once per heartbeat, in next.
//
// The shares in use never add up to more than one. A share grows only after the larger claim was
// published, and only if a later look at the KV shows that all claims together are at most one. If
// two workers grow at the same time, the one that looks last sees the other. A share ends with its
// lease: a worker whose lease may be gone from the KV, so that others may take its share, no longer
// uses it.
type claim struct {
	share       float64   // in use
	pending     float64   // published, to be used when the next look confirms it; 0 for none
	publishedAt time.Time // when pending was published; zero when it was not
	// when the lease may be over, if it is not renewed before; zero when there is none
	until time.Time
}

// next computes the claim from the claims of the other members, and returns what to publish. lag is
// how old the others' claims may be.
func (c *claim) next(others []float64, now time.Time, lag time.Duration) (publish float64) {
	if c.lapsed(now) {
		*c = claim{}
	}
	free := 1.0
	for _, o := range others {
		free -= o
	}
	want := min(1/float64(len(others)+1), max(0, free))
	c.share = min(c.share, want)
	if c.pending > c.share && !c.publishedAt.IsZero() {
		if now.Sub(c.publishedAt) < lag {
			return c.pending
		}
		c.share = min(c.pending, want)
	}
	c.pending, c.publishedAt = 0, time.Time{}
	if want > c.share+epsilon {
		c.pending = want
	}
	return max(c.share, c.pending)
}

// renewed records that the claim which next returned was stored for ttl, at some time between began
// and now.
func (c *claim) renewed(began, now time.Time, ttl time.Duration) {
	if c.lapsed(now) { // perhaps the lease had ended, and others took the share
		*c = claim{}
	}
	if c.pending > 0 && c.publishedAt.IsZero() {
		c.publishedAt = now
	}
	c.until = began.Add(ttl)
}

// lapsed reports whether the lease may have ended.
func (c *claim) lapsed(now time.Time) bool { return !c.until.IsZero() && !now.Before(c.until) }

// memberEntry is the entry of a worker's lease. All workers read it at every heartbeat, so it is
// small.
type memberEntry struct {
	Claim float64 `json:"claim"`
	// Since is when the worker started.
	Since time.Time `json:"since,omitzero"`
}

// heldEntry is the entry of what a worker holds of the quotas.
type heldEntry struct {
	// Held is what the worker has leased and not spent, by counter.
	Held map[string]int64 `json:"held,omitempty"`
	// Lost is what nobody can use because the store's answer to this worker was lost. It may still
	// become usable within a minute.
	Lost map[string]int64 `json:"lost,omitempty"`
}
