package dispatch_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What is counted on icons, in virtual time.

var (
	stormed   = flag.Int("storm", 1500, "how many messages TestBadgeStorm sends")
	stormSeed = flag.Uint64("storm-seed", 0, "the chances of TestBadgeStorm, 0 for others each time")
)

// tether is a worker's way to the store of badges, which can be cut for good.
type tether struct {
	badge.Store
	cut atomic.Bool
}

func (s *tether) ReadBadges(ctx context.Context, refs []badge.Ref) ([]badge.Stored, uint64, error) {
	if s.cut.Load() {
		return nil, 0, dispatch.ErrAway
	}
	return s.Store.ReadBadges(ctx, refs)
}

func (s *tether) WriteBadges(ctx context.Context, records []badge.Stored) []badge.Written {
	if !s.cut.Load() {
		return s.Store.WriteBadges(ctx, records)
	}
	written := make([]badge.Written, len(records))
	for i := range written {
		written[i].Err = dispatch.ErrAway
	}
	return written
}

// said are people whose devices went to the background with a number.
type said struct {
	people
	unread func(user string) int
	at     time.Time
}

func (p *said) Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	known, err := p.people.Lookup(ctx, refs)
	for i, ref := range refs {
		n := p.unread(ref.User)
		known[i].Devices[0].Presence = &hongyan.Presence{State: hongyan.StateBackground, Unread: &n, At: p.at}
	}
	return known, err
}

func (p *said) Confirm(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	return p.Lookup(ctx, refs)
}

// calls are all that were begun, in order.
func (m *memory) calls() []vendors.Batch {
	m.driver.mu.Lock()
	defer m.driver.mu.Unlock()
	return slices.Clone(m.driver.calls)
}

// lastNumbers are the numbers of the pushes that began last, by user; -1 for none.
func (m *memory) lastNumbers() map[string]int {
	last := map[string]int{}
	for _, b := range m.calls() {
		for _, d := range b.Devices {
			n := -1
			if d.Badge != nil {
				n = *d.Badge
			}
			last[strings.TrimSuffix(strings.TrimPrefix(d.Token, "token-"), "d")] = n
		}
	}
	return last
}

// counting makes workers count, on a vendor with these limits.
func (m *memory) counting(limits vendors.Limits) *dispatchtest.Badges {
	limits.Badge = true
	m.driver.limits = limits
	s := &dispatchtest.Badges{Delay: func() time.Duration { return 300 * time.Microsecond }}
	m.badges = s
	return s
}

// lucky is chances that many goroutines take.
type lucky struct {
	mu  sync.Mutex
	rng *rand.Rand
}

// below is a number from 0, below n.
func (l *lucky) below(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(n)
}

// A storm of messages over four workers that are killed again and again, while acks and answers are
// lost: the push of each device that began last carries the exact number.
func TestBadgeStorm(t *testing.T) {
	for name, limits := range map[string]vendors.Limits{
		"one_a_call":  {Batch: 1},
		"many_a_call": {Batch: 20, Partition: vendors.ByBadge},
	} {
		t.Run(name, func(t *testing.T) {
			seed := cmp.Or(*stormSeed, rand.Uint64())
			t.Logf("-storm-seed %d", seed)
			synctest.Test(t, func(t *testing.T) { badgeStorm(t, limits, seed) })
		})
	}
}

