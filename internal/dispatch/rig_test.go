package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// scripted is a driver whose answers the test writes.
type scripted struct {
	limits vendors.Limits
	// n counts the device's calls from 1
	answer func(ctx context.Context, d vendors.Device, n int) vendors.Result

	mu    sync.Mutex
	calls []vendors.Batch
	keys  map[string]int // how often each key was pushed
}

func (d *scripted) Push(ctx context.Context, b vendors.Batch) []vendors.Result {
	d.mu.Lock()
	d.calls = append(d.calls, b)
	ns := make([]int, len(b.Devices))
	for i, dev := range b.Devices {
		if d.keys == nil {
			d.keys = map[string]int{}
		}
		d.keys[dev.Key]++
		ns[i] = d.keys[dev.Key]
	}
	d.mu.Unlock()
	results := make([]vendors.Result, len(b.Devices))
	for i, dev := range b.Devices {
		results[i] = d.answer(ctx, dev, ns[i])
	}
	return results
}

func (d *scripted) Limits() vendors.Limits { return d.limits }
func (d *scripted) Close()                 {}

func accept(context.Context, vendors.Device, int) vendors.Result {
	return vendors.Result{Reason: vendors.Accepted, VendorID: "v-1"}
}

// rig is a pipeline over a real NATS server, with a scripted driver for the certificates c-apns
// (one device a call) and c-huawei (three).
type rig struct {
	t       *testing.T
	bus     *bus.Bus
	apns    *scripted
	huawei  *scripted
	senders []*send.Sender
	stop    func()
	log     *slog.Logger
	retries send.Retries
	breaker parking.Options
	tracer  trace.Tracer
	counts  bool // the app counts what icons show
}

func newRig(t *testing.T) *rig {
	return newRigOn(t, bustest.Start(t, "apns", "huawei"))
}

func newRigOn(t *testing.T, b *bus.Bus) *rig {
	return &rig{
		t: t, bus: b, log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
		apns:    &scripted{limits: vendors.Limits{Batch: 1}, answer: accept},
		huawei:  &scripted{limits: vendors.Limits{Batch: 3}, answer: accept},
		retries: send.Retries{Attempts: 3, Base: time.Millisecond, Max: 2 * time.Millisecond},
		breaker: parking.Options{FirstProbe: 10 * time.Millisecond, LastProbe: 50 * time.Millisecond},
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) { w.t.Logf("%s", p); return len(p), nil }

// start runs the router and the senders until stop or the test's end.
func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	hard, cut := context.WithCancel(context.Background())
	subjects := hongyan.Subjects{}
	dir := directory.New(r.bus, subjects, directory.Options{})
	said := marks.New(r.bus, subjects, marks.Options{Log: r.log})
	accounts := map[string]route.Account{
		"c-apns":   {App: "demo", Vendor: "apns", Certificate: "c-apns"},
		"c-huawei": {App: "demo", Vendor: "huawei", Certificate: "c-huawei"},
	}
	recorder := store.NewRecorder(hard, store.Options{Queue: r.bus, Subjects: subjects, Log: r.log, Now: time.Now})
	looker := &store.Looker{Records: r.bus, Trouble: recorder.Trouble, Log: r.log, Now: time.Now}
	policy, book := route.Policy{StaleAfter: 7 * 24 * time.Hour}, badge.New(r.bus, badge.Options{Log: r.log})
	if r.counts {
		policy.Badge = route.BadgeCounted
		for id, a := range accounts {
			a.Badge = true
			accounts[id] = a
		}
	}
	senders := map[string]*send.Sender{}
	r.senders = nil
	for id, driver := range map[string]*scripted{"c-apns": r.apns, "c-huawei": r.huawei} {
		s := &send.Sender{
			Certificate: send.Certificate{App: "demo", Vendor: accounts[id].Vendor, ID: id, Driver: driver, Concurrency: 8},
			Recorder:    recorder, Devices: dir, Marks: said, Subjects: subjects, Looker: looker,
			Retries: r.retries, Breaker: r.breaker, Log: r.log, Now: time.Now, Tracer: r.tracer, Stored: r.bus.Hint,
		}
		if r.counts {
			s.Badges = book
		}
		senders[id] = s
		account := accounts[id]
		account.Sender = s
		accounts[id] = account
		r.senders = append(r.senders, s)
		s.Start(ctx, hard)
	}
	router := &route.Router{Recorder: recorder, Looker: looker, Devices: dir, Marks: said, Badges: book, Subjects: subjects, Log: r.log, Now: time.Now, Stored: r.bus.Hint, Tracer: r.tracer,
		Apps: route.NewApps(map[string]route.App{
			"demo":  {Policy: policy, Accounts: accounts},
			"other": {Accounts: accounts},
		})}
	var wg sync.WaitGroup
	urgent, err := r.bus.UrgentConsumer(ctx, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	signals, err := r.bus.SignalConsumer(ctx, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, source := range []dispatch.Source{urgent, signals} {
		wg.Go(func() { router.Run(ctx, hard, source) })
	}
	serve := func(what func() error) {
		wg.Go(func() {
			if err := what(); err != nil && ctx.Err() == nil {
				r.t.Error(err)
			}
		})
	}
	routes := func(ctx context.Context, _ hongyan.Subject, source dispatch.Source) { router.Run(ctx, hard, source) }
	serve(func() error {
		return r.bus.ServeMessages(ctx, func() []string { return []string{"demo", "other"} }, 512, routes)
	})
	serve(func() error { return r.bus.ServePieces(ctx, 64, routes) })
	for _, s := range r.senders {
		c := &s.Certificate
		serve(func() error {
			return r.bus.ServeJobs(ctx, c.Vendor, func(hongyan.Subject) int { return c.Hold() }, func(ctx context.Context, where hongyan.Subject, source dispatch.Source) {
				senders[where.Certificate].Serve(ctx, where.Lane, source)
			})
		})
		wg.Go(func() {
			<-ctx.Done()
			s.Stop()
		})
	}
	wg.Go(func() { r.bus.Wake(ctx) })
	wg.Go(func() { said.Run(ctx, r.bus) })
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			wg.Wait()
			recorder.Wait()
			looker.Wait()
			book.Wait()
			cut()
		})
	}
	r.t.Cleanup(r.stop)
}

