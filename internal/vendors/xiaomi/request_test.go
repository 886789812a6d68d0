package xiaomi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/xiaomi"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func batch(n int, note *vendors.Notification) vendors.Batch {
	b := vendors.Batch{Now: vendortest.Now}
	for i := range n {
		b.Devices = append(b.Devices, vendors.Device{Token: token(i), Key: strings.Repeat("a", 31) + string(rune('0'+i)), Notification: note})
	}
	return b
}

// written is the request of a batch, and its form.
func written(t *testing.T, c *Config, b vendors.Batch) (*http.Request, url.Values) {
	t.Helper()
	req, err := newProtocol(c).Request(context.Background(), b, "")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return req, form
}

// TestRequestSources holds that the message's own choice wins over the certificate's.
func TestRequestSources(t *testing.T) {
	t.Parallel()
	plain := func(change func(*vendors.Notification)) *vendors.Notification {
		n := vendortest.Chat()
		change(n)
		return n
	}
	for _, c := range []struct {
		name string
		conf func(*Config)
		note func(*vendors.Notification)
		want map[string]string // "" means absent
	}{
		{"defaults", func(*Config) {}, func(*vendors.Notification) {}, map[string]string{
			"extra.channel_id": "im_private", "extra.template_id": "M12762", "extra.notify_effect": "1", "pass_through": "0",
			"extra.template_param": `{"keywords1":"张三","keywords2":"晚上八点见，不见不散"}`, "payload": `{"conversationID":"c2c_alice"}`,
			"time_to_live": "86400000", "extra.sound_uri": "", "extra.jobkey": "0123456789abcdef0123",
		}},
		{"message_channel", func(*Config) {}, func(n *vendors.Notification) { n.Android.XiaomiChannelID = "im_public" },
			map[string]string{"extra.channel_id": "im_public", "extra.template_id": "", "extra.template_param": ""}},
		// What cannot be an id is not asked of Xiaomi.
		{"nonsense_channel", func(*Config) {}, func(n *vendors.Notification) { n.Android.XiaomiChannelID = "a b\n" },
			map[string]string{"extra.channel_id": "im_private"}},
		{"message_values_for_the_certificate's_template", func(*Config) {}, func(n *vendors.Notification) {
			n.Android.XiaomiTemplateParams = map[string]string{"keywords1": "{title}", "other": "x"}
		}, map[string]string{"extra.template_param": `{"keywords1":"{title}","keywords2":"晚上八点见，不见不散"}`}},
		{"message_template_takes_no_values_of_another", func(*Config) {}, func(n *vendors.Notification) { n.Android.XiaomiTemplateID = "P1" },
			map[string]string{"extra.template_id": "P1", "extra.template_param": ""}},
		{"group_template", func(c *Config) {
			c.TemplateParams = map[string]string{"keywords1": "{title}", "keywords2": "{sender}", "keywords3": "{text}"}
		}, func(n *vendors.Notification) {
			n.Title, n.Sender, n.Body, n.Lead = "Team", "Alice", "Alice: hi <b>", len("Alice: ")
		},
			map[string]string{"extra.template_param": `{"keywords1":"Team","keywords2":"Alice","keywords3":"hi <b>"}`}},
		{"no_template", func(c *Config) { c.TemplateID, c.TemplateParams = "", nil }, func(n *vendors.Notification) {
			n.Android.XiaomiTemplateParams = map[string]string{"a": "b"}
		}, map[string]string{"extra.template_id": "", "extra.template_param": ""}},
		{"sound", func(*Config) {}, func(n *vendors.Notification) { n.Android.Sound = "ding.mp3" },
			map[string]string{"extra.sound_uri": "android.resource://com.example.im/raw/ding"}},
		{"public_lives_a_day", func(*Config) {}, func(n *vendors.Notification) {
			n.Android.XiaomiChannelID, n.Deadline = "im_public", vendortest.Now.Add(72*time.Hour)
		}, map[string]string{"time_to_live": "86400000"}},
		{"private_lives_ten_days", func(*Config) {}, func(n *vendors.Notification) { n.Deadline = vendortest.Now.Add(999 * time.Hour) },
			map[string]string{"time_to_live": "864000000"}},
		{"ttl_of_the_certificate", func(c *Config) { c.TTL = time.Hour }, func(*vendors.Notification) {}, map[string]string{"time_to_live": "3600000"}},
		{"activity", func(c *Config) { c.Click.Activity = ".Chat" }, func(*vendors.Notification) {}, map[string]string{
			"extra.notify_effect": "2", "extra.intent_uri": "intent:#Intent;component=com.example.im/.Chat;end"}},
		{"action", func(c *Config) { c.Click.Action = "open.chat" }, func(*vendors.Notification) {}, map[string]string{
			"extra.notify_effect": "2", "extra.intent_uri": "intent:#Intent;action=open.chat;package=com.example.im;end"}},
		{"intent_with_ext", func(c *Config) { c.Click.Intent = "app://chat?e={ext}#Intent;end" }, func(n *vendors.Notification) { n.Ext = "a b" },
			map[string]string{"extra.notify_effect": "2", "extra.intent_uri": "app://chat?e=a%20b#Intent;end", "payload": "a b"}},
		{"intent_too_long_with_ext", func(c *Config) { c.Click.Intent = "app://chat?e={ext}#Intent;end" }, func(n *vendors.Notification) {
			n.Ext = strings.Repeat("x", 1100)
		}, map[string]string{"extra.intent_uri": "app://chat?e=#Intent;end", "payload": strings.Repeat("x", 1100)}},
		{"intent_too_long_anyway", func(c *Config) { c.Click.Intent = "app://{message}#Intent;end" }, func(n *vendors.Notification) {
			n.MessageID = strings.Repeat("%", 128) + strings.Repeat("x", 900)
		}, map[string]string{"extra.notify_effect": "1", "extra.intent_uri": ""}},
		{"url", func(c *Config) { c.Click.URL = "https://im.example.com/{conversation}" }, func(*vendors.Notification) {}, map[string]string{
			"extra.notify_effect": "3", "extra.web_uri": "https://im.example.com/c2c_alice"}},
		// Half a JSON text would be worse than none.
		{"ext_over_4_KB", func(*Config) {}, func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 4097) }, map[string]string{"payload": ""}},
	} {
		t.Run(strings.ReplaceAll(c.name, "'", ""), func(t *testing.T) {
			t.Parallel()
			conf := config()
			c.conf(conf)
			_, form := written(t, conf, batch(1, plain(c.note)))
			for key, want := range c.want {
				if got := form.Get(key); got != want {
					t.Errorf("%s: got %q, want %q", key, got, want)
				}
			}
		})
	}
}

