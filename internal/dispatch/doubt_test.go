package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// lately remembers when a push was accepted last.
type lately struct {
	mu sync.Mutex
	at time.Time
}

func (l *lately) Saw(_ string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = now
}

func (l *lately) Lately(_ string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.at.IsZero() && now.Sub(l.at) < 10*time.Minute
}

// A code that calls a token dead, and may also mean a wrong topic or project, removes no
// registration, however many get it, until the certificate has pushes that are accepted.
func TestDoubtfulDeadTokensStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices := &tellers{}
		s := &street{t: t, queue: dispatchtest.New(), notes: &board{}, devices: devices, accepted: &lately{}}
		var well atomic.Bool
		driver := &scripted{limits: vendors.Limits{Batch: 1}, answer: func(_ context.Context, d vendors.Device, _ int) vendors.Result {
			if well.Load() && d.Token == "t-good" {
				return vendors.Result{Reason: vendors.Accepted}
			}
			return vendors.Result{Reason: vendors.BadToken, Doubtful: true, Code: "BadDeviceToken"}
		}}
		_, stop := s.worker("one", driver)
		const n = 300
		for i := range n {
			s.put(fmt.Sprint("early", i), vendors.KindC2C)
		}
		time.Sleep(time.Minute)
		if devices.count() > 0 {
			t.Errorf("%d registrations were dropped while nothing is accepted", devices.count())
		}
		well.Store(true)
		s.put("good", vendors.KindC2C)
		time.Sleep(time.Second)
		s.put("late", vendors.KindC2C)
		time.Sleep(time.Second)
		stop()
		fates := s.fates()
		for id, want := range map[string]hongyan.Reason{"early0": vendors.NotDisplayed, "early299": vendors.NotDisplayed, "good": vendors.Accepted, "late": vendors.BadToken} {
			if got := fates[id].end; got.Reason != want || want != vendors.Accepted && got.VendorCode != "BadDeviceToken" {
				t.Errorf("%s ended %s, code %q; want %s", id, got.Reason, got.VendorCode, want)
			}
		}
		if devices.dropped != 1 {
			t.Errorf("%d registrations were dropped, want that of the one after an acceptance", devices.dropped)
		}
	})
}
