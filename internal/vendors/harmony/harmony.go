// Package harmony speaks to Push Kit of HarmonyOS 5 and later (REST API v3). Phones with HMS are
// package huawei; a token of the one is nothing to the other, even on a phone that was upgraded.
//
//	service_account ── PS256, signed here, no call ──▶ JWT, 1 hour
//	                                                     │
//	batch of up to 1,000 tokens ──▶ push-api …/v3/{project}/messages:send
//
// What a tap hands to the app: clickAction.data is {"ext": "<the message's ext, byte for byte>"},
// which the ability finds in want.parameters.ext. An in-app call (call_push: voip) carries the same
// and more in extraData, see [Config.CallPush].
//
// An acceptance (80000000) says nothing about delivery: caps, switched-off notifications and
// uninstalled apps show up only in delivery receipts.
//
// Sources: HarmonyOS Push Kit, REST API v3 "Sending notifications", "Service account
// authentication", result codes, and "Message classification".
package harmony

import (
	"cmp"
	"crypto/rsa"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// The vendor's published numbers, gathered in November 2026.
const (
	pushHost = "https://push-api.cloud.huawei.com"
	// of every JWT, whatever the endpoint
	audience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"

	maxTestTokens = 10          // of one call with test pushes
	maxCallTTL    = time.Minute // 30 to 60 seconds are advised for calls
	jwtLife       = time.Hour   // a day at most
	testCallsDay  = 1000        // calls with test pushes of one project and day
)

// Config is a certificate of HarmonyOS Push Kit.
type Config struct {
	vendors.Common `yaml:",inline"`
	// ProjectID is the project's id in AppGallery Connect. Default: the service account's.
	ProjectID string `yaml:"project_id"`
	// ServiceAccount is the JSON of a service account key from the Huawei API Console. Required.
	ServiceAccount vendors.Secret `yaml:"service_account" secret:"document"`
	// ClientID is the app's own client id in AppGallery Connect (Project settings > General
	// information > App), not the project's. With it the pushes of a recalled message are taken
	// back from Huawei where no phone shows them yet; without it they are overwritten alone.
	ClientID string `yaml:"client_id"`
	// Category is the class of chat messages that name none. The app needs the self-classification
	// right for it, or else Huawei silently takes it for MARKETING. Default IM.
	Category string `yaml:"category"`
	// CallCategory is the same for call invites that go out as notifications. Set it to IM where
	// the app has no right for VOIP. Default VOIP.
	CallCategory string `yaml:"call_category"`
	// MissedCallCategory is the same for a call that was given up. MISS_CALL is made for it and
	// needs a right of its own. Default: the category of chat.
	MissedCallCategory string `yaml:"missed_call_category"`
	// CallPush is how a call invite goes out. "alert" is a notification of CallCategory. "voip" is
	// an in-app call (push-type 10), which wakes the app to ring itself: extraData is {"title",
	// "body", "ext", "key", "call": {"media", "action", "call_id"}}, and the app must report the
	// call within 10 seconds. It needs a right that is granted to few, and without it every invite
	// fails with noPushTypeRight. Default alert.
	CallPush string `yaml:"call_push"`
	// ForegroundShow shows the notification even while the app is in the foreground, where it has
	// the message already. Default false.
	ForegroundShow bool `yaml:"foreground_show"`
	// MaxTitle and MaxBody are the longest title and body, in code points; what is longer is
	// shortened. Huawei publishes no such limit, and resellers disagree. Default 40 and 256.
	MaxTitle int `yaml:"max_title"`
	MaxBody  int `yaml:"max_body"`
	// MaxBytes is the longest request without its tokens, in bytes, at most 4096. How Huawei counts
	// is not published, hence some distance. Default 3800.
	MaxBytes int `yaml:"max_bytes"`
}

// clientForm is an app's client id.
var clientForm = regexp.MustCompile(`^[0-9]{1,32}$`)

const (
	im = "IM"

	callVoIP  = "voip"
	callAlert = "alert"
)

// categories are the published ones of a notification. PLAY_VOICE belongs to push-type 2.
var categories = []string{
	im, "VOIP", "MISS_CALL", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT", "EXPRESS", "FINANCE", "DEVICE_REMINDER", "MAIL", pushkit.Marketing,
}

func (c *Config) ownCategories() map[string]string {
	return map[string]string{"category": c.Category, "call_category": c.CallCategory, "missed_call_category": c.MissedCallCategory}
}

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	if is.Required("service_account", string(c.ServiceAccount), "Huawei API Console > Credentials > Service account key, as service_account_file") {
		if acc, _, err := c.account(); err != nil {
			is.Add("service_account", err.Error(), "give the JSON file of the service account key as it was downloaded")
		} else if c.ProjectID != "" && acc.ProjectID != c.ProjectID {
			is.Add("project_id", "is not the service account's project", "use the project's own service account, or leave project_id out")
		}
	}
	is.Endpoint("endpoint", c.Endpoint)
	if c.ClientID != "" && !clientForm.MatchString(c.ClientID) {
		is.Add("client_id", "is not a number", "AppGallery Connect > Project settings > General information > App: the client id of the app")
	}
	pushkit.CheckCategories(&is, c.ownCategories(), "voice broadcasts")
	if c.CallPush != "" && c.CallPush != callVoIP && c.CallPush != callAlert {
		is.Add("call_push", "is neither alert nor voip", "use alert, or voip with the right for in-app calls")
	}
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "HarmonyOS", Known: []string{"action", "url"}, Instead: "use action, as in the ability's skills, or url for a uri",
	})
	pushkit.CheckReceipts(&is, &c.Common)
	pushkit.CheckSizes(&is, c.MaxTitle, c.MaxBody, c.MaxBytes)
	return is.Problems()
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	advice := pushkit.CategoryAdvice(c.ownCategories(), categories, "refused, or taken for MARKETING")
	if c.TestMode {
		advice = append(advice, fmt.Sprintf("test_mode allows %d devices a call and %d calls a day for the whole project; turn it off in production",
			maxTestTokens, testCallsDay))
	}
	advice = append(advice, c.TTLAdvice(pushkit.MaxTTL, "Huawei's 15 days")...)
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	return vendors.Options{Harmony: push.Harmony}
}

