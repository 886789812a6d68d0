package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// board is a store of notes in memory.
type board struct {
	mu    sync.Mutex
	notes map[string][]byte
}

func (b *board) Put(_ context.Context, key string, value []byte, _ time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.notes == nil {
		b.notes = map[string][]byte{}
	}
	b.notes[key] = value
	return nil
}

func (b *board) Remove(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.notes, key)
	return nil
}

func (b *board) List(context.Context) (map[string][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.notes), nil
}

// template is a driver whose template for groups is wrong until it is mended, and which never takes
// one message.
type template struct {
	limits vendors.Limits
	poison string

	mu      sync.Mutex
	mended  bool
	refused int // pushes of groups, but of the poison
	tried   int // of the poison
}

func (d *template) Push(_ context.Context, b vendors.Batch) []vendors.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	results := make([]vendors.Result, len(b.Devices))
	for i, x := range b.Devices {
		results[i] = vendors.Result{Reason: vendors.Accepted}
		n := x.Notification
		poison := n.MessageID == d.poison
		if n.Kind == vendors.KindGroup && (!d.mended || poison) {
			results[i] = vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind, Code: "10041"}
			if poison {
				d.tried++
			} else {
				d.refused++
			}
		}
	}
	return results
}

func (d *template) Limits() vendors.Limits { return d.limits }
func (d *template) Close()                 {}

// street is workers of one certificate in virtual time.
type street struct {
	t     *testing.T
	queue *dispatchtest.Queue
	notes *board
	// devices is nobody's where nil, and accepted may be nil.
	devices  send.Devices
	accepted send.Acceptances
}

// worker runs a worker until stop.
func (s *street) worker(name string, driver vendors.Driver) (sender *send.Sender, stop func()) {
	queue := s.queue.Connect()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	recorder := store.NewRecorder(context.Background(), store.Options{Queue: queue, Log: log, Now: time.Now})
	devices := s.devices
	if devices == nil {
		devices = people{}
	}
	sender = &send.Sender{
		Certificate: send.Certificate{App: "demo", Vendor: "xiaomi", ID: "c", Driver: driver, Concurrency: 4},
		Recorder:    recorder, Devices: devices, Accepted: s.accepted, Log: log, Now: time.Now,
	}
	b := parking.NewBoard(s.notes, name, log)
	sender.Parked = func(open bool, since time.Time, r vendors.Result) { b.Tell("c", open, since, r) }
	sender.ParkedKind = func(kind vendors.Kind, open bool, since time.Time, r vendors.Result) {
		b.Tell(parking.KindKey("c", kind), open, since, r)
	}
	b.Add("c", sender.Follow)
	b.Add(parking.KindKey("c", vendors.KindGroup), func(open bool, why vendors.Reason, since time.Time) {
		sender.FollowKind(vendors.KindGroup, open, why, since)
	})
	sender.Start(ctx, context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	wg.Go(func() {
		sender.Serve(ctx, hongyan.LaneNormal, queue.Source(hongyan.Subjects{}.Job("xiaomi", "c", hongyan.LaneNormal), 200))
	})
	return sender, func() {
		cancel()
		sender.Stop()
		wg.Wait()
		recorder.Wait()
	}
}

// put stores a job of a message of a kind.
func (s *street) put(id string, kind vendors.Kind) {
	s.t.Helper()
	now := time.Now()
	j := &dispatch.Job{App: "demo", Vendor: "xiaomi", Certificate: "c", Lane: hongyan.LaneNormal, Published: now, Decided: now,
		Targets:      []dispatch.Target{{User: id, Device: "d", Token: "t-" + id}},
		Notification: &vendors.Notification{Key: id, MessageID: id, Kind: kind, Title: "t", Body: "b", Deadline: now.Add(24 * time.Hour)}}
	data, err := j.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	if errs := s.queue.Publish(s.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Job("xiaomi", "c", hongyan.LaneNormal), ID: j.Name(), Data: data}}); errs != nil {
		s.t.Fatal(errs)
	}
}

// fate is what the records say of a message: its end, and whether it waited because it was parked.
type fate struct {
	end    dispatch.Ended
	parked bool
}

func (s *street) fates() map[string]fate {
	s.t.Helper()
	fates := map[string]fate{}
	for _, m := range s.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(m.Data)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range ends {
			f := fates[e.MessageID]
			if e.Status.End() {
				f.end = e
			}
			f.parked = f.parked || e.Reason == hongyan.Parked
			fates[e.MessageID] = f
		}
	}
	return fates
}

