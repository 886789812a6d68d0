package erase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/erase"
	"github.com/hongyan-im/hongyan/internal/notestest"
)

// night is workers of whom one sweeps.
type night struct {
	mu     sync.Mutex
	now    int
	most   int
	sweeps []time.Time
	fails  int
}

func (n *night) sweep(ctx context.Context) error {
	n.mu.Lock()
	n.now++
	n.most = max(n.most, n.now)
	fails := n.fails > 0
	if fails {
		n.fails--
	}
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.now--
	}()
	select {
	case <-time.After(20 * time.Minute):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if fails {
		return errors.New("trouble")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweeps = append(n.sweeps, time.Now())
	return nil
}

// seen are the sweeps so far, whether one is under way, and the most at a time.
func (n *night) seen() (sweeps []time.Time, busy bool, most int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.sweeps), n.now > 0, n.most
}

// fail makes the next sweeps fail.
func (n *night) fail(times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fails = times
}

// A note that cannot be written for a minute or two ends no sweep; one that cannot for longer does,
// before another worker can begin.
func TestNightlyGoesOnWithoutNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, n := &notestest.Room{}, &night{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 2 {
			one := &erase.Nightly{Notes: room, Worker: fmt.Sprint("w", i), Sweep: n.sweep, Log: slog.New(slog.DiscardHandler), Now: time.Now}
			wg.Go(func() { one.Run(ctx) })
		}
		busy := func() {
			for busy := false; !busy; _, busy, _ = n.seen() {
				time.Sleep(time.Second)
			}
		}
		busy()
		began := time.Now()
		time.Sleep(50 * time.Second)
		room.Fail(errors.New("away"))
		time.Sleep(90 * time.Second)
		room.Fail(nil)
		time.Sleep(20 * time.Minute)
		if sweeps, _, most := n.seen(); len(sweeps) != 1 || most != 1 || sweeps[0].Sub(began) > 21*time.Minute {
			t.Errorf("%d sweeps, %d at a time, after %v", len(sweeps), most, time.Since(began))
		}
		busy() // the next night
		time.Sleep(30 * time.Second)
		room.Fail(errors.New("away"))
		time.Sleep(3 * time.Minute)
		if _, busy, _ := n.seen(); busy {
			t.Error("it sweeps on, and another worker may have begun")
		}
		room.Fail(nil)
		time.Sleep(30 * time.Minute)
		if sweeps, _, most := n.seen(); len(sweeps) != 2 || most != 1 {
			t.Errorf("%d sweeps, %d at a time", len(sweeps), most)
		}
		cancel()
		wg.Wait()
	})
}

// Of several workers one sweeps each night, whatever fails and whoever is killed: another goes on.
func TestNightly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, n := &notestest.Room{}, &night{}
		var wg sync.WaitGroup
		worker := func(name string) (kill func()) {
			ctx, cancel := context.WithCancel(t.Context())
			one := &erase.Nightly{Notes: room, Worker: name, Sweep: n.sweep, Log: slog.New(slog.DiscardHandler), Now: time.Now}
			wg.Go(func() { one.Run(ctx) })
			return cancel
		}
		var kills []func()
		for i := range 3 {
			kills = append(kills, worker(fmt.Sprint("w", i)))
			time.Sleep(time.Second)
		}
		time.Sleep(10 * day)
		sweeps, _, most := n.seen()
		if len(sweeps) != 11 || most != 1 { // the first one at once: nobody knows of any
			t.Errorf("%d sweeps in ten days, %d at a time", len(sweeps), most)
		}
		for _, at := range sweeps[1:] {
			if h := at.UTC().Hour(); h != 19 { // 3 in the morning in Shanghai
				t.Errorf("a sweep ended at %v", at.UTC())
			}
		}
		// All are killed in the middle of a sweep, and one comes back.
		before := len(sweeps)
		for busy := false; !busy; _, busy, _ = n.seen() {
			time.Sleep(time.Minute)
		}
		for _, kill := range kills {
			kill()
		}
		wg.Wait()
		n.fail(2)
		last := worker("w9")
		time.Sleep(2 * time.Hour)
		if sweeps, _, most = n.seen(); len(sweeps)-before != 1 || most != 1 {
			t.Errorf("%d sweeps after a kill and two failures, %d at a time", len(sweeps)-before, most)
		}
		room.Fail(errors.New("away"))
		time.Sleep(2 * day)
		room.Fail(nil)
		time.Sleep(time.Hour)
		if sweeps, _, _ = n.seen(); len(sweeps)-before != 2 {
			t.Errorf("%d sweeps after two days without notes, want one for them", len(sweeps)-before-1)
		}
		last()
		wg.Wait()
	})
}
