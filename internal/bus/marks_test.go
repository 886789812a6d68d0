package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// markEar writes down what is told of marks.
type markEar struct {
	live  chan uint64
	heard chan marks.Value
	lost  chan error
}

func (e markEar) Live(sequence uint64, stored time.Time) {
	if stored.IsZero() {
		sequence = 0
	}
	e.live <- sequence
}
func (e markEar) Heard(v marks.Value) { e.heard <- v }
func (e markEar) Lost(err error)      { e.lost <- err }

func recallMark(n int) dispatch.Outgoing {
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.RecallMark("demo", fmt.Sprint(n)), Data: fmt.Append(nil, n), Life: time.Hour}
}

// Marks are last values with a lifetime; each is told as it is stored, body and all, and the last
// ones are read many at a time.
func TestMarksOfMessages(t *testing.T) {
	b := bustest.Start(t)
	if errs := b.Publish(t.Context(), []dispatch.Outgoing{recallMark(1)}); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	e := markEar{make(chan uint64, 10), make(chan marks.Value, 1000), make(chan error, 10)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.FollowMarks(ctx, e) })
	defer wg.Wait()
	defer cancel()
	if began := next(t, "it does not begin", e.live); began != 2 {
		t.Fatalf("it begins at %d", began)
	}
	short := recallMark(3)
	short.Life = time.Second
	call := dispatch.Outgoing{Subject: hongyan.Subjects{}.CallMark("demo", "c", "e1"), Data: []byte("call"), Life: time.Hour}
	if errs := b.Publish(t.Context(), []dispatch.Outgoing{recallMark(2), short, call, recallMark(1)}); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	for k, want := range []string{"2", "3", "call", "1"} {
		v := next(t, "a mark is not told", e.heard)
		if string(v.Data) != want || v.Sequence != uint64(3+k) || v.Stored.IsZero() || v.Subject == "" {
			t.Errorf("told %+v, want %s", v, want)
		}
	}
	s := hongyan.Subjects{}
	read := func() map[string]bool {
		values, upTo, err := b.LastMarks(t.Context(), []string{s.RecallMark("demo", "1"), s.RecallMark("demo", "3"), s.RecallMark("demo", "4"), s.CallMarksOf("demo", "c")})
		if err != nil || upTo < 6 {
			t.Fatalf("read up to %d: %v", upTo, err)
		}
		found := map[string]bool{}
		for _, v := range values {
			found[string(v.Data)] = true
		}
		return found
	}
	if found := read(); len(found) < 2 || !found["1"] || !found["call"] || found["2"] {
		t.Errorf("read %v", found)
	}
	for deadline := time.Now().Add(20 * time.Second); read()["3"]; {
		if time.Now().After(deadline) {
			t.Fatal("a mark outlives its life")
		}
		time.Sleep(50 * time.Millisecond) // polling the real server
	}
	if last, err := b.LastMark(t.Context()); err != nil || last != 6 {
		t.Errorf("the last sequence is %d, %v", last, err)
	}
	var since []string
	err := b.MarksSince(t.Context(), time.Now().Add(-time.Minute), func(v marks.Value) bool { since = append(since, string(v.Data)); return true })
	if err != nil || fmt.Sprint(since) != "[2 call 1]" {
		t.Errorf("since a minute there are %v, %v", since, err)
	}
}

// Marks that go missing are made room for again, and told.
func TestMarksAreMadeAnew(t *testing.T) {
	b := bustest.Start(t)
	e := markEar{make(chan uint64, 10), make(chan marks.Value, 1000), make(chan error, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.FollowMarks(ctx, e) })
	defer wg.Wait()
	defer cancel()
	next(t, "it does not begin", e.live)
	if err := b.DeleteStream(t.Context(), b.Topology().Marks()); err != nil {
		t.Fatal(err)
	}
	next(t, "the loss is not told", e.lost)
	next(t, "it does not begin again", e.live)
}

// An app with too many marks loses its own oldest, and no other app does.
func TestMarksOfAnAppAreBounded(t *testing.T) {
	srv := bustest.StartServer(t, &server.Options{})
	b := bustest.Connect(t, srv.ClientURL(), bus.Topology{MaxMarks: 1000})
	s := hongyan.Subjects{}
	var msgs []dispatch.Outgoing
	for n := range 100 {
		msgs = append(msgs, dispatch.Outgoing{Subject: s.RecallMark("quiet", fmt.Sprint(n)), Data: []byte("q"), Life: time.Hour})
	}
	for n := range 3000 {
		msgs = append(msgs, dispatch.Outgoing{Subject: s.RecallMark("noisy", fmt.Sprint(n)), Data: []byte("n"), Life: time.Hour})
	}
	for len(msgs) > 0 {
		n := min(100, len(msgs))
		if errs := b.Publish(t.Context(), msgs[:n]); errs != nil {
			t.Fatal(errors.Join(errs...))
		}
		msgs = msgs[n:]
	}
	count := map[string]int{}
	if err := b.MarksSince(t.Context(), time.Now().Add(-time.Hour), func(v marks.Value) bool { count[string(v.Data)]++; return true }); err != nil {
		t.Fatal(err)
	}
	if count["q"] != 100 || count["n"] > 1200 || count["n"] < 800 {
		t.Errorf("%v marks are left", count)
	}
	values, _, err := b.LastMarks(t.Context(), []string{s.RecallMark("noisy", "2999"), s.RecallMark("noisy", "0")})
	if err != nil || len(values) != 1 {
		t.Errorf("%d of the newest and the oldest are left, %v", len(values), err)
	}
}

// Signals that wait are counted.
func TestSignalBacklog(t *testing.T) {
	b := bustest.Start(t)
	for want := range uint64(3) {
		if n, err := b.SignalBacklog(t.Context()); err != nil || n != want {
			t.Errorf("%d wait, %v; want %d", n, err, want)
		}
		errs := b.Publish(t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Signal("demo"), Data: []byte("{}")}, {Subject: hongyan.Subjects{}.Message("demo"), Data: []byte("{}")}})
		if errs != nil {
			t.Fatal(errors.Join(errs...))
		}
	}
}
