package parking_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/notestest"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const certificate = "35001"

// worker has a breaker of one certificate, shared as a sender shares it.
type worker struct {
	t     *testing.T
	board *parking.Board
	stop  func()

	mu      sync.Mutex
	breaker *parking.Breaker
}

func start(t *testing.T, room parking.Store, name string) *worker {
	w := &worker{t: t, board: parking.NewBoard(room, name, nil), breaker: parking.New(parking.Options{})}
	for i := range 1000 { // configured, and well
		w.board.Add(fmt.Sprint("other", i), func(bool, vendors.Reason, time.Time) { t.Error("a certificate that is well is followed") })
	}
	w.board.Add(certificate, func(open bool, why vendors.Reason, since time.Time) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.breaker.Follow(open, why, since, time.Now())
	})
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { w.board.Run(ctx) })
	w.stop = func() { cancel(); run.Wait() }
	t.Cleanup(w.stop)
	return w
}

// push makes a call, if the breaker allows one, that ends with the reason.
func (w *worker) push(r vendors.Reason) (made bool) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	ok, probe, _ := w.breaker.Allow(now)
	if !ok {
		return false
	}
	rs := []vendors.Result{{Reason: r, Code: "14", Err: errors.New("invalid app_key")}}
	changed := w.breaker.Record(device("d", "n"), rs, probe, now, now)
	state, _, since := w.breaker.State()
	if changed || probe && state == parking.Open {
		w.board.Tell(certificate, state == parking.Open, since, rs[0])
	}
	return true
}

// pushes makes a call whenever one is allowed, for a time, and counts them.
func (w *worker) pushes(r vendors.Reason, d time.Duration) (n int) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if w.push(r) {
			n++
		}
	}
	return n
}

func (w *worker) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	state, _, _ := w.breaker.State()
	return state == parking.Open
}

func TestBoardParksAndWakesAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		a, b, c := start(t, room, "a"), start(t, room, "b"), start(t, room, "c")
		a.push(vendors.BadCredentials)
		time.Sleep(1100 * time.Millisecond)
		if !b.open() || !c.open() {
			t.Fatal("what one worker found out does not park the others within a second")
		}
		notes, err := room.List(t.Context())
		var n parking.Note
		if err != nil || json.Unmarshal(notes[certificate], &n) != nil {
			t.Fatalf("%v, %q", err, notes)
		}
		if n.Reason != "bad_credentials" || n.Code != "14" || n.Error != "invalid app_key" || n.Worker != "a" || n.Since.IsZero() || !n.Over.IsZero() {
			t.Errorf("the note is %+v", n)
		}
		if got := a.pushes(vendors.BadCredentials, 5*time.Minute); got > 15 {
			t.Errorf("%d probes in five minutes", got)
		}
		if !b.open() || !c.open() {
			t.Error("the others' parking ended, while the certificate is in trouble")
		}
		if got := room.Puts(); got > 5*4+10 {
			t.Errorf("%d notes were written in five minutes for one parked certificate", got)
		}
		if b.pushes(vendors.Accepted, 2*time.Second) == 0 || b.open() {
			t.Fatal("b does not probe, or stays parked")
		}
		time.Sleep(1100 * time.Millisecond)
		if !a.push(vendors.Accepted) || !c.push(vendors.Accepted) || a.open() || c.open() {
			t.Error("one worker got through, but the others do not probe at once")
		}
	})
}

// On a cluster a read may come from a replica that lags: that it lacks a worker's own note must not
// end its parking, and that it shows an old one must not park anew for long.
func TestBoardAndReplicasThatLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		a, b := start(t, room, "a"), start(t, room, "b")
		a.push(vendors.BadCredentials)
		a.pushes(vendors.BadCredentials, 2*time.Minute) // until it probes every 30 s
		room.Behind(20 * time.Minute)                   // a replica that does not even have the first one
		if got := a.pushes(vendors.BadCredentials, 5*time.Minute); got > 11 || got < 9 {
			t.Errorf("%d probes in five minutes, want one every 30 s", got)
		}
		room.Behind(0)
		time.Sleep(1500 * time.Millisecond)
		if !b.open() {
			t.Error("b is not parked")
		}
		room.Behind(3 * time.Second)
		b.pushes(vendors.Accepted, 31*time.Second)
		if b.open() {
			t.Error("b got through, and is parked again by an old note")
		}
		time.Sleep(5 * time.Second)
		if !a.push(vendors.Accepted) {
			t.Error("a did not hear that the trouble is over")
		}
	})
}

// A worker that dies or leaves takes its word along: the others find out for themselves.
func TestBoardAndWorkersThatGo(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			room := &notestest.Room{}
			a, b := start(t, room, "a"), start(t, room, "b")
			a.push(vendors.BadCredentials)
			time.Sleep(2 * time.Second)
			if crash {
				room.Fail(errors.New("unreachable"))
			}
			a.stop()
			room.Fail(nil)
			b.pushes(vendors.BadCredentials, 90*time.Second) // longer than the note lives
			if !b.open() {
				t.Fatal("b is not parked")
			}
			notes, err := room.List(t.Context())
			var n parking.Note
			if err != nil || json.Unmarshal(notes[certificate], &n) != nil || n.Worker != "b" {
				t.Errorf("b, which found the same, does not say so: %v, %v", err, n)
			}
		})
	}
}

// A store that is away costs nothing but the sharing; what is to be said is said when it is back.
func TestBoardWithoutStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		room.Fail(errors.New("unreachable"))
		a, b := start(t, room, "a"), start(t, room, "b")
		a.push(vendors.BadCredentials)
		time.Sleep(10 * time.Second)
		if !a.open() || b.open() {
			t.Error("without a store each worker has its own state")
		}
		room.Fail(nil)
		time.Sleep(2500 * time.Millisecond)
		if !b.open() {
			t.Error("the store is back, and b does not hear of it")
		}
	})
}
