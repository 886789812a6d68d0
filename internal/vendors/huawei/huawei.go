// Package huawei speaks to Huawei Push Kit for phones with HMS: EMUI, and HarmonyOS up to 4 (REST
// API v1 and v2). HarmonyOS 5 and later is package harmony; a token of the one is nothing to the
// other.
//
//	app_id, app_secret ──▶ oauth-login …/oauth2/v3/token ──▶ access token, 1 hour
//	                                                            │
//	batch of up to 1,000 tokens ──▶ push-api …/messages:send ◀──┘
//
// What a tap hands to the app: message.data is {"ext": "<the message's ext, byte for byte>"}. The
// HMS SDK puts the keys of data into the extras of the intent that opens the app, so the app reads
// getIntent().getStringExtra("ext"). A click target of the configuration may carry the ext in
// "{ext}" as well.
//
// An acceptance (80000000) says nothing about delivery: quotas, switched-off notifications and
// uninstalled apps show up only in delivery receipts.
//
// Sources: Huawei Push Kit, REST API "messages:send" and its result codes; OAuth 2.0 "client
// credentials"; "Message classification".
package huawei

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// The vendor's published numbers, gathered in November 2026.
const (
	pushHost  = "https://push-api.cloud.huawei.com"
	loginHost = "https://oauth-login.cloud.huawei.com"
	loginPath = "/oauth2/v3/token"

	testPushesDay = 500 // test pushes of one app and day
)

// Config is a certificate of Huawei Push Kit.
type Config struct {
	vendors.Common `yaml:",inline"`
	// AppID is the app's id in AppGallery Connect, which is also its OAuth 2.0 client id: digits
	// only. Required.
	AppID string `yaml:"app_id"`
	// AppSecret is the OAuth 2.0 client secret. Required.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// TokenEndpoint replaces the address that access tokens come from, for a proxy or a sandbox.
	// Without a path it gets the vendor's own, /oauth2/v3/token. Default:
	// https://oauth-login.cloud.huawei.com.
	TokenEndpoint string `yaml:"token_endpoint"`
	// ProjectID is the project's id in AppGallery Connect. Given: calls go to API v2, by project.
	// Empty: API v1, by app. The two take the same requests.
	ProjectID string `yaml:"project_id"`
	// ChannelID is the notification channel for messages that name none; the app must have created
	// it. Default: the SDK's channel.
	ChannelID string `yaml:"channel_id"`
	// Category is the class of chat messages that name none, such as IM. The app needs the
	// self-classification right for it, or else Huawei silently takes it for MARKETING. Default IM.
	Category string `yaml:"category"`
	// CallCategory is the same for call invites. Set it to IM where the app has no right for VOIP.
	// Default VOIP.
	CallCategory string `yaml:"call_category"`
	// Importance is NORMAL, or LOW for a silent entry in the notification centre. Default NORMAL.
	Importance string `yaml:"importance"`
	// BadgeClass is the full name of the launcher activity. Without it Huawei changes no badge, so
	// none is sent. Default: empty.
	BadgeClass string `yaml:"badge_class"`
	// ForegroundShow shows the notification even while the app is in the foreground, where it has
	// the message already. Default false.
	ForegroundShow bool `yaml:"foreground_show"`
	// GenericTitle and GenericBody replace a text that Huawei's content check refuses (80100016),
	// and stand in for one that has nothing to show. Default: 新消息 / 您收到一条新消息.
	GenericTitle string `yaml:"generic_title"`
	GenericBody  string `yaml:"generic_body"`
	// MaxTitle and MaxBody are the longest title and body, in code points; what is longer is
	// shortened. Huawei publishes no such limit, and resellers disagree. Default 40 and 256.
	MaxTitle int `yaml:"max_title"`
	MaxBody  int `yaml:"max_body"`
	// MaxBytes is the longest request without its tokens, in bytes, at most 4096. How Huawei counts
	// is not published, hence some distance. Default 3800.
	MaxBytes int `yaml:"max_bytes"`
}

// categories are the published ones. PLAY_VOICE is for pass-through messages only.
var categories = []string{
	"IM", "VOIP", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT", "EXPRESS", "FINANCE", "DEVICE_REMINDER", "MAIL", pushkit.Marketing,
}

const (
	low    = "LOW"
	normal = "NORMAL"
)

var appIDForm = regexp.MustCompile(`^[0-9]{1,64}$`)

