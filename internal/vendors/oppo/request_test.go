package oppo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/oppo"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func batch(n int, note *vendors.Notification) vendors.Batch {
	b := vendors.Batch{Now: vendortest.Now}
	for i := range n {
		b.Devices = append(b.Devices, vendors.Device{Token: token(i), Key: fmt.Sprintf("%032x", i), Notification: note})
	}
	return b
}

// written is the messages of a batch as they leave, keys and types included.
func written(t *testing.T, c *Config, b vendors.Batch) []map[string]any {
	t.Helper()
	req, err := newProtocol(c, hostChina).Request(context.Background(), b, "TOKEN")
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
	if req.URL.Path != batchPath || form.Get("auth_token") != "TOKEN" || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded;charset=UTF-8" {
		t.Fatalf("wrong call: %s %v", req.URL, req.Header)
	}
	var messages []map[string]any
	if err := json.Unmarshal([]byte(form.Get("messages")), &messages); err != nil {
		t.Fatal(err)
	}
	return messages
}

// TestRequestSources holds that the message's own choice wins over the certificate's, and the shape
// of each field.
func TestRequestSources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		conf func(*Config)
		note func(*vendors.Notification)
		want map[string]any // nil means absent
	}{
		{"defaults", func(*Config) {}, func(*vendors.Notification) {}, map[string]any{
			"app_message_id": "00000000000000000000000000000000", "notify_id": float64(vendors.NotifyID(vendortest.Chat().Key)),
			"style": 1.0, "channel_id": "im_chat", "category": "IM", "notify_level": nil, "off_line": true, "off_line_ttl": 86400.0,
			"click_action_type": 4.0, "click_action_activity": "com.example.im.OPPOMessageActivity",
			// A string that holds a JSON object, never the object itself.
			"action_parameters": `{"conversationID":"c2c_alice"}`, "private_msg_template_id": "1001",
			"private_title_parameters":   map[string]any{"sender": "张三"},
			"private_content_parameters": map[string]any{"text": "晚上八点见，不见不散"}, "badge_message_count": nil,
		}},
		{"message_wins", func(c *Config) { c.NotifyLevel = 2 }, func(n *vendors.Notification) {
			n.Android.OPPOChannelID, n.Android.OPPOCategory, n.Android.OPPONotifyLevel = "news", "news", 1
		}, map[string]any{"channel_id": "news", "category": "NEWS", "notify_level": 1.0}},
		{"nonsense_of_a_message", func(c *Config) { c.NotifyLevel = 2 }, func(n *vendors.Notification) {
			n.Android.OPPOChannelID, n.Android.OPPOCategory, n.Android.OPPONotifyLevel, n.Android.OPPOTemplateID = "\x00", "a b", 3, "x y"
		}, map[string]any{"channel_id": "im_chat", "category": "IM", "notify_level": 2.0, "private_msg_template_id": "1001"}},
		// A level without a category is refused.
		{"old_scheme", func(c *Config) { c.Category = "none" }, func(n *vendors.Notification) { n.Android.OPPONotifyLevel = 2 },
			map[string]any{"category": nil, "notify_level": nil}},
		{"certificate_level", func(c *Config) { c.NotifyLevel = 16 }, func(*vendors.Notification) {}, map[string]any{"notify_level": 16.0}},
		{"plain_ext", func(*Config) {}, func(n *vendors.Notification) { n.Ext = `open "chat"` },
			map[string]any{"action_parameters": `{"ext":"open \"chat\""}`}},
		{"array_ext", func(*Config) {}, func(n *vendors.Notification) { n.Ext = `[1]` }, map[string]any{"action_parameters": `{"ext":"[1]"}`}},
		{"no_ext", func(*Config) {}, func(n *vendors.Notification) { n.Ext = "" }, map[string]any{"action_parameters": nil}},
		{"ext_over_4000", func(*Config) {}, func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 3992) }, map[string]any{"action_parameters": nil}},
		{"ext_of_4000", func(*Config) {}, func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 3990) },
			map[string]any{"action_parameters": `{"ext":"` + strings.Repeat("x", 3990) + `"}`}},
		{"body_of_50", func(*Config) {}, func(n *vendors.Notification) { n.Body = strings.Repeat("字", 50) }, map[string]any{"style": 1.0, "content": strings.Repeat("字", 50)}},
		{"body_of_51", func(*Config) {}, func(n *vendors.Notification) { n.Body = strings.Repeat("字", 51) }, map[string]any{"style": 2.0, "content": strings.Repeat("字", 51)}},
		{"body_of_129", func(*Config) {}, func(n *vendors.Notification) { n.Body = strings.Repeat("字", 129) },
			map[string]any{"style": 2.0, "content": strings.Repeat("字", 127) + "…"}},
		{"big_text", func(*Config) {}, func(n *vendors.Notification) { n.Android.Style = "big_text" }, map[string]any{"style": 2.0}},
		{"message_template_takes_no_values_of_another", func(*Config) {}, func(n *vendors.Notification) {
			n.Android.OPPOTemplateID, n.Android.OPPOContentParams = "1002", map[string]string{"a": "b"}
		}, map[string]any{"private_msg_template_id": "1002", "private_title_parameters": nil, "private_content_parameters": map[string]any{"a": "b"}}},
		{"values_as_text", func(c *Config) { c.ParamsAsText = true }, func(*vendors.Notification) {}, map[string]any{"private_title_parameters": `{"sender":"张三"}`}},
		// An empty object fails: what has no variables is left out.
		{"no_title_values", func(c *Config) { c.TitleParams = map[string]string{} }, func(*vendors.Notification) {}, map[string]any{"private_title_parameters": nil}},
		{"long_value", func(*Config) {}, func(n *vendors.Notification) { n.Title = strings.Repeat("x", 99) }, map[string]any{
			"private_title_parameters": map[string]any{"sender": strings.Repeat("x", 49) + "…"}}},
		{"ttl_of_ten_days", func(*Config) {}, func(n *vendors.Notification) { n.Deadline = vendortest.Now.Add(9999 * time.Hour) }, map[string]any{"off_line_ttl": 864000.0}},
		{"ttl_of_the_certificate", func(c *Config) { c.TTL = time.Minute }, func(*vendors.Notification) {}, map[string]any{"off_line_ttl": 60.0}},
		{"open_app", func(c *Config) { c.Click = vendors.Click{} }, func(*vendors.Notification) {}, map[string]any{"click_action_type": 0.0, "click_action_activity": nil}},
		{"relative_activity", func(c *Config) { c.Click.Activity, c.Package = ".Chat", "com.example.im" }, func(*vendors.Notification) {},
			map[string]any{"click_action_type": 4.0, "click_action_activity": "com.example.im.Chat"}},
		{"action", func(c *Config) { c.Click = vendors.Click{Action: "open.chat"} }, func(*vendors.Notification) {},
			map[string]any{"click_action_type": 1.0, "click_action_activity": "open.chat"}},
		{"url", func(c *Config) { c.Click = vendors.Click{URL: "https://im.example.com/?e={ext}"} }, func(n *vendors.Notification) { n.Ext = "a b" },
			map[string]any{"click_action_type": 2.0, "click_action_url": "https://im.example.com/?e=a%20b"}},
		{"intent_too_long_with_ext", func(c *Config) { c.Click = vendors.Click{Intent: "app://chat?e={ext}"} }, func(n *vendors.Notification) { n.Ext = strings.Repeat("{", 900) },
			map[string]any{"click_action_type": 5.0, "click_action_url": "app://chat?e="}},
		{"intent_too_long_anyway", func(c *Config) { c.Click = vendors.Click{Intent: "app://{message}"} }, func(n *vendors.Notification) { n.MessageID = strings.Repeat("x", 2001) },
			map[string]any{"click_action_type": 0.0, "click_action_url": nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf, note := config(), vendortest.Chat()
			c.conf(conf)
			c.note(note)
			m := written(t, conf, batch(1, note))[0]
			if m["target_type"] != 2.0 || m["target_value"] != token(0) {
				t.Errorf("got target %v %v", m["target_type"], m["target_value"])
			}
			n := m["notification"].(map[string]any)
			for key, want := range c.want {
				if got := fmt.Sprint(n[key]); got != fmt.Sprint(want) || (n[key] == nil) != (want == nil) {
					t.Errorf("%s: got %v, want %v", key, n[key], want)
				}
			}
		})
	}
}

