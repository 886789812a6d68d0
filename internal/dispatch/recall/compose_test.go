package recall

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var app = route.App{Accounts: map[string]route.Account{
	"c": {App: "demo", Vendor: "apns", Certificate: "c"}, "h": {App: "demo", Vendor: "huawei", Certificate: "h"},
}}

func phone(certificate, locale string, state hongyan.PresenceState) *directory.Device {
	d := &directory.Device{ID: "d", Registration: hongyan.Device{Certificate: certificate, Token: "token", Locale: locale}, Revision: 7}
	if state != "" {
		d.Presence = &hongyan.Presence{State: state}
	}
	return d
}

// What cannot be overwritten, and what need not be, is a line; the rest is a job for each
// certificate, partition, language and place on the screen.
func TestCompose(t *testing.T) {
	t.Parallel()
	recalled := route.Recall{App: "demo", Signal: hongyan.Signal{MessageID: "m-1", Conversation: "g-7"}, Stored: noon}
	w := Withdrawal{Recall: recalled, Pushes: []Push{
		{User: "bob", Device: "d", Certificate: "c", At: noon.Add(-time.Minute), Registered: phone("c", "en", "")},
		{User: "bob", Device: "e", Certificate: "c", At: noon, Registered: phone("c", "en-GB", hongyan.StateForeground)},
		{User: "bob", Device: "f", Certificate: "h", At: noon, Registered: phone("h", "en", "")},
		{User: "bob", Device: "g", Certificate: "c", Shown: "group/k", At: noon, Registered: phone("c", "zh-CN", hongyan.StateBackground)},
		{User: "bob", Device: "h", Certificate: "c", At: noon, Registered: phone("other", "en", "")},
		{User: "bob", Device: "i", Certificate: "c", At: noon},
		{User: "bob", Device: "j", Certificate: "c", At: noon, Registered: phone("c", "en", hongyan.StateLoggedOut)},
		{User: "bob", Device: "k", Certificate: "c", At: noon, Registered: phone("c", "en", hongyan.StateKicked)},
		{User: "bob", Device: "l", Certificate: "c", Shown: "voip/k", At: noon, Registered: phone("c", "en", "")},
		{User: "bob", Device: "m", Certificate: "c", Shown: "/k", At: noon, Displaced: true, Registered: phone("c", "en", "")},
		{User: "bob", Device: "n", Certificate: "unknown", At: noon, Registered: phone("unknown", "en", "")},
	}}
	jobs, lines := Compose(w, app, nil, noon)
	var got []string
	for _, j := range jobs {
		n := j.Notification
		for _, target := range j.Targets {
			got = append(got, fmt.Sprintf("%s %s %s %s", target.Device, j.Certificate, j.Variant, n.Kind))
		}
		want := dispatch.Key("demo", "m-1")
		if n.Kind == vendors.KindGroup {
			want = "k"
		}
		if !j.Withdraws || !n.Quiet || !n.NoTitle || n.ReplaceKey != want || n.Key == dispatch.Key("demo", "m-1") || n.Title == "" || n.Body == "" || !n.Deadline.Equal(noon.Add(outlives)) ||
			j.Lane != hongyan.LaneNormal || j.Targets[0].Revision != 7 {
			t.Errorf("job %+v of %+v", j, n)
		}
	}
	for _, l := range lines {
		got = append(got, l.Device.Device+" "+string(l.Status)+" "+string(l.Device.Reason))
	}
	want := []string{
		"d c en-recalled// c2c", "e c en-recalled// c2c", "f h en-recalled// c2c", "g c zh-CN-recalled//group/k group",
		"h withdrawn not_possible", "i withdrawn not_possible", "j withdrawn not_possible", "k withdrawn not_possible", "l withdrawn not_possible",
		"m withdrawn overwritten", "n withdrawn not_possible",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("composed (-want +got):\n%s", diff)
	}
}

// A recall that is composed again makes jobs of the same names.
func TestComposeAgain(t *testing.T) {
	t.Parallel()
	q := &question{asked: asked{"demo", "m-1"}, recall: route.Recall{App: "demo", Signal: hongyan.Signal{MessageID: "m-1"}, Stored: noon}, pushes: map[device]*push{}}
	users := map[directory.Ref]*directory.User{}
	for i := range 40 {
		d := device{fmt.Sprint("u", i), "d"}
		q.pushes[d] = &push{device: d, certificate: "c", at: noon}
		users[directory.Ref{App: "demo", User: d.user}] = &directory.User{Devices: []directory.Device{*phone("c", "", "")}}
	}
	names := func() (all []string) {
		jobs, _ := Compose(q.plan(users, route.Policy{}), app, nil, noon)
		for _, j := range jobs {
			all = append(all, fmt.Sprint(j.Name(), len(j.Targets)))
		}
		return all
	}
	first := names()
	for range 20 {
		if diff := cmp.Diff(first, names()); diff != "" {
			t.Fatalf("another time (-first +now):\n%s", diff)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for _, n := range []*vendors.Notification{
		{Kind: vendors.KindC2C}, {Kind: vendors.KindGroup}, {Kind: vendors.KindMention, ReplaceKey: "abc"}, {Kind: vendors.KindC2C, ReplaceKey: "abc"},
		{Kind: vendors.KindCall, ReplaceKey: "abc", VoIP: true},
	} {
		s := dispatch.ShownOf(n)
		if s.Kind() != n.Kind || s.ReplaceKey() != n.ReplaceKey || s.VoIP() != n.VoIP {
			t.Errorf("%+v is written %q and read as %q %q %v", n, s, s.Kind(), s.ReplaceKey(), s.VoIP())
		}
	}
	if s := dispatch.ParseShown(dispatch.PlainShown); s.Kind() != vendors.KindC2C || s != "" {
		t.Errorf("the plain one is read as %q", s)
	}
}