// badgeStorm is one of them. The seed says what is sent and done and when; which of several calls
// at one moment has which luck is the scheduler's.
func badgeStorm(t *testing.T, limits vendors.Limits, seed uint64) {
	rng, luck := rand.New(rand.NewPCG(seed, 0)), &lucky{rng: rand.New(rand.NewPCG(seed, 1))}
	messages := *stormed
	const users, workers = 100, 4
	m := newMemory(t)
	store := m.counting(limits)
	store.LoseAnswers = func() bool { return luck.below(50) == 0 }
	m.devices = &said{at: time.Now(), unread: func(user string) int { return len(user) }}
	m.driver.answer = func(ctx context.Context, _ vendors.Device, _ int) vendors.Result {
		select {
		case <-time.After(time.Duration(luck.below(50)) * time.Millisecond):
			return []vendors.Result{{Reason: vendors.Accepted}, {Reason: vendors.Unavailable}}[luck.below(20)/19]
		case <-ctx.Done():
			return vendors.Result{Reason: vendors.Interrupted}
		}
	}
	var stops [workers]func(time.Duration)
	var kills [workers]func()
	for i := range workers {
		stops[i], kills[i] = m.start(m.driver)
	}
	time.Sleep(time.Second)
	want := map[string]int{}
	for n := 0; n < messages; {
		var batch []dispatch.Outgoing
		for range min(1+rng.IntN(100), messages-n) {
			x := chat(fmt.Sprint("m-", n), fmt.Sprint("u", rng.IntN(users)))
			want[x.Recipients[0]]++
			if n%50 == 0 { // to some more
				for range 4 {
					if u := fmt.Sprint("u", rng.IntN(users)); !slices.Contains(x.Recipients, u) {
						x.Recipients = append(x.Recipients, u)
						want[u]++
					}
				}
			}
			data, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, dispatch.Outgoing{Subject: hongyan.Subjects{}.Message("demo"), Data: data})
			n++
		}
		if errs := m.queue.Publish(t.Context(), batch); errs != nil {
			t.Fatal(errs)
		}
		switch rng.IntN(12) {
		case 0:
			k := rng.IntN(workers)
			kills[k]()
			stops[k], kills[k] = m.start(m.driver)
		case 1:
			m.queue.Fail("message", dispatchtest.Fault{LoseAcks: true})
		case 2:
			m.queue.Fail("message", dispatchtest.Fault{})
		}
		time.Sleep(time.Duration(rng.Int64N(int64(200 * time.Millisecond))))
	}
	m.queue.Fail("message", dispatchtest.Fault{})
	time.Sleep(10 * dispatchtest.AckWait)
	for _, stop := range stops {
		stop(time.Minute)
	}
	if left := m.left("message") + m.left("job.apns"); left > 0 {
		t.Errorf("%d messages and jobs are left", left)
	}
	last := m.lastNumbers()
	for user, n := range want {
		if got := last[user]; got != n+len(user) {
			t.Errorf("the last push to %s carries %d, want %d", user, got, n+len(user))
		}
	}
	keys, most := m.pushes()
	t.Logf("%d devices of messages were pushed to, at most %d times", keys, most)
}

// What waited carries the number of the moment at which it is sent, whoever counted meanwhile.
func TestWhatWaitedCarriesTheNumberOfToday(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		store := m.counting(vendors.Limits{Batch: 1})
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n == 1 {
				return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 5 * time.Second}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		stop := m.worker()
		m.message(1)
		time.Sleep(time.Second)
		if got := m.lastNumbers()["u1"]; got != 1 {
			t.Errorf("the first try carries %d, want 1", got)
		}
		other, now := badge.New(store, badge.Options{}), time.Now()
		for n := range 3 {
			err := other.Change(t.Context(), []badge.Change{{Ref: badge.Ref{App: "demo", User: "u1"},
				Message: &badge.Message{ID: fmt.Sprint("x", n), Conversation: "c", Sent: now, Stored: now}}})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		if got := m.lastNumbers()["u1"]; got != 4 {
			t.Errorf("the second try carries %d, want 4", got)
		}
		stop(time.Second)
	})
}

