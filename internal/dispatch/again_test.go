package dispatch_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var schedules = flag.Int("schedules", 300, "how many random schedules TestRandomKills goes through")

// messageTo stores a message to users.
func (m *memory) messageTo(id string, users ...string) {
	m.t.Helper()
	msg := chat(id, users...)
	if len(users) > 1 {
		msg.Conversation.Type = hongyan.ConversationGroup
	}
	data, err := json.Marshal(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message("demo"), ID: id, Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// answered says of which devices an end is stored, by their keys.
func (m *memory) answered() map[string]bool {
	m.t.Helper()
	known := map[string]bool{}
	for _, s := range m.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range ends {
			if e.Status.End() {
				known[dispatch.Key("demo", e.MessageID, e.User, e.Device)] = true
			}
		}
	}
	return known
}

// A message comes again after its worker died: devices with an end or with a job of their own are
// spared, and only the rest is pushed to.
func TestMessageThatComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		dead := make(chan struct{})
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			if d.Token == "token-slowd" && n == 1 {
				<-dead // its worker dies before the vendor answers
				return vendors.Result{Reason: vendors.Interrupted}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		_, kill := m.start(m.driver)
		m.messageTo("m-1", "quick", "slow")
		time.Sleep(time.Second)
		time.AfterFunc(time.Second, func() { close(dead) })
		kill()
		if devices, _ := m.ends(); devices != 1 || m.left("message") != 1 || len(m.queue.Stored("job.huawei")) == 0 {
			t.Fatalf("%d ends, %d messages are left, %d jobs", devices, m.left("message"), len(m.queue.Stored("job.huawei")))
		}
		offered := m.queue.Tries("job.huawei")
		stop := m.worker()
		time.Sleep(2 * dispatchtest.AckWait)
		m.driver.mu.Lock()
		for token, want := range map[string]int{"quick": 1, "slow": 2} {
			if got := m.driver.keys[dispatch.Key("demo", "m-1", token, "d")]; got != want {
				t.Errorf("%s was pushed to %d times, want %d", token, got, want)
			}
		}
		m.driver.mu.Unlock()
		if n := m.queue.Tries("job.huawei"); n != offered {
			t.Errorf("jobs that are stored were stored again: %d tries, then %d", offered, n)
		}
		if devices, most := m.ends(); devices != 2 || most != 1 || m.left("message") > 0 {
			t.Errorf("%d ends, at most %d; %d messages are left", devices, most, m.left("message"))
		}
		stop(time.Second)
	})
}

// Whoever takes over from a worker that died may have to give a message or job back, because the
// directory cannot be read or the vendor says too fast. Taken once more by the same worker, it is
// looked at once more: what the dead one pushed is not pushed again.
func TestGivenBackAfterItCameAgain(t *testing.T) {
	for _, what := range []string{"message", "job.apns"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, known := newMemory(t), &village{}
				m.devices = known
				dead := make(chan struct{})
				slow := dispatch.Key("demo", "m-1", "slow", "d")
				m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
					switch {
					case d.Key == slow && n == 1: // its worker dies before the vendor answers
						<-dead
						return vendors.Result{Reason: vendors.Interrupted}
					case d.Key == slow && n == 2:
						return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 5 * time.Second}
					}
					return vendors.Result{Reason: vendors.Accepted}
				}
				_, kill := m.start(m.driver)
				if what == "message" {
					m.messageTo("m-1", "quick", "slow")
				} else {
					m.jobFor(1, "quick", "slow")
				}
				time.Sleep(time.Second)
				time.AfterFunc(time.Second, func() { close(dead) })
				kill()
				if devices, _ := m.ends(); devices != 1 || m.left(what) != 1 {
					t.Fatalf("%d ends, %d are left", devices, m.left(what))
				}
				known.set(what == "message", nil)
				stop := m.worker()
				time.Sleep(dispatchtest.AckWait + 10*time.Second)
				known.set(false, nil)
				time.Sleep(dispatchtest.AckWait)
				m.driver.mu.Lock()
				if n := m.driver.keys[dispatch.Key("demo", "m-1", "quick", "d")]; n != 1 {
					t.Errorf("who has an end was pushed to %d times", n)
				}
				if n := m.driver.keys[slow]; n != 3 {
					t.Errorf("who has none was pushed to %d times, want 3", n)
				}
				m.driver.mu.Unlock()
				if devices, most := m.ends(); devices != 2 || most != 1 || m.left(what) > 0 {
					t.Errorf("%d ends, at most %d; %d are left", devices, most, m.left(what))
				}
				stop(time.Second)
			})
		})
	}
}

