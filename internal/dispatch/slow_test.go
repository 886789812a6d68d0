package dispatch_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What streams that are slow hold up, and what not, in virtual time.

// ringsWithin fails unless the first push of a call goes out within a time. It returns when that is
// over.
func (m *memory) ringsWithin(most time.Duration, event func()) {
	m.t.Helper()
	began := time.Now()
	event()
	time.Sleep(most)
	for _, b := range m.calls() {
		for _, d := range b.Devices {
			if d.Notification.Urgent {
				m.t.Logf("it rang within %v", time.Since(began))
				return
			}
		}
	}
	m.t.Errorf("it does not ring within %v", most)
}

// A call rings in time however slow the marks are, to be stored or to be read, and whether or not
// anybody hears of them.
func TestCallRingsWhereMarksAreSlow(t *testing.T) {
	for name, c := range map[string]struct {
		fault dispatchtest.Fault
		deaf  bool
	}{
		"well":             {},
		"slow":             {fault: dispatchtest.Fault{Delay: 15 * time.Second}},
		"slow_and_deaf":    {fault: dispatchtest.Fault{Delay: 15 * time.Second}, deaf: true},
		"refused":          {fault: dispatchtest.Fault{Refuse: errRefused}},
		"refused_and_deaf": {fault: dispatchtest.Fault{Refuse: errRefused}, deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				m.marks, m.devices = true, phones{}
				m.worker()
				time.Sleep(time.Second)
				m.queue.Deafen(c.deaf)
				m.queue.Fail("mark", c.fault)
				m.ringsWithin(5*time.Second, func() { m.event(0, "invite alice bob") })
				m.queue.Fail("mark", dispatchtest.Fault{})
				time.Sleep(time.Minute)
				m.stopAll()
			})
		})
	}
}

// A call that was heard to be over does not ring, although the marks cannot be read.
func TestCallThatWasHeardToBeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		m.marks, m.devices = true, phones{}
		m.worker()
		time.Sleep(time.Second)
		m.event(0, "cancel alice bob")
		time.Sleep(5 * time.Second)
		m.queue.Deafen(true)
		m.queue.Fail("mark", dispatchtest.Fault{Delay: 15 * time.Second})
		m.event(1, "invite alice bob")
		time.Sleep(time.Minute)
		if ends := m.endsOfEvents("bob"); ends["e1 bob/1"] != "call_over" {
			t.Errorf("ends: %v", ends)
		}
		m.stopAll()
	})
}

// A call waits for no numbers on icons: neither those of its own app, nor those of messages that
// came before it on the same way.
func TestCallWaitsForNoBadges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		store := m.counting(vendors.Limits{Batch: 1})
		var slow atomic.Bool
		store.Delay = func() time.Duration {
			if slow.Load() {
				return time.Hour
			}
			return 0
		}
		m.marks, m.devices = true, phones{}
		m.worker()
		time.Sleep(time.Second)
		slow.Store(true)
		for i := range 40 {
			m.publish(hongyan.Subjects{}.Urgent("demo"), chat(fmt.Sprint("m-", i), fmt.Sprint("u", i)))
			time.Sleep(10 * time.Millisecond)
		}
		m.ringsWithin(time.Second, func() { m.event(0, "invite alice bob") })
		slow.Store(false)
		time.Sleep(2 * time.Minute)
		if n := len(m.endsOf("u7")); n != 2 {
			t.Errorf("%d ends of a message that waited to be counted, want 2", n)
		}
		m.stopAll()
	})
}

