package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// A consumer of an older release gets the claims of this one.
func TestClaimsOfAnOlderRelease(t *testing.T) {
	b := bustest.Start(t, "apns")
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream := b.Topology().Jobs("apns")
	for lane, want := range map[string]time.Duration{hongyan.LaneNormal: time.Minute, hongyan.LaneUrgent: 15 * time.Second} {
		_, err = js.CreateConsumer(t.Context(), stream, jetstream.ConsumerConfig{Durable: "c-" + lane, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 7 * time.Second,
			MaxDeliver: -1, FilterSubjects: []string{hongyan.Subjects{}.Job("apns", "c", lane)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.JobConsumer(t.Context(), "apns", "c", lane, 10); err != nil {
			t.Fatal(err)
		}
		con, err := js.Consumer(t.Context(), stream, "c-"+lane)
		if err != nil {
			t.Fatal(err)
		}
		if got := con.CachedInfo().Config.AckWait; got != want {
			t.Errorf("claims of the %s lane last %v, want %v", lane, got, want)
		}
	}
}

// A delivery that is kept makes room for another one, and is held until it is settled, once.
func TestKeep(t *testing.T) {
	b := bustest.Start(t, "apns")
	subject := hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal)
	for range 3 {
		if errs := b.Publish(t.Context(), []dispatch.Outgoing{{Subject: subject, Data: []byte("{}")}}); errs != nil {
			t.Fatal(errs)
		}
	}
	con, err := b.JobConsumer(t.Context(), "apns", "c", hongyan.LaneNormal, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan dispatch.Delivery, 3), make(chan struct{})
	go func() { defer close(ended); con.Run(ctx, out) }()
	var all []dispatch.Delivery
	for range 3 {
		select {
		case d := <-out:
			all = append(all, d)
			d.Keep()
			d.Keep()
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d deliveries came", len(all))
		}
	}
	if n := con.Held(); n != 3 {
		t.Errorf("%d are held, want 3", n)
	}
	all[0].Forget()
	for _, d := range all[1:] {
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}
	if n := con.Held(); n != 0 {
		t.Errorf("%d are held, want none", n)
	}
	cancel()
	<-ended
	// The one that was forgotten was never settled.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // polling the real server
		left, err := b.Backlog(t.Context(), "apns")
		if err != nil {
			t.Fatal(err)
		}
		if left.Jobs == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d jobs are left, want 1", left.Jobs)
		}
	}
}
