package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What was recalled or read is not pushed, wherever it waits, in virtual time.

func (m *memory) signal(s hongyan.Signal) {
	m.t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		m.t.Fatal(err)
	}
	m.raw(hongyan.Subjects{}.Signal("demo"), data)
}

func (m *memory) recall(n int) {
	m.t.Helper()
	m.signal(hongyan.Signal{Type: hongyan.SignalRecall, MessageID: fmt.Sprint("m-", n)})
}

func (m *memory) read(n int) {
	m.t.Helper()
	m.signal(hongyan.Signal{Type: hongyan.SignalRead, User: fmt.Sprint("u", n), Conversation: "c2c_alice"})
}

// stops are the signals that suppress message n, by how it ends then.
var stops = map[string]func(m *memory, n int){
	"suppressed recalled": (*memory).recall,
	"suppressed read":     (*memory).read,
}

// places are where a message may wait. Each brings message 1 of user u1 there, with n1 as a witness
// that is not suppressed in message 2, runs what suppresses it, and lets all go on.
var places = map[string]func(m *memory, stop func()){
	"before_it_is_taken": func(m *memory, stop func()) {
		m.message(1)
		m.message(2)
		stop()
		time.Sleep(time.Second)
		m.worker()
	},
	"long_before_it_is_taken": func(m *memory, stop func()) {
		m.message(1)
		m.message(2)
		time.Sleep(time.Second)
		m.onlySignals = true
		over := m.worker()
		stop()
		time.Sleep(time.Hour)
		over(time.Second)
		m.onlySignals = false
		m.worker()
	},
	"parked": func(m *memory, stop func()) {
		vendor := &doctor{}
		m.driver.answer = vendor.answer
		m.worker()
		m.message(1)
		m.message(2)
		time.Sleep(time.Minute)
		stop()
		time.Sleep(time.Minute)
		vendor.heal()
	},
	"as_a_job_for_an_hour": func(m *memory, stop func()) {
		vendor := &doctor{}
		m.driver.answer = vendor.answer
		end := m.worker()
		m.message(1)
		m.message(2)
		time.Sleep(time.Second)
		stop()
		time.Sleep(time.Second)
		end(time.Second)
		vendor.heal()
		time.Sleep(time.Hour)
		m.worker()
	},
	"for_another_try": func(m *memory, stop func()) {
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n == 1 {
				return vendors.Result{Reason: vendors.RateLimited, RetryAfter: time.Second}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.worker()
		m.message(1)
		m.message(2)
		time.Sleep(100 * time.Millisecond)
		stop()
	},
	"among_those_that_come_later": func(m *memory, stop func()) {
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n == 1 {
				return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 40 * time.Minute}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.worker()
		m.message(1)
		m.message(2)
		time.Sleep(time.Second)
		stop()
	},
	"at_hand": func(m *memory, stop func()) {
		m.concurrency = 1
		m.driver.answer = func(context.Context, vendors.Device, int) vendors.Result {
			time.Sleep(200 * time.Millisecond)
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.worker()
		for n := range 8 {
			m.message(100 + n) // they take all places
		}
		time.Sleep(time.Millisecond)
		m.message(1)
		m.message(2)
		time.Sleep(time.Millisecond)
		stop()
	},
	"for_the_rate": func(m *memory, stop func()) {
		rate := &gatekeeper{}
		m.limiter = rate
		m.worker()
		m.message(1)
		m.message(2)
		time.Sleep(50 * time.Millisecond)
		stop()
		time.Sleep(time.Millisecond)
		rate.open.Store(true)
	},
	"a_millisecond_before_the_call": func(m *memory, stop func()) {
		m.concurrency = 1
		m.driver.answer = func(context.Context, vendors.Device, int) vendors.Result {
			time.Sleep(100 * time.Millisecond)
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.worker()
		for n := range 4 {
			m.message(100 + n)
		}
		time.Sleep(10 * time.Millisecond)
		m.message(1)
		m.message(2)
		time.Sleep(89 * time.Millisecond)
		stop()
	},
}

// gatekeeper is a limiter that lets nothing through until it is open.
type gatekeeper struct{ open atomic.Bool }

func (g *gatekeeper) Take(_ context.Context, r ratelimit.Request) (ratelimit.Grant, error) {
	if !g.open.Load() {
		return ratelimit.Grant{Reason: vendors.RateLimited, Wait: 100 * time.Millisecond}, nil
	}
	return ratelimit.Grant{Devices: r.Devices}, nil
}
func (*gatekeeper) Settle(ratelimit.Grant, ratelimit.Outcome) {}
func (*gatekeeper) Pace(string, int) float64                  { return math.Inf(1) }
func (*gatekeeper) Caps(string, vendors.Class) bool           { return false }
func (*gatekeeper) TakeDevices(context.Context, ratelimit.DeviceRequest) ([]bool, error) {
	return nil, nil
}
func (*gatekeeper) ReturnDevices(context.Context, ratelimit.DeviceRequest) error { return nil }

// Wherever a message waits, a recall and a read mark stop it, and no other message.
func TestStoppedWhereverItWaits(t *testing.T) {
	for place, wait := range places {
		for end, stop := range stops {
			t.Run(place+"/"+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMemory(t)
					m.marks = true
					wait(m, func() { stop(m, 1) })
					time.Sleep(2 * time.Hour)
					if got := m.end("u1"); got != end {
						t.Errorf("it ended as %q", got)
					}
					if got := m.end("u2"); got != "accepted accepted" {
						t.Errorf("another one ended as %q", got)
					}
					if left := m.left("message") + m.left("signal"); left > 0 {
						t.Errorf("%d messages and signals are left", left)
					}
					m.stopAll()
				})
			})
		}
	}
}

