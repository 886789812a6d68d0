package ratelimit

import "time"

// A claim's fractions are sums of 1/n; nothing smaller than this matters.
const epsilon = 1e-9

// claim is a worker's fraction of every rate: what it uses, and what it has asked for. It is
// changed once a beat, by step.
//
// The shares in use never add up to more than one: a share grows only after the larger claim was
// published and a later look at the board showed that all claims fit together. Of two workers that
// grow at the same time, the one that looks last sees the other. And a share ends with its lease:
// who is not on the board any more, so that others take its share, does not use it.
type claim struct {
	share   float64   // in use
	pending float64   // published, to be used when the next look confirms it; 0 for none
	posted  time.Time // when pending was published; zero when it was not
	// when the lease may be over, if it is not renewed before; zero when there is none
	until time.Time
}

// step looks at the other members' claims and returns what to publish. lag is how old the look may
// be.
func (c *claim) step(others []float64, now time.Time, lag time.Duration) (publish float64) {
	if c.lapsed(now) {
		*c = claim{}
	}
	free := 1.0
	for _, o := range others {
		free -= o
	}
	want := min(1/float64(len(others)+1), max(0, free))
	c.share = min(c.share, want)
	if c.pending > c.share && !c.posted.IsZero() {
		if now.Sub(c.posted) < lag {
			return c.pending
		}
		c.share = min(c.pending, want)
	}
	c.pending, c.posted = 0, time.Time{}
	if want > c.share+epsilon {
		c.pending = want
	}
	return max(c.share, c.pending)
}

// renewed says that the claim which step returned came to the board, for ttl, at some time between
// began and now.
func (c *claim) renewed(began, now time.Time, ttl time.Duration) {
	if c.lapsed(now) { // perhaps there was a time without a lease, and others took the share
		*c = claim{}
	}
	if c.pending > 0 && c.posted.IsZero() {
		c.posted = now
	}
	c.until = began.Add(ttl)
}

// lapsed says whether the lease may be over.
func (c *claim) lapsed(now time.Time) bool { return !c.until.IsZero() && !now.Before(c.until) }

// member is the value of a worker's note.
type member struct {
	Claim float64 `json:"claim"`
	// Held is what the worker leased and has not spent, by counter.
	Held map[string]int64 `json:"held,omitempty"`
	// Lost is what nobody can use, because the store's answer to this worker was lost; for a minute
	// it may still be found.
	Lost map[string]int64 `json:"lost,omitempty"`
	// Since is when the worker came.
	Since time.Time `json:"since,omitzero"`
}