// A read mark takes away what was counted in its conversation, and one with a number says it.
func TestReadMarksMoveTheNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.counting(vendors.Limits{Batch: 1})
		signals := hongyan.Subjects{}.Signal("demo")
		m.also = []string{signals}
		stop := m.worker()
		say := func(s hongyan.Signal) {
			t.Helper()
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			m.raw(signals, data)
			time.Sleep(time.Second)
		}
		send := func(id, conversation string, want int) {
			t.Helper()
			x := chat(id, "u1")
			x.Conversation.ID = conversation
			m.publish(hongyan.Subjects{}.Message("demo"), x)
			time.Sleep(time.Second)
			if got := m.lastNumbers()["u1"]; got != want {
				t.Errorf("the push of %s carries %d, want %d", id, got, want)
			}
		}
		send("m-1", "a", 1)
		send("m-2", "b", 2)
		send("m-3", "b", 3)
		say(hongyan.Signal{Type: hongyan.SignalRead, User: "u1", Conversation: "b", At: time.Now()})
		send("m-4", "b", 2)
		seven := 7
		say(hongyan.Signal{Type: hongyan.SignalRead, User: "u1", Conversation: "a", At: time.Now(), Unread: &seven})
		send("m-5", "a", 8)
		send("m-5", "a", 8) // once more
		if left := m.left("signal"); left > 0 {
			t.Errorf("%d signals are left", left)
		}
		stop(time.Second)
	})
}

// While the store of badges is away, no message that counts is pushed: its number must be stored
// before. Then all are, once.
func TestBadgesAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		store := m.counting(vendors.Limits{Batch: 1})
		store.Leave(true)
		stop := m.worker()
		for range 5 {
			m.publish(hongyan.Subjects{}.Message("demo"), chat(fmt.Sprint("m-", rand.Uint64()), "u1"))
		}
		time.Sleep(time.Minute)
		if keys, _ := m.pushes(); keys > 0 {
			t.Errorf("%d were pushed", keys)
		}
		store.Leave(false)
		time.Sleep(10 * time.Second)
		if keys, most := m.pushes(); keys != 5 || most != 1 {
			t.Errorf("%d were pushed, at most %d times", keys, most)
		}
		if got := m.lastNumbers()["u1"]; got != 5 {
			t.Errorf("the last push carries %d, want 5", got)
		}
		stop(time.Second)
	})
}

// A user for whom a newer worker counts waits for that one. Nobody else does, and what waited
// already goes without a number.
func TestBadgesOfNewerWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		store := m.counting(vendors.Limits{Batch: 10})
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n == 1 {
				return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 5 * time.Second}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		stop := m.worker()
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-1", "u1"))
		time.Sleep(time.Second)
		stored, _, err := store.ReadBadges(t.Context(), []badge.Ref{{App: "demo", User: "u1"}})
		if err != nil || len(stored) != 1 {
			t.Fatal(stored, err)
		}
		old := stored[0].Data
		write := func(data []byte) {
			stored[0].Data = data
			w := store.WriteBadges(t.Context(), stored)[0]
			if w.Changed || w.Err != nil {
				t.Fatal(w)
			}
			stored[0].Revision = w.Revision
		}
		write([]byte{99})
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-2", "u1"))
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-3", "u2"))
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-4", "u1", "u3"))
		time.Sleep(20 * time.Second)
		if got := m.lastNumbers(); got["u2"] != 1 || got["u1"] != -1 {
			t.Errorf("the last pushes carry %v, want 1 for u2 and none for u1", got)
		}
		if left := m.left("message"); left != 2 {
			t.Errorf("%d messages wait for the newer worker, want 2", left)
		}
		write(old)
		time.Sleep(3 * time.Minute)
		if got := m.lastNumbers(); got["u1"] != 3 || got["u2"] != 1 || got["u3"] != 1 {
			t.Errorf("the last pushes carry %v", got)
		}
		stop(time.Second)
	})
}

// behind is a village whose answers may lack what was acknowledged before.
type behind struct{ *village }

func (behind) MustConfirm() bool { return true }

// A user for whom a newer worker counts is found only when what the directory says is confirmed:
// the message is left to that worker all the same, and whoever was pushed to by then is spared.
func TestBadgesOfNewerWorkersAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices := newMemory(t), &village{}
		store := m.counting(vendors.Limits{Batch: 1})
		m.devices = behind{devices}
		devices.set(false, map[string]func(*directory.User){"u1": func(u *directory.User) { u.Devices = nil }})
		newer := []badge.Stored{{Ref: badge.Ref{App: "demo", User: "u1"}, Data: []byte{99}}}
		if w := store.WriteBadges(t.Context(), newer)[0]; w.Changed || w.Err != nil {
			t.Fatal(w)
		}
		stop := m.worker()
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-1", "u1", "u2"))
		time.Sleep(3 * dispatchtest.AckWait)
		if x := m.queue.Stored("message")[0]; x.Done || x.Taken < 2 {
			t.Errorf("the message was taken %d times, done: %v; want it left to the newer worker", x.Taken, x.Done)
		}
		if keys, most := m.pushes(); keys != 1 || most != 1 {
			t.Errorf("%d were pushed to, at most %d times; want u2, once", keys, most)
		}
		stop(time.Second)
	})
}

