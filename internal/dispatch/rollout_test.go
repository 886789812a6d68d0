package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
)

// Configurations that differ between workers, and that shrink, in virtual time.

// orphanage runs what sees to jobs of a certificate that the configuration lacks.
type orphanage struct {
	*memory
	orphans  *send.Orphans
	recorder *store.Recorder
	where    hongyan.Subject
	served   atomic.Bool // by another worker
}

func newOrphanage(t *testing.T) *orphanage {
	log := slog.New(slog.DiscardHandler)
	o := &orphanage{memory: newMemory(t), where: hongyan.Subject{Kind: hongyan.KindJob, Vendor: "apns", Certificate: "gone", Lane: hongyan.LaneNormal}}
	o.recorder = store.NewRecorder(t.Context(), store.Options{Queue: o.queue, Log: log, Now: time.Now})
	o.orphans = &send.Orphans{Recorder: o.recorder, Log: log, Now: time.Now, Elsewhere: func(vendor, certificate string) bool {
		if certificate != "gone" {
			t.Errorf("asked for %q", certificate)
		}
		return vendor == "apns" && o.served.Load() || vendor == "fcm" // which has the same id now
	}}
	return o
}

// serve runs until stop.
func (o *orphanage) serve() (stop func()) {
	ctx, cancel := context.WithCancel(o.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { o.orphans.Serve(ctx, o.where, o.queue.Source(hongyan.Subjects{}.Build(o.where), 16)) })
	return func() {
		cancel()
		wg.Wait()
		o.recorder.Wait()
	}
}

// orphan stores a job of the certificate.
func (o *orphanage) orphan(n int, change func(*dispatch.Job)) {
	o.t.Helper()
	o.job(n, 10)
	stored := o.queue.Stored("job.apns")
	j, err := dispatch.DecodeJob(stored[len(stored)-1].Data)
	if err != nil {
		o.t.Fatal(err)
	}
	j.ID, j.Certificate = "", "gone"
	if change != nil {
		change(j)
	}
	o.store(hongyan.Subjects{}.Build(o.where), j)
}

// store stores a job on a subject.
func (m *memory) store(subject string, j *dispatch.Job) {
	m.t.Helper()
	data, err := j.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: subject, Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// reasons are those of the dead letters, in order.
func (m *memory) reasons() (of []string) {
	for _, l := range m.queue.Stored("dead") {
		of = append(of, l.Header[dispatch.HeaderReason])
	}
	return of
}

// Jobs of a certificate that nobody serves are dead after ten minutes, during which nobody did, and
// not before.
func TestOrphansAreDeadAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrphanage(t)
		const jobs = 40 // more than are at hand at once
		for n := range jobs {
			o.orphan(n, nil)
		}
		stop := o.serve()
		time.Sleep(9 * time.Minute)
		o.served.Store(true) // somebody does, for a while
		time.Sleep(20 * time.Minute)
		o.served.Store(false)
		time.Sleep(9 * time.Minute)
		if got := o.reasons(); len(got) > 0 {
			t.Fatalf("dead before ten minutes: %v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := o.reasons(); len(got) != jobs || got[0] != "unknown_certificate" || len(slices.Compact(got)) != 1 {
			t.Errorf("dead letters: %v", o.reasons())
		}
		if ends := o.endsOf("u7"); len(ends) != 1 || ends[0].Status != hongyan.StatusDead || ends[0].DeviceOutcome.Reason != hongyan.UnknownCertificate || ends[0].Certificate != "gone" {
			t.Errorf("its device ended as %+v", ends)
		}
		stop()
		for _, s := range o.queue.Stored("job.apns") {
			if !s.Done && s.Subject == (hongyan.Subjects{}).Build(o.where) {
				t.Fatal("a job is left")
			}
		}
	})
}

// What was found out long ago counts no more: meanwhile another worker may have served the
// certificate, and just restarts.
func TestOrphansAreCountedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrphanage(t)
		o.orphan(1, nil)
		stop := o.serve()
		time.Sleep(11 * time.Minute)
		stop() // nothing waits any more
		time.Sleep(24 * time.Hour)
		o.orphan(2, nil)
		stop = o.serve()
		time.Sleep(9 * time.Minute)
		if got := o.reasons(); len(got) != 1 {
			t.Errorf("dead before ten minutes: %v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := o.reasons(); len(got) != 2 {
			t.Errorf("after ten minutes: %v", got)
		}
		stop()
	})
}

