package xiaomi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/xiaomi"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// token has what real tokens have and a form must escape.
func token(i int) string { return fmt.Sprintf("regId/%06d+aB=", i) }

func config() *Config {
	return &Config{
		AppSecret: "demo+App/Secret==", Package: "com.example.im", ChannelID: "im_private", TemplateID: "M12762",
		TemplateParams: map[string]string{"keywords1": "{title}", "keywords2": "{text}"},
		PublicChannels: []string{"im_public"},
	}
}

func account() fake.Account {
	return fake.Account{
		Package: "com.example.im", AppSecret: "demo+App/Secret==", TemplateRequired: true, ChannelRequired: true,
		Channels:  map[string]string{"im_private": "private", "im_public": "public"},
		Templates: map[string][]string{"M12762": {"keywords1", "keywords2"}, "P1": nil},
	}
}

func subject() vendortest.Subject {
	return vendortest.Subject{
		Fake: fake.Fake(account()),
		Config: func(endpoint, caFile string) vendors.Config {
			c := config()
			c.Endpoint, c.CAFile = endpoint, caFile
			return c
		},
		Token: token,
	}
}

func TestConformance(t *testing.T) {
	s := subject()
	s.Problems, s.Advice, s.Doc = problems(), advice(), Doc
	s.Receipts = &vendors.Receipts{URL: "https://im.example.com/xiaomi"}
	s.Call = []string{"extra.callback = https://im.example.com/xiaomi\n", "extra.callback.param = {key}", "extra.callback.type = 1203\n", "time_to_live = 60000\n"}
	vendortest.Run(t, s)
}

func FuzzInterpret(f *testing.F) {
	vendortest.FuzzInterpret(f, newProtocol(config()), token,
		`{"result":"ok","trace_id":"x","code":0,"data":{"id":"scm1","day_quota":"50000","day_acked":"120"}}`,
		`{"result":"ok","code":0,"data":{"id":"scm1","bad_regids":"regId/000000+aB=","channel_exceed_quota":"im_private:1"}}`,
		`{"result":"error","reason":"No valid targets!","code":20301}`,
		`{"result":"error","reason":"x","code":"66007"}`,
		`{"result":"error","code":27001}`,
	)
}

// problems are what may be wrong with a certificate.
func problems() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"complete", func(*Config) {}, nil},
		{"empty_file", func(c *Config) { *c = Config{} }, []string{"app_secret", "package"}},
		{"secret_with_its_line_break", func(c *Config) { c.AppSecret += "\n" }, []string{"app_secret"}},
		{"two_packages", func(c *Config) { c.Package = "a,b" }, []string{"package"}},
		{"ids_with_blanks", func(c *Config) { c.ChannelID, c.TemplateID, c.PublicChannels = "a b", "c d", []string{"e f"} },
			[]string{"channel_id", "public_channels", "template_id"}},
		{"ten_variables", func(c *Config) {
			for i := range 8 {
				c.TemplateParams[fmt.Sprint("k", i)] = "x"
			}
		}, []string{"template_params"}},
		{"values_without_template", func(c *Config) { c.TemplateID = "" }, []string{"template_params"}},
		{"region_china", func(c *Config) { c.Region = "cn" }, nil},
		// Mi Push ended abroad: those phones need FCM.
		{"region_abroad", func(c *Config) { c.Region = "eu" }, []string{"region"}},
		{"host_abroad", func(c *Config) { c.Endpoint = "https://fr-api.xmpush.global.xiaomi.com" }, []string{"endpoint"}},
		{"channel_of_a_kind_with_blanks", func(c *Config) { c.Channels.Call = "a b" }, []string{"channels"}},
		{"template_of_a_kind", func(c *Config) {
			c.Templates.Group = Template{ID: "M12763", Params: map[string]string{"keywords1": "{title}"}}
		}, nil},
		{"template_of_a_kind_without_id", func(c *Config) { c.Templates.Mention.Params = map[string]string{"a": "b"} }, []string{"templates.mention"}},
		{"reports", func(c *Config) { c.Receipts = &vendors.Receipts{URL: "https://im.example.com/x"} }, nil},
		{"reports_by_id", func(c *Config) { c.Receipts = &vendors.Receipts{ID: "x"} }, []string{"receipts", "receipts"}},
		{"endpoint", func(c *Config) { c.Endpoint = "127.0.0.1:8" }, []string{"endpoint"}},
		{"two_click_targets", func(c *Config) { c.Click = vendors.Click{Activity: "a", URL: "https://x"} }, []string{"click"}},
		{"click_url_of_the_app", func(c *Config) { c.Click.URL = "app://chat" }, []string{"click"}},
		{"long_click", func(c *Config) { c.Click.Intent = strings.Repeat("x", 1025) }, []string{"click"}},
		{"class_of_another_vendor", func(c *Config) {
			c.DailyQuota = map[string]vendors.Quota{"system": 1}
			c.DeviceCap = map[string]vendors.Quota{"private": 1, "public": 2}
		}, []string{"daily_quota"}},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"private_channel_with_template", func(*Config) {}, nil},
		{"no_channel", func(c *Config) { c.ChannelID, c.TemplateID, c.TemplateParams = "", "", nil }, []string{"1 message a day", "daily_quota.public"}},
		{"public_channel", func(c *Config) { c.ChannelID, c.TemplateID, c.TemplateParams = "im_public", "", nil }, []string{"5 messages a day", "daily_quota.public"}},
		{"public_channel_with_quota", func(c *Config) {
			c.ChannelID, c.DailyQuota = "im_public", map[string]vendors.Quota{"public": 9}
		}, []string{"5 messages a day"}},
		{"no_template", func(c *Config) { c.TemplateID, c.TemplateParams = "", nil }, []string{"template_id is empty"}},
		{"no_template_for_calls", func(c *Config) {
			c.Templates = Templates{C2C: Template{"a", c.TemplateParams}, Group: Template{"a", c.TemplateParams}}
			c.TemplateID, c.TemplateParams = "", nil
		}, []string{"none for call"}},
		{"template_without_channel", func(c *Config) { c.ChannelID = "" }, []string{"1 message a day", "template_id without", "daily_quota"}},
		{"template_without_values", func(c *Config) { c.TemplateParams = nil }, []string{"template_id has no values"}},
		{"long_ttl", func(c *Config) { c.TTL = 11 * 24 * time.Hour }, []string{"240 hours"}},
		{"test_mode", func(c *Config) { c.TestMode = true }, []string{"no sandbox"}},
	})
}

