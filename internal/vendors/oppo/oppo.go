// Package oppo speaks to OPPO Push (HeyTap), for phones of OPPO, OnePlus and realme.
//
//	app_key, master_secret ──▶ /server/v1/auth ──▶ auth_token, 24 hours
//	                                                  │
//	batch of up to 1,000 devices ──▶ …/unicast_batch ◀┘   a message of its own for each device
//
// A single device goes through unicast_batch as well: each element is a unicast message, the rate
// is counted alike, and one form of request and answer is one form less to go wrong. Broadcast (one
// stored text for many) is not used: its texts are the same for all, and a failed second call would
// leave a stored message behind.
//
// What a tap hands to the app: action_parameters, the text of a JSON object whose keys become
// extras of the intent that opens the app. An ext that is a JSON object is sent as it is, byte for
// byte; OPPO drops a push whose parameters are anything else, so any other ext is wrapped as
// {"ext": "…"}.
//
// An acceptance (code 0) says nothing about delivery: a phone's daily share and dead devices show
// up only in receipts, and Android 8 and later show nothing without a channel that the app created
// and the console lists.
//
// Sources: OPPO open platform, "OPPO PUSH server API" (message sending, authentication, return
// codes, new message classes, private templates); the official Java SDK.
package oppo

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The vendor's published numbers, gathered in November 2026. Lengths count code points, an emoji
// being one as well.
const (
	maxMessages     = 1000 // of one call
	maxTitle        = 50
	maxShort        = 50  // content of style 1
	maxLong         = 128 // content of style 2; older documents and the SDK allow 200 everywhere
	maxActivity     = 500
	maxURL          = 2000
	maxParameters   = 4000 // characters of action_parameters
	maxChannel      = 128
	maxCallback     = 200
	minTTL          = time.Second
	maxTTL          = 10 * 24 * time.Hour
	publicQuota     = 100_000 // below 50,000 users; twice the users above
	publicDeviceCap = 2       // 5 for news apps
)

// Config is a certificate of OPPO Push.
type Config struct {
	vendors.Common `yaml:",inline"`
	// AppKey is the AppKey of the console. Required.
	AppKey string `yaml:"app_key"`
	// MasterSecret is the MasterSecret of the console, the server's secret; the AppSecret is for
	// the app and is refused here (code 16). Required.
	MasterSecret vendors.Secret `yaml:"master_secret"`
	// Package is the app's package name. OPPO does not ask for it; it completes a click target that
	// begins with a dot. Default: none.
	Package string `yaml:"package"`
	// ChannelID is the notification channel for messages that name none. The app must have created
	// it and the console must list it, or else Android 8 and later show nothing. Default: none.
	ChannelID string `yaml:"channel_id"`
	// PublicChannels names the channel ids that the console lists as public; it matters only with
	// category none. Default: none.
	PublicChannels []string `yaml:"public_channels"`
	// Category is the class of messages that name none: IM, ACCOUNT, TODO, DEVICE_REMINDER, ORDER
	// and SUBSCRIPTION are communication and service, NEWS, CONTENT, MARKETING and SOCIAL content
	// and marketing. "none" sends no category, for an app that is still in the old classes. Default
	// IM.
	Category string `yaml:"category"`
	// NotifyLevel is 1 for the notification bar, 2 for the lock screen as well, 16 for banner,
	// sound and vibration too, which needs a right that OPPO grants. It goes with a category only.
	// Default 0: OPPO's own level for the category.
	NotifyLevel int `yaml:"notify_level"`
	// TemplateID is the private template for messages that name none. OPPO requires one for private
	// messages (code 54). Default: none.
	TemplateID string `yaml:"template_id"`
	// TitleParams and ContentParams are the values of the template's variables, all of them:
	// "{title}" and "{body}" stand for the notification's own, "{sender}" for who wrote the message
	// and "{text}" for the body without the sender's name. Leave out the one whose text has no
	// variables. Default: none.
	TitleParams   map[string]string `yaml:"title_params"`
	ContentParams map[string]string `yaml:"content_params"`
	// Channels are the channels by kind of message. Default: channel_id.
	Channels Channels `yaml:"channels"`
	// Templates are the private templates by kind of message, such as {group: {id: "2",
	// title_params: {group: "{title}"}, content_params: {sender: "{sender}", text: "{text}"}}}.
	// Default: template_id with title_params and content_params.
	Templates Templates `yaml:"templates"`
	// ParamsAsText sends the values as the text of a JSON object instead of an object, for accounts
	// that answer code 54 or 41 with "syntax error". Default false.
	ParamsAsText bool `yaml:"params_as_text"`
	// Badge sends the number for the app's icon; most OPPO phones show a dot instead. Default
	// false.
	Badge bool `yaml:"badge"`
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

// Templates are private templates by kind of message.
type Templates struct {
	// C2C is for messages between two. Default: template_id of the certificate.
	C2C Template `yaml:"c2c"`
	// Group is for messages of groups. Default: template_id of the certificate.
	Group Template `yaml:"group"`
	// Call is for calls. Default: template_id of the certificate.
	Call Template `yaml:"call"`
	// Mention is for messages of groups that mention the user. Default: that of group.
	Mention Template `yaml:"mention"`
}

// Template is a private template and the values of its variables.
type Template struct {
	// ID is the template's id. Required where values are given.
	ID string `yaml:"id"`
	// TitleParams are the values for its title, as in title_params. Default: none.
	TitleParams map[string]string `yaml:"title_params"`
	// ContentParams are the values for its content, as in content_params. Default: none.
	ContentParams map[string]string `yaml:"content_params"`
}

// Categories, by what they are counted as. A category that is in neither list is sent as it is.
var (
	service   = []string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}
	marketing = []string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}
)

