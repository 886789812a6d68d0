package ratelimit

import "time"

// A claim's fractions are sums of 1/n; nothing smaller than this matters.
const epsilon = 1e-9

// claim is a worker's fraction of every rate: what it uses, and what it has asked for. It is changed once a beat, by step.
//
// The shares in use never add up to more than one: a share grows only after the larger claim was published and a later look at the
// board showed that all claims fit together. Of two workers that grow at the same time, the one that looks last sees the other.
type claim struct {
	share   float64   // in use
	pending float64   // published, to be used when the next look confirms it; 0 for none
	posted  time.Time // when pending was published; zero when it was not
}

// step looks at the other members' claims and returns what to publish. While hold, the share may shrink but not grow: after a
// time without the board, the members that are not seen may still be there. lag is how old the look may be.
func (c *claim) step(others []float64, now time.Time, lag time.Duration, hold bool) (publish float64) {
	free := 1.0
	for _, o := range others {
		free -= o
	}
	want := min(1/float64(len(others)+1), max(0, free))
	c.share = min(c.share, want)
	if c.pending > c.share && !hold && !c.posted.IsZero() {
		if now.Sub(c.posted) < lag {
			return c.pending
		}
		c.share = min(c.pending, want)
	}
	c.pending, c.posted = 0, time.Time{}
	if want > c.share+epsilon && !hold {
		c.pending = want
	}
	return max(c.share, c.pending)
}

// published says that the claim which step returned is on the board since now.
func (c *claim) published(now time.Time) {
	if c.pending > 0 && c.posted.IsZero() {
		c.posted = now
	}
}

// member is the value of a worker's note.
type member struct {
	Claim float64 `json:"claim"`
	// Held is what the worker leased and has not spent, by counter.
	Held map[string]int64 `json:"held,omitempty"`
	// Lost is what nobody can use any more today, because the store's answer to this worker was lost.
	Lost map[string]int64 `json:"lost,omitempty"`
	// Since is when the worker came.
	Since time.Time `json:"since,omitzero"`
}
