// Package xiaomi speaks to Xiaomi's MiPush, for phones with MIUI and HyperOS.
//
//	                               all the same     ┌─ POST /v3/message/regid ──────────┐
//	batch of up to 1,000 devices ──────────────────▶│                                   │──▶ the host of the devices' region
//	of one region                  different ones   └─ POST /v2/multi_messages/regids ──┘
//
// The secret is static: there is no login and no token that could expire. The body is a form,
// encoded once; a payload that is escaped before that reaches the app as "%7B…".
//
// What a tap hands to the app: the ext is the payload, byte for byte. Every push says what a tap
// opens (extra.notify_effect), so the SDK's callback onNotificationMessageClicked is not called;
// the intent that opens the app carries the message instead, as
// getIntent().getSerializableExtra(PushMessageHelper.KEY_MESSAGE), a MiPushMessage whose
// getContent() is the ext.
//
// An acceptance (code 0) says nothing about delivery. Phones silently drop what is over a device's
// daily share of a class; only the important (private) class has none, and it takes an approved
// channel and, since 2026, a template.
//
// Sources: Xiaomi HyperOS developer site, "Server API", "Error codes" (pId 1560), "Message classes"
// (pId 1656), "Private messages" (pId 2314, 2321); the official Java SDK.
package xiaomi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The vendor's published numbers, gathered in November 2026. Lengths count UTF-16 units, the
// strictest of the ways to read "characters"; titles and descriptions must be shorter than 50 and
// 128.
const (
	maxTargets = 1000 // of one call
	maxTitle   = 49
	maxText    = 127
	maxMessage = 4096 // bytes of title, description and payload
	maxExtra   = 1024 // characters of a value of extra
	maxParams  = 9    // variables of a template
	maxParam   = 128  // characters of a template's value
	maxJobKey  = 20

	minTTL        = time.Second
	maxTTLPrivate = 10 * 24 * time.Hour
	maxTTLPublic  = 24 * time.Hour

	// Public messages: an app may send twice the number of its installs with notifications on, and
	// a base below 10,000 counts as 10,000; a phone shows 5 a day. Three times and 8 with a news
	// licence. Without a channel: once the installs, and 1 a day.
	leastPublicQuota  = 20_000
	publicDeviceCap   = 5
	leastDefaultQuota = 10_000
	defaultDeviceCap  = 1
)

// Config is a certificate of Xiaomi MiPush.
type Config struct {
	vendors.Common `yaml:",inline"`
	// AppSecret is the AppSecret of the console, not the AppKey and not the AppID. Required.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// Package is the app's package name. Required.
	Package string `yaml:"package"`
	// ChannelID is the channel for messages that name none, as approved in the console. Chat needs
	// one of the important (private) class: without a channel a phone shows one message a day.
	// Default: none.
	ChannelID string `yaml:"channel_id"`
	// PublicChannels names the channel ids that are of the ordinary (public) class. Every other
	// channel is taken for private; Xiaomi's answers do not tell. Default: none.
	PublicChannels []string `yaml:"public_channels"`
	// TemplateID is the template for messages that name none. Xiaomi requires one for private
	// messages, from apps new since 2026-07-01 at once and from all others by 2026-12-31. It is
	// sent with a private channel only. Default: none.
	TemplateID string `yaml:"template_id"`
	// TemplateParams are the values of the template's variables, all of them: "{title}" and
	// "{body}" stand for the notification's own, "{sender}" for who wrote the message and "{text}"
	// for the body without the sender's name. For the official template M12762 (chat): {keywords1:
	// "{title}", keywords2: "{text}"}. Emoji, which Xiaomi refuses here, are dropped, and values
	// cut to 128 characters. Default: none, for a template without variables.
	TemplateParams map[string]string `yaml:"template_params"`
	// BlankText stands in for a title, a body or a template's value that has nothing Xiaomi takes,
	// such as a text of emoji alone in a template. Default [表情].
	BlankText string `yaml:"blank_text"`
	// Region is the region of devices whose registration names none: cn, ru, in, eu or global.
	// Where endpoint is set, all go there. Default cn.
	Region string `yaml:"region"`
}

var channelForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,128}$`)

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	if is.Required("app_secret", string(c.AppSecret), "Xiaomi push console > the app > AppSecret (not AppKey, not AppID)") &&
		strings.ContainsAny(string(c.AppSecret), " \t\r\n") {
		is.Add("app_secret", "holds a blank or a line break", "copy the AppSecret of the console alone")
	}
	if is.Required("package", c.Package, "the app's package name, as registered in Xiaomi's console") && strings.ContainsAny(c.Package, ", \t\r\n") {
		is.Add("package", "is not one package name", "use one certificate for each package")
	}
	for key, ids := range map[string][]string{"channel_id": {c.ChannelID}, "public_channels": c.PublicChannels, "template_id": {c.TemplateID}} {
		for _, id := range ids {
			if id != "" && !channelForm.MatchString(id) {
				is.Add(key, "holds an id that cannot be one", "copy the id from the console, without blanks")
			}
		}
	}
	if len(c.TemplateParams) > maxParams {
		is.Add("template_params", fmt.Sprintf("has more than the %d variables that a template may have", maxParams), "name the template's own variables")
	}
	if len(c.TemplateParams) > 0 && c.TemplateID == "" {
		is.Add("template_params", "belong to no template", "set template_id, or leave template_params out")
	}
	if _, known := region(c.Region); !known {
		is.Add("region", "is none that Xiaomi has a host for", "use cn, ru, in, eu or global")
	}
	is.Endpoint("endpoint", c.Endpoint)
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "Xiaomi", Known: []string{"activity", "action", "intent", "url"}, Schemes: []string{"https://", "http://"},
		MaxBytes: map[string]int{"activity": maxExtra, "action": maxExtra, "intent": maxExtra, "url": maxExtra},
	})
	is.Classes(&c.Common, "Xiaomi", private, public)
	return is.Problems()
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	switch {
	case c.ChannelID == "":
		advice = append(advice, fmt.Sprintf("channel_id is empty: a phone shows %d message a day without a channel, silently, and Xiaomi may refuse "+
			"such messages altogether; apply for a channel of the important (private) class and set it", defaultDeviceCap))
	case slices.Contains(c.PublicChannels, c.ChannelID):
		advice = append(advice, fmt.Sprintf("channel_id is of the ordinary (public) class: a phone silently drops all after %d messages a day "+
			"(8 with a news licence); use a channel of the important (private) class for chat", publicDeviceCap))
	case c.TemplateID == "":
		advice = append(advice, "template_id is empty: Xiaomi requires a template for private messages, from apps new since 2026-07-01 and from all by "+
			"2026-12-31; the official M12762 (chat) needs no application")
	}
	if c.ChannelID == "" && c.TemplateID != "" {
		advice = append(advice, "template_id without channel_id: a template goes with a private channel only, so none is sent")
	}
	if c.TemplateID != "" && len(c.TemplateParams) == 0 {
		advice = append(advice, "template_params are empty: a template with variables is refused (10041) unless each message brings its values")
	}
	if _, own := c.DailyQuota[public]; !own && (c.ChannelID == "" || slices.Contains(c.PublicChannels, c.ChannelID)) {
		advice = append(advice, "daily_quota.public is not set: the smallest that Xiaomi gives any app is assumed; set it to the number in the console")
	}
	longest := c.longestTTL(c.ChannelID)
	advice = append(advice, c.TTLAdvice(longest, fmt.Sprintf("Xiaomi's %d hours for this class", longest/time.Hour))...)
	if c.TestMode {
		advice = append(advice, "test_mode changes nothing: Xiaomi has no sandbox for Android; use a device of your own")
	}
	return advice
}

// Message classes, as daily_quota and device_cap name them.
const (
	private = "private"
	public  = "public"
)

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	return vendors.Options{Android: hongyan.Android{
		Sound:                a.Sound,
		XiaomiChannelID:      a.XiaomiChannelID,
		XiaomiTemplateID:     a.XiaomiTemplateID,
		XiaomiTemplateParams: vendors.FitParams(a.XiaomiTemplateParams),
	}}
}

// Class is private for a channel that is not listed as public. Xiaomi counts public messages when
// they arrive.
func (c *Config) Class(n *vendors.Notification) vendors.Class {
	switch channel := c.channel(n); {
	case channel == "":
		return vendors.Class{Name: public, Capped: true, DailyQuota: leastDefaultQuota, DeviceCap: defaultDeviceCap, ByArrival: true}
	case slices.Contains(c.PublicChannels, channel):
		return vendors.Class{Name: public, Capped: true, DailyQuota: leastPublicQuota, DeviceCap: publicDeviceCap, ByArrival: true}
	}
	return vendors.Class{Name: private}
}

// channel is the message's, else the certificate's.
func (c *Config) channel(n *vendors.Notification) string {
	if n != nil {
		if own := strings.TrimSpace(n.Android.XiaomiChannelID); channelForm.MatchString(own) {
			return own
		}
	}
	return c.ChannelID
}

// longestTTL is what Xiaomi takes for the class of a channel.
func (c *Config) longestTTL(channel string) time.Duration {
	if channel == "" || slices.Contains(c.PublicChannels, channel) {
		return maxTTLPublic
	}
	return maxTTLPrivate
}

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	return vendors.NewHTTP(newProtocol(c), &c.Common, env)
}

// protocol is the API of Xiaomi: it writes requests and reads answers.
type protocol struct {
	c     *Config
	codes map[string]vendors.Code
}

func newProtocol(c *Config) *protocol { return &protocol{c: c, codes: vendors.Index(codes(), "")} }

// Limits: up to 1,000 devices of one region, with one notification or with different ones.
func (p *protocol) Limits() vendors.Limits {
	l := vendors.Limits{Batch: maxTargets, Mixed: maxTargets}
	if p.c.Endpoint == "" {
		l.Partition = p.host
	}
	return l
}
