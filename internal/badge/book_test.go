package badge_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
)

// counting is a message to a user.
func counting(user string, n int, at time.Time) badge.Change {
	return badge.Change{Ref: badge.Ref{App: "demo", User: user}, Message: &badge.Message{ID: fmt.Sprint("m", n), Conversation: "c", Sent: at, Stored: at}}
}

func number(t *testing.T, b *badge.Book, user string) int {
	t.Helper()
	n, err := b.Numbers(t.Context(), []badge.Ref{{App: "demo", User: user}})
	if err != nil {
		t.Fatal(err)
	}
	return n[0]
}

// Several workers count at the same time, for the same users, and again what they counted: each
// message counts once.
func TestManyWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &dispatchtest.Badges{
			Delay:       func() time.Duration { return rand.N(time.Millisecond) },
			LoseAnswers: func() bool { return rand.IntN(20) == 0 },
		}
		const workers, users, messages = 4, 5, 60
		books := make([]*badge.Book, workers)
		for i := range books {
			books[i] = badge.New(store, badge.Options{})
		}
		var wg sync.WaitGroup
		now := time.Now()
		for _, b := range books {
			for range 2 { // rounds at once
				wg.Go(func() {
					for _, n := range rand.Perm(messages) {
						var changes []badge.Change
						for u := range users {
							changes = append(changes, counting(fmt.Sprint("u", u), n, now.Add(time.Duration(n)*time.Second)))
						}
						for b.Change(context.Background(), changes) != nil {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
		}
		wg.Wait()
		for u := range users {
			for i, b := range books {
				if got := number(t, b, fmt.Sprint("u", u)); got != messages {
					t.Errorf("worker %d has %d messages for user %d, want %d", i, got, u, messages)
				}
			}
		}
		for _, b := range books {
			b.Wait()
		}
	})
}

// What a worker remembers saves the read, and not the truth.
func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(dispatchtest.Badges)
		a, b := badge.New(store, badge.Options{}), badge.New(store, badge.Options{})
		now := time.Now()
		change := func(b *badge.Book, c badge.Change) {
			t.Helper()
			if err := b.Change(t.Context(), []badge.Change{c}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 10 {
			change(a, counting("u", n, now.Add(time.Second)))
		}
		if reads, writes := store.Calls(); reads != 1 || writes != 10 {
			t.Errorf("%d reads and %d writes for ten messages, want 1 and 10", reads, writes)
		}
		change(a, counting("u", 3, now.Add(time.Second)))
		if reads, writes := store.Calls(); reads != 1 || writes != 10 {
			t.Errorf("a message that was counted cost %d reads and %d writes", reads-1, writes-10)
		}
		change(b, counting("u", 10, now.Add(time.Second)))
		if got := number(t, a, "u"); got != 11 {
			t.Errorf("the number is %d after another worker counted, want 11", got)
		}
		// The most is reached, another worker hears of a report, and more comes here.
		ref := badge.Ref{App: "demo", User: "u"}
		change(a, badge.Change{Ref: ref, Report: &badge.Report{Unread: badge.Most, At: now.Add(2 * time.Second)}})
		change(a, counting("u", 11, now.Add(3*time.Second)))
		change(b, badge.Change{Ref: ref, Report: &badge.Report{Unread: 0, At: now.Add(4 * time.Second)}})
		change(a, counting("u", 12, now.Add(5*time.Second)))
		if got := number(t, a, "u"); got != 1 {
			t.Errorf("the number is %d after a report of nothing and a message, want 1", got)
		}
		// One that another worker counted is recalled here.
		change(b, counting("u", 13, now.Add(6*time.Second)))
		change(a, badge.Change{Ref: ref, Forget: "m13"})
		if got := number(t, a, "u"); got != 1 {
			t.Errorf("the number is %d after a recall, want 1", got)
		}
		// A user who was erased begins anew, at once.
		store.Erase(ref)
		began := time.Now()
		if got := number(t, a, "u"); got != 0 || time.Since(began) > 0 {
			t.Errorf("the number of a user who was erased is %d, after %v", got, time.Since(began))
		}
		change(a, counting("u", 14, now.Add(7*time.Second)))
		if got := number(t, a, "u"); got != 1 {
			t.Errorf("the number is %d after that, want 1", got)
		}
		a.Wait()
		b.Wait()
	})
}

// A replica that is behind is asked again, but not for ever: the store may have been made anew.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(dispatchtest.Badges)
		b := badge.New(&behind{Badges: store}, badge.Options{})
		now := time.Now()
		if err := b.Change(t.Context(), []badge.Change{counting("u", 1, now)}); err != nil {
			t.Fatal(err)
		}
		if got := number(t, b, "u"); got != 1 {
			t.Errorf("the number is %d", got)
		}
		store.Erase(badge.Ref{App: "demo", User: "u"})
		if got := number(t, b, "u"); got != 0 {
			t.Errorf("the number of a user who was erased is %d", got)
		}
		began := time.Now()
		if number(t, b, "u"); time.Since(began) > 10*time.Millisecond {
			t.Errorf("and it takes %v to know it once more", time.Since(began))
		}
		b.Wait()
	})
}