const noCategory = "none"

var (
	categoryForm = regexp.MustCompile(`^[A-Z][A-Z_]{0,31}$`)
	templateForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,128}$`)
)

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	is.Required("app_key", c.AppKey, "OPPO push console > application settings > AppKey")
	is.Required("master_secret", string(c.MasterSecret), "OPPO push console > application settings > MasterSecret (not AppSecret)")
	if strings.TrimSpace(string(c.MasterSecret)) != string(c.MasterSecret) || strings.TrimSpace(c.AppKey) != c.AppKey {
		is.Add("master_secret", "or app_key begins or ends with a blank", "copy both from the console without blanks")
	}
	if c.Category != "" && c.Category != noCategory && !categoryForm.MatchString(c.Category) {
		is.Add("category", "is not in upper case", "use IM, or another category of OPPO's list, or none")
	}
	switch {
	case !level(c.NotifyLevel) && c.NotifyLevel != 0:
		is.Add("notify_level", "is not 1, 2 or 16", "leave it out for OPPO's own level")
	case c.NotifyLevel != 0 && c.Category == noCategory:
		is.Add("notify_level", "goes with a category only", "set category, or leave notify_level out")
	}
	by := &c.Templates
	for key, t := range map[string]Template{
		"template_id": {c.TemplateID, c.TitleParams, c.ContentParams}, "templates.c2c": by.C2C, "templates.group": by.Group, "templates.call": by.Call,
		"templates.mention": by.Mention,
	} {
		is.Wrong(t.ID != "" && !templateForm.MatchString(t.ID), key, "cannot be one", "copy the id from the console, without blanks")
		is.Wrong(t.ID == "" && len(t.TitleParams)+len(t.ContentParams) > 0, key, "is missing: title_params and content_params belong to a template", "set it, or leave them out")
	}
	for key, ids := range map[string][]string{"channel_id": {c.ChannelID}, "channels": {c.Channels.C2C, c.Channels.Group, c.Channels.Call, c.Channels.Mention}} {
		is.Wrong(slices.ContainsFunc(ids, func(id string) bool { return len(id) > maxChannel }), key, "is too long", "use the id of the channel that the app creates")
	}
	is.Endpoint("endpoint", c.Endpoint)
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "OPPO", Known: []string{"activity", "action", "intent", "url"},
		MaxBytes: map[string]int{"activity": maxActivity, "action": maxActivity, "intent": maxURL, "url": maxURL},
	})
	is.Wrong(strings.HasPrefix(c.Click.Activity, ".") && c.Package == "", "click", "activity begins with a dot", "write the whole class name, or set package")
	is.Classes(&c.Common, "OPPO", private, public)
	is.Receipts(&c.Common, "OPPO", "url", "give the address that OPPO shall call, and register it in OPPO's console")
	if c.Receipts != nil {
		is.Wrong(len(c.Receipts.URL) > maxCallback, "receipts", fmt.Sprintf("gives a url of more than %d characters", maxCallback), "use a shorter one")
	}
	return is.Problems()
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	capped := fmt.Sprintf("a phone silently drops all after %d messages a day (5 for news apps), and the app may send %d a day below 50,000 users, "+
		"twice its users above", publicDeviceCap, publicQuota)
	switch category := c.category(nil); {
	case c.ChannelID == "" && c.Channels == (Channels{}):
		advice = append(advice, "channel_id is empty: Android 8 and later show nothing without a channel that the app created and the console lists, "+
			"or take the message for the public class, where "+capped)
	case slices.Contains(marketing, category):
		advice = append(advice, "category "+category+" is content and marketing (public): "+capped+"; use IM for chat")
	case category == "" && slices.Contains(c.PublicChannels, c.ChannelID):
		advice = append(advice, "channel_id is a public channel: "+capped+"; use a private channel, or the category IM")
	case category != "" && !slices.Contains(service, category):
		advice = append(advice, "category "+category+" is none that OPPO publishes: OPPO answers 67 if it does not know it")
	}
	if kind := c.unfit(); kind != "" {
		advice = append(advice, "template_id is empty, and templates has none for "+string(kind)+": OPPO requires a template for private messages and answers 54 where it is missing")
	}
	if c.Receipts != nil {
		advice = append(advice, "receipts.url must be registered in OPPO's console, or OPPO reports nothing")
	}
	if c.NotifyLevel == 16 {
		advice = append(advice, "notify_level 16 needs a right that OPPO grants to IM and call apps; without it OPPO answers 67")
	}
	advice = append(advice, c.TTLAdvice(maxTTL, "OPPO's 10 days")...)
	if c.TestMode {
		advice = append(advice, "test_mode changes nothing: OPPO has no sandbox; apps outside the store have a test right of 1,000 public messages a day")
	}
	return advice
}

// Message classes, as daily_quota and device_cap name them: communication and service, content and
// marketing.
const (
	private = "private"
	public  = "public"
)

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	return vendors.Options{Android: hongyan.Android{
		Style:             a.Style,
		OPPOChannelID:     a.OPPOChannelID,
		OPPOCategory:      a.OPPOCategory,
		OPPONotifyLevel:   a.OPPONotifyLevel,
		OPPOTemplateID:    a.OPPOTemplateID,
		OPPOTitleParams:   vendors.FitParams(a.OPPOTitleParams),
		OPPOContentParams: vendors.FitParams(a.OPPOContentParams),
	}}
}

// Class is decided by the category, and in the old scheme by the channel. Without a channel nothing
// is private.
func (c *Config) Class(n *vendors.Notification) vendors.Class {
	category, channel := c.category(n), c.channel(n)
	if channel == "" || slices.Contains(marketing, category) || category == "" && slices.Contains(c.PublicChannels, channel) {
		return vendors.Class{Name: public, Capped: true, DailyQuota: publicQuota, DeviceCap: publicDeviceCap}
	}
	return vendors.Class{Name: private}
}

// category is the message's, else the certificate's, else IM, which is right for chat and calls;
// empty means that none is sent.
func (c *Config) category(n *vendors.Notification) string {
	category := cmp.Or(c.Category, "IM")
	if n != nil {
		if own := strings.ToUpper(strings.TrimSpace(n.Android.OPPOCategory)); categoryForm.MatchString(own) {
			category = own
		}
	}
	if strings.EqualFold(category, noCategory) {
		return ""
	}
	return category
}

// channel is the message's, else the certificate's.
func (c *Config) channel(n *vendors.Notification) string {
	if n != nil {
		if own := strings.TrimSpace(vendors.Printable(n.Android.OPPOChannelID)); own != "" && len(own) <= maxChannel {
			return own
		}
		return c.channelOf(n.Kind)
	}
	return c.ChannelID
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
	t = vendors.OfKind(n.Kind, by.C2C, by.Group, by.Call, by.Mention, Template{c.TemplateID, c.TitleParams, c.ContentParams},
		func(t Template) bool { return t.ID != "" })
	if id := strings.TrimSpace(n.Android.OPPOTemplateID); templateForm.MatchString(id) && id != t.ID {
		return Template{ID: id}, true
	}
	return t, false
}

// unfit is a kind of private message without a template; empty for none.
func (c *Config) unfit() vendors.Kind {
	for _, k := range []vendors.Kind{vendors.KindC2C, vendors.KindGroup, vendors.KindCall, vendors.KindMention} {
		n := &vendors.Notification{Kind: k}
		if t, _ := c.template(n); t.ID == "" && c.Class(n).Name == private {
			return k
		}
	}
	return ""
}

// notifyLevel is the message's, else the certificate's; 0 leaves it to OPPO.
func (c *Config) notifyLevel(n *vendors.Notification) int {
	if level(n.Android.OPPONotifyLevel) {
		return n.Android.OPPONotifyLevel
	}
	return c.NotifyLevel
}

func level(n int) bool { return n == 1 || n == 2 || n == 16 }
