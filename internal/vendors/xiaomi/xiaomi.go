// Package xiaomi speaks to Xiaomi's MiPush, for phones with MIUI and HyperOS.
//
//	                               all the same     ┌─ POST /v3/message/regid ──────────┐
//	batch of up to 1,000 devices ──────────────────▶│                                   │
//	                               different ones   └─ POST /v2/multi_messages/regids ──┘
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
	"maps"
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
	leastTexts = 64   // bytes of title and description that are left beside a long ext
	maxExtra   = 1024 // characters of a value of extra
	maxParams  = 9    // variables of a template
	maxParam   = 128  // characters of a template's value
	maxJobKey  = 20
	// maxCallback is our own: Xiaomi publishes none, but has a code for a url that is too long.
	maxCallback = 1024

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
	// "{title}", keywords2: "{body}"}, whose body names the sender in groups. Emoji, which Xiaomi
	// refuses here, are dropped, and values cut to 128 characters. Default: none, for a template
	// without variables.
	TemplateParams map[string]string `yaml:"template_params"`
	// Channels are the channels by kind of message, since Xiaomi approves each for one kind.
	// Default: channel_id.
	Channels Channels `yaml:"channels"`
	// Templates are the templates by kind of message, such as {group: {id: M12763, params:
	// {keywords1: "{title}", keywords2: "{sender}", keywords3: "{text}"}}}. Default: template_id
	// with template_params.
	Templates Templates `yaml:"templates"`
	// BlankText stands in for a title, a body or a template's value that has nothing Xiaomi takes,
	// such as a text of emoji alone in a template. Default [表情].
	BlankText string `yaml:"blank_text"`
	// Region may be cn alone: Mi Push ended everywhere else on 2024-04-02, and phones abroad need
	// FCM. Default cn.
	Region string `yaml:"region"`
}

// Channels are channel ids by kind of message.
type Channels struct {
	// C2C is for messages between two. Default: channel_id of the certificate.
	C2C string `yaml:"c2c"`
	// Group is for messages of groups. Default: channel_id of the certificate.
	Group string `yaml:"group"`
	// Call is for calls. Default: channel_id of the certificate.
	Call string `yaml:"call"`
	// Mention is for messages of groups that mention the user. Default: that of group.
	Mention string `yaml:"mention"`
}

// Templates are templates by kind of message.
type Templates struct {
	// C2C is for messages between two, officially M12762. Default: template_id of the certificate.
	C2C Template `yaml:"c2c"`
	// Group is for messages of groups, officially M12763. Default: template_id of the certificate.
	Group Template `yaml:"group"`
	// Call is for calls, officially M12764. Default: template_id of the certificate.
	Call Template `yaml:"call"`
	// Mention is for messages of groups that mention the user, officially M12771. Default: that of
	// group.
	Mention Template `yaml:"mention"`
}

// Template is a template and the values of its variables.
type Template struct {
	// ID is the template's id. Required where params are given.
	ID string `yaml:"id"`
	// Params are the values of the template's variables, as in template_params. Default: none.
	Params map[string]string `yaml:"params"`
}