// TestIdsAreTheDevices holds that no two devices share an app_message_id and that the badge is each
// one's own.
func TestIdsAreTheDevices(t *testing.T) {
	t.Parallel()
	conf := config()
	conf.Badge = true
	b := batch(3, vendortest.Chat())
	zero, many := 0, 70_000
	b.Devices[0].Badge, b.Devices[1].Badge = &zero, &many
	seen := map[any]bool{}
	for i, m := range written(t, conf, b) {
		n := m["notification"].(map[string]any)
		if id := n["app_message_id"]; seen[id] {
			t.Errorf("device %d shares the id %v", i, id)
		}
		seen[n["app_message_id"]] = true
		if want := []any{0.0, 9999.0, nil}[i]; n["badge_message_count"] != want {
			t.Errorf("device %d: got badge %v, want %v", i, n["badge_message_count"], want)
		}
	}
}

// TestAnyText holds that no text makes a request that OPPO refuses.
func TestAnyText(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(nil), nil)
	for _, c := range []struct{ name, text string }{
		{"ten_megabytes", strings.Repeat("长文👨‍👩‍👧‍👦", 10<<20/29)},
		{"blank", " \t\u3000\u200b"},
		{"control_only", "\x00\x01\x7f"},
		{"broken_utf8", "a\xff\xfeb"},
		{"one_endless_grapheme", "e" + strings.Repeat("\u0301", 9000)},
		{"looks_like_json", `{"a":[1,"`},
		{"html", "<b>&amp;</b>\u2028"},
		{"null", "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := vendortest.Chat()
			n.Title, n.Body, n.Ext = c.text, c.text, c.text
			other := *n
			b := batch(2, n)
			b.Devices[1].Notification = &other
			for i, res := range r.Driver.Push(context.Background(), b) {
				if res.Reason != vendors.Accepted {
					t.Fatalf("device %d: got %v (code %s); broken rules: %v", i, res.Reason, res.Code, r.Sandbox.Violations())
				}
			}
		})
	}
}

