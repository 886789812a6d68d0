package route

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// waited is a job that was planned for the phone of bob, as he was then.
func waited(t *testing.T, m *hongyan.Message, device directory.Device) *dispatch.Job {
	t.Helper()
	known := func(string) bool { return true }
	decisions := Plan(m, Policy{}, []*directory.User{{Devices: []directory.Device{device}}}, new(marks.Said), known, noon)
	conf := App{Accounts: map[string]Account{"c1": {App: "demo", Vendor: "apns", Certificate: "c1"}, "v1": {App: "demo", Vendor: "apns", Certificate: "v1"}}}
	jobs := Compose(m, "demo", conf, decisions, noon, nil)
	if len(jobs) != 1 {
		t.Fatalf("%d jobs, want 1", len(jobs))
	}
	data, err := jobs[0].Encode() // what is decided by must outlive the stream
	if err != nil {
		t.Fatal(err)
	}
	job, err := dispatch.DecodeJob(data)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// rowsAgain are what may happen to a device while a job waits for it, in the order of the rows.
var rowsAgain = []struct {
	name   string
	change func(u *directory.User)
	want   hongyan.Reason
}{
	{"logged_out", func(u *directory.User) { u.Devices[1].Presence = present(hongyan.StateLoggedOut, 0) }, hongyan.LoggedOut},
	{"kicked", func(u *directory.User) { u.Devices[1].Presence = present(hongyan.StateKicked, 0) }, hongyan.Kicked},
	{"notifications_off", func(u *directory.User) { u.Devices[1].Registration.Notifications = hongyan.SwitchOff }, hongyan.NotificationsOff},
	{"too_many_devices", func(u *directory.User) { u.Devices[1].TooMany = true }, hongyan.TooManyDevices},
	{"stale", func(u *directory.User) { u.Devices[1].Heard = noon.Add(-169 * time.Hour) }, hongyan.Stale},
	{"foreground", func(u *directory.User) { u.Devices[1].Presence = present(hongyan.StateForeground, time.Second) }, hongyan.Foreground},
	{"active_elsewhere", func(u *directory.User) { u.Devices[0].Presence = present(hongyan.StateForeground, time.Second) }, hongyan.ActiveElsewhere},
	{"muted", func(u *directory.User) { u.Settings = muted(hongyan.MuteButMentions) }, hongyan.Muted},
	{"quiet_hours", func(u *directory.User) {
		u.Quiet = directory.NewWindow(&hongyan.QuietWindow{From: "11:00", To: "13:00"}, time.LoadLocation)
	}, hongyan.QuietHours},
	{"another_certificate", func(u *directory.User) { u.Devices[1].Registration.Certificate = "c2" }, hongyan.NoDevice},
}

// Every row holds for what waited, in the order of the plan, and is the plan's.
func TestPlanAgainFollowsTheRows(t *testing.T) {
	t.Parallel()
	policy := Policy{StaleAfter: 7 * 24 * time.Hour, QuietWhenActiveElsewhere: true}
	m := message(nil)
	job := waited(t, m, phone(nil))
	user := func() *directory.User {
		return &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.ID = "pad" }), phone(nil)}}
	}
	planned := func(u *directory.User) hongyan.Reason {
		for _, d := range Plan(m, policy, []*directory.User{u}, new(marks.Said), func(string) bool { return true }, noon) {
			if d.Device.ID == "phone" {
				return d.Suppressed
			}
		}
		return hongyan.NoDevice
	}
	if got := PlanAgain(job, job.Targets[0], policy, "", user(), noon); got.Suppressed != "" || got.Target != job.Targets[0] {
		t.Errorf("nothing changed, and it is decided %+v", got)
	}
	for i, row := range rowsAgain {
		u := user()
		row.change(u)
		if got := PlanAgain(job, job.Targets[0], policy, "", u, noon); got.Suppressed != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got.Suppressed, row.want)
		}
		if i+1 < len(rowsAgain) {
			if got := planned(u); got != row.want {
				t.Errorf("%s: the plan says %q, want %q", row.name, got, row.want)
			}
		}
		for _, later := range rowsAgain[i+1:] {
			u := user()
			later.change(u)
			row.change(u) // the last word where both change the presence
			if got := PlanAgain(job, job.Targets[0], policy, "", u, noon); got.Suppressed != row.want {
				t.Errorf("%s before %s: got %q, want %q", row.name, later.name, got.Suppressed, row.want)
			}
		}
	}
}

