package vivo

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/vivo"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func config() *Config {
	c := &Config{AppID: "100001", AppKey: "demo-app-key", AppSecret: "demo-app-secret"}
	c.ID = "35003"
	return c
}

var tokenLine = regexp.MustCompile(`(?m)^Authtoken: .*$`)

// subject is the driver under test; change, which may be nil, changes the account and the
// certificate.
func subject(change func(*fake.Account, *Config)) vendortest.Subject {
	account := fake.Account{AppID: "100001", AppKey: "demo-app-key", AppSecret: "demo-app-secret"}
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
		Token: func(i int) string {
			return "v2-vivo_" + strings.Repeat("x", 40) + "_" + string(rune('a'+i%26)) + itoa(i)
		},
		Scrub: func(s string) string { return tokenLine.ReplaceAllString(s, "Authtoken: <secret>") },
	}
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + itoa(i%10)
}

func TestConformance(t *testing.T) {
	s := subject(nil)
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Receipts = &vendors.Receipts{ID: "17"}
	s.Call = []string{`"callback.id": "17"`, `"callback.param": "{key}`}
	vendortest.Run(t, s)
}

func FuzzInterpret(f *testing.F) {
	p, err := newProtocol(config())
	if err != nil {
		f.Fatal(err)
	}
	token := subject(nil).Token
	vendortest.FuzzInterpret(f, p, token,
		`{"result":0,"desc":"请求成功","taskId":"121397329"}`,
		`{"result":10302,"desc":"regId不合法","invalidUser":{"status":1,"userid":"`+token(0)+`"}}`,
		`{"result":0,"requestId":"b-1","invalidUsers":[{"status":1,"userid":"`+token(0)+`"},{"status":4,"userid":"`+token(1)+`"}]}`,
		`{"result":10104,"desc":"请发送正式的消息"}`,
		`{"result":12345,"desc":"requestId重复"}`,
		`{"result":"0","invalidUsers":{}}`,
	)
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	two := 2
	operationalClass := operational
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"app_id_missing", func(c *Config) { c.AppID = "" }, []string{"app_id"}},
		{"app_id_is_package", func(c *Config) { c.AppID = "com.example.im" }, []string{"app_id"}},
		{"app_key_missing", func(c *Config) { c.AppKey = " " }, []string{"app_key"}},
		{"app_secret_missing", func(c *Config) { c.AppSecret = "" }, []string{"app_secret"}},
		{"endpoint_is_host", func(c *Config) { c.Endpoint = "api-push.vivo.com.cn" }, []string{"endpoint"}},
		{"classification_two", func(c *Config) { c.Classification = &two }, []string{"classification"}},
		{"category_unknown", func(c *Config) { c.Category = "CHAT" }, []string{"category"}},
		{"class_disagrees", func(c *Config) { c.Category, c.Classification = "IM", &operationalClass }, []string{"classification"}},
		{"categories_lower", func(c *Config) { c.Categories = map[string]int{"news": 0} }, []string{"categories"}},
		{"categories_class", func(c *Config) { c.Categories = map[string]int{"NEWS": 3} }, []string{"categories"}},
		{"notify_type_five", func(c *Config) { c.NotifyType = 5 }, []string{"notify_type"}},
		{"click_two", func(c *Config) { c.Click.URL, c.Click.Intent = "https://a.b", "intent:#Intent;end" }, []string{"click"}},
		{"click_activity", func(c *Config) { c.Click.Activity = "com.example.A" }, []string{"click"}},
		{"click_action", func(c *Config) { c.Click.Action = "com.example.A" }, []string{"click"}},
		{"click_intent_broken", func(c *Config) { c.Click.Intent = "com.example.A" }, []string{"click"}},
		{"click_url_scheme", func(c *Config) { c.Click.URL = "example.com" }, []string{"click"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	zero := operational
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"chat", func(*Config) {}, nil},
		{"classification_0", func(c *Config) { c.Classification = &zero }, []string{"2 such messages a day"}},
		{"social", func(c *Config) { c.Category = "SOCIAL" }, []string{"2 such messages a day"}},
		{"test_mode", func(c *Config) { c.TestMode = true }, []string{"NOTHING reaches a user"}},
		{"long_ttl", func(c *Config) { c.TTL = 2 * maxTTL }, []string{"longer than vivo's day"}},
	})
}

// The pair is always sent and always agrees, whatever the message and the certificate say.
func TestClassOfEveryPair(t *testing.T) {
	t.Parallel()
	ptr := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		note       func(*vendors.Notification)
		cert       func(*Config)
		wantClass  int
		wantSecond string
	}{
		"nothing":                       {nil, nil, system, "IM"},
		"message_category":              {func(n *vendors.Notification) { n.Android.VivoCategory = "SUBSCRIPTION" }, nil, system, "SUBSCRIPTION"},
		"message_category_lower":        {func(n *vendors.Notification) { n.Android.VivoCategory = "marketing" }, nil, operational, "MARKETING"},
		"message_class_0":               {func(n *vendors.Notification) { n.Android.VivoClassification = ptr(0) }, nil, operational, "MARKETING"},
		"message_class_0_cert_news":     {func(n *vendors.Notification) { n.Android.VivoClassification = ptr(0) }, func(c *Config) { c.Category = "NEWS" }, operational, "NEWS"},
		"message_class_1_cert_news":     {func(n *vendors.Notification) { n.Android.VivoClassification = ptr(1) }, func(c *Config) { c.Category = "NEWS" }, system, "IM"},
		"message_disagrees_with_itself": {func(n *vendors.Notification) { n.Android.VivoCategory, n.Android.VivoClassification = "IM", ptr(0) }, nil, system, "IM"},
		"message_category_unknown":      {func(n *vendors.Notification) { n.Android.VivoCategory = "CHAT" }, func(c *Config) { c.Category = "TODO" }, system, "TODO"},
		"message_class_unknown":         {func(n *vendors.Notification) { n.Android.VivoClassification = ptr(7) }, nil, system, "IM"},
		"message_over_certificate":      {func(n *vendors.Notification) { n.Android.VivoCategory = "IM" }, func(c *Config) { c.Classification = ptr(0) }, system, "IM"},
		"certificate_category":          {nil, func(c *Config) { c.Category = "content" }, operational, "CONTENT"},
		"certificate_class_0":           {nil, func(c *Config) { c.Classification = ptr(0) }, operational, "MARKETING"},
		"new_category":                  {func(n *vendors.Notification) { n.Android.VivoCategory = "HEALTH" }, func(c *Config) { c.Categories = map[string]int{"HEALTH": 1} }, system, "HEALTH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, note := config(), vendortest.Chat()
			if c.cert != nil {
				c.cert(cfg)
			}
			if c.note != nil {
				c.note(note)
			}
			class, second := cfg.resolve(note)
			if class != c.wantClass || second != c.wantSecond {
				t.Errorf("got %d/%s, want %d/%s", class, second, c.wantClass, c.wantSecond)
			}
			want := vendors.Class{Name: "system", ByArrival: true}
			if c.wantClass == operational {
				want = vendors.Class{Name: "operational", ByArrival: true, Capped: true, DeviceCap: 2}
			}
			if diff := cmp.Diff(want, cfg.Class(note)); diff != "" {
				t.Errorf("class (-want +got):\n%s", diff)
			}
		})
	}
}
