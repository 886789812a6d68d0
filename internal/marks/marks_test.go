package marks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a store and a feed that a test fills.
type shelf struct {
	values  []Value
	reads   int
	away    error
	behind  int // reads that know nothing of the last value
	before  error
	l       Listener
	release chan struct{}
}

func (s *shelf) LastMarks(_ context.Context, filters []string) ([]Value, uint64, error) {
	s.reads++
	if s.away != nil {
		return nil, 0, s.away
	}
	known := s.values
	if s.behind > 0 {
		s.behind--
		known = known[:len(known)-1]
	}
	last := map[string]Value{}
	for _, v := range known {
		for _, f := range filters {
			if f == v.Subject || f[len(f)-1] == '*' && len(v.Subject) >= len(f) && v.Subject[:len(f)-1] == f[:len(f)-1] {
				last[v.Subject] = v
			}
		}
	}
	var found []Value
	for _, v := range last {
		found = append(found, v)
	}
	return found, uint64(len(known)) + 1, nil // the first is a probe
}

func (s *shelf) LastMark(context.Context) (uint64, error) { return uint64(len(s.values)) + 1, s.away }

func (s *shelf) MarksSince(ctx context.Context, since time.Time, each func(Value) bool) error {
	if s.release != nil {
		select {
		case <-s.release:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, v := range s.values {
		if !v.Stored.Before(since) && !each(v) {
			return nil
		}
	}
	return s.before
}

func (s *shelf) FollowMarks(ctx context.Context, l Listener) {
	s.l = l
	<-ctx.Done()
}

// put stores a mark, and tells of it where somebody hears.
func (s *shelf) put(t *testing.T, m *Mark, tell bool) {
	t.Helper()
	o, err := m.Outgoing(hongyan.Subjects{})
	if err != nil {
		t.Fatal(err)
	}
	v := Value{Subject: o.Subject, Data: o.Data, Sequence: uint64(len(s.values)) + 2, Stored: time.Now()}
	s.values = append(s.values, v)
	if tell {
		s.l.Heard(v)
	}
}

// hearing are marks over a shelf that hear, until the test ends.
func hearing(t *testing.T, s *shelf, opts Options) *Marks {
	t.Helper()
	m := New(s, hongyan.Subjects{}, opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx, s); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return m
}

func recall(n int) *Mark {
	return &Mark{App: "demo", What: Recall, Message: fmt.Sprint("m-", n), At: time.Now()}
}

func read(user string, at time.Time) *Mark {
	return &Mark{App: "demo", What: Read, User: user, Conversation: "c", At: at}
}

// about is a question about a message to bob.
func about(n int, sent time.Time) []About {
	return []About{{App: "demo", Message: fmt.Sprint("m-", n), SentAt: sent, Conversation: "c", Users: []string{"ann", "bob"}}}
}

func say(t *testing.T, m *Marks, a []About) Said {
	t.Helper()
	said, err := m.Say(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return said[0]
}

// Once it hears, and knows the ten minutes before, what was sent in the last five needs no read.
func TestMemoryAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		for n := range 10 {
			s.put(t, recall(n), false)
			time.Sleep(time.Minute)
		}
		m := hearing(t, s, Options{})
		if say(t, m, about(3, time.Now())); s.reads != 1 {
			t.Errorf("%d reads before it hears", s.reads)
		}
		s.l.Live(10, time.Now())
		synctest.Wait()
		s.put(t, read("bob", time.Now()), true)
		for n, want := range map[int]bool{3: true, 11: false} {
			said := say(t, m, about(n, time.Now().Add(-4*time.Minute)))
			if said.Recalled != want || !slices.Equal(said.Read, []bool{false, true}) {
				t.Errorf("of message %d it says %+v", n, said)
			}
		}
		if said := say(t, m, about(11, time.Now().Add(time.Second))); said.Read != nil {
			t.Errorf("a message that was sent after it was read counts as read: %+v", said)
		}
		if s.reads != 1 {
			t.Errorf("%d reads", s.reads)
		}
		if said := say(t, m, about(0, time.Now().Add(-6*time.Minute))); !said.Recalled || s.reads != 2 {
			t.Errorf("of an older message it says %+v after %d reads", said, s.reads)
		}
		s.l.Lost(errors.New("a gap"))
		if said := say(t, m, about(3, time.Now())); !said.Recalled || s.reads != 3 {
			t.Errorf("after a gap it says %+v after %d reads", said, s.reads)
		}
	})
}

