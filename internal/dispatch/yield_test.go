package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// readers knows of nobody, takes a while to say so, and remembers how many users it was asked about
// at once.
type readers struct {
	people
	mu   sync.Mutex
	most map[string]int // by app
}

func (r *readers) Lookup(_ context.Context, refs []directory.Ref) ([]*directory.User, error) {
	r.mu.Lock()
	if r.most == nil {
		r.most = map[string]int{}
	}
	r.most[refs[0].App] = max(r.most[refs[0].App], len(refs))
	r.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	return make([]*directory.User, len(refs)), nil
}

// What an app published in masses is planned a little at a time while somebody else chats, and all
// at once while nobody does.
func TestMassesYield(t *testing.T) {
	for name, c := range map[string]struct {
		yields, chats bool
		most          int // messages that are planned together
	}{
		"alone":            {true, false, 256},
		"somebody_chats":   {true, true, 64},
		"urgent_or_pieces": {false, true, 256},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, known, log := dispatchtest.New(), &readers{}, slog.New(slog.DiscardHandler)
				ctx, cancel := context.WithCancel(t.Context())
				recorder := store.NewRecorder(ctx, store.Options{Queue: queue, Log: log, Now: time.Now})
				router := &route.Router{Recorder: recorder, Devices: known, Apps: route.NewApps(map[string]route.App{"calm": {}, "loud": {}}),
					Turns: turns.New(2), Yields: c.yields, Log: log, Now: time.Now}
				publish := func(app string, n int) {
					for i := range n {
						m := chat(fmt.Sprint(app, i), "bob")
						data, err := json.Marshal(m)
						if err != nil {
							t.Fatal(err)
						}
						if errs := queue.Publish(ctx, []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message(app), Data: data}}); errs != nil {
							t.Fatal(errs)
						}
					}
				}
				var wg sync.WaitGroup
				for _, app := range []string{"calm", "loud"} {
					wg.Go(func() { router.Run(ctx, t.Context(), queue.Source(hongyan.Subjects{}.Message(app), 2048)) })
				}
				if c.chats {
					publish("calm", 1)
					time.Sleep(100 * time.Millisecond)
				}
				publish("loud", 1)
				synctest.Wait() // it is looked up, and all else waits for that
				publish("loud", 1100)
				time.Sleep(time.Second / 2)
				cancel()
				wg.Wait()
				recorder.Wait()
				if got := known.most["loud"]; got != c.most {
					t.Errorf("%d messages were planned together, not %d", got, c.most)
				}
			})
		})
	}
}
