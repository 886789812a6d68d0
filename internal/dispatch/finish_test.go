package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/notestest"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// These tests run in virtual time over a queue in memory whose faults they choose.

var errRefused = errors.New("refused")

// memory is workers over a queue in memory.
type memory struct {
	t      *testing.T
	queue  *dispatchtest.Queue
	driver *scripted
	// devices is what the workers know of users.
	devices interface {
		route.Devices
		send.Devices
	}
	// marks says that the workers remember recalls, read marks and calls.
	marks bool
	// limiter is the senders'.
	limiter send.Limiter
	// withdrawals is the router's.
	withdrawals route.Withdrawals
	// elsewhere is the router's.
	elsewhere   func(app, certificate string) bool
	concurrency int
	metrics     *dispatch.Metrics
	// pieces says that the workers take pieces of large messages.
	pieces bool
	// also are more subjects whose messages the router takes.
	also []string
	// badges is where the workers keep what they count on icons; nil where they do not count.
	badges badge.Store
	// withdraws says how what was accepted of recalled messages is withdrawn; nil for not at all.
	withdraws *withdraws
	// holds is where the workers read what is held by hand; nil where nothing is.
	holds *notestest.Room
	// onlySignals says that the workers take signals and nothing else.
	onlySignals bool
	// stops end the workers that run.
	stops []func()
}

func newMemory(t *testing.T) *memory {
	return &memory{t: t, queue: dispatchtest.New(), driver: &scripted{limits: vendors.Limits{Batch: 1}, answer: accept}, devices: people{}, concurrency: 8}
}

// worker runs a worker until stop, which waits until it ended; hard is how long it may take.
func (m *memory) worker() (stop func(hard time.Duration)) {
	run, _ := m.start(m.driver)
	var once sync.Once
	stop = func(hard time.Duration) { once.Do(func() { run(hard) }) }
	m.stops = append(m.stops, func() { stop(time.Second) })
	return stop
}

