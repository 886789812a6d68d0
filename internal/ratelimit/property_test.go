package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// world runs workers against a vendor that counts by its own clock, in any order: whenever a worker
// calls the store, others may act before the call is carried out.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	store   *ratelimittest.Store
	now     time.Time // the vendor's clock
	cert    ratelimit.Certificate
	limit   int64
	trouble bool // a store that fails
	crashes bool
	workers []*worker
	born    int
	flights []*flight
	counted map[string]int64 // by the vendor's day
}

type worker struct {
	l       *ratelimit.Limiter
	skew    time.Duration
	busy    bool // in a call of the store, under this one on the stack
	flights int
}

// flight is a call on its way to the vendor.
type flight struct {
	w      *worker
	g      ratelimit.Grant
	arrive time.Time
}

const callTime = 10 * time.Second

func newWorld(t *testing.T, seed uint64, limit int64, trouble, crashes bool) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), limit: limit, trouble: trouble, crashes: crashes, counted: map[string]int64{}}
	w.now = noon
	w.cert = quota(vendors.Quota(limit))
	if seed%2 == 1 {
		w.cert.UrgentReserve = 0.25
	}
	w.store = &ratelimittest.Store{Now: func() time.Time { return w.now }}
	w.store.Fault = func(ratelimittest.Call) ratelimittest.Fault {
		w.someElse()
		if w.trouble && w.rnd.IntN(10) == 0 {
			return ratelimittest.Fault(1 + w.rnd.IntN(3))
		}
		return ratelimittest.None
	}
	for range 4 {
		w.workers = append(w.workers, w.join())
	}
	return w
}

func (w *world) join() *worker {
	w.born++
	wk := &worker{skew: time.Duration(w.rnd.IntN(9)-4) * time.Second}
	l, err := ratelimit.New(w.store, ratelimit.Options{
		Member: fmt.Sprint("w", w.born), Certificates: []ratelimit.Certificate{w.cert}, Now: func() time.Time { return w.now.Add(wk.skew) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	wk.l = l
	return wk
}

// someElse lets workers that are not in the middle of something act.
func (w *world) someElse() {
	for w.rnd.IntN(3) == 0 {
		w.step()
	}
}

func (w *world) step() {
	i := w.rnd.IntN(len(w.workers))
	wk := w.workers[i]
	if wk.busy {
		return
	}
	wk.busy = true
	defer func() { wk.busy = false }()
	local := w.now.Add(wk.skew)
	switch p := w.rnd.IntN(100); {
	case p < 55:
		r := request(1+w.rnd.IntN(30), local)
		r.Urgent = w.rnd.IntN(4) == 0
		g := take(w.t, wk.l, r)
		if g.Devices > 0 {
			// Not before the clock of a nested step went on, not after the call's own time from
			// when it was granted.
			wk.flights++
			w.flights = append(w.flights, &flight{wk, g, w.now.Add(time.Duration(w.rnd.Int64N(int64(callTime) / 2)))})
		}
	case p < 80:
		w.land()
	case p < 90:
		wk.l.Heartbeat(w.t.Context(), local)
	case p < 93 && w.crashes: // a crash: what it held is lost, its calls are under way all the same
		w.workers[i] = w.join()
	case p < 95 && wk.flights == 0: // a graceful stop, with a store that may fail
		err := wk.l.Close(w.t.Context())
		for err != nil && w.trouble && !w.crashes { // until it has returned everything
			err = wk.l.Close(w.t.Context())
		}
		if err != nil && !w.trouble {
			w.t.Errorf("Close: %v", err)
		}
		w.workers[i] = w.join()
	}
}

// land lets the calls arrive whose time has come.
func (w *world) land() {
	for i := 0; i < len(w.flights); {
		f := w.flights[i]
		if f.arrive.After(w.now) || f.w.busy && w.rnd.IntN(2) == 0 {
			i++
			continue
		}
		w.flights = append(w.flights[:i:i], w.flights[i+1:]...)
		n := w.rnd.IntN(f.g.Devices + 1)
		if w.rnd.IntN(3) > 0 {
			n = f.g.Devices
		}
		day := w.now.In(shanghai).Format("20060102")
		w.counted[day] += int64(n)
		if w.counted[day] > w.limit {
			w.t.Fatalf("the vendor counted %d on %s, limit %d", w.counted[day], day, w.limit)
		}
		f.w.flights--
		f.w.l.Settle(f.g, counted(n, w.now.Add(f.w.skew)))
	}
}

// pass lets time pass, never past a call's arrival.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := end
		for _, f := range w.flights {
			if f.arrive.Before(next) {
				next = f.arrive
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		w.land()
		if !w.now.Before(end) {
			return
		}
	}
}

// TestQuotaNeverExceeded: lease, spend, return, crash, midnight, clocks that differ, a store that
// fails, in any order.
func TestQuotaNeverExceeded(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	used, days := int64(0), int64(0)
	for seed := range seeds {
		w := newWorld(t, seed, []int64{0, 1, 7, 100, 1000, 20_000}[seed%6], true, true)
		for range 300 {
			w.step()
			w.pass(time.Duration(w.rnd.IntN(1500)) * time.Millisecond)
			if w.rnd.IntN(100) == 0 { // to just before the next midnight
				y, m, d := w.now.In(shanghai).Date()
				if next := time.Date(y, m, d+1, 0, 0, -20, 0, shanghai); next.After(w.now) {
					w.pass(next.Sub(w.now))
				}
			}
		}
		for _, n := range w.counted {
			if w.limit > 0 && w.limit <= 100 {
				used += n * 100 / w.limit
				days++
			}
		}
	}
	// The invariant alone would hold if nothing were ever sent.
	if days == 0 || used/days < 20 {
		t.Errorf("on average only %d %% of the quota was used on %d days: the test does not test enough", used/max(1, days), days)
	}
}

// TestQuotaIsUsedUpWithoutCrashes: the same without crashes, with a store that works and with one
// that loses every tenth request or answer: what is asked for long enough is granted to the last
// unit, in any interleaving.
func TestQuotaIsUsedUpWithoutCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		w := newWorld(t, seed, []int64{1, 7, 100, 500}[seed/4%4], seed/2%2 == 1, false)
		for range 3000 {
			w.step()
			w.pass(time.Duration(w.rnd.IntN(300)) * time.Millisecond)
		}
		w.trouble = false
		for range 200 { // some still want to send, urgently too, and everything lands
			for _, wk := range w.workers {
				local := w.now.Add(wk.skew)
				r := request(3, local)
				r.Urgent = true
				wk.busy = true
				if g := take(t, wk.l, r); g.Devices > 0 {
					wk.flights++
					w.flights = append(w.flights, &flight{wk, g, w.now})
				}
				wk.l.Heartbeat(t.Context(), local)
				wk.busy = false
			}
			w.pass(500 * time.Millisecond)
		}
		if got := w.counted["20261123"]; got != w.limit {
			t.Errorf("seed %d: %d of %d were used", seed, got, w.limit)
		}
	}
}
