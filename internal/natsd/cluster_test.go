package natsd_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/natsd"
)

// Three servers replicate a stream, and count what passes on a client's connections, also after it
// left.
func TestCluster(t *testing.T) {
	c, err := natsd.StartCluster(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	nc, err := nats.Connect(c.URL(), nats.Name("client one"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for { // a cluster without a leader does not answer
		attempt, stop := context.WithTimeout(ctx, 2*time.Second)
		_, err := js.CreateStream(attempt, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: 3})
		stop()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	before, err := c.Traffic("client")
	if err != nil {
		t.Fatal(err)
	}
	const n = 10
	for range n {
		if _, err := js.Publish(ctx, "s", nil); err != nil {
			t.Fatal(err)
		}
	}
	nc.Close()
	var after natsd.Traffic
	// While it leaves it may be counted in both lists, or in none.
	for (after.Closed == 0 || after.Connections > 0) && ctx.Err() == nil {
		if after, err = c.Traffic("client"); err != nil {
			t.Fatal(err)
		}
	}
	if before.Connections != 1 || after.Connections != 0 || after.Closed != 1 || after.SlowConsumers != 0 {
		t.Errorf("traffic before %+v, after %+v", before, after)
	}
	if got := after.Messages - before.Messages; got != 2*n { // a message and its ack
		t.Errorf("%d messages, want %d", got, 2*n)
	}
	if other, err := c.Traffic("other"); err != nil || other != (natsd.Traffic{}) {
		t.Errorf("other: %+v, %v", other, err)
	}
}
