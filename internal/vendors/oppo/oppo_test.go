package oppo

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/oppo"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func token(i int) string { return fmt.Sprintf("OPPO_CN_%032x", 0xdef000+i) }

func config() *Config {
	return &Config{
		AppKey: "demoAppKey0001", MasterSecret: "demoMasterSecret0001", ChannelID: "im_chat", TemplateID: "1001",
		TitleParams: map[string]string{"sender": "{title}"}, ContentParams: map[string]string{"text": "{body}"},
		Common: vendors.Common{Click: vendors.Click{Activity: "com.example.im.OPPOMessageActivity"}},
	}
}

func account() fake.Account {
	return fake.Account{
		AppKey: "demoAppKey0001", MasterSecret: "demoMasterSecret0001", Channels: []string{"im_chat", "news"},
		Templates: map[string]fake.Template{
			"1001": {Title: []string{"sender"}, Content: []string{"text"}},
			"1002": {Content: []string{"a"}},
		},
		TemplateRequired: true, ChannelRequired: true,
	}
}

var issued = regexp.MustCompile(`auth_token = \w+`)

func subject(change func(*Config)) vendortest.Subject {
	return vendortest.Subject{
		Fake: fake.Fake(account()),
		Config: func(endpoint, caFile string) vendors.Config {
			c := config()
			c.Endpoint, c.CAFile = endpoint, caFile
			if change != nil {
				change(c)
			}
			return c
		},
		Token: token,
		Scrub: func(s string) string { return issued.ReplaceAllString(s, "auth_token = <token>") },
	}
}

func TestConformance(t *testing.T) {
	s := subject(nil)
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Receipts = &vendors.Receipts{URL: "https://im.example.com/oppo"}
	s.Call = []string{`"call_back_url":"https://im.example.com/oppo","call_back_parameter":"{key}`, `"off_line_ttl":60,`}
	s.Badge = func(c vendors.Config) { c.(*Config).Badge = true }
	vendortest.Run(t, s)
}

func FuzzInterpret(f *testing.F) {
	vendortest.FuzzInterpret(f, newProtocol(config(), hostChina), token,
		`{"code":0,"message":"Success","data":[{"messageId":"30712345-1-1-aa","registrationId":"`+token(0)+`"},{"messageId":"","registrationId":"`+token(1)+`","errorCode":10000}]}`,
		`{"code":0,"message":"Success","data":{"messageId":"30712345-1-1-5f0c1e2d3a4b"}}`,
		`{"code":"0","data":null}`, `{"code":11,"message":"Invalid AuthToken"}`, `{"code":10000}`, `{"code":32}`, `"{\"code\":0}"`,
	)
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"complete", func(*Config) {}, nil},
		{"empty_file", func(c *Config) { *c = Config{} }, []string{"app_key", "master_secret"}},
		{"secret_with_its_line_break", func(c *Config) { c.MasterSecret += "\n" }, []string{"master_secret"}},
		{"category_in_lower_case", func(c *Config) { c.Category = "im" }, []string{"category"}},
		{"no_category", func(c *Config) { c.Category = "none" }, nil},
		{"level_three", func(c *Config) { c.NotifyLevel = 3 }, []string{"notify_level"}},
		{"level_without_category", func(c *Config) { c.NotifyLevel, c.Category = 2, "none" }, []string{"notify_level"}},
		{"template_with_blank", func(c *Config) { c.TemplateID = "a b" }, []string{"template_id"}},
		{"values_without_template", func(c *Config) { c.TemplateID = "" }, []string{"template_id"}},
		{"endless_channel", func(c *Config) { c.ChannelID = strings.Repeat("x", 200) }, []string{"channel_id"}},
		{"endpoint", func(c *Config) { c.Endpoint = "localhost" }, []string{"endpoint"}},
		{"two_click_targets", func(c *Config) { c.Click.URL = "https://x" }, []string{"click"}},
		{"half_an_activity", func(c *Config) { c.Click.Activity = ".Chat" }, []string{"click"}},
		{"half_an_activity_with_package", func(c *Config) { c.Click.Activity, c.Package = ".Chat", "com.example.im" }, nil},
		{"long_activity", func(c *Config) { c.Click.Activity = strings.Repeat("x", 501) }, []string{"click"}},
		{"long_url", func(c *Config) { c.Click = vendors.Click{URL: strings.Repeat("x", 2001)} }, []string{"click"}},
		{"class_of_another_vendor", func(c *Config) { c.DailyQuota = map[string]vendors.Quota{"system": 1, "public": 2} }, []string{"daily_quota"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	bare := func(c *Config) { c.TemplateID, c.TitleParams, c.ContentParams = "", nil, nil }
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"private", func(*Config) {}, nil},
		{"no_channel", func(c *Config) { c.ChannelID = "" }, []string{"after 2 messages a day"}},
		{"marketing", func(c *Config) { c.Category = "MARKETING" }, []string{"after 2 messages a day"}},
		{"public_channel_of_old", func(c *Config) { bare(c); c.Category, c.PublicChannels = "none", []string{"im_chat"} }, []string{"after 2 messages a day"}},
		{"unknown_category", func(c *Config) { c.Category = "CHAT" }, []string{"CHAT is none"}},
		{"no_template", bare, []string{"template_id is empty"}},
		{"banner", func(c *Config) { c.NotifyLevel = 16 }, []string{"needs a right"}},
		{"long_ttl", func(c *Config) { c.TTL = 300 * time.Hour }, []string{"10 days"}},
		{"test_mode", func(c *Config) { c.TestMode = true }, []string{"no sandbox"}},
	})
}