// Pushes that cannot learn their numbers go all the same, with those that the worker knew last.
func TestNumbersCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		store := m.counting(vendors.Limits{Batch: 1})
		m.driver.answer = func(_ context.Context, d vendors.Device, n int) vendors.Result {
			if n == 1 {
				store.Leave(true)
				return vendors.Result{Reason: vendors.Timeout}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		stop := m.worker()
		m.message(1)
		time.Sleep(30 * time.Second)
		if devices, _ := m.ends(); devices != 1 {
			t.Errorf("%d devices have an end", devices)
		}
		if got := m.lastNumbers()["u1"]; got != 1 {
			t.Errorf("the last push carries %d, want 1", got)
		}
		stop(time.Second)
	})
}

// Where a call carries one number for all, a group's devices are divided by theirs, and no call
// carries a wrong one.
func TestGroupIsDividedByNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.counting(vendors.Limits{Batch: 100, Partition: vendors.ByBadge})
		m.devices = &said{at: time.Now(), unread: func(user string) int { return len(user) - 2 + int(user[1]-'0')%3 }}
		var users []string
		for n := range 200 {
			users = append(users, fmt.Sprint("u", n))
		}
		stop := m.worker()
		time.Sleep(time.Second)
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-1", users...))
		time.Sleep(10 * time.Second)
		calls := m.calls()
		for n, b := range calls {
			if vendors.SharedBadge(b.Devices) == nil {
				t.Errorf("call %d to %d devices has no common number", n, len(b.Devices))
			}
		}
		last := m.lastNumbers()
		for _, user := range users {
			if want := len(user) - 1 + int(user[1]-'0')%3; last[user] != want {
				t.Errorf("the push to %s carries %d, want %d", user, last[user], want)
			}
		}
		if keys, most := m.pushes(); keys != len(users) || most != 1 {
			t.Errorf("%d devices were pushed to, at most %d times", keys, most)
		}
		// 5 numbers in 16 partitions of users
		if len(calls) > 80 {
			t.Errorf("it took %d calls", len(calls))
		}
		stop(time.Second)
	})
}

// quiet is a driver that can change the number on an icon without a notification.
type quiet struct {
	*scripted
	mu    sync.Mutex
	calls []vendors.Batch
}

func (d *quiet) Refresh(_ context.Context, b vendors.Batch) []vendors.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, b)
	return vendors.All(len(b.Devices), vendors.Result{Reason: vendors.Accepted})
}

// refreshes are "token number" of all refreshes since the last time, in order.
func (d *quiet) refreshes() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.calls {
		for _, x := range b.Devices {
			all = append(all, fmt.Sprint(x.Token, " ", *x.Badge))
		}
	}
	d.calls = nil
	slices.Sort(all)
	return all
}

