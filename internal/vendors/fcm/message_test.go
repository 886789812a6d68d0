package fcm

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"firebase.google.com/go/v4/messaging"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func compose(change func(*Config, *vendors.Device, *vendors.Notification)) *messaging.Message {
	c := &Config{ChannelID: "im_messages"}
	n := vendortest.Chat()
	d := vendors.Device{Token: token(0), Key: strings.Repeat("ab", 16), Notification: n}
	if change != nil {
		change(c, &d, n)
	}
	m, _ := c.message(d, vendortest.Now)
	return m
}

func TestMessage(t *testing.T) {
	t.Parallel()
	if m := compose(nil); m.Android.CollapseKey != "" || m.Android.Notification.Tag != vendortest.Chat().Key || m.Android.Priority != "high" ||
		m.Data[keyMessage] != "m-1001" || m.Data[keyConversation] != "c2c_alice" || m.Data[keyExt] != `{"conversationID":"c2c_alice"}` {
		t.Errorf("plain chat: %+v %+v", m, m.Android)
	}
	number := func(n int) *int { return &n }
	for _, c := range []struct {
		name   string
		change func(*Config, *vendors.Device, *vendors.Notification)
		got    func(*messaging.Message) any
		want   any
	}{
		{"message_priority_wins", func(c *Config, _ *vendors.Device, n *vendors.Notification) {
			c.Priority, n.Android.FCMPriority = "high", "normal"
		}, func(m *messaging.Message) any { return m.Android.Priority }, "normal"},
		{"certificate_priority", func(c *Config, _ *vendors.Device, _ *vendors.Notification) { c.Priority = "NORMAL" },
			func(m *messaging.Message) any { return m.Android.Priority }, "normal"},
		// The SDK refuses any other word; a push is not lost over it.
		{"strange_priority", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Android.FCMPriority = "urgent" },
			func(m *messaging.Message) any { return m.Android.Priority }, "high"},
		{"message_channel_wins", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Android.FCMChannelID = "calls" },
			func(m *messaging.Message) any { return m.Android.Notification.ChannelID }, "calls"},
		{"sound_default", nil, func(m *messaging.Message) any { return m.Android.Notification.Sound }, "default"},
		{"sound_certificate", func(c *Config, _ *vendors.Device, _ *vendors.Notification) { c.Sound = "ding" },
			func(m *messaging.Message) any { return m.Android.Notification.Sound }, "ding"},
		{"sound_message", func(c *Config, _ *vendors.Device, n *vendors.Notification) { c.Sound, n.Android.Sound = "ding", "dong" },
			func(m *messaging.Message) any { return m.Android.Notification.Sound }, "dong"},
		{"ttl", nil, func(m *messaging.Message) any { return *m.Android.TTL }, 24 * time.Hour},
		{"ttl_passed", func(_ *Config, _ *vendors.Device, n *vendors.Notification) {
			n.Deadline = vendortest.Now.Add(-time.Hour)
		},
			func(m *messaging.Message) any { return *m.Android.TTL }, time.Duration(0)},
		{"ttl_five_weeks", func(_ *Config, _ *vendors.Device, n *vendors.Notification) {
			n.Deadline = vendortest.Now.Add(5 * 7 * 24 * time.Hour)
		}, func(m *messaging.Message) any { return *m.Android.TTL }, 28 * 24 * time.Hour},
		{"ttl_certificate", func(c *Config, _ *vendors.Device, _ *vendors.Notification) { c.TTL = 90*time.Second + time.Millisecond },
			func(m *messaging.Message) any { return *m.Android.TTL }, 90 * time.Second},
		{"badge", func(_ *Config, d *vendors.Device, _ *vendors.Notification) { d.Badge = number(5) },
			func(m *messaging.Message) any { return *m.Android.Notification.NotificationCount }, 5},
		{"badge_huge", func(_ *Config, d *vendors.Device, _ *vendors.Notification) { d.Badge = number(math.MaxInt) },
			func(m *messaging.Message) any { return *m.Android.Notification.NotificationCount }, math.MaxInt32},
		// 0 would count up by one.
		{"badge_zero", func(_ *Config, d *vendors.Device, _ *vendors.Notification) { d.Badge = number(0) },
			func(m *messaging.Message) any { return m.Android.Notification.NotificationCount == nil }, true},
		{"image", func(_ *Config, _ *vendors.Device, n *vendors.Notification) {
			n.Android.Image = "https://x.example/a.png"
		},
			func(m *messaging.Message) any { return m.Android.Notification.ImageURL }, "https://x.example/a.png"},
		{"image_no_url", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Android.Image = "a.png" },
			func(m *messaging.Message) any { return m.Android.Notification.ImageURL }, ""},
		{"click", func(c *Config, _ *vendors.Device, _ *vendors.Notification) { c.Click.Action = "OPEN.{conversation}" },
			func(m *messaging.Message) any { return m.Android.Notification.ClickAction }, "OPEN.c2c_alice"},
		{"call", func(_ *Config, _ *vendors.Device, n *vendors.Notification) {
			n.Call = &hongyan.Call{Media: "video", Action: hongyan.CallCancel, ID: "c-1"}
		}, func(m *messaging.Message) any {
			return m.Data[keyCallID] + m.Data[keyCallAction] + m.Data[keyCallMedia]
		}, "c-1cancelvideo"},
		{"ext_empty", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Ext = "" },
			func(m *messaging.Message) any { _, there := m.Data[keyExt]; return there }, false},
		{"ext_untouched", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Ext = "a\x01<b>\n" },
			func(m *messaging.Message) any { return m.Data[keyExt] }, "a\x01<b>\n"},
		{"nothing_but_controls", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Title, n.Body = "\x00", "\u0085\x1b" },
			func(m *messaging.Message) any { return m.Notification.Title + m.Notification.Body }, "…"},
		{"not_utf8", func(_ *Config, _ *vendors.Device, n *vendors.Notification) { n.Body = "a\xffb" },
			func(m *messaging.Message) any { return m.Notification.Body }, "ab"},
		{"data_only", func(c *Config, d *vendors.Device, _ *vendors.Notification) { c.DataOnly, d.Badge = dataAll, number(3) },
			func(m *messaging.Message) any {
				return fmt.Sprint(m.Notification == nil && m.Android.Notification == nil, m.Data[keyTitle], m.Data[keyBody], m.Data[keyTag][:2], m.Data[keyChannel], m.Data[keySound], m.Data[keyBadge])
			}, "true张三晚上八点见，不见不散01im_messagesdefault3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.got(compose(c.change)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	for key := range compose(func(c *Config, _ *vendors.Device, n *vendors.Notification) {
		c.DataOnly, n.Call = dataCalls, &hongyan.Call{ID: "c"}
	}).Data {
		if key == "from" || key == "message_type" || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm") {
			t.Errorf("data key %q is reserved", key)
		}
	}
}

