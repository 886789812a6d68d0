package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// wake runs the waker until the function that is returned, or the test, ends it.
func wake(t testing.TB, b *bus.Bus) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.Wake(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// dueJobs are jobs whose time has come, as the server's schedules leave them.
func dueJobs(certificate string, n, size int) []dispatch.Outgoing {
	jobs := make([]dispatch.Outgoing, n)
	for i := range jobs {
		id := fmt.Sprint(certificate, "#", i)
		jobs[i] = dispatch.Outgoing{Subject: "push.later.due.job." + certificate, Data: make([]byte, size), Header: map[string]string{dispatch.HeaderJob: id}}
	}
	return jobs
}

func publish(t testing.TB, b *bus.Bus, msgs []dispatch.Outgoing) {
	t.Helper()
	for some := range slices.Chunk(msgs, 4000) {
		if errs := b.Publish(t.Context(), some); errs != nil {
			t.Fatal(errors.Join(errs...))
		}
	}
}

// waiting is how many messages of a stream match a filter.
func waiting(t testing.TB, js jetstream.JetStream, stream, filter string) (n uint64) {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(filter))
	if err != nil {
		t.Fatal(err)
	}
	for _, on := range info.State.Subjects {
		n += on
	}
	return n
}

// A job that waits for later comes back among the jobs when it is due, with its headers.
func TestLaterComesBack(t *testing.T) {
	b := bustest.Start(t, "apns")
	wake(t, b)
	job := dispatch.Outgoing{Subject: "push.job.apns.c.normal", ID: "x#1", Data: []byte("job"), Header: map[string]string{dispatch.HeaderTrace: "t", "Push-Other": "o"}}
	publish(t, b, []dispatch.Outgoing{b.Later(job, time.Now().Add(300*time.Millisecond))})
	var entries []bus.Entry
	until(t, "there", func() bool {
		var err error
		if entries, err = b.Read(t.Context(), b.Topology().Jobs("apns"), ">", 1, 1); err != nil {
			t.Fatal(err)
		}
		return len(entries) == 1
	})
	got, want := entries[0], map[string][]string{dispatch.HeaderTrace: {"t"}, "Push-Other": {"o"}, jetstream.MsgIDHeader: {job.ID}}
	maps.DeleteFunc(got.Header, func(k string, _ []string) bool { return strings.HasPrefix(k, "Nats-") && k != jetstream.MsgIDHeader })
	if string(got.Data) != "job" || got.Subject != job.Subject || !maps.EqualFunc(got.Header, want, slices.Equal) {
		t.Errorf("got %+v", got)
	}
}

// Two workers share what is due, large and small, and each job arrives once.
func TestWakeMovesAll(t *testing.T) {
	b := bustest.Start(t, "apns", "oppo")
	js := jetStream(t, b.URL())
	publish(t, b, dueJobs("apns.a.normal", 5000, 100))
	publish(t, b, dueJobs("oppo.b.urgent", 10, 900_000))
	wake(t, b)
	wake(t, bustest.Connect(t, b.URL(), bus.Topology{}))
	until(t, "moved, all of it", func() bool { return waiting(t, js, "PUSH_LATER", ">") == 0 })
	if a, o := waiting(t, js, "PUSH_JOBS_APNS", ">"), waiting(t, js, "PUSH_JOBS_OPPO", ">"); a != 5000 || o != 10 {
		t.Errorf("%d and %d jobs arrived, want 5000 and 10", a, o)
	}
}

// Where a certificate's jobs are refused, they alone wait; they follow when there is room.
func TestWakeOfAFullCertificate(t *testing.T) {
	first := bustest.Start(t)
	b := bustest.Connect(t, first.URL(), bus.Topology{MaxJobs: 100}, "apns")
	js := jetStream(t, b.URL())
	publish(t, b, dueJobs("apns.full.normal", 3000, 10))
	publish(t, b, dueJobs("apns.free.normal", 50, 10))
	wake(t, b)
	until(t, "moved where there is room", func() bool {
		return waiting(t, js, "PUSH_JOBS_APNS", "push.job.apns.free.normal") == 50 && waiting(t, js, "PUSH_JOBS_APNS", "push.job.apns.full.normal") == 100
	})
	until(t, "taken away", func() bool { return waiting(t, js, "PUSH_LATER", ">") == 2900 })
	s, err := js.Stream(t.Context(), "PUSH_JOBS_APNS")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if err := s.Purge(t.Context(), jetstream.WithPurgeSubject("push.job.apns.full.normal")); err != nil {
			t.Fatal(err)
		}
		until(t, fmt.Sprint("moved after purge ", round), func() bool { return waiting(t, js, "PUSH_JOBS_APNS", "push.job.apns.full.normal") == 100 })
	}
	until(t, "taken away", func() bool { return waiting(t, js, "PUSH_LATER", ">") == 2600 })
}

