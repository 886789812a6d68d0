package huawei

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/huawei"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

const (
	testApp     = "100000001"
	testProject = "388421840000000001"
	testSecret  = "made+up/secret=="
)

func token(i int) string { return fmt.Sprintf("IQAAAAmadeupToken%06d", i) }

func account() fake.Account {
	return fake.Account{
		AppID: testApp, AppSecret: testSecret, ProjectID: testProject, Categories: []string{"IM", "VOIP"},
	}
}

func config(endpoint, caFile string) *Config {
	return &Config{
		Common: vendors.Common{ID: "35002", Vendor: "huawei", Endpoint: endpoint, CAFile: caFile},
		AppID:  testApp, AppSecret: testSecret, TokenEndpoint: endpoint, BadgeClass: "com.example.im.MainActivity", ChannelID: "im_msg",
	}
}

func subject() vendortest.Subject {
	return vendortest.Subject{
		Fake: fake.Fake(account()), Token: token,
		Config: func(endpoint, caFile string) vendors.Config { return config(endpoint, caFile) },
		Scrub:  func(s string) string { return strings.ReplaceAll(s, testSecret, "<secret>") },
	}
}

func TestConformance(t *testing.T) {
	s := subject()
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Receipts = &vendors.Receipts{ID: "rcp-1"}
	s.Call = []string{`"receipt_id": "rcp-1"`, `"bi_tag": "{key}"`, `"ttl": "60s"`}
	s.Badge = func(vendors.Config) {}
	vendortest.Run(t, s)
}

// One project may push for several apps: the same requests under another path.
func TestProjectUsesV2(t *testing.T) {
	t.Parallel()
	s := subject()
	s.Config = func(endpoint, caFile string) vendors.Config {
		c := config(endpoint, caFile)
		c.ProjectID = testProject
		return c
	}
	r := vendortest.NewRig(t, s, nil)
	got := r.Driver.Push(t.Context(), r.Batch(2, vendortest.Chat()))
	if got[0].Reason != vendors.Accepted || got[1].Reason != vendors.Accepted {
		t.Fatalf("got %+v", got)
	}
	calls := r.Requests.Take()
	if last := calls[len(calls)-1]; !strings.HasPrefix(last, "POST /v2/"+testProject+"/messages:send\n") {
		t.Errorf("called %s", strings.SplitN(last, "\n", 2)[0])
	}
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"complete", func(*Config) {}, nil},
		{"empty", func(c *Config) { *c = Config{} }, []string{"app_id", "app_secret"}},
		// The OAuth server takes ^[0-9]{1,64}$ only.
		{"package_as_app_id", func(c *Config) { c.AppID = "com.example.im" }, []string{"app_id"}},
		{"app_id_as_project", func(c *Config) { c.ProjectID = c.AppID }, []string{"project_id"}},
		{"endpoints", func(c *Config) { c.Endpoint, c.TokenEndpoint = "push.example.com", "x" }, []string{"endpoint", "token_endpoint"}},
		{"lower_case_category", func(c *Config) { c.Category, c.CallCategory = "im", "voip" }, []string{"call_category", "category"}},
		{"play_voice", func(c *Config) { c.Category = "PLAY_VOICE" }, []string{"category"}},
		{"high", func(c *Config) { c.Importance = "HIGH" }, []string{"importance"}},
		{"activity", func(c *Config) { c.Click.Activity = "com.example.Main" }, []string{"click"}},
		{"two_targets", func(c *Config) { c.Click.Action, c.Click.Intent = "a", "b" }, []string{"click"}},
		{"plain_url", func(c *Config) { c.Click.URL = "http://example.com" }, []string{"click"}},
		{"sizes", func(c *Config) { c.MaxTitle, c.MaxBody, c.MaxBytes = 1000, -1, 5000 }, []string{"max_body", "max_bytes", "max_title"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"good", func(*Config) {}, nil},
		{"marketing", func(c *Config) { c.Category = "MARKETING" }, []string{"all after 2 messages a day"}},
		{"unknown_category", func(c *Config) { c.CallCategory = "CALLS" }, []string{"taken for MARKETING"}},
		{"silent", func(c *Config) { c.Importance = "LOW" }, []string{"silent"}},
		{"test_mode", func(c *Config) { c.TestMode = true }, []string{"500 pushes a day"}},
		{"long_ttl", func(c *Config) { c.TTL = 16 * 24 * time.Hour }, []string{"15 days"}},
		{"half_replaced", func(c *Config) { c.TokenEndpoint = "" }, []string{"only one of endpoint and token_endpoint"}},
	})
}

func TestClass(t *testing.T) {
	t.Parallel()
	marketingClass := vendors.Class{Name: "marketing", Capped: true, DeviceCap: 2}
	for _, c := range []struct {
		name, certificate, call, message string
		action                           hongyan.CallAction
		wantCategory                     string
		want                             vendors.Class
	}{
		{name: "default", wantCategory: "IM", want: vendors.Class{Name: "communication"}},
		{name: "certificate", certificate: "WORK", wantCategory: "WORK", want: vendors.Class{Name: "communication"}},
		{name: "message_wins", certificate: "MARKETING", message: " im ", wantCategory: "IM", want: vendors.Class{Name: "communication"}},
		{name: "marketing", certificate: "MARKETING", wantCategory: "MARKETING", want: marketingClass},
		{name: "nonsense_in_message", message: "chat message!", wantCategory: "IM", want: vendors.Class{Name: "communication"}},
		{name: "pass_through_only", message: "PLAY_VOICE", wantCategory: "IM", want: vendors.Class{Name: "communication"}},
		{name: "invite", action: hongyan.CallInvite, wantCategory: "VOIP", want: vendors.Class{Name: "communication"}},
		{name: "invite_without_right", call: "IM", action: hongyan.CallInvite, wantCategory: "IM", want: vendors.Class{Name: "communication"}},
		{name: "missed_call", call: "VOIP", action: hongyan.CallCancel, wantCategory: "IM", want: vendors.Class{Name: "communication"}},
		{name: "message_wins_over_call", message: "WORK", action: hongyan.CallInvite, wantCategory: "WORK", want: vendors.Class{Name: "communication"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config("", "")
			conf.Category, conf.CallCategory = c.certificate, c.call
			n := vendortest.Chat()
			n.Android.HuaweiCategory = c.message
			if c.action != "" {
				n.Call = &hongyan.Call{Media: "audio", Action: c.action, ID: "call-7"}
			}
			if got := conf.category(n); got != c.wantCategory {
				t.Errorf("category is %s, want %s", got, c.wantCategory)
			}
			if got := conf.Class(n); got != c.want {
				t.Errorf("class is %+v, want %+v", got, c.want)
			}
		})
	}
}