// start runs a worker until it is stopped or killed: then nothing that it does gets through any
// more.
func (m *memory) start(driver vendors.Driver) (stop func(hard time.Duration), kill func()) {
	queue := m.queue.Connect()
	ctx, cancel := context.WithCancel(context.Background())
	hard, cut := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	recorder := store.NewRecorder(hard, store.Options{Queue: queue, Metrics: m.metrics, Log: log, Now: time.Now})
	looker := &store.Looker{Records: queue, Trouble: recorder.Trouble, Log: log, Now: time.Now}
	load := new(send.Load)
	carries := driver.Limits().Badge
	app := route.App{Accounts: map[string]route.Account{
		"c": {App: "demo", Vendor: "apns", Certificate: "c", Badge: carries}, "h": {App: "demo", Vendor: "huawei", Certificate: "h"},
	}}
	decider := &route.Decider{Devices: m.devices, Log: log, Now: time.Now}
	var said *marks.Marks
	var heard send.Marks
	if m.marks {
		said = marks.New(queue, hongyan.Subjects{}, marks.Options{Log: log})
		decider.Marks, heard = said, said
	}
	numbers, book := &tether{Store: m.badges}, (*badge.Book)(nil)
	if m.badges != nil {
		app.Policy.Badge, book = route.BadgeCounted, badge.New(numbers, badge.Options{Log: log})
		decider.Badges = book
	}
	refresher := &route.Refresher{Badges: book, Devices: m.devices, Metrics: m.metrics, Log: log, Now: time.Now}
	apps := map[string]route.App{"demo": app}
	served := route.NewApps(apps)
	decider.Apps, refresher.Apps = served, served
	senders := map[string]*send.Sender{}
	for id, vendor := range map[string]string{"c": "apns", "h": "huawei"} {
		senders[id] = &send.Sender{
			Certificate: send.Certificate{App: "demo", Vendor: vendor, ID: id, Driver: driver, Concurrency: m.concurrency},
			Recorder:    recorder, Looker: looker, Decider: decider, Marks: heard, Limiter: m.limiter, Devices: m.devices, Load: load, Metrics: m.metrics, Log: log, Now: time.Now,
		}
		if book != nil {
			senders[id].Badges, senders[id].Refresher = book, refresher
		}
	}
	recaller := m.recaller(queue, recorder, said, apps, served, senders)
	connect(apps["demo"].Accounts, senders, book != nil)
	watch := parking.NewWatch(m.holds, log)
	for id, s := range senders {
		watch.Add("demo", id, s.Hold)
		s.Start(ctx, hard)
	}
	if m.holds != nil {
		if err := watch.Load(ctx, func(err error) { m.t.Error(err) }); err != nil {
			m.t.Fatal(err)
		}
	}
	senders["h"].Follow(true, vendors.Unavailable, time.Now()) // its jobs are stored, and nobody takes them
	router := &route.Router{
		Recorder: recorder, Looker: looker, Devices: m.devices, Log: log, Now: time.Now,
		Apps: served, Elsewhere: m.elsewhere, Metrics: m.metrics, Marks: said, Withdrawals: m.withdrawals,
	}
	if recaller != nil {
		recaller.Badges, recaller.Moved = book, refresher.Moved // asked only in apps that count
		recaller.Start(ctx)
		router.Withdrawals = recaller
	}
	var wg sync.WaitGroup
	if m.holds != nil {
		wg.Go(func() { watch.Run(ctx) })
	}
	if book != nil {
		router.Badges, router.Moved = book, refresher.Moved
		wg.Go(func() { refresher.Run(ctx) })
	}
	if m.marks {
		wg.Go(func() { said.Run(ctx, queue) })
		wg.Go(func() { router.Run(ctx, hard, queue.Source(hongyan.Subjects{}.Signal("demo"), 64)) })
		for range 100 { // signals are read before what waits
			if m.left("signal") == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	wg.Go(func() {
		senders["c"].Serve(ctx, hongyan.LaneNormal, queue.Source(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), 28))
	})
	if m.marks {
		wg.Go(func() {
			senders["c"].Serve(ctx, hongyan.LaneUrgent, queue.Source(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneUrgent), 28))
		})
	}
	subjects := append([]string{hongyan.Subjects{}.Message("demo")}, m.also...)
	if m.marks {
		subjects = append(subjects, hongyan.Subjects{}.Urgent("demo"))
	}
	for n := range hongyan.Partitions {
		if m.pieces {
			subjects = append(subjects, hongyan.Subjects{}.Piece("demo", n))
		}
	}
	if m.onlySignals {
		subjects = nil
	}
	for _, subject := range subjects {
		wg.Go(func() { router.Run(ctx, hard, queue.Source(subject, 64)) })
	}
	for _, s := range senders {
		wg.Go(func() {
			<-ctx.Done()
			s.Stop()
		})
	}
	stop = func(limit time.Duration) {
		cancel()
		time.AfterFunc(limit, cut)
		wg.Wait()
		if recaller != nil {
			recaller.Wait()
		}
		recorder.Wait()
		looker.Wait()
		decider.Wait()
		if book != nil {
			book.Wait()
		}
		cut()
		synctest.Wait()
		if n := load.Devices(); n != 0 {
			m.t.Errorf("%d devices are still counted as at hand", n)
		}
	}
	return stop, func() {
		cancel()
		queue.Cut()
		numbers.cut.Store(true)
		cut()
		stop(0)
	}
}

// job stores a job for a device of its own.
func (m *memory) job(n, size int) {
	m.t.Helper()
	m.put(n, size, fmt.Sprintf("u%d", n))
}

// jobFor stores a job for a device of each user.
func (m *memory) jobFor(n int, users ...string) {
	m.t.Helper()
	m.put(n, 10, users...)
}

func (m *memory) put(n, size int, users ...string) {
	m.t.Helper()
	j := &dispatch.Job{ID: fmt.Sprintf("demo/m-%d/c/x", n), App: "demo", Vendor: "apns", Certificate: "c", Lane: hongyan.LaneNormal, Published: time.Now(),
		Notification: &vendors.Notification{Key: "k", MessageID: fmt.Sprintf("m-%d", n), Title: "t", Body: strings.Repeat("b", size), Deadline: time.Now().Add(24 * time.Hour)}}
	for _, u := range users {
		j.Targets = append(j.Targets, dispatch.Target{User: u, Device: "d", Token: "token-" + u})
	}
	data, err := j.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), ID: j.ID, Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// message stores a message to a user with a device of each certificate.
func (m *memory) message(n int) {
	m.t.Helper()
	user := fmt.Sprintf("u%d", n)
	data, err := json.Marshal(chat(fmt.Sprintf("m-%d", n), user))
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message("demo"), ID: fmt.Sprint(n), Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// pushes are how often each key was pushed, in all and at most.
func (m *memory) pushes() (keys, most int) {
	m.driver.mu.Lock()
	defer m.driver.mu.Unlock()
	for _, n := range m.driver.keys {
		most = max(most, n)
	}
	return len(m.driver.keys), most
}

// endsOf are the ends of a user's devices.
func (m *memory) endsOf(user string) (of []dispatch.Ended) {
	m.t.Helper()
	for _, s := range m.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range ends {
			if e.User == user && e.Status.End() {
				of = append(of, e)
			}
		}
	}
	return of
}

