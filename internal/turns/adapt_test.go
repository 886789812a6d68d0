package turns

import (
	"testing"
	"time"
)

func TestAdapt(t *testing.T) {
	for _, c := range []struct {
		rest int64
		by   time.Duration
		want int64
	}{
		{firstRest, 0, firstRest - lessRest},
		{firstRest, late, firstRest - lessRest},
		{firstRest, late + 1, firstRest + moreRest},
		{leastRest, 0, leastRest},
		{mostRest, time.Second, mostRest},
		{mostRest - 1, time.Second, mostRest},
	} {
		if got := adapt(c.rest, c.by); got != c.want {
			t.Errorf("%d after one that ended %v late: got %d, want %d", c.rest, c.by, got, c.want)
		}
	}
}

// A calm machine has short rests, one on which more than one timer in twenty ends late long ones.
func TestRestsFollowTheMachine(t *testing.T) {
	for _, c := range []struct {
		lateOneIn int
		want      int64
	}{{1000, leastRest}, {30, leastRest}, {10, mostRest}, {2, mostRest}} {
		rest, n := int64(firstRest), 0
		for i := range 10_000 {
			by := time.Duration(0)
			if i%c.lateOneIn == 0 {
				by = 2 * late
			}
			if rest = adapt(rest, by); rest >= c.want-moreRest && rest <= c.want+moreRest {
				n++
			}
		}
		if n < 9000 {
			t.Errorf("one in %d is late: rests were near %d only %d times of 10000, and are %d at the end", c.lateOneIn, c.want, n, rest)
		}
	}
}