// TestPlainConfig holds that a certificate with nothing but its credentials works where OPPO lets
// it, in the string form too.
func TestPlainConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"bare": func(c *Config) {
			*c = Config{Common: c.Common, AppKey: c.AppKey, MasterSecret: c.MasterSecret}
			c.Click = vendors.Click{}
		},
		"params_as_text": func(c *Config) { c.ParamsAsText = true },
		"old_scheme":     func(c *Config) { c.Category = "none" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := subject(change)
			lax := account()
			lax.TemplateRequired, lax.ChannelRequired = false, false
			s.Fake = fake.Fake(lax)
			r := vendortest.NewRig(t, s, nil)
			if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat())); got[0].Reason != vendors.Accepted {
				t.Fatalf("got %v (code %s); broken rules: %v", got[0].Reason, got[0].Code, r.Sandbox.Violations())
			}
		})
	}
}

// TestLargestCall holds that a full batch of the longest messages is still one that OPPO's rules
// allow.
func TestLargestCall(t *testing.T) {
	t.Parallel()
	// Twelve megabytes through the fake's checks take a while under the race detector.
	r := vendortest.NewRig(t, subject(nil), func(c *vendors.Common) { c.Timeout = time.Minute })
	n := vendortest.Chat()
	n.Title, n.Body, n.Ext = strings.Repeat("长", 99), strings.Repeat("文", 999), strings.Repeat("附", 3990)
	for i, res := range r.Driver.Push(context.Background(), batch(maxMessages, n)) {
		if res.Reason != vendors.Accepted {
			t.Fatalf("device %d: got %v (code %s, err %v); broken rules: %v", i, res.Reason, res.Code, res.Err, r.Sandbox.Violations())
		}
	}
}
