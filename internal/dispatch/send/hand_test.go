package send

import (
	"testing"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

func TestHandRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		sizes     []int // of the jobs that were taken
		sent      int   // devices of them that are on their way
		pace      float64
		delivered int // jobs in the channel
		want      int
	}{
		{name: "first-job-shows-the-size", pace: 500, want: 1},
		{name: "first-job-is-on-its-way", pace: 500, delivered: 1, want: 0},
		{name: "no-share-yet", sizes: []int{1}, sent: 1, pace: 0, want: 0},
		{name: "empty-hand", sizes: []int{1}, sent: 1, pace: 500, want: 500},
		{name: "delivered-ones-count", sizes: []int{1}, sent: 1, pace: 500, delivered: 400, want: 100},
		{name: "not-one-by-one", sizes: []int{1}, sent: 1, pace: 500, delivered: 450, want: 0},
		{name: "large-jobs", sizes: []int{50}, sent: 50, pace: 500, want: 10},
		{name: "job-above-the-pace", sizes: []int{50}, sent: 50, pace: 5, want: 1},
		{name: "half-a-job-left-at-a-slow-pace", sizes: []int{50}, sent: 25, pace: 5, want: 0},
		{name: "slower-than-one-a-second", sizes: []int{1}, sent: 1, pace: 0.2, want: 1},
		{name: "slower-than-one-a-second-holds-one", sizes: []int{1}, pace: 0.2, want: 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := hand{devices: -c.sent}
			for _, n := range c.sizes {
				h.push(&work{stored: true, job: &dispatch.Job{Targets: make([]dispatch.Target, n)}}, nil)
			}
			if got := h.room(c.pace, c.delivered); got != c.want {
				t.Errorf("room for %d jobs, want %d", got, c.want)
			}
		})
	}
}
