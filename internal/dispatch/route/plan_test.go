package route

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/marks"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC) // 12:00 in Shanghai

func message(change func(*hongyan.Message)) *hongyan.Message {
	m := &hongyan.Message{ID: "m-1", SentAt: noon.Add(-time.Minute), Conversation: hongyan.Conversation{Type: hongyan.ConversationC2C, ID: "c"},
		Sender: hongyan.Sender{ID: "alice", Nickname: "Alice"}, Recipients: []string{"bob"}, Content: hongyan.Content{Type: hongyan.ContentText, Text: "hi"}}
	if change != nil {
		change(m)
	}
	return m
}

func phone(change func(*directory.Device)) directory.Device {
	d := directory.Device{ID: "phone", Registration: hongyan.Device{Certificate: "c1", Token: "t"}, Heard: noon.Add(-time.Hour)}
	if change != nil {
		change(&d)
	}
	return d
}

func present(state hongyan.PresenceState, ago time.Duration) *hongyan.Presence {
	return &hongyan.Presence{State: state, At: noon.Add(-ago)}
}

func muted(how hongyan.Mute) hongyan.Settings {
	return hongyan.Settings{Conversations: map[string]hongyan.Mute{"c": how}}
}

func window(t *testing.T, from, to, zone string) *directory.Window {
	t.Helper()
	w := directory.NewWindow(&hongyan.QuietWindow{From: from, To: to, Timezone: zone}, time.LoadLocation)
	if w == nil {
		t.Fatal("no such window")
	}
	return w
}

// The app's and the user's preview meet in the decision.
func TestPlanTakesTheStricterPreview(t *testing.T) {
	t.Parallel()
	user := &directory.User{Devices: []directory.Device{phone(nil)}, Settings: hongyan.Settings{Preview: hongyan.PreviewSender}}
	known := func(string) bool { return true }
	for policy, want := range map[hongyan.Preview]hongyan.Preview{
		"": hongyan.PreviewSender, hongyan.PreviewFull: hongyan.PreviewSender, hongyan.PreviewSender: hongyan.PreviewSender, hongyan.PreviewNone: hongyan.PreviewNone,
	} {
		if got := Plan(message(nil), Policy{Preview: policy}, []*directory.User{user}, new(marks.Said), known, noon); len(got) != 1 || got[0].Preview != want {
			t.Errorf("policy %q: got %+v, want %s", policy, got, want)
		}
	}
}

