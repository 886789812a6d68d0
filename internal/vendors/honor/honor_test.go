package honor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/honor"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func config() *Config {
	c := &Config{AppID: "104400001", ClientID: "220400001", ClientSecret: "demo-client-secret", BadgeClass: "com.example.im.MainActivity"}
	c.ID = "35005"
	return c
}

func subject(change func(*fake.Account, *Config)) vendortest.Subject {
	account := fake.Account{AppID: "104400001", ClientID: "220400001", ClientSecret: "demo-client-secret"}
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
			c.Endpoint, c.TokenEndpoint, c.CAFile = endpoint, endpoint, caFile
			return c
		},
		Token: func(i int) string { return fmt.Sprintf("BAEAAAmadeup.%06d", i) },
		Scrub: func(s string) string {
			return regexp.MustCompile(`client_secret = .*`).ReplaceAllString(s, "client_secret = <secret>")
		},
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
	s := subject(nil)
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Receipts = &vendors.Receipts{}
	s.Call = []string{`"biTag": "{key}"`, `"ttl": "60s"`}
	s.Badge = func(vendors.Config) {}
	vendortest.Run(t, s)
}

// What Honor does not publish may be otherwise: the suite holds for another code of success and for
// answers without data.
func TestConformanceWithOtherCodes(t *testing.T) {
	t.Parallel()
	s := subject(func(a *fake.Account, c *Config) {
		a.Success, a.AuthEmpty, a.ErrorsWithoutData, a.Most = "0", true, true, 50
		c.SuccessCodes, c.Batch = []string{"0"}, 50
	})
	r := vendortest.NewRig(t, s, nil)
	for _, res := range r.Driver.Push(context.Background(), r.Batch(50, vendortest.Chat())) {
		if res.Reason != vendors.Accepted || res.Code != "0" {
			t.Fatalf("got %+v", res)
		}
	}
	r.Sandbox.Arm(sandbox.Fault{Vendor: "honor", Kind: sandbox.FaultExpiredAuth, Times: 1})
	if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat()))[0]; got.Reason != vendors.Accepted {
		t.Errorf("after HTTP 401 with an empty body: got %+v", got)
	}
	r.Sandbox.Arm(sandbox.Fault{Vendor: "honor", Kind: sandbox.FaultCode, Code: "4711", Times: 1})
	if got := r.Driver.Push(context.Background(), r.Batch(1, vendortest.Chat()))[0]; got.Reason != vendors.Unknown || got.Code != "4711" {
		t.Errorf("an unknown code with data null: got %+v", got)
	}
}

func request1(t *testing.T, p *protocol, b vendors.Batch) request {
	t.Helper()
	req, err := p.Request(context.Background(), b, "tok")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRequest(t *testing.T) {
	t.Parallel()
	req, err := wireOf(t, nil).Request(context.Background(), batchOf("b", "a", "b"), "tok")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	want := `{"data":"{\"ext\":\"{\\\"conversationID\\\":\\\"c2c_alice\\\"}\"}","android":{"ttl":"86400s",` +
		`"targetUserType":0,"notification":{"title":"张三","body":"晚上八点见，不见不散","clickAction":{"type":3},"importance":"NORMAL",` +
		fmt.Sprintf(`"notifyId":%d,"tag":"0123456789abcdef0123456789abcdef","group":"c2c_alice"}},"token":["a","b"]}`, vendors.NotifyID(vendortest.Chat().Key))
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if req.URL.String() != "https://push-api.cloud.honor.com/api/v1/104400001/sendMessage" {
		t.Errorf("address: %s", req.URL)
	}
	// Milliseconds of the batch's time, not seconds.
	if got := req.Header.Get("timestamp"); got != "1795420800000" || req.Header.Get("Authorization") != "Bearer tok" {
		t.Errorf("headers: %v", req.Header)
	}
}

// A badge is sent with its class only; a zero clears it and must not be lost.
func TestBadge(t *testing.T) {
	t.Parallel()
	ptr := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		badges []*int
		class  string
		want   string
	}{
		"no_class": {[]*int{ptr(3)}, "", "null"},
		"none":     {[]*int{nil, nil}, "C", "null"},
		"zero":     {[]*int{ptr(0)}, "C", `{"setNum":0,"badgeClass":"C"}`},
		"same":     {[]*int{ptr(3), ptr(3)}, "C", `{"setNum":3,"badgeClass":"C"}`},
		"large":    {[]*int{ptr(1000)}, "C", `{"setNum":99,"badgeClass":"C"}`},
		"negative": {[]*int{ptr(-1)}, "C", `{"setNum":0,"badgeClass":"C"}`},
		"differ":   {[]*int{ptr(3), ptr(4)}, "C", `null`},
		"one_nil":  {[]*int{nil, ptr(4)}, "C", `null`},
	} {
		var devices []vendors.Device
		for _, n := range c.badges {
			devices = append(devices, vendors.Device{Badge: n})
		}
		got, err := json.Marshal(wireOf(t, func(cfg *Config) { cfg.BadgeClass = c.class }).badge(devices))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, c.want)
		}
	}
}

