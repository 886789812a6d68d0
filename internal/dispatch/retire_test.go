package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

// relay is a certificate whose senders follow one another, in virtual time.
type relay struct {
	t        *testing.T
	ctx      context.Context
	queue    *dispatchtest.Queue
	recorder *store.Recorder
	load     *send.Load
	claims   *store.Claims
	out      chan dispatch.Delivery // the messages
	running  sync.WaitGroup
	cancel   context.CancelFunc
}

func newRelay(t *testing.T) *relay {
	ctx, cancel := context.WithCancel(t.Context())
	log := slog.New(slog.DiscardHandler)
	r := &relay{t: t, ctx: ctx, cancel: cancel, queue: dispatchtest.New(), load: new(send.Load), claims: store.NewClaims(log), out: make(chan dispatch.Delivery)}
	r.recorder = store.NewRecorder(context.WithoutCancel(ctx), store.Options{Queue: r.queue, Log: log, Now: time.Now})
	source := r.queue.Source(hongyan.Subjects{}.Message("demo"), 1000)
	r.running.Go(func() { source.Run(ctx, r.out) })
	return r
}

// sender starts a sender.
func (r *relay) sender(d vendors.Driver) *send.Sender {
	s := &send.Sender{Certificate: send.Certificate{App: "demo", Vendor: "apns", ID: "c", Driver: d, Concurrency: 2},
		Recorder: r.recorder, Devices: people{}, Load: r.load, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	s.Start(r.ctx, context.WithoutCancel(r.ctx))
	return s
}

// serve lets a sender take stored jobs until it retires.
func (r *relay) serve(s *send.Sender) {
	r.running.Go(func() {
		s.Serve(r.ctx, hongyan.LaneNormal, r.queue.Source(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), 16))
	})
}

// send stores a message, and gives its job to a sender.
func (r *relay) send(s *send.Sender, i int) {
	r.t.Helper()
	id := fmt.Sprintf("m-%d", i)
	if errs := r.queue.Publish(r.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message("demo"), ID: "demo/" + id, Data: []byte("{}")}}); errs != nil {
		r.t.Fatal(errs)
	}
	d := <-r.out
	duty := store.NewDuty(r.claims.Take(d), len(d.Data()), func() {})
	note := vendortest.Chat()
	note.MessageID, note.Key, note.Deadline = id, fmt.Sprintf("%032x", i), time.Now().Add(time.Hour)
	duty.Add(1)
	s.Send(&dispatch.Job{ID: "demo/" + id + "/c/x", App: "demo", Vendor: "apns", Certificate: "c", Lane: hongyan.LaneNormal, Published: time.Now(),
		Notification: note, Targets: []dispatch.Target{{User: "u", Device: "d", Token: fmt.Sprintf("%064x", i)}}}, duty, time.Time{})
	duty.Done(true)
}

// finish stops senders, and returns how often each message was accepted, by the records.
func (r *relay) finish(senders ...*send.Sender) (accepted map[string]int) {
	r.t.Helper()
	r.cancel()
	for _, s := range senders {
		s.Stop()
	}
	r.running.Wait()
	r.recorder.Wait()
	if n := r.load.Devices(); n != 0 {
		r.t.Errorf("%d devices are still counted as at hand", n)
	}
	accepted = map[string]int{}
	for _, s := range r.queue.Stored("outcome") {
		records, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range records {
			if e.Status == hongyan.StatusAccepted {
				accepted[e.MessageID]++
			}
		}
	}
	return accepted
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
				r := newRelay(t)
				shut, open := &door{opened: make(chan struct{})}, &door{opened: make(chan struct{})}
				close(open.opened)
				old, next := r.sender(shut), r.sender(open)
				for i := range jobs {
					r.send(old, i)
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
				r.send(old, jobs)
				time.Sleep(time.Second)
				wantPushed, wantStored := jobs-1, 0
				if !succeeded {
					wantPushed, wantStored = 0, jobs-1
				}
				if got := open.count(); got != wantPushed {
					t.Errorf("the successor pushed %d, want %d", got, wantPushed)
				}
				if got := len(r.queue.Stored("job.apns")); got != wantStored {
					t.Errorf("%d jobs are stored, want %d", got, wantStored)
				}
				close(shut.opened)
				old.Stop()
				if n := shut.count(); n != 2 {
					t.Errorf("the former sender pushed %d, want 2", n)
				}
				accepted := r.finish(next)
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

// asking is a source of which a test knows how many jobs it is asked for.
type asking struct {
	dispatch.Source
	more chan func() int
}

func (a *asking) Want(more func() int) { a.more <- more }

// A sender that retired takes no more stored jobs: it would give each of them back at once, and
// they would be taken too often without an end.
func TestRetiredWantsNoJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t)
		s := r.sender(&door{opened: make(chan struct{})})
		jobs := &asking{r.queue.Source(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), 16), make(chan func() int, 1)}
		r.running.Go(func() { s.Serve(r.ctx, hongyan.LaneNormal, jobs) })
		more := <-jobs.more
		if more() == 0 {
			t.Error("it wants no jobs before it retires")
		}
		s.Retire(nil)
		if n := more(); n != 0 {
			t.Errorf("it wants %d jobs", n)
		}
		r.finish(s)
	})
}

// Senders retire, are held, released, parked and stopped in any order, also one that retires while
// it is held or parked, or before the last one has finished, while messages come to whoever was
// known last: each is accepted once, and nothing is left.
func TestRetireHoldAndStopInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			r := newRelay(t)
			vendor := &scripted{limits: vendors.Limits{Batch: 1}}
			vendor.answer = func(_ context.Context, d vendors.Device, n int) vendors.Result {
				time.Sleep(time.Duration(d.Key[31]%7) * 90 * time.Millisecond)
				switch {
				case n == 1 && d.Key[31]%4 == 0:
					return vendors.Result{Reason: vendors.Unavailable}
				case n == 1 && d.Key[31]%5 == 0:
					return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 2 * time.Second}
				}
				return vendors.Result{Reason: vendors.Accepted}
			}
			const messages = 400
			held := false
			all := []*send.Sender{r.sender(vendor)}
			r.serve(all[0])
			for i := range messages {
				r.send(all[len(all)-1-rnd.IntN(min(len(all), 3))], i)
				time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
				now := all[len(all)-1]
				switch rnd.IntN(60) {
				case 0, 1:
					held = !held
					now.Hold(held)
				case 2:
					now.Follow(true, vendors.Unavailable, time.Now())
				case 3, 4, 5: // its configuration changed
					next := r.sender(vendor)
					next.Hold(held)
					now.Retire(next)
					r.serve(next)
					r.running.Go(now.Stop)
					all = append(all, next)
				case 6: // it was taken out, and comes back
					now.Retire(nil)
					r.running.Go(now.Stop)
					r.send(now, messages+i)
					time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
					next := r.sender(vendor)
					next.Hold(held)
					r.serve(next)
					all = append(all, next)
				}
			}
			all[len(all)-1].Hold(false)
			time.Sleep(5 * time.Minute)
			left := 0
			for _, stream := range []string{"message", "job.apns", "later"} {
				for _, m := range r.queue.Stored(stream) {
					if !m.Done {
						left++
					}
				}
			}
			sent := len(r.queue.Stored("message"))
			accepted := r.finish(all...)
			if left > 0 || len(accepted) != sent {
				t.Errorf("seed %d: %d of %d messages were accepted, %d messages and jobs are left", seed, len(accepted), sent, left)
			}
			for id, n := range accepted {
				if n != 1 {
					t.Errorf("seed %d: %s was accepted %d times", seed, id, n)
				}
			}
		})
	}
}