// A number that moves while a push with it is under way, or by a read mark, is refreshed once it
// stands still; one that does not move is not, nor where the app is open.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, town := newMemory(t), &village{}
		store := m.counting(vendors.Limits{Batch: 1})
		m.devices = town
		signals := hongyan.Subjects{}.Signal("demo")
		m.also = []string{signals}
		driver := &quiet{scripted: m.driver}
		slow := 0 * time.Second
		m.driver.answer = func(context.Context, vendors.Device, int) vendors.Result {
			time.Sleep(slow)
			return vendors.Result{Reason: vendors.Accepted}
		}
		stop, _ := m.start(driver)
		wantRefreshes := func(what string, want ...string) {
			t.Helper()
			time.Sleep(10 * time.Second)
			if got := driver.refreshes(); !slices.Equal(got, want) {
				t.Errorf("%s: refreshes of %q, want %q", what, got, want)
			}
		}
		m.message(1)
		m.message(2)
		wantRefreshes("pushes one after the other")
		read := func(user string) {
			data, err := json.Marshal(hongyan.Signal{Type: hongyan.SignalRead, User: user, Conversation: "c2c_alice", At: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			m.raw(signals, data)
		}
		read("u1")
		wantRefreshes("a read mark", "token-u1d 0")
		slow = 3 * time.Second
		m.publish(hongyan.Subjects{}.Message("demo"), chat("x-1", "u1"))
		time.Sleep(time.Second)
		other, now := badge.New(store, badge.Options{}), time.Now()
		if err := other.Change(t.Context(), []badge.Change{{Ref: badge.Ref{App: "demo", User: "u1"}, Message: &badge.Message{ID: "x-2", Sent: now, Stored: now}}}); err != nil {
			t.Fatal(err)
		}
		wantRefreshes("another message meanwhile", "token-u1d 2")
		slow = 0
		for n := range 20 { // each carries its own
			m.publish(hongyan.Subjects{}.Message("demo"), chat(fmt.Sprint("y-", n), "u1"))
			time.Sleep(100 * time.Millisecond)
		}
		wantRefreshes("many messages")
		town.set(false, map[string]func(*directory.User){"u2": func(u *directory.User) {
			u.Devices[0].Presence = &hongyan.Presence{State: hongyan.StateForeground, At: time.Now()}
		}})
		read("u2")
		wantRefreshes("a read mark while the app is open")
		stop(time.Second)
	})
}

// The same on a real server: two workers, of which one stops in the middle, count messages that
// some devices get one a call and some in calls for one number.
func TestBadgesOnNATS(t *testing.T) {
	t.Parallel()
	first := newRig(t)
	first.counts = true
	for _, d := range []*scripted{first.apns, first.huawei} {
		d.limits.Badge = true
	}
	first.huawei.limits.Partition = vendors.ByBadge
	second := newRigOn(t, bustest.Connect(t, first.bus.URL(), bus.Topology{}, "apns", "huawei"))
	second.counts, second.apns, second.huawei = true, first.apns, first.huawei
	first.start()
	second.start()
	const users, messages = 12, 20
	var all []string
	three := 3
	for u := range users {
		all = append(all, fmt.Sprint("u", u))
		first.register(all[u], "d", []string{"c-apns", "c-huawei"}[u%2])
		first.put(hongyan.Subjects{}.Presence("demo", all[u], "d"), hongyan.Presence{State: hongyan.StateBackground, Unread: &three})
	}
	for n := range messages {
		if n == messages/2 {
			second.stop()
		}
		if n%5 == 0 {
			first.send(chat(fmt.Sprint("g-", n), all...))
			continue
		}
		for u := range users {
			first.send(chat(fmt.Sprintf("m-%d-%d", n, u), all[u]))
		}
	}
	first.empty()
	for _, d := range []*scripted{first.apns, first.huawei} {
		d.mu.Lock()
		last := map[string]int{}
		for _, b := range d.calls {
			for _, x := range b.Devices {
				last[x.Token] = *x.Badge
			}
		}
		d.mu.Unlock()
		if len(last) != users/2 {
			t.Errorf("%d devices were pushed to", len(last))
		}
		for token, n := range last {
			if n != messages+three {
				t.Errorf("the last push to %s carries %d, want %d", token, n, messages+three)
			}
		}
	}
}

// A message that is planned while its worker stops, and whose certificate had nothing to send until
// then, is stored.
func TestPlannedWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		store := m.counting(vendors.Limits{Batch: 1})
		store.Delay = func() time.Duration { return time.Second }
		stop := m.worker()
		m.message(1)
		time.Sleep(500 * time.Millisecond)
		stop(time.Minute)
		if keys, _ := m.pushes(); keys > 0 || m.left("job.apns") != 1 || m.left("message") > 0 {
			t.Errorf("%d were pushed, %d jobs and %d messages are left", keys, m.left("job.apns"), m.left("message"))
		}
	})
}