// A piece of a large message is stopped as the whole is, for one user by a read mark.
func TestStoppedPieces(t *testing.T) {
	for end, stop := range stops {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				m.marks = true
				var users []string
				for n := range 600 {
					users = append(users, fmt.Sprint("u", n))
				}
				over := m.worker() // divides
				m.messageTo("m-1", users...)
				time.Sleep(time.Second)
				over(time.Second)
				time.Sleep(time.Hour)
				stop(m, 1)
				m.pieces = true
				m.worker()
				time.Sleep(time.Hour)
				want := 599
				if end == "suppressed recalled" {
					want = 0
				}
				if keys, most := m.pushes(); keys != want || most > 1 {
					t.Errorf("%d were pushed to, at most %d times, want %d", keys, most, want)
				}
				if got := m.end("u1"); got != end {
					t.Errorf("it ended as %q", got)
				}
				m.stopAll()
			})
		})
	}
}

// withdrawn counts what is handed over.
type withdrawn struct {
	mu  sync.Mutex
	all []route.Recall
}

func (w *withdrawn) Recall(r route.Recall, duty *store.Duty) {
	w.mu.Lock()
	w.all = append(w.all, r)
	w.mu.Unlock()
	duty.Done(true)
}

func (*withdrawn) Recalled(string, string) bool                        { return false }
func (*withdrawn) Again(_, _, _ string, _ time.Time, duty *store.Duty) { duty.Done(true) }

// seen are those that were handed over.
func (w *withdrawn) seen() []route.Recall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// A recall is handed over once its mark is stored, not before, and again when it is repeated.
func TestRecallIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, w := newMemory(t), &withdrawn{}
		m.marks, m.withdrawals = true, w
		m.queue.Fail("mark", dispatchtest.Fault{Refuse: errRefused})
		m.worker()
		m.recall(1)
		time.Sleep(time.Minute)
		if n := len(w.seen()); n > 0 || m.left("signal") != 1 {
			t.Errorf("%d were handed over before the mark was stored, %d signals are left", n, m.left("signal"))
		}
		m.queue.Fail("mark", dispatchtest.Fault{})
		time.Sleep(time.Minute)
		m.recall(1)
		time.Sleep(time.Second)
		if all := w.seen(); len(all) != 2 || all[0].App != "demo" || all[0].Signal.MessageID != "m-1" || all[0].Stored.IsZero() || m.left("signal") > 0 {
			t.Errorf("handed over: %+v", all)
		}
		if n := len(m.queue.Stored("mark")); n != 1 {
			t.Errorf("%d marks are stored of one recall", n)
		}
		m.stopAll()
	})
}

// Of two read marks the later one counts, however they are stored.
func TestLateReadMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.marks = true
		over := m.worker()
		sent := time.Now()
		m.message(1)
		over(time.Second)
		m.signal(hongyan.Signal{Type: hongyan.SignalRead, User: "u9", Conversation: "c2c_alice", At: sent.Add(-time.Hour)})
		m.message(9)
		vendor := &doctor{}
		m.driver.answer = vendor.answer
		over = m.worker()
		time.Sleep(time.Minute)
		m.signal(hongyan.Signal{Type: hongyan.SignalRead, User: "u9", Conversation: "c2c_alice"})
		time.Sleep(time.Hour) // longer than anybody remembers it
		m.signal(hongyan.Signal{Type: hongyan.SignalRead, User: "u9", Conversation: "c2c_alice", At: sent.Add(-time.Minute)})
		time.Sleep(time.Hour)
		over(time.Second)
		vendor.heal()
		m.worker()
		time.Sleep(10 * time.Minute)
		if got := m.end("u9"); got != "suppressed read" {
			t.Errorf("it ended as %q", got)
		}
		m.stopAll()
	})
}

