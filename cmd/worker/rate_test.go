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
)

// lag measures how late this machine wakes a sleeper, until stop: pushes that are late by as much come closer together than they were
// sent, which says nothing of the limiter.
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

// busiest is the largest number of arrivals in any second.
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

// between counts the arrivals in [from, to).
func between(arrivals []time.Time, from, to time.Time) int {
	at := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(arrivals, t, time.Time.Compare)
		return i
	}
	return at(to) - at(from)
}

// shared says whether there are n workers that claim as much of the rates each.
func (r *rig) shared(n int) bool {
	r.t.Helper()
	notes, err := r.bus.LimitStore().List(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	members := 0
	for _, note := range notes {
		if !strings.HasPrefix(note.Key, "member.") {
			continue
		}
		var m struct{ Claim float64 }
		if err := json.Unmarshal(note.Value, &m); err != nil {
			r.t.Fatal(err)
		}
		if math.Abs(m.Claim*float64(n)-1) > 0.01 {
			return false
		}
		members++
	}
	return members == n
}

// A rate of 500 devices a second is met by one worker, by four and by eight, and never exceeded in any second by more than a burst,
// also while workers come, leave and are killed. A machine that stops some of the processes for a while looks like a limiter that
// fails, so there are three tries; a limiter that fails does so in each.
func TestRateIsSharedByWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for half a minute")
	}
	const tries = 3
	for try := 1; ; try++ {
		problems := rateProblems(t)
		if len(problems) == 0 {
			return
		}
		if try == tries {
			t.Fatalf("in each of %d tries; in the last: %v", tries, problems)
		}
		t.Logf("try %d: %v", try, problems)
	}
}

// rateProblems runs workers of a certificate with a rate, and says where it was not kept.
func rateProblems(t *testing.T) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	const rate, burst = 500, 50
	r := newRig(t, "")
	r.configure("demo-apns", "rate: {devices_per_second: 500}")
	r.registerAll(100, "apns")
	// The backend sends faster than the vendor may be asked, so that there is always something to send.
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
	// A worker that comes waits until the others have given way; one that was killed is gone after five seconds. How long that takes on
	// a busy machine is not the question here, so some windows may come too early.
	const measure, windows = 3 * time.Second, 4
	speed := func(what string) {
		t.Helper()
		r.until(time.Minute, what+" with equal shares", func() bool { return r.shared(len(workers)) })
		var seen []string
		for range windows {
			from := time.Now()
			time.Sleep(measure) // what is measured is a speed
			n := between(r.arrivals("apns"), from, from.Add(measure))
			got := float64(n) / measure.Seconds()
			seen = append(seen, fmt.Sprintf("%.0f", got))
			if got >= rate*0.95 && got <= rate*1.05 {
				t.Logf("%s: %v devices/s", what, seen)
				return
			}
		}
		problem("%s: %v devices/s, want %d within 5 %%", what, seen, rate)
	}
	stop := lag()
	start(1)
	speed("one worker")
	start(4)
	speed("four workers")
	start(8)
	speed("eight workers")
	workers[0].kill()
	if err := workers[1].stop(sigterm); err != nil {
		t.Errorf("a worker did not stop cleanly: %v", err)
	}
	workers = workers[2:]
	start(7)
	speed("one killed, one stopped, one started")
	late := stop()
	for _, w := range workers {
		w.kill()
	}
	most := busiest(r.arrivals("apns"))
	t.Logf("the busiest second saw %d; this machine was late by %v at most", most, late)
	// A push may be late twice: when it leaves the worker, and when it comes here.
	if allowed := rate + burst + int(2*rate*late.Seconds()); most > allowed {
		problem("%d devices in one second, want %d at most", most, allowed)
	}
	r.noViolations()
	return problems
}
