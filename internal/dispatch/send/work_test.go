package send

import (
	"fmt"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// workOf is a job with a target for each token.
func workOf(tokens ...string) *work {
	job := &dispatch.Job{Notification: &vendors.Notification{}}
	for i, token := range tokens {
		job.Targets = append(job.Targets, dispatch.Target{User: fmt.Sprint("u", i), Token: token})
	}
	return &work{job: job}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens  []string
		targets []int
		want    string
	}{
		"one":             {[]string{"a"}, []int{0}, "[0]"},
		"each_its_own":    {[]string{"a", "b", "c"}, []int{0, 1, 2}, "[0 1 2]"},
		"already":         {[]string{"a", "b", "b", "c"}, []int{0, 1, 2, 3}, "[0 1 2 3]"},
		"apart":           {[]string{"a", "b", "c", "a", "b", "d"}, []int{0, 1, 2, 3, 4, 5}, "[0 3 1 4 2 5]"},
		"some_of_a_job":   {[]string{"a", "b", "c", "a", "b"}, []int{1, 2, 4}, "[1 4 2]"},
		"order_of_a_call": {[]string{"a", "b", "c", "b"}, []int{3, 0, 1}, "[3 1 0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fmt.Sprint(workOf(c.tokens...).together(c.targets)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// The job of some targets has them in the job's order, whatever the order of their answers.
func TestPartIsInOrder(t *testing.T) {
	t.Parallel()
	w := workOf("a", "b", "c", "b", "d")
	var got []string
	for _, target := range new(lane).part(w, []int{4, 3, 2, 1}, false).Targets {
		got = append(got, target.User)
	}
	if want := "[u1 u3 u2 u4]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// heard is what was said of the targets of every message, by user.
type heard map[string]hongyan.Reason

func (heard) Changes() uint64 { return 1 }

func (h heard) Suppressed(_ *dispatch.Job, t *dispatch.Target) hongyan.Reason { return h[t.User] }

func TestSift(t *testing.T) {
	t.Parallel()
	l := &lane{s: &Sender{Marks: heard{"u1": hongyan.Read, "u3": hongyan.Recalled}}}
	w := workOf("a", "b", "c", "d", "e")
	p := piece{w: w, targets: w.whole()}
	out, some := l.sift(&p, 1)
	if got := fmt.Sprint(some, out.targets, out.why, p.targets); got != "true [1 3] [read recalled] [0 2 4]" {
		t.Errorf("got %s", got)
	}
	if _, some = l.sift(&p, 1); some || len(p.targets) != 3 {
		t.Errorf("the second time it left %v", p.targets)
	}
	// The message was recalled: that is why it is withdrawn.
	w.job.Withdraws = true
	p = piece{w: w, targets: w.whole()}
	if _, some = l.sift(&p, 1); some || len(p.targets) != 5 {
		t.Errorf("of a withdrawal it left %v", p.targets)
	}
}

// A call that takes different notifications takes either pushes or withdrawals, from among what is
// at hand.
func TestWithdrawalsHaveCallsOfTheirOwn(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	l := &lane{s: &Sender{}, limits: vendors.Limits{Batch: 100, Mixed: 100}}
	for i, withdraws := range []bool{true, false, true, false, false} {
		w := workOf(fmt.Sprint("t", i))
		w.job.Withdraws, w.job.Notification.MessageID, w.job.Notification.Deadline = withdraws, fmt.Sprint(i), now.Add(time.Hour)
		l.hand.push(w, pieces(w, w.whole(), nil))
	}
	var got []string
	for range 2 {
		c := &call{lane: l}
		l.fill(c, l.hand.next(), 100, 100, now)
		tokens := []string{}
		for _, d := range c.batch.Devices {
			tokens = append(tokens, d.Token)
		}
		got = append(got, fmt.Sprint(tokens))
	}
	if want := "[[t0 t2] [t1 t3 t4]]"; fmt.Sprint(got) != want || !l.hand.empty() {
		t.Errorf("calls to %v, want %s", got, want)
	}
}
