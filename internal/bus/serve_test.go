package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// receiver takes what consumers hand out, and settles it as it comes, or when it is told.
type receiver struct {
	t    *testing.T
	hold bool // settle nothing before the end

	mu     sync.Mutex
	got    []dispatch.Delivery
	from   []hongyan.Subject // whose each is
	held   []dispatch.Delivery
	served map[hongyan.Subject]int
	ended  int
}

// serve is a bus.Serving.
func (r *receiver) serve(ctx context.Context, where hongyan.Subject, source dispatch.Source) {
	r.mu.Lock()
	if r.served == nil {
		r.served = map[hongyan.Subject]int{}
	}
	r.served[where]++
	r.mu.Unlock()
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	out := make(chan dispatch.Delivery, source.Hold())
	var running sync.WaitGroup
	running.Go(func() { source.Renew(renewing) })
	running.Go(func() { defer close(out); source.Run(ctx, out) })
	for d := range out {
		r.mu.Lock()
		r.got, r.from = append(r.got, d), append(r.from, where)
		if r.hold {
			r.held = append(r.held, d)
		}
		hold := r.hold
		r.mu.Unlock()
		if !hold {
			r.ack(d)
		}
	}
	r.mu.Lock()
	held := r.held
	r.held = nil
	r.ended++
	r.mu.Unlock()
	for _, d := range held {
		r.ack(d)
	}
	stop()
	running.Wait()
}

func (r *receiver) ack(d dispatch.Delivery) {
	if err := d.Ack(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrReconnectBufExceeded) {
		r.t.Error(err)
	}
}

// settle acks what is held, and all that comes from now on.
func (r *receiver) settle() {
	r.mu.Lock()
	held := r.held
	r.held, r.hold = nil, false
	r.mu.Unlock()
	for _, d := range held {
		r.ack(d)
	}
}

// count is how many deliveries came, of an app's or certificate's where one is named.
func (r *receiver) count(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, where := range r.from {
		if name == "" || where.App == name || where.Certificate == name {
			n++
		}
	}
	return n
}

func (r *receiver) read(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, limit time.Duration, is func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(5 * time.Millisecond) { // polling the real server
		if time.Now().After(end) {
			t.Fatalf("not after %v: %s", limit, what)
		}
	}
}

// running runs a function that serves until the test's end.
func running(t *testing.T, serve func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func store(t *testing.T, b *bus.Bus, subject string, data []byte, n int) {
	t.Helper()
	for n > 0 {
		some := min(n, 50)
		n -= some
		msgs := make([]dispatch.Outgoing, some)
		for i := range msgs {
			msgs[i] = dispatch.Outgoing{Subject: subject, Data: data}
		}
		if errs := b.Publish(t.Context(), msgs); errs != nil {
			t.Fatal(errors.Join(errs...))
		}
	}
}

// streams looks at a bus's server past the bus.
func streams(t *testing.T, b *bus.Bus) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func consumers(t *testing.T, js jetstream.JetStream, stream string) int {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Consumers
}

// small is a bus with a small budget.
func small(t *testing.T, budget int, vendors ...string) *bus.Bus {
	t.Helper()
	first := bustest.Start(t)
	return connect(t, bus.Options{URL: first.URL(), Name: "test", BytesInHand: budget}, vendors...)
}

func connect(t *testing.T, opts bus.Options, vendors ...string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Ensure(t.Context(), vendors); err != nil {
		t.Fatal(err)
	}
	return b
}

// Every message finds somebody: of an app that is known, of one that is not, and on a subject that
// no app can have.
func TestServeMessages(t *testing.T) {
	b := bustest.Start(t)
	r := &receiver{t: t}
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return []string{"demo"} }, 100, r.serve)
	})
	store(t, b, "push.message.demo", []byte("{}"), 3)
	store(t, b, "push.message.ghost", []byte("{}"), 2)
	store(t, b, "push.message.a@b", []byte("{}"), 1)
	eventually(t, "all came", 3*time.Second, func() bool { return r.count("") == 6 })
	if demo, ghost := r.count("demo"), r.count("ghost"); demo != 3 || ghost != 2 {
		t.Errorf("%d of demo, %d of ghost", demo, ghost)
	}
	r.read(func() {
		if r.served[hongyan.Subject{Kind: hongyan.KindMessage}] != 1 || len(r.served) != 3 {
			t.Errorf("served %v", r.served)
		}
	})
	if err := b.ServeMessages(t.Context(), func() []string { return nil }, 1, r.serve); err == nil {
		t.Error("messages are served twice")
	}
	if err := b.Pulling(); err != nil {
		t.Error(err)
	}
}

