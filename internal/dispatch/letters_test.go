package dispatch

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Every dead letter says why, in the driver's words where it has some.
func TestDeadLettersSayWhy(t *testing.T) {
	t.Parallel()
	job := &Job{App: "demo", Vendor: "fcm", Certificate: "c", Lane: hongyan.LaneNormal, Published: time.Now(),
		Targets: []Target{{User: "bob", Device: "d", Token: "t"}}, Notification: &vendors.Notification{MessageID: "m-1"}}
	for _, reason := range hongyan.Results {
		for _, last := range []vendors.Result{{Reason: reason}, {Reason: reason, Code: "17"}, {Reason: vendors.Timeout}, {Reason: reason, Err: errors.New("gone")}} {
			letter, err := DeadJob(hongyan.Subjects{}, job, reason, last, "id")
			if err != nil {
				t.Fatal(err)
			}
			said := letter.Header[HeaderError]
			if len(said) < 4 || last.Err != nil && said != "gone" || last.Reason != reason && !strings.HasPrefix(said, last.Reason.String()+": ") {
				t.Errorf("%v after %+v: Push-Error is %q", reason, last, said)
			}
		}
	}
}
