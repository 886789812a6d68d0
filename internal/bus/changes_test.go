package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// ear writes down what a feed tells.
type ear struct {
	live    chan uint64
	changes chan string
	lost    chan error
}

func (e ear) Live(sequence uint64)               { e.live <- sequence }
func (e ear) Changed(subject string, seq uint64) { e.changes <- fmt.Sprint(seq, " ", subject) }
func (e ear) Lost(err error)                     { e.lost <- err }

func follow(t *testing.T, b *bus.Bus) ear {
	t.Helper()
	e := ear{make(chan uint64, 100), make(chan string, 10_000), make(chan error, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Follow(ctx, e) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return e
}

func next[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal(what)
		panic("unreachable")
	}
}

// Each change is told with its number, whoever made it, and what was stored before is not.
func TestFollow(t *testing.T) {
	b := bustest.Start(t)
	if err := b.Put(t.Context(), "push.user.demo.old.settings", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	e := follow(t, b)
	began := next(t, "it does not begin", e.live)
	var msgs []dispatch.Outgoing
	for i := range 1000 {
		msgs = append(msgs, dispatch.Outgoing{Subject: fmt.Sprintf("push.user.demo.u%d.settings", i), Data: []byte("{}")})
	}
	if errs := b.Publish(t.Context(), msgs); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	for i := range 1000 {
		want := fmt.Sprint(began+uint64(i)+1, " ", msgs[i].Subject)
		if got := next(t, "a change is not told", e.changes); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	// The batch read says how new it is, and does not show the probe.
	read, err := b.LastValues(t.Context(), []string{"push.user.demo.nobody.>"})
	if err != nil || len(read.Values) != 0 || read.UpTo != began+1000 {
		t.Errorf("read %+v, %v, want one up to %d", read, err, began+1000)
	}
	if last, err := b.LastSequence(t.Context()); err != nil || last != began+1000 {
		t.Errorf("the last sequence is %d, %v", last, err)
	}
}

// A connection that breaks may miss changes: it says so, and begins again.
func TestFollowAfterALostConnection(t *testing.T) {
	opts := &server.Options{}
	srv := bustest.StartServer(t, opts)
	b := bustest.Connect(t, srv.ClientURL(), bus.Topology{})
	e := follow(t, b)
	next(t, "it does not begin", e.live)
	port, dir := opts.Port, opts.StoreDir
	srv.Shutdown()
	srv.WaitForShutdown()
	next(t, "the loss is not told", e.lost)
	bustest.StartServer(t, &server.Options{Port: port, StoreDir: dir})
	next(t, "it does not begin again", e.live)
	if err := b.Put(t.Context(), "push.user.demo.bob.settings", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	next(t, "a change is not told", e.changes)
}

// Whoever does not take the changes as fast as they come is told that some were missed.
func TestFollowTooSlowly(t *testing.T) {
	b := bustest.Start(t)
	e := follow(t, b)
	next(t, "it does not begin", e.live)
	var msgs []dispatch.Outgoing
	for i := range 40_000 { // more than e and the feed hold together
		msgs = append(msgs, dispatch.Outgoing{Subject: fmt.Sprintf("push.user.demo.u%d.settings", i), Data: []byte("{}")})
	}
	publish(t, b, msgs)
	for {
		select {
		case <-e.changes:
			continue
		case <-e.lost:
		case <-time.After(20 * time.Second):
			t.Fatal("the loss is not told")
		}
		break
	}
	next(t, "it does not begin again", e.live)
}

// Where the NATS user may not listen, it says so and never begins.
func TestFollowWithoutTheRight(t *testing.T) {
	srv := bustest.StartServer(t, &server.Options{Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
		Subscribe: &server.SubjectPermission{Deny: []string{"push.change.>"}},
	}}}})
	b := bustest.Connect(t, "nats://u:p@"+srv.Addr().String(), bus.Topology{})
	e := follow(t, b)
	if err := next(t, "it says nothing", e.lost); err == nil {
		t.Error("it does not say why")
	}
	if len(e.live) != 0 {
		t.Error("it begins without hearing anything")
	}
}

// A stream that does not tell of its changes, as those of earlier versions, does so from then on.
func TestDirectoryLearnsToTellOfChanges(t *testing.T) {
	b := bustest.Start(t)
	if err := b.DropRepublish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Ensure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	e := follow(t, b)
	next(t, "it does not begin", e.live)
}
