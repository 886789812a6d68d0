package ratelimit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// counter is a vendor that knows when each device came.
type counter struct {
	mu   sync.Mutex
	came []time.Time
	n    int // calls
}

func (v *counter) calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.n
}

func (v *counter) push(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.n++
	for range n {
		v.came = append(v.came, time.Now())
	}
}

func (v *counter) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.came = nil
}

// most is the largest number in any time as long as window.
func (v *counter) most(window time.Duration) (n int, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for from, to := 0, 0; to < len(v.came); to++ {
		for v.came[to].Sub(v.came[from]) >= window {
			from++
		}
		if to-from+1 > n {
			n, at = to-from+1, v.came[from]
		}
	}
	return n, at
}

// between counts what came in [from, to).
func (v *counter) between(from, to time.Time) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	i, _ := slices.BinarySearchFunc(v.came, from, time.Time.Compare)
	j, _ := slices.BinarySearchFunc(v.came, to, time.Time.Compare)
	return j - i
}

// sender is a worker that always has something to send.
type sender struct {
	l     *ratelimit.Limiter
	stop  context.CancelFunc // of its calls
	crash context.CancelFunc // of Run, without Close
	sends sync.WaitGroup
}

func startSender(t *testing.T, store ratelimit.Store, name string, cert ratelimit.Certificate, batch int, v *counter) *sender {
	s := &sender{l: limiter(t, store, ratelimit.Options{Member: name, Certificates: []ratelimit.Certificate{cert}})}
	run, crash := context.WithCancel(t.Context())
	calls, stop := context.WithCancel(t.Context())
	s.crash, s.stop = crash, stop
	go func() { _ = s.l.Run(run) }()
	s.sends.Go(func() {
		for calls.Err() == nil {
			g := take(t, s.l, request(batch, time.Now()))
			if g.Devices == 0 {
				if g.Reason != vendors.RateLimited {
					t.Errorf("reason %v", g.Reason)
				}
				time.Sleep(g.Wait)
				continue
			}
			v.push(g.Devices)
			s.l.Settle(g, counted(g.Devices, time.Now()))
		}
	})
	return s
}

// leave stops the worker as a rolling update does.
func (s *sender) leave(t *testing.T) {
	s.stop()
	s.sends.Wait()
	if err := s.l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	s.crash()
}

// die stops it at once; its lease lives on.
func (s *sender) die() {
	s.stop()
	s.crash()
	s.sends.Wait()
}

// TestRateAmongWorkers: 1, 4 and 8 workers meet the rate within 5 %, and while they come, go and
// die no time has more than the rate and one burst (100 ms of the rate, or one device of each
// worker), or what calls for many devices borrow.
func TestRateAmongWorkers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		rate  float64
		batch int
	}{{"single-devices", 500, 1}, {"batches", 5000, 1000}, {"slow", 20, 3}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var rndMu sync.Mutex
				rnd := rand.New(rand.NewPCG(1, 2))
				store := &ratelimittest.Store{Fault: func(ratelimittest.Call) ratelimittest.Fault {
					rndMu.Lock()
					d := time.Duration(rnd.IntN(300)) * time.Millisecond
					rndMu.Unlock()
					time.Sleep(d)
					return ratelimittest.None
				}}
				cert := ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: tt.rate}}
				v := &counter{}
				var live []*sender
				join := func(n int) {
					for range n {
						live = append(live, startSender(t, store, fmt.Sprintf("w%d-%d", time.Now().UnixNano(), len(live)), cert, tt.batch, v))
					}
				}
				steady := func(what string) {
					t.Helper()
					from := time.Now()
					time.Sleep(20 * time.Second)
					got, want := float64(v.between(from, time.Now()))/20, tt.rate
					if got < want*0.95 || got > want*1.05 {
						t.Errorf("%s: %.1f a second, want %v within 5 %%", what, got, want)
					}
				}
				join(1)
				time.Sleep(4 * time.Second)
				steady("1 worker")
				join(3)
				time.Sleep(8 * time.Second)
				steady("4 workers")
				join(1)
				time.Sleep(700 * time.Millisecond)
				join(3)
				time.Sleep(8 * time.Second)
				steady("8 workers")
				live[0].die()
				live[1].leave(t)
				live[2].die()
				live = live[3:]
				time.Sleep(2 * time.Second)
				join(2) // while two leases of the dead live on
				time.Sleep(15 * time.Second)
				steady("7 workers")
				for _, s := range live {
					s.leave(t)
				}
				extra := max(tt.rate/10, 8)
				if tt.batch > 1 { // calls borrow
					extra = tt.rate
				}
				for _, window := range []time.Duration{time.Second, 10 * time.Second, 30 * time.Second} {
					if most, at := v.most(window); float64(most) > tt.rate*window.Seconds()+extra+1 {
						t.Errorf("%d in the %v from %v, want at most %v a second and %v", most, window, at, tt.rate, extra)
					}
				}
			})
		})
	}
}

