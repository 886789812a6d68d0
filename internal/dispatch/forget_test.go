package dispatch_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What is counted on icons after a recall, in virtual time.

// newForgetting is newRecalls for an app that counts.
func newForgetting(t *testing.T) (*memory, *dispatchtest.Badges) {
	m := newRecalls(t)
	return m, m.counting(vendors.Limits{Batch: 1, Replaces: true})
}

// number is what is counted for a user.
func (m *memory) number(user string) int {
	m.t.Helper()
	book := badge.New(m.badges, badge.Options{})
	n, err := book.Numbers(m.t.Context(), []badge.Ref{{App: "demo", User: user}})
	book.Wait()
	if err != nil {
		m.t.Fatal(err)
	}
	return n[0]
}

// inFront is a directory in which the app is open on every user's phone.
type inFront struct{ onePhone }

func (p inFront) Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	users, err := p.onePhone.Lookup(ctx, refs)
	for _, u := range users {
		u.Devices[0].Presence = &hongyan.Presence{State: hongyan.StateForeground, At: time.Now()}
	}
	return users, err
}

// A message that is recalled counts no more, wherever it was by then, and what overwrites it
// carries the number without it.
func TestRecalledMessageCountsNoMore(t *testing.T) {
	for name, prepare := range map[string]func(m *memory, sick *doctor){
		"accepted": func(*memory, *doctor) {},
		"in_front": func(m *memory, _ *doctor) { m.devices = inFront{} },
		"parked":   func(m *memory, sick *doctor) { m.driver.answer = sick.answer },
		"waiting": func(m *memory, _ *doctor) {
			m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
				if n == 1 && !d.Notification.Quiet {
					return vendors.Result{Reason: vendors.RateLimited, RetryAfter: 20 * time.Minute}
				}
				return accept(ctx, d, n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := newForgetting(t)
				defer m.stopAll()
				sick := &doctor{}
				prepare(m, sick)
				m.worker()
				m.messageTo("m-1", "bob")
				m.messageTo("m-2", "bob")
				time.Sleep(5 * time.Second)
				if n := m.number("bob"); n != 2 {
					t.Fatalf("two messages make %d", n)
				}
				m.takeBack("m-1", time.Time{})
				time.Sleep(10 * time.Second)
				sick.heal()
				time.Sleep(time.Hour)
				if n := m.number("bob"); n != 1 {
					t.Errorf("a message that was not recalled makes %d", n)
				}
				for _, d := range m.quiet() {
					if d.Badge == nil || *d.Badge != 1 {
						t.Errorf("what overwrites it carries %v", d.Badge)
					}
				}
			})
		})
	}
}

// The policy that overwrites nothing changes nothing of the count: a recalled message counts no
// more, accepted before the recall or while it was on its way, and nothing is pushed for it.
func TestRecalledMessageCountsNoMoreWhereNothingIsOverwritten(t *testing.T) {
	for name, pushing := range map[string]time.Duration{"before": 0, "meanwhile": 8 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := newForgetting(t)
				defer m.stopAll()
				m.withdraws.within = 0
				m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
					time.Sleep(pushing)
					return accept(ctx, d, n)
				}
				m.worker()
				m.messageTo("m-1", "bob")
				m.messageTo("m-2", "bob")
				time.Sleep(5 * time.Second)
				m.takeBack("m-1", time.Time{})
				time.Sleep(time.Hour)
				if n := m.number("bob"); n != 1 {
					t.Errorf("a message that was not recalled makes %d", n)
				}
				if got := m.withdrawn(); len(got)+len(m.quiet()) > 0 {
					t.Errorf("withdrawn: %v, pushed quietly: %d", got, len(m.quiet()))
				}
			})
		})
	}
}

// Whenever the recall comes, and whenever a worker is killed: of three messages one is recalled,
// and two count.
func TestRecalledMessageCountsNoMoreAtAnyTime(t *testing.T) {
	for seed := range 150 {
		synctest.Test(t, func(t *testing.T) {
			luck := rand.New(rand.NewPCG(uint64(seed), 11))
			within := func(d time.Duration) time.Duration { return time.Duration(luck.Int64N(int64(d))) }
			m, store := newForgetting(t)
			defer m.stopAll()
			slow, pushing := within(time.Second), within(2*time.Second)
			store.Delay = func() time.Duration { return slow }
			m.driver.answer = func(ctx context.Context, d vendors.Device, n int) vendors.Result {
				select {
				case <-time.After(pushing):
					return accept(ctx, d, n)
				case <-ctx.Done():
					return vendors.Result{Reason: vendors.Interrupted}
				}
			}
			_, kill := m.start(m.driver)
			recalled, killed := within(4*time.Second), within(8*time.Second)
			time.AfterFunc(recalled, func() { m.takeBack("m-2", time.Time{}) })
			for _, id := range []string{"m-1", "m-2", "m-3"} {
				time.Sleep(within(500 * time.Millisecond))
				m.messageTo(id, "bob", "carol")
			}
			time.Sleep(killed)
			kill()
			m.worker()
			time.Sleep(10 * time.Minute)
			for _, user := range []string{"bob", "carol"} {
				if n := m.number(user); n != 2 {
					t.Errorf("seed %d: recalled after %v, a worker killed after %v: %s has %d, want 2", seed, recalled, killed, user, n)
				}
			}
		})
	}
}

// So it is where nothing that was accepted is withdrawn, for a message that was not sent by then.
func TestRecalledMessageThatWasNotSentCountsNoMore(t *testing.T) {
	hang := func(ctx context.Context, _ vendors.Device, _ int) vendors.Result {
		<-ctx.Done()
		return vendors.Result{Reason: vendors.Interrupted}
	}
	for name, run := range map[string]func(m *memory, store *dispatchtest.Badges){
		"parked": func(m *memory, _ *dispatchtest.Badges) {
			sick := &doctor{}
			m.driver.answer = sick.answer
			m.worker()
			m.messageTo("m-1", "bob")
			time.Sleep(5 * time.Second)
			m.takeBack("m-1", time.Time{})
			time.Sleep(5 * time.Second)
			sick.heal()
		},
		"taken_again": func(m *memory, _ *dispatchtest.Badges) {
			m.driver.answer = hang
			_, kill := m.start(m.driver)
			m.messageTo("m-1", "bob")
			time.Sleep(5 * time.Second)
			kill()
			m.takeBack("m-1", time.Time{})
			m.worker()
		},
		"while_counted": func(m *memory, store *dispatchtest.Badges) {
			m.devices = inFront{}
			store.Delay = func() time.Duration { return 2 * time.Second }
			m.worker()
			m.messageTo("m-1", "bob")
			time.Sleep(time.Second)
			m.takeBack("m-1", time.Time{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, store := newForgetting(t)
				defer m.stopAll()
				m.withdraws.within = 0
				run(m, store)
				time.Sleep(time.Hour)
				if n := m.number("bob"); n != 0 {
					t.Errorf("a recalled message makes %d", n)
				}
				if n := m.left("message") + m.left("job.apns"); n > 0 {
					t.Errorf("%d messages and jobs are left", n)
				}
			})
		})
	}
}
