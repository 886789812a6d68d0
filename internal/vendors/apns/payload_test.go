package apns

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func number(n int) *int { return &n }

func bare(change func(*Config)) *driver {
	c := &Config{Topic: testTopic}
	if change != nil {
		change(c)
	}
	return &driver{config: c}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config func(*Config)
		note   func(*vendors.Notification)
		badge  *int
		want   string
	}{
		{name: "plain", want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default"}}`},
		{name: "badge", badge: number(5), want: `{"aps":{"alert":{"title":"T","body":"B"},"badge":5,"sound":"default"}}`},
		// 0 takes the badge away; it must not be left out.
		{name: "badge_zero", badge: number(0), want: `{"aps":{"alert":{"title":"T","body":"B"},"badge":0,"sound":"default"}}`},
		{name: "badge_negative", badge: number(-3), want: `{"aps":{"alert":{"title":"T","body":"B"},"badge":0,"sound":"default"}}`},
		{name: "ignore_badge", badge: number(5), note: func(n *vendors.Notification) { n.IOS.IgnoreBadge = true },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default"}}`},
		{name: "no_sound", note: func(n *vendors.Notification) { n.IOS.Sound = "none" }, want: `{"aps":{"alert":{"title":"T","body":"B"}}}`},
		{name: "sound_of_message", config: func(c *Config) { c.Sound = "c.caf" }, note: func(n *vendors.Notification) { n.IOS.Sound = "m.caf" },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"m.caf"}}`},
		{name: "sound_of_certificate", config: func(c *Config) { c.Sound = "c.caf" }, want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"c.caf"}}`},
		{name: "sound_too_long", note: func(n *vendors.Notification) { n.IOS.Sound = strings.Repeat("x", 5000) },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default"}}`},
		{name: "critical", note: func(n *vendors.Notification) { n.IOS.InterruptionLevel = "critical" },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":{"critical":1,"volume":1,"name":"default"},"interruption-level":"critical"}}`},
		{name: "level_of_message", config: func(c *Config) { c.InterruptionLevel = "passive" }, note: func(n *vendors.Notification) { n.IOS.InterruptionLevel = "time-sensitive" },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default","interruption-level":"time-sensitive"}}`},
		{name: "level_unknown", note: func(n *vendors.Notification) { n.IOS.InterruptionLevel = "loud" }, want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default"}}`},
		{name: "titles", note: func(n *vendors.Notification) { n.IOS.Title, n.IOS.Subtitle = "iT", "iS" },
			want: `{"aps":{"alert":{"title":"iT","subtitle":"iS","body":"B"},"sound":"default"}}`},
		{name: "thread", note: func(n *vendors.Notification) { n.Conversation = "g-7" }, want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default","thread-id":"g-7"}}`},
		{name: "mutable", note: func(n *vendors.Notification) { n.IOS.MutableContent = true }, want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default","mutable-content":1},"sender":"T"}`},
		{name: "mutable_by_default", config: func(c *Config) { c.MutableContent = true }, want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default","mutable-content":1},"sender":"T"}`},
		// The notification service extension fetches the image, and runs only with mutable-content.
		{name: "image", note: func(n *vendors.Notification) { n.IOS.Image = "https://x/y.png" },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default","mutable-content":1},"image":"https://x/y.png","sender":"T"}`},
		// ext stands beside aps, as the string it is, whatever it looks like. Nothing is escaped
		// for HTML.
		{name: "ext", note: func(n *vendors.Notification) { n.Ext = `{"a":"<&>"}` },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default"},"ext":"{\"a\":\"<&>\"}"}`},
		{name: "call", note: func(n *vendors.Notification) { n.Call = &hongyan.Call{ID: "c7", Media: "video", Action: "invite"} },
			want: `{"aps":{"alert":{"title":"T","body":"B"},"sound":"default"},"call":{"call_id":"c7","media":"video","action":"invite"}}`},
		{name: "voip", badge: number(3), note: func(n *vendors.Notification) {
			n.VoIP, n.Conversation, n.MessageID, n.Ext = true, "g-7", "m-1", "e"
			n.Call = &hongyan.Call{ID: "c7", Media: "audio", Action: "invite"}
		}, want: `{"aps":{},"call":{"call_id":"c7","media":"audio","action":"invite","title":"T","body":"B","conversation":"g-7","message_id":"m-1"},"ext":"e"}`},
		{name: "voip_without_call", note: func(n *vendors.Notification) { n.VoIP = true }, want: `{"aps":{},"call":{"title":"T","body":"B"}}`},
		{name: "nothing_printable", note: func(n *vendors.Notification) { n.Title, n.Body = "\x00", "\x07\x1b" }, want: `{"aps":{"alert":{"body":"…"},"sound":"default"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := &vendors.Notification{Title: "T", Body: "B"}
			if c.note != nil {
				c.note(n)
			}
			got, _, err := bare(c.config).payload(n, c.badge)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPayloadFits: whatever the notification, the payload keeps to APNs' limit and uses what it
// may, whole graphemes, ext untouched.
func TestPayloadFits(t *testing.T) {
	t.Parallel()
	family := "👨‍👩‍👧‍👦"
	for _, voip := range []bool{false, true} {
		limit := maxPayload
		if voip {
			limit = maxVoIPPayload
		}
		for _, c := range []struct {
			name  string
			note  vendors.Notification
			least int // bytes that the payload has at least: nothing is cut for nothing
		}{
			{"long_body", vendors.Notification{Title: "张三", Body: strings.Repeat("很长"+family, 1000)}, limit - 60},
			{"long_title", vendors.Notification{Title: strings.Repeat(family, 1000), Body: "short"}, 290},
			{"ten_megabytes", vendors.Notification{Title: strings.Repeat("很长的", 1_000_000), Body: strings.Repeat("x", 10_000_000)}, limit - 60},
			{"everything", vendors.Notification{Title: strings.Repeat("t", 9000), Body: strings.Repeat("b", 9000), Options: vendors.Options{IOS: hongyan.IOS{Subtitle: strings.Repeat("s", 9000)}}}, limit - 60},
			// One byte in the text, six in JSON. A control character is dropped.
			{"quotes", vendors.Notification{Title: "t", Body: strings.Repeat("\"\\\n", 3000)}, limit - 60},
			{"html", vendors.Notification{Title: "t", Body: strings.Repeat("<&>", 3000)}, limit - 60},
			{"not_utf8", vendors.Notification{Title: "t\xff", Body: strings.Repeat("\xff\xfea", 9000)}, limit - 60},
			{"big_ext", vendors.Notification{Title: "title", Body: strings.Repeat("b", 9000), Ext: strings.Repeat("e", limit-500)}, limit - 60},
			// Room for a few letters: the body goes, then the title.
			{"ext_leaves_little", vendors.Notification{Title: "title of some length", Body: "body", Ext: strings.Repeat("e", limit-125)}, limit - 60},
			{"image_goes_before_text", vendors.Notification{Title: "title", Body: "body", Options: vendors.Options{IOS: hongyan.IOS{Image: "https://x/" + strings.Repeat("i", 6000)}}}, 45},
			{"long_names", vendors.Notification{Title: "t", Body: strings.Repeat("b", 9000), Conversation: strings.Repeat("c", 9000)}, limit - 60},
			{"monstrous_grapheme", vendors.Notification{Title: "a" + strings.Repeat("\u0301", 9000), Body: "b"}, 40},
		} {
			t.Run(fmt.Sprintf("%s/voip_%v", c.name, voip), func(t *testing.T) {
				t.Parallel()
				n := c.note
				n.VoIP = voip
				if !voip {
					n.MessageID = "m"
				}
				d := bare(nil)
				for _, badge := range []*int{nil, number(1 << 40)} {
					got, _, err := d.payload(&n, badge)
					if err != nil {
						t.Fatal(err)
					}
					if len(got) > limit || len(got) < min(c.least, limit) {
						t.Errorf("%d bytes, limit %d, want at least %d", len(got), limit, c.least)
					}
					if !json.Valid(got) || !utf8.Valid(got) {
						t.Fatalf("not JSON: %s", got)
					}
					var back struct {
						Ext string `json:"ext"`
						APS struct {
							Alert struct{ Title, Body string } `json:"alert"`
						} `json:"aps"`
						Call struct{ Title, Body string } `json:"call"`
					}
					if err := json.Unmarshal(got, &back); err != nil {
						t.Fatal(err)
					}
					if back.Ext != n.Ext {
						t.Error("ext was changed")
					}
					if back.APS.Alert.Title+back.APS.Alert.Body+back.Call.Title+back.Call.Body == "" {
						t.Error("nothing to show")
					}
					if strings.HasSuffix(strings.TrimSuffix(back.APS.Alert.Body, "…"), "\u200d") {
						t.Error("a grapheme was cut")
					}
				}
			})
		}
	}
}

// TestExtTooLarge: ext is never cut; one that leaves no room for a text is left out, and told.
func TestExtTooLarge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		note *vendors.Notification
		want string
	}{
		{&vendors.Notification{Title: "t", Body: "b", Ext: strings.Repeat("e", 4096)}, vendors.NoteExtDropped},
		{&vendors.Notification{Title: "t", Body: "b", Ext: strings.Repeat("e", 5120), VoIP: true}, vendors.NoteExtDropped},
		{&vendors.Notification{Title: "a" + strings.Repeat("\u0301", 9000), Body: "b", Ext: strings.Repeat("e", 3900)}, ""},
		{&vendors.Notification{Title: "t", Body: strings.Repeat("b", 5000), Ext: strings.Repeat("e", 3800)}, ""},
		{&vendors.Notification{Title: "t", Body: "b", Options: vendors.Options{IOS: hongyan.IOS{Image: "https://x/" + strings.Repeat("i", 4000)}}}, vendors.NoteImageDropped},
	} {
		rig := vendortest.NewRig(t, subject(), nil)
		got := one(t, rig.Driver, c.note)
		if got.Reason != vendors.Accepted || got.Note != c.want {
			t.Errorf("got %+v, want the note %q", got, c.want)
			continue
		}
		if p := rig.Sandbox.Pushes()[0]; c.want != vendors.NoteExtDropped && p.Ext != c.note.Ext {
			t.Errorf("the app gets an ext of %d bytes, want %d", len(p.Ext), len(c.note.Ext))
		}
	}
}

// TestFittedOnce: shortening is remembered for the next device of the same notification, and only
// for that.
func TestFittedOnce(t *testing.T) { // not parallel: it counts allocations
	d := bare(nil)
	a := &vendors.Notification{Title: "t", Body: strings.Repeat("很长👨‍👩‍👧‍👦", 1000)}
	b := *a
	b.Title = "other"
	first, _, _ := d.payload(a, nil)
	again, _, _ := d.payload(a, nil)
	other, _, _ := d.payload(&b, nil)
	if string(first) != string(again) || !strings.Contains(string(other), "other") {
		t.Error("the same notification got two payloads, or another one the same")
	}
	if allocs := testing.AllocsPerRun(10, func() { d.payload(&b, nil) }); allocs > 2 {
		t.Errorf("%v allocations for a notification that was fitted before", allocs)
	}
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\\b\f\n\r\t\x00\x1f\x7f", "é很👨‍👩‍👧‍👦", "\xff\xc0", "<&>\u2028\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, _ := jsontext.AppendQuote(nil, s)
		if got := quoted(s); got != len(out)-2 {
			t.Errorf("quoted(%q) is %d, want %d", s, got, len(out)-2)
		}
	})
}

// TestVoIP: a call by PushKit, as the strict fake sees it.
func TestVoIP(t *testing.T) {
	t.Parallel()
	rig := vendortest.NewRig(t, subject(), nil)
	n := &vendors.Notification{
		Key: chat().Key, MessageID: "m-7", Conversation: "c2c_lilei", Title: "李雷", Body: "邀请你语音通话", Ext: `{"room":7}`, VoIP: true, Urgent: true,
		Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite, ID: "call-7"}, Deadline: time.Now().Add(time.Minute),
	}
	if got := one(t, rig.Driver, n); got.Reason != vendors.Accepted || got.VendorID != "00000000-0000-0000-0000-000000abc000" {
		t.Fatalf("%v %s (%v): %v", got.Reason, got.Code, got.Err, rig.Sandbox.Violations())
	}
	p := rig.Sandbox.Pushes()[0]
	want := sandbox.Push{
		Seq: p.Seq, At: p.At, Vendor: "apns", App: testTopic + ".voip", Token: testToken(0), Key: n.Key, VendorID: p.VendorID,
		Title: "李雷", Body: "邀请你语音通话", Ext: `{"room":7}`, Class: "voip", Call: true, CallID: "call-7",
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	// The PushKit token is not the one for alerts.
	if got := one(t, rig.Driver, chat()); got.Reason != vendors.BadToken || got.Code != "DeviceTokenNotForTopic" {
		t.Errorf("an alert to a VoIP token: %v %s", got.Reason, got.Code)
	}
}

// TestRichPush: everything a message may ask for, accepted by the strict fake.
func TestRichPush(t *testing.T) {
	t.Parallel()
	rig := vendortest.NewRig(t, subject(), nil)
	n := chat()
	n.IOS = hongyan.IOS{Title: "张三 (iOS)", Subtitle: "家人群", Sound: "bell.caf", Image: "https://img.example.com/a.png", InterruptionLevel: "time-sensitive"}
	b := rig.Batch(1, n)
	b.Devices[0].Badge = number(7)
	if got := rig.Driver.Push(t.Context(), b)[0]; got.Reason != vendors.Accepted {
		t.Fatalf("%v %s: %v", got.Reason, got.Code, rig.Sandbox.Violations())
	}
	p := rig.Sandbox.Pushes()[0]
	if p.Title != "张三 (iOS)" || p.Subtitle != "家人群" || p.Sound != "bell.caf" || p.Image != n.IOS.Image || *p.Badge != 7 || p.Ext != n.Ext || p.Call {
		t.Errorf("%+v", p)
	}
}
