package directory_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/directory"
)

// shelf is a store in memory. Each change has a sequence, and readers may be given an old state.
type shelf struct {
	mu     sync.Mutex
	log    []directory.Value // by sequence, from 1
	reads  int
	asked  int // for the last sequence
	filter int // filters of all reads
	// lag is how many changes the replica that answers is behind, for each read; nil for none.
	lag func() int
	// under is called in the middle of a read, after the answer was made.
	under func()
	now   func() time.Time
}

func (s *shelf) put(subject, data string, ttl time.Duration) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := directory.Value{Subject: subject, Data: []byte(data), Revision: uint64(len(s.log) + 1), Time: s.now()}
	if ttl > 0 {
		v.Expires = v.Time.Add(ttl)
	}
	s.log = append(s.log, v)
	return v.Revision
}

func (s *shelf) LastValues(_ context.Context, filters []string) (directory.Read, error) {
	s.mu.Lock()
	s.reads++
	s.filter += len(filters)
	upTo := len(s.log)
	if s.lag != nil {
		upTo = max(upTo-s.lag(), 0)
	}
	last := map[string]directory.Value{}
	for _, v := range s.log[:upTo] {
		for _, f := range filters {
			if v.Subject == f || strings.HasPrefix(v.Subject, strings.TrimSuffix(f, ">")) && strings.HasSuffix(f, ">") {
				last[v.Subject] = v
			}
		}
	}
	under := s.under
	s.mu.Unlock()
	r := directory.Read{UpTo: uint64(upTo)}
	for _, v := range last {
		if v.Expires.IsZero() || s.now().Before(v.Expires) {
			r.Values = append(r.Values, v)
		}
	}
	if under != nil {
		under()
	}
	return r, nil
}

func (s *shelf) LastSequence(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return uint64(len(s.log)), nil
}