func TestPlanAgain(t *testing.T) {
	t.Parallel()
	invite := func(m *hongyan.Message) {
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "x"}}
	}
	withVoIP := func(token string) func(d *directory.Device) {
		return func(d *directory.Device) {
			d.Registration.Token, d.Registration.VoIP = token, &hongyan.VoIP{Certificate: "v1", Token: "v"}
		}
	}
	users := func(d directory.Device) *directory.User { return &directory.User{Devices: []directory.Device{d}} }
	for name, c := range map[string]struct {
		message func(*hongyan.Message)
		before  func(*directory.Device)
		user    *directory.User
		want    hongyan.Reason
		token   string
	}{
		"unknown_user":   {user: nil, want: hongyan.NoDevice},
		"removed":        {user: users(phone(func(d *directory.Device) { d.ID = "pad" })), want: hongyan.NoDevice},
		"token_withdrew": {user: users(phone(func(d *directory.Device) { d.Registration.Token = "" })), want: hongyan.NoDevice},
		"new_token": {user: users(phone(func(d *directory.Device) {
			d.Registration.Token, d.Registration.Region, d.Revision = "t2", "eu", 7
		})), token: "t2"},
		"mention_passes":     {message: func(m *hongyan.Message) { m.Mentions = []string{"bob"} }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteButMentions)}, token: "t"},
		"mention_all_passes": {message: func(m *hongyan.Message) { m.MentionAll = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteButMentions)}, token: "t"},
		"mention_of_another": {message: func(m *hongyan.Message) { m.Mentions = []string{"eve"} }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteButMentions)}, want: hongyan.Muted},
		"ignore_mute_passes": {message: func(m *hongyan.Message) { m.OfflinePush.IgnoreMute = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteAll)}, token: "t"},
		"other_conversation": {message: func(m *hongyan.Message) { m.Conversation.ID = "d" }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteAll)}, token: "t"},
		"call_in_quiet_hours": {message: invite, user: &directory.User{Devices: []directory.Device{phone(nil)},
			Quiet: window(t, "11:00", "13:00", "")}, token: "t"},
		"voip_passes_switch": {message: invite, before: withVoIP("t"), user: users(phone(func(d *directory.Device) {
			withVoIP("t")(d)
			d.Registration.Notifications = hongyan.SwitchOff
		})), token: "v"},
		"voip_withdrew": {message: invite, before: withVoIP("t"), user: users(phone(nil)), want: hongyan.NoDevice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := waited(t, message(c.message), phone(c.before))
			got := PlanAgain(job, job.Targets[0], Policy{}, "", c.user, noon)
			if got.Suppressed != c.want || got.Target.Token != c.token {
				t.Errorf("got %q and token %q, want %q and %q", got.Suppressed, got.Target.Token, c.want, c.token)
			}
			if d := c.user.Device("phone"); c.want == "" && (got.Target.Revision != d.Revision || got.Target.Region != d.Registration.Region) {
				t.Errorf("the target is %+v, the device %+v", got.Target, d)
			}
		})
	}
}

// town is a directory whose answers may be old, or none.
type town struct {
	mu         sync.Mutex
	token, old string // the newest token of all phones, and what a replica that is behind says
	away       bool
	reads      []int // users of each
	confirms   []int
}

func (d *town) MustConfirm() bool { return d.old != d.token }

func (d *town) Lookup(_ context.Context, refs []directory.Ref) ([]*directory.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads = append(d.reads, len(refs))
	if d.away {
		return nil, errors.New("away")
	}
	return d.all(refs, d.old), nil
}

func (d *town) Confirm(_ context.Context, refs []directory.Ref) ([]*directory.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.confirms = append(d.confirms, len(refs))
	return d.all(refs, d.token), nil
}

func (d *town) all(refs []directory.Ref, token string) []*directory.User {
	users := make([]*directory.User, len(refs))
	for i := range refs {
		users[i] = &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Token = token })}}
	}
	return users
}

// Many jobs share a read, none larger than it must be; while nothing can be read they wait.
func TestDeciderGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices := &town{token: "t2", old: "t2", away: true}
		d := &Decider{Devices: devices, Apps: NewApps(map[string]App{"demo": {}}), Log: slog.New(slog.DiscardHandler), Now: time.Now}
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		answered, ended := 0, 0
		ask := func(n int) {
			job := waited(t, message(nil), phone(nil))
			one, targets := job.Targets[0], make([]int, n)
			job.Targets = nil
			for i := range targets {
				targets[i] = i
				one.User = fmt.Sprint("u", i)
				job.Targets = append(job.Targets, one)
			}
			d.Decide(ctx, job, targets, func(decisions []dispatch.Decided) {
				mu.Lock()
				defer mu.Unlock()
				for _, x := range decisions {
					if x.Target.Token == "t2" {
						answered++
					}
				}
			}, func() { mu.Lock(); defer mu.Unlock(); ended++ })
		}
		for range 300 {
			ask(10)
		}
		ask(1500)
		time.Sleep(time.Minute)
		mu.Lock()
		devices.mu.Lock()
		if answered > 0 || len(devices.reads) < 10 || len(devices.reads) > 60 {
			t.Errorf("%d answers after %d reads that failed in a minute", answered, len(devices.reads))
		}
		devices.away, devices.reads = false, nil
		devices.mu.Unlock()
		mu.Unlock()
		time.Sleep(4 * time.Second)
		d.Wait()
		if answered != 300*10+1500 || len(devices.reads) != 4 {
			t.Errorf("%d answers with reads of %v users", answered, devices.reads)
		}
		for _, n := range devices.reads {
			if n > decideUsers && n != 1500 {
				t.Errorf("a read of %d users", n)
			}
		}
		devices.away = true
		ask(1)
		time.Sleep(time.Second)
		cancel()
		d.Wait()
		if ended != 1 {
			t.Errorf("%d questions were ended, want 1", ended)
		}
	})
}

// A suppression that an old answer may cause is confirmed first, and only that.
func TestDeciderConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices := &town{token: "t2"} // a replica that knows no token yet
		d := &Decider{Devices: devices, Apps: NewApps(map[string]App{"demo": {}}), Log: slog.New(slog.DiscardHandler), Now: time.Now}
		job := waited(t, message(nil), phone(nil))
		var got []dispatch.Decided
		d.Decide(t.Context(), job, []int{0}, func(decisions []dispatch.Decided) { got = decisions }, func() {})
		d.Wait()
		if len(got) != 1 || got[0].Suppressed != "" || got[0].Target.Token != "t2" || len(devices.confirms) != 1 {
			t.Errorf("decided %+v after %d confirmations", got, len(devices.confirms))
		}
		devices.old = "t1"
		d.Decide(t.Context(), job, []int{0}, func(decisions []dispatch.Decided) { got = decisions }, func() {})
		d.Wait()
		if got[0].Target.Token != "t1" || len(devices.confirms) != 1 {
			t.Errorf("decided %+v after %d confirmations, a token needs none", got, len(devices.confirms))
		}
	})
}
