package ratelimit

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestSharesNeverAddUpToMoreThanOne: workers that look, use and publish in any interleaving, join, leave and die, with looks and
// publications that fail.
func TestSharesNeverAddUpToMoreThanOne(t *testing.T) {
	t.Parallel()
	const beat = time.Second
	type worker struct {
		claim   claim
		publish float64
		stage   int // 0: look next, 1: publish next
		hold    int // beats without growth
	}
	grown := 0
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		board := map[*worker]float64{}
		var live []*worker
		now := time.Unix(0, 0)
		check := func() {
			sum := 0.0
			for _, w := range live {
				sum += w.claim.share
			}
			if sum > 1+10*epsilon {
				t.Fatalf("seed %d: the shares in use add up to %v", seed, sum)
			}
			if len(live) > 0 && sum > 1-10*epsilon {
				grown++
			}
		}
		for range 400 {
			switch p := rnd.IntN(100); {
			case p < 4 && len(live) < 8:
				live = append(live, &worker{})
			case p < 6 && len(live) > 0: // a crash, or a leave: it sends no more, and its note goes later
				i := rnd.IntN(len(live))
				w := live[i]
				live = append(live[:i:i], live[i+1:]...)
				if rnd.IntN(2) == 0 {
					delete(board, w)
				}
			case p < 8: // the notes of the dead end
				for w := range board {
					alive := false
					for _, l := range live {
						alive = alive || l == w
					}
					if !alive {
						delete(board, w)
					}
				}
			case len(live) > 0:
				w := live[rnd.IntN(len(live))]
				switch w.stage {
				case 0:
					if rnd.IntN(10) == 0 { // the look failed
						w.hold = 3
						continue
					}
					var others []float64
					for o, c := range board {
						if o != w {
							others = append(others, c)
						}
					}
					w.hold--
					w.publish = w.claim.step(others, now, beat/2, w.hold > 0)
					w.stage = 1
				case 1:
					w.stage = 0
					if rnd.IntN(10) > 0 { // else it failed, one way or the other
						w.claim.published(now)
						board[w] = w.publish
					} else if rnd.IntN(2) == 0 {
						board[w] = w.publish
					}
				}
				now = now.Add(time.Duration(rnd.Int64N(int64(beat))))
			}
			check()
		}
	}
	if grown < 1000 {
		t.Errorf("the whole rate was in use %d times only: the test does not test enough", grown)
	}
}

func TestClaimAlone(t *testing.T) {
	t.Parallel()
	var c claim
	now := time.Unix(0, 0)
	if got := c.step(nil, now, time.Second/2, false); got != 1 || c.share != 0 {
		t.Fatalf("first beat: publishes %v, uses %v; want 1, 0", got, c.share)
	}
	c.published(now)
	// A look too soon after the publication may miss what others published meanwhile.
	if c.step(nil, now.Add(time.Second/4), time.Second/2, false); c.share != 0 {
		t.Errorf("a look after a quarter of a beat: uses %v, want 0", c.share)
	}
	if c.step(nil, now.Add(time.Second), time.Second/2, false); c.share != 1 {
		t.Errorf("second beat: uses %v, want 1", c.share)
	}
	if got := c.step([]float64{0}, now.Add(2*time.Second), time.Second/2, true); got != 0.5 || c.share != 0.5 {
		t.Errorf("another joined: publishes %v, uses %v; want a half at once, even while nothing may grow", got, c.share)
	}
}
