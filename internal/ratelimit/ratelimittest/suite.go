package ratelimittest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// lag is what List and Load may lag behind, and then some for a busy machine.
const lag = 5 * time.Second

// RunStore tests a store. open returns two views of one empty store, as two workers have it; they
// may be the same value.
func RunStore(t *testing.T, open func(t *testing.T) (a, b ratelimit.Store)) {
	tests := []struct {
		name string
		test func(t *testing.T, a, b ratelimit.Store)
	}{
		{"AddReturnsTheValueAfter", addReturnsTheValueAfter},
		{"AddIsExactAmongMany", addIsExactAmongMany},
		{"AddAfterCancel", addAfterCancel},
		{"AddIsDoneOnce", addIsDoneOnce},
		{"LoadFollows", loadFollows},
		{"PutReplaces", putReplaces},
		{"PutKeepsBytes", putKeepsBytes},
		{"NotesEnd", notesEnd},
		{"PutRenews", putRenews},
		{"RemoveRemoves", removeRemoves},
		{"NotesAndCountersAreApart", notesAndCountersAreApart},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			tt.test(t, a, b)
		})
	}
}

func addReturnsTheValueAfter(t *testing.T, a, b ratelimit.Store) {
	steps := []struct {
		store ratelimit.Store
		key   string
		delta int64
		want  int64
	}{
		{a, "quota.c1.private.normal.20261123", 5, 5},
		{b, "quota.c1.private.normal.20261123", 7, 12},
		{a, "quota.c1.private.normal.20261123", -3, 9},
		{b, "quota.c1.private.normal.20261124", 1, 1}, // another day is another counter
		{b, "quota.c1.private.urgent.20261123", 2, 2},
		{a, "quota.c1.private.normal.20261123", -20, -11}, // the store knows no floor
		{b, "quota.c1.private.normal.20261123", 1 << 40, 1<<40 - 11},
	}
	for i, s := range steps {
		if got := add(t, s.store, s.key, s.delta); got != s.want {
			t.Fatalf("step %d: Add(%s, %d) = %d, want %d", i, s.key, s.delta, got, s.want)
		}
	}
}