// TestRequestShapes holds that a batch of one notification is a list, a batch of several is an
// array, and that a device gets the same ids in both, so that a repeat in other company is still a
// repeat.
func TestRequestShapes(t *testing.T) {
	t.Parallel()
	first, second := vendortest.Chat(), vendortest.Chat()
	second.Key, second.Android.XiaomiChannelID = "_________________second", "im_public"
	req, form := written(t, config(), batch(2, first))
	if req.URL.String() != host+"/v3/message/regid" || req.Header.Get("Authorization") != "key=demo+App/Secret==" {
		t.Errorf("wrong call: %s %q", req.URL, req.Header)
	}
	if got, want := form.Get("registration_id"), token(0)+","+token(1); got != want {
		t.Errorf("got tokens %q, want %q", got, want)
	}
	b := batch(3, first)
	b.Devices[1].Notification = second
	req, multi := written(t, config(), b)
	if req.URL.Path != "/v2/multi_messages/regids" {
		t.Errorf("wrong call: %s", req.URL)
	}
	var elements []element
	if err := json.Unmarshal([]byte(multi.Get("messages")), &elements); err != nil || len(elements) != 3 {
		t.Fatalf("got %d messages, err %v", len(elements), err)
	}
	for i, want := range []string{form.Get("extra.jobkey"), "second", form.Get("extra.jobkey")} {
		if e := elements[i]; e.Target != token(i) || e.Message.Extra["jobkey"] != want {
			t.Errorf("element %d goes to %q with jobkey %q, want %q", i, e.Target, e.Message.Extra["jobkey"], want)
		}
	}
	if elements[1].Message.Extra["channel_id"] != "im_public" || elements[0].Message.NotifyID == elements[1].Message.NotifyID {
		t.Error("the second message did not keep what is its own")
	}
}