func TestClass(t *testing.T) {
	t.Parallel()
	free, capped := vendors.Class{Name: "private"}, vendors.Class{Name: "public", Capped: true, DailyQuota: 100_000, DeviceCap: 2}
	for _, c := range []struct {
		name   string
		change func(*Config)
		note   func(*vendors.Notification)
		want   vendors.Class
	}{
		{"default_is_im", func(*Config) {}, func(*vendors.Notification) {}, free},
		{"message_is_marketing", func(*Config) {}, func(n *vendors.Notification) { n.Android.OPPOCategory = "marketing" }, capped},
		{"message_is_im", func(c *Config) { c.Category = "NEWS" }, func(n *vendors.Notification) { n.Android.OPPOCategory = "IM" }, free},
		{"no_channel", func(c *Config) { c.ChannelID = "" }, func(*vendors.Notification) {}, capped},
		{"channel_of_the_message", func(c *Config) { c.ChannelID = "" }, func(n *vendors.Notification) { n.Android.OPPOChannelID = "x" }, free},
		{"old_scheme", func(c *Config) { c.Category = "none" }, func(*vendors.Notification) {}, free},
		{"old_scheme_public", func(c *Config) { c.Category, c.PublicChannels = "none", []string{"im_chat"} }, func(*vendors.Notification) {}, capped},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, note := config(), vendortest.Chat()
			c.change(conf)
			c.note(note)
			if got := conf.Class(note); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if got := config().Class(nil); got != free {
		t.Errorf("without a notification: got %+v", got)
	}
}

// TestKinds holds that a message goes by the channel and the template of its kind, and a mention,
// where it has none, by those of groups.
func TestKinds(t *testing.T) {
	t.Parallel()
	c := config()
	c.Channels = Channels{Group: "groups"}
	c.Templates.Group = Template{ID: "2", TitleParams: map[string]string{"group": "{title}"}, ContentParams: map[string]string{"sender": "{sender}", "text": "{text}"}}
	for kind, group := range map[vendors.Kind]bool{vendors.KindC2C: false, vendors.KindCall: false, vendors.KindGroup: true, vendors.KindMention: true} {
		n := vendortest.Chat()
		n.Kind, n.Title, n.Sender, n.Body, n.Lead = kind, "Family", "Alice", "Alice: See you at eight", len("Alice: ")
		got := newProtocol(c, hostChina).shape(n, vendortest.Now)
		if !group {
			if got.ChannelID != c.ChannelID || got.TemplateID != c.TemplateID {
				t.Errorf("%s: channel %q, template %q", kind, got.ChannelID, got.TemplateID)
			}
			continue
		}
		if got.ChannelID != "groups" || got.TemplateID != "2" || string(got.TitleParameters) != `{"group":"Family"}` ||
			string(got.ContentParameters) != `{"sender":"Alice","text":"See you at eight"}` {
			t.Errorf("%s: channel %q, template %q, title %s, content %s", kind, got.ChannelID, got.TemplateID, got.TitleParameters, got.ContentParameters)
		}
	}
}
