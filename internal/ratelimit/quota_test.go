package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const today = "quota.c.private.normal.20261123"

func stored(t testing.TB, s *ratelimittest.Store, key string) int64 {
	t.Helper()
	values, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return values[0]
}

func TestQuotaEndsAtItsLimit(t *testing.T) {
	t.Parallel()
	store := &ratelimittest.Store{}
	l := limiter(t, store, certificates(quota(10)))
	now, sent := noon, 0
	for range 4 {
		g := take(t, l, request(3, now))
		sent += g.Devices
		l.Settle(g, counted(g.Devices, now))
	}
	if sent != 10 {
		t.Fatalf("%d devices were granted, want 10", sent)
	}
	// At first the others might still return something.
	g := take(t, l, request(3, now))
	if g.Reason != vendors.RateLimited || g.Wait > time.Second {
		t.Errorf("just after the last unit: %v, wait %v; want a short wait", g.Reason, g.Wait)
	}
	now = now.Add(5 * time.Second)
	g = take(t, l, request(3, now))
	// Midnight in Shanghai and five seconds for clocks that differ.
	if want := 12*time.Hour - 5*time.Second + 5*time.Second; g.Reason != vendors.QuotaSpent || g.Wait != want {
		t.Errorf("later: %v, wait %v; want quota_spent, %v", g.Reason, g.Wait, want)
	}
	if g = take(t, l, request(3, now.Add(g.Wait))); g.Devices != 3 {
		t.Errorf("on the next day %d devices were granted, want 3", g.Devices)
	}
	if got := stored(t, store, today); got != 10 {
		t.Errorf("the counter is %d, want 10", got)
	}
}

func TestQuotaZeroAndUnlimited(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config map[string]vendors.Quota
		class  vendors.Class
		want   int
	}{
		{"unset", nil, vendors.Class{Name: "private"}, 1000},
		{"no-class", nil, vendors.Class{}, 1000},
		{"zero", map[string]vendors.Quota{"private": 0}, vendors.Class{Name: "private"}, 0},
		{"published", nil, vendors.Class{Name: "public", DailyQuota: 7}, 7},
		{"configured-wins", map[string]vendors.Quota{"public": 9}, vendors.Class{Name: "public", DailyQuota: 7}, 9},
		{"unlimited-wins", map[string]vendors.Quota{"public": vendors.Unlimited}, vendors.Class{Name: "public", DailyQuota: 7}, 1000},
		{"another-class", map[string]vendors.Quota{"public": 3}, vendors.Class{Name: "private"}, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := limiter(t, &ratelimittest.Store{}, certificates(ratelimit.Certificate{ID: "c", DailyQuota: tt.config}))
			g := take(t, l, ratelimit.Request{Certificate: "c", Class: tt.class, Devices: 1000, Now: noon})
			if g.Devices != tt.want {
				t.Errorf("%d devices, want %d", g.Devices, tt.want)
			}
		})
	}
}

func TestSettleReturnsWhatWasNotCounted(t *testing.T) {
	t.Parallel()
	store := &ratelimittest.Store{}
	l := limiter(t, store, certificates(quota(10)))
	l.Settle(take(t, l, request(10, noon)), counted(4, noon))
	if g := take(t, l, request(10, noon)); g.Devices != 6 {
		t.Errorf("after 4 of 10 were counted, %d are left, want 6", g.Devices)
	} else {
		l.Settle(g, counted(0, noon))
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, store, today); got != 4 {
		t.Errorf("after Close the counter is %d, want 4", got)
	}
	if _, err := l.Take(t.Context(), request(1, noon)); !errors.Is(err, ratelimit.ErrClosed) {
		t.Errorf("Take after Close: %v, want ErrClosed", err)
	}
	if err := l.Close(t.Context()); err != nil { // again
		t.Error(err)
	}
}

func TestUrgentReserve(t *testing.T) {
	t.Parallel()
	cert := quota(100)
	cert.UrgentReserve = 0.2
	l := limiter(t, &ratelimittest.Store{}, certificates(cert))
	all := func(urgent bool) (n int) {
		for range 20 {
			r := request(10, noon)
			r.Urgent = urgent
			g := take(t, l, r)
			l.Settle(g, counted(g.Devices, noon))
			n += g.Devices
		}
		return n
	}
	if got := all(false); got != 80 {
		t.Errorf("chat got %d of 100 with a reserve of 0.2, want 80", got)
	}
	if got := all(true); got != 20 {
		t.Errorf("calls got %d then, want 20", got)
	}

	// Calls may use what chat has not used.
	l = limiter(t, &ratelimittest.Store{}, certificates(cert))
	if got := all(true); got != 100 {
		t.Errorf("calls alone got %d, want 100", got)
	}
}