// Every row of the decision table, and the order of the rows: each case below the first of its pair
// also meets a later rule.
func TestPlanFollowsTheTable(t *testing.T) {
	t.Parallel()
	week := Policy{StaleAfter: 7 * 24 * time.Hour}
	call := func(action hongyan.CallAction) func(*hongyan.Message) {
		return func(m *hongyan.Message) {
			m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "audio", Action: action, ID: "x"}}
		}
	}
	for name, c := range map[string]struct {
		message func(*hongyan.Message)
		policy  Policy
		user    *directory.User
		want    hongyan.Reason
		device  bool // the decision names the device
	}{
		"pushed":   {user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"disabled": {message: func(m *hongyan.Message) { m.OfflinePush.Disable = true; m.TTLSeconds = 1 }, want: hongyan.Disabled},
		"group_above_the_limit": {message: func(m *hongyan.Message) {
			m.Conversation.Type = hongyan.ConversationGroup
			m.Recipients = []string{"bob", "x"}
		}, policy: Policy{MaxPushGroup: 1}, want: hongyan.Disabled},
		"group_at_the_limit":       {message: func(m *hongyan.Message) { m.Conversation.Type = hongyan.ConversationGroup }, policy: Policy{MaxPushGroup: 1}, user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"expired":                  {message: func(m *hongyan.Message) { m.TTLSeconds = 59; m.Sender.ID = "bob" }, want: hongyan.Expired},
		"invite_lives_a_minute":    {message: func(m *hongyan.Message) { call(hongyan.CallInvite)(m); m.SentAt = noon.Add(-61 * time.Second) }, want: hongyan.Expired},
		"own_message":              {message: func(m *hongyan.Message) { m.Sender.ID = "bob"; m.Content.Type = hongyan.ContentCustom }, user: &directory.User{Devices: []directory.Device{phone(nil)}}, want: hongyan.OwnMessage, device: true},
		"custom_without_desc":      {message: func(m *hongyan.Message) { m.Content.Type = hongyan.ContentCustom }, want: hongyan.NoContent},
		"custom_with_desc":         {message: func(m *hongyan.Message) { m.Content.Type = hongyan.ContentCustom; m.OfflinePush.Desc = "d" }, user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"call_answered":            {message: call(hongyan.CallAnswer), want: hongyan.NoContent},
		"call_cancelled":           {message: call(hongyan.CallCancel), want: hongyan.NoContent},
		"call_cancelled_with_desc": {message: func(m *hongyan.Message) { call(hongyan.CallCancel)(m); m.OfflinePush.Desc = "missed" }, user: &directory.User{Devices: []directory.Device{phone(nil)}}, want: hongyan.NoContent, device: true},
		"no_device":                {want: hongyan.NoDevice},
		"no_token":                 {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Token = "" })}}, want: hongyan.NoDevice},
		"logged_out": {policy: week, user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.Presence = present(hongyan.StateLoggedOut, 0)
			d.Heard = noon.Add(-999 * time.Hour)
		})}}, want: hongyan.LoggedOut, device: true},
		"kicked":            {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.StateKicked, 0) })}}, want: hongyan.Kicked, device: true},
		"notifications_off": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Notifications = hongyan.SwitchOff })}}, want: hongyan.NotificationsOff, device: true},
		"notifications_off_lets_calls_over_voip_pass": {message: call(hongyan.CallInvite), user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.Registration.Notifications, d.Registration.VoIP = hongyan.SwitchOff, &hongyan.VoIP{Certificate: "c1", Token: "v"}
		})}}, device: true},
		"notifications_off_stops_other_calls": {message: call(hongyan.CallInvite), user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Notifications = hongyan.SwitchOff })}}, want: hongyan.NotificationsOff, device: true},
		"too_many_devices": {policy: week, user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.TooMany, d.Heard = true, noon.Add(-169*time.Hour)
		})}}, want: hongyan.TooManyDevices, device: true},
		"stale":                   {policy: week, user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Heard = noon.Add(-169 * time.Hour) })}}, want: hongyan.Stale, device: true},
		"stale_is_off":            {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Heard = noon.Add(-9999 * time.Hour) })}}, device: true},
		"foreground":              {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.StateForeground, 399*time.Second) })}, Settings: muted(hongyan.MuteAll)}, want: hongyan.Foreground, device: true},
		"foreground_too_long_ago": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.StateForeground, 401*time.Second) })}}, device: true},
		"foreground_by_gateway": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.Presence = present(hongyan.StateForeground, time.Hour)
			d.Presence.Gateway = "g"
			d.Foreground = true
		})}}, want: hongyan.Foreground, device: true},
		"foreground_of_a_dead_gateway": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.StateForeground, 0); d.Presence.Gateway = "g" })}}, device: true},
		"background":                   {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.StateBackground, 0) })}}, device: true},
		"muted":                        {message: func(m *hongyan.Message) { m.MentionAll = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteAll)}, want: hongyan.Muted, device: true},
		"muted_but_ignored":            {message: func(m *hongyan.Message) { m.OfflinePush.IgnoreMute = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteAll)}, device: true},
		"mentions_only":                {user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteButMentions)}, want: hongyan.Muted, device: true},
		"mentions_only_and_mentioned":  {message: func(m *hongyan.Message) { m.Mentions = []string{"bob"} }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteButMentions)}, device: true},
		"mentions_only_and_all":        {message: func(m *hongyan.Message) { m.MentionAll = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteButMentions)}, device: true},
		"other_conversation_muted":     {message: func(m *hongyan.Message) { m.Conversation.ID = "d" }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MuteAll)}, device: true},
		"quiet_hours":                  {user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "11:00", "13:00", "")}, want: hongyan.QuietHours, device: true},
		"quiet_hours_pass_midnight":    {user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "22:00", "12:01", "Asia/Shanghai")}, want: hongyan.QuietHours, device: true},
		"quiet_hours_are_over":         {user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "22:00", "12:00", "Asia/Shanghai")}, device: true},
		"quiet_hours_let_calls_pass":   {message: call(hongyan.CallInvite), user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "11:00", "13:00", "")}, device: true},
		"unknown_certificate":          {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Certificate = "gone" })}}, want: hongyan.UnknownCertificate, device: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message(c.message)
			got := Plan(m, c.policy, append([]*directory.User{c.user}, make([]*directory.User, len(m.Recipients)-1)...), new(marks.Said), func(id string) bool { return id == "c1" }, noon)
			if len(got) != len(m.Recipients) {
				t.Fatalf("%d decisions for one device each", len(got))
			}
			if got[0].Suppressed != c.want || (got[0].Device != nil) != c.device {
				t.Errorf("got %q (device %v), want %q (device %v)", got[0].Suppressed, got[0].Device != nil, c.want, c.device)
			}
		})
	}
}