// ends are how often each message and device ended, in all and at most.
func (m *memory) ends() (devices, most int) {
	m.t.Helper()
	n := map[string]int{}
	for _, s := range m.queue.Stored("outcome") {
		ends, err := dispatch.ParseEnded(s.Data)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, e := range ends {
			if e.Status.End() {
				k := e.MessageID + "/" + e.User + "/" + e.Device
				n[k]++
				most = max(most, n[k])
			}
		}
	}
	return len(n), most
}

// left counts what is stored on a stream and not done.
func (m *memory) left(stream string) (n int) {
	for _, s := range m.queue.Stored(stream) {
		if !s.Done {
			n++
		}
	}
	return n
}

// once fails unless n devices were pushed to once, and have one end each.
func (m *memory) once(n int) {
	m.t.Helper()
	if keys, most := m.pushes(); keys != n || most != 1 {
		m.t.Errorf("%d devices were pushed to, at most %d times; want %d, once", keys, most, n)
	}
	if devices, most := m.ends(); devices != n || most != 1 {
		m.t.Errorf("%d devices have an end, at most %d; want %d with one", devices, most, n)
	}
	if left := m.left("job.apns"); left > 0 {
		m.t.Errorf("%d jobs are left", left)
	}
}

// However a stream fails for a while, each push is made once and has one end.
func TestStoreIsFinished(t *testing.T) {
	for name, fault := range map[string]dispatchtest.Fault{
		"refuses":      {Refuse: errRefused},
		"is full":      {Refuse: dispatch.ErrFull},
		"is away":      {Refuse: dispatch.ErrAway},
		"loses answer": {LosePubAcks: true},
		"is slow":      {Delay: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				const jobs = 100
				m.queue.Fail("outcome", fault)
				for n := range jobs {
					m.job(n, 10)
				}
				stop := m.worker()
				time.Sleep(90 * time.Second)
				if keys, _ := m.pushes(); keys != jobs {
					t.Errorf("only %d of %d pushes were made while the records could not be stored", keys, jobs)
				}
				if offered := m.queue.Tries("outcome"); fault.Refuse != nil && offered > 60*jobs {
					t.Errorf("%d records were offered %d times", jobs, offered)
				}
				m.queue.Fail("outcome", dispatchtest.Fault{})
				time.Sleep(5 * time.Second)
				m.once(jobs)
				stop(time.Second)
			})
		})
	}
}

// Acks that are lost bring the jobs again, to the same worker: it knows them.
func TestLostAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		const jobs = 50
		m.queue.Fail("job.apns", dispatchtest.Fault{LoseAcks: true})
		for n := range jobs {
			m.job(n, 10)
		}
		stop := m.worker()
		time.Sleep(5 * time.Minute)
		m.queue.Fail("job.apns", dispatchtest.Fault{})
		time.Sleep(2 * dispatchtest.AckWait)
		m.once(jobs)
		if n := m.queue.Reads(); n > 0 {
			t.Errorf("the records were read %d times, for jobs that the worker settled itself", n)
		}
		stop(time.Second)
	})
}

// What a worker gave back without an attempt costs no look.
func TestNoLookAfterNak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n <= 10 {
				return vendors.Result{Reason: vendors.RateLimited}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.job(1, 10)
		stop := m.worker()
		time.Sleep(time.Minute)
		if devices, _ := m.ends(); devices != 1 {
			t.Error("it has no end")
		}
		if n := m.queue.Reads(); n > 0 {
			t.Errorf("the records were read %d times", n)
		}
		stop(time.Second)
	})
}

// A certificate that is over its rate for long does not use up its jobs' hundred takes.
func TestLongRateLimitExhaustsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n <= 300 {
				return vendors.Result{Reason: vendors.RateLimited}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		m.job(1, 10)
		stop := m.worker()
		time.Sleep(time.Hour)
		if n := len(m.queue.Stored("dead")); n > 0 || m.left("job.apns") > 0 {
			t.Errorf("%d letters, %d jobs are left", n, m.left("job.apns"))
		}
		if devices, most := m.ends(); devices != 1 || most != 1 {
			t.Errorf("%d ends, at most %d", devices, most)
		}
		stop(time.Second)
	})
}