// TestQuotaWithoutStore: what is leased goes on, no more is taken, and a lost answer costs nothing
// once the store can say what became of it.
func TestQuotaWithoutStore(t *testing.T) {
	t.Parallel()
	for _, fault := range []ratelimittest.Fault{ratelimittest.NotDone, ratelimittest.LostRequest, ratelimittest.LostAnswer} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			t.Parallel()
			var now atomic.Int32
			store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault { return ratelimittest.Fault(now.Load()) }}
			l := limiter(t, store, certificates(quota(100)))
			l.Settle(take(t, l, request(50, noon)), counted(40, noon)) // 10 are leased and free
			now.Store(int32(fault))
			if g := take(t, l, request(20, noon)); g.Devices != 10 {
				t.Errorf("without the store %d were granted, want the 10 that are leased", g.Devices)
			}
			g := take(t, l, request(20, noon))
			if g.Devices != 0 || g.Reason != vendors.RateLimited {
				t.Errorf("then %d, %v; want none, rate_limited", g.Devices, g.Reason)
			}
			now.Store(int32(ratelimittest.None))
			sent := 50
			for at := noon.Add(time.Second); at.Before(noon.Add(20 * time.Second)); at = at.Add(time.Second) {
				g := take(t, l, request(20, at))
				l.Settle(g, counted(g.Devices, at))
				sent += g.Devices
			}
			known := 100
			if fault == ratelimittest.LostAnswer {
				// the block that nobody knows of: what the second 10 of the 20 asked for
				known -= 10
			}
			if sent != known {
				t.Errorf("after the store came back %d were granted in all, want %d", sent, known)
			}
			l.Heartbeat(t.Context(), noon.Add(20*time.Second))
			if sent += take(t, l, request(20, noon.Add(20*time.Second))).Devices; sent != 100 {
				t.Errorf("after it was asked again %d were granted in all, want 100", sent)
			}
		})
	}
}

// TestMidnight: clocks that differ by up to the guard open no day early and use none late.
func TestMidnight(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, shanghai)
	tests := []struct {
		name string
		at   time.Duration // from midnight, by the worker's clock
		// how much each day's counter is charged for one device
		yesterday, today bool
	}{
		{"long-before", -time.Hour, true, false},
		{"just-before-a-call-could-cross", -15*time.Second - time.Millisecond, true, false},
		{"a-call-could-cross", -15 * time.Second, true, true},
		{"at-midnight", 0, true, true},
		{"a-slow-clock-could-be-before", 5*time.Second - time.Millisecond, true, true},
		{"after-the-guard", 5 * time.Second, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &ratelimittest.Store{}
			l := limiter(t, store, certificates(quota(100)))
			l.Settle(take(t, l, request(1, midnight.Add(tt.at))), counted(1, midnight.Add(tt.at)))
			yesterday, today := stored(t, store, today) > 0, stored(t, store, "quota.c.private.normal.20261124") > 0
			if yesterday != tt.yesterday || today != tt.today {
				t.Errorf("charged to the 23rd: %v, to the 24th: %v; want %v, %v", yesterday, today, tt.yesterday, tt.today)
			}
		})
	}
}

// TestMidnightNeedsRoomInBothDays: with the old day spent nothing goes until the guard is over, and
// both days' units come back unused.
func TestMidnightNeedsRoomInBothDays(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 23, 59, 55, 0, shanghai)
	store := &ratelimittest.Store{}
	l := limiter(t, store, ratelimit.Options{Alone: true, Certificates: []ratelimit.Certificate{quota(10)}})
	l.Settle(take(t, l, request(7, at.Add(-time.Hour))), counted(7, at))
	if g := take(t, l, request(10, at)); g.Devices != 3 {
		t.Errorf("%d, want the 3 that the old day has left", g.Devices)
	} else {
		l.Settle(g, counted(1, at))
	}
	l.Settle(take(t, l, request(2, at)), counted(2, at))
	g := take(t, l, request(10, at))
	if g.Devices != 0 || g.Reason != vendors.QuotaSpent || g.Wait != 10*time.Second {
		t.Errorf("%d, %v, wait %v; want quota_spent until 5s after midnight", g.Devices, g.Reason, g.Wait)
	}
	if g := take(t, l, request(10, at.Add(g.Wait))); g.Devices != 7 {
		t.Errorf("on the new day %d, want 7: three were sent around midnight", g.Devices)
	}
}

