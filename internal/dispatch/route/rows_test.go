package route

import (
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// scene is what a message to one user with a phone and a pad is decided by.
type scene struct {
	m      *hongyan.Message
	policy Policy
	user   *directory.User
	said   marks.Said
	known  bool
}

func newScene() *scene {
	pad := phone(func(d *directory.Device) { d.ID = "pad" })
	return &scene{
		m: message(nil), policy: Policy{StaleAfter: 7 * 24 * time.Hour},
		user: &directory.User{Devices: []directory.Device{pad, phone(nil)}}, known: true,
	}
}

// plan is the decision on the phone, or on the user where there is none.
func (s *scene) plan() hongyan.Reason {
	all := Plan(s.m, s.policy, []*directory.User{s.user}, &s.said, func(string) bool { return s.known }, noon)
	return all[len(all)-1].Suppressed
}

func (s *scene) phone() *directory.Device {
	if s.user == nil {
		return &directory.Device{}
	}
	return &s.user.Devices[1]
}

func (s *scene) call(action hongyan.CallAction) {
	s.m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "audio", Action: action, ID: "x"}}
}

// rows make each row of the decision table apply, in the order of the table. Some have several
// ways.
var rows = []struct {
	why   hongyan.Reason
	apply func(t *testing.T, s *scene)
}{
	{hongyan.Disabled, func(_ *testing.T, s *scene) { s.m.OfflinePush.Disable = true }},
	{hongyan.Expired, func(_ *testing.T, s *scene) { s.m.SentAt = noon.Add(-25 * time.Hour) }},
	{hongyan.Recalled, func(_ *testing.T, s *scene) { s.said.Recalled = true }},
	{hongyan.Read, func(_ *testing.T, s *scene) { s.said.Read = []bool{true} }},
	{hongyan.OwnMessage, func(_ *testing.T, s *scene) { s.m.Sender.ID = "bob" }},
	{hongyan.NoContent, func(_ *testing.T, s *scene) { s.m.Content = hongyan.Content{Type: hongyan.ContentCustom} }},
	{hongyan.NoContent, func(_ *testing.T, s *scene) { s.call(hongyan.CallCancel) }}, // nobody was rung
	{hongyan.CallOver, func(_ *testing.T, s *scene) { s.call(hongyan.CallInvite); s.said.Over = []bool{true} }},
	{hongyan.NoDevice, func(_ *testing.T, s *scene) { s.user = nil }},
	{hongyan.LoggedOut, func(_ *testing.T, s *scene) { s.phone().Presence = present(hongyan.StateLoggedOut, 0) }},
	{hongyan.Kicked, func(_ *testing.T, s *scene) { s.phone().Presence = present(hongyan.StateKicked, 0) }},
	{hongyan.NotificationsOff, func(_ *testing.T, s *scene) { s.phone().Registration.Notifications = hongyan.SwitchOff }},
	{hongyan.TooManyDevices, func(_ *testing.T, s *scene) { s.phone().TooMany = true }},
	{hongyan.Stale, func(_ *testing.T, s *scene) { s.phone().Heard = noon.Add(-8 * 24 * time.Hour) }},
	{hongyan.Foreground, func(_ *testing.T, s *scene) { s.phone().Presence = present(hongyan.StateForeground, time.Second) }},
	{hongyan.ActiveElsewhere, func(_ *testing.T, s *scene) {
		s.policy.QuietWhenActiveElsewhere = true
		if s.user != nil {
			s.user.Devices[0].Presence = present(hongyan.StateForeground, time.Second)
		}
	}},
	{hongyan.Muted, func(_ *testing.T, s *scene) {
		if s.user != nil {
			s.user.Settings = muted(hongyan.MuteAll)
		}
	}},
	{hongyan.QuietHours, func(t *testing.T, s *scene) {
		if s.user != nil {
			s.user.Quiet = window(t, "11:00", "13:00", "")
		}
	}},
	{hongyan.UnknownCertificate, func(_ *testing.T, s *scene) { s.known = false }},
}

// apart says that two rows cannot apply together, so that they have no order: what one of them
// needs, the other takes away.
func apart(a, b hongyan.Reason) bool {
	content := map[hongyan.Reason]bool{hongyan.NoContent: true, hongyan.CallOver: true}                          // a message has one content
	presence := map[hongyan.Reason]bool{hongyan.LoggedOut: true, hongyan.Kicked: true, hongyan.Foreground: true} // and a device one presence
	return content[a] && content[b] || presence[a] && presence[b] ||
		a == hongyan.CallOver && b == hongyan.QuietHours // calls pass
}

// Of each two rows that apply together the one that stands first in the table names the
// suppression, and each row alone does.
func TestPlanByPairsOfRows(t *testing.T) {
	t.Parallel()
	seen := map[hongyan.Reason]bool{}
	for i, first := range rows {
		seen[first.why] = true
		s := newScene()
		first.apply(t, s)
		if got := s.plan(); got != first.why {
			t.Errorf("%s alone gives %q", first.why, got)
		}
		for _, second := range rows[i+1:] {
			if first.why == second.why || apart(first.why, second.why) {
				continue
			}
			s := newScene()
			second.apply(t, s)
			first.apply(t, s)
			if got := s.plan(); got != first.why {
				t.Errorf("%s and %s give %q", first.why, second.why, got)
			}
		}
	}
	for _, why := range hongyan.Suppressions {
		if !seen[why] {
			t.Errorf("no row makes %s", why)
		}
	}
	if got := newScene().plan(); got != "" {
		t.Errorf("no row at all gives %q", got)
	}
}