// Pieces of an app are one consumer's, whatever their partition.
func TestServePieces(t *testing.T) {
	b := bustest.Start(t)
	r := &receiver{t: t}
	running(t, func(ctx context.Context) error { return b.ServePieces(ctx, 100, r.serve) })
	for partition := range 4 {
		store(t, b, hongyan.Subjects{}.Piece("demo", partition), []byte("{}"), 2)
	}
	eventually(t, "all came", 4*time.Second, func() bool { return r.count("demo") == 8 })
	if n := consumers(t, streams(t, b), b.Topology().Pieces()); n != 1 {
		t.Errorf("%d consumers", n)
	}
}

// A certificate without jobs costs nothing: no consumer here or there, and no goroutine. Where jobs
// come again, a hint opens it at once.
func TestIdleCertificates(t *testing.T) {
	b := bustest.Start(t, "apns")
	b.CloseIdleAfter(300 * time.Millisecond)
	r := &receiver{t: t}
	const certificates = 300
	var hold sync.Map
	running(t, func(ctx context.Context) error {
		return b.ServeJobs(ctx, "apns", func(where hongyan.Subject) int { hold.Store(where.Certificate, true); return 64 }, r.serve)
	})
	eventually(t, "it looks", 5*time.Second, func() bool { return b.Pulling() == nil })
	for i := range certificates {
		store(t, b, hongyan.Subjects{}.Job("apns", fmt.Sprintf("c%d", i), hongyan.LaneNormal), []byte("{}"), 1)
	}
	eventually(t, "all jobs came", 20*time.Second, func() bool { return r.count("") == certificates })
	eventually(t, "all consumers ended", 20*time.Second, func() bool {
		ended := 0
		r.read(func() { ended = r.ended })
		return ended == certificates
	})
	eventually(t, "the goroutines ended", 5*time.Second, func() bool {
		stacks := make([]byte, 64<<20)
		stacks = stacks[:runtime.Stack(stacks, true)] // the server's are in it, and have consumers still
		return !strings.Contains(string(stacks), "bus.(*Consumer)") && !strings.Contains(string(stacks), "bus.(*puller)")
	})

	where := hongyan.Subject{Kind: hongyan.KindJob, Vendor: "apns", Certificate: "c7", Lane: hongyan.LaneNormal}
	began := time.Now()
	store(t, b, hongyan.Subjects{}.Build(where), []byte("{}"), 1)
	b.Hint(where)
	b.Hint(hongyan.Subject{Kind: hongyan.KindJob, Vendor: "nobody", Certificate: "c", Lane: hongyan.LaneNormal})
	eventually(t, "the job came", 5*time.Second, func() bool { return r.count("c7") == 2 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("a hint took %v", took)
	}
}

// A message that is older than its consumer may have been delivered by an earlier one, and says so
// where outcomes were recorded since; a later one does not, and neither one of which nothing can
// have become.
func TestMessageOlderThanItsConsumer(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, "apns")
	subject := hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal)
	store(t, b, subject, []byte("{}"), 2)
	store(t, b, hongyan.Subjects{}.Outcome("demo", hongyan.StatusAccepted, 3), []byte("{}"), 1)
	time.Sleep(2500 * time.Millisecond) // the margin for the clocks of a cluster, on a real server
	store(t, b, hongyan.Subjects{}.Job("apns", "fresh", hongyan.LaneNormal), []byte("{}"), 1)
	r := &receiver{t: t}
	running(t, func(ctx context.Context) error {
		return b.ServeJobs(ctx, "apns", func(hongyan.Subject) int { return 10 }, r.serve)
	})
	eventually(t, "the jobs came", 5*time.Second, func() bool { return r.count("c") == 2 && r.count("fresh") == 1 })
	time.Sleep(2500 * time.Millisecond) // the margin for the clocks of a cluster, on a real server
	store(t, b, subject, []byte("{}"), 1)
	eventually(t, "the next job came", 5*time.Second, func() bool { return r.count("c") == 3 })
	r.read(func() {
		wants := []int{2, 2, 1}
		for _, d := range r.got {
			want := 1
			if d.Subject() == subject {
				want, wants = wants[0], wants[1:]
			}
			if _, _, n := d.Meta(); n != want {
				t.Errorf("a job on %s says %d deliveries, want %d", d.Subject(), n, want)
			}
		}
	})
}