// TestQuotaIsUsedToTheLastUnit: workers with their loops, uneven demand, slow calls, no crash:
// exactly the limit is sent.
func TestQuotaIsUsedToTheLastUnit(t *testing.T) {
	t.Parallel()
	const limit, workers = 10_000, 8
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now() // midnight UTC of 2000-01-01, so morning in Shanghai
			rnd := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			delay := func(max time.Duration) {
				mu.Lock()
				d := time.Duration(rnd.Int64N(int64(max)))
				mu.Unlock()
				time.Sleep(d)
			}
			store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault {
				delay(20 * time.Millisecond)
				return ratelimittest.None
			}}
			var sent, waiting atomic.Int64
			waiting.Store(30_000)
			var wg sync.WaitGroup
			ls := make([]*ratelimit.Limiter, workers)
			for w := range workers {
				l := limiter(t, store, ratelimit.Options{Member: fmt.Sprint("w", w), Certificates: []ratelimit.Certificate{quota(limit)}})
				ls[w] = l
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				wg.Go(func() {
					if err := l.Run(ctx); err != nil {
						t.Error(err)
					}
				})
				// some are much slower than others
				pace := time.Duration(1+w*w) * 20 * time.Millisecond
				batch := 1 + int(seed)*w*5
				wg.Go(func() {
					for waiting.Load() > 0 {
						g := take(t, l, request(batch, time.Now()))
						if g.Reason == vendors.QuotaSpent {
							return // its jobs wait for midnight
						}
						if g.Devices == 0 {
							time.Sleep(g.Wait)
							continue
						}
						delay(pace)
						refused := 0
						if sent.Load() < limit/2 && g.Devices%3 == 0 {
							refused = g.Devices / 3 // dead tokens, which the vendor does not count
						}
						sent.Add(int64(g.Devices - refused))
						waiting.Add(-int64(g.Devices))
						l.Settle(g, counted(g.Devices-refused, time.Now()))
					}
				})
			}
			time.Sleep(time.Hour)
			if got := sent.Load(); got != limit {
				t.Errorf("seed %d: %d were sent, want exactly %d", seed, got, limit)
			}
			for _, l := range ls {
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			wg.Wait()
			if got := stored(t, store, "quota.c.private.normal."+start.In(shanghai).Format("20060102")); got != limit {
				t.Errorf("seed %d: the counter ends at %d, want %d", seed, got, limit)
			}
		})
	}
}

// TestIdleLeaseComesBack: a worker that stops sending does not keep the last units from the others.
func TestIdleLeaseComesBack(t *testing.T) {
	t.Parallel()
	store := &ratelimittest.Store{}
	opts := certificates(quota(100))
	a := limiter(t, store, opts)
	opts.Member = "w2"
	b := limiter(t, store, opts)
	a.Settle(take(t, a, request(60, noon)), counted(10, noon)) // holds 50
	if g := take(t, b, request(100, noon)); g.Devices != 40 {
		t.Fatalf("b got %d, want 40", g.Devices)
	}
	now := noon
	for range 3 {
		now = now.Add(time.Second)
		a.Heartbeat(t.Context(), now)
	}
	if g := take(t, b, request(100, now)); g.Devices != 50 {
		t.Errorf("after three quiet heartbeats b got %d, want the 50 that a did not use", g.Devices)
	}
}

// TestIdleReturnLost: units whose return got no answer may be with somebody else already; this
// worker must not spend them. Once the store can say what became of it, everybody can.
func TestIdleReturnLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []ratelimittest.Fault{ratelimittest.NotDone, ratelimittest.LostRequest, ratelimittest.LostAnswer} {
		lose := false
		store := &ratelimittest.Store{Fault: func(c ratelimittest.Call) ratelimittest.Fault {
			if lose && c.Op == "add" && c.Delta < 0 {
				return fault
			}
			return ratelimittest.None
		}}
		a := limiter(t, store, certificates(quota(100)))
		b := limiter(t, store, ratelimit.Options{Member: "w2", Certificates: []ratelimit.Certificate{quota(100)}})
		a.Settle(take(t, a, request(60, noon)), counted(10, noon))
		lose = true
		now := noon
		for range 3 {
			now = now.Add(time.Second)
			a.Heartbeat(t.Context(), now)
		}
		lose = false
		sent := 10
		for range 3 {
			now = now.Add(time.Second)
			for _, l := range []*ratelimit.Limiter{b, a} {
				sent += take(t, l, request(100, now)).Devices
			}
		}
		want := map[ratelimittest.Fault]int{ratelimittest.NotDone: 100, ratelimittest.LostRequest: 50, ratelimittest.LostAnswer: 100}[fault]
		if sent != want {
			t.Errorf("fault %d: %d were granted, want %d of 100", fault, sent, want)
		}
		a.Heartbeat(t.Context(), now)
		if sent += take(t, b, request(100, now.Add(time.Second))).Devices; sent != 100 {
			t.Errorf("fault %d: after it was asked again %d were granted, want 100", fault, sent)
		}
	}
}

