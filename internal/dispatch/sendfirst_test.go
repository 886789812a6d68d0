package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// group stores a message to many users.
func (m *memory) group(id string, users int) {
	m.t.Helper()
	var recipients []string
	for n := range users {
		recipients = append(recipients, fmt.Sprintf("%s-u%d", id, n))
	}
	msg := chat(id, recipients...)
	msg.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g"}
	data, err := json.Marshal(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message("demo"), ID: id, Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// waits are the reasons of the waiting records of a certificate, and how often.
func (m *memory) waits(certificate string) map[hongyan.Reason]int {
	m.t.Helper()
	n := map[hongyan.Reason]int{}
	for _, s := range m.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range ends {
			if e.Status == hongyan.StatusWaiting && e.Certificate == certificate {
				n[e.Reason]++
			}
		}
	}
	return n
}

// order is the users pushed to, in order.
func (m *memory) order() (users []string) {
	m.driver.mu.Lock()
	defer m.driver.mu.Unlock()
	for _, b := range m.driver.calls {
		for _, d := range b.Devices {
			users = append(users, d.Token)
		}
	}
	return users
}

// What can be sent at once is sent without being stored.
func TestSendFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		stop := m.worker()
		const messages = 50
		for n := range messages {
			m.message(n)
		}
		time.Sleep(time.Second)
		m.once(messages)
		if n := m.queue.Tries("job.apns"); n > 0 {
			t.Errorf("%d jobs were stored that could be sent", n)
		}
		if got := m.waits("h"); got["parked"] != messages || len(got) != 1 {
			t.Errorf("records of the parked certificate say %v", got)
		}
		if left := m.left("message"); left > 0 {
			t.Errorf("%d messages are left", left)
		}
		stop(time.Second)
	})
}

// A lane that takes no more for two seconds counts as full: its jobs are stored, the messages are
// done with, and what comes then does not overtake what was stored.
func TestFullLaneStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		hang := make(chan struct{})
		var once sync.Once
		release := func() { once.Do(func() { close(hang) }) }
		defer release()
		m.driver.answer = func(ctx context.Context, _ vendors.Device, _ int) vendors.Result {
			select {
			case <-hang:
			case <-ctx.Done():
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		stop := m.worker()
		const early, late = 30, 20
		for n := range early {
			m.message(n)
		}
		time.Sleep(4 * time.Second)
		if got := m.waits("c")["busy"]; got == 0 || got > early {
			t.Errorf("%d devices wait as busy", got)
		}
		for n := range late {
			m.message(early + n)
		}
		time.Sleep(time.Second)
		if left := m.left("message"); left > 8 {
			t.Errorf("%d messages are left, and only those of the calls under way may be", left)
		}
		release()
		time.Sleep(30 * time.Second)
		m.once(early + late)
		order := m.order()
		lastEarly, firstLate := -1, len(order)
		for i, token := range order {
			var n int
			if _, err := fmt.Sscanf(token, "token-u%dd", &n); err != nil {
				t.Fatal(err)
			}
			if n < early {
				lastEarly = i
			} else {
				firstLate = min(firstLate, i)
			}
		}
		if firstLate < lastEarly-8 {
			t.Errorf("the first of the late ones is push %d, the last early one is %d", firstLate, lastEarly)
		}
		// Once all is at hand again, nothing is stored any more.
		tries := m.queue.Tries("job.apns")
		m.message(early + late)
		time.Sleep(time.Second)
		if m.queue.Tries("job.apns") != tries {
			t.Error("a job is stored although nothing waits any more")
		}
		stop(time.Second)
	})
}

// A large message is divided into pieces that share vendor calls where their notification is the
// same, and each of its devices is pushed to once.
func TestLargeMessageIsDivided(t *testing.T) {
	for name, full := range map[string]bool{"pieces": false, "in place": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				m.pieces = true
				m.driver.limits = vendors.Limits{Batch: 1000}
				if full {
					m.queue.Fail("piece", dispatchtest.Fault{Refuse: dispatch.ErrFull})
				}
				stop := m.worker()
				const users = 1200
				m.group("m-1", users)
				time.Sleep(10 * time.Second)
				m.once(users)
				want := hongyan.Partitions
				if full {
					want = 0
				}
				if n := len(m.queue.Stored("piece")); n != want || m.left("piece") > 0 {
					t.Errorf("%d pieces are stored, %d are left; want %d and none", n, m.left("piece"), want)
				}
				m.driver.mu.Lock()
				calls := len(m.driver.calls)
				m.driver.mu.Unlock()
				if calls > hongyan.Partitions {
					t.Errorf("%d calls", calls)
				}
				if left := m.left("message"); left > 0 {
					t.Errorf("%d messages are left", left)
				}
				stop(time.Second)
			})
		})
	}
}

// A large message holds up no small one that comes after it.
func TestSmallPassesLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.pieces = true
		m.driver.answer = func(context.Context, vendors.Device, int) vendors.Result {
			time.Sleep(50 * time.Millisecond)
			return vendors.Result{Reason: vendors.Accepted}
		}
		stop := m.worker()
		m.group("m-1", 600)
		time.Sleep(500 * time.Millisecond)
		m.message(7)
		time.Sleep(200 * time.Millisecond)
		if !slices.Contains(m.order(), "token-u7d") {
			t.Errorf("the small message waits behind the large one, of which %d are pushed", len(m.order()))
		}
		time.Sleep(time.Minute)
		m.once(601)
		stop(time.Second)
	})
}

// A worker that is killed in the middle of a large message leaves what nobody knows of to the next
// one: nothing is missing, and only the calls under way are repeated.
func TestKilledInTheMiddleOfALargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.pieces = true
		m.driver.answer = func(context.Context, vendors.Device, int) vendors.Result {
			time.Sleep(20 * time.Millisecond)
			return vendors.Result{Reason: vendors.Accepted}
		}
		first := m.worker()
		const users = 2000
		m.group("m-1", users)
		time.Sleep(2 * time.Second)
		m.queue.Fail("outcome", dispatchtest.Fault{Refuse: errRefused}) // nothing gets out any more
		for _, s := range []string{"piece", "message", "job.apns"} {
			m.queue.Fail(s, dispatchtest.Fault{Refuse: errRefused, LoseAcks: true})
		}
		before, _ := m.pushes()
		first(0)
		for _, s := range []string{"outcome", "piece", "message", "job.apns"} {
			m.queue.Fail(s, dispatchtest.Fault{})
		}
		second := m.worker()
		time.Sleep(5 * time.Minute)
		m.driver.mu.Lock()
		repeats := 0
		for _, n := range m.driver.keys {
			repeats += n - 1
		}
		keys := len(m.driver.keys)
		m.driver.mu.Unlock()
		if before == 0 || before == users {
			t.Fatalf("%d were pushed when the worker died", before)
		}
		if devices, _ := m.ends(); keys != users || devices != users {
			t.Errorf("%d devices were pushed to, %d have an end; want %d", keys, devices, users)
		}
		if repeats > 2*8 {
			t.Errorf("%d pushes were repeated, more than were under way and being recorded", repeats)
		}
		second(time.Second)
	})
}