// The pieces of a large message come again after their worker died: whoever has an end is spared,
// whoever has none is pushed to, and nobody is forgotten.
func TestPiecesThatComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.pieces = true
		const members = 600
		m.driver.answer = func(ctx context.Context, _ vendors.Device, _ int) vendors.Result {
			select {
			case <-time.After(100 * time.Millisecond):
				return vendors.Result{Reason: vendors.Accepted}
			case <-ctx.Done():
				return vendors.Result{Reason: vendors.Interrupted}
			}
		}
		var users []string
		for i := range members {
			users = append(users, fmt.Sprint("u", i))
		}
		_, kill := m.start(m.driver)
		m.messageTo("m-1", users...)
		time.Sleep(3 * time.Second)
		kill()
		known, begun := len(m.answered()), 0
		begun, _ = m.pushes()
		if known == 0 || begun == members || m.left("piece") == 0 {
			t.Fatalf("%d ends of %d pushes, %d pieces are left: not in the middle", known, begun, m.left("piece"))
		}
		stop := m.worker()
		time.Sleep(3 * dispatchtest.AckWait)
		repeats := 0
		m.driver.mu.Lock()
		for _, n := range m.driver.keys {
			repeats += n - 1
		}
		m.driver.mu.Unlock()
		if repeats > begun-known {
			t.Errorf("%d pushes were repeated, %d had no end when the worker died", repeats, begun-known)
		}
		if devices, most := m.ends(); devices != members || most != 1 || m.left("piece")+m.left("message") > 0 {
			t.Errorf("%d ends, at most %d; %d pieces and messages are left", devices, most, m.left("piece")+m.left("message"))
		}
		stop(time.Second)
	})
}

// Of a message that was taken a hundred times those recipients keep their ends who have one: a
// worker died before the other's push had its answer, and all that came after it.
func TestMessageIsTakenTooOftenAfterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.devices = onePhone{}
		dead := make(chan struct{})
		m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
			if d.Token == "token-slowd" {
				<-dead // its worker dies before the vendor answers
				return vendors.Result{Reason: vendors.Interrupted}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		_, kill := m.start(m.driver)
		m.messageTo("m-1", "quick", "slow")
		time.Sleep(time.Second)
		time.AfterFunc(time.Second, func() { close(dead) })
		kill()
		source := m.queue.Source(hongyan.Subjects{}.Message("demo"), 1)
		ctx, cancel := context.WithCancel(t.Context())
		out := make(chan dispatch.Delivery)
		go source.Run(ctx, out)
		for range 100 {
			(<-out).Forget()
		}
		cancel()
		synctest.Wait()
		stop := m.worker()
		time.Sleep(2 * dispatchtest.AckWait)
		for user, want := range map[string]hongyan.Status{"quick": hongyan.StatusAccepted, "slow": hongyan.StatusDead} {
			if ends := m.endsOf(user); len(ends) != 1 || ends[0].Status != want {
				t.Errorf("%s ended as %+v, want %s alone", user, ends, want)
			}
		}
		if letters := m.reasons(); len(letters) != 1 || m.left("message") > 0 {
			t.Errorf("dead letters: %v, %d messages are left", letters, m.left("message"))
		}
		stop(time.Second)
	})
}

// A message that was taken a hundred times is dead, and each of its recipients has that end. What
// its letter holds can be published once more.
func TestMessageIsTakenTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.messageTo("m-1", "a", "b")
		source := m.queue.Source(hongyan.Subjects{}.Message("demo"), 1)
		ctx, cancel := context.WithCancel(t.Context())
		out := make(chan dispatch.Delivery)
		go source.Run(ctx, out)
		for range 100 {
			(<-out).Forget() // a worker dies
		}
		cancel()
		synctest.Wait()
		stop := m.worker()
		time.Sleep(2 * dispatchtest.AckWait)
		letters := m.queue.Stored("dead")
		if len(letters) != 1 || letters[0].Header[dispatch.HeaderReason] != "attempts_exhausted" || letters[0].Header[dispatch.HeaderMessageID] != "m-1" {
			t.Errorf("letters: %+v", letters)
		}
		if keys, _ := m.pushes(); keys != 0 {
			t.Error("it was pushed")
		}
		if devices, most := m.ends(); devices != 2 || most != 1 || m.left("message") > 0 {
			t.Errorf("%d ends, at most %d; %d messages are left", devices, most, m.left("message"))
		}
		letter := &dispatch.Letter{Reason: hongyan.AttemptsExhausted, Header: letters[0].Header}
		if again := (dispatch.Outgoing{Subject: letter.Header[dispatch.HeaderSubject], ID: ":replay/1/1", Data: letters[0].Data}); !letter.Original() || m.queue.Publish(t.Context(), []dispatch.Outgoing{again}) != nil {
			t.Fatalf("it cannot be published again: %+v", letter)
		}
		time.Sleep(2 * dispatchtest.AckWait)
		if keys, most := m.pushes(); keys != 2 || most != 1 { // the certificate of their other devices is parked
			t.Errorf("published again it reached %d devices, at most %d times", keys, most)
		}
		stop(time.Second)
	})
}