func TestMessageOverCertificate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		message, certificate string
		want                 vendors.Class
	}{
		"nothing":     {"", "", vendors.Class{Name: "communication"}},
		"message":     {"low", "NORMAL", vendors.Class{Name: "marketing", Capped: true, DeviceCap: 2}},
		"certificate": {"", "LOW", vendors.Class{Name: "marketing", Capped: true, DeviceCap: 2}},
		"nonsense":    {"HIGH", "", vendors.Class{Name: "communication"}},
	} {
		cfg, note := config(), vendortest.Chat()
		cfg.Importance, note.Android.HonorImportance = c.certificate, c.message
		if diff := cmp.Diff(c.want, cfg.Class(note)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStyleImageAndTestMode(t *testing.T) {
	t.Parallel()
	b := batchOf("a")
	b.Devices[0].Notification.Android.Style, b.Devices[0].Notification.Android.Image = "big_text", "https://im.example.com/a.png"
	r := request1(t, wireOf(t, func(c *Config) { c.TestMode = true }), b)
	n := r.Android.Notification
	if n.Style != 1 || n.BigTitle != n.Title || n.BigBody != n.Body || n.Image == "" || r.Android.TargetUserType != 1 {
		t.Errorf("got %+v", r.Android)
	}
	b.Devices[0].Notification.Android.HonorImportance = "LOW" // marketing shows no image
	if got := request1(t, wireOf(t, nil), b).Android.Notification.Image; got != "" {
		t.Errorf("image under LOW: %q", got)
	}
}

// What makes room: the text first, then the image, a long click target, and the ext as a whole.
func TestSizeIsKept(t *testing.T) {
	t.Parallel()
	const page = "intent:#Intent;S.ext={ext};end"
	for name, c := range map[string]struct {
		ext, image string
		body       string
		check      func(request) bool
	}{
		"all_fits": {"e", "https://a/b", "你好", func(r request) bool { return r.Data == `{"ext":"e"}` && r.Android.Notification.Image != "" }},
		"body_is_cut": {strings.Repeat("x", 1400), "", strings.Repeat("你好", 200), func(r request) bool {
			return strings.HasSuffix(r.Android.Notification.Body, "…") && len(r.Data) > 1400
		}},
		"image_goes": {strings.Repeat("x", 1000), "https://a/" + strings.Repeat("b", 2000), "你好", func(r request) bool { return r.Android.Notification.Image == "" && len(r.Data) > 1000 }},
		"target_goes": {strings.Repeat("x", 3400), "", strings.Repeat("你好", 200), func(r request) bool {
			return len(r.Data) > 3400 && r.Android.Notification.ClickAction.Type == 3
		}},
		"ext_goes": {strings.Repeat("x", 9000), "", "你好", func(r request) bool {
			return strings.Contains(r.Data, `"message":"m-1001"`) && r.Android.Notification.ClickAction.Type == 3
		}},
		"no_ext_no_name": {"", "https://a/" + strings.Repeat("b", 9000), "你好", func(r request) bool { return r.Data == "" && r.Android.Notification.Image == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := batchOf("a")
			n := b.Devices[0].Notification
			n.Ext, n.Android.Image, n.Body = c.ext, c.image, c.body
			r := request1(t, wireOf(t, func(cfg *Config) { cfg.Click.Intent = page }), b)
			size, _ := json.Marshal(r)
			if !c.check(r) || len(size) > defaultBytes+10 {
				t.Errorf("%d bytes: %s", len(size), size)
			}
		})
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left, cert time.Duration
		want       string
	}{{-time.Hour, 0, "1s"}, {1500 * time.Millisecond, 0, "2s"}, {time.Hour, 0, "3600s"}, {100 * 24 * time.Hour, 0, "1296000s"}, {time.Hour, time.Minute, "60s"}, {time.Hour, time.Millisecond, "1s"}} {
		note := vendortest.Chat()
		note.Deadline = vendortest.Now.Add(c.left)
		if got := wireOf(t, func(cfg *Config) { cfg.TTL = c.cert }).ttl(note, vendortest.Now); got != c.want {
			t.Errorf("%v left, ttl %v: got %s, want %s", c.left, c.cert, got, c.want)
		}
	}
}

// Client ID and Client Secret log in; the App ID stands in the path only.
func TestTokenRequest(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"": "https://iam.developer.honor.com/auth/token", "https://proxy.example.com/": "https://proxy.example.com/auth/token",
		"https://iam.developer.honor.com/auth/realms/developer/protocol/openid-connect/token": "https://iam.developer.honor.com/auth/realms/developer/protocol/openid-connect/token",
	} {
		req, err := wireOf(t, func(c *Config) { c.TokenEndpoint = endpoint }).TokenRequest(context.Background(), vendortest.Now)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(req.Body)
		if req.URL.String() != want || string(body) != "client_id=220400001&client_secret=demo-client-secret&grant_type=client_credentials" {
			t.Errorf("got %s %s", req.URL, body)
		}
	}
}

// Whatever a notification holds, the request is one that Honor takes.
func TestRoughTextsAreTaken(t *testing.T) {
	t.Parallel()
	r := vendortest.NewRig(t, subject(func(_ *fake.Account, c *Config) {
		c.Click.Intent = "intent:#Intent;S.ext={ext};S.c={conversation};end"
	}), nil)
	for _, text := range []string{
		"", " ", "\x00", "\xff\xfe", "a\nb", strings.Repeat("<>&\"\\", 2000), strings.Repeat("👨‍👩‍👧‍👦", 500), strings.Repeat("x", 1<<20), "a" + strings.Repeat("\u0301", 5000),
	} {
		for _, style := range []string{"", "big_text"} {
			note := vendortest.Chat()
			note.Title, note.Body, note.Ext, note.Conversation = text, text, text, text
			note.Android.Style, note.Android.Image = style, "https://"+text
			if got := r.Driver.Push(context.Background(), r.Batch(1, note))[0]; got.Reason != vendors.Accepted {
				t.Errorf("text %.20q: got %+v", text, got)
			}
		}
	}
	if broken := r.Sandbox.Violations(); len(broken) > 0 {
		t.Errorf("broken rules: %v", broken)
	}
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"app_id_missing", func(c *Config) { c.AppID = "" }, []string{"app_id"}},
		{"app_id_is_path", func(c *Config) { c.AppID = "a/b" }, []string{"app_id"}},
		{"client_id_missing", func(c *Config) { c.ClientID = "" }, []string{"client_id"}},
		{"client_id_is_app_id", func(c *Config) { c.ClientID = c.AppID }, []string{"client_id"}},
		{"client_secret_missing", func(c *Config) { c.ClientSecret = "" }, []string{"client_secret"}},
		{"endpoint", func(c *Config) { c.Endpoint = "push" }, []string{"endpoint"}},
		{"token_endpoint", func(c *Config) { c.TokenEndpoint = "ftp://x" }, []string{"token_endpoint"}},
		{"importance", func(c *Config) { c.Importance = "HIGH" }, []string{"importance"}},
		{"batch", func(c *Config) { c.Batch = 1001 }, []string{"batch"}},
		{"max_bytes", func(c *Config) { c.MaxBytes = 100 }, []string{"max_bytes"}},
		{"success_codes", func(c *Config) { c.SuccessCodes = []string{"OK"} }, []string{"success_codes"}},
		{"codes_no_number", func(c *Config) { c.Codes = map[string]vendors.Reason{"x": vendors.BadPayload} }, []string{"codes"}},
		{"codes_and_success", func(c *Config) {
			c.SuccessCodes, c.Codes = []string{"0"}, map[string]vendors.Reason{"0": vendors.Refused}
		}, []string{"codes"}},
		{"click_two", func(c *Config) { c.Click.URL, c.Click.Action = "https://a.b", "a.B" }, []string{"click"}},
		{"click_activity", func(c *Config) { c.Click.Activity = "a.B" }, []string{"click"}},
		{"click_http", func(c *Config) { c.Click.URL = "http://a.b" }, []string{"click"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"2_messages_a_day", func(c *Config) { c.Importance = "LOW" }, []string{"2 messages a day"}},
		{"1000_test_pushes", func(c *Config) { c.TestMode = true }, []string{"1000 test pushes"}},
		{"15_days", func(c *Config) { c.TTL = 100 * 24 * time.Hour }, []string{"15 days"}},
		{"only_one_of_endpoint", func(c *Config) { c.Endpoint = "" }, []string{"only one of endpoint"}},
		{"only_one_of_endpoint_a", func(c *Config) { c.TokenEndpoint = "" }, []string{"only one of endpoint a"}},
	})
}
