package route

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func decisions(n int, change func(i int, d *Decision)) []Decision {
	var list []Decision
	for i := range n {
		dev := phone(nil)
		d := Decision{User: fmt.Sprintf("u%d", i), Device: &dev, Certificate: "c1", Token: fmt.Sprintf("t%d", i)}
		if change != nil {
			change(i, &d)
		}
		list = append(list, d)
	}
	return list
}

// demo is an app with the certificate c1.
var demo = App{Accounts: map[string]Account{"c1": {App: "demo", Vendor: "huawei", Certificate: "c1"}}}

func TestComposeSeparates(t *testing.T) {
	t.Parallel()
	m := message(func(m *hongyan.Message) {
		m.Content = hongyan.Content{Type: hongyan.ContentImage}
		m.Unread = map[string]int{"u0": 7}
	})
	jobs := Compose(m, "demo", demo, decisions(250, func(i int, d *Decision) {
		if i%2 == 1 {
			d.Device.Registration.Locale = "en"
		}
		if i == 3 {
			d.Suppressed = hongyan.Muted
		}
	}), noon, nil)
	devices, names := 0, map[string]bool{}
	for _, j := range jobs {
		devices += len(j.Targets)
		names[j.Name()] = true
		for _, target := range j.Targets {
			if hongyan.Partition(target.User) != hongyan.Partition(j.Targets[0].User) {
				t.Errorf("job %s has users of several partitions", j.Name())
			}
			if target.User == "u0" && (target.Badge == nil || *target.Badge != 7) {
				t.Errorf("badge of u0 is %v", target.Badge)
			}
		}
	}
	if want := 2 * hongyan.Partitions; devices != 249 || len(jobs) != want || len(names) != want {
		t.Errorf("%d devices in %d jobs with %d names, want 249 in %d", devices, len(jobs), len(names), want)
	}
}

// A job's name comes from the message, not from the devices that happen to be in it: a message that
// is planned again makes the same jobs, whatever changed in between.
func TestJobNameOutlivesChanges(t *testing.T) {
	t.Parallel()
	list := decisions(3, func(_ int, d *Decision) { d.User = "bob" })
	name := func(ds ...Decision) string { return Compose(message(nil), "demo", demo, ds, noon, nil)[0].Name() }
	if name(list...) != name(list[1]) || name(list[0], list[1]) != name(list[2], list[0]) {
		t.Error("the devices or their order change the name")
	}
	other := Compose(message(nil), "demo", demo, list, noon.Add(1), nil)[0].Name()
	if name(list...) == other {
		t.Error("two messages of one id, published one after the other, make jobs of one name")
	}
}

func TestComposeBoundsHostileTexts(t *testing.T) {
	t.Parallel()
	m := message(func(m *hongyan.Message) {
		m.OfflinePush.Title = strings.Repeat("👨‍👩‍👧‍👦", 1<<16)
		m.OfflinePush.Desc = strings.Repeat("很长", 1<<19)
	})
	n := Compose(m, "demo", demo, decisions(1, nil), noon, nil)[0].Notification
	if len(n.Title) > 8<<10 || len(n.Body) > 8<<10 || !utf8.ValidString(n.Title) || !utf8.ValidString(n.Body) {
		t.Errorf("title of %d bytes, body of %d", len(n.Title), len(n.Body))
	}
}

// Of the options of a message a job carries those that the vendor's configuration chooses.
func TestComposeAsksForOptions(t *testing.T) {
	t.Parallel()
	m := message(func(m *hongyan.Message) {
		m.OfflinePush.IOS.Sound, m.OfflinePush.Android.Sound = "ding.caf", "ding"
	})
	choosy := App{Accounts: map[string]Account{"c1": {App: "demo", Vendor: "huawei", Certificate: "c1",
		Options: func(push *hongyan.OfflinePush) vendors.Options { return vendors.Options{IOS: push.IOS} }}}}
	if n := Compose(m, "demo", choosy, decisions(1, nil), noon, nil)[0].Notification; n.IOS.Sound != "ding.caf" || n.Android.Sound != "" {
		t.Errorf("got %+v", n.Options)
	}
	data, err := Compose(m, "demo", demo, decisions(1, nil), noon, nil)[0].Encode()
	if err != nil || strings.Contains(string(data), "ding") {
		t.Errorf("a vendor that chooses nothing: %v, %s", err, data)
	}
}