// A wrong template for groups parks pushes of groups, on all workers, while the others go on; one
// of them probes, and opens it again when the template is mended.
func TestAKindIsParkedAlone(t *testing.T) {
	for name, limits := range map[string]vendors.Limits{"single": {Batch: 1}, "mixed": {Batch: 100, Mixed: 100}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &street{t: t, queue: dispatchtest.New(), notes: &board{}}
				driver := &template{limits: limits}
				one, stopOne := s.worker("one", driver)
				two, stopTwo := s.worker("two", driver)
				began := time.Now()
				const (
					// One message of each kind a second, and the template is mended after half of
					// them: after 150 seconds.
					n = 300
					// Until then each of the two workers has two refused before it parks the kind,
					// by four calls under way at most, and probes after 1, 2, 4, 8 and 16 seconds
					// and then every 30: nine times.
					mostRefused = 2 * (4 + 9)
					// A probe finds out that it is mended within another 30 seconds, and the other
					// worker is told of it; from then on nothing waits.
					open = n/2 + 40
					// What was parked comes again when it is up to twice as old, so within twice
					// the 180 seconds until the kind is open again.
					mostParked = 6*time.Minute + 2*time.Second
					// What nobody parks is sent when it comes.
					mostFree = time.Second
				)
				for i := range n {
					if i == n/2 {
						if notes, _ := s.notes.List(t.Context()); notes[parking.KindKey("c", vendors.KindGroup)] == nil {
							t.Errorf("the other worker is not told: %v", notes)
						}
						driver.mu.Lock()
						if driver.refused > mostRefused {
							t.Errorf("%d pushes of groups were tried with the wrong template", driver.refused)
						}
						driver.mended = true
						driver.mu.Unlock()
					}
					s.put(fmt.Sprintf("c%d", i), vendors.KindC2C)
					s.put(fmt.Sprintf("g%d", i), vendors.KindGroup)
					time.Sleep(time.Second)
				}
				time.Sleep(mostParked)
				for _, x := range []*send.Sender{one, two} {
					if state, _, _ := x.State(); state != parking.Closed {
						t.Error("the certificate is parked")
					}
				}
				stopOne()
				stopTwo()
				waited, fates := 0, s.fates()
				for i := range n {
					sent := began.Add(time.Duration(i) * time.Second)
					for kind, most := range map[string]time.Duration{"c": mostFree, "g": mostParked} {
						if kind == "g" && i > open {
							most = mostFree
						}
						id := fmt.Sprint(kind, i)
						f := fates[id]
						if took := f.end.At.Sub(sent); f.end.Status != hongyan.StatusAccepted || f.end.Attempt != 1 || took > most {
							t.Fatalf("%s ended %+v after %v", id, f.end, took)
						}
						if f.parked {
							waited++
							if kind == "c" {
								t.Errorf("%s was parked", id)
							}
						}
					}
				}
				if waited == 0 {
					t.Error("no push says that it was parked")
				}
				if note := s.notes.notes["c"]; note != nil {
					t.Errorf("a note says that the certificate is parked: %s", note)
				}
			})
		})
	}
}

// Where one message alone is refused for its kind's template, which takes the others, it is the
// message's fault: it ends, and delays nobody.
func TestOneTextThatATemplateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			// One message a second, for as long as the refused one is tried: eight attempts are
			// seven waits of at most two seconds, doubled each time, four minutes in all. Half an
			// hour shows that nobody waits for it afterwards either.
			n = 1800
			// Eight attempts count. Before, it is tried until another message of its kind is
			// accepted after it was published, which is so the second time.
			mostTried = 8 + 1
		)
		s := &street{t: t, queue: dispatchtest.New(), notes: &board{}}
		driver := &template{limits: vendors.Limits{Batch: 1}, mended: true, poison: "g20"}
		_, stop := s.worker("one", driver)
		began := time.Now()
		for i := range n {
			s.put(fmt.Sprintf("g%d", i), vendors.KindGroup)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		stop()
		fates := s.fates()
		for i := range n {
			id := fmt.Sprint("g", i)
			switch end := fates[id].end; {
			case id == driver.poison:
				if end.Status != hongyan.StatusDead || end.Reason != vendors.Refused || end.VendorCode != "10041" {
					t.Errorf("the message that the template refuses ended %+v", end)
				}
			case end.Status != hongyan.StatusAccepted || end.At.Sub(began.Add(time.Duration(i)*time.Second)) > time.Second:
				t.Fatalf("%s ended %+v", id, end)
			}
		}
		if driver.tried > mostTried {
			t.Errorf("it was tried %d times", driver.tried)
		}
	})
}
