package bus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// The loss of the connections that pull hurts neither what is published nor the acks of what they
// brought, and pulling goes on.
func TestLossOfTheWorkConnections(t *testing.T) {
	srv := bustest.StartServer(t, &server.Options{})
	b := connect(t, bus.Options{URL: srv.ClientURL(), Name: "test"}, "apns")
	r := &receiver{t: t, hold: true}
	urgent, err := b.UrgentConsumer(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	running(t, func(ctx context.Context) error { r.serve(ctx, hongyan.Subject{App: "urgent"}, urgent); return nil })
	running(t, func(ctx context.Context) error {
		return b.ServeMessages(ctx, func() []string { return []string{"demo"} }, 10, r.serve)
	})
	store(t, b, "push.message.demo", []byte("{}"), 1)
	store(t, b, "push.urgent.demo", []byte("{}"), 1)
	eventually(t, "both came", 5*time.Second, func() bool { return r.count("") == 2 })

	connections, err := srv.Connz(nil)
	if err != nil {
		t.Fatal(err)
	}
	cut := 0
	for _, c := range connections.Conns {
		if strings.Contains(c.Name, "work") {
			cut++
			if err := srv.DisconnectClientByID(c.Cid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if cut != 2 {
		t.Errorf("%d connections pull, want 2", cut)
	}
	store(t, b, "push.message.demo", []byte("{}"), 20)
	store(t, b, "push.urgent.demo", []byte("{}"), 20)
	r.settle() // the first two by acks that no connection of theirs could carry
	eventually(t, "what was published then came", 10*time.Second, func() bool { return r.count("") >= 42 })
	js := streams(t, b)
	for _, name := range []string{"chat-demo", "urgent"} {
		eventually(t, "all of "+name+" is acked", 5*time.Second, func() bool {
			c, err := js.Consumer(t.Context(), b.Topology().Messages(), name)
			return err == nil && c.CachedInfo().NumAckPending == 0 && c.CachedInfo().NumPending == 0
		})
	}
	if n := r.count(""); n != 42 {
		t.Errorf("%d deliveries, want 42: something came twice", n)
	}
	eventually(t, "it is connected", 5*time.Second, b.Connected)
	if b.Reconnected().IsZero() {
		t.Error("nobody knows that connections were lost")
	}
}

// A consumer stops within a second, and what the server sent until then is handed out: nothing is
// left to its claim.
func TestStop(t *testing.T) {
	b := bustest.Start(t)
	store(t, b, "push.urgent.demo", []byte("{}"), 500)
	con, err := b.UrgentConsumer(t.Context(), 400)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan dispatch.Delivery, 400), make(chan struct{})
	go func() { defer close(ended); con.Run(ctx, out) }()
	taken := []dispatch.Delivery{<-out}
	cancel()
	began := time.Now()
	for open := true; open; {
		select {
		case d := <-out:
			taken = append(taken, d)
		case <-ended:
			open = false
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	close(out)
	for d := range out {
		taken = append(taken, d)
	}
	for _, d := range taken {
		if err := d.Nak(0); err != nil {
			t.Error(err)
		}
	}
	js := streams(t, b)
	eventually(t, "nothing is out", 5*time.Second, func() bool {
		c, err := js.Consumer(t.Context(), b.Topology().Messages(), "urgent")
		if err != nil {
			t.Fatal(err)
		}
		// what was given back counts as out until it is delivered again, so a pull has to take it
		batch, err := c.FetchNoWait(500)
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := m.Ack(); err != nil {
				t.Error(err)
			}
		}
		s, err := js.Stream(t.Context(), b.Topology().Messages())
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
	if n := b.InHand(); n != 0 {
		t.Errorf("%d bytes are in hand", n)
	}
}

// handOut runs a consumer until the test ends.
func handOut(t *testing.T, con *bus.Consumer) <-chan dispatch.Delivery {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan dispatch.Delivery, 10)
	var running sync.WaitGroup
	running.Go(func() { con.Run(ctx, out) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return out
}

// A consumer says how many messages wait behind those at hand.
func TestWaiting(t *testing.T) {
	b := bustest.Start(t)
	store(t, b, "push.signal.demo", []byte("{}"), 10)
	con, err := b.SignalConsumer(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	out := handOut(t, con)
	var all []dispatch.Delivery
	for range 4 {
		all = append(all, <-out)
	}
	if n, _ := con.Waiting(); n != 6 {
		t.Errorf("%d wait, want 6", n)
	}
	for _, d := range all {
		d.Keep()
	}
	for range 6 {
		d := <-out
		d.Keep()
		all = append(all, d)
	}
	if n, _ := con.Waiting(); n != 0 {
		t.Errorf("%d wait, want none", n)
	}
	for _, d := range all {
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}
}

// A durable consumer of an older release, or one that somebody changed, gets our settings.
func TestSettingsOfADurable(t *testing.T) {
	b := bustest.Start(t)
	js := streams(t, b)
	stream := b.Topology().Messages()
	if _, err := js.CreateConsumer(t.Context(), stream, jetstream.ConsumerConfig{Durable: "urgent", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second,
		MaxDeliver: 3, MaxAckPending: 10, MaxRequestBatch: 1, MaxWaiting: 7, FilterSubjects: []string{"push.urgent.*", "push.signal.*"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.UrgentConsumer(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SignalConsumer(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	con, err := js.Consumer(t.Context(), stream, "urgent")
	if err != nil {
		t.Fatal(err)
	}
	got := con.CachedInfo().Config
	if got.AckWait != 15*time.Second || got.MaxDeliver != -1 || got.MaxAckPending != 50_000 || got.MaxRequestBatch != 0 || got.FilterSubject != "push.urgent.*" && len(got.FilterSubjects) != 1 {
		t.Errorf("it has %+v", got)
	}
	if got.Description != "Hongyan: calls that wait to be planned" {
		t.Errorf("it is described as %q", got.Description)
	}
}

// A consumer that cannot be made because of another one is a misfit, at once.
func TestOverlappingConsumer(t *testing.T) {
	b := bustest.Start(t)
	js := streams(t, b)
	if _, err := js.CreateConsumer(t.Context(), b.Topology().Messages(), jetstream.ConsumerConfig{Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "push.urgent.demo"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.UrgentConsumer(t.Context(), 10); !errors.Is(err, bus.ErrMisfit) {
		t.Errorf("got %v", err)
	}
}

// With replicas and leaders that come and go, pulls go on and nothing is lost: what was on its way
// comes again when its claim ends.
func TestLeadersComeAndGo(t *testing.T) {
	t.Parallel()
	cluster := bustest.StartCluster(t)
	b := bustest.Connect(t, cluster.URL, bus.Topology{Replicas: 3})
	r := &receiver{t: t}
	urgent, err := b.UrgentConsumer(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	running(t, func(ctx context.Context) error { r.serve(ctx, hongyan.Subject{}, urgent); return nil })
	const n = 300
	js := streams(t, b)
	nc := js.Conn()
	for i := range n {
		eventually(t, "a message is stored", 30*time.Second, func() bool {
			return b.Publish(t.Context(), []dispatch.Outgoing{{Subject: "push.urgent.demo", ID: string(rune('a'+i%26)) + time.Duration(i).String(), Data: make([]byte, 2000)}}) == nil
		})
		if i%100 == 50 {
			for _, leader := range []string{"CONSUMER.LEADER.STEPDOWN." + b.Topology().Messages() + ".urgent", "STREAM.LEADER.STEPDOWN." + b.Topology().Messages()} {
				eventually(t, "a leader steps down", 30*time.Second, func() bool { // between two leaders nobody answers
					_, err := nc.Request(jetstream.DefaultAPIPrefix+leader, nil, time.Second)
					return err == nil
				})
			}
		}
	}
	eventually(t, "all came", 40*time.Second, func() bool {
		seen := map[uint64]bool{}
		r.read(func() {
			for _, d := range r.got {
				seq, _, _ := d.Meta()
				seen[seq] = true
			}
		})
		return len(seen) == n
	})
	eventually(t, "it pulls", 20*time.Second, func() bool { return b.Pulling() == nil })
}

// With replicas the word that a pull ended overtakes its last messages. That is no failure, and no
// message is left to the end of its claim.
func TestEndsOfPullsOvertake(t *testing.T) {
	t.Parallel()
	cluster := bustest.StartCluster(t)
	topology := bus.Topology{Replicas: 3}
	bustest.Connect(t, cluster.URL, topology, "apns")
	var log bytes.Buffer
	b, err := bus.Connect(t.Context(), bus.Options{URL: cluster.URL, Topology: topology, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Close()
		for _, trouble := range []string{"Batch Completed", "messages dropped"} {
			if strings.Contains(log.String(), trouble) {
				t.Errorf("it says %q in\n%s", trouble, log.String())
			}
		}
	})

	const n = 6000
	msgs := make([]dispatch.Outgoing, n)
	for i := range msgs {
		msgs[i] = dispatch.Outgoing{Subject: "push.urgent.demo", Data: make([]byte, 500)}
	}
	publish(t, b, msgs)
	publish(t, b, dueJobs("apns.a.normal", n, 500))
	urgent, err := b.UrgentConsumer(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t}
	began := time.Now()
	running(t, func(ctx context.Context) error { r.serve(ctx, hongyan.Subject{}, urgent); return nil })
	wake(t, b)
	eventually(t, "all were taken", 60*time.Second, func() (all bool) {
		r.read(func() { all = len(r.got) >= n })
		return all
	})
	r.read(func() {
		for _, d := range r.got {
			if seq, _, deliveries := d.Meta(); deliveries > 1 {
				t.Fatalf("message %d came %d times within %v", seq, deliveries, time.Since(began))
			}
		}
	})
	js := jetStream(t, cluster.URL)
	eventually(t, "all that was due was moved, before a claim ends", 45*time.Second, func() bool { return waiting(t, js, b.Topology().Later(), ">") == 0 })
	if got := waiting(t, js, b.Topology().Jobs("apns"), ">"); got != n {
		t.Errorf("%d jobs of %d", got, n)
	}
}

// BenchmarkConsume takes and acks messages that wait.
func BenchmarkConsume(b *testing.B) {
	bus := bustest.Start(b)
	msgs := make([]dispatch.Outgoing, 0, 1000)
	for left := b.N; left > 0; left -= len(msgs) {
		msgs = msgs[:0]
		for range min(left, 1000) {
			msgs = append(msgs, dispatch.Outgoing{Subject: "push.urgent.demo", Data: make([]byte, 500)})
		}
		if errs := bus.Publish(b.Context(), msgs); errs != nil {
			b.Fatal(errors.Join(errs...))
		}
	}
	con, err := bus.UrgentConsumer(b.Context(), 2048)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	out, ended := make(chan dispatch.Delivery, con.Hold()), make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	go func() { defer close(ended); con.Run(ctx, out) }()
	for range b.N {
		if err := (<-out).Ack(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	cancel()
	<-ended
}
