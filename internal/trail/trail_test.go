package trail

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func bobs(device string, reason hongyan.Reason, attempt int) hongyan.DeviceOutcome {
	return hongyan.DeviceOutcome{User: "bob", Device: device, Reason: reason, Attempt: attempt}
}

// Of a device's records the one that names the job says why that waits.
func TestExplainTakesTheRecordOfTheJob(t *testing.T) {
	t.Parallel()
	x := &explainer{e: Explanation{Decisions: []Decision{
		{Status: hongyan.StatusWaiting, DeviceOutcome: bobs("phone", hongyan.Busy, 0), Over: true, job: "first"},
		{Status: hongyan.StatusWaiting, DeviceOutcome: bobs("phone", hongyan.Parked, 0), Over: true, job: (&dispatch.Job{StoredAs: "second"}).WaitName()},
		{Status: hongyan.StatusWaiting, DeviceOutcome: bobs("phone", vendors.Timeout, 1), job: "third"},
		{Status: hongyan.StatusWaiting, DeviceOutcome: bobs("pad", vendors.RateLimited, 0), job: "third"},
	}}}
	job := &dispatch.Job{Notification: &vendors.Notification{}}
	for stored, want := range map[string]hongyan.Reason{"second": hongyan.Parked, "nobody's": vendors.Timeout} {
		job.StoredAs = stored
		if got := x.view(job, "phone").Reason; got != want {
			t.Errorf("of %s: %s, want %s", stored, got, want)
		}
	}
	if got := x.view(job, "watch"); got.Reason != "" || !got.Since.IsZero() {
		t.Errorf("of a device without a record: %+v", got)
	}
}

func TestFollowingIsOver(t *testing.T) {
	t.Parallel()
	at := time.Now()
	on := func(device string, status hongyan.Status, after time.Duration) Decision {
		return Decision{Status: status, At: at.Add(after), DeviceOutcome: bobs(device, "r", 1)}
	}
	for _, c := range []struct {
		name  string
		came  []Decision
		quiet time.Duration
		over  bool
	}{
		{"nothing-came", nil, time.Hour, false},
		{"one-of-two", []Decision{on("phone", hongyan.StatusAccepted, 0)}, time.Second, false},
		{"one-of-two-and-long-nothing", []Decision{on("phone", hongyan.StatusAccepted, 0)}, followQuiet, true},
		{"one-of-two-within-a-call", []Decision{on("phone", hongyan.StatusAccepted, 0)}, 10 * time.Second, false},
		{"both", []Decision{on("phone", hongyan.StatusAccepted, 0), on("pad", hongyan.StatusSuppressed, 0)}, 0, true},
		{"one-waits", []Decision{on("phone", hongyan.StatusWaiting, 0), on("pad", hongyan.StatusSuppressed, 0)}, time.Hour, false},
		{"waited-and-ended", []Decision{on("phone", hongyan.StatusWaiting, 0), on("pad", hongyan.StatusDead, 0), on("phone", hongyan.StatusAccepted, 1)}, 0, true},
		{"ended-before-it-was-stored-to-wait", []Decision{on("phone", hongyan.StatusAccepted, 1), on("phone", hongyan.StatusWaiting, 0), on("pad", hongyan.StatusDead, 0)}, 0, true},
		{"the-whole-user", []Decision{on("phone", hongyan.StatusWaiting, 0), on("", hongyan.StatusDead, 1)}, 0, true},
		{"taken-back", []Decision{on("phone", hongyan.StatusAccepted, 0), on("phone", hongyan.StatusWithdrawn, 1), on("pad", hongyan.StatusDead, 0)}, 0, true},
	} {
		f := following{devices: map[string]bool{"phone": true, "pad": true}, seen: map[string]bool{}}
		for i := range c.came {
			if !f.take(&c.came[i]) || f.take(&c.came[i]) {
				t.Errorf("%s: what is new and what was seen is not told apart", c.name)
			}
		}
		if f.over(c.quiet) != c.over {
			t.Errorf("%s: over %v, want %v", c.name, !c.over, c.over)
		}
	}
}
