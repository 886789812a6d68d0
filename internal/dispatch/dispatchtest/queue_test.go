package dispatchtest_test

import (
	"testing"
	"testing/synctest"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
)

func TestQueue(t *testing.T) {
	dispatchtest.RunQueue(t, func(t *testing.T, test func(*testing.T, *dispatchtest.Tested)) {
		synctest.Test(t, func(t *testing.T) {
			q := dispatchtest.New()
			fail := func(stream string, f dispatchtest.Fault) (heal func()) {
				q.Fail(stream, f)
				return func() { q.Fail(stream, dispatchtest.Fault{}) }
			}
			test(t, &dispatchtest.Tested{
				Queue: q, Records: q.Records, Outcomes: q.Outcomes, ClaimFor: dispatchtest.AckWait,
				Source: func(lane string, hold int) dispatch.Source {
					return q.Source(hongyan.Subjects{}.Job("apns", "c", lane), hold)
				},
				Fill:  func() func() { return fail("job.apns", dispatchtest.Fault{Refuse: dispatch.ErrFull}) },
				Leave: func() func() { return fail("job.apns", dispatchtest.Fault{Refuse: dispatch.ErrAway, LoseAcks: true}) },
				Unheard: func(msgs []dispatch.Outgoing) []error {
					defer fail("job.apns", dispatchtest.Fault{LosePubAcks: true})()
					return q.Publish(t.Context(), msgs)
				},
			})
		})
	})
}
