package accepted_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/accepted"
	"github.com/hongyan-im/hongyan/internal/notestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run is a worker's memory; stop ends it.
func run(t *testing.T, room accepted.Store) (m *accepted.Memory, stop func()) {
	m = accepted.New(room, nil)
	if err := m.Load(t.Context()); err != nil {
		t.Log(err) // a store that is away
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { m.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return m, stop
}

func lately(t *testing.T, m *accepted.Memory, certificate string, want bool) {
	t.Helper()
	if got := m.Lately(certificate, time.Now()); got != want {
		t.Errorf("accepted lately: %v, want %v", got, want)
	}
}

func TestOwnWord(t *testing.T) {
	t.Parallel()
	m := accepted.New(&notestest.Room{}, nil)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ask := func(after time.Duration, want bool) {
		t.Helper()
		if got := m.Lately("a", noon.Add(after)); got != want {
			t.Errorf("%v after: %v, want %v", after, got, want)
		}
	}
	ask(0, false)
	m.Saw("a", noon)
	ask(0, true)
	ask(10*time.Minute, true)
	ask(10*time.Minute+time.Second, false)
	m.Saw("a", noon.Add(5*time.Minute))
	ask(15*time.Minute, true)
	if m.Lately("b", noon) {
		t.Error("another certificate's pushes count")
	}
}

// All workers know, one that starts later knows from its first moment, and the word ends.
func TestAllWorkersKnow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		a, stop := run(t, room)
		b, _ := run(t, room)
		a.Saw("x", time.Now())
		lately(t, b, "x", false)
		time.Sleep(41 * time.Second)
		lately(t, b, "x", true)
		lately(t, b, "y", false)
		stop()
		c, _ := run(t, room)
		lately(t, c, "x", true)
		time.Sleep(9 * time.Minute)
		lately(t, b, "x", true)
		time.Sleep(3 * time.Minute)
		lately(t, b, "x", false)
		lately(t, c, "x", false)
	})
}

// A worker that stops says what it saw, however lately.
func TestLastWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		a, stop := run(t, room)
		time.Sleep(time.Second)
		a.Saw("x", time.Now())
		stop()
		b, _ := run(t, room)
		lately(t, b, "x", true)
	})
}

// Two workers that are busy for an hour write one note a minute for a certificate, together.
func TestNotesAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		var memories []*accepted.Memory
		for range 2 {
			m, _ := run(t, room)
			memories = append(memories, m)
			time.Sleep(7 * time.Second)
		}
		for range 3600 {
			for _, m := range memories {
				m.Saw("x", time.Now())
				lately(t, m, "x", true)
			}
			time.Sleep(time.Second)
		}
		if got := room.Puts(); got < 40 || got > 62 {
			t.Errorf("%d notes in an hour", got)
		}
	})
}

// Without a store each worker goes by its own pushes, and is heard when it is back.
func TestWithoutStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		room.Fail(errors.New("unreachable"))
		a, _ := run(t, room)
		b, _ := run(t, room)
		a.Saw("x", time.Now())
		time.Sleep(3 * time.Minute)
		lately(t, a, "x", true)
		lately(t, b, "x", false)
		room.Fail(nil)
		time.Sleep(41 * time.Second)
		lately(t, b, "x", true)
	})
}

func BenchmarkSaw(b *testing.B) {
	m := accepted.New(&notestest.Room{}, nil)
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Saw("35001", now)
		}
	})
}