func TestClass(t *testing.T) {
	t.Parallel()
	conf := config()
	note := func(channel string) *vendors.Notification {
		n := vendortest.Chat()
		n.Android.XiaomiChannelID = channel
		return n
	}
	none := config()
	none.ChannelID = ""
	for _, c := range []struct {
		name string
		conf *Config
		note *vendors.Notification
		want vendors.Class
	}{
		{"certificate", conf, note(""), vendors.Class{Name: "private"}},
		{"no_notification", conf, nil, vendors.Class{Name: "private"}},
		{"message_wins", conf, note("im_public"), vendors.Class{Name: "public", Capped: true, DailyQuota: 20_000, DeviceCap: 5, ByArrival: true}},
		{"no_channel", none, note(""), vendors.Class{Name: "public", Capped: true, DailyQuota: 10_000, DeviceCap: 1, ByArrival: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.conf.Class(c.note); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestKinds holds that a message goes by the channel and the template of its kind, and a mention,
// where it has none, by those of groups.
func TestKinds(t *testing.T) {
	t.Parallel()
	c := config()
	c.Channels = Channels{Group: "im_groups", Call: "im_calls"}
	c.Templates = Templates{
		Group: Template{ID: "M12763", Params: map[string]string{"keywords1": "{title}", "keywords2": "{sender}", "keywords3": "{text}"}},
		Call:  Template{ID: "M12764", Params: map[string]string{"keywords1": "{title}"}},
	}
	p := newProtocol(c)
	for kind, want := range map[vendors.Kind][3]string{
		vendors.KindC2C:     {"im_private", "M12762", `{"keywords1":"Family","keywords2":"See you at eight"}`},
		vendors.KindGroup:   {"im_groups", "M12763", `{"keywords1":"Family","keywords2":"Alice","keywords3":"See you at eight"}`},
		vendors.KindMention: {"im_groups", "M12763", `{"keywords1":"Family","keywords2":"Alice","keywords3":"See you at eight"}`},
		vendors.KindCall:    {"im_calls", "M12764", `{"keywords1":"Family"}`},
	} {
		n := vendortest.Chat()
		n.Kind, n.Title, n.Sender, n.Body, n.Lead = kind, "Family", "Alice", "Alice: See you at eight", len("Alice: ")
		extra := p.message(n, vendortest.Now).Extra
		if got := [3]string{extra["channel_id"], extra["template_id"], extra["template_param"]}; got != want {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
}