// TestCallsStayLarge: ten workers that share a rate of 5,000 devices a second each call a vendor
// that takes a thousand devices with nearly as many, from the first seconds of a flood on, and
// together keep to the rate.
func TestCallsStayLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const workers, batch, perSecond = 10, 1000, 5000.0
		store := &ratelimittest.Store{}
		cert := ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: perSecond}}
		v := &counter{}
		var live []*sender
		for i := range workers {
			live = append(live, startSender(t, store, fmt.Sprint("w", i), cert, batch, v))
		}
		time.Sleep(10 * time.Second)
		if pace := live[0].l.Pace("c", batch); pace != batch {
			t.Errorf("a worker takes %v devices on, less than a call carries", pace)
		}
		if most, at := v.most(time.Second); float64(most) > 2*perSecond {
			t.Errorf("%d in the second from %v, while the flood begins", most, at)
		}
		v.forget()
		from, before := time.Now(), v.calls()
		time.Sleep(40 * time.Second)
		devices, calls := v.between(from, time.Now()), v.calls()-before
		if mean := float64(devices) / float64(calls); mean < 0.9*batch {
			t.Errorf("calls carry %.0f devices on average", mean)
		}
		if got := float64(devices) / 40; got < 0.95*perSecond || got > 1.05*perSecond {
			t.Errorf("%.0f devices a second", got)
		}
		for _, s := range live {
			s.leave(t)
		}
		// Workers that began at the same moment do not call at the same moment.
		if most, at := v.most(time.Second); float64(most) > 1.3*perSecond {
			t.Errorf("%d in the second from %v", most, at)
		}
	})
}

// TestRateWithoutStore: workers that lose the store use their shares until their leases end, and no
// longer; when it comes back, some find it later than others, nobody takes more than is free, and
// soon the whole rate is used again.
func TestRateWithoutStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cut [4]atomic.Bool // per worker: without the store
		store := &ratelimittest.Store{}
		cert := ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: 500}}
		v := &counter{}
		var live []*sender
		for i := range cut {
			live = append(live, startSender(t, view{store, &cut[i]}, fmt.Sprint("w", i), cert, 1, v))
			time.Sleep(130 * time.Millisecond) // so that their heartbeats differ
		}
		time.Sleep(8 * time.Second)
		for i := range cut {
			cut[i].Store(true)
		}
		from := time.Now()
		time.Sleep(30 * time.Second)
		if got := v.between(from, from.Add(3*time.Second)); got < 3*475 {
			t.Errorf("without the store %d in the first 3 s, want about 1500", got)
		}
		if got := v.between(from.Add(5*time.Second), time.Now()); got > 0 {
			t.Errorf("%d after the leases' end", got)
		}
		for i := range cut {
			cut[i].Store(false)
			time.Sleep(1100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		from = time.Now()
		time.Sleep(10 * time.Second)
		if got := v.between(from, time.Now()); got < 10*475 {
			t.Errorf("5 s after the store came back %d in 10 s, want about 5000", got)
		}
		// One is away while the others go on: they take its share when it does not use it any more.
		cut[0].Store(true)
		time.Sleep(15 * time.Second)
		from = time.Now()
		time.Sleep(10 * time.Second)
		if got := v.between(from, time.Now()); got < 10*475 {
			t.Errorf("without one worker %d in 10 s, want about 5000", got)
		}
		cut[0].Store(false)
		time.Sleep(10 * time.Second)
		for _, s := range live {
			s.leave(t)
		}
		if most, at := v.most(time.Second); most > 551 {
			t.Errorf("%d in the second from %v, want at most 551", most, at)
		}
	})
}

// view is a worker's own connection to the store, which can be cut.
type view struct {
	*ratelimittest.Store
	cut *atomic.Bool
}

func (v view) List(ctx context.Context, kind string) (map[string][]byte, error) {
	if v.cut.Load() {
		return nil, ratelimit.ErrNotDone
	}
	return v.Store.List(ctx, kind)
}

func (v view) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if v.cut.Load() {
		return ratelimit.ErrNotDone
	}
	return v.Store.Put(ctx, key, value, ttl)
}

func TestRequestsPerSecond(t *testing.T) {
	t.Parallel()
	l := limiter(t, &ratelimittest.Store{}, ratelimit.Options{Alone: true, Now: func() time.Time { return noon },
		Certificates: []ratelimit.Certificate{{ID: "c", Rate: vendors.Rate{RequestsPerSecond: 20}}}})
	sent, devices := 0, 0
	for at := noon; at.Before(noon.Add(10 * time.Second)); at = at.Add(10 * time.Millisecond) {
		if g := take(t, l, request(1000, at)); g.Devices > 0 {
			sent++
			devices += g.Devices
		}
	}
	if sent < 195 || sent > 202 || devices != 1000*sent {
		t.Errorf("%d requests with %d devices in 10 s, want 200 of 1000 each", sent, devices)
	}
}

// TestTimeGoesBack: goroutines pass times that are a little out of order; the bucket must not be
// filled twice for the same time.
func TestTimeGoesBack(t *testing.T) {
	t.Parallel()
	l := limiter(t, &ratelimittest.Store{}, ratelimit.Options{Alone: true, Now: func() time.Time { return noon },
		Certificates: []ratelimit.Certificate{{ID: "c", Rate: vendors.Rate{DevicesPerSecond: 100}}}})
	sent := 0
	for i := range 10_000 {
		at := noon.Add(time.Duration(i) * time.Millisecond)
		if i%2 == 1 {
			at = at.Add(-50 * time.Millisecond)
		}
		sent += take(t, l, request(5, at)).Devices
	}
	if sent < 990 || sent > 1011 {
		t.Errorf("%d in 10 s, want about 1000", sent)
	}
}