func (c *Config) ownCategories() map[string]string {
	return map[string]string{"category": c.Category, "call_category": c.CallCategory}
}

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	if is.Required("app_id", c.AppID, "AppGallery Connect > Project settings > General information > App ID") && !appIDForm.MatchString(c.AppID) {
		is.Add("app_id", "is not 1 to 64 digits", "take the App ID (OAuth 2.0 client ID) of the app, not its package name")
	}
	is.Required("app_secret", string(c.AppSecret), "AppGallery Connect > Project settings > General information > OAuth 2.0 client secret")
	if c.ProjectID != "" && c.ProjectID == c.AppID {
		is.Add("project_id", "is the app id", "take the Project ID from AppGallery Connect, or leave project_id out to use API v1")
	}
	is.Endpoint("endpoint", c.Endpoint)
	is.Endpoint("token_endpoint", c.TokenEndpoint)
	pushkit.CheckCategories(&is, c.ownCategories(), "pass-through messages")
	if c.Importance != "" && c.Importance != low && c.Importance != normal {
		is.Add("importance", "is neither NORMAL nor LOW", "use NORMAL for chat")
	}
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "Huawei", Known: []string{"action", "intent", "url"}, Schemes: []string{"https://"},
		Instead: "use intent: intent:#Intent;component=<package>/<activity>;end",
	})
	pushkit.CheckReceipts(&is, &c.Common)
	pushkit.CheckSizes(&is, c.MaxTitle, c.MaxBody, c.MaxBytes)
	return is.Problems()
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	advice := pushkit.CategoryAdvice(c.ownCategories(), categories, "taken for MARKETING")
	if c.Importance == low {
		advice = append(advice, "importance LOW makes notifications silent: no sound, no lock screen; use NORMAL for chat")
	}
	if c.TestMode {
		advice = append(advice, fmt.Sprintf("test_mode allows %d pushes a day for the whole app; turn it off in production", testPushesDay))
	}
	advice = append(advice, c.TTLAdvice(pushkit.MaxTTL, "Huawei's 15 days")...)
	if (c.Endpoint == "") != (c.TokenEndpoint == "") {
		advice = append(advice, "only one of endpoint and token_endpoint is replaced: the other is Huawei's own")
	}
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	return vendors.Options{Android: hongyan.Android{
		Sound:            a.Sound,
		Style:            a.Style,
		Image:            a.Image,
		HuaweiChannelID:  a.HuaweiChannelID,
		HuaweiCategory:   a.HuaweiCategory,
		HuaweiImportance: a.HuaweiImportance,
	}}
}

// Class is communication for every category but MARKETING; see [pushkit.Class].
func (c *Config) Class(n *vendors.Notification) vendors.Class { return pushkit.Class(c.category(n)) }

// category is the message's, else the certificate's for its kind, else Huawei's category of that
// kind. A missed call is a chat message.
func (c *Config) category(n *vendors.Notification) string {
	if n != nil {
		if asked := strings.ToUpper(strings.TrimSpace(n.Android.HuaweiCategory)); pushkit.IsCategory(asked) && asked != pushkit.PlayVoice {
			return asked
		}
		if n.Call != nil && n.Call.Action == hongyan.CallInvite {
			return cmp.Or(c.CallCategory, "VOIP")
		}
	}
	return cmp.Or(c.Category, "IM")
}

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	p, err := newProtocol(c)
	if err != nil {
		return nil, err
	}
	return vendors.NewHTTP(p, &c.Common, env)
}

// protocol is the API of Huawei: it writes requests and reads answers.
type protocol struct {
	c         *Config
	send      string
	login     string
	title     vendors.TextLimit
	body      vendors.TextLimit
	maxBytes  int
	codes     map[string]vendors.Code
	statuses  map[string]vendors.Code
	authCodes map[string]vendors.Code
}

func newProtocol(c *Config) (*protocol, error) {
	path := "/v1/" + url.PathEscape(c.AppID) + "/messages:send"
	if c.ProjectID != "" {
		path = "/v2/" + url.PathEscape(c.ProjectID) + "/messages:send"
	}
	send, err := vendors.Address(c.EndpointOr(pushHost), path)
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	login, err := vendors.Address(cmp.Or(c.TokenEndpoint, loginHost), loginPath)
	if err != nil {
		return nil, fmt.Errorf("token_endpoint %w", err)
	}
	return &protocol{
		c: c, send: send, login: login,
		title:    vendors.TextLimit{Max: cmp.Or(c.MaxTitle, pushkit.DefaultTitle), Measure: vendors.Runes},
		body:     vendors.TextLimit{Max: cmp.Or(c.MaxBody, pushkit.DefaultBody), Measure: vendors.Runes},
		maxBytes: cmp.Or(c.MaxBytes, pushkit.DefaultBytes),
		codes:    c.Table(codes(), ""), statuses: vendors.Index(codes(), levelHTTP), authCodes: vendors.Index(codes(), levelOAuth),
	}, nil
}

// Limits: one notification, with one number for the icon, for up to 1,000 tokens.
func (p *protocol) Limits() vendors.Limits {
	l := vendors.Limits{Batch: pushkit.MaxTokens, Replaces: true}
	if p.c.BadgeClass != "" {
		l.Partition, l.Badge = vendors.ByBadge, true
	}
	return l
}