// ofWorker is the driver of one worker: it knows what that one pushed.
type ofWorker struct {
	*scripted
	mu   sync.Mutex
	keys map[string]bool
}

func (d *ofWorker) Push(ctx context.Context, b vendors.Batch) []vendors.Result {
	d.mu.Lock()
	for _, dev := range b.Devices {
		d.keys[dev.Key] = true
	}
	d.mu.Unlock()
	return d.scripted.Push(ctx, b)
}

// Two workers are killed again and again while streams fail and acks are lost: each push of which
// an end was stored is never repeated, each other one at most once for each kill of the worker that
// made it, and nothing is missing.
func TestRandomKills(t *testing.T) {
	n := *schedules
	if testing.Short() {
		n /= 10
	}
	for range n {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { randomKills(t, rand.New(rand.NewPCG(seed, 0))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomKills(t *testing.T, rng *rand.Rand) {
	m := newMemory(t)
	m.driver.answer = func(ctx context.Context, _ vendors.Device, _ int) vendors.Result {
		select {
		case <-time.After(300 * time.Millisecond):
			return vendors.Result{Reason: vendors.Accepted}
		case <-ctx.Done():
			return vendors.Result{Reason: vendors.Accepted} // the vendor took it, nobody heard
		}
	}
	type worker struct {
		driver *ofWorker
		stop   func(time.Duration)
		kill   func()
	}
	begin := func() worker {
		w := worker{driver: &ofWorker{scripted: m.driver, keys: map[string]bool{}}}
		w.stop, w.kill = m.start(w.driver)
		return w
	}
	workers := []worker{begin(), begin()}
	allowed := map[string]int{} // repeats
	faults := []dispatchtest.Fault{{}, {}, {Refuse: errRefused}, {Refuse: dispatch.ErrAway}, {Refuse: dispatch.ErrFull}, {LosePubAcks: true}, {Delay: time.Second}, {LoseAcks: true}}
	streams := []string{"outcome", "job.apns", "job.huawei", "later", "message"}
	const messages = 20
	next := 0
	for range 25 {
		switch rng.IntN(4) {
		case 0:
			k := rng.IntN(len(workers))
			w := workers[k]
			w.kill()
			known := m.answered()
			for key := range w.driver.keys {
				if !known[key] {
					allowed[key]++
				}
			}
			workers[k] = begin()
		case 1:
			f, stream := faults[rng.IntN(len(faults))], streams[rng.IntN(len(streams))]
			if stream == "message" { // the backend's own patience is not the subject
				f = dispatchtest.Fault{LoseAcks: f.LoseAcks}
			}
			m.queue.Fail(stream, f)
		default:
			if next < messages {
				m.message(next)
				next++
			}
		}
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
	}
	for _, s := range streams {
		m.queue.Fail(s, dispatchtest.Fault{})
	}
	for ; next < messages; next++ {
		m.message(next)
	}
	time.Sleep(10 * dispatchtest.AckWait)
	m.driver.mu.Lock()
	pushed := maps.Clone(m.driver.keys)
	m.driver.mu.Unlock()
	known := m.answered()
	for i := range messages {
		key := dispatch.Key("demo", fmt.Sprint("m-", i), fmt.Sprint("u", i), "d")
		switch n := pushed[key]; {
		case n == 0 || !known[key]:
			t.Errorf("message %d was pushed %d times, its end is stored: %v", i, n, known[key])
		case n-1 > allowed[key]:
			t.Errorf("message %d was pushed %d times, %d kills left it without an end", i, n, allowed[key])
		}
	}
	if left := m.left("message") + m.left("job.apns") + m.left("piece"); left > 0 {
		t.Errorf("%d messages and jobs are left", left)
	}
	for _, w := range workers {
		w.stop(time.Second)
	}
}
