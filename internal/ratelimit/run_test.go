package ratelimit_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestNewProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		opts       ratelimit.Options
	}{
		{"no-member", "member", ratelimit.Options{}},
		{"member-with-dot", "member", ratelimit.Options{Member: "a.b"}},
		{"certificate-id", "id", ratelimit.Options{Member: "w", Certificates: []ratelimit.Certificate{{ID: "a b"}}}},
		{"twice", "twice", ratelimit.Options{Member: "w", Certificates: []ratelimit.Certificate{{ID: "a"}, {ID: "a"}}}},
		{"timezone", "timezone", ratelimit.Options{Member: "w", Certificates: []ratelimit.Certificate{{ID: "a", Timezone: "Mars"}}}},
		{"reserve", "urgent_reserve", ratelimit.Options{Member: "w", Certificates: []ratelimit.Certificate{{ID: "a", UrgentReserve: 2}}}},
		{"rate", "rate", ratelimit.Options{Member: "w", Certificates: []ratelimit.Certificate{{ID: "a", Rate: vendors.Rate{DevicesPerSecond: 1, RequestsPerSecond: 1}}}}},
		{"class", "class", ratelimit.Options{Member: "w", Certificates: []ratelimit.Certificate{{ID: "a", Classes: []vendors.Class{{Name: "a.b"}}}}}},
	}
	for _, tt := range tests {
		if _, err := ratelimit.New(&ratelimittest.Store{}, tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one about %q", tt.name, err, tt.want)
		}
	}
}

func TestTakeProblems(t *testing.T) {
	t.Parallel()
	l := limiter(t, &ratelimittest.Store{}, certificates(quota(1)))
	for _, r := range []ratelimit.Request{
		{Certificate: "x", Class: private, Devices: 1, Now: noon},
		{Certificate: "c", Class: vendors.Class{Name: "a.b"}, Devices: 1, Now: noon},
	} {
		if _, err := l.Take(t.Context(), r); err == nil {
			t.Errorf("Take(%+v): no error", r)
		}
	}
	l.Settle(ratelimit.Grant{}, ratelimit.Outcome{Counted: 5, Now: noon}) // of a grant of nothing
}

// TestStartAndStop: Run and Close in any order, twice, at once.
func TestStartAndStop(t *testing.T) {
	t.Parallel()
	for i := range 100 {
		l := limiter(t, &ratelimittest.Store{}, ratelimit.Options{Member: "w", Heartbeat: time.Millisecond, Certificates: []ratelimit.Certificate{quota(10)}})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := l.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
				if i%3 == 0 {
					cancel()
				}
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		cancel()
	}
}

// TestExhaustionSpreadsAtOnce: it is stored without waiting for the heartbeat, and published later
// when the store is away.
func TestExhaustionSpreadsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		fault := ratelimittest.None
		set := func(f ratelimittest.Fault) { mu.Lock(); fault = f; mu.Unlock() }
		store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault { mu.Lock(); defer mu.Unlock(); return fault }}
		l := limiter(t, store, certificates(quota(10)))
		run := make(chan error)
		go func() { run <- l.Run(t.Context()) }()
		time.Sleep(100 * time.Millisecond)
		l.Settle(take(t, l, request(1, time.Now())), ratelimit.Outcome{QuotaSpent: 1, Now: time.Now()})
		synctest.Wait()
		spent := func() bool {
			entries, _ := store.List(t.Context(), ratelimit.State)
			_, ok := entries["state.spent.c.private"]
			return ok
		}
		if !spent() {
			t.Error("the exhaustion is not stored at once")
		}
		time.Sleep(2 * time.Second)
		if err := store.Remove(t.Context(), "state.spent.c.private"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)

		g := take(t, l, request(1, time.Now()))
		set(ratelimittest.NotDone)
		l.Settle(g, ratelimit.Outcome{QuotaSpent: 1, Now: time.Now()})
		time.Sleep(10 * time.Second)
		set(ratelimittest.None)
		time.Sleep(2 * time.Second)
		if !spent() {
			t.Error("the exhaustion was not stored after the store came back")
		}
		if g := take(t, l, request(1, time.Now())); g.Reason != vendors.QuotaSpent {
			t.Errorf("meanwhile the worker forgot it: %v", g.Reason)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-run; err != nil {
			t.Error(err)
		}
	})
}

