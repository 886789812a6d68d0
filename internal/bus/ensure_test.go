package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// jetStream is a connection of an operator's.
func jetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
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

func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

// A stream that does not fit is refused with every difference named, and what to do.
func TestEnsureNamesDifferences(t *testing.T) {
	b := bustest.Start(t)
	js := jetStream(t, b.URL())
	if err := b.Ensure(t.Context(), nil); err != nil {
		t.Fatalf("our own streams do not fit: %v", err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PUSH_JOBS_APNS", Subjects: []string{"push.job.apns.*.*"}}); err != nil {
		t.Fatal(err)
	}
	err := b.Ensure(t.Context(), []string{"apns", "fcm"})
	if !errors.Is(err, bus.ErrMisfit) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"PUSH_JOBS_APNS", "retention is Limits, need WorkQueue", "discard is DiscardOld, need DiscardNew", "allow direct is false, need true", "nats stream rm PUSH_JOBS_APNS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "FCM") || strings.Contains(err.Error(), "age") {
		t.Errorf("it names what fits: %v", err)
	}
}

// Bounds by which a stream would drop what must not be lost are refused; those of dead letters and
// outcomes by age are the operator's.
func TestEnsureRefusesBoundsThatDrop(t *testing.T) {
	b := bustest.Start(t, "apns")
	js := jetStream(t, b.URL())
	for _, c := range []struct {
		stream  string
		change  func(*jetstream.StreamConfig)
		problem string
		flag    string
	}{
		{"PUSH_LATER", func(s *jetstream.StreamConfig) { s.MaxBytes = 1 << 20 }, "max bytes is 1048576", "--max-bytes=-1"},
		{"PUSH_DIRECTORY", func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour }, "max age is 1h0m0s", "--max-age=0s"},
		{"PUSH_DIRECTORY", func(s *jetstream.StreamConfig) { s.MaxMsgs = 1000 }, "max messages is 1000", "--max-msgs=-1"},
		{"PUSH_JOBS_APNS", func(s *jetstream.StreamConfig) { s.MaxAge = 24 * time.Hour }, "max age is 24h0m0s", "--max-age=0s"},
		{"PUSH_MESSAGES", func(s *jetstream.StreamConfig) { s.Duplicates = time.Second }, "duplicate window is 1s, need 2m0s", "--dupe-window=2m0s"},
		{"PUSH_PIECES", func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour }, "max age is 1h0m0s", "--max-age=0s"},
		{"PUSH_DEAD", func(s *jetstream.StreamConfig) { s.MaxMsgs = 5 }, "max messages is 5", "--max-msgs=-1"},
		{"PUSH_DEAD", func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour }, "", ""},
		{"PUSH_OUTCOMES", func(s *jetstream.StreamConfig) { s.MaxAge, s.MaxBytes = time.Hour, 1<<20 }, "", ""},
		{"PUSH_JOBS_APNS", func(s *jetstream.StreamConfig) { s.MaxBytes = 1 << 20 }, "", ""},
	} {
		before := config(t, js, c.stream)
		changed := before
		c.change(&changed)
		if _, err := js.UpdateStream(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		err := b.Ensure(t.Context(), []string{"apns"})
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", c.stream, err)
		case c.problem != "" && (!errors.Is(err, bus.ErrMisfit) || !strings.Contains(err.Error(), c.problem) || !strings.Contains(err.Error(), "nats stream edit "+c.stream+" "+c.flag)):
			t.Errorf("%s: got %v, want %q and the flag %s", c.stream, err, c.problem, c.flag)
		}
		if _, err := js.UpdateStream(t.Context(), before); err != nil {
			t.Fatal(err)
		}
	}
}