// A worker dies after its records were stored and before its acks were: another one looks, and
// pushes nothing again.
func TestLookAfterLostWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		const jobs = 50
		m.queue.Fail("job.apns", dispatchtest.Fault{LoseAcks: true})
		for n := range jobs {
			m.job(n, 10)
		}
		first := m.worker()
		time.Sleep(10 * time.Second)
		first(time.Second)
		m.queue.Fail("job.apns", dispatchtest.Fault{})
		second := m.worker()
		time.Sleep(2 * dispatchtest.AckWait)
		m.once(jobs)
		second(time.Second)
	})
}

// A worker is stopped while its records cannot be stored: it ends in time, nothing is acked, and
// what nobody knows of is pushed again, once.
func TestStopWithUnstoredRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.queue.Fail("outcome", dispatchtest.Fault{Refuse: errRefused})
		m.job(1, 10)
		stop := m.worker()
		time.Sleep(time.Second)
		began := time.Now()
		stop(20 * time.Second)
		if took := time.Since(began); took > 21*time.Second {
			t.Errorf("the worker took %v to stop", took)
		}
		if m.left("job.apns") != 1 {
			t.Error("a job was acked whose record is not stored")
		}
		m.queue.Fail("outcome", dispatchtest.Fault{})
		stop = m.worker()
		time.Sleep(2 * dispatchtest.AckWait)
		if _, most := m.pushes(); most != 2 {
			t.Errorf("it was pushed %d times, want twice", most)
		}
		if devices, most := m.ends(); devices != 1 || most != 1 || m.left("job.apns") > 0 {
			t.Errorf("%d devices have an end, at most %d; %d jobs are left", devices, most, m.left("job.apns"))
		}
		stop(time.Second)
	})
}

// A push that is tried again leaves a waiting record. It is looked past by the job that it names,
// and spares the devices of the job before it.
func TestWaitingRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n == 1 {
				return vendors.Result{Reason: vendors.Timeout}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		// Neither the first job's ack nor the second one's gets through before the worker dies.
		m.queue.Fail("job.apns", dispatchtest.Fault{LoseAcks: true})
		m.job(1, 10)
		stop := m.worker()
		time.Sleep(100 * time.Millisecond)
		stop(time.Second)
		jobs, records := m.queue.Stored("job.apns"), m.queue.Stored("outcome")
		if len(jobs) != 2 || len(records) != 1 {
			t.Fatalf("%d jobs and %d records, want 2 and 1", len(jobs), len(records))
		}
		waits, err := dispatch.DecodeJob(jobs[1].Data)
		if name := records[0].Header[dispatch.HeaderJob]; err != nil || name != waits.WaitName() || waits.Turn != 1 {
			t.Errorf("the record names job %q, the job is %+v (%v)", name, waits, err)
		}
		m.queue.Fail("job.apns", dispatchtest.Fault{})
		stop = m.worker()
		time.Sleep(2 * dispatchtest.AckWait)
		if _, most := m.pushes(); most != 2 {
			t.Errorf("it was pushed %d times, want twice", most)
		}
		if devices, most := m.ends(); devices != 1 || most != 1 || m.left("job.apns") > 0 {
			t.Errorf("%d devices have an end, at most %d; %d jobs are left", devices, most, m.left("job.apns"))
		}
		stop(time.Second)
	})
}

// While the records cannot be stored, pushes go on until 32 MiB wait, then pause.
func TestPauseByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		const jobs, size = 100, 512 << 10
		m.queue.Fail("outcome", dispatchtest.Fault{Refuse: errRefused})
		for n := range jobs {
			m.job(n, size)
		}
		stop := m.worker()
		time.Sleep(time.Minute)
		if keys, _ := m.pushes(); keys < 60 || keys > 64+28 {
			t.Errorf("%d jobs of half a MiB were pushed, want 64 and what was at hand", keys)
		}
		m.queue.Fail("outcome", dispatchtest.Fault{})
		time.Sleep(10 * time.Second)
		m.once(jobs)
		stop(time.Second)
	})
}

