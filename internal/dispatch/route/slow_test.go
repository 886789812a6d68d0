package route

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// reporters is a directory in which every device reported a number.
type reporters struct{ err error }

func (r reporters) Lookup(_ context.Context, refs []directory.Ref) ([]*directory.User, error) {
	three := 3
	users := make([]*directory.User, len(refs))
	for i := range refs {
		users[i] = &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.Presence = &hongyan.Presence{State: hongyan.StateBackground, Unread: &three, At: noon}
			d.Heard = time.Now()
		})}}
	}
	return users, r.err
}

func (r reporters) MustConfirm() bool { return false }
func (r reporters) Confirm(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	return r.Lookup(ctx, refs)
}

// sickBadges never answer.
type sickBadges struct{}

func (sickBadges) Change(ctx context.Context, _ []badge.Change) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (sickBadges) Numbers(ctx context.Context, _ []badge.Ref) ([]int, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (sickBadges) Read(string, string, string, time.Time, *int, func(error)) {}

// Where the numbers cannot be stored, a job of an app that counts is decided on after a while;
// those of other apps, and calls, wait for none of that.
func TestDeciderWaitsForNoNumbersOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Decider{Devices: reporters{}, Badges: sickBadges{}, Apps: NewApps(map[string]App{"demo": {Policy: Policy{Badge: BadgeCounted}}, "plain": {}}),
			Log: slog.New(slog.DiscardHandler), Now: time.Now}
		var mu sync.Mutex
		decided := map[string]bool{}
		for _, x := range []struct {
			name, app string
			change    func(*hongyan.Message)
		}{
			{"counted", "demo", nil}, {"plain", "plain", nil}, {"call", "demo", callEvent(hongyan.CallInvite)},
		} {
			job := waited(t, message(x.change), phone(nil))
			job.App = x.app
			d.Decide(t.Context(), job, []int{0}, func([]dispatch.Decided) {
				mu.Lock()
				defer mu.Unlock()
				decided[x.name] = true
			}, func() {})
		}
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		if !decided["plain"] || !decided["call"] || decided["counted"] {
			t.Errorf("after a moment these are decided on: %v", decided)
		}
		mu.Unlock()
		time.Sleep(reportTimeout)
		d.Wait()
		if !decided["counted"] {
			t.Error("a job waits for its number for ever")
		}
	})
}

// Refreshes that are lost are counted: of users beyond those that may wait, and of those whose
// number cannot be read.
func TestRefresherCountsWhatItLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := metric.NewManualReader()
		metrics, err := dispatch.NewMetrics(metric.NewMeterProvider(metric.WithReader(reader)).Meter("test"))
		if err != nil {
			t.Fatal(err)
		}
		f := &Refresher{Badges: sickBadges{}, Devices: reporters{err: errors.New("away")}, Metrics: metrics, Log: slog.New(slog.DiscardHandler), Now: time.Now}
		for i := range mostRefreshes + 3 {
			f.Moved("demo", fmt.Sprint(i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		time.Sleep(5 * time.Minute)
		cancel()
		<-done
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		lost := map[string]int64{}
		for _, m := range all.ScopeMetrics[0].Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "hongyan.badge.refreshes_lost" {
				for _, p := range sum.DataPoints {
					cause, _ := p.Attributes.Value("cause")
					lost[cause.AsString()] = p.Value
				}
			}
		}
		if lost["full"] != 3 || lost["unread"] != mostRefreshes {
			t.Errorf("lost: %v", lost)
		}
	})
}