// What is sent at once costs no read of the marks, and what waited one for all.
func TestMarksCostNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.marks = true
		over := m.worker()
		time.Sleep(time.Second)
		for n := range 200 {
			m.message(n)
			m.recall(1000 + n)
		}
		time.Sleep(time.Minute)
		if n := m.queue.MarkReads(); n > 0 {
			t.Errorf("the marks were read %d times", n)
		}
		if keys, _ := m.pushes(); keys != 200 {
			t.Errorf("%d were pushed to", keys)
		}
		over(time.Second)
		for n := range 20 {
			m.message(500 + n)
		}
		time.Sleep(time.Hour)
		m.worker()
		time.Sleep(time.Minute)
		// The router begins four rounds with what is there, and takes the rest together.
		if n := m.queue.MarkReads(); n == 0 || n > 8 {
			t.Errorf("the marks were read %d times for messages that waited together", n)
		}
		m.stopAll()
	})
}

// A hundred recalls against a hundred messages at random, a hundred times: whatever is pushed was
// pushed before anybody could have heard of its recall, what was recalled in time is not pushed,
// and nothing is suppressed that was not recalled.
func TestRecallRaces(t *testing.T) {
	runs := 100
	if testing.Short() {
		runs = 10
	}
	for range runs {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { recallRaces(t, rand.New(rand.NewPCG(seed, 0)), seed) })
		if t.Failed() {
			return
		}
	}
}

func recallRaces(t *testing.T, rng *rand.Rand, seed uint64) {
	const races = 100
	m := newMemory(t)
	m.marks, m.concurrency = true, 1+rng.IntN(8)
	m.queue.MarkLag = time.Duration(rng.Int64N(int64(20 * time.Millisecond)))
	var mu sync.Mutex
	begun := map[string]time.Time{} // the last push of each key
	slow := time.Duration(rng.Int64N(int64(50 * time.Millisecond)))
	sick := rng.IntN(4) == 0
	lucks := rand.New(rand.NewPCG(seed, 1))
	m.driver.answer = func(_ context.Context, d vendors.Device, n int) vendors.Result {
		mu.Lock()
		begun[d.Key] = time.Now()
		again := n < 4 && lucks.IntN(3) == 0
		mu.Unlock()
		time.Sleep(slow)
		switch {
		case again && sick:
			return vendors.Result{Reason: vendors.Unavailable}
		case again:
			return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 100 * time.Millisecond}
		}
		return vendors.Result{Reason: vendors.Accepted}
	}
	m.worker()
	m.worker()
	if rng.IntN(2) == 0 {
		time.Sleep(time.Second)
	}
	recalled := map[int]bool{}
	var all sync.WaitGroup
	for n := range races {
		at := time.Duration(rng.Int64N(int64(2 * time.Second)))
		all.Go(func() {
			time.Sleep(at)
			m.message(n)
		})
		if rng.IntN(3) == 0 {
			continue
		}
		recalled[n] = true
		offset := time.Duration(rng.Int64N(int64(400*time.Millisecond))) - 50*time.Millisecond
		all.Go(func() {
			time.Sleep(max(0, at+offset))
			m.recall(n)
		})
	}
	all.Wait()
	for range 60 { // until all have come to an end
		time.Sleep(10 * time.Second)
		if m.left("message")+m.left("signal")+m.left("job.apns")+m.left("later") == 0 {
			break
		}
	}
	ends := map[string]string{} // by user
	for _, s := range m.queue.Stored("outcome") {
		of, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range of {
			if e.Device == "d" && e.Status.End() {
				ends[e.User] = string(e.Status) + " " + string(e.DeviceOutcome.Reason)
			}
		}
	}
	marked := map[string]time.Time{}
	for _, s := range m.queue.Stored("mark") {
		var x struct {
			Message string `json:"message_id"`
		}
		if err := json.Unmarshal(s.Data, &x); err != nil {
			t.Fatal(err)
		}
		marked[x.Message] = s.Stored
	}
	for n := range races {
		id, user := fmt.Sprint("m-", n), fmt.Sprint("u", n)
		end := ends[user]
		push, pushed := begun[dispatch.Key("demo", id, user, "d")]
		switch {
		case end != "accepted accepted" && end != "suppressed recalled":
			t.Errorf("seed %d: message %d ended as %q", seed, n, end)
		case end == "suppressed recalled" && !recalled[n]:
			t.Errorf("seed %d: message %d is suppressed and was not recalled", seed, n)
		case recalled[n] && pushed && push.After(marked[id].Add(m.queue.MarkLag)):
			t.Errorf("seed %d: message %d was pushed %v after its recall, heard after %v", seed, n, push.Sub(marked[id]), m.queue.MarkLag)
		case end == "accepted accepted" && !pushed:
			t.Errorf("seed %d: message %d is accepted and was not pushed", seed, n)
		}
	}
	if left := m.left("message") + m.left("signal") + m.left("job.apns"); left > 0 {
		t.Errorf("seed %d: %d are left", seed, left)
	}
	m.stopAll()
}
