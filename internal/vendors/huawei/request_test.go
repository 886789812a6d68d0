package huawei

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func vendortestServer(t *testing.T, box *sandbox.Server) string {
	t.Helper()
	srv := httptest.NewServer(box.Handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

// sent is the request for a batch, read back.
func sent(t *testing.T, c *Config, b vendors.Batch) (request, []byte) {
	t.Helper()
	p, err := newProtocol(c)
	if err != nil {
		t.Fatal(err)
	}
	req, err := p.Request(t.Context(), b, "made-up")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r request
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r, raw
}

func TestDuplicateTokensAreSentOnce(t *testing.T) {
	t.Parallel()
	r, _ := sent(t, config("", ""), batch("tokA", "tokB", "tokA", "tokC", "tokB"))
	if want := []string{"tokA", "tokB", "tokC"}; !slices.Equal(r.Message.Token, want) {
		t.Errorf("sent to %v, want %v", r.Message.Token, want)
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left, longest time.Duration
		want          string
	}{
		{24 * time.Hour, 0, "86400s"},
		{time.Minute, 0, "60s"},
		{1500 * time.Millisecond, 0, "2s"},
		{0, 0, "1s"},
		{-time.Hour, 0, "1s"},
		{30 * 24 * time.Hour, 0, "1296000s"},
		{24 * time.Hour, time.Hour, "3600s"},
		{24 * time.Hour, time.Millisecond, "1s"},
		{time.Minute, time.Hour, "60s"},
	} {
		conf := config("", "")
		conf.TTL = c.longest
		b := batch("tokA")
		b.Devices[0].Notification.Deadline = b.Now.Add(c.left)
		if r, _ := sent(t, conf, b); r.Message.Android.TTL != c.want {
			t.Errorf("%v left, ttl %v: got %q, want %q", c.left, c.longest, r.Message.Android.TTL, c.want)
		}
	}
}

func TestBadge(t *testing.T) {
	t.Parallel()
	num := func(n int) *int { return &n }
	for _, c := range []struct {
		name   string
		class  string
		badges []*int
		want   string
	}{
		{"one", "a.Main", []*int{num(5)}, `{"set_num":5,"class":"a.Main"}`},
		{"all_the_same", "a.Main", []*int{num(5), num(5)}, `{"set_num":5,"class":"a.Main"}`},
		// omitempty would leave the old number on the icon.
		{"cleared", "a.Main", []*int{num(0)}, `{"set_num":0,"class":"a.Main"}`},
		{"above_99", "a.Main", []*int{num(1000)}, `{"set_num":99,"class":"a.Main"}`},
		{"below_0", "a.Main", []*int{num(-3)}, `{"set_num":0,"class":"a.Main"}`},
		// One call cannot carry different numbers, so each phone counts one up.
		{"different", "a.Main", []*int{num(5), num(6)}, `null`},
		{"some_unknown", "a.Main", []*int{num(5), nil}, `null`},
		{"left_to_the_phone", "a.Main", []*int{nil, nil}, `null`},
		// Huawei ignores a badge without the launcher's class.
		{"no_class", "", []*int{num(5)}, `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config("", "")
			conf.BadgeClass = c.class
			b := vendors.Batch{Now: vendortest.Now}
			note := vendortest.Chat()
			for i, n := range c.badges {
				b.Devices = append(b.Devices, vendors.Device{Token: token(i), Badge: n, Notification: note})
			}
			r, _ := sent(t, conf, b)
			if got, _ := json.Marshal(r.Message.Android.Notification.Badge); string(got) != c.want {
				t.Errorf("badge is %s, want %s", got, c.want)
			}
		})
	}
}

// What the message asks for, what the certificate says, and what neither says.
func TestOptions(t *testing.T) {
	t.Parallel()
	conf := config("", "")
	note := func(change func(*vendors.Notification)) vendors.Batch {
		b := batch("tokA")
		change(b.Devices[0].Notification)
		return b
	}
	plain, raw := sent(t, conf, note(func(*vendors.Notification) {}))
	n := plain.Message.Android.Notification
	if n.ChannelID != "im_msg" || n.Importance != "NORMAL" || n.ClickAction != (click{Type: clickOpen}) || n.Sound != "" || n.DefaultSound != nil || n.Style != 0 {
		t.Errorf("plain: %+v", n)
	}
	if !strings.Contains(string(raw), `"foreground_show":false`) || strings.Contains(string(raw), "target_user_type") {
		t.Errorf("plain: %s", raw)
	}
	if n.NotifyID <= 0 || n.NotifyID != vendors.NotifyID(vendortest.Chat().Key) || n.Tag != vendortest.Chat().Key || n.Group != "c2c_alice" || plain.Message.Android.BiTag != "" {
		t.Errorf("plain: ids %d %q %q", n.NotifyID, n.Tag, plain.Message.Android.BiTag)
	}
	r, raw := sent(t, conf, note(func(n *vendors.Notification) {
		n.Android = hongyan.Android{HuaweiChannelID: "vip", HuaweiImportance: "low", Sound: "ding.mp3", Image: "https://example.com/a.png", Style: "big_text"}
	}))
	n = r.Message.Android.Notification
	if n.ChannelID != "vip" || n.Importance != "LOW" || n.Sound != "/raw/ding" || n.Image == "" || n.Style != 1 || n.BigTitle != n.Title || n.BigBody != n.Body {
		t.Errorf("asked for much: %+v", n)
	}
	if !strings.Contains(string(raw), `"default_sound":false`) {
		t.Errorf("a sound of its own needs default_sound false: %s", raw)
	}
	r, _ = sent(t, conf, note(func(n *vendors.Notification) {
		n.MessageID = strings.Repeat("m", 65)
		n.Android = hongyan.Android{HuaweiImportance: "HIGH", Sound: "../x", Image: "http://example.com/a.png", HuaweiChannelID: strings.Repeat("c", 300)}
	}))
	n = r.Message.Android.Notification
	if n.ChannelID != "im_msg" || n.Importance != "NORMAL" || n.Sound != "" || n.Image != "" || r.Message.Android.BiTag != "" {
		t.Errorf("asked for the impossible: %+v, bi_tag %q", n, r.Message.Android.BiTag)
	}
	test := config("", "")
	test.TestMode, test.Receipts = true, &vendors.Receipts{ID: "rcp-1"}
	if r, _ := sent(t, test, batch("tokA")); r.Message.Android.TargetUserType != 1 || r.Message.Android.ReceiptID != "rcp-1" ||
		r.Message.Android.BiTag != vendortest.Chat().Key {
		t.Errorf("test mode: %+v", r.Message.Android)
	}
}

func TestClickTargets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target vendors.Click
		want   click
	}{
		{"app", vendors.Click{}, click{Type: 3}},
		{"action", vendors.Click{Action: "com.example.CHAT"}, click{Type: 1, Action: "com.example.CHAT"}},
		{
			"intent", vendors.Click{Intent: "intent://im.example.com/chat?e={ext}#Intent;scheme=imx;end"},
			click{Type: 1, Intent: "intent://im.example.com/chat?e=%7B%22conversationID%22%3A%22c2c_alice%22%7D#Intent;scheme=imx;end"},
		},
		{"url", vendors.Click{URL: "https://im.example.com/{conversation}/{message}"}, click{Type: 2, URL: "https://im.example.com/c2c_alice/m-1001"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config("", "")
			conf.Click = c.target
			r, _ := sent(t, conf, batch("tokA"))
			if got := r.Message.Android.Notification.ClickAction; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Whatever the notification, the strict fake takes it, and the ext arrives whole or not at all.
func TestShaping(t *testing.T) {
	t.Parallel()
	family := "👨‍👩‍👧‍👦"
	for _, c := range []struct {
		name   string
		change func(*vendors.Notification)
		click  vendors.Click
		noExt  bool
	}{
		{name: "huge_title", change: func(n *vendors.Notification) { n.Title = strings.Repeat("标题", 5<<20/6) }},
		{name: "huge_body", change: func(n *vendors.Notification) { n.Body = strings.Repeat(family, 10<<20/len(family)) }},
		{name: "endless_grapheme", change: func(n *vendors.Notification) {
			n.Title, n.Body = "e"+strings.Repeat("\u0301", 5000), "e"+strings.Repeat("\u0301", 5000)
		}},
		{name: "control_only", change: func(n *vendors.Notification) { n.Title, n.Body = "\x00\x01\n", "\x7f \t" }},
		{name: "not_utf8", change: func(n *vendors.Notification) { n.Title, n.Body = "\xff\xfe", "a\xffb" }},
		{name: "line_separators", change: func(n *vendors.Notification) { n.Body = strings.Repeat("\u2028\u2029", 500) }},
		{name: "quotes", change: func(n *vendors.Notification) { n.Title, n.Body = strings.Repeat(`"`, 50), strings.Repeat(`\`, 5000) }},
		{name: "long_ext", change: func(n *vendors.Notification) { n.Ext = `{"p":"` + strings.Repeat("x", 2800) + `"}` }},
		{name: "huge_ext", change: func(n *vendors.Notification) { n.Ext = strings.Repeat("x", 10<<20) }, noExt: true},
		{name: "ext_of_quotes", change: func(n *vendors.Notification) { n.Ext = strings.Repeat(`"`, 1500) }, noExt: true},
		{name: "ext_is_list", change: func(n *vendors.Notification) { n.Ext = `[1,2]` }},
		{name: "ext_in_click", change: func(n *vendors.Notification) { n.Ext = strings.Repeat("中", 600) }, click: vendors.Click{Intent: "intent://c?e={ext}#Intent;end"}},
		{name: "long_conversation", change: func(n *vendors.Notification) { n.Conversation = strings.Repeat("g", 9000) }, click: vendors.Click{URL: "https://x/{conversation}"}},
		{name: "long_image", change: func(n *vendors.Notification) { n.Android.Image = "https://x/" + strings.Repeat("i", 9000) }},
		{name: "big_text", change: func(n *vendors.Notification) { n.Body, n.Android.Style = strings.Repeat("长", 9000), "big_text" }},
		{name: "wild_category", change: func(n *vendors.Notification) { n.Android.HuaweiCategory = strings.Repeat("A", 5000) }},
		{name: "control_in_id", change: func(n *vendors.Notification) { n.MessageID = "m\x00" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := subject()
			s.Config = func(endpoint, caFile string) vendors.Config {
				conf := config(endpoint, caFile)
				conf.Click = c.click
				return conf
			}
			r := vendortest.NewRig(t, s, nil)
			note := vendortest.Chat()
			c.change(note)
			got := r.Driver.Push(t.Context(), r.Batch(2, note))
			if got[0].Reason != vendors.Accepted {
				t.Fatalf("got %+v; broken rules %v", got[0], r.Sandbox.Violations())
			}
			p := r.Sandbox.Pushes()[0]
			want := note.Ext
			if c.noExt {
				want = ""
			}
			if p.Ext != want {
				t.Errorf("the app gets an ext of %d bytes, want %d", len(p.Ext), len(want))
			}
			if strings.TrimSpace(p.Title) == "" || strings.TrimSpace(p.Body) == "" {
				t.Errorf("the phone shows %q, %q", p.Title, p.Body)
			}
		})
	}
}

// Thousands of bytes of tokens do not count, and the text gets what is left by the rest.
func TestSizeWithoutTokens(t *testing.T) {
	t.Parallel()
	tokens := make([]string, 1000)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s%0120d", token(i), i)
	}
	b := batch(tokens...)
	b.Devices[0].Notification.Body = strings.Repeat("文", 9000)
	conf := config("", "")
	conf.MaxBody = 100000
	r, _ := sent(t, conf, b)
	r.Message.Token = nil
	rest := vendors.JSON(r)
	if len(rest) > 3800 || len(rest) < 3790 {
		t.Errorf("the request has %d bytes without its tokens, want nearly 3800", len(rest))
	}
}

// An ext of 3,400 bytes fits, however long the rest is; what had to go stands in the note.
func TestLongExtArrives(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(), nil)
	note := vendortest.Chat()
	note.Title, note.Body, note.Ext = strings.Repeat("题", 40), strings.Repeat("长", 256), strings.Repeat("x", 3300)
	note.Android.Style, note.Android.Image = "big_text", "https://im.example.com/"+strings.Repeat("i", 200)
	got := r.Driver.Push(t.Context(), r.Batch(1, note))[0]
	if p := r.Sandbox.Pushes()[0]; got.Reason != vendors.Accepted || p.Ext != note.Ext || got.Note != vendors.NoteImageDropped {
		t.Errorf("got %+v, an ext of %d bytes", got, len(p.Ext))
	}
	note = vendortest.Chat()
	note.Ext = strings.Repeat("x", 5000)
	if got := r.Driver.Push(t.Context(), r.Batch(1, note))[0]; got.Reason != vendors.Accepted || got.Note != vendors.NoteExtDropped {
		t.Errorf("an ext that cannot fit: %+v", got)
	}
}

// What ends a call replaces the ringing notification.
func TestReplaces(t *testing.T) {
	t.Parallel()
	b := batch("tokA")
	b.Devices[0].Notification.ReplaceKey = "fedcba98765432100123456789abcdef"
	r, _ := sent(t, config("", ""), b)
	if n := r.Message.Android.Notification; n.NotifyID != vendors.NotifyID("fedcba98765432100123456789abcdef") || n.Tag != "fedcba98765432100123456789abcdef" {
		t.Errorf("got %+v", n)
	}
}
