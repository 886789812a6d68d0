package send

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What waits for midnight comes at an even rate: the first by chance, then one after the other, and
// what is too much for that by chance again.
func TestAfterMidnight(t *testing.T) {
	t.Parallel()
	const luck = 0.25
	var s Sender
	for _, c := range []struct {
		waited int
		want   time.Duration
	}{
		{0, leastSpread / 4}, {10*spreadRate - 1, leastSpread / 4}, {10 * spreadRate, 10 * time.Second}, {100 * spreadRate, 100 * time.Second},
		{240 * spreadRate, mostSpread}, {241 * spreadRate, mostSpread / 4}, {1_000_000, mostSpread / 4},
	} {
		s.afterMidnight(noon, luck)
		for s.waited < c.waited {
			s.waits()
		}
		if got := s.afterMidnight(noon, luck); got != c.want {
			t.Errorf("with %d that wait another comes after %v, not %v", c.waited, got, c.want)
		}
	}
	if got := s.afterMidnight(noon.AddDate(0, 0, 1), luck); got != leastSpread/4 {
		t.Errorf("the first of the next day comes after %v", got)
	}
}

// A million for one midnight come within five minutes, and never many more than at an even rate.
func TestMillionForOneMidnight(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	var s Sender
	random := rand.New(rand.NewPCG(1, 2))
	var of [mostSpread/time.Second + 1]int // jobs of each second
	for range n {
		of[s.afterMidnight(noon, random.Float64())/time.Second]++
		s.waits()
	}
	if most := slices.Max(of[:]); most > 5000 {
		t.Errorf("%d come in one second", most)
	}
}