// What is deleted on the server is made again, and what is published then is delivered.
func TestDeletedOnTheServer(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, "apns")
	js := streams(t, b)
	r := &receiver{t: t}
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return []string{"demo"} }, 100, r.serve)
	})
	running(t, func(ctx context.Context) error {
		return b.ServeJobs(ctx, "apns", func(hongyan.Subject) int { return 10 }, r.serve)
	})
	job := hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal)
	store(t, b, "push.message.demo", []byte("{}"), 1)
	store(t, b, job, []byte("{}"), 1)
	eventually(t, "they came", 5*time.Second, func() bool { return r.count("") == 2 })

	if err := js.DeleteConsumer(t.Context(), b.Topology().Messages(), "chat-demo"); err != nil {
		t.Fatal(err)
	}
	store(t, b, "push.message.demo", []byte("{}"), 1)
	eventually(t, "a message came after its consumer was deleted", 5*time.Second, func() bool { return r.count("demo") == 2 })

	for _, stream := range []string{b.Topology().Messages(), b.Topology().Jobs("apns"), b.Topology().Dead()} {
		if err := js.DeleteStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the streams are there again", 10*time.Second, func() bool {
		return b.Require(t.Context(), b.Topology().Messages(), b.Topology().Jobs("apns"), b.Topology().Dead()) == nil
	})
	store(t, b, "push.message.demo", []byte("{}"), 1)
	store(t, b, job, []byte("{}"), 1)
	eventually(t, "what is published then came", 10*time.Second, func() bool { return r.count("demo") == 3 && r.count("c") == 2 })
	if err := b.Pulling(); err != nil {
		t.Error(err)
	}
}

// A server that restarts goes on, and one that comes back empty gets its streams.
func TestServerComesBack(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprintf("empty_%v", empty), func(t *testing.T) {
			opts := &server.Options{StoreDir: t.TempDir()}
			srv := bustest.StartServer(t, opts)
			b := connect(t, bus.Options{URL: srv.ClientURL(), Name: "test"}, "apns")
			r := &receiver{t: t}
			running(t, func(ctx context.Context) error {
				return b.ServeMessages(ctx, func() []string { return []string{"demo"} }, 100, r.serve)
			})
			store(t, b, "push.message.demo", []byte("{}"), 1)
			eventually(t, "a message came", 5*time.Second, func() bool { return r.count("demo") == 1 })
			again := &server.Options{StoreDir: opts.StoreDir, Port: srv.Addr().(*net.TCPAddr).Port}
			if empty {
				again.StoreDir = t.TempDir()
			}
			srv.Shutdown()
			srv.WaitForShutdown()
			eventually(t, "it says that it does not pull", 5*time.Second, func() bool { return b.Pulling() != nil })
			bustest.StartServer(t, again)
			eventually(t, "the stream is there", 20*time.Second, func() bool { return b.Require(t.Context(), b.Topology().Messages()) == nil })
			store(t, b, "push.message.demo", []byte("{}"), 1)
			eventually(t, "a message came", 15*time.Second, func() bool { return r.count("demo") == 2 })
			eventually(t, "it pulls", 15*time.Second, func() bool { return b.Pulling() == nil })
			if b.Reconnected().IsZero() {
				t.Error("nobody knows that the connection was lost")
			}
		})
	}
}

// Two consumers that flood share the budget; neither takes all of it, and one that comes last has
// its part at once.
func TestBudgetIsShared(t *testing.T) {
	const budget = 1 << 20
	b := small(t, budget)
	r := &receiver{t: t, hold: true}
	apps := []string{"flood", "other"}
	store(t, b, "push.message.flood", make([]byte, 4000), 1000)
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return apps }, 2048, r.serve)
	})
	eventually(t, "the flood fills its part", 5*time.Second, func() bool { return r.count("flood") >= 100 })
	time.Sleep(300 * time.Millisecond) // it must not take more, on a real server
	if n := r.count("flood") * 4000; n > budget*3/4 {
		t.Errorf("the flood holds %d of %d bytes", n, budget)
	}
	store(t, b, "push.message.other", make([]byte, 4000), 1000)
	eventually(t, "the other has its part", 5*time.Second, func() bool { return r.count("other")*4000 >= budget/5 })
	if n := b.InHand(); n > budget+budget/8 {
		t.Errorf("%d bytes in hand, the budget is %d", n, budget)
	}
	r.settle()
	eventually(t, "all came", 20*time.Second, func() bool { return r.count("") == 2000 })
	eventually(t, "nothing is in hand", 5*time.Second, func() bool { return b.InHand() == 0 })
}