// The same for what waited: what was said of the message comes before all that concerns the device.
func TestPlanAgainByPairsOfRows(t *testing.T) {
	t.Parallel()
	said := []hongyan.Reason{hongyan.Recalled, hongyan.Read, hongyan.CallOver}
	for i, why := range said {
		var about marks.Said
		about.Recalled = why == hongyan.Recalled
		for _, later := range said[i:] {
			if later == hongyan.Read {
				about.Read = []bool{true}
			}
			if later == hongyan.CallOver {
				about.Over = []bool{true}
			}
		}
		if got := about.Of(0); got != why {
			t.Errorf("what was said gives %q, want %s", got, why)
		}
		for _, row := range rows {
			s := newScene()
			d := phone(nil)
			job := waited(t, s.m, d)
			row.apply(t, s)
			if got := PlanAgain(job, job.Targets[0], s.policy, about.Of(0), s.user, noon); got != (dispatch.Decided{Suppressed: why}) {
				t.Errorf("%s and %s give %q", why, row.why, got.Suppressed)
			}
		}
	}
}

// A call's events: what is planned for a device that was rung, and for one that was not.
func TestPlanCallEvents(t *testing.T) {
	t.Parallel()
	rang := marks.NewState([]*marks.Mark{{What: marks.Call, CallID: "x", Message: "i", At: noon.Add(-time.Minute),
		Rang: []marks.Rang{{Devices: []string{dispatch.DeviceHash("bob", "phone"), dispatch.DeviceHash("bob", "iphone")}}}}})
	iphone := phone(func(d *directory.Device) {
		d.ID, d.Registration.VoIP = "iphone", &hongyan.VoIP{Certificate: "v1", Token: "vt"}
	})
	voipOnly := phone(func(d *directory.Device) {
		d.ID, d.Registration = "iphone", hongyan.Device{VoIP: &hongyan.VoIP{Certificate: "v1", Token: "vt"}}
	})
	pad := phone(func(d *directory.Device) { d.ID = "pad" })
	for name, c := range map[string]struct {
		action    hongyan.CallAction
		sender    hongyan.Sender
		recipient string
		device    directory.Device
		over      bool
		quiet     bool // inside quiet hours
		want      hongyan.Reason
	}{
		"rung":                    {action: hongyan.CallCancel, sender: hongyan.Sender{ID: "alice"}, device: phone(nil)},
		"rung_in_quiet_hours":     {action: hongyan.CallHangup, sender: hongyan.Sender{ID: "alice"}, device: phone(nil), quiet: true},
		"not_rung":                {action: hongyan.CallCancel, sender: hongyan.Sender{ID: "alice"}, device: pad, want: hongyan.NoContent},
		"over_before":             {action: hongyan.CallCancel, sender: hongyan.Sender{ID: "alice"}, device: phone(nil), over: true, want: hongyan.NoContent},
		"rung_over_voip":          {action: hongyan.CallCancel, sender: hongyan.Sender{ID: "alice"}, device: iphone},
		"rung_over_voip_alone":    {action: hongyan.CallCancel, sender: hongyan.Sender{ID: "alice"}, device: voipOnly, want: hongyan.NoDevice},
		"answered_there":          {action: hongyan.CallAnswer, sender: hongyan.Sender{ID: "bob", Device: "phone"}, device: phone(nil), want: hongyan.NoContent},
		"answered_on_another":     {action: hongyan.CallAnswer, sender: hongyan.Sender{ID: "bob", Device: "pad"}, device: phone(nil)},
		"answered_over_voip":      {action: hongyan.CallReject, sender: hongyan.Sender{ID: "bob", Device: "pad"}, device: iphone},
		"answered_by_another":     {action: hongyan.CallAnswer, sender: hongyan.Sender{ID: "carol", Device: "pad"}, device: phone(nil), want: hongyan.NoContent},
		"cancelled_by_themselves": {action: hongyan.CallCancel, sender: hongyan.Sender{ID: "bob"}, device: phone(nil), want: hongyan.OwnMessage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			s.call(c.action)
			s.m.Sender, s.user, s.said.Call = c.sender, &directory.User{Devices: []directory.Device{c.device}}, rang
			if c.over {
				s.said.Over = []bool{true}
			}
			if c.quiet {
				s.user.Quiet = window(t, "11:00", "13:00", "")
			}
			got := Plan(s.m, s.policy, []*directory.User{s.user}, &s.said, func(string) bool { return true }, noon)[0]
			if got.Suppressed != c.want || got.VoIP {
				t.Errorf("got %q, over VoIP: %v; want %q", got.Suppressed, got.VoIP, c.want)
			}
		})
	}
}
