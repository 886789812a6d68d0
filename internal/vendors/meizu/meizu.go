// Package meizu speaks to Meizu's Flyme push.
//
//	batch of up to 100 pushIds ── signed form ──▶ server-api-push …/varnished/pushByPushId
//
// There is no access token: each call is signed by MD5 with the app's secret, over the fields' raw
// values. "code" of the answer decides for the call, and under code 200 "value" lists the pushIds
// that failed, by a code of their own; the same number may mean another thing at each of the two
// places.
//
// What a tap hands to the app: clickTypeInfo.parameters is the message's ext where that is a JSON
// object, else {"ext": "<ext>"}; Flyme puts its keys into the extras of the intent that opens the
// app or the activity. Meizu publishes no size for it; an ext of more than 4,096 bytes is left out,
// and {"conversation": …, "message": …} goes in its place. A click.activity gets the same extras; a
// click.url may carry "{ext}".
//
// Meizu deduplicates nothing, so a push that is sent again replaces itself on the screen by
// notifyKey. More than five pushes to a device within a minute are folded away (520), whatever
// their class.
//
// Sources: Meizu open platform, "魅族开放平台PUSH系统HTTP接口文档" (MEIZUPUSH/PushAPI, 2025-03-30), and Meizu's
// Java SDK 1.2.11.
package meizu

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Meizu's published numbers, gathered in November 2026.
const (
	pushHost = "https://server-api-push.meizu.com" // abroad https://server-api-push.in.meizu.com
	pushPath = "/garcia/api/server/push/varnished/pushByPushId"

	maxTokens   = 100 // pushIds of one call; it was 1000 until 2023-08-21
	maxTitle    = 32  // characters
	maxContent  = 100 // characters
	maxURL      = 1000
	maxCallback = 128
	maxHours    = 72
	maxKey      = 8 // characters of notifyKey
	publicCap   = 3 // public messages for one device and day; 5 for news and reading apps
	foldedOver  = 5 // messages to one device within a minute

	// maxExt is our own: Meizu publishes no size, and other vendors take no more.
	maxExt = 4096
)

// The classes: public (公信) is capped, private (私信) is for what concerns the one user.
const (
	public  = 0
	private = 1
)

// Config is a certificate of Meizu push.
type Config struct {
	vendors.Common `yaml:",inline"`
	// AppID is the number that the console calls App ID. Required.
	AppID string `yaml:"app_id"`
	// AppSecret is the console's App Secret (Secret Key), which signs every call; not the App Key,
	// which belongs to the phone. Required.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// NoticeType is the class of messages that name none: 1 private, 0 public. Default 1.
	NoticeType *int `yaml:"notice_type"`
}

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	const where = "Flyme push platform > application > application information"
	if is.Required("app_id", c.AppID, where) {
		n, err := strconv.ParseInt(c.AppID, 10, 64)
		is.Wrong(err != nil || n <= 0, "app_id", "is no number", "take App ID from "+where)
	}
	is.Required("app_secret", string(c.AppSecret), where)
	is.Endpoint("endpoint", c.Endpoint)
	is.Receipts(&c.Common, "Meizu", "url", "give the address that Meizu shall call, and register it in the Flyme push platform")
	if c.Receipts != nil {
		is.Wrong(len(c.Receipts.URL) > maxCallback, "receipts", fmt.Sprintf("gives a url of more than %d bytes", maxCallback), "use a shorter one")
	}
	if c.NoticeType != nil && *c.NoticeType != private && *c.NoticeType != public {
		is.Add("notice_type", "is neither 1 (private) nor 0 (public)", "use 1 for chat, or leave it out")
	}
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "Meizu", Known: []string{"activity", "url"}, Instead: "use activity: com.example.im.ChatActivity, or a url",
		MaxBytes: map[string]int{"activity": maxURL},
	})
	u, err := url.Parse(c.Click.URL)
	is.Wrong(c.Click.URL != "" && (err != nil || u.Scheme == ""), "click", "has a url without a scheme", "use an https URL or one of the app's own scheme")
	return is.Problems()
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	if c.Class(&vendors.Notification{}).Capped {
		advice = append(advice, fmt.Sprintf("notice_type 0 (public) caps chat: Meizu refuses all after %d such messages a day to a device "+
			"(5 for news and reading apps); use 1", publicCap))
	}
	if c.Receipts != nil {
		advice = append(advice, "receipts.url must be registered in the Flyme push platform, or Meizu refuses every push")
	}
	if c.TestMode {
		advice = append(advice, "test_mode means nothing to Meizu, which has no test pushes: everything goes to the users")
	}
	advice = append(advice, c.TTLAdvice(maxHours*time.Hour, "Meizu's 72 hours")...)
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	return vendors.Options{Android: hongyan.Android{
		MeizuNoticeType: a.MeizuNoticeType,
	}}
}

// Class is private or public. Meizu publishes no number for the whole app.
func (c *Config) Class(n *vendors.Notification) vendors.Class {
	if c.noticeType(n) == public {
		return vendors.Class{Name: "public", Capped: true, DeviceCap: publicCap}
	}
	return vendors.Class{Name: "private"}
}

// noticeType is the message's, else the certificate's, else private. Meizu's own default is public.
func (c *Config) noticeType(n *vendors.Notification) int {
	for _, asked := range []*int{n.Android.MeizuNoticeType, c.NoticeType} {
		if asked != nil && (*asked == private || *asked == public) {
			return *asked
		}
	}
	return private
}

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	p, err := newProtocol(c)
	if err != nil {
		return nil, err
	}
	return vendors.NewHTTP(p, &c.Common, env)
}

// protocol is the API of Meizu: it writes requests and reads answers.
type protocol struct {
	c       *Config
	send    string
	codes   map[string]vendors.Code
	targets map[string]vendors.Code
}

func newProtocol(c *Config) (*protocol, error) {
	base, err := address(c.EndpointOr(pushHost))
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	return &protocol{
		c: c, send: base + pushPath, codes: c.Table(codes(), levelTop), targets: c.Table(codes(), levelDevice),
	}, nil
}

// Limits: one notification for up to 100 pushIds.
func (p *protocol) Limits() vendors.Limits { return vendors.Limits{Batch: maxTokens, Replaces: true} }

func address(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("is no http or https address")
	}
	return strings.TrimRight(endpoint, "/"), nil
}
