package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch/dispatchtest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What waited is decided again before it is sent, in virtual time.

// village is a directory of people some of whom changed.
type village struct {
	people
	mu      sync.Mutex
	changed map[string]func(u *directory.User) // by user
	away    bool
	lookups [][]string // the users of each
}

func (v *village) Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var asked []string
	for _, r := range refs {
		asked = append(asked, r.User)
	}
	v.lookups = append(v.lookups, asked)
	if v.away {
		return nil, errors.New("away")
	}
	known, err := v.people.Lookup(ctx, refs)
	for i, r := range refs {
		if change := v.changed[r.User]; change != nil {
			change(known[i])
		}
	}
	return known, err
}

func (v *village) set(away bool, changed map[string]func(u *directory.User)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.away, v.changed, v.lookups = away, changed, nil
}

// reads are how many lookups there were since set, and of how many users.
func (v *village) reads() (lookups, users int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, l := range v.lookups {
		users += len(l)
	}
	return len(v.lookups), users
}

// doctor answers as a vendor that takes the key for wrong until it is well.
type doctor struct {
	mu     sync.Mutex
	well   bool
	tokens []string // pushed to since it is well
}

func (d *doctor) answer(_ context.Context, x vendors.Device, _ int) vendors.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.well {
		return vendors.Result{Reason: vendors.BadCredentials}
	}
	d.tokens = append(d.tokens, x.Token)
	return vendors.Result{Reason: vendors.Accepted}
}

// pushed are the tokens that were pushed to, in order.
func (d *doctor) pushed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.tokens)
}

func (d *doctor) heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.well = true
}

// end is the end of a user's device under the certificate c.
func (m *memory) end(user string) string {
	m.t.Helper()
	for _, e := range m.endsOf(user) {
		if e.Device == "d" {
			return string(e.Status) + " " + string(e.DeviceOutcome.Reason)
		}
	}
	return ""
}

var meanwhile = map[string]func(u *directory.User){
	"u1": func(u *directory.User) { u.Devices[0].Presence = &hongyan.Presence{State: hongyan.StateLoggedOut} },
	"u2": func(u *directory.User) { u.Devices[0].Registration.Token = "new" },
	"u3": func(u *directory.User) {
		u.Devices[0].Presence = &hongyan.Presence{State: hongyan.StateForeground, At: time.Now().Add(-time.Minute)}
	},
	"u4": func(u *directory.User) { u.Devices = u.Devices[1:] },
	"u5": func(u *directory.User) {
		u.Settings.Conversations = map[string]hongyan.Mute{"c2c_alice": hongyan.MuteAll}
	},
}

// decidedAgain checks what became of six messages whose recipients changed meanwhile.
func (m *memory) decidedAgain(vendor *doctor) {
	m.t.Helper()
	want := map[string]string{"u0": "accepted accepted", "u1": "suppressed logged_out", "u2": "accepted accepted", "u3": "suppressed foreground", "u4": "suppressed no_device", "u5": "suppressed muted"}
	for user, end := range want {
		if got := m.end(user); got != end {
			m.t.Errorf("%s ended as %q, want %q", user, got, end)
		}
	}
	pushed := vendor.pushed()
	slices.Sort(pushed)
	if !slices.Equal(pushed, []string{"new", "token-u0d"}) {
		m.t.Errorf("pushed to %q", pushed)
	}
	if n := m.left("job.apns"); n > 0 {
		m.t.Errorf("%d jobs are left", n)
	}
}

// A certificate is parked for an hour. Of those who wait one logged out, one has a new token, one
// came to the front, one is gone and one muted the conversation.
func TestParkedIsDecidedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices, vendor := newMemory(t), &village{}, &doctor{}
		m.devices, m.driver.answer = devices, vendor.answer
		stop := m.worker()
		for n := range 6 {
			m.message(n)
		}
		time.Sleep(time.Hour)
		devices.set(false, meanwhile)
		vendor.heal()
		time.Sleep(10 * time.Minute)
		m.decidedAgain(vendor)
		stop(time.Second)
	})
}

// The same where the jobs wait in the stream and no worker runs: one read answers for all.
func TestStoredIsDecidedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices, vendor := newMemory(t), &village{}, &doctor{}
		m.devices, m.driver.answer = devices, vendor.answer
		stop := m.worker()
		for n := range 6 {
			m.message(n)
		}
		time.Sleep(time.Second)
		stop(time.Second)
		devices.set(false, meanwhile)
		vendor.heal()
		time.Sleep(time.Hour)
		stop = m.worker()
		time.Sleep(10 * time.Second)
		m.decidedAgain(vendor)
		if lookups, users := devices.reads(); lookups != 1 || users != 6 {
			t.Errorf("%d reads of %d users, want one of 6", lookups, users)
		}
		stop(time.Second)
	})
}

