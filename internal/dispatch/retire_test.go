package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// door is a driver whose calls wait until it is opened.
type door struct {
	opened chan struct{}

	mu     sync.Mutex
	pushes int
}

func (d *door) Push(_ context.Context, batch vendors.Batch) []vendors.Result {
	d.mu.Lock()
	d.pushes += len(batch.Devices)
	d.mu.Unlock()
	<-d.opened
	return vendors.All(len(batch.Devices), vendors.Result{Reason: vendors.Accepted})
}

func (d *door) Limits() vendors.Limits { return vendors.Limits{Batch: 1} }
func (d *door) Close()                 {}

func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pushes
}

// A sender retires with two calls under way and many jobs at hand. They go to its successor at
// once, and so does what comes later; without one they are stored. The calls end by themselves.
func TestRetire(t *testing.T) {
	t.Parallel()
	const jobs = 30
	for name, succeeded := range map[string]bool{"successor": true, "nobody": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				queue := dispatchtest.New()
				ctx, cancel := context.WithCancel(t.Context())
				log := slog.New(slog.DiscardHandler)
				recorder := store.NewRecorder(context.WithoutCancel(ctx), store.Options{Queue: queue, Log: log, Now: time.Now})
				flights := new(send.Flights)
				start := func(d *door) *send.Sender {
					s := &send.Sender{Certificate: send.Certificate{App: "demo", Vendor: "apns", ID: "c", Driver: d, Concurrency: 2},
						Recorder: recorder, Devices: people{}, Flights: flights, Log: log, Now: time.Now}
					s.Start(ctx, context.WithoutCancel(ctx))
					return s
				}
				shut, open := &door{opened: make(chan struct{})}, &door{opened: make(chan struct{})}
				close(open.opened)
				old, next := start(shut), start(open)

				claims := store.NewClaims(log)
				source, out := queue.Source(hongyan.Subjects{}.Message("demo"), jobs+1), make(chan dispatch.Delivery, jobs+1)
				var pulling sync.WaitGroup
				pulling.Go(func() { source.Run(ctx, out) })
				sendOne := func(i int) {
					id := fmt.Sprintf("m-%d", i)
					if errs := queue.Publish(t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message("demo"), ID: "demo/" + id, Data: []byte("{}")}}); errs != nil {
						t.Fatal(errs)
					}
					d := <-out
					duty := store.NewDuty(claims.Take(d), len(d.Data()), func() {})
					note := vendortest.Chat()
					note.MessageID, note.Key, note.Deadline = id, fmt.Sprintf("%032x", i), time.Now().Add(time.Hour)
					duty.Add(1)
					old.Send(&dispatch.Job{ID: "demo/" + id + "/c/x", App: "demo", Vendor: "apns", Certificate: "c", Lane: hongyan.LaneNormal, Published: time.Now(),
						Notification: note, Targets: []dispatch.Target{{User: "u", Device: "d", Token: fmt.Sprintf("%064x", i)}}}, duty, time.Time{})
					duty.Done(true)
				}
				for i := range jobs {
					sendOne(i)
				}
				synctest.Wait()
				if n := shut.count(); n != 2 {
					t.Fatalf("%d calls are under way, want 2", n)
				}
				if succeeded {
					old.Retire(next)
				} else {
					old.Retire(nil)
				}
				sendOne(jobs)
				time.Sleep(time.Second)
				wantPushed, wantStored := jobs-1, 0
				if !succeeded {
					wantPushed, wantStored = 0, jobs-1
				}
				if got := open.count(); got != wantPushed {
					t.Errorf("the successor pushed %d, want %d", got, wantPushed)
				}
				if got := len(queue.Stored("job.apns")); got != wantStored {
					t.Errorf("%d jobs are stored, want %d", got, wantStored)
				}
				close(shut.opened)
				old.Stop()
				if n := shut.count(); n != 2 {
					t.Errorf("the former sender pushed %d, want 2", n)
				}
				cancel()
				next.Stop()
				pulling.Wait()
				recorder.Wait()
				flights.Close()
				accepted := map[string]int{}
				for _, s := range queue.Stored("outcome") {
					records, err := dispatch.ParseEnded(s.Data)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range records {
						if e.Status == hongyan.StatusAccepted {
							accepted[e.MessageID]++
						}
					}
				}
				if len(accepted) != 2+wantPushed {
					t.Errorf("%d messages were accepted, want %d", len(accepted), 2+wantPushed)
				}
				for id, n := range accepted {
					if n != 1 {
						t.Errorf("%s was accepted %d times", id, n)
					}
				}
			})
		})
	}
}