// Class is communication for every category but MARKETING, and for in-app calls; see
// [pushkit.Class].
func (c *Config) Class(n *vendors.Notification) vendors.Class {
	if c.inAppCall(n) {
		return pushkit.Class("")
	}
	return pushkit.Class(c.category(n))
}

// category is the message's where it can be one, also one that is newer than this driver, else the
// certificate's for its kind, else Huawei's category of that kind.
func (c *Config) category(n *vendors.Notification) string {
	if n != nil {
		if asked := strings.ToUpper(strings.TrimSpace(n.Harmony.Category)); pushkit.IsCategory(asked) && asked != pushkit.PlayVoice {
			return asked
		}
		if n.Call != nil {
			switch n.Call.Action {
			case hongyan.CallInvite:
				return cmp.Or(c.CallCategory, "VOIP")
			case hongyan.CallCancel, hongyan.CallHangup:
				return cmp.Or(c.MissedCallCategory, c.Category, im)
			}
		}
	}
	return cmp.Or(c.Category, im)
}

// inAppCall reports whether the push goes out as push-type 10. A category that the message names
// asks for a notification.
func (c *Config) inAppCall(n *vendors.Notification) bool {
	return c.CallPush == callVoIP && n != nil && n.Call != nil && n.Call.Action == hongyan.CallInvite && n.Harmony.Category == ""
}

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	p, err := newProtocol(c)
	if err != nil {
		return nil, err
	}
	if p.revoke != "" {
		return vendors.NewHTTP(&revoker{p}, &c.Common, env)
	}
	return vendors.NewHTTP(p, &c.Common, env)
}

// protocol is the API of HarmonyOS: it writes requests, reads answers and signs tokens.
type protocol struct {
	c        *Config
	account  account
	key      *rsa.PrivateKey
	send     string
	verify   string
	revoke   string // empty without a client_id
	images   *images
	title    vendors.TextLimit
	body     vendors.TextLimit
	maxBytes int
	codes    map[string]vendors.Code
	devices  map[string]vendors.Code
	statuses map[string]vendors.Code
	revoked  map[string]vendors.Code
}

func newProtocol(c *Config) (*protocol, error) {
	acc, key, err := c.account()
	if err != nil {
		return nil, fmt.Errorf("service_account %w", err)
	}
	project := cmp.Or(c.ProjectID, acc.ProjectID)
	send, err := vendors.Address(c.EndpointOr(pushHost), "/v3/"+url.PathEscape(project)+"/messages:send")
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	verify, err := vendors.Address(c.EndpointOr(pushHost), "/v2/"+url.PathEscape(project)+"/images:verify")
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	revoke := ""
	if c.ClientID != "" {
		if revoke, err = vendors.Address(c.EndpointOr(pushHost), "/v1/"+url.PathEscape(c.ClientID)+"/messages:revoke"); err != nil {
			return nil, fmt.Errorf("endpoint %w", err)
		}
	}
	return &protocol{
		c: c, account: acc, key: key, send: send, revoke: revoke, revoked: vendors.Index(codes(), levelRevoke),
		title:    vendors.TextLimit{Max: cmp.Or(c.MaxTitle, pushkit.DefaultTitle), Measure: vendors.Runes},
		body:     vendors.TextLimit{Max: cmp.Or(c.MaxBody, pushkit.DefaultBody), Measure: vendors.Runes},
		maxBytes: cmp.Or(c.MaxBytes, pushkit.DefaultBytes),
		images:   newImages(), verify: verify,
		codes: c.Table(codes(), ""), devices: c.Table(codes(), levelDevice), statuses: vendors.Index(codes(), levelHTTP),
	}, nil
}

// Limits: one notification, with one number for the icon, for up to 1,000 tokens, or 10 with test
// pushes.
func (p *protocol) Limits() vendors.Limits {
	l := vendors.Limits{Batch: pushkit.MaxTokens, Replaces: true, Partition: vendors.ByBadge, Badge: true}
	if p.c.TestMode {
		l.Batch = maxTestTokens
	}
	return l
}
