package bus

import "testing"

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
