package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// lag measures how late this machine wakes a sleeper, until stop: calls that are late by as much
// come closer together than they were granted, which says nothing of the limiter.
func lag() (stop func() time.Duration) {
	var worst time.Duration
	var measuring sync.WaitGroup
	done := make(chan struct{})
	measuring.Go(func() {
		const nap = 5 * time.Millisecond
		for {
			began := time.Now()
			select {
			case <-done:
				return
			case <-time.After(nap):
				worst = max(worst, time.Since(began)-nap)
			}
		}
	})
	return func() time.Duration {
		close(done)
		measuring.Wait()
		return worst
	}
}

// busiest is the largest number in any second.
func busiest(arrivals []time.Time) (most int) {
	from := 0
	for i, at := range arrivals {
		for at.Sub(arrivals[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// between counts what is in [from, to).
func between(arrivals []time.Time, from, to time.Time) int {
	at := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(arrivals, t, time.Time.Compare)
		return i
	}
	return at(to) - at(from)
}

// shared reports whether there are n workers that claim as much of the rates each.
func (r *rig) shared(n int) bool {
	r.t.Helper()
	notes, err := r.bus.LimitStore().List(r.t.Context(), ratelimit.Members)
	if err != nil {
		r.t.Fatal(err)
	}
	members := 0
	for _, note := range notes {
		var m struct{ Claim float64 }
		if err := json.Unmarshal(note, &m); err != nil {
			r.t.Fatal(err)
		}
		if math.Abs(m.Claim*float64(n)-1) > 0.01 {
			return false
		}
		members++
	}
	return members == n
}

// A rate of 500 devices a second is met by one worker, by four and by eight, and never exceeded in
// any second by more than a burst, also while workers come, leave and are killed. A machine that
// stops processes for a while looks like a limiter that fails, so what it was late by is allowed
// for.
func TestRateIsSharedByWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for half a minute")
	}
	const rate, burst = 500, 50
	r := newRig(t, "log: {level: debug}")
	r.configure("demo-apns", "rate: {devices_per_second: 500}")
	r.registerAll(100, "apns")
	// The backend sends faster than the vendor may be asked, so that there is always something to
	// send.
	var users []string
	for u := range 100 {
		users = append(users, fmt.Sprintf("u%d", u))
	}
	for i := range 400 { // 40,000 devices, in jobs of fifty, last for all windows
		r.send(chat(fmt.Sprintf("m-%d", i), users...))
	}

	var workers []*process
	start := func(n int) {
		for len(workers) < n {
			workers = append(workers, r.start())
		}
	}
	// What counts is when calls were begun, as the workers' logs have it: a sandbox that is held up
	// counts what waited all at once.
	const window, windows = 3 * time.Second, 2
	type phase struct {
		what string
		from time.Time
	}
	var phases []phase
	measure := func(what string) {
		t.Helper()
		r.until(time.Minute, what+" with equal shares", func() bool { return r.shared(len(workers)) })
		// A share is used one beat after it was claimed, and a worker that starts notices within
		// two seconds that jobs wait.
		time.Sleep(3500 * time.Millisecond)
		phases = append(phases, phase{what, time.Now()})
		time.Sleep(windows * window) // what is measured is a speed
	}
	stop := lag()
	start(1)
	measure("one worker")
	start(4)
	measure("four workers")
	start(8)
	measure("eight workers")
	workers[0].kill()
	if err := workers[1].stop(sigterm); err != nil {
		t.Errorf("a worker did not stop cleanly: %v", err)
	}
	workers = workers[2:]
	start(7)
	measure("one killed, one stopped, one started")
	late := stop()
	for _, w := range r.workers {
		w.kill()
	}
	begun := r.begun()
	for _, p := range phases {
		var seen []float64
		for k := range windows {
			from := p.from.Add(time.Duration(k) * window)
			seen = append(seen, float64(between(begun, from, from.Add(window)))/window.Seconds())
		}
		t.Logf("%s: %.0f devices/s", p.what, seen)
		slack := rate * (0.05 + late.Seconds()/window.Seconds())
		if slices.Min(seen) < rate-slack || slices.Max(seen) > rate+slack {
			t.Errorf("%s: %.0f devices/s, want %d", p.what, seen, rate)
		}
	}
	most := busiest(begun)
	t.Logf("in the busiest second %d were begun, and %d arrived; this machine was late by %v at most", most, busiest(r.arrivals("apns")), late)
	// A call may be late between when it is granted and when it begins.
	if allowed := rate + burst + int(rate*late.Seconds()); most > allowed {
		t.Errorf("%d devices in one second, want %d at most", most, allowed)
	}
	r.noViolations()
}

// begun reads from the workers' logs when their calls were begun, oldest first.
func (r *rig) begun() (times []time.Time) {
	r.t.Helper()
	for _, w := range r.workers {
		for line := range strings.Lines(w.log.String()) {
			_, rest, ok := strings.Cut(line, " began=")
			if !ok {
				continue
			}
			text, _, _ := strings.Cut(rest, " ")
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				r.t.Fatalf("a worker's log: %v", err)
			}
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}