// TestAskedAgainInVain: what had no answer for a minute is lost for the day, since the store may
// have forgotten whether it did it; an entry says so. It is not asked for again.
func TestAskedAgainInVain(t *testing.T) {
	t.Parallel()
	fault := ratelimittest.None
	store := &ratelimittest.Store{Fault: func(c ratelimittest.Call) ratelimittest.Fault {
		if c.Op == "add" {
			return fault
		}
		return ratelimittest.None
	}}
	l := limiter(t, store, certificates(quota(100)))
	fault = ratelimittest.LostAnswer
	take(t, l, request(30, noon))
	for i := range 13 { // more than a minute
		l.Heartbeat(t.Context(), noon.Add(time.Duration(i)*5*time.Second))
	}
	fault = ratelimittest.None
	now := noon.Add(2 * time.Minute)
	l.Heartbeat(t.Context(), now)
	if g := take(t, l, request(100, now)); g.Devices != 70 {
		t.Errorf("%d were granted, want the 70 that are sure", g.Devices)
	}
	snapshot, err := l.Snapshot(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if p := snapshot.Certificates[0].Classes[0].Normal; p.Lost != 30 {
		t.Errorf("the operator's view shows %+v, want 30 lost", p)
	}
}

// TestMidnightReturnsWhatOneDayLacks: what the new day has no room for goes back to the old one.
func TestMidnightReturnsWhatOneDayLacks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 23, 59, 55, 0, shanghai)
	store := &ratelimittest.Store{}
	if _, err := store.Add(t.Context(), "quota.c.private.normal.20261124", 95, ""); err != nil {
		t.Fatal(err)
	}
	l := limiter(t, store, certificates(quota(100)))
	g := take(t, l, request(10, at))
	l.Settle(g, counted(g.Devices, at))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if old, next := stored(t, store, today), stored(t, store, "quota.c.private.normal.20261124"); g.Devices != 5 || old != 5 || next != 100 {
		t.Errorf("%d were granted, the days stand at %d and %d; want 5, 5 and 100", g.Devices, old, next)
	}
}

// TestDryCostsLittle: with the quota used up, a worker asks now and then, and by a look that
// disturbs nobody.
func TestDryCostsLittle(t *testing.T) {
	t.Parallel()
	var adds, loads int
	store := &ratelimittest.Store{Fault: func(c ratelimittest.Call) ratelimittest.Fault {
		switch c.Op {
		case "add":
			adds++
		case "load":
			loads++
		}
		return ratelimittest.None
	}}
	l := limiter(t, store, certificates(quota(10)))
	l.Settle(take(t, l, request(10, noon)), counted(10, noon))
	adds, loads = 0, 0
	for i := range 60_000 {
		take(t, l, request(5, noon.Add(time.Duration(i)*time.Millisecond)))
	}
	if adds > 0 || loads > 25 {
		t.Errorf("in a minute of 60000 requests the store was asked by %d additions and %d looks, want none and about 20", adds, loads)
	}
}

// TestNobodyWaitsForTheNextBlock: once a worker has found its pace, blocks come before they are
// needed, however slow the store is.
func TestNobodyWaitsForTheNextBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault {
			time.Sleep(50 * time.Millisecond)
			return ratelimittest.None
		}}
		l := limiter(t, store, certificates(quota(1<<40)))
		run := make(chan error)
		go func() { run <- l.Run(t.Context()) }()
		var waited [10]time.Duration // in each second
		began := time.Now()
		for second := range waited {
			for range 5000 {
				before := time.Now()
				l.Settle(take(t, l, request(1, before)), counted(1, before))
				waited[second] += time.Since(before)
				time.Sleep(200 * time.Microsecond)
			}
		}
		var late time.Duration
		for _, d := range waited[2:] {
			late += d
		}
		if late > 0 {
			t.Errorf("in %v the waits of each second were %v, want none after the first two", time.Since(began), waited)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-run; err != nil {
			t.Error(err)
		}
	})
}