// The budget is kept with large messages of several apps, kept deliveries included.
func TestBudgetOfLargeMessages(t *testing.T) {
	const budget, size, apps = 4 << 20, 300_000, 9
	b := small(t, budget)
	r := &receiver{t: t, hold: true}
	var names []string
	for i := range apps {
		app := fmt.Sprintf("a%d", i)
		names = append(names, app)
		store(t, b, "push.message."+app, make([]byte, size), 10)
	}
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return names }, 2048, r.serve)
	})
	most, kept := 0, 0
	eventually(t, "all came", 60*time.Second, func() bool {
		most = max(most, b.InHand())
		var some []dispatch.Delivery
		r.read(func() {
			for ; kept < len(r.got); kept++ {
				r.got[kept].Keep() // it gives back the place, and not the bytes
			}
			if len(r.held) > 0 && most > budget/2 {
				some, r.held = r.held[:1:1], r.held[1:]
			}
		})
		for _, d := range some {
			r.ack(d)
		}
		return r.count("") == 10*apps
	})
	t.Logf("at most %d bytes were in hand, the budget is %d", most, budget)
	if most > budget+budget/4 {
		t.Error("the budget is not kept")
	}
}

// A hundred consumers that all have more than they may hold keep the sum near the budget, and each
// gets on.
func TestBudgetOfManyConsumers(t *testing.T) {
	const budget, size, apps = 4 << 20, 30_000, 100
	b := small(t, budget)
	r := &receiver{t: t, hold: true}
	var names []string
	for i := range apps {
		app := fmt.Sprintf("a%d", i)
		names = append(names, app)
		store(t, b, "push.message."+app, make([]byte, size), 5)
	}
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return names }, 256, r.serve)
	})
	most := 0
	eventually(t, "each has a message", 20*time.Second, func() bool {
		most = max(most, b.InHand())
		for _, app := range names {
			if r.count(app) == 0 {
				return false
			}
		}
		return true
	})
	time.Sleep(300 * time.Millisecond) // they must not take more, on a real server
	most = max(most, b.InHand())
	t.Logf("at most %d bytes were in hand, the budget is %d", most, budget)
	if most > budget+budget/4 {
		t.Error("the budget is not kept")
	}
	r.settle()
	eventually(t, "all came", 20*time.Second, func() bool { return r.count("") == 5*apps })
}

// A message larger than the whole budget still comes, and holds up nobody.
func TestMessageLargerThanTheBudget(t *testing.T) {
	b := small(t, 1<<20)
	r := &receiver{t: t}
	store(t, b, "push.message.demo", []byte("{}"), 20)
	store(t, b, "push.message.demo", make([]byte, 4<<20), 2)
	store(t, b, "push.message.demo", []byte("{}"), 20)
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return []string{"demo"} }, 2048, r.serve)
	})
	eventually(t, "all came", 10*time.Second, func() bool { return r.count("demo") == 42 })
	r.read(func() {
		large := 0
		for _, d := range r.got {
			if len(d.Data()) == 4<<20 {
				large++
			}
		}
		if large != 2 {
			t.Errorf("%d large messages came, want 2", large)
		}
	})
}

// A consumer of somebody else that takes our messages is reported, and gone we go on.
func TestForeignConsumer(t *testing.T) {
	first := bustest.Start(t)
	misfits := make(chan error, 10)
	b := connect(t, bus.Options{URL: first.URL(), Name: "test", Misfit: func(err error) { misfits <- err }})
	js := streams(t, b)
	stream := b.Topology().Messages()
	if _, err := js.CreateConsumer(t.Context(), stream, jetstream.ConsumerConfig{Durable: "router", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "push.message.*"}); err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t}
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return []string{"demo"} }, 100, r.serve)
	})
	select {
	case err := <-misfits:
		if !errors.Is(err, bus.ErrMisfit) || !strings.Contains(err.Error(), "nats consumer rm") {
			t.Errorf("told %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("told nothing")
	}
	if err := b.Pulling(); !errors.Is(err, bus.ErrMisfit) {
		t.Errorf("it says it pulls: %v", err)
	}
	if err := js.DeleteConsumer(t.Context(), stream, "router"); err != nil {
		t.Fatal(err)
	}
	store(t, b, "push.message.demo", []byte("{}"), 1)
	eventually(t, "a message came", 5*time.Second, func() bool { return r.count("demo") == 1 })
	eventually(t, "it pulls", 5*time.Second, func() bool { return b.Pulling() == nil })
}