// A record that a newer worker wrote is left to the newer workers; what concerns other users goes
// on.
func TestNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(dispatchtest.Badges)
		b, now := badge.New(store, badge.Options{}), time.Now()
		change := func(users ...string) error {
			var changes []badge.Change
			for _, u := range users {
				changes = append(changes, counting(u, 1, now))
			}
			return b.Change(t.Context(), changes)
		}
		if err := change("u", "v"); err != nil {
			t.Fatal(err)
		}
		// The newer worker takes u over.
		stored, _, err := store.ReadBadges(t.Context(), []badge.Ref{{App: "demo", User: "u"}})
		if err != nil {
			t.Fatal(err)
		}
		stored[0].Data = []byte{99, 1, 2, 3}
		if w := store.WriteBadges(t.Context(), stored); w[0].Changed || w[0].Err != nil {
			t.Fatal(w)
		}
		numbers, err := b.Numbers(t.Context(), []badge.Ref{{App: "demo", User: "u"}, {App: "demo", User: "v"}})
		if err != nil || !slices.Equal(numbers, []int{-1, 1}) {
			t.Errorf("the numbers are %v, %v", numbers, err)
		}
		if n, ok := b.Held(badge.Ref{App: "demo", User: "u"}); ok {
			t.Errorf("the worker still holds %d of u", n)
		}
		err = change("u", "w")
		if e := badge.Newer(err); e == nil || !errors.Is(err, badge.ErrNewer) || len(e.Users) != 1 || e.Users[0].User != "u" {
			t.Errorf("counted for u: %v", err)
		}
		if got := number(t, b, "w"); got != 1 {
			t.Errorf("the number of w is %d", got)
		}
		said := map[string]error{}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, u := range []string{"u", "v"} {
			wg.Add(1)
			none := 0
			b.Read("demo", u, "c", now.Add(time.Second), &none, func(err error) {
				defer wg.Done()
				mu.Lock()
				defer mu.Unlock()
				said[u] = err
			})
		}
		wg.Wait()
		if !errors.Is(said["u"], badge.ErrNewer) || said["v"] != nil {
			t.Errorf("read marks: %v", said)
		}
		stored, _, err = store.ReadBadges(t.Context(), []badge.Ref{{App: "demo", User: "u"}})
		if err != nil || len(stored[0].Data) != 4 {
			t.Errorf("the newer record is %v, %v", stored, err)
		}
		b.Wait()
	})
}

// behind answers the first reads after a write as if that had not been.
type behind struct {
	*dispatchtest.Badges
	left int
}

func (s *behind) WriteBadges(ctx context.Context, records []badge.Stored) []badge.Written {
	s.left = 3
	return s.Badges.WriteBadges(ctx, records)
}

func (s *behind) ReadBadges(ctx context.Context, refs []badge.Ref) ([]badge.Stored, uint64, error) {
	if s.left > 0 {
		s.left--
		return nil, 0, nil
	}
	return s.Badges.ReadBadges(ctx, refs)
}

// Read marks wait for nobody, and are stored together.
func TestReadMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &dispatchtest.Badges{Delay: func() time.Duration { return time.Millisecond }}
		b := badge.New(store, badge.Options{})
		const users = 1000
		now := time.Now()
		var changes []badge.Change
		for u := range users {
			changes = append(changes, counting(fmt.Sprint("u", u), 1, now), counting(fmt.Sprint("u", u), 2, now))
		}
		if err := b.Change(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		_, before := store.Calls()
		began := time.Now()
		var wg sync.WaitGroup
		three := 3
		for u := range users {
			wg.Add(2)
			done := func(err error) {
				defer wg.Done()
				if err != nil {
					t.Error(err)
				}
			}
			b.Read("demo", fmt.Sprint("u", u), "c", now.Add(time.Second), map[bool]*int{true: &three}[u == 7], done)
			b.Read("demo", fmt.Sprint("stranger", u), "c", now.Add(time.Second), nil, done)
		}
		wg.Wait()
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if _, after := store.Calls(); after-before != users {
			t.Errorf("%d records were written for %d users of whom something was counted", after-before, users)
		}
		if got := number(t, b, "u6"); got != 0 {
			t.Errorf("the number is %d after the conversation was read", got)
		}
		if got := number(t, b, "u7"); got != 3 {
			t.Errorf("the number is %d after a mark that says 3", got)
		}
		store.Leave(true)
		wg.Add(1)
		b.Read("demo", "u1", "c", now.Add(time.Minute), nil, func(err error) {
			defer wg.Done()
			if err == nil {
				t.Error("a mark was stored while the store was away")
			}
		})
		wg.Wait()
		b.Wait()
	})
}