// register stores a registration.
func (r *rig) register(user, device, certificate string) {
	r.t.Helper()
	r.put(hongyan.Subjects{}.Device("demo", user, device), hongyan.Device{Certificate: certificate, Token: "token-" + user + "-" + device})
}

func (r *rig) put(subject string, v any) {
	r.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.bus.Put(context.Background(), subject, data); err != nil {
		r.t.Fatal(err)
	}
}

// send publishes a message.
func (r *rig) send(m hongyan.Message) {
	r.t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		r.t.Fatal(err)
	}
	r.sendRaw("demo", m.ID, data)
}

func (r *rig) sendRaw(app, id string, data []byte) {
	r.t.Helper()
	errs := r.bus.Publish(context.Background(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message(app), ID: id, Data: data}})
	if errs != nil {
		r.t.Fatal(errs)
	}
}

func chat(id string, recipients ...string) hongyan.Message {
	return hongyan.Message{ID: id, Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c2c_alice"}, Sender: hongyan.Sender{ID: "alice", Nickname: "Alice"},
		Recipients: recipients, Content: hongyan.Content{Type: hongyan.ContentText, Text: "See you at eight"}}
}

// outcomes waits until each device has an outcome and returns them by "user/device".
func (r *rig) outcomes(message string, devices ...string) map[string]dispatch.Ended {
	r.t.Helper()
	found := map[string]dispatch.Ended{}
	missing := func() (left []string) {
		for _, d := range devices {
			if _, ok := found[d]; !ok {
				left = append(left, d)
			}
		}
		return left
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for next := uint64(1); len(missing()) > 0; {
		entries, err := r.bus.Read(ctx, r.bus.Topology().Outcomes(), "push.outcome.>", next, 500)
		if err != nil {
			r.t.Fatalf("reading outcomes: %v; still missing %v", err, missing())
		}
		for _, e := range entries {
			next = e.Sequence + 1
			ends, err := dispatch.ParseEnded(e.Data)
			if err != nil {
				r.t.Fatal(err)
			}
			for _, o := range ends {
				if o.MessageID == message && o.Status.End() {
					found[o.User+"/"+o.Device] = o
				}
			}
		}
		if len(entries) == 0 {
			select {
			case <-ctx.Done():
				r.t.Fatalf("no outcome of %s for %v", message, missing())
			case <-time.After(10 * time.Millisecond): // polling the real server
			}
		}
	}
	return found
}

// want checks status and reason of a device's outcome.
func want(t *testing.T, got dispatch.Ended, status hongyan.Status, reason hongyan.Reason) {
	t.Helper()
	if got.Status != status || got.Reason != reason {
		t.Errorf("outcome of %s/%s is %s %s (code %q), want %s %s", got.User, got.Device, got.Status, got.Reason, got.VendorCode, status, reason)
	}
}

// empty waits until nothing is left in the messages and the job streams: every message and job is
// settled.
func (r *rig) empty() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		left := ""
		for _, v := range []string{"apns", "huawei"} {
			b, err := r.bus.Backlog(ctx, v)
			if err != nil {
				r.t.Fatal(err)
			}
			if b.Jobs > 0 {
				left += fmt.Sprintf(" %d %s jobs", b.Jobs, v)
			}
		}
		b, err := r.bus.MessageBacklog(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		if left == "" && b.Jobs == 0 {
			return
		}
		select {
		case <-ctx.Done():
			r.t.Fatalf("still waiting: %d messages%s", b.Jobs, left)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