// A certificate's id that is another vendor's by now saves no jobs: what nobody serves is counted
// by vendor and certificate.
func TestOrphansOfAReusedID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrphanage(t)
		o.orphan(1, nil)
		stop := o.serve()
		now := o.where
		now.Vendor = "fcm"
		served := &orphanage{memory: o.memory, orphans: o.orphans, recorder: o.recorder, where: now}
		served.orphan(2, func(j *dispatch.Job) { j.Vendor = "fcm" })
		stopServed := served.serve()
		time.Sleep(11 * time.Minute)
		if got := o.reasons(); !slices.Equal(got, []string{"unknown_certificate"}) || len(o.endsOf("u1")) != 1 {
			t.Errorf("dead letters: %v, want the one of the vendor that nobody serves", got)
		}
		stop()
		stopServed()
	})
}

// Another time than ten minutes holds where it is set.
func TestOrphansAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrphanage(t)
		o.orphans.After = 5 * time.Second
		o.orphan(1, nil)
		stop := o.serve()
		time.Sleep(6 * time.Second)
		if got := o.reasons(); len(got) != 1 {
			t.Errorf("dead letters: %v", got)
		}
		stop()
	})
}

// A job that is not what its subject says is no letter of the certificate that it names.
func TestForeignOrphansAreMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrphanage(t)
		o.orphan(1, func(j *dispatch.Job) { j.Certificate = "c" })
		o.orphan(2, func(j *dispatch.Job) { j.Vendor = "a.b" })
		o.orphan(3, func(j *dispatch.Job) { j.Lane = hongyan.LaneUrgent })
		stop := o.serve()
		time.Sleep(11 * time.Minute)
		if got := o.reasons(); !slices.Equal(got, []string{"malformed", "malformed", "malformed"}) {
			t.Errorf("dead letters: %v", got)
		}
		stop()
	})
}

// takenAt are the seconds at which the last message of a stream was taken, for three minutes.
func (m *memory) takenAt(stream string) (seconds []int) {
	began, before := time.Now(), 0
	for time.Since(began) < 180*time.Second {
		time.Sleep(500 * time.Millisecond)
		all := m.queue.Stored(stream)
		if n := all[len(all)-1].Taken; n > before {
			before = n
			seconds = append(seconds, int(time.Since(began).Seconds()))
		}
	}
	return seconds
}

// giveBacks are when a message is taken that is left to the other workers: after five seconds, and
// twice as long each time up to a minute.
var giveBacks = []int{0, 5, 15, 35, 75, 135}

// A message of an app that only another live worker knows is left to it. When that is gone, it is
// malformed.
func TestUnknownAppIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t)
		var knows atomic.Bool
		knows.Store(true)
		m.elsewhere = func(app, certificate string) bool { return app == "new" && certificate == "" && knows.Load() }
		m.also = []string{hongyan.Subjects{}.Message("new")}
		stop := m.worker()
		m.publish(m.also[0], chat("m-1", "u1"))
		if got := m.takenAt("message"); !slices.Equal(got, giveBacks) {
			t.Errorf("taken after %v seconds, want %v", got, giveBacks)
		}
		if got := m.reasons(); len(got) > 0 {
			t.Errorf("dead letters: %v", got)
		}
		knows.Store(false)
		time.Sleep(time.Minute)
		if got := m.reasons(); !slices.Equal(got, []string{"malformed"}) || m.left("message") > 0 {
			t.Errorf("dead letters: %v, %d messages are left", got, m.left("message"))
		}
		stop(time.Second)
	})
}

func (m *memory) publish(subject string, x hongyan.Message) {
	m.t.Helper()
	data, err := json.Marshal(x)
	if err != nil {
		m.t.Fatal(err)
	}
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: subject, Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

// The same for a device of a certificate that only another live worker knows.
func TestUnknownCertificateIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices := newMemory(t), &village{}
		m.devices = devices
		devices.set(false, map[string]func(*directory.User){"u1": func(u *directory.User) {
			u.Devices = u.Devices[:1]
			u.Devices[0].Registration.Certificate = "new"
		}})
		var knows atomic.Bool
		knows.Store(true)
		m.elsewhere = func(app, certificate string) bool { return app == "demo" && certificate == "new" && knows.Load() }
		stop := m.worker()
		m.message(1)
		if got := m.takenAt("message"); !slices.Equal(got, giveBacks) {
			t.Errorf("taken after %v seconds, want %v", got, giveBacks)
		}
		if ends := m.endsOf("u1"); len(ends) > 0 {
			t.Errorf("it ended as %+v", ends)
		}
		knows.Store(false)
		time.Sleep(time.Minute)
		if got := m.end("u1"); got != "suppressed unknown_certificate" || m.left("message") > 0 {
			t.Errorf("it ended as %q, %d messages are left", got, m.left("message"))
		}
		stop(time.Second)
	})
}

