package send

import (
	"fmt"
	"testing"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Where a call carries one number for all devices, the devices of a job are divided by theirs, and
// those with one token stay together.
func TestPiecesAreDividedByBadge(t *testing.T) {
	t.Parallel()
	job := &dispatch.Job{}
	for i, n := range []int{3, 3, 7, 3, 7} {
		job.Targets = append(job.Targets, dispatch.Target{User: fmt.Sprint(i), Token: fmt.Sprint("t", i), Badge: &n})
	}
	job.Targets = append(job.Targets, dispatch.Target{User: "9", Token: "t4"})
	w := &work{job: job}
	var got []string
	for _, p := range pieces(w, w.whole(), vendors.ByBadge) {
		got = append(got, fmt.Sprint(p.host, p.targets))
	}
	if want := "[3[0 1 3] 7[2 4 5]]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