func addIsExactAmongMany(t *testing.T, a, b ratelimit.Store) {
	const workers, adds, key = 32, 50, "quota.c1.all.normal.20261123"
	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		store := a
		if w%2 == 1 {
			store = b
		}
		wg.Go(func() {
			for range adds {
				value, err := store.Add(t.Context(), key, 3, "")
				if err != nil {
					t.Errorf("Add: %v", err)
					return
				}
				mu.Lock()
				if seen[value] {
					t.Errorf("value %d was returned twice", value)
				}
				seen[value] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got, want := add(t, a, key, -1), int64(workers*adds*3-1); got != want {
		t.Errorf("in the end the counter is %d, want %d", got, want)
	}
}

// A call that was cancelled before it began must fail; whether it was carried out, the error says.
func addAfterCancel(t *testing.T, a, b ratelimit.Store) {
	const key = "quota.c1.all.normal.20261123"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Add(ctx, key, 10, ""); err == nil {
		t.Fatal("Add with a cancelled context succeeded")
	}
	if got := add(t, b, key, 1); got != 1 && got != 11 {
		t.Errorf("the counter is %d after one addition of unknown outcome, want 1 or 11", got)
	}
}

// An id is carried out once, by whoever asks; adding nothing tells the value.
func addIsDoneOnce(t *testing.T, a, b ratelimit.Store) {
	const key, other = "quota.c1.all.normal.20261123", "quota.c2.all.normal.20261123"
	if got, err := a.Add(t.Context(), key, 5, "one"); got != 5 || err != nil {
		t.Fatalf("Add = %d, %v, want 5", got, err)
	}
	for _, again := range []struct {
		store ratelimit.Store
		key   string
	}{{a, key}, {b, key}, {b, other}} {
		if _, err := again.store.Add(t.Context(), again.key, 5, "one"); !errors.Is(err, ratelimit.ErrRepeated) || errors.Is(err, ratelimit.ErrNotDone) {
			t.Errorf("the same id again, on %s: error %v, want ErrRepeated", again.key, err)
		}
	}
	if got, err := b.Add(t.Context(), key, -2, "two"); got != 3 || err != nil {
		t.Errorf("another id: %d, %v, want 3", got, err)
	}
	for _, s := range []ratelimit.Store{a, b} {
		if got := add(t, s, key, 0); got != 3 {
			t.Errorf("nothing added: %d, want 3", got)
		}
		if got := add(t, s, other, 0); got != 0 {
			t.Errorf("nothing added to a counter that nobody added to: %d, want 0", got)
		}
	}
}

func loadFollows(t *testing.T, a, b ratelimit.Store) {
	const one, two, none = "quota.c1.all.normal.20261123", "quota.c2.all.normal.20261123", "quota.c3.all.normal.20261123"
	add(t, a, one, 5)
	add(t, b, two, -2)
	eventually(t, func() string {
		got, err := b.Load(t.Context(), two, none, one)
		if want := []int64{-2, 0, 5}; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("Load = %v, %v, want %v", got, err, want)
		}
		return ""
	})
}

func putReplaces(t *testing.T, a, b ratelimit.Store) {
	put(t, a, "member.w1", "one", time.Minute)
	put(t, b, "member.w2", "two", time.Minute)
	put(t, b, "member.w1", "three", time.Minute)
	wantNotes(t, a, map[string]string{"member.w1": "three", "member.w2": "two"})
	wantNotes(t, b, map[string]string{"member.w1": "three", "member.w2": "two"})
}

func putKeepsBytes(t *testing.T, a, b ratelimit.Store) {
	long := "state.spent." + strings.Repeat("c", 64) + "." + strings.Repeat("k", 64)
	value := string(bytes.Repeat([]byte{0, '\n', 0xff, '"'}, 16<<10))
	put(t, a, long, value, time.Minute)
	put(t, a, "state.slow.A_b-9", "", time.Minute)
	wantNotes(t, b, map[string]string{long: value, "state.slow.A_b-9": ""})
}

func notesEnd(t *testing.T, a, b ratelimit.Store) {
	put(t, a, "member.short", "x", time.Second)
	put(t, a, "member.long", "y", time.Minute)
	wantNotes(t, b, map[string]string{"member.short": "x", "member.long": "y"})
	wantNotes(t, b, map[string]string{"member.long": "y"})
}

func putRenews(t *testing.T, a, b ratelimit.Store) {
	const ttl = 2 * time.Second
	for end := time.Now().Add(2 * ttl); time.Now().Before(end); time.Sleep(ttl / 8) {
		put(t, a, "member.w1", "x", ttl)
		entries := list(t, b)
		if time.Until(end) < ttl && entries["member.w1"] != "x" { // well after the first lifetime
			t.Fatalf("an entry that is renewed is gone: %v", entries)
		}
	}
	wantNotes(t, b, map[string]string{})
}

func removeRemoves(t *testing.T, a, b ratelimit.Store) {
	put(t, a, "state.override.c1.all", "x", time.Minute)
	wantNotes(t, b, map[string]string{"state.override.c1.all": "x"})
	for range 2 { // none there is no error
		if err := b.Remove(t.Context(), "state.override.c1.all"); err != nil {
			t.Fatalf("Remove: %v", err)
		}
	}
	wantNotes(t, a, map[string]string{})
	put(t, a, "state.override.c1.all", "y", time.Minute)
	wantNotes(t, b, map[string]string{"state.override.c1.all": "y"})
}

func notesAndCountersAreApart(t *testing.T, a, b ratelimit.Store) {
	add(t, a, "quota.c1.all.normal.20261123", 5)
	put(t, a, "state.spent.c1.all", "x", time.Minute)
	wantNotes(t, b, map[string]string{"state.spent.c1.all": "x"})
}

func add(t *testing.T, s ratelimit.Store, key string, delta int64) int64 {
	t.Helper()
	value, err := s.Add(t.Context(), key, delta, "")
	if err != nil {
		t.Fatalf("Add(%s, %d): %v", key, delta, err)
	}
	return value
}

func put(t *testing.T, s ratelimit.Store, key, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
}

func list(t *testing.T, s ratelimit.Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, kind := range []string{ratelimit.Members, ratelimit.Held, ratelimit.State} {
		entries, err := s.List(t.Context(), kind)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		for k, value := range entries {
			got[k] = string(value)
		}
	}
	return got
}

func wantNotes(t *testing.T, s ratelimit.Store, want map[string]string) {
	t.Helper()
	eventually(t, func() string {
		if got := list(t, s); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			return fmt.Sprintf("List = %.300q, want %.300q", got, want)
		}
		return ""
	})
}

func eventually(t *testing.T, problem func() string) {
	t.Helper()
	for deadline := time.Now().Add(lag); ; time.Sleep(20 * time.Millisecond) {
		p := problem()
		if p == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(p)
		}
	}
}
