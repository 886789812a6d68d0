package bus

import (
	"testing"
	"time"
)

// What is due is moved within a tick, a little at a time, unless it is more than is moved at once.
func TestPageOf(t *testing.T) {
	for due, want := range map[uint64]int{0: leastPage, 1: leastPage, 2000: 167, 4166: 348, 24_576: 2048, 1_000_000: 2048} {
		got := pageOf(due)
		if got != want {
			t.Errorf("of %d that are due %d are moved at once, not %d", due, got, want)
		}
		if got < wakePage && uint64(got)*wakeSteps < due {
			t.Errorf("of %d that are due only %d are moved in a tick", due, got*wakeSteps)
		}
	}
	if took := wakeSteps * wakeStep; took >= wakeTick {
		t.Errorf("the rounds of a tick take %v", took)
	}
}

// The rounds of a tick come at an even pace, by what was moved and not by their number: where bytes
// bound a round, few jobs are moved in it.
func TestPaceOf(t *testing.T) {
	for _, c := range []struct {
		moved, n int
		want     time.Duration
	}{{167, 167, wakeStep}, {12 * 167, 167, wakeSteps * wakeStep}, {32, 64, wakeStep / 2}, {1, 64, wakeStep / 64}, {5000, wakePage, 0}} {
		if got := paceOf(c.moved, c.n); got != c.want {
			t.Errorf("after %d, %d at a time, the next come after %v, not %v", c.moved, c.n, got, c.want)
		}
	}
}
