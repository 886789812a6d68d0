package route

import (
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// A message counts for those who are told of it, or would be at another time.
func TestCountOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	number := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		message func(*hongyan.Message)
		user    func(*directory.User)
		policy  Policy
		want    bool
		report  *badge.Report
	}{
		"pushed":               {want: true},
		"reported":             {user: presence(hongyan.Presence{State: hongyan.StateBackground, Unread: number(4), At: now}), want: true, report: &badge.Report{Unread: 4, At: now}},
		"reported_nothing":     {user: presence(hongyan.Presence{State: hongyan.StateBackground, Unread: number(0), At: now}), want: true, report: &badge.Report{At: now}},
		"background_no_number": {user: presence(hongyan.Presence{State: hongyan.StateBackground, At: now}), want: true},
		"foreground":           {user: presence(hongyan.Presence{State: hongyan.StateForeground, Unread: number(4), At: now}), want: true},
		"logged_out":           {user: presence(hongyan.Presence{State: hongyan.StateLoggedOut, Unread: number(4), At: now})},
		"kicked":               {user: presence(hongyan.Presence{State: hongyan.StateKicked, At: now})},
		"stale":                {user: func(u *directory.User) { u.Devices[0].Heard = now.Add(-time.Hour) }, policy: Policy{StaleAfter: time.Minute}},
		"notifications_off":    {user: func(u *directory.User) { u.Devices[0].Registration.Notifications = hongyan.SwitchOff }},
		"no_device":            {user: func(u *directory.User) { u.Devices = nil }},
		"cannot_carry":         {user: func(u *directory.User) { u.Devices[0].Registration.Certificate = "plain" }},
		"own":                  {message: func(m *hongyan.Message) { m.Sender.ID = "bob" }},
		"disabled":             {message: func(m *hongyan.Message) { m.OfflinePush.Disable = true }},
		"too_large_a_group": {message: func(m *hongyan.Message) {
			m.Conversation.Type = hongyan.ConversationGroup
			m.Recipients = []string{"bob", "carol"}
		}, policy: Policy{MaxPushGroup: 1}},
		"call":            {message: callEvent(hongyan.CallInvite)},
		"call_event":      {message: callEvent(hongyan.CallCancel)},
		"nothing_to_show": {message: func(m *hongyan.Message) { m.Content = hongyan.Content{Type: hongyan.ContentCustom} }},
		"expired":         {message: func(m *hongyan.Message) { m.TTLSeconds = 1; m.SentAt = now.Add(-time.Hour) }, want: true},
		"muted":           {user: mute(hongyan.MuteAll)},
		"muted_in_front":  {user: both(mute(hongyan.MuteAll), presence(hongyan.Presence{State: hongyan.StateForeground, At: now}))},
		"mute_is_ignored": {user: mute(hongyan.MuteAll), message: func(m *hongyan.Message) { m.OfflinePush.IgnoreMute = true }, want: true},
		"mentions_only":   {user: mute(hongyan.MuteButMentions)},
		"mentioned":       {user: mute(hongyan.MuteButMentions), message: func(m *hongyan.Message) { m.Mentions = []string{"bob"} }, want: true},
		"quiet_hours": {user: func(u *directory.User) {
			u.Quiet = directory.NewWindow(&hongyan.QuietWindow{From: "00:00", To: "23:59", Timezone: "UTC"}, time.LoadLocation)
		}, want: true},
		"later_report_of_another": {user: func(u *directory.User) {
			presence(hongyan.Presence{State: hongyan.StateBackground, Unread: number(9), At: now.Add(-time.Hour)})(u)
			u.Devices = append(u.Devices, directory.Device{ID: "tablet", Registration: hongyan.Device{Certificate: "plain", Token: "t"}, Heard: now,
				Presence: &hongyan.Presence{State: hongyan.StateBackground, Unread: number(2), At: now.Add(-time.Minute)}})
		}, want: true, report: &badge.Report{Unread: 2, At: now.Add(-time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &hongyan.Message{ID: "m", SentAt: now, Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c"}, Sender: hongyan.Sender{ID: "alice"},
				Recipients: []string{"bob"}, Content: hongyan.Content{Type: hongyan.ContentText, Text: "x"}}
			u := &directory.User{Devices: []directory.Device{{ID: "phone", Registration: hongyan.Device{Certificate: "c", Token: "t"}, Heard: now}}}
			if c.message != nil {
				c.message(m)
			}
			if c.user != nil {
				c.user(u)
			}
			users := []*directory.User{u}
			if len(m.Recipients) > 1 {
				users = append(users, nil)
			}
			decisions := Plan(m, c.policy, users, new(marks.Said), func(string) bool { return true }, now)
			got := countOf(nil, m, "demo", now, users, decisions, func(certificate string) bool { return certificate == "c" })
			if len(got) > 1 || len(got) == 1 != c.want {
				t.Fatalf("it counts: %v, want %v", got, c.want)
			}
			if len(got) == 0 {
				return
			}
			if x := got[0]; x.User != "bob" || x.App != "demo" || x.Message.ID != "m" || x.Message.Conversation != "c" || !x.Message.Stored.Equal(now) {
				t.Errorf("what counts is %+v of %+v", x.Message, x.Ref)
			}
			if r := got[0].Report; (r == nil) != (c.report == nil) || r != nil && *r != *c.report {
				t.Errorf("reported is %+v, want %+v", r, c.report)
			}
		})
	}
}

func presence(p hongyan.Presence) func(*directory.User) {
	return func(u *directory.User) { u.Devices[0].Presence = &p }
}

func mute(how hongyan.Mute) func(*directory.User) {
	return func(u *directory.User) { u.Settings.Conversations = map[string]hongyan.Mute{"c": how} }
}

func both(changes ...func(*directory.User)) func(*directory.User) {
	return func(u *directory.User) {
		for _, change := range changes {
			change(u)
		}
	}
}

func callEvent(action hongyan.CallAction) func(*hongyan.Message) {
	return func(m *hongyan.Message) {
		m.OfflinePush.Desc = "x"
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: action, ID: "1"}}
	}
}

// Users who are decided on in part, as a look at the records leaves them, keep their places.
func TestCountOfSomeDecisions(t *testing.T) {
	t.Parallel()
	now := time.Now()
	m := &hongyan.Message{ID: "m", Conversation: hongyan.Conversation{ID: "c"}, Sender: hongyan.Sender{ID: "alice"}, Recipients: []string{"a", "b", "c"},
		Content: hongyan.Content{Type: hongyan.ContentText, Text: "x"}, TTLSeconds: 60, SentAt: now}
	device := directory.Device{ID: "d", Registration: hongyan.Device{Certificate: "c", Token: "t"}, Heard: now}
	u := &directory.User{Devices: []directory.Device{device}}
	users := []*directory.User{u, u, u}
	decisions := slices.DeleteFunc(Plan(m, Policy{}, users, new(marks.Said), func(string) bool { return true }, now), func(d Decision) bool { return d.User == "b" })
	var got []string
	for _, x := range countOf(nil, m, "demo", now, users, decisions, func(string) bool { return true }) {
		got = append(got, x.User)
	}
	if !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("it counts for %v", got)
	}
}
