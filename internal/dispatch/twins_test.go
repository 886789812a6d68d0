package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// household is a directory in which users share one phone.
type household struct {
	people
	tokens  map[string]string // by user
	dropped map[string]bool
}

func (h *household) Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	known, err := h.people.Lookup(ctx, refs)
	for i, r := range refs {
		known[i].Devices = known[i].Devices[:1]
		if token := h.tokens[r.User]; token != "" {
			known[i].Devices[0].Registration.Token = token
		}
	}
	return known, err
}

func (h *household) DropAll(_ context.Context, dead []directory.Dead) []directory.Dropped {
	for _, d := range dead {
		h.dropped[d.Ref.User] = true
	}
	return make([]directory.Dropped, len(dead))
}

// pushed are how many devices the calls of a driver had, by token.
func (d *scripted) pushed() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := map[string]int{}
	for _, b := range d.calls {
		for _, x := range b.Devices {
			n[x.Token]++
		}
	}
	return n
}

// Users whose phone is one get one push, whatever their partitions, and each of them the result:
// also when it is tried again, alone or with the whole message, whose answers come in any order.
func TestOneTokenInAMessageIsOnePush(t *testing.T) {
	for name, limits := range map[string]vendors.Limits{"single": {Batch: 1}, "batch": {Batch: 100}, "mixed": {Batch: 100, Mixed: 100}} {
		for _, c := range []struct {
			name   string
			reason vendors.Reason // of the first push to the shared phone
			all    bool           // to the others as well
			pushes int            // to the shared phone
		}{
			{"accepted", vendors.Accepted, false, 1},
			{"bad_token", vendors.BadToken, false, 1},
			{"timeout", vendors.Timeout, false, 2},
			{"all_time_out", vendors.Timeout, true, 2},
		} {
			t.Run(name+"_"+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					home := &household{tokens: map[string]string{}, dropped: map[string]bool{}}
					users := []string{}
					for i := range 40 {
						users = append(users, fmt.Sprintf("u%d", i))
					}
					for _, u := range []string{"u3", "u4", "u21", "u39"} {
						home.tokens[u] = "shared"
					}
					m := newMemory(t)
					m.devices, m.driver.limits = home, limits
					m.driver.answer = func(_ context.Context, d vendors.Device, n int) vendors.Result {
						time.Sleep(rand.N(time.Second))
						if n == 1 && (c.all || d.Token == "shared") {
							return vendors.Result{Reason: c.reason}
						}
						return vendors.Result{Reason: vendors.Accepted}
					}
					m.messageTo("m-1", users...)
					stop := m.worker()
					// A vendor that answers nobody parks the certificate, and one push probes every
					// 30 seconds: half an hour for as many phones that were not tried yet.
					time.Sleep(time.Hour)
					stop(time.Second)
					if n := m.driver.pushed(); n["shared"] != c.pushes || len(n) != 37 {
						t.Errorf("the shared phone got %d pushes, want %d; %d phones got one", n["shared"], c.pushes, len(n))
					}
					for _, u := range users {
						want := vendors.Accepted
						if home.tokens[u] != "" && c.reason == vendors.BadToken {
							want = c.reason
						}
						if ends := m.endsOf(u); len(ends) != 1 || ends[0].Reason != want {
							t.Errorf("%s ended %+v, want %v", u, ends, want)
						}
						if dropped := want == vendors.BadToken; home.dropped[u] != dropped {
							t.Errorf("the registration of %s was dropped: %v", u, !dropped)
						}
					}
					if left := m.left("job.apns"); left > 0 {
						t.Errorf("%d jobs are left", left)
					}
				})
			})
		}
	}
}

// Jobs of one message that meet in a call, and those of others that do, where the vendor refuses
// the call as a whole at first.
func TestOneTokenInJobsThatMeet(t *testing.T) {
	for name, limits := range map[string]vendors.Limits{"batch": {Batch: 100}, "mixed": {Batch: 100, Mixed: 100}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t)
				m.driver.limits, m.concurrency = limits, 1
				refused := 0
				m.driver.answer = func(_ context.Context, d vendors.Device, _ int) vendors.Result {
					if d.Token == "first" {
						time.Sleep(time.Second / 2) // until the others are at hand
					} else if len(m.driver.last().Devices) > 1 {
						refused++
						return vendors.Result{Reason: vendors.BadPayload, Split: true}
					}
					return vendors.Result{Reason: vendors.Accepted}
				}
				now := time.Now()
				put := func(message int, targets ...dispatch.Target) {
					j := &dispatch.Job{App: "demo", Vendor: "apns", Certificate: "c", Lane: hongyan.LaneNormal, Published: now, Decided: now, Targets: targets,
						Notification: &vendors.Notification{Key: fmt.Sprintf("%032d", message), MessageID: fmt.Sprint(message), Title: "t", Body: "b", Deadline: now.Add(time.Hour)}}
					data, err := j.Encode()
					if err != nil {
						t.Fatal(err)
					}
					subject := hongyan.Subjects{}.Job("apns", "c", hongyan.LaneNormal)
					if errs := m.queue.Publish(t.Context(), []dispatch.Outgoing{{Subject: subject, ID: j.Name() + "/" + targets[0].User, Data: data}}); errs != nil {
						t.Fatal(errs)
					}
				}
				put(1, dispatch.Target{User: "first", Device: "d", Token: "first"})
				stop := m.worker()
				time.Sleep(time.Second / 4) // its call is under way, and takes the only place
				put(2, dispatch.Target{User: "a", Device: "d", Token: "shared"}, dispatch.Target{User: "b6", Device: "d", Token: "other"})
				put(2, dispatch.Target{User: "b", Device: "d", Token: "shared"}, dispatch.Target{User: "b", Device: "e", Token: "shared"})
				put(3, dispatch.Target{User: "c", Device: "d", Token: "shared"})
				time.Sleep(time.Minute)
				stop(time.Second)
				got := map[string]int{}
				for _, b := range m.driver.calls {
					seen := map[string]bool{}
					for _, d := range b.Devices {
						if seen[d.Token] {
							t.Errorf("a call has a token twice")
						}
						seen[d.Token] = true
						if d.Token == "shared" && len(b.Devices) == 1 {
							got[d.Notification.MessageID]++
						}
					}
				}
				if got["2"] != 1 || got["3"] != 1 {
					t.Errorf("pushes of each message to the shared phone: %v", got)
				}
				if devices, most := m.ends(); devices != 6 || most != 1 {
					t.Errorf("%d devices ended, at most %d times", devices, most)
				}
				if refused == 0 {
					t.Error("no call was refused")
				}
			})
		})
	}
}

// last is the call made last.
func (d *scripted) last() vendors.Batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[len(d.calls)-1]
}