// While the ten minutes before are read, or where that fails, the memory answers only for what came
// since it hears.
func TestMemoryIsNotComplete(t *testing.T) {
	for name, s := range map[string]*shelf{"slow": {release: make(chan struct{})}, "fails": {before: errors.New("no")}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if s.release != nil {
					s.release = make(chan struct{})
				}
				m := hearing(t, s, Options{})
				s.l.Live(1, time.Now())
				synctest.Wait()
				if say(t, m, about(1, time.Now())); s.reads != 1 {
					t.Errorf("%d reads", s.reads)
				}
				time.Sleep(6 * time.Minute)
				if say(t, m, about(1, time.Now())); s.reads != 1 {
					t.Errorf("%d reads after six minutes", s.reads)
				}
			})
		})
	}
}

// A replica that is behind is asked again, and a read that fails says nothing.
func TestReadsUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		m := hearing(t, s, Options{})
		s.l.Live(1, time.Now())
		synctest.Wait()
		s.put(t, recall(0), true)
		s.put(t, recall(1), true)
		s.behind = 3
		if said := say(t, m, about(1, time.Now().Add(-time.Hour))); !said.Recalled || s.reads != 4 {
			t.Errorf("it says %+v after %d reads", said, s.reads)
		}
		s.behind = 1000
		if _, err := m.Say(t.Context(), about(1, time.Now().Add(-time.Hour))); !errors.Is(err, ErrBehind) {
			t.Errorf("of a replica that stays behind: %v", err)
		}
		s.behind, s.away = 0, errors.New("away")
		if _, err := m.Say(t.Context(), about(1, time.Now().Add(-time.Hour))); !errors.Is(err, s.away) {
			t.Errorf("of a store that is away: %v", err)
		}
	})
}

// A flood of signals keeps the memory within its bound; what was sent just now still needs no read,
// and the newest are known.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		m := hearing(t, s, Options{})
		s.l.Live(1, time.Now())
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		flood := func(from, n int) {
			for k := range n {
				x := recall(from + k)
				if k%2 == 1 {
					x = read(fmt.Sprint("nobody", from+k), time.Now())
				}
				m.memory.learn(x, time.Now())
				if k%1000 == 0 {
					time.Sleep(time.Minute / 100)
				}
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		flood(0, 100_000)
		if say(t, m, about(1, time.Now())); s.reads != 0 {
			t.Errorf("%d reads after a flood of a minute", s.reads)
		}
		flood(100_000, 900_000)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 20<<20 {
			t.Errorf("the memory takes %d bytes", grown)
		}
		if n := m.memory.size(); n*entryBytes > 16<<20 {
			t.Errorf("it holds %d entries", n)
		}
		if !m.Recalled("demo", "m-999998") || m.Recalled("demo", "m-0") {
			t.Error("it does not hold the newest")
		}
		if say(t, m, about(0, time.Now())); s.reads != 1 {
			t.Errorf("%d reads, although what was forgotten may matter", s.reads)
		}
		runtime.KeepAlive(m)
	})
}

