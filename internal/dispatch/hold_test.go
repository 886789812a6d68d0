package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/notestest"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What an operator holds by hand waits, in virtual time.

// hold gives an order about a key of the room.
func hold(t *testing.T, room *notestest.Room, key string, released bool) {
	t.Helper()
	data, err := json.Marshal(parking.Hold{Reason: "test", At: time.Now(), Released: released})
	if err != nil {
		t.Fatal(err)
	}
	if err := room.Put(t.Context(), key, data, parking.ReleasedFor); err != nil {
		t.Fatal(err)
	}
}

// heldWaits counts the waiting records that say that a push is held.
func (m *memory) heldWaits() (n int) {
	m.t.Helper()
	for _, s := range m.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range ends {
			if e.Status == hongyan.StatusWaiting && e.Certificate == "c" && e.Reason == hongyan.Parked && e.Note == vendors.NoteHeld {
				n++
			}
		}
	}
	return n
}

// paced is a limiter that lets one device go every 40 ms.
type paced struct {
	gatekeeper
	mu   sync.Mutex
	next time.Time
}

func (p *paced) Take(_ context.Context, r ratelimit.Request) (ratelimit.Grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.next.Sub(r.Now); wait > 0 {
		return ratelimit.Grant{Reason: vendors.RateLimited, Wait: wait}, nil
	}
	p.next = r.Now.Add(40 * time.Millisecond)
	return ratelimit.Grant{Devices: 1}, nil
}

// Messages and calls of what is held wait and say so, whether the worker runs already or starts
// then; what expires meanwhile ends as expired, and the rest is pushed once it is released.
func TestHeld(t *testing.T) {
	for _, key := range []string{parking.HeldCertificate("c"), parking.HeldApp("demo")} {
		for _, runs := range []bool{false, true} {
			t.Run(fmt.Sprint(key, runs), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMemory(t)
					m.holds, m.marks = new(notestest.Room), true
					defer m.stopAll()
					if runs {
						m.worker()
						time.Sleep(time.Second)
						hold(t, m.holds, key, false)
						time.Sleep(time.Second)
					} else {
						hold(t, m.holds, key, false)
						m.worker()
					}
					for n := range 5 {
						m.message(n)
					}
					short := chat("short", "late")
					short.TTLSeconds = 20
					m.publish(hongyan.Subjects{}.Message("demo"), short)
					m.event(0, "invite alice/1 bob") // rings for a minute
					time.Sleep(5 * time.Second)
					if keys, _ := m.pushes(); keys != 0 || m.heldWaits() != 7 || m.left("message") != 0 {
						t.Fatalf("%d pushes, %d records of held ones, %d messages are not taken", keys, m.heldWaits(), m.left("message"))
					}
					time.Sleep(2 * time.Minute)
					for _, user := range []string{"late", "bob"} {
						if got := m.end(user); got != "dead expired" {
							t.Errorf("what %s was to get expired while it was held, and is %q", user, got)
						}
					}
					time.Sleep(time.Hour)
					if keys, _ := m.pushes(); keys != 0 {
						t.Fatalf("%d pushes while it is held", keys)
					}
					hold(t, m.holds, key, true)
					time.Sleep(3 * time.Second)
					if keys, most := m.pushes(); keys != 5 || most != 1 {
						t.Errorf("%d pushes after the release, %d times at most", keys, most)
					}
					if n := m.left("job.apns"); n != 0 {
						t.Errorf("%d jobs are left", n)
					}
				})
			})
		}
	}
}

// Orders come at any moment, also while calls wait for the certificate's rate, workers come and go,
// and the notes cannot be read: no call begins two seconds after an order, and each push is made
// once in the end.
func TestHeldAtAnyMoment(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			m := newMemory(t)
			m.holds = new(notestest.Room)
			var mu sync.Mutex
			var heldSince time.Time // of the order that is in force; zero for none
			m.driver.answer = func(_ context.Context, d vendors.Device, _ int) vendors.Result {
				mu.Lock()
				since := heldSince
				mu.Unlock()
				if !since.IsZero() && time.Since(since) > 2*time.Second {
					t.Errorf("seed %d: a push %v after it was held", seed, time.Since(since))
				}
				time.Sleep(time.Duration(len(d.Key)%7) * 100 * time.Millisecond)
				return vendors.Result{Reason: vendors.Accepted}
			}
			m.limiter = new(paced)
			const messages = 400
			stops := []func(time.Duration){m.worker(), m.worker()}
			for n := range messages {
				m.message(n)
				time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
				if rnd.IntN(40) == 0 {
					mu.Lock()
					if heldSince.IsZero() {
						heldSince = time.Now()
					} else {
						heldSince = time.Time{}
					}
					hold(t, m.holds, parking.HeldCertificate("c"), heldSince.IsZero())
					mu.Unlock()
				}
				if rnd.IntN(100) == 0 {
					k := rnd.IntN(2)
					stops[k](time.Second)
					stops[k] = m.worker()
				}
			}
			time.Sleep(5 * time.Second)
			mu.Lock()
			heldSince = time.Time{}
			hold(t, m.holds, parking.HeldCertificate("c"), true)
			mu.Unlock()
			time.Sleep(2 * time.Minute)
			m.stopAll()
			if keys, most := m.pushes(); keys != messages || most != 1 {
				t.Errorf("seed %d: %d of %d messages were pushed, %d times at most", seed, keys, messages, most)
			}
			if n := m.left("job.apns"); n != 0 {
				t.Errorf("seed %d: %d jobs are left", seed, n)
			}
		})
	}
}