// A piece of a large message that there is no room for is left to the others as well, while what
// the rest of the message led to is not done twice.
func TestUnknownCertificateOfALargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices := newMemory(t), &village{}
		m.devices = devices
		devices.set(false, map[string]func(*directory.User){"u1": func(u *directory.User) {
			u.Devices[0].Registration.Certificate = "new"
		}})
		var knows atomic.Bool
		knows.Store(true)
		m.elsewhere = func(_, certificate string) bool { return certificate == "new" && knows.Load() }
		m.queue.Fail("piece", dispatchtest.Fault{Refuse: dispatch.ErrFull})
		var users []string
		others := 0
		for n := range 600 {
			users = append(users, fmt.Sprint("u", n))
			if hongyan.Partition(users[n]) != hongyan.Partition("u1") {
				others++
			}
		}
		stop := m.worker()
		m.publish(hongyan.Subjects{}.Message("demo"), chat("m-1", users...))
		time.Sleep(4 * time.Minute)
		if keys, most := m.pushes(); keys != others || most != 1 || m.left("message") != 1 {
			t.Errorf("%d devices were pushed to, at most %d times, want %d; %d messages are left", keys, most, others, m.left("message"))
		}
		knows.Store(false)
		time.Sleep(2 * time.Minute)
		if keys, most := m.pushes(); keys != len(users)-1 || most != 1 || m.left("message") > 0 {
			t.Errorf("%d devices were pushed to, at most %d times; %d messages are left", keys, most, m.left("message"))
		}
		if got := m.end("u1"); got != "suppressed unknown_certificate" {
			t.Errorf("it ended as %q", got)
		}
		stop(time.Second)
	})
}

// Jobs and pieces of a newer form are given back to newer workers, which are perhaps still
// starting.
func TestNewerFormsAreLeftToOthers(t *testing.T) {
	t.Run("job", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory(t)
			m.job(1, 10)
			j := m.queue.Stored("job.apns")[0]
			newer := bytes.Replace(j.Data, fmt.Appendf(nil, `"v":%d`, dispatch.JobVersion), fmt.Appendf(nil, `"v":%d`, dispatch.JobVersion+1), 1)
			m.queue = dispatchtest.New()
			m.raw(j.Subject, newer)
			m.leftToNewer("job.apns")
		})
	})
	t.Run("piece", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory(t)
			m.also = []string{hongyan.Subjects{}.Piece("demo", 3)}
			m.raw(m.also[0], []byte(`{"v":99,"message":{"of":"another form"}}`))
			m.leftToNewer("piece")
		})
	})
}

func (m *memory) raw(subject string, data []byte) {
	m.t.Helper()
	if errs := m.queue.Publish(m.t.Context(), []dispatch.Outgoing{{Subject: subject, Data: data}}); errs != nil {
		m.t.Fatal(errs)
	}
}

func (m *memory) leftToNewer(stream string) {
	m.t.Helper()
	stop := m.worker()
	if got := m.takenAt(stream); !slices.Equal(got, giveBacks) {
		m.t.Errorf("taken after %v seconds, want %v", got, giveBacks)
	}
	if m.left(stream) != 1 || len(m.reasons()) > 0 {
		m.t.Errorf("%d are left, dead letters: %v", m.left(stream), m.reasons())
	}
	stop(time.Second)
}

// What a job says of itself becomes no label before it is known to be true.
func TestForeignJobsGiveNoLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		metrics, err := dispatch.NewMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
		if err != nil {
			t.Fatal(err)
		}
		o := newOrphanage(t)
		o.orphans.Metrics, o.metrics = metrics, metrics
		o.orphan(1, nil)
		o.orphan(2, func(j *dispatch.Job) { j.Certificate = "forged" })
		forged := func(change func(*dispatch.Job)) {
			o.job(3, 10)
			stored := o.queue.Stored("job.apns")
			j, err := dispatch.DecodeJob(stored[len(stored)-1].Data)
			if err != nil {
				t.Fatal(err)
			}
			change(j)
			o.store(hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal), j)
		}
		forged(func(j *dispatch.Job) { j.App = "forged" })
		forged(func(j *dispatch.Job) { j.Vendor = "forged" })
		forged(func(j *dispatch.Job) { j.Certificate = "forged" })
		stop, stopOrphans := o.worker(), o.serve()
		time.Sleep(11 * time.Minute)
		stopOrphans()
		stop(time.Second)
		if got := len(o.reasons()); got != 5 {
			t.Errorf("%d dead letters, want 5", got)
		}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(`"unknown_certificate"`)) || bytes.Contains(text, []byte(`"gone"`)) || bytes.Contains(text, []byte(`"forged"`)) {
			t.Errorf("metrics: %s", text)
		}
	})
}
