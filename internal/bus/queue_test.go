package bus_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
)

// The bus is the queue that package dispatch wants, and the memory queue of its tests no better
// one.
func TestQueue(t *testing.T) {
	if testing.Short() {
		t.Skip("claims last fifteen seconds")
	}
	t.Parallel()
	dispatchtest.RunQueue(t, func(t *testing.T, test func(*testing.T, *dispatchtest.Tested)) {
		t.Parallel()
		dir := t.TempDir()
		srv := bustest.StartServer(t, &server.Options{StoreDir: dir})
		b := bustest.Connect(t, srv.ClientURL(), bus.Topology{}, "apns")
		ctx, cancel := context.WithCancel(t.Context())
		var waking sync.WaitGroup
		waking.Go(func() { b.Wake(ctx) })
		defer waking.Wait()
		defer cancel()
		port := srv.Addr().(*net.TCPAddr).Port
		source := func(lane string, hold int) dispatch.Source {
			c, err := b.JobConsumer(t.Context(), "apns", "c", lane, hold)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for _, lane := range []string{hongyan.LaneUrgent, hongyan.LaneNormal} {
			source(lane, 1)
		}
		// What is older than its consumer, or hardly younger, may have been delivered by an earlier
		// one.
		time.Sleep(2100 * time.Millisecond)
		test(t, &dispatchtest.Tested{
			Queue: b, Records: b.Records, Outcomes: b.Outcomes, ClaimFor: 15 * time.Second, Source: source,
			Fill: func() func() { return fill(t, b, b.Topology().Jobs("apns")) },
			Leave: func() func() {
				srv.Shutdown()
				srv.WaitForShutdown()
				for b.Connected() {
					time.Sleep(time.Millisecond) // polling the connection
				}
				return func() { bustest.StartServer(t, &server.Options{StoreDir: dir, Port: port}) }
			},
			Unheard: func(msgs []dispatch.Outgoing) []error {
				gone, cancel := context.WithCancel(t.Context())
				cancel()
				errs := b.Publish(gone, msgs)
				all := make([]error, len(msgs))
				for i := range all {
					if all[i] = context.Canceled; errs != nil && errs[i] != nil { // else the answer was faster
						all[i] = errs[i]
					}
				}
				return all
			},
		})
	})
}

// fill makes a stream take nothing more.
func fill(t *testing.T, b *bus.Bus, stream string) (heal func()) {
	js := jetStream(t, b.URL())
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	was := s.CachedInfo().Config
	full := was
	full.MaxMsgs, full.DiscardNewPerSubject = int64(s.CachedInfo().State.Msgs), false
	if _, err := js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := js.UpdateStream(t.Context(), was); err != nil {
			t.Fatal(err)
		}
	}
}