// While a dead letter cannot be stored, its lane makes no new calls, and what it made is not made
// again.
func TestPauseForLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.driver.answer = func(context.Context, vendors.Device, int) vendors.Result {
			return vendors.Result{Reason: vendors.BadPayload, Code: "x"}
		}
		const jobs = 60
		m.queue.Fail("dead", dispatchtest.Fault{Refuse: errRefused})
		for n := range jobs {
			m.job(n, 10)
		}
		stop := m.worker()
		time.Sleep(time.Minute)
		if keys, _ := m.pushes(); keys == 0 || keys > 8+1 {
			t.Errorf("%d calls were made, want what was under way when the first letter was refused", keys)
		}
		if n := len(m.queue.Stored("outcome")); n > 0 {
			t.Errorf("%d records say dead, and there is no letter", n)
		}
		m.queue.Fail("dead", dispatchtest.Fault{})
		time.Sleep(10 * time.Second)
		m.once(jobs)
		if n := len(m.queue.Stored("dead")); n != jobs {
			t.Errorf("%d letters, want %d", n, jobs)
		}
		stop(time.Second)
	})
}

// A job stream that does not take its jobs holds up nothing of the others: its jobs wait outside.
func TestRouterGoesAroundSickStream(t *testing.T) {
	for name, refusal := range map[string]error{"full": dispatch.ErrFull, "sick": errRefused} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				const messages = 30
				m.queue.Fail("job.huawei", dispatchtest.Fault{Refuse: refusal})
				for n := range messages {
					m.message(n)
				}
				stop := m.worker()
				time.Sleep(time.Second)
				if keys, most := m.pushes(); keys != messages || most != 1 {
					t.Errorf("%d devices of the other vendor were pushed to, at most %d times", keys, most)
				}
				time.Sleep(10 * time.Second)
				if later, left := len(m.queue.Stored("later")), m.left("message"); later != messages || left > 0 {
					t.Errorf("%d jobs wait outside, %d messages are left", later, left)
				}
				stop(time.Second)
			})
		})
	}
}

// A job that was taken a hundred times is dead.
func TestAttemptsExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.job(1, 10)
		source := m.queue.Source(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), 1)
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
		if len(letters) != 1 || letters[0].Header[dispatch.HeaderReason] != "attempts_exhausted" {
			t.Errorf("letters: %+v", letters)
		}
		if keys, _ := m.pushes(); keys != 0 {
			t.Error("it was pushed")
		}
		if devices, _ := m.ends(); devices != 1 || m.left("job.apns") > 0 {
			t.Errorf("%d ends, %d jobs left", devices, m.left("job.apns"))
		}
		stop(time.Second)
	})
}

// Random faults of all streams come and go: each push is made once and has one end.
func TestRandomFaults(t *testing.T) {
	schedules := 100
	if testing.Short() {
		schedules = 30
	}
	for range schedules {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			m := newMemory(t)
			const messages = 20
			stop := m.worker()
			faults := []dispatchtest.Fault{{}, {Refuse: errRefused}, {Refuse: dispatch.ErrAway}, {LosePubAcks: true}, {Delay: time.Second}, {LoseAcks: true}}
			streams := []string{"outcome", "job.apns", "job.huawei", "later", "message"}
			next := 0
			for range 30 {
				f := faults[rng.IntN(len(faults))]
				stream := streams[rng.IntN(len(streams))]
				if stream == "job.apns" && f.Refuse != nil || stream == "message" {
					// what is diverted does not come back here
					f = dispatchtest.Fault{LoseAcks: f.LoseAcks}
				}
				m.queue.Fail(stream, f)
				if next < messages && rng.IntN(2) == 0 {
					m.message(next)
					next++
				}
				time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Second))))
			}
			for _, s := range streams {
				m.queue.Fail(s, dispatchtest.Fault{})
			}
			for ; next < messages; next++ {
				m.message(next)
			}
			time.Sleep(3 * dispatchtest.AckWait)
			// Jobs that were uncertain and went outside too are the same job, by their id.
			ids := map[string]bool{}
			for _, s := range append(m.queue.Stored("job.huawei"), m.queue.Stored("later")...) {
				if strings.Contains(string(s.Data), `"vendor":"huawei"`) {
					ids[s.ID] = true
				}
			}
			if len(ids) != messages {
				t.Errorf("%d jobs of the other vendor, want %d", len(ids), messages)
			}
			if keys, most := m.pushes(); keys < messages-len(m.queue.Stored("later")) || most > 1 {
				t.Errorf("%d devices were pushed to, at most %d times", keys, most)
			}
			if left := m.left("message") + m.left("job.apns"); left > 0 {
				t.Errorf("%d messages and jobs are left", left)
			}
			stop(time.Second)
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