// Devices of one job are decided on one by one, in one read, and what is tried again is decided on
// again, unless that is less than a second ago.
func TestJobIsDecidedAgainByDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices := newMemory(t), &village{}
		m.devices, m.driver.limits.Batch = devices, 2
		m.driver.answer = func(_ context.Context, _ vendors.Device, n int) vendors.Result {
			if n <= 2 {
				return vendors.Result{Reason: vendors.Timeout}
			}
			return vendors.Result{Reason: vendors.Accepted}
		}
		devices.set(false, map[string]func(*directory.User){"u1": meanwhile["u1"], "u2": meanwhile["u2"]})
		m.jobFor(0, "u0", "u1", "u2", "u3", "u4") // that says not when it was planned
		stop := m.worker()
		time.Sleep(100 * time.Millisecond)
		if lookups, users := devices.reads(); lookups != 1 || users != 5 {
			t.Errorf("%d reads of %d users, want one of 5", lookups, users)
		}
		time.Sleep(9 * time.Second)
		if _, users := devices.reads(); users > 5+2*4 {
			t.Errorf("%d users were read, want 5 and at most twice the four that are pushed to", users)
		}
		for user, want := range map[string]string{"u0": "accepted accepted", "u1": "suppressed logged_out", "u2": "accepted accepted", "u3": "accepted accepted", "u4": "accepted accepted"} {
			if got := m.end(user); got != want {
				t.Errorf("%s ended as %q, want %q", user, got, want)
			}
		}
		if devices, most := m.ends(); devices != 5 || most != 1 || m.left("job.apns") > 0 {
			t.Errorf("%d devices have an end, at most %d; %d jobs are left", devices, most, m.left("job.apns"))
		}
		stop(time.Second)
	})
}

// While the directory cannot be read, what waited stays at hand: it is not sent as it was planned,
// and its takes are not used up.
func TestWaitsForTheDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices := newMemory(t), &village{}
		m.devices = devices
		devices.set(true, nil)
		const jobs = 100 // more than are at hand at once
		for n := range jobs {
			m.job(n, 10)
		}
		stop := m.worker()
		time.Sleep(time.Hour)
		if keys, _ := m.pushes(); keys > 0 {
			t.Errorf("%d were pushed as they were planned", keys)
		}
		for _, s := range m.queue.Stored("job.apns") {
			if s.Taken > 1 {
				t.Fatalf("a job was taken %d times", s.Taken)
			}
		}
		devices.set(false, nil)
		time.Sleep(10 * time.Second)
		m.once(jobs)
		// stopped in the middle of a question, it gives back
		devices.set(true, nil)
		m.job(jobs, 10)
		time.Sleep(time.Second)
		stop(time.Second)
		devices.set(false, nil)
		stop = m.worker()
		time.Sleep(dispatchtest.AckWait)
		m.once(jobs + 1)
		stop(time.Second)
	})
}

// A job whose deadline passes while the directory cannot be read is dead, as one that waits for
// anything else.
func TestExpiresWhileTheDirectoryIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, devices := newMemory(t), &village{}
		m.devices = devices
		devices.set(true, nil)
		m.job(1, 10)
		stop := m.worker()
		time.Sleep(25 * time.Hour)
		devices.set(false, nil)
		time.Sleep(10 * time.Second)
		if got := m.end("u1"); got != "dead expired" {
			t.Errorf("it ended as %q", got)
		}
		stop(time.Second)
	})
}

// Jobs keep their order through the second decision.
func TestDecidedAgainInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, vendor := newMemory(t), &doctor{well: true}
		m.driver.answer = vendor.answer
		m.concurrency = 1
		const jobs = 60
		for n := range jobs {
			m.job(n, 10)
		}
		stop := m.worker()
		time.Sleep(5 * time.Second)
		for n, token := range vendor.pushed() {
			if token != fmt.Sprintf("token-u%dd", n) {
				t.Fatalf("in the order %s", strings.Join(vendor.pushed(), " "))
			}
		}
		m.once(jobs)
		stop(time.Second)
	})
}