// TestWarnings: one line each at 80 and 95 percent, from whichever worker crosses the mark.
func TestWarnings(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	var mu sync.Mutex
	log := slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return out.Write(b) }), nil))
	store := &ratelimittest.Store{}
	for i := range 100 { // each worker takes one
		l := limiter(t, store, ratelimit.Options{Member: fmt.Sprint("w", i), Logger: log, Certificates: []ratelimit.Certificate{quota(100)}})
		l.Settle(take(t, l, request(1, noon)), counted(1, noon))
	}
	for _, percent := range []string{"percent=80", "percent=95"} {
		if got := strings.Count(out.String(), percent); got != 1 {
			t.Errorf("%d lines with %s, want 1:\n%s", got, percent, out.String())
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

var _ io.Writer = writer(nil)

// FuzzEntries: whatever the KV contains, nothing panics, grants stay within what was asked, and
// the worker goes on.
func FuzzEntries(f *testing.F) {
	f.Add("member.w2", `{"claim":0.5}`)
	f.Add("member.w2", `{"claim":-1e308}`)
	f.Add("member.w2", `not json`)
	f.Add("state.spent.c.private", `{"until":"2026-11-23T20:00:00+08:00"}`)
	f.Add("state.spent.c.private", `{"until":"9999-12-31T23:59:59Z"}`)
	f.Add("state.slow.c", `{"from":100,"rate":50,"pause_ms":9223372036854775807}`)
	f.Add("state.slow.c", `{"from":1e308,"rate":1e-308}`)
	f.Add("state.override.c.private", `{"quota":-9223372036854775808,"until":"2030-01-01T00:00:00Z"}`)
	f.Add("state.override.c.private", `{"quota":9223372036854775807,"forgiven":[9223372036854775807,1],"day":"20261123","until":"2030-01-01T00:00:00Z"}`)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, key, value string) {
		now := noon
		store := &ratelimittest.Store{Now: func() time.Time { return now }}
		if err := store.Put(t.Context(), key, []byte(value), time.Hour); err != nil {
			t.Fatal(err)
		}
		cert := quota(100)
		cert.Rate = vendors.Rate{DevicesPerSecond: 100}
		l, err := ratelimit.New(store, ratelimit.Options{Member: "w1", Now: func() time.Time { return now }, Certificates: []ratelimit.Certificate{cert}})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			l.Heartbeat(t.Context(), now)
			for _, urgent := range []bool{false, true} {
				r := request(10, now)
				r.Urgent = urgent
				g := take(t, l, r)
				l.Settle(g, ratelimit.Outcome{Counted: g.Devices - 1, RateLimited: 1, RetryAfter: time.Second, Now: now})
			}
			now = now.Add(time.Second)
		}
		if _, err := l.Snapshot(t.Context(), now); err != nil {
			t.Error(err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	limited := quota(1 << 50)
	rated := ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: 1e12}}
	both := limited
	both.Rate = rated.Rate
	for _, bench := range []struct {
		name string
		cert ratelimit.Certificate
	}{{"NoLimits", ratelimit.Certificate{ID: "c"}}, {"Quota", limited}, {"Rate", rated}, {"QuotaAndRate", both}} {
		start := time.Now()
		setup := func() *ratelimit.Limiter {
			return limiter(b, &ratelimittest.Store{}, ratelimit.Options{Alone: true, Now: func() time.Time { return start }, Certificates: []ratelimit.Certificate{bench.cert}})
		}
		b.Run(bench.name, func(b *testing.B) {
			l := setup()
			b.ReportAllocs()
			r, now, empty := request(1, start.Add(time.Second)), start.Add(time.Second), 0
			for b.Loop() {
				now = now.Add(time.Microsecond)
				r.Now = now
				g, err := l.Take(b.Context(), r)
				if err != nil {
					b.Fatal(err)
				}
				if g.Devices == 0 {
					empty++
				}
				l.Settle(g, ratelimit.Outcome{Counted: g.Devices, Now: now})
			}
			if empty > 0 {
				b.Errorf("%d of %d were refused", empty, b.N)
			}
		})
		b.Run(bench.name+"Parallel", func(b *testing.B) {
			l := setup()
			b.RunParallel(func(pb *testing.PB) {
				r := request(1, start.Add(time.Second))
				for pb.Next() {
					g, err := l.Take(b.Context(), r)
					if err != nil {
						b.Fatal(err)
					}
					l.Settle(g, ratelimit.Outcome{Counted: g.Devices, Now: r.Now})
				}
			})
		})
	}
}

// TestThousandsOfNotes: two thousand quotas that vendors call spent at the same moment are stored
// soon, and however long that takes, a certificate with a rate goes on.
func TestThousandsOfNotes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault {
			time.Sleep(20 * time.Millisecond)
			return ratelimittest.None
		}}
		certs := []ratelimit.Certificate{{ID: "rated", Rate: vendors.Rate{DevicesPerSecond: 1000}}}
		for i := range n {
			certs = append(certs, ratelimit.Certificate{ID: fmt.Sprint("c", i)})
		}
		l := limiter(t, store, ratelimit.Options{Certificates: certs, Logger: slog.New(slog.DiscardHandler)})
		run := make(chan error)
		go func() { run <- l.Run(t.Context()) }()
		time.Sleep(3 * time.Second)
		for i := range n {
			g := take(t, l, ratelimit.Request{Certificate: fmt.Sprint("c", i), Devices: 1, Now: time.Now()})
			l.Settle(g, ratelimit.Outcome{QuotaSpent: 1, Now: time.Now()})
		}
		began, sent := time.Now(), 0
		for time.Since(began) < 10*time.Second {
			g := take(t, l, ratelimit.Request{Certificate: "rated", Devices: 10, Now: time.Now()})
			sent += g.Devices
			time.Sleep(max(g.Wait, time.Millisecond))
		}
		if sent < 9900 {
			t.Errorf("%d devices in 10 s at 1000 a second, while notes are stored", sent)
		}
		entries, err := store.List(t.Context(), ratelimit.State)
		if err != nil || len(entries) != n {
			t.Errorf("%d of %d notes are stored after 10 s, %v", len(entries), n, err)
		}
		members, err := store.List(t.Context(), ratelimit.Members)
		if err != nil || len(members) != 1 || len(members["member.w1"]) > 100 {
			t.Errorf("the lease is not small: %q, %v", members, err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-run; err != nil {
			t.Error(err)
		}
	})
}

// TestNoLimitsCostNothing: a call of a certificate without rate and quota allocates nothing.
func TestNoLimitsCostNothing(t *testing.T) {
	l := limiter(t, &ratelimittest.Store{}, ratelimit.Options{Alone: true, Certificates: []ratelimit.Certificate{{ID: "c"}}})
	results := []vendors.Result{{Reason: vendors.Accepted}}
	r := request(1, noon)
	if got := testing.AllocsPerRun(1000, func() {
		g, err := l.Take(t.Context(), r)
		if err != nil || g.Devices != 1 {
			t.Fatalf("%+v, %v", g, err)
		}
		l.Settle(g, ratelimit.OutcomeOf(results, noon))
	}); got != 0 {
		t.Errorf("%v allocations a call", got)
	}
}
