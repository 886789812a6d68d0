package dispatch

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC) // 12:00 in Shanghai

func message(change func(*hongyan.Message)) *hongyan.Message {
	m := &hongyan.Message{ID: "m-1", SentAt: noon.Add(-time.Minute), Conversation: hongyan.Conversation{Type: hongyan.C2C, ID: "c"},
		Sender: hongyan.Sender{ID: "alice", Nickname: "Alice"}, Recipients: []string{"bob"}, Content: hongyan.Content{Type: hongyan.Text, Text: "hi"}}
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

func present(state string, ago time.Duration) *hongyan.Presence {
	return &hongyan.Presence{State: state, At: noon.Add(-ago)}
}

func muted(how string) hongyan.Settings {
	return hongyan.Settings{Conversations: map[string]string{"c": how}}
}

func window(t *testing.T, from, to, zone string) *directory.Window {
	t.Helper()
	w, err := directory.NewWindow(hongyan.QuietHours{From: from, To: to, Timezone: zone}, time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	return &w
}

// Every row of the decision table, and the order of the rows: each case below the first of its pair
// also meets a later rule.
func TestPlanFollowsTheTable(t *testing.T) {
	t.Parallel()
	week := Policy{StaleAfter: 7 * 24 * time.Hour}
	call := func(action string) func(*hongyan.Message) {
		return func(m *hongyan.Message) {
			m.Content = hongyan.Content{Type: hongyan.CallType, Call: &hongyan.Call{Media: "audio", Action: action, ID: "x"}}
		}
	}
	for name, c := range map[string]struct {
		message func(*hongyan.Message)
		policy  Policy
		user    *directory.User
		want    Suppression
		device  bool // the decision names the device
	}{
		"pushed":                   {user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"disabled":                 {message: func(m *hongyan.Message) { m.OfflinePush.Disable = true; m.TTLSeconds = 1 }, want: Disabled},
		"group_above_the_limit":    {message: func(m *hongyan.Message) { m.Conversation.Type = hongyan.Group; m.Recipients = []string{"bob", "x"} }, policy: Policy{MaxPushGroup: 1}, want: Disabled},
		"group_at_the_limit":       {message: func(m *hongyan.Message) { m.Conversation.Type = hongyan.Group }, policy: Policy{MaxPushGroup: 1}, user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"expired":                  {message: func(m *hongyan.Message) { m.TTLSeconds = 59; m.Sender.ID = "bob" }, want: TooLate},
		"invite_lives_a_minute":    {message: func(m *hongyan.Message) { call(hongyan.Invite)(m); m.SentAt = noon.Add(-61 * time.Second) }, want: TooLate},
		"own_message":              {message: func(m *hongyan.Message) { m.Sender.ID = "bob"; m.Content.Type = hongyan.Custom }, user: &directory.User{Devices: []directory.Device{phone(nil)}}, want: OwnMessage, device: true},
		"custom_without_desc":      {message: func(m *hongyan.Message) { m.Content.Type = hongyan.Custom }, want: NoContent},
		"custom_with_desc":         {message: func(m *hongyan.Message) { m.Content.Type = hongyan.Custom; m.OfflinePush.Desc = "d" }, user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"call_answered":            {message: call(hongyan.Answer), want: NoContent},
		"call_cancelled":           {message: call(hongyan.Cancel), want: NoContent},
		"call_cancelled_with_desc": {message: func(m *hongyan.Message) { call(hongyan.Cancel)(m); m.OfflinePush.Desc = "missed" }, user: &directory.User{Devices: []directory.Device{phone(nil)}}, device: true},
		"no_device":                {want: NoDevice},
		"no_token":                 {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Token = "" })}}, want: NoDevice},
		"logged_out": {policy: week, user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.Presence = present(hongyan.LoggedOut, 0)
			d.Heard = noon.Add(-999 * time.Hour)
		})}}, want: LoggedOut, device: true},
		"kicked":                  {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.Kicked, 0) })}}, want: Kicked, device: true},
		"stale":                   {policy: week, user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Heard = noon.Add(-169 * time.Hour) })}}, want: Stale, device: true},
		"stale_is_off":            {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Heard = noon.Add(-9999 * time.Hour) })}}, device: true},
		"foreground":              {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.Foreground, 399*time.Second) })}, Settings: muted(hongyan.Muted)}, want: InFront, device: true},
		"foreground_too_long_ago": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.Foreground, 401*time.Second) })}}, device: true},
		"foreground_by_gateway": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) {
			d.Presence = present(hongyan.Foreground, time.Hour)
			d.Presence.Gateway = "g"
			d.InFront = true
		})}}, want: InFront, device: true},
		"foreground_of_a_dead_gateway": {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.Foreground, 0); d.Presence.Gateway = "g" })}}, device: true},
		"background":                   {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Presence = present(hongyan.Background, 0) })}}, device: true},
		"muted":                        {message: func(m *hongyan.Message) { m.MentionAll = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.Muted)}, want: Muted, device: true},
		"muted_but_ignored":            {message: func(m *hongyan.Message) { m.OfflinePush.IgnoreMute = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.Muted)}, device: true},
		"mentions_only":                {user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MentionsOnly)}, want: Muted, device: true},
		"mentions_only_and_mentioned":  {message: func(m *hongyan.Message) { m.Mentions = []string{"bob"} }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MentionsOnly)}, device: true},
		"mentions_only_and_all":        {message: func(m *hongyan.Message) { m.MentionAll = true }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.MentionsOnly)}, device: true},
		"other_conversation_muted":     {message: func(m *hongyan.Message) { m.Conversation.ID = "d" }, user: &directory.User{Devices: []directory.Device{phone(nil)}, Settings: muted(hongyan.Muted)}, device: true},
		"quiet_hours":                  {user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "11:00", "13:00", "")}, want: Quiet, device: true},
		"quiet_hours_pass_midnight":    {user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "22:00", "12:01", "Asia/Shanghai")}, want: Quiet, device: true},
		"quiet_hours_are_over":         {user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "22:00", "12:00", "Asia/Shanghai")}, device: true},
		"quiet_hours_let_calls_pass":   {message: call(hongyan.Invite), user: &directory.User{Devices: []directory.Device{phone(nil)}, Quiet: window(t, "11:00", "13:00", "")}, device: true},
		"unknown_certificate":          {user: &directory.User{Devices: []directory.Device{phone(func(d *directory.Device) { d.Registration.Certificate = "gone" })}}, want: NoAccount, device: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Plan(message(c.message), []string{"bob"}, c.policy, func(string) *directory.User { return c.user }, func(id string) bool { return id == "c1" }, noon)
			if len(got) != 1 {
				t.Fatalf("%d decisions for one device", len(got))
			}
			if got[0].Suppressed != c.want || (got[0].Device != nil) != c.device {
				t.Errorf("got %q (device %v), want %q (device %v)", got[0].Suppressed, got[0].Device != nil, c.want, c.device)
			}
		})
	}
}

func TestPlanActiveElsewhere(t *testing.T) {
	t.Parallel()
	pad := phone(func(d *directory.Device) { d.ID = "pad"; d.Presence = present(hongyan.Foreground, time.Second) })
	user := &directory.User{Devices: []directory.Device{phone(nil), pad}}
	for _, quiet := range []bool{false, true} {
		got := Plan(message(nil), []string{"bob"}, Policy{QuietWhenActiveElsewhere: quiet}, func(string) *directory.User { return user }, func(string) bool { return true }, noon)
		if len(got) != 2 {
			t.Fatalf("%d decisions for two devices", len(got))
		}
		want := map[string]Suppression{"phone": "", "pad": InFront}
		if quiet {
			want["phone"] = Elsewhere
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
		m.Content = hongyan.Content{Type: hongyan.CallType, Call: &hongyan.Call{Media: "audio", Action: hongyan.Invite, ID: "x"}}
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
			got := Plan(message(c.change), []string{"bob"}, Policy{}, func(string) *directory.User { return &directory.User{Devices: []directory.Device{iphone}} },
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
