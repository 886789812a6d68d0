package vivo

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func wireOf(t *testing.T, change func(*Config)) *protocol {
	t.Helper()
	c := config()
	if change != nil {
		change(c)
	}
	p, err := newProtocol(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func batchOf(note *vendors.Notification, keys ...string) vendors.Batch {
	b := vendors.Batch{Now: vendortest.Now}
	for _, k := range keys {
		b.Devices = append(b.Devices, vendors.Device{Token: "v2-" + k, Key: strings.Repeat(k, 32)[:32], Notification: note})
	}
	return b
}

// The first vector is vivo's own.
func TestSignVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ appID, appKey, timestamp, appSecret, want string }{
		{"10004", "25509283-3767-4b9e-83fe-b6e55ac6243e", "1501484120000", "7265f2a4-ebbb-44bf-88b9-b03e67dfdc21", "fe3b46a2befc60334c2388676a752bd6"},
		{"100001", "demo-app-key", "1700000000000", "demo-app-secret", "d2cba22eb36e4a3c98c83631cccabc35"},
	} {
		if got := sign(c.appID, c.appKey, c.timestamp, c.appSecret); got != c.want {
			t.Errorf("app %s: got %s, want %s", c.appID, got, c.want)
		}
	}
}

// The timestamp is in milliseconds and the same in the body and in the signature; appId is a
// number.
func TestTokenRequest(t *testing.T) {
	t.Parallel()
	req, err := wireOf(t, func(c *Config) { c.AppSecret = " demo-app-secret\n" }).TokenRequest(context.Background(), time.UnixMilli(1700000000000))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	want := `{"appId":100001,"appKey":"demo-app-key","timestamp":1700000000000,"sign":"d2cba22eb36e4a3c98c83631cccabc35"}`
	if string(body) != want || req.URL.Path != "/message/auth" || req.Header.Get("authToken") != "" {
		t.Errorf("got %s %s, want %s", req.URL.Path, body, want)
	}
}