// What a memory says it knows all of, it knows: against a memory without bounds, at random.
func TestMemoryForgetsWhatItSays(t *testing.T) {
	t.Parallel()
	for range 200 {
		rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
		m := newMemory(entryBytes * 2 * (1 + rng.IntN(20)))
		now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
		type put struct {
			m      *Mark
			stored time.Time
		}
		var all []put
		m.begin(now)
		for range 200 {
			now = now.Add(time.Duration(rng.Int64N(int64(time.Minute))))
			x := &Mark{App: "demo", What: Read, User: fmt.Sprint(rng.IntN(30)), Conversation: "c", At: now.Add(-time.Duration(rng.Int64N(int64(10 * time.Minute))))}
			m.learn(x, now)
			all = append(all, put{x, now})
			sent := now.Add(-time.Duration(rng.Int64N(int64(20 * time.Minute))))
			user := fmt.Sprint(rng.IntN(30))
			m.mu.RLock()
			covers, got := m.covers(sent), m.hasRead("demo", user, "c", sent)
			m.mu.RUnlock()
			want := slices.ContainsFunc(all, func(p put) bool { return p.m.User == user && !p.m.At.Before(sent) })
			if got && !want || covers && got != want {
				t.Fatalf("of %s it says %v, covers: %v", user, got, covers)
			}
		}
	}
}

// The first event that ended a call for a user is the same in whatever order marks come.
func TestStateInAnyOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	events := []*Mark{
		{What: Call, Message: "i", At: at, Rang: []Rang{{Devices: []string{dispatch.DeviceHash("bob", "1")}}, {Devices: []string{dispatch.DeviceHash("bob", "2")}}}},
		{What: Call, Message: "b", At: at.Add(time.Second), Ended: []string{"bob"}},
		{What: Call, Message: "a", At: at.Add(time.Second), Ended: []string{"bob", "carol"}},
		{What: Call, Message: "c", At: at.Add(time.Minute), Ended: []string{"bob", "dave"}},
	}
	for range 50 {
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		s := NewState(append(events, events[0]))
		for _, c := range []struct {
			user, message string
			stored        time.Time
			want          bool
		}{
			{"bob", "a", at.Add(time.Second), false}, {"bob", "b", at.Add(time.Second), true}, {"bob", "c", at.Add(time.Minute), true},
			{"bob", "x", at, false}, {"dave", "c", at.Add(time.Minute), false}, {"erin", "c", at.Add(time.Minute), false},
		} {
			if got := s.Ended(c.user, c.message, c.stored); got != c.want {
				t.Errorf("before %s the call had ended for %s: %v, want %v", c.message, c.user, got, c.want)
			}
		}
		if !s.Rang("bob", "1") || !s.Rang("bob", "2") || s.Rang("bob", "3") || s.Rang("b", "ob1") || !s.Over("carol") || s.Over("erin") {
			t.Fatalf("state %+v", s)
		}
	}
	var none *State
	if none.Rang("bob", "1") || none.Ended("bob", "a", at) || none.Over("bob") {
		t.Error("nothing says something")
	}
}

// What cannot be read counts as absent, and is counted.
func TestUnreadableMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, unreadable := &shelf{}, 0
		m := hearing(t, s, Options{Unreadable: func(error) { unreadable++ }})
		s.l.Live(1, time.Now())
		synctest.Wait()
		for _, data := range []string{``, `{`, `{"v":2,"what":"recall","message_id":"m-1"}`, `[]`} {
			s.l.Heard(Value{Subject: hongyan.Subjects{}.RecallMark("demo", "m-1"), Data: []byte(data), Sequence: 2})
		}
		s.l.Heard(Value{Subject: "push.mark.:probe", Sequence: 3})
		if unreadable != 5 || m.Recalled("demo", "m-1") {
			t.Errorf("%d are unreadable; recalled: %v", unreadable, m.Recalled("demo", "m-1"))
		}
	})
}

// What a replay brings is older than what is heard meanwhile, and both share a generation: the
// memory never says that it knows all since a time at which something was stored that it forgot.
func TestMemoryForgetsAfterAReplay(t *testing.T) {
	t.Parallel()
	m := newMemory(entryBytes * 2 * 2) // two generations of two
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	m.begin(now)
	stored := map[string]time.Time{}
	for i, at := range []time.Duration{time.Second, -9 * time.Minute, -8 * time.Minute, -7 * time.Minute, -6 * time.Minute, -5 * time.Minute} {
		x := recall(i)
		m.learn(x, now.Add(at))
		stored[x.Message] = now.Add(at)
	}
	for message, at := range stored {
		if m.complete(at) && !m.recalled("demo", message) {
			t.Errorf("it knows all since %v, but not %s", at, message)
		}
	}
	if !m.complete(now.Add(2 * time.Second)) {
		t.Error("it knows nothing any more")
	}
}