func (s *shelf) PutIf(_ context.Context, subject string, data []byte, _ uint64) (bool, error) {
	s.put(subject, string(data), 0)
	return false, nil
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// wire is a feed in the hands of a test.
type wire struct{ listeners chan directory.Listener }

func (w wire) Follow(ctx context.Context, l directory.Listener) {
	w.listeners <- l
	<-ctx.Done()
}

// cached returns a directory that remembers, and what its feed says to it.
func cached(t testing.TB, s *shelf, opts directory.Options) (*directory.Directory, directory.Listener) {
	t.Helper()
	if s.now == nil {
		s.now = time.Now
	}
	opts.Now = s.now
	d := directory.New(s, subjects, opts)
	w := wire{make(chan directory.Listener)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx, w) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	l := <-w.listeners
	l.Live(uint64(len(s.log)))
	return d, l
}

func tokenOf(t testing.TB, d *directory.Directory, user string) string {
	t.Helper()
	users, err := d.Lookup(t.Context(), []directory.Ref{{App: "demo", User: user}})
	if err != nil {
		t.Fatal(err)
	}
	if users[0] == nil || len(users[0].Devices) == 0 {
		return ""
	}
	return users[0].Devices[0].Registration.Token
}

func registration(token string) string { return `{"certificate":"c","token":"` + token + `"}` }

// What is known, and that nothing is known, is remembered until it changes, or until changes may be
// missed.
func TestCacheRemembersUntilAChange(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	d, feed := cached(t, s, directory.Options{})
	bob, eve := subjects.Device("demo", "bob", "p"), subjects.Device("demo", "eve", "p")
	feed.Changed(bob, s.put(bob, registration("1"), 0))
	lookups := func(want string, reads int, what string) {
		t.Helper()
		before := s.count()
		for range 3 {
			if got := tokenOf(t, d, "bob"); got != want {
				t.Errorf("%s: bob has %q, want %q", what, got, want)
			}
			tokenOf(t, d, "eve")
		}
		if got := s.count() - before; got != reads {
			t.Errorf("%s: %d reads, want %d", what, got, reads)
		}
	}
	lookups("1", 2, "at first")
	lookups("1", 0, "again")
	feed.Changed(bob, s.put(bob, registration("2"), 0))
	lookups("2", 1, "after a change")
	feed.Changed(eve, s.put(eve, registration("3"), 0))
	if got := tokenOf(t, d, "eve"); got != "3" {
		t.Errorf("eve, of whom nothing was known, has %q", got)
	}
	feed.Changed("", s.put("push.probe", "", 0))
	lookups("2", 0, "after a change that concerns nobody")
	feed.Lost(nil)
	lookups("2", 6, "while changes may be missed")
	feed.Live(uint64(len(s.log)))
	lookups("2", 2, "when changes are told again")
}

// A user is remembered only from a read that knows each change that was heard of, whenever that
// was.
func TestCacheTakesNoOldRead(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	d, feed := cached(t, s, directory.Options{})
	bob := subjects.Device("demo", "bob", "p")
	feed.Changed(bob, s.put(bob, registration("1"), 0))
	s.under = func() { feed.Changed(bob, s.put(bob, registration("2"), 0)) }
	tokenOf(t, d, "bob") // a change comes while the answer is under way
	s.under = nil
	if got := tokenOf(t, d, "bob"); got != "2" {
		t.Errorf("a read that a change overtook was remembered: %q", got)
	}
	feed.Lost(nil)
	s.under = func() { feed.Live(uint64(len(s.log))) }
	s.put(bob, registration("3"), 0)
	tokenOf(t, d, "bob")
	s.under = nil
	s.lag = func() int { return 1 }
	feed.Lost(nil)
	feed.Live(uint64(len(s.log)))
	tokenOf(t, d, "bob") // from a replica that does not know what was stored before the feed began
	s.lag = nil
	if got := tokenOf(t, d, "bob"); got != "3" {
		t.Errorf("a read of a replica that is behind was remembered: %q", got)
	}
}

// Whatever the order of changes, reads and news of changes, a lookup is never older than the news.
func TestCacheIsAsTrueAsTheNews(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := &shelf{}
		d, feed := cached(t, s, directory.Options{CacheBytes: 64 * 4000})
		var told int // news given so far
		tell := func() {
			if told < len(s.log) {
				v := s.log[told]
				told++
				feed.Changed(v.Subject, v.Revision)
			}
		}
		s.lag = func() int { return min(r.IntN(3), len(s.log)-told) }
		s.under = func() {
			for range r.IntN(3) {
				if r.IntN(2) == 0 {
					u := subjects.Device("demo", fmt.Sprint("u", r.IntN(4)), "p")
					s.put(u, registration(fmt.Sprint(len(s.log)+1)), 0)
				}
				tell()
			}
		}
		for range 60 {
			switch r.IntN(6) {
			case 0, 1:
				u := subjects.Device("demo", fmt.Sprint("u", r.IntN(4)), "p")
				s.put(u, registration(fmt.Sprint(len(s.log)+1)), 0)
			case 2:
				tell()
			case 3:
				if r.IntN(10) == 0 {
					feed.Lost(nil)
					told = len(s.log)
					feed.Live(uint64(told))
				}
			default:
				user := fmt.Sprint("u", r.IntN(4))
				least := 0 // the newest change of the user that was told before the lookup
				for _, v := range s.log[:told] {
					if v.Subject == subjects.Device("demo", user, "p") {
						least = int(v.Revision)
					}
				}
				var got int
				if token := tokenOf(t, d, user); token != "" {
					if _, err := fmt.Sscan(token, &got); err != nil {
						t.Fatal(err)
					}
				}
				if got < least {
					t.Fatalf("seed %d: a lookup has change %d, the news had %d", seed, got, least)
				}
			}
		}
	}
}

// A user is read anew when a record's life ends, and after ten minutes in any case.
func TestCacheEndsWithTheRecords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s := &shelf{now: func() time.Time { return now }}
	d, feed := cached(t, s, directory.Options{})
	bob, ann := subjects.Device("demo", "bob", "p"), subjects.Device("demo", "ann", "p")
	feed.Changed(bob, s.put(bob, registration("1"), time.Minute))
	feed.Changed(ann, s.put(ann, registration("2"), 0))
	tokenOf(t, d, "bob")
	tokenOf(t, d, "ann")
	now = now.Add(time.Minute)
	if got := tokenOf(t, d, "bob"); got != "" {
		t.Errorf("bob's registration ended a minute ago, the lookup says %q", got)
	}
	before := s.count()
	if tokenOf(t, d, "ann"); s.count() != before {
		t.Error("ann is read again after a minute")
	}
	now = now.Add(9 * time.Minute)
	if tokenOf(t, d, "ann"); s.count() == before {
		t.Error("ann is not read again after ten minutes")
	}
}

// The cache keeps to its bytes and forgets first who was asked for the longest ago.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	const room = 64 * 3000
	d, _ := cached(t, s, directory.Options{CacheBytes: room})
	for i := range 2000 {
		tokenOf(t, d, fmt.Sprint("u", i))
		tokenOf(t, d, "u0")
	}
	if users, bytes := d.Cached(); bytes > room || users < 100 {
		t.Errorf("%d users in %d bytes, want no more than %d bytes", users, bytes, room)
	}
	before := s.count()
	if tokenOf(t, d, "u0"); s.count() != before {
		t.Error("the user whom everybody asks for was forgotten")
	}
}