// A single push has the device; zeros and false stay in (a missing foregroundShow would be true, a
// missing classification operational).
func TestSingleRequest(t *testing.T) {
	t.Parallel()
	p := wireOf(t, nil)
	b := batchOf(vendortest.Chat(), "a")
	if req, err := p.Prepare(context.Background(), b, "tok"); req != nil || err != nil {
		t.Fatalf("a single push is prepared: %v, %v", req, err)
	}
	req, err := p.Request(context.Background(), b, "tok")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	want := `{"appId":100001,"regId":"v2-a","notifyType":4,"title":"张三","content":"晚上八点见，不见不散","timeToLive":86400,"skipType":1,` +
		`"networkType":-1,"classification":1,"category":"IM","requestId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","pushMode":0,"foregroundShow":false,` +
		`"notifyId":` + jsonOf(t, vendors.NotifyID(vendortest.Chat().Key)) + `,"clientCustomMap":{"ext":"{\"conversationID\":\"c2c_alice\"}"}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if req.URL.Path != "/message/send" || req.Header.Get("authToken") != "tok" {
		t.Errorf("got %s with authToken %q", req.URL.Path, req.Header.Get("authToken"))
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// requestId: the same for each attempt, another for the generic text, at most 64 characters.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	note := vendortest.Chat()
	list, swapped, other := batchOf(note, "a", "b"), batchOf(note, "b", "a"), batchOf(note, "a", "c")
	later := list
	later.Now = later.Now.Add(time.Minute)
	generic := list
	generic.Generic = true
	second := vendortest.Chat()
	second.Key = "00000000000000000000000000000001"
	id := listID(list, "")
	for name, c := range map[string]struct {
		got  string
		same bool
	}{
		"another_order":   {listID(swapped, ""), true},
		"a_later_attempt": {listID(later, ""), true},
		"other_devices":   {listID(other, ""), false},
		"generic":         {listID(generic, ""), false},
		"another_message": {listID(batchOf(second, "a", "b"), ""), false},
	} {
		if (c.got == id) != c.same || len(c.got) > 64 {
			t.Errorf("%s: got %s beside %s", name, c.got, id)
		}
	}
	single := batchOf(note, "a")
	if got := singleID(single); got != single.Devices[0].Key {
		t.Errorf("single: got %s", got)
	}
	single.Devices[0].Key = strings.Repeat("k", 500)
	single.Generic = true
	if got := singleID(single); len(got) > 64 || got == singleID(batchOf(note, "a")) {
		t.Errorf("long key: got %s", got)
	}
}

// A single push and a list push of one message replace each other on the screen.
func TestNotifyIDIsOfMessage(t *testing.T) {
	t.Parallel()
	p := wireOf(t, nil)
	if one, many := p.message(batchOf(vendortest.Chat(), "a")), p.message(batchOf(vendortest.Chat(), "a", "b")); one.NotifyID != many.NotifyID || one.NotifyID < 1 {
		t.Errorf("got %d and %d", one.NotifyID, many.NotifyID)
	}
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left, cert   time.Duration
		single, list int64
	}{
		"gone":             {-time.Hour, 0, 60, 900},
		"second":           {time.Second, 0, 60, 900},
		"ten_minutes":      {10 * time.Minute, 0, 600, 900},
		"hour":             {time.Hour, 0, 3600, 3600},
		"week":             {7 * 24 * time.Hour, 0, 86400, 86400},
		"certificate_hour": {24 * time.Hour, time.Hour, 3600, 3600},
		"certificate_tiny": {24 * time.Hour, time.Second, 60, 900},
	} {
		note := vendortest.Chat()
		note.Deadline = vendortest.Now.Add(c.left)
		p := wireOf(t, func(cfg *Config) { cfg.TTL = c.cert })
		if got := p.message(batchOf(note, "a")).TimeToLive; got != c.single {
			t.Errorf("%s: single got %d, want %d", name, got, c.single)
		}
		if got := p.message(batchOf(note, "a", "b")).TimeToLive; got != c.list {
			t.Errorf("%s: list got %d, want %d", name, got, c.list)
		}
	}
}

// An incoming call that ends before the shortest time for which vivo keeps a push is not kept.
func TestCallIsNotKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left         time.Duration
		urgent       bool
		single, list bool
	}{
		"call":          {time.Minute, true, false, true},
		"call_retried":  {30 * time.Second, true, true, true},
		"short_message": {30 * time.Second, false, false, false},
		"message":       {time.Hour, false, false, false},
	} {
		note := vendortest.Chat()
		note.Deadline, note.Urgent = vendortest.Now.Add(c.left), c.urgent
		p := wireOf(t, nil)
		if single, list := p.message(batchOf(note, "a")).SendOnline, p.message(batchOf(note, "a", "b")).SendOnline; single != c.single || list != c.list {
			t.Errorf("%s: only for phones online: single %v, list %v; want %v, %v", name, single, list, c.single, c.list)
		}
	}
}

// The ext reaches the app as it is, or not at all: a part of it would be worse than none.
func TestCustomMap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ext, conversation string
		want              map[string]string
	}{
		"none":              {"", "c", nil},
		"text":              {`open "chat"`, "c", map[string]string{"ext": `open "chat"`}},
		"longest":           {strings.Repeat("x", 1021), "c", map[string]string{"ext": strings.Repeat("x", 1021)}},
		"too_long":          {strings.Repeat("x", 1022), "c", map[string]string{"conversation": "c", "message": "m-1001"}},
		"surrogates_are_2":  {strings.Repeat("🎂", 511), "c", map[string]string{"conversation": "c", "message": "m-1001"}},
		"conversation_long": {strings.Repeat("x", 9000), strings.Repeat("c", 2000), map[string]string{"message": "m-1001"}},
	} {
		note := vendortest.Chat()
		note.Ext, note.Conversation = c.ext, c.conversation
		if diff := cmp.Diff(c.want, custom(note)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	const page = "intent:#Intent;component=com.example.im/.ChatActivity;S.ext={ext};S.c={conversation};end"
	for name, c := range map[string]struct {
		click     vendors.Click
		ext, conv string
		kind      int
		content   string
	}{
		"app":         {vendors.Click{}, "e", "c", skipApp, ""},
		"page":        {vendors.Click{Intent: page}, "a b", "c", skipPage, "intent:#Intent;component=com.example.im/.ChatActivity;S.ext=a%20b;S.c=c;end"},
		"page_no_ext": {vendors.Click{Intent: page}, strings.Repeat("x", 2000), "c", skipPage, "intent:#Intent;component=com.example.im/.ChatActivity;S.ext=;S.c=c;end"},
		"page_never":  {vendors.Click{Intent: page}, "e", strings.Repeat("会", 400), skipApp, ""},
		"url":         {vendors.Click{URL: "https://im.example.com/?m={message}"}, "", "c", skipURL, "https://im.example.com/?m=m-1001"},
	} {
		p := wireOf(t, func(cfg *Config) { cfg.Click = c.click })
		note := vendortest.Chat()
		note.Ext, note.Conversation = c.ext, c.conv
		if kind, content := p.skip(note); kind != c.kind || content != c.content {
			t.Errorf("%s: got %d %q, want %d %q", name, kind, content, c.kind, c.content)
		}
	}
}

func TestNotifyType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ message, certificate, want int }{{0, 0, 4}, {1, 3, 1}, {0, 3, 3}, {9, 2, 2}, {-1, 0, 4}} {
		cfg, note := config(), vendortest.Chat()
		cfg.NotifyType, note.Android.VivoNotifyType = c.certificate, c.message
		if got := cfg.notifyType(note); got != c.want {
			t.Errorf("message %d, certificate %d: got %d, want %d", c.message, c.certificate, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	const generic = "您有一条新消息，点击查看"
	for name, c := range map[string]struct {
		title, body, wantTitle, wantBody string
		change                           func(*Config)
		generic                          bool
	}{
		"plain":               {title: "张三", body: "晚上见", wantTitle: "张三", wantBody: "晚上见"},
		"latin_name":          {title: "Alice", body: "晚上见", wantTitle: "来自 Alice", wantBody: "晚上见"},
		"digits":              {title: "张三", body: "123", wantTitle: "张三", wantBody: "新消息：123"},
		"ok":                  {title: "张三", body: "ok", wantTitle: "张三", wantBody: "新消息：ok"},
		"symbols_and_digits":  {title: "张三", body: "1 + 1 = 2", wantTitle: "张三", wantBody: "新消息：1 + 1 = 2"},
		"emoji_only":          {title: "张三", body: "🎂🎉", wantTitle: "张三", wantBody: "新消息：🎂🎉"},
		"letters_and_symbols": {title: "张三", body: "See you at 8!", wantTitle: "张三", wantBody: "See you at 8!"},
		"placeholder":         {title: "张三", body: "[图片]", wantTitle: "张三", wantBody: "（图片）"},
		"braces":              {title: "{群}", body: "键{值}", wantTitle: "（群）", wantBody: "键（值）"},
		"other_scripts":       {title: "Иван", body: "привет", wantTitle: "Иван", wantBody: "привет"},
		"blank":               {title: " \x00", body: "\n", wantTitle: "新消息", wantBody: generic},
		"test_word_stays":     {title: "张三", body: "测试一下", wantTitle: "张三", wantBody: "测试一下"},
		"keep_text":           {title: "Alice", body: "[图片]", wantTitle: "Alice", wantBody: "[图片]", change: func(c *Config) { c.KeepText = true }},
		"test_mode":           {title: "Alice", body: "123", wantTitle: "Alice", wantBody: "123", change: func(c *Config) { c.TestMode = true }},
		"generic":             {title: "张三", body: "测试一下", wantTitle: "张三", wantBody: generic, generic: true},
		"generic_latin":       {title: "Alice", body: "x", wantTitle: "新消息", wantBody: generic, generic: true},
		"generic_test_name":   {title: "测试员", body: "x", wantTitle: "新消息", wantBody: generic, generic: true},
		"generic_configured": {title: "Alice", body: "x", wantTitle: "鸿雁", wantBody: "有人找您", generic: true,
			change: func(c *Config) { c.GenericTitle, c.GenericBody = "鸿雁", "有人找您" }},
		"long_title": {title: strings.Repeat("很", 30), body: "好", wantTitle: strings.Repeat("很", 19) + "…", wantBody: "好"},
		"long_latin": {title: strings.Repeat("a", 41), body: "好", wantTitle: strings.Repeat("a", 38) + "…", wantBody: "好"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			note := vendortest.Chat()
			note.Title, note.Body = c.title, c.body
			title, body := wireOf(t, c.change).words(note, c.generic)
			if title != c.wantTitle || body != c.wantBody {
				t.Errorf("got %q / %q, want %q / %q", title, body, c.wantTitle, c.wantBody)
			}
			if vendors.Wide(title) > maxTitle || vendors.Wide(body) > maxContent {
				t.Errorf("too long: %q / %q", title, body)
			}
		})
	}
}