// monsters are notifications that no limit was made for.
func monsters() map[string]*vendors.Notification {
	all := map[string]*vendors.Notification{}
	add := func(name string, change func(*vendors.Notification)) {
		n := vendortest.Chat()
		change(n)
		all[name] = n
	}
	add("title_10MB", func(n *vendors.Notification) { n.Title = strings.Repeat("群👩‍🚀", 10<<20/14) })
	add("body_10MB", func(n *vendors.Notification) { n.Body = strings.Repeat("<&>", 10<<20/3) })
	add("one_grapheme", func(n *vendors.Notification) { n.Body = "e" + strings.Repeat("\u0301", 1<<18) })
	add("ext_3900", func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 3900) })
	add("ext_10MB", func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 10<<20) })
	add("ext_of_quotes", func(n *vendors.Notification) { n.Ext = strings.Repeat(`"`, 2500) })
	add("ext_of_nuls", func(n *vendors.Notification) { n.Ext = strings.Repeat("\x00", 1500) })
	add("conversation_4000", func(n *vendors.Notification) { n.Conversation = strings.Repeat("c", 4000) })
	add("message_id_4000", func(n *vendors.Notification) { n.MessageID = strings.Repeat("m", 4000) })
	add("channel_5000", func(n *vendors.Notification) { n.Android.FCMChannelID = strings.Repeat("c", 5000) })
	add("sound_5000", func(n *vendors.Notification) { n.Android.Sound = strings.Repeat("s", 5000) })
	add("image_4000", func(n *vendors.Notification) { n.Android.Image = "https://x.example/" + strings.Repeat("i", 4000) })
	add("call_id_4000", func(n *vendors.Notification) { n.Call = &hongyan.Call{ID: strings.Repeat("c", 4000)} })
	add("all_at_once", func(n *vendors.Notification) {
		n.Title, n.Body, n.Ext = strings.Repeat("标", 9000), strings.Repeat("\u2028", 9000), strings.Repeat("e", 4000)
		n.Conversation, n.MessageID = strings.Repeat("c", 3000), strings.Repeat("m", 3000)
		n.Android.FCMChannelID, n.Android.Sound = strings.Repeat("c", 3000), strings.Repeat("s", 3000)
		n.Android.Image = "http://x.example/" + strings.Repeat("i", 3000)
	})
	add("not_utf8", func(n *vendors.Notification) { n.Title, n.Body = "\xff\xfe", strings.Repeat("\xf0\x9f", 5000) })
	return all
}