func TestPlanActiveElsewhere(t *testing.T) {
	t.Parallel()
	pad := phone(func(d *directory.Device) { d.ID = "pad"; d.Presence = present(hongyan.StateForeground, time.Second) })
	user := &directory.User{Devices: []directory.Device{phone(nil), pad}}
	for _, quiet := range []bool{false, true} {
		got := Plan(message(nil), Policy{QuietWhenActiveElsewhere: quiet}, []*directory.User{user}, new(marks.Said), func(string) bool { return true }, noon)
		if len(got) != 2 {
			t.Fatalf("%d decisions for two devices", len(got))
		}
		want := map[string]hongyan.Reason{"phone": "", "pad": hongyan.Foreground}
		if quiet {
			want["phone"] = hongyan.ActiveElsewhere
		}
		for _, d := range got {
			if d.Suppressed != want[d.Device.ID] {
				t.Errorf("policy %v, %s: got %q, want %q", quiet, d.Device.ID, d.Suppressed, want[d.Device.ID])
			}
		}
	}
}

// An incoming call goes to the PushKit token of a device that has one.
func TestPlanReachesVoIP(t *testing.T) {
	t.Parallel()
	iphone := phone(func(d *directory.Device) { d.Registration.VoIP = &hongyan.VoIP{Certificate: "v1", Token: "vt"} })
	invite := func(m *hongyan.Message) {
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "x"}}
	}
	for name, c := range map[string]struct {
		change func(*hongyan.Message)
		known  []string
		token  string
	}{
		"call":                          {invite, []string{"c1", "v1"}, "vt"},
		"call_that_asks_for_an_alert":   {func(m *hongyan.Message) { invite(m); m.OfflinePush.IOS.PushType = "alert" }, []string{"c1", "v1"}, "t"},
		"call_without_that_certificate": {invite, []string{"c1"}, "t"},
		"text":                          {nil, []string{"c1", "v1"}, "t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Plan(message(c.change), Policy{}, []*directory.User{{Devices: []directory.Device{iphone}}}, new(marks.Said),
				func(id string) bool {
					for _, k := range c.known {
						if k == id {
							return true
						}
					}
					return false
				}, noon)
			if got[0].Token != c.token || got[0].VoIP != (c.token == "vt") {
				t.Errorf("got token %q (VoIP %v), want %q", got[0].Token, got[0].VoIP, c.token)
			}
		})
	}
}