// TestTokenCannotBeTwo holds that a token with a comma does not become two tokens of other devices.
func TestTokenCannotBeTwo(t *testing.T) {
	t.Parallel()
	b := batch(2, vendortest.Chat())
	b.Devices[0].Token, b.Devices[1].Token = token(5)+","+token(6), ""
	_, form := written(t, config(), b)
	if got, want := form.Get("registration_id"), token(5)+"_"+token(6)+",_"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	body := `{"result":"ok","code":0,"data":{"bad_regids":"` + token(5) + "_" + token(6) + `"}}`
	if got := newProtocol(config()).Interpret(vendors.Response{Status: 200, Body: []byte(body)}, b); got[0].Reason != vendors.BadToken {
		t.Errorf("got %v for the spoilt token, want bad_token", got[0].Reason)
	}
}

// TestAnyText holds that no text makes a request that Xiaomi refuses.
func TestAnyText(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	for _, c := range []struct{ name, text string }{
		{"ten_megabytes", strings.Repeat("长文👨‍👩‍👧‍👦", 10<<20/29)},
		{"emoji_only", "🎂🎉👋🏽🇨🇳1️⃣❤️"},
		{"blank", " \t\u3000\u200b"},
		{"control_only", "\x00\x01\x7f"},
		{"broken_utf8", "a\xff\xfeb"},
		{"one_endless_grapheme", "e" + strings.Repeat("\u0301", 9000)},
		{"unassigned", "\U000E1000\u0378"},
		{"private_use", "\ue000\U0010FFFD"},
		{"astral_letters", strings.Repeat("𠀀", 300)},
		{"looks_like_a_form", "a&b=c%7B+d"},
		{"braces", "{title}{body}{$name$}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := vendortest.Chat()
			n.Title, n.Body, n.Ext = c.text, c.text, strings.ToValidUTF8(c.text, "")[:min(len(strings.ToValidUTF8(c.text, "")), 1000)]
			other := *n
			for _, b := range []vendors.Batch{batch(2, n), {Now: vendortest.Now, Devices: []vendors.Device{
				{Token: token(0), Notification: n}, {Token: token(1), Notification: &other},
			}}} {
				for i, res := range r.Driver.Push(context.Background(), b) {
					if res.Reason != vendors.Accepted {
						t.Fatalf("device %d: got %v (code %s); broken rules: %v", i, res.Reason, res.Code, r.Sandbox.Violations())
					}
				}
			}
		})
	}
}

// TestParam holds the rules of a template's value: no \p{So}, nothing unassigned, 1 to 128
// characters, not blank.
func TestParam(t *testing.T) {
	t.Parallel()
	p := newProtocol(config())
	for _, c := range []struct{ name, in, want string }{
		{"plain", "晚上八点见", "晚上八点见"},
		{"emoji_goes_with_its_parts", "生日👨‍👩‍👧‍👦快乐👋🏽🇨🇳1️⃣❤️!", "生日快乐!"},
		{"nothing_left", "🎂", "[表情]"},
		{"line_break", "a\nb\tc", "a b c"},
		{"joiner_of_a_script", "می\u200cخواهم", "می\u200cخواهم"},
		{"lonely_format", "a\u200b\u202eb\ufeff", "ab"},
		{"unassigned", "a\u0378b", "ab"},
		{"copyright_is_so", "©2026°", "2026"},
		{"long", strings.Repeat("字", 200), strings.Repeat("字", 127) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := p.param(c.in)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if strings.ContainsFunc(got, func(r rune) bool { return unicode.In(r, unicode.So, unicode.Cn) }) {
				t.Errorf("%q holds what Xiaomi refuses", got)
			}
		})
	}
	own := config()
	own.BlankText = "新消息"
	if got := newProtocol(own).param("🎂"); got != "新消息" {
		t.Errorf("got %q, want the text of the certificate", got)
	}
}

