package ratelimit

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What one device got too often says nothing of the certificate's rate.
func TestOutcomeOfLeavesOutADevicesShare(t *testing.T) {
	t.Parallel()
	got := OutcomeOf([]vendors.Result{
		{Reason: vendors.RateLimited, Scope: vendors.ScopeDevice, RetryAfter: time.Minute},
		{Reason: vendors.RateLimited, RetryAfter: time.Second},
		{Reason: vendors.Accepted},
	}, time.Time{})
	if want := (Outcome{Counted: 1, RateLimited: 1, RetryAfter: time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