// An invitation looks for what ended its call in what is stored by now, also where nobody hears.
func TestInvitationWhereNobodyHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		m := New(s, hongyan.Subjects{}, Options{})
		s.put(t, recall(0), false)
		s.put(t, &Mark{App: "demo", What: Call, CallID: "x", Message: "e-1", Ended: []string{"bob"}, At: time.Now()}, false)
		s.behind = 1
		a := about(1, time.Now())
		a[0].Call = &hongyan.Call{ID: "x", Action: hongyan.CallInvite}
		if said := say(t, m, a); !slices.Equal(said.Over, []bool{false, true}) {
			t.Errorf("it says %+v", said)
		}
	})
}

// A wait for a mark goes on when somebody else's, or a probe, is heard of, and ends when nobody
// hears any more.
func TestExpectations(t *testing.T) {
	for name, c := range map[string]struct {
		hear func(*shelf)
		most time.Duration // that the wait takes
	}{
		"probe":   {func(s *shelf) { s.l.Heard(Value{Sequence: 9}) }, time.Second},
		"another": {func(s *shelf) { s.l.Heard(Value{Subject: "push.mark.demo.other", Sequence: 9}) }, time.Second},
		"heard": {func(s *shelf) {
			s.l.Heard(Value{Subject: "a", Sequence: 9})
			s.l.Heard(Value{Subject: "b", Sequence: 10})
		}, 0},
		"half": {func(s *shelf) { s.l.Heard(Value{Subject: "a", Sequence: 9}) }, time.Second},
		"lost": {func(s *shelf) { s.l.Lost(errors.New("a gap")) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{}
				m := hearing(t, s, Options{})
				s.l.Live(1, time.Now())
				synctest.Wait()
				e := m.Expect("a", "b")
				c.hear(s)
				began := time.Now()
				if e.Wait(t.Context(), time.Second); time.Since(began) != c.most {
					t.Errorf("it waited for %v, want %v", time.Since(began), c.most)
				}
			})
		})
	}
}

// The same mark has the same name in the store, and another lifetime for each kind.
func TestOutgoing(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, m := range []*Mark{
		{App: "demo", What: Recall, Message: "m\xff", At: at}, {App: "demo", What: Read, User: "b\x00b", Conversation: "c", At: at},
		{App: "demo", What: Call, CallID: "x", Message: "m", Ended: []string{"bob"}, At: at},
	} {
		a, err := m.Outgoing(hongyan.Subjects{})
		b, err2 := m.Outgoing(hongyan.Subjects{})
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		back, err := parse(hongyan.Subjects{}, a.Subject, a.Data)
		if err != nil || back.App != "demo" || back.What != m.What || !back.At.Equal(at) {
			t.Errorf("read back as %+v, %v", back, err)
		}
		if a.Subject != b.Subject || a.Life != map[What]time.Duration{Recall: 48 * time.Hour, Read: 24 * time.Hour, Call: time.Hour}[m.What] {
			t.Errorf("%s, %v", a.Subject, a.Life)
		}
		if m.Late(at.Add(a.Life-1)) || !m.Late(at.Add(a.Life)) {
			t.Error("it is late at another time than it ends")
		}
	}
}

// A look into the memory costs no allocation.
func BenchmarkSuppressed(b *testing.B) {
	m := New(&shelf{}, hongyan.Subjects{}, Options{})
	for n := range 100_000 {
		m.memory.learn(recall(n), time.Now())
	}
	job := &dispatch.Job{App: "demo", Notification: &vendors.Notification{MessageID: "m-x", Conversation: "c2c_alice"}, Published: time.Now(), Targets: []dispatch.Target{{User: "bob"}}}
	b.ReportAllocs()
	for b.Loop() {
		if m.Suppressed(job, &job.Targets[0]) != "" {
			b.Fatal("suppressed")
		}
	}
}