func TestJobRoundTrip(t *testing.T) {
	t.Parallel()
	job := Compose(message(nil), "demo", demo, decisions(2, nil), noon, nil)[0]
	data, err := job.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := dispatch.DecodeJob(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || string(again) != string(data) {
		t.Errorf("a job changes on its way: %v\n%s\n%s", err, data, again)
	}
}

// The key depends on nothing but app, message, user and device.
func TestKeyIsStable(t *testing.T) {
	t.Parallel()
	got := dispatch.Key("demo", "m-1", "bob", "phone")
	if want := "9527ff98eeed6e1fa909bb08f4426a41"; got != want {
		t.Errorf("got %s, want %s: a worker of another version would repeat pushes under another key", got, want)
	}
	if got == dispatch.Key("demo", "m-1", "bob", "pad") || got == dispatch.Key("demo", "m-1bob", "", "phone") {
		t.Error("different devices share a key")
	}
}

// All events of a call replace each other on the screen, messages of a conversation only where the
// app's policy says so; what deduplicates stays the message's own.
func TestComposeReplaceKey(t *testing.T) {
	t.Parallel()
	collapsing := demo
	collapsing.Policy.Collapse = true
	compose := func(id string, acc App, change func(*hongyan.Message)) *vendors.Notification {
		m := message(change)
		m.ID = id
		return Compose(m, "demo", acc, decisions(1, nil), noon, nil)[0].Notification
	}
	call := func(action hongyan.CallAction, id string) func(*hongyan.Message) {
		return func(m *hongyan.Message) {
			m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: action, ID: id}}
		}
	}
	for name, c := range map[string]struct {
		a, b     *vendors.Notification
		replaces bool
	}{
		"cancel":             {compose("m-1", demo, call(hongyan.CallInvite, "x")), compose("m-2", demo, call(hongyan.CallCancel, "x")), true},
		"another_call":       {compose("m-1", demo, call(hongyan.CallInvite, "x")), compose("m-2", demo, call(hongyan.CallInvite, "y")), false},
		"chat":               {compose("m-1", demo, nil), compose("m-2", demo, nil), false},
		"collapsed":          {compose("m-1", collapsing, nil), compose("m-2", collapsing, nil), true},
		"call_among_chat":    {compose("m-1", collapsing, nil), compose("m-2", collapsing, call(hongyan.CallInvite, "x")), false},
		"other_conversation": {compose("m-1", collapsing, nil), compose("m-2", collapsing, func(m *hongyan.Message) { m.Conversation.ID = "other" }), false},
	} {
		if got := c.a.Replaces() == c.b.Replaces(); got != c.replaces {
			t.Errorf("%s: replaces is %v", name, got)
		}
		if c.a.Key == c.b.Key {
			t.Errorf("%s: two messages share a key", name)
		}
	}
}

// A message is of another kind to those whom it mentions, and nobody else's notification changes
// for that.
func TestKinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*hongyan.Message)
		want   map[string]vendors.Kind
	}{
		"c2c":       {func(m *hongyan.Message) { m.Conversation.Type = hongyan.ConversationC2C }, map[string]vendors.Kind{"bob": vendors.KindC2C, "carol": vendors.KindC2C}},
		"group":     {func(*hongyan.Message) {}, map[string]vendors.Kind{"bob": vendors.KindGroup, "carol": vendors.KindGroup}},
		"mention":   {func(m *hongyan.Message) { m.Mentions = []string{"bob"} }, map[string]vendors.Kind{"bob": vendors.KindMention, "carol": vendors.KindGroup}},
		"everybody": {func(m *hongyan.Message) { m.MentionAll = true }, map[string]vendors.Kind{"bob": vendors.KindMention, "carol": vendors.KindMention}},
		"call": {func(m *hongyan.Message) {
			m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "c1"}}
			m.Mentions = []string{"bob"}
		}, map[string]vendors.Kind{"bob": vendors.KindCall, "carol": vendors.KindCall}},
	} {
		m := &hongyan.Message{ID: "m", Conversation: hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g"}, Sender: hongyan.Sender{ID: "alice"},
			Recipients: []string{"bob", "carol"}, Content: hongyan.Content{Type: hongyan.ContentText, Text: "hi"}}
		c.change(m)
		var decisions []Decision
		for _, user := range m.Recipients {
			decisions = append(decisions, Decision{User: user, Certificate: "c", Token: "t-" + user, Device: &directory.Device{ID: "d"}})
		}
		got := map[string]vendors.Kind{}
		names := map[string]bool{}
		for _, j := range Compose(m, "demo", App{Accounts: map[string]Account{"c": {App: "demo", Vendor: "xiaomi", Certificate: "c"}}}, decisions, time.Now(), nil) {
			if names[j.Name()] {
				t.Errorf("%s: two jobs of the name %s", name, j.Name())
			}
			names[j.Name()] = true
			for _, target := range j.Targets {
				got[target.User] = j.Notification.Kind
			}
		}
		if len(got) != len(c.want) || got["bob"] != c.want["bob"] || got["carol"] != c.want["carol"] {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// Devices with one token stand together in the job of the first of them, whatever their users'
// partitions and languages, but not where one of the users wants less to be shown.
func TestComposePutsOnePhoneTogether(t *testing.T) {
	t.Parallel()
	for _, n := range []int{4, 40} { // compared one by one, and by a table
		list := decisions(n, func(i int, d *Decision) {
			switch i {
			case 1, n - 1:
				d.Token = "shared"
				if i > 1 {
					d.Device.Registration.Locale = "en"
				}
			case 2:
				d.Token, d.Preview = "shared", hongyan.PreviewNone
			}
		})
		var with []string
		for _, j := range Compose(message(nil), "demo", demo, list, noon, nil) {
			for i, target := range j.Targets {
				if target.Token == "shared" {
					with = append(with, fmt.Sprint(target.User, " ", j.Notification.Preview))
					if target.User == list[n-1].User && (i == 0 || j.Targets[i-1].Token != "shared") {
						t.Errorf("%s does not stand behind the device with its token", target.User)
					}
				}
			}
		}
		if want := fmt.Sprintf("[u1  u%d  u2 none]", n-1); fmt.Sprint(with) != want {
			t.Errorf("of %d devices, those with one token are %v, want %s", n, with, want)
		}
	}
}