// A call that waited for its certificate rings in time too, beside a message that waits to be
// decided on again.
func TestWaitingCallRingsWhereMarksAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, vendor := newMemory(t), &doctor{}
		store := m.counting(vendors.Limits{Batch: 1})
		var slow atomic.Bool
		store.Delay = func() time.Duration {
			if slow.Load() {
				return time.Hour
			}
			return 0
		}
		m.marks, m.devices, m.driver.answer = true, phones{}, vendor.answer
		m.worker()
		m.message(1) // parks it
		time.Sleep(5 * time.Second)
		m.event(0, "invite alice bob")
		time.Sleep(5 * time.Second)
		m.queue.Deafen(true)
		m.queue.Fail("mark", dispatchtest.Fault{Delay: 15 * time.Second})
		slow.Store(true)
		before := len(m.calls())
		vendor.heal()
		began := time.Now()
		for rang := false; !rang; {
			time.Sleep(100 * time.Millisecond)
			for _, b := range m.calls()[before:] {
				rang = rang || b.Devices[0].Notification.Urgent
			}
			if time.Since(began) > 30*time.Second { // probes come in between
				t.Fatal("it does not ring")
			}
		}
		slow.Store(false)
		m.queue.Fail("mark", dispatchtest.Fault{})
		time.Sleep(2 * time.Minute)
		m.stopAll()
	})
}

// A signal of an app that only another live worker knows is remembered, and what follows from it is
// left to that one.
func TestSignalOfAnUnknownAppIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, w := newMemory(t), &withdrawn{}
		var knows atomic.Bool
		knows.Store(true)
		m.elsewhere = func(app, certificate string) bool { return app == "new" && certificate == "" && knows.Load() }
		m.marks, m.withdrawals = true, w
		m.also = []string{hongyan.Subjects{}.Signal("new")}
		m.worker()
		if errs := m.queue.Publish(t.Context(), []dispatch.Outgoing{{Subject: m.also[0], Data: []byte(`{"type":"recall","message_id":"m-1"}`)}}); errs != nil {
			t.Fatal(errs)
		}
		time.Sleep(3 * time.Minute)
		if m.left("signal") != 1 || len(m.queue.Stored("mark")) != 1 || len(w.seen()) > 0 {
			t.Errorf("%d signals are left, %d marks are stored, handed over: %v", m.left("signal"), len(m.queue.Stored("mark")), w.seen())
		}
		knows.Store(false)
		time.Sleep(2 * time.Minute)
		if n := m.left("signal"); n > 0 {
			t.Errorf("%d signals are left although nobody serves the app", n)
		}
		m.stopAll()
	})
}

// hasty is a directory whose answers must be confirmed before they suppress anything, and in which
// nobody is registered but bob.
type hasty struct{ onePhone }

func (hasty) MustConfirm() bool { return true }

func (p hasty) Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	users, err := p.onePhone.Lookup(ctx, refs)
	for i, ref := range refs {
		if ref.User != "bob" {
			users[i] = nil
		}
	}
	return users, err
}

func (p hasty) Confirm(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	return p.Lookup(ctx, refs)
}

// Each device of a message that is taken again is counted once by what the records said of it, also
// where the decision on it had to be confirmed.
func TestLookIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := metric.NewManualReader()
		metrics, err := dispatch.NewMetrics(metric.NewMeterProvider(metric.WithReader(reader)).Meter("test"))
		if err != nil {
			t.Fatal(err)
		}
		m := newMemory(t)
		m.devices, m.metrics = hasty{}, metrics
		m.driver.answer = func(ctx context.Context, _ vendors.Device, _ int) vendors.Result {
			<-ctx.Done()
			return vendors.Result{Reason: vendors.Interrupted}
		}
		m.queue.Fail("outcome", dispatchtest.Fault{Refuse: errRefused})
		_, kill := m.start(m.driver)
		m.messageTo("m-1", "bob", "nobody", "no-one")
		time.Sleep(5 * time.Second)
		kill()
		m.queue.Fail("outcome", dispatchtest.Fault{})
		m.driver.answer = accept
		m.worker()
		time.Sleep(10 * time.Minute)
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		looked := int64(0)
		for _, x := range all.ScopeMetrics[0].Metrics {
			if sum, ok := x.Data.(metricdata.Sum[int64]); ok && x.Name == "hongyan.looked" {
				for _, p := range sum.DataPoints {
					looked += p.Value
				}
			}
		}
		if looked != 3 {
			t.Errorf("%d devices were looked at, want 3", looked)
		}
		m.stopAll()
	})
}
