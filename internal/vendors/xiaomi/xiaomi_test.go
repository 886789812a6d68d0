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
		{"region", func(c *Config) { c.Region = "moon" }, []string{"region"}},
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
		{"template_without_channel", func(c *Config) { c.ChannelID = "" }, []string{"1 message a day", "template_id without", "daily_quota"}},
		{"template_without_values", func(c *Config) { c.TemplateParams = nil }, []string{"template_params are empty"}},
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

// TestPartition holds that devices of different regions never share a call, and that an endpoint of
// one's own takes them all.
func TestPartition(t *testing.T) {
	t.Parallel()
	conf := config()
	partition := newProtocol(conf).Limits().Partition
	for _, c := range []struct{ region, want string }{
		{"", hostCN}, {"cn", hostCN}, {"China", hostCN}, {"ru", hostRU}, {"Russia", hostRU}, {"in", hostIN}, {"India", hostIN},
		{"eu", hostEU}, {"Europe", hostEU}, {"DE", hostEU}, {"gb", hostEU}, {"global", hostGlobal}, {"Global", hostGlobal},
		{"sgp", hostGlobal}, {"ID", hostGlobal}, {"somewhere else", hostGlobal},
	} {
		if got := partition(vendors.Device{Region: c.region}); got != c.want {
			t.Errorf("region %q goes to %s, want %s", c.region, got, c.want)
		}
	}
	conf.Region = "ru"
	if got := partition(vendors.Device{}); got != hostRU {
		t.Errorf("without a region the certificate's holds: got %s", got)
	}
	conf.Endpoint = "https://proxy.example.com/"
	p := newProtocol(conf)
	if p.Limits().Partition != nil {
		t.Error("with an endpoint all devices go there, yet they are kept apart")
	}
	if got := p.host(vendors.Device{Region: "in"}); got != "https://proxy.example.com" {
		t.Errorf("got host %s", got)
	}
}