// With several replicas, a read that is older than the news is made again, and Confirm waits for a
// replica that knows all that was acknowledged.
func TestConfirmReadsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	d, feed := cached(t, s, directory.Options{Replicas: 3})
	if !d.MustConfirm() {
		t.Error("three replicas need no confirmation")
	}
	behind := 2
	s.lag = func() int { behind--; return max(behind, 0) }
	bob := subjects.Device("demo", "bob", "p")
	feed.Changed(bob, s.put(bob, registration("1"), 0))
	if got := tokenOf(t, d, "bob"); got != "1" {
		t.Errorf("a change that was heard of is not in a lookup: %q", got)
	}
	s.put(bob, registration("2"), 0) // the news is under way
	s.put(bob, registration("3"), 0)
	behind = 4
	users, err := d.Confirm(t.Context(), []directory.Ref{{App: "demo", User: "bob"}, {App: "demo", User: "nobody"}})
	if err != nil || users[0].Devices[0].Registration.Token != "3" || users[1] != nil {
		t.Errorf("confirmed %+v, %v", users, err)
	}
	before := s.count()
	if _, err := d.Confirm(t.Context(), []directory.Ref{{App: "demo", User: "bob"}}); err != nil || s.count() != before {
		t.Errorf("what the cache knows for certain was read again: %v", err)
	}
	if one, _ := cached(t, &shelf{}, directory.Options{Replicas: 1}); one.MustConfirm() {
		t.Error("one replica needs confirmation")
	}
}

// Of a user's devices that can be pushed to, the 32 heard of last count.
func TestTooManyDevices(t *testing.T) {
	t.Parallel()
	s := &shelf{now: time.Now}
	d := directory.New(s, subjects, directory.Options{})
	for i := range 40 {
		body := fmt.Sprintf(`{"certificate":"c","token":"t%d","registered_at":"2026-01-%02dT00:00:00Z"}`, i, i%28+1)
		if i >= 36 {
			body = `{"certificate":"c","registration_error":"907"}` // no token, so it takes nobody's place
		}
		s.put(subjects.Device("demo", "bob", fmt.Sprintf("d%02d", i)), body, 0)
	}
	users, err := d.Lookup(t.Context(), []directory.Ref{{App: "demo", User: "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	var beyond []string
	for _, dev := range users[0].Devices {
		if dev.TooMany {
			beyond = append(beyond, dev.ID)
		}
	}
	// Two were heard of on each of the first days.
	if got := strings.Join(beyond, " "); got != "d00 d01 d28 d29" || len(users[0].Devices) != 40 {
		t.Errorf("beyond the 32 are %s", got)
	}
}

// A flood of bad records is counted, and is a line a minute in the log.
func TestBadRecordsDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s := &shelf{now: func() time.Time { return now }}
	var log strings.Builder
	counted := 0
	d, feed := cached(t, s, directory.Options{
		Unreadable: func(_, kind string, _ error) { counted++ }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 1000 {
		feed.Changed("push.user.demo.zoe%40example%2ecom.device.ph%2fone", s.put("", "", 0))
	}
	s.put(subjects.Device("demo", "bob", "p"), "{", 0)
	tokenOf(t, d, "bob")
	now = now.Add(time.Minute)
	feed.Changed("push.user.demo.zoe%40example%2ecom.settings", s.put("", "", 0))
	if counted != 1002 || strings.Count(log.String(), "level=WARN") != 3 || !strings.Contains(log.String(), "not_logged_before=999") {
		t.Errorf("%d counted, the log says:\n%s", counted, log.String())
	}
}

// BenchmarkLookup looks 100 users of two devices up that the cache knows.
func BenchmarkLookup(b *testing.B) {
	s := &shelf{}
	d, _ := cached(b, s, directory.Options{})
	var refs []directory.Ref
	for i := range 100 {
		u := fmt.Sprint("user-", i)
		refs = append(refs, directory.Ref{App: "demo", User: u})
		s.put(subjects.Device("demo", u, "phone"), registration("1"), 0)
		s.put(subjects.Device("demo", u, "pad"), registration("2"), 0)
	}
	if _, err := d.Lookup(b.Context(), refs); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Lookup(b.Context(), refs); err != nil {
			b.Fatal(err)
		}
	}
}