// Bounds that the configuration sets are changed on streams that exist; what it leaves open stays.
func TestEnsureChangesBounds(t *testing.T) {
	b := bustest.Start(t, "apns")
	js := jetStream(t, b.URL())
	mine := config(t, js, "PUSH_OUTCOMES")
	mine.MaxBytes = 5 << 20
	if _, err := js.UpdateStream(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	bustest.Connect(t, b.URL(), bus.Topology{MaxBytes: 1 << 30, MaxMessagesPerApp: 300_000}, "apns")
	messages, outcomes := config(t, js, "PUSH_MESSAGES"), config(t, js, "PUSH_OUTCOMES")
	if messages.MaxBytes != 1<<30 || messages.MaxMsgsPerSubject != 300_000 || !messages.DiscardNewPerSubject || messages.Description == "" {
		t.Errorf("messages: %+v", messages)
	}
	if outcomes.MaxBytes != 5<<20 {
		t.Errorf("outcomes have %d bytes, the operator gave them %d", outcomes.MaxBytes, 5<<20)
	}
	bustest.Connect(t, b.URL(), bus.Topology{OutcomesMaxBytes: 6 << 20, MaxMessagesPerApp: 100, DeadMaxAge: 72 * time.Hour}, "apns")
	messages, outcomes = config(t, js, "PUSH_MESSAGES"), config(t, js, "PUSH_OUTCOMES")
	if messages.MaxBytes != 1<<30 || messages.MaxMsgsPerSubject != 100 || outcomes.MaxBytes != 6<<20 {
		t.Errorf("messages %+v, outcomes %+v", messages, outcomes)
	}
	if dead := config(t, js, "PUSH_DEAD"); dead.MaxAge != 72*time.Hour {
		t.Errorf("dead letters are kept for %v, the configuration says three days", dead.MaxAge)
	}
}

// A bound is not lowered onto what waits: the server would drop the oldest.
func TestEnsureLowersNoBoundOntoWhatWaits(t *testing.T) {
	b := bustest.Start(t)
	var waiting []dispatch.Outgoing
	for i := range 60 {
		waiting = append(waiting, dispatch.Outgoing{Subject: "push.message.demo", ID: fmt.Sprint(i)})
	}
	if errs := b.Publish(t.Context(), waiting); errs != nil {
		t.Fatal(errs)
	}
	small := bustest.Connect(t, b.URL(), bus.Topology{MaxMessagesPerApp: 50})
	if backlog, err := small.MessageBacklog(t.Context()); err != nil || backlog.Jobs != 60 {
		t.Errorf("%d of 60 are left, %v", backlog.Jobs, err)
	}
	if got := config(t, jetStream(t, b.URL()), "PUSH_MESSAGES").MaxMsgsPerSubject; got != 200_000 {
		t.Errorf("the bound is %d", got)
	}
}

// Full means full for one app, or for one certificate and lane, alone; and it drops nothing.
func TestFullForOneAlone(t *testing.T) {
	t.Run("server", func(t *testing.T) { testFullForOneAlone(t, bustest.StartServer(t, &server.Options{}).ClientURL(), 1) })
	t.Run("cluster", func(t *testing.T) { testFullForOneAlone(t, bustest.StartCluster(t).URL, 3) })
}

func testFullForOneAlone(t *testing.T, url string, replicas int) {
	b := bustest.Connect(t, url, bus.Topology{StreamPrefix: "SMALL", Subjects: hongyanSubjects("small"), Replicas: replicas, MaxMessagesPerApp: 5, MaxPieces: 5, MaxJobs: 5}, "apns")
	for _, c := range []struct{ full, other string }{
		{"small.message.a", "small.message.b"},
		{"small.message.b", "small.urgent.b"},
		{"small.piece.a.3", "small.piece.a.4"},
		{"small.job.apns.one.normal", "small.job.apns.two.normal"},
		{"small.job.apns.two.normal", "small.job.apns.two.urgent"},
	} {
		refused := 0
		for i := range 8 {
			if errs := b.Publish(t.Context(), []dispatch.Outgoing{{Subject: c.full, ID: fmt.Sprint(c.full, i)}}); errs != nil {
				if refused++; !errors.Is(errs[0], dispatch.ErrFull) {
					t.Fatalf("%s: %v", c.full, errs[0])
				}
			}
		}
		if refused < 3 {
			t.Errorf("%s refused %d of 8, want at least 3", c.full, refused)
		}
		if errs := b.Publish(t.Context(), []dispatch.Outgoing{{Subject: c.other}}); errs != nil {
			t.Errorf("%s is full, and so is %s: %v", c.full, c.other, errs[0])
		}
	}
	entries, err := b.Read(t.Context(), "SMALL_JOBS_APNS", "small.job.apns.one.normal", 1, 10)
	if err != nil || len(entries) != 5 {
		t.Errorf("%d jobs are left, %v; want the first 5", len(entries), err)
	}
}

// The streams of a first edition are told as such, with what to remove; the directory stays.
func TestEnsureMeetsTheFirstEdition(t *testing.T) {
	srv := bustest.StartServer(t, &server.Options{})
	js := jetStream(t, srv.ClientURL())
	queue := jetstream.StreamConfig{Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, AllowDirect: true}
	messages, jobs := queue, queue
	messages.Name, messages.Subjects = "PUSH_MESSAGES", []string{"push.message.*", "push.signal.*"}
	jobs.Name, jobs.Subjects = "PUSH_JOBS_APNS", []string{"push.job.apns.*.*"}
	directory := jetstream.StreamConfig{Name: "PUSH_DIRECTORY", MaxMsgsPerSubject: 1, AllowMsgTTL: true, AllowDirect: true,
		Subjects: []string{"push.user.*.*.device.*", "push.user.*.*.presence.*", "push.user.*.*.settings", "push.gateway.*.*"}}
	for _, s := range []jetstream.StreamConfig{messages, jobs, directory} {
		if _, err := js.CreateStream(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	err = b.Ensure(t.Context(), []string{"apns", "fcm"})
	if !errors.Is(err, bus.ErrMisfit) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"first edition", "remove PUSH_MESSAGES,", "PUSH_JOBS_APNS", "nats stream rm -f", "PUSH_DIRECTORY keeps"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	for _, s := range []string{"PUSH_MESSAGES", "PUSH_PIECES", "PUSH_LATER", "PUSH_OUTCOMES", "PUSH_JOBS_APNS", "PUSH_JOBS_FCM"} {
		if err := js.DeleteStream(t.Context(), s); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Fatal(err)
		}
	}
	if err := b.Ensure(t.Context(), []string{"apns", "fcm"}); err != nil {
		t.Errorf("after the remedy: %v", err)
	}
}

// limited starts a server whose user "worker" may not make streams, beside an "operator" who may.
func limited(t *testing.T) (worker, operator string) {
	t.Helper()
	deny := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.UPDATE.*"}}}
	srv := bustest.StartServer(t, &server.Options{Users: []*server.User{{Username: "worker", Password: "pw", Permissions: deny}, {Username: "operator", Password: "pw"}}})
	at := strings.TrimPrefix(srv.ClientURL(), "nats://")
	return "nats://worker:pw@" + at, "nats://operator:pw@" + at
}

// A user who may not make streams is told so at once; with the streams in place all is well.
func TestEnsureWithoutTheRight(t *testing.T) {
	worker, operator := limited(t)
	connect := func(url string, topology bus.Topology) *bus.Bus {
		t.Helper()
		b, err := bus.Connect(t.Context(), bus.Options{URL: url, Topology: topology})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	ensure := func(b *bus.Bus) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begun := time.Now()
		err := b.Ensure(ctx, []string{"apns"})
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		return err
	}
	mine := connect(worker, bus.Topology{})
	err := ensure(mine)
	if !errors.Is(err, bus.ErrNotAllowed) || !strings.Contains(err.Error(), "worker setup") || !strings.Contains(err.Error(), `"$JS.API.STREAM.CREATE.PUSH_MESSAGES"`) {
		t.Fatalf("got %v", err)
	}
	if err := ensure(connect(operator, bus.Topology{})); err != nil {
		t.Fatal(err)
	}
	if err := ensure(mine); err != nil {
		t.Errorf("all streams are there: %v", err)
	}
	if err := ensure(connect(worker, bus.Topology{MaxMessagesPerApp: 7})); !errors.Is(err, bus.ErrNotAllowed) {
		t.Errorf("a bound must be changed: %v", err)
	}
}