// TestMessageWithTooManyParams holds that a tenth value is not sent.
func TestMessageWithTooManyParams(t *testing.T) {
	t.Parallel()
	n := vendortest.Chat()
	n.Android.XiaomiTemplateID, n.Android.XiaomiTemplateParams = "P2", map[string]string{}
	for _, k := range "abcdefghijkl" {
		n.Android.XiaomiTemplateParams[string(k)] = "x"
	}
	_, form := written(t, config(), batch(1, n))
	var params map[string]string
	if err := json.Unmarshal([]byte(form.Get("extra.template_param")), &params); err != nil || len(params) != maxParams || params["j"] != "" {
		t.Errorf("got %d params, err %v", len(params), err)
	}
	if len(n.Android.XiaomiTemplateParams) != 12 {
		t.Error("the notification was changed")
	}
}

// TestExt holds that an ext that fits by itself arrives, the texts being shortened for it, and that
// one up to 1,024 characters stands in extra as well.
func TestExt(t *testing.T) {
	t.Parallel()
	p := newProtocol(config())
	for _, c := range []struct {
		ext            int
		payload, extra bool
	}{{0, false, false}, {1024, true, true}, {1025, true, false}, {4000, true, false}, {4032, true, false}, {4033, false, false}} {
		n := vendortest.Chat()
		n.Title, n.Body, n.Ext = strings.Repeat("群", 60), strings.Repeat("字", 200), strings.Repeat("x", c.ext)
		m := p.message(n, vendortest.Now)
		if got := m.Payload != ""; got != c.payload {
			t.Errorf("ext of %d: in the payload %v, want %v", c.ext, got, c.payload)
		}
		if got := m.Extra["ext"] != ""; got != c.extra {
			t.Errorf("ext of %d: in extra %v, want %v", c.ext, got, c.extra)
		}
		if size := len(m.Title) + len(m.Description) + len(m.Payload); c.payload && size > maxMessage || m.Title == "" || m.Description == "" {
			t.Errorf("ext of %d: %d bytes, title %q, description %q", c.ext, size, m.Title, m.Description)
		}
		if note := p.Note(batch(1, n)); (note == vendors.NoteExtDropped) != (c.ext > 0 && !c.payload) {
			t.Errorf("ext of %d: note %q", c.ext, note)
		}
	}
}

// TestJobKey holds Xiaomi's rules of a jobkey for any key.
func TestJobKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0123456789abcdef0123456789abcdef": "0123456789abcdef0123", "__x": "x", "": "0", "___": "0", "a b/c": "a-b-c",
	} {
		if got := jobKey(in); got != want {
			t.Errorf("jobKey(%q) is %q, want %q", in, got, want)
		}
	}
}

// TestWithoutChannel holds that a certificate without a channel still reaches phones where Xiaomi
// lets it.
func TestWithoutChannel(t *testing.T) {
	t.Parallel()
	s := subject()
	lax := account()
	lax.ChannelRequired = false
	s.Fake = fake.Fake(lax)
	settings := s.Config
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := settings(endpoint, caFile).(*Config)
		c.ChannelID, c.TemplateID, c.TemplateParams = "", "", nil
		return c
	}
	r := vendortest.NewRig(t, s, nil)
	if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat())); got[0].Reason != vendors.Accepted {
		t.Fatalf("got %v (code %s)", got[0].Reason, got[0].Code)
	}
	if got := r.Sandbox.Pushes()[0].Class; got != "default" {
		t.Errorf("got class %q, want default", got)
	}
}