// Jobs of a vendor whose stream is gone come out all the same; so do those that wait while
// PUSH_LATER itself is missing for a time.
func TestWakeWithoutStreams(t *testing.T) {
	b := bustest.Start(t)
	js := jetStream(t, b.URL())
	if err := js.DeleteStream(t.Context(), "PUSH_LATER"); err != nil {
		t.Fatal(err)
	}
	wake(t, b)
	time.Sleep(100 * time.Millisecond) // it asks in vain
	if err := b.Ensure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	publish(t, b, dueJobs("meizu.gone.normal", 5, 10))
	until(t, "moved, all of it", func() bool { return waiting(t, js, "PUSH_LATER", ">") == 0 })
	if n := waiting(t, js, "PUSH_JOBS_MEIZU", ">"); n != 5 {
		t.Errorf("%d jobs arrived, want 5", n)
	}
}

// A worker that dies with jobs in hand loses none, and none is stored twice.
func TestWakeAfterOneThatDied(t *testing.T) {
	b := bustest.Start(t, "apns")
	js := jetStream(t, b.URL())
	publish(t, b, dueJobs("apns.c.normal", 20_000, 100))
	for range 5 {
		stop := wake(t, b)
		time.Sleep(30 * time.Millisecond) // somewhere in the middle
		stop()
	}
	wake(t, b)
	// What a pull that was cut short left on its way comes again after a minute.
	within(t, 100*time.Second, "moved, all of it", func() bool { return waiting(t, js, "PUSH_LATER", ">") == 0 })
	if n := waiting(t, js, "PUSH_JOBS_APNS", ">"); n != 20_000 {
		t.Errorf("%d jobs arrived, want 20000", n)
	}
}

// PUSH_LATER takes so many jobs of a certificate, those that are due included, and no more; others'
// go on.
func TestLaterIsBounded(t *testing.T) {
	first := bustest.Start(t)
	b := bustest.Connect(t, first.URL(), bus.Topology{MaxLater: 20}, "apns")
	publish(t, b, dueJobs("apns.full.normal", 5, 10))
	later := func(certificate string, i int) []error {
		return b.Publish(t.Context(), []dispatch.Outgoing{b.Later(dispatch.Outgoing{Subject: "push.job.apns." + certificate + ".urgent", ID: fmt.Sprint(certificate, i)}, time.Now().Add(time.Hour))})
	}
	refused := 0
	for i := range 40 {
		if errs := later("full", i); errs != nil {
			if refused++; !errors.Is(errs[0], dispatch.ErrFull) {
				t.Fatal(errs[0])
			}
		}
	}
	js := jetStream(t, b.URL())
	if n := waiting(t, js, "PUSH_LATER", "push.later.*.job.apns.full.>"); n != 20 || refused != 25 {
		t.Errorf("%d are there and %d were refused, want 20 and 25", n, refused)
	}
	if errs := later("other", 0); errs != nil {
		t.Error(errs[0])
	}
}

// BenchmarkWake moves a hundred thousand due jobs of four certificates by one worker.
func BenchmarkWake(bench *testing.B) {
	const n = 100_000
	for bench.Loop() {
		bench.StopTimer()
		b := bustest.Start(bench, "apns")
		for c := range 4 {
			publish(bench, b, dueJobs(fmt.Sprintf("apns.c%d.normal", c), n/4, 700))
		}
		bench.StartTimer()
		stop := wake(bench, b)
		until(bench, "moved, all of it", func() bool {
			backlog, err := b.Backlog(bench.Context(), "apns")
			if err != nil {
				bench.Fatal(err)
			}
			return backlog.Jobs == n
		})
		bench.StopTimer()
		stop()
		bench.StartTimer()
	}
	bench.ReportMetric(n*float64(bench.N)/bench.Elapsed().Seconds(), "jobs/s")
}