// byKind lists what is configured by kind, with the keys.
func (c *Config) byKind() map[string]Template {
	t := &c.Templates
	return map[string]Template{
		"template_id": {c.TemplateID, c.TemplateParams}, "templates.c2c": t.C2C, "templates.group": t.Group, "templates.call": t.Call, "templates.mention": t.Mention,
	}
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
	ids := map[string][]string{
		"channel_id": {c.ChannelID}, "public_channels": c.PublicChannels,
		"channels": {c.Channels.C2C, c.Channels.Group, c.Channels.Call, c.Channels.Mention},
	}
	for key, t := range c.byKind() {
		ids[key] = []string{t.ID}
		params := strings.Replace(key, "template_id", "template_params", 1)
		is.Wrong(len(t.Params) > maxParams, params, fmt.Sprintf("has more than the %d variables that a template may have", maxParams), "name the template's own variables")
		is.Wrong(len(t.Params) > 0 && t.ID == "", params, "has values that belong to no template", "give the template's id, or leave the values out")
	}
	for key, ids := range ids {
		for _, id := range ids {
			if id != "" && !channelForm.MatchString(id) {
				is.Add(key, "holds an id that cannot be one", "copy the id from the console, without blanks")
			}
		}
	}
	is.Endpoint("endpoint", c.Endpoint)
	is.Wrong(c.Region != "" && c.Region != "cn", "region", "is not cn, and Mi Push ended everywhere else on 2024-04-02", "use FCM for phones abroad")
	is.Wrong(strings.Contains(c.Endpoint, abroad), "endpoint", "is a host for phones abroad, where Mi Push ended on 2024-04-02", "use FCM for phones abroad")
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "Xiaomi", Known: []string{"activity", "action", "intent", "url"}, Schemes: []string{"https://", "http://"},
		MaxBytes: map[string]int{"activity": maxExtra, "action": maxExtra, "intent": maxExtra, "url": maxExtra},
	})
	is.Classes(&c.Common, "Xiaomi", private, public)
	is.Receipts(&c.Common, "Xiaomi", "url", "give the address that Xiaomi shall call")
	if c.Receipts != nil {
		is.Wrong(len(c.Receipts.URL) > maxCallback, "receipts", fmt.Sprintf("gives a url of more than %d bytes", maxCallback), "use a shorter one")
	}
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
	case c.unfit() != "":
		advice = append(advice, "template_id is empty, and templates has none for "+string(c.unfit())+": Xiaomi requires a template for private messages, from apps new since "+
			"2026-07-01 and from all by 2026-12-31; the official M12762 (chat), M12763 (group), M12764 (call) and M12771 (mention) need no application")
	}
	if c.ChannelID == "" && c.Channels == (Channels{}) && c.TemplateID != "" {
		advice = append(advice, "template_id without channel_id: a template goes with a private channel only, so none is sent")
	}
	for _, key := range slices.Sorted(maps.Keys(c.byKind())) {
		if t := c.byKind()[key]; t.ID != "" && len(t.Params) == 0 {
			advice = append(advice, key+" has no values: a template with variables is refused (10041) unless each message brings them")
		}
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
	if n == nil {
		return c.ChannelID
	}
	return c.channelOf(n.Kind)
}

// channelOf is the certificate's channel for a kind of message.
func (c *Config) channelOf(k vendors.Kind) string {
	by := &c.Channels
	return vendors.OfKind(k, by.C2C, by.Group, by.Call, by.Mention, c.ChannelID, func(id string) bool { return id != "" })
}

// template is the message's, with no values of the certificate's, else the certificate's for its
// kind; own says that it is the message's.
func (c *Config) template(n *vendors.Notification) (t Template, own bool) {
	by := &c.Templates
	t = vendors.OfKind(n.Kind, by.C2C, by.Group, by.Call, by.Mention, Template{c.TemplateID, c.TemplateParams}, func(t Template) bool { return t.ID != "" })
	if id := strings.TrimSpace(n.Android.XiaomiTemplateID); channelForm.MatchString(id) && id != t.ID {
		return Template{ID: id}, true
	}
	return t, false
}

// unfit is a kind of message that goes to a private channel without a template; empty for none.
func (c *Config) unfit() vendors.Kind {
	for _, k := range []vendors.Kind{vendors.KindC2C, vendors.KindGroup, vendors.KindCall, vendors.KindMention} {
		n := &vendors.Notification{Kind: k}
		if t, _ := c.template(n); t.ID == "" && c.Class(n).Name == private {
			return k
		}
	}
	return ""
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

func newProtocol(c *Config) *protocol { return &protocol{c: c, codes: c.Table(codes(), "")} }

// Limits: up to 1,000 devices, with one notification or with different ones. Xiaomi publishes no
// size of a call, yet has a code for one that is too long (10018).
func (p *protocol) Limits() vendors.Limits {
	return vendors.Limits{Batch: maxTargets, Mixed: maxTargets, Replaces: true, Bytes: vendors.MaxForm, Size: p.size}
}

// The host, and what the hosts for phones abroad have in their names; those phones need FCM.
const (
	host   = "https://api.xmpush.xiaomi.com"
	abroad = "xmpush.global.xiaomi.com"
)
