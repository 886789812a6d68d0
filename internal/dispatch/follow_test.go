package dispatch

import (
	"log/slog"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A sender follows another worker's word about its certificate, unless its own pushes got through
// after it.
func TestSenderFollows(t *testing.T) {
	t.Parallel()
	now := noon
	for _, c := range []struct {
		name    string
		success time.Time // of this sender's last push; zero for none
		since   time.Time
		want    BreakerState
	}{
		{name: "idle", since: now.Add(-time.Hour), want: Open},
		{name: "well-before", success: now.Add(-2 * time.Minute), since: now.Add(-time.Minute), want: Open},
		// The other worker's clock may be behind.
		{name: "well-at-the-same-time", success: now, since: now.Add(-3 * time.Second), want: Open},
		{name: "well-after", success: now, since: now.Add(-time.Minute), want: Closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &Sender{Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), breaker: NewBreaker(BreakerOptions{})}
			if !c.success.IsZero() {
				s.breaker.Record([]vendors.Result{{Reason: vendors.Accepted}}, false, c.success, c.success)
			}
			s.Follow(true, vendors.BadCredentials, c.since)
			if got, _, _ := s.State(); got != c.want {
				t.Errorf("the breaker is %v, want %v", got, c.want)
			}
		})
	}
}