func TestMonstersAreAccepted(t *testing.T) {
	t.Parallel()
	for _, dataOnly := range []string{dataNone, dataAll} {
		r := vendortest.NewRig(t, subject(func(c *Config) { c.DataOnly, c.Click.Action = dataOnly, "OPEN.{ext}.{conversation}" }), nil)
		for name, n := range monsters() {
			if got := push(r, n); got.Reason != vendors.Accepted {
				t.Errorf("%s (data only: %s): got %v (code %q, err %v)", name, dataOnly, got.Reason, got.Code, got.Err)
			}
		}
		for _, v := range r.Sandbox.Violations() {
			t.Errorf("broken rule: %s", v.Rule)
		}
		for _, p := range r.Sandbox.Pushes() {
			if p.Key == "" || p.Title+p.Body == "" {
				t.Errorf("a push without a tag or a text: %+v", p)
			}
		}
	}
}

// TestWeight: the count is never below what the SDK marshals, whatever the notification.
func TestWeight(t *testing.T) {
	t.Parallel()
	all := monsters()
	for name, n := range vendortest.Corpus() {
		all[name] = n
	}
	for name, n := range all {
		for _, dataOnly := range []string{dataNone, dataAll} {
			c := &Config{ChannelID: "im_messages", DataOnly: dataOnly}
			c.Click.Action = "OPEN_{conversation}"
			badge := math.MaxInt32
			d := vendors.Device{Key: strings.Repeat("ab", 16), Notification: n, Badge: &badge}
			m, _ := c.message(d, vendortest.Now)
			b, err := json.Marshal(map[string]any{"message": m})
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > maxBytes {
				t.Errorf("%s: %d bytes of JSON without the token", name, len(b))
			}
			if dataOnly == dataNone {
				if w := weight(m); w < len(b) || w > len(b)+frame+frameAPNS {
					t.Errorf("%s: weight %d of %d bytes of JSON", name, w, len(b))
				}
			}
		}
	}
}

