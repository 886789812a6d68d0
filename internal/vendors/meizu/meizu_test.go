package meizu

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/meizu"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func config() *Config {
	c := &Config{AppID: "123456", AppSecret: "demo-app-secret"}
	c.ID = "35004"
	return c
}

func subject(change func(*fake.Account, *Config)) vendortest.Subject {
	account := fake.Account{AppID: "123456", AppSecret: "demo-app-secret"}
	if change != nil {
		change(&account, &Config{})
	}
	return vendortest.Subject{
		Fake: fake.Fake(account),
		Config: func(endpoint, caFile string) vendors.Config {
			c := config()
			if change != nil {
				change(&fake.Account{}, c)
			}
			c.Endpoint, c.CAFile = endpoint, caFile
			return c
		},
		Token: func(i int) string { return fmt.Sprintf("RA50c6348036344485d01776773577c64740465%06d", i) },
	}
}

func wireOf(t testing.TB, change func(*Config)) *protocol {
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

func batchOf(tokens ...string) vendors.Batch {
	b := vendors.Batch{Now: vendortest.Now}
	note := vendortest.Chat()
	for _, token := range tokens {
		b.Devices = append(b.Devices, vendors.Device{Token: token, Key: note.Key, Notification: note})
	}
	return b
}

func ok(body string) vendors.Response {
	return vendors.Response{Status: http.StatusOK, Body: []byte(body)}
}

func TestConformance(t *testing.T) {
	s := subject(func(a *fake.Account, _ *Config) { a.Callbacks = []string{"https://im.example.com/meizu"} })
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Receipts = &vendors.Receipts{URL: "https://im.example.com/meizu"}
	s.Call = []string{`"extra":{"callback":"https://im.example.com/meizu","callback.param":"{key}","callback.type":3}`, `"pushTimeInfo":{"offLine":0}`}
	vendortest.Run(t, s)
}

func FuzzInterpret(f *testing.F) {
	token := subject(nil).Token
	vendortest.FuzzInterpret(f, wireOf(f, nil), token,
		`{"code":"200","message":"","value":{},"redirect":"","msgId":"0123456789abcdef0123456789abcdef"}`,
		`{"code":"200","message":"","value":{"110002":["`+token(0)+`"],"520":["`+token(1)+`"]},"msgId":"x"}`,
		`{"code":"110010","message":"应用请求频率超过限制","value":"","redirect":""}`,
		`{"code":200,"value":true}`,
		`{"code":"200","value":["x"]}`,
	)
}

// The first vector is Meizu's own; its text is compact, whatever the documentation prints.
func TestSignVectors(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		fields map[string]string
		secret string
	}{
		"ac076ff25d9900015a681cb5172aa53b": {map[string]string{
			"appId": "10000", "pushIds": "RA50c6348036344485d01776773577c64740465480a6b",
			"messageJson": `{"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}`,
		}, "<APP_SECRET>"},
		"428387fabcf12a9116a003411a1dc899": {map[string]string{
			"appId": "123456", "pushIds": "PID_A,PID_B",
			"messageJson": `{"noticeBarInfo":{"noticeBarType":0,"noticeMsgType":1,"title":"张三","content":"你好 & welcome=1"},"clickTypeInfo":{"clickType":0},"pushTimeInfo":{"offLine":1,"validTime":24}}`,
		}, "demo-app-secret"},
	} {
		if got := sign(c.fields, c.secret); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Every code of the table, at its level.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	p := wireOf(t, nil)
	seen := 0
	for _, c := range []struct {
		level, codes string
		want         vendors.Reason
	}{
		{levelTop, "200", vendors.Accepted},
		{levelTop, "300 500 -1", vendors.Unknown},
		{levelTop, "1001 1003", vendors.Unavailable},
		{levelTop, "1005 110004 110032 110053", vendors.BadPayload},
		{levelTop, "1006 110000 110001 110031 110033", vendors.BadCredentials},
		{levelTop, "110009", vendors.Refused},
		{levelTop, "110002 110003", vendors.BadToken},
		{levelTop, "110010", vendors.RateLimited},
		{levelTop, "110019 110051", vendors.QuotaSpent},
		{levelDevice, "201", vendors.Refused},
		{levelDevice, "501 513 519", vendors.Unavailable},
		{levelDevice, "518", vendors.RateLimited},
		{levelDevice, "520 110011", vendors.DeviceCapped},
		{levelDevice, "110002 110003 110005", vendors.BadToken},
		{levelDevice, "110010", vendors.NotDisplayed},
	} {
		for _, code := range strings.Fields(c.codes) {
			seen++
			if c.level == levelTop {
				got := p.Interpret(ok(`{"code":"`+code+`","message":"x","value":"","redirect":""}`), batchOf("a"))[0]
				if got.Reason != c.want || got.Code != code || (got.Err == nil) != (c.want == vendors.Accepted) {
					t.Errorf("top %s: got %+v, want %v", code, got, c.want)
				}
				continue
			}
			got := p.Interpret(ok(`{"code":"200","value":{"`+code+`":["b"]},"msgId":"id-1"}`), batchOf("a", "b", "c"))
			if got[0].Reason != vendors.Accepted || got[2].Reason != vendors.Accepted || got[0].VendorID != "id-1" {
				t.Errorf("device %s: the others got %+v", code, got)
			}
			if got[1].Reason != c.want || got[1].Code != code || got[1].Err == nil || got[1].VendorID != "id-1" {
				t.Errorf("device %s: got %+v, want %v", code, got[1], c.want)
			}
		}
	}
	if seen != len(codes()) {
		t.Errorf("%d codes tested, the table has %d", seen, len(codes()))
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	p := wireOf(t, nil)
	for name, c := range map[string]struct {
		resp vendors.Response
		want []vendors.Reason // of devices a and b
	}{
		"value_empty_object":  {ok(`{"code":"200","value":{}}`), []vendors.Reason{vendors.Accepted, vendors.Accepted}},
		"value_empty_string":  {ok(`{"code":"200","value":""}`), []vendors.Reason{vendors.Accepted, vendors.Accepted}},
		"value_null":          {ok(`{"code":"200","value":null}`), []vendors.Reason{vendors.Accepted, vendors.Accepted}},
		"value_absent":        {ok(`{"code":"200"}`), []vendors.Reason{vendors.Accepted, vendors.Accepted}},
		"code_is_number":      {ok(`{"code":200,"value":{}}`), []vendors.Reason{vendors.Accepted, vendors.Accepted}},
		"value_bool":          {ok(`{"code":"200","value":true}`), []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"value_list":          {ok(`{"code":"200","value":["b"]}`), []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"value_of_strings":    {ok(`{"code":"200","value":{"110002":"b,x"}}`), []vendors.Reason{vendors.Accepted, vendors.BadToken}},
		"two_codes":           {ok(`{"code":"200","value":{"520":["a"],"110010":["b"]}}`), []vendors.Reason{vendors.DeviceCapped, vendors.NotDisplayed}},
		"device_code_unknown": {ok(`{"code":"200","value":{"999":["b"]}}`), []vendors.Reason{vendors.Accepted, vendors.Unknown}},
		"top_code_unknown":    {ok(`{"code":"987654","value":""}`), []vendors.Reason{vendors.Unknown, vendors.Unknown}},
		// What the whole call is told of a token is not believed of each device before a probe.
		"top_bad_token": {ok(`{"code":"110002","value":""}`), []vendors.Reason{vendors.Unknown, vendors.Unknown}},
		"crash":         {vendors.Response{Status: 502, Body: []byte("<html>")}, []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"http_error_with_success": {vendors.Response{Status: 500, Body: []byte(`{"code":"200","value":{}}`)},
			[]vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
		"no_code": {ok(`{}`), []vendors.Reason{vendors.Unavailable, vendors.Unavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := p.Interpret(c.resp, batchOf("a", "b"))
			for i, r := range got {
				if r.Reason != c.want[i] {
					t.Errorf("device %d: got %+v, want %v", i, r, c.want[i])
				}
			}
		})
	}
	if got := p.Interpret(ok(`{"code":"110002","value":""}`), batchOf("a", "b")); !got[0].ProbeSingly {
		t.Errorf("got %+v, want a probe", got[0])
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	req, err := wireOf(t, nil).Request(context.Background(), batchOf("PID_A", "PID_B", "bad,one"), "")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if form.Get("pushIds") != "PID_A,PID_B" {
		t.Errorf("pushIds: %q", form.Get("pushIds"))
	}
	fields := map[string]string{"appId": form.Get("appId"), "messageJson": form.Get("messageJson"), "pushIds": form.Get("pushIds")}
	if form.Get("sign") != sign(fields, "demo-app-secret") || len(form) != 4 {
		t.Errorf("the signature is not over what is sent: %v", form)
	}
	want := `{"noticeBarInfo":{"noticeBarType":0,"noticeMsgType":1,"title":"张三","content":"晚上八点见，不见不散"},` +
		`"clickTypeInfo":{"clickType":0,"parameters":{"conversationID":"c2c_alice"}},"pushTimeInfo":{"offLine":1,"validTime":24},` +
		`"advanceInfo":{"suspend":1,"clearNoticeBar":1,"notificationType":{"vibrate":1,"lights":1,"sound":1},"notifyKey":"` + notifyKey(vendortest.Chat().Key) + `"}}`
	if diff := cmp.Diff(want, form.Get("messageJson")); diff != "" {
		t.Errorf("messageJson (-want +got):\n%s", diff)
	}
	if _, err := wireOf(t, nil).Request(context.Background(), batchOf("bad,one", ""), ""); err == nil {
		t.Error("a call without a pushId is written")
	}
}

// A token with a comma would be read as two pushIds, of which no answer could be told apart.
func TestTokenThatIsNone(t *testing.T) {
	t.Parallel()
	s := subject(nil)
	r := vendortest.NewRig(t, s, nil)
	b := r.Batch(3, vendortest.Chat())
	b.Devices[1].Token = "one,two"
	got := r.Driver.Push(context.Background(), b)
	if got[0].Reason != vendors.Accepted || got[1].Reason != vendors.BadToken || got[2].Reason != vendors.Accepted {
		t.Errorf("got %+v", got)
	}
	if len(r.Sandbox.Pushes()) != 2 || len(r.Sandbox.Violations()) != 0 {
		t.Errorf("the fake took %d pushes, broken rules: %v", len(r.Sandbox.Pushes()), r.Sandbox.Violations())
	}
}

// validTime is in hours, rounded up.
func TestValidTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left, cert time.Duration
		want       int64
	}{
		{-time.Hour, 0, 1}, {time.Second, 0, 1}, {time.Hour, 0, 1}, {time.Hour + time.Second, 0, 2}, {24 * time.Hour, 0, 24},
		{7 * 24 * time.Hour, 0, 72}, {24 * time.Hour, time.Minute, 1}, {24 * time.Hour, 90 * time.Minute, 2},
	} {
		note := vendortest.Chat()
		note.Deadline = vendortest.Now.Add(c.left)
		if got := wireOf(t, func(cfg *Config) { cfg.TTL = c.cert }).hours(note, vendortest.Now); got != c.want {
			t.Errorf("%v left, ttl %v: got %d, want %d", c.left, c.cert, got, c.want)
		}
	}
}

func TestClick(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		click     vendors.Click
		ext, conv string
		want      clickTypeInfo
	}{
		"app":          {vendors.Click{}, `{"a":1}`, "c", clickTypeInfo{Parameters: json.RawMessage(`{"a":1}`)}},
		"plain_ext":    {vendors.Click{}, `open "x"`, "c", clickTypeInfo{Parameters: json.RawMessage(`{"ext":"open \"x\""}`)}},
		"no_ext":       {vendors.Click{}, "", "c", clickTypeInfo{}},
		"long_ext":     {vendors.Click{}, long, "c", clickTypeInfo{Parameters: json.RawMessage(`{"conversation":"c","message":"m-1001"}`)}},
		"all_long":     {vendors.Click{}, long, long, clickTypeInfo{Parameters: json.RawMessage(`{"message":"m-1001"}`)}},
		"activity":     {vendors.Click{Activity: "com.example.A"}, "", "c", clickTypeInfo{ClickType: 1, Activity: "com.example.A"}},
		"url":          {vendors.Click{URL: "app://chat?c={conversation}&e={ext}"}, "", "群 1", clickTypeInfo{ClickType: 2, URL: "app://chat?c=%E7%BE%A4%201&e="}},
		"url_long_ext": {vendors.Click{URL: "app://chat?e={ext}"}, strings.Repeat("x", 1000), "c", clickTypeInfo{ClickType: 2, URL: "app://chat?e=", Parameters: json.RawMessage(`{"ext":"` + strings.Repeat("x", 1000) + `"}`)}},
		"url_too_long": {vendors.Click{URL: "app://chat?c={conversation}"}, "", long, clickTypeInfo{}},
	} {
		note := vendortest.Chat()
		note.Ext, note.Conversation = c.ext, c.conv
		if diff := cmp.Diff(c.want, wireOf(t, func(cfg *Config) { cfg.Click = c.click }).click(note)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNoticeType(t *testing.T) {
	t.Parallel()
	ptr := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		message, certificate *int
		want                 vendors.Class
	}{
		"nothing":     {nil, nil, vendors.Class{Name: "private"}},
		"message":     {ptr(0), ptr(1), vendors.Class{Name: "public", Capped: true, DeviceCap: 3}},
		"certificate": {nil, ptr(0), vendors.Class{Name: "public", Capped: true, DeviceCap: 3}},
		"nonsense":    {ptr(7), nil, vendors.Class{Name: "private"}},
	} {
		cfg, note := config(), vendortest.Chat()
		cfg.NoticeType, note.Android.MeizuNoticeType = c.certificate, c.message
		if diff := cmp.Diff(c.want, cfg.Class(note)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNotifyKey(t *testing.T) {
	t.Parallel()
	if a, b := notifyKey("a"), notifyKey("b"); len(a) != 8 || a == b || a != notifyKey("a") {
		t.Errorf("got %q and %q", a, b)
	}
}

// Whatever a notification holds, the request is one that Meizu takes.
func TestRoughTextsAreTaken(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(func(a *fake.Account, c *Config) {
		a.PerMinute, c.Click.URL = -1, "app://x?e={ext}&c={conversation}"
	}), nil)
	for _, text := range []string{
		"", " ", "\x00", "\xff\xfe", `{"a":"` + "\xff" + `"}`, "a&b=c+d%20", strings.Repeat("👨‍👩‍👧‍👦", 500), strings.Repeat("x", 1<<20), "a" + strings.Repeat("\u0301", 5000), `{"a":{"b":[1]}}`, "[1]", "null",
	} {
		note := vendortest.Chat()
		note.Title, note.Body, note.Ext, note.Conversation = text, text, text, text
		if got := r.Driver.Push(context.Background(), r.Batch(1, note))[0]; got.Reason != vendors.Accepted {
			t.Errorf("text %.20q: got %+v", text, got)
		}
	}
	if broken := r.Sandbox.Violations(); len(broken) > 0 {
		t.Errorf("broken rules: %v", broken)
	}
}

// 110010 at the top is a rate, beside a pushId a switched-off device.
func TestOneNumberTwoMeanings(t *testing.T) {
	t.Parallel()
	s := subject(nil)
	token := s.Token
	r := vendortest.NewRig(t, subject(func(a *fake.Account, _ *Config) { a.Silent, a.PerSecond = []string{token(1)}, 3 }), nil)
	got := r.Driver.Push(context.Background(), r.Batch(2, vendortest.Chat()))
	if got[0].Reason != vendors.Accepted || got[1].Reason != vendors.NotDisplayed {
		t.Errorf("got %+v", got)
	}
	for _, res := range r.Driver.Push(context.Background(), r.Batch(2, vendortest.Chat())) {
		if res.Reason != vendors.RateLimited || res.Code != "110010" {
			t.Errorf("got %+v", res)
		}
	}
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	two := 2
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"app_id_missing", func(c *Config) { c.AppID = "" }, []string{"app_id"}},
		{"app_id_is_package", func(c *Config) { c.AppID = "com.example" }, []string{"app_id"}},
		{"app_secret_missing", func(c *Config) { c.AppSecret = "" }, []string{"app_secret"}},
		{"endpoint_is_host", func(c *Config) { c.Endpoint = "server-api-push.meizu.com" }, []string{"endpoint"}},
		{"reports_without_address", func(c *Config) { c.Receipts = &vendors.Receipts{} }, []string{"receipts"}},
		{"reports_long_address", func(c *Config) {
			c.Receipts = &vendors.Receipts{URL: "https://im.example.com/" + strings.Repeat("x", 128)}
		}, []string{"receipts"}},
		{"notice_type_two", func(c *Config) { c.NoticeType = &two }, []string{"notice_type"}},
		{"click_two", func(c *Config) { c.Click.URL, c.Click.Activity = "https://a.b", "a.B" }, []string{"click"}},
		{"click_intent", func(c *Config) { c.Click.Intent = "intent:#Intent;end" }, []string{"click"}},
		{"click_action", func(c *Config) { c.Click.Action = "a.B" }, []string{"click"}},
		{"click_url", func(c *Config) { c.Click.URL = "example.com" }, []string{"click"}},
		{"click_activity", func(c *Config) { c.Click.Activity = strings.Repeat("a", 2000) }, []string{"click"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	zero := 0
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"3_such_messages_a_day", func(c *Config) { c.NoticeType = &zero }, []string{"3 such messages a day"}},
		{"test_mode_means_nothing", func(c *Config) { c.TestMode = true }, []string{"test_mode means nothing"}},
		{"reports", func(c *Config) { c.Receipts = &vendors.Receipts{URL: "https://im.example.com/x"} }, []string{"must be registered"}},
		{"72_hours", func(c *Config) { c.TTL = 100 * time.Hour }, []string{"72 hours"}},
	})
}