// TestShapeOrder: texts give way to the ext, the ext to nothing but a text worth reading.
func TestShapeOrder(t *testing.T) {
	t.Parallel()
	long := func(bytes int) *messaging.Message {
		return compose(func(_ *Config, _ *vendors.Device, n *vendors.Notification) {
			n.Ext, n.Body = strings.Repeat("x", bytes), strings.Repeat("很长的话。", 500)
		})
	}
	if m := long(2500); len(m.Data[keyExt]) != 2500 || len(m.Notification.Body) < 300 || !strings.HasSuffix(m.Notification.Body, "…") {
		t.Errorf("ext of 2,500 bytes: ext %d, body %d bytes", len(m.Data[keyExt]), len(m.Notification.Body))
	}
	if m := long(3400); len(m.Data[keyExt]) != 3400 || m.Notification.Body == "" || m.Android.Notification.Tag == "" {
		t.Errorf("ext of 3,400 bytes: ext %d, body %d bytes", len(m.Data[keyExt]), len(m.Notification.Body))
	}
	if m := long(3800); m.Data[keyExt] != "" || len(m.Notification.Body) < 3000 || m.Data[keyConversation] == "" {
		t.Errorf("ext of 3,800 bytes: ext %d, body %d bytes", len(m.Data[keyExt]), len(m.Notification.Body))
	}
	if m := compose(func(_ *Config, _ *vendors.Device, n *vendors.Notification) {
		n.Title, n.Body = strings.Repeat("t", 9000), "short"
	}); m.Notification.Body != "short" || len(m.Notification.Title) < 3000 || !utf8.ValidString(m.Notification.Title) {
		t.Errorf("long title: title %d bytes, body %q", len(m.Notification.Title), m.Notification.Body)
	}
}

func TestJSONLen(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"\`, "\n\t\r\b\f", "\x00\x1f\x7f", "<&>", "你好🎂", "\u2028\u2029", "a\xffb", "\ufffd", "\xf0\x9f\x8e"} {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := jsonLen(s), len(b)-2; got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
}

// What had to be left out is told.
func TestNotes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*vendors.Notification)
		want   string
	}{
		"all_fits":  {func(*vendors.Notification) {}, ""},
		"long_text": {func(n *vendors.Notification) { n.Body = strings.Repeat("x", 9000) }, ""},
		"image":     {func(n *vendors.Notification) { n.Android.Image = "https://x.example/" + strings.Repeat("i", 3900) }, vendors.NoteImageDropped},
		"huge_ext":  {func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 8000) }, vendors.NoteExtDropped},
		"ext":       {func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 4000) }, vendors.NoteExtDropped},
	} {
		n := vendortest.Chat()
		c.change(n)
		if _, got := (&Config{}).message(vendors.Device{Notification: n}, vendortest.Now); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// iPhones get sound, number and thread in a block of their own, and what ends a call replaces the
// ringing notification on both systems.
func TestAPNSBlock(t *testing.T) {
	t.Parallel()
	badge := 3
	m := compose(func(_ *Config, d *vendors.Device, n *vendors.Notification) {
		d.Badge, n.ReplaceKey, n.IOS.Category, n.IOS.InterruptionLevel = &badge, "fedcba98765432100123456789abcdef", "REPLY", "time-sensitive"
	})
	b, err := json.Marshal(m.APNS)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"headers":{"apns-collapse-id":"fedcba98765432100123456789abcdef","apns-expiration":"1795507200","apns-priority":"10"},` +
		`"payload":{"aps":{"badge":3,"category":"REPLY","interruption-level":"time-sensitive","sound":"default","thread-id":"c2c_alice"}}}`
	if string(b) != want || m.Android.Notification.Tag != "fedcba98765432100123456789abcdef" || m.Android.CollapseKey != "" {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

// Calls as data, chat as notifications.
func TestDataOnlyCalls(t *testing.T) {
	t.Parallel()
	chat := compose(func(c *Config, _ *vendors.Device, _ *vendors.Notification) { c.DataOnly = dataCalls })
	call := compose(func(c *Config, _ *vendors.Device, n *vendors.Notification) {
		c.DataOnly, n.Call = dataCalls, &hongyan.Call{ID: "c", Action: hongyan.CallCancel}
	})
	if chat.Notification == nil || call.Notification != nil || call.Data[keyTitle] == "" || call.Data[keyCallAction] != "cancel" {
		t.Errorf("chat %+v, call %+v", chat, call)
	}
}
