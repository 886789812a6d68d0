// Package vivo speaks to vivo push, for phones of vivo and iQOO in mainland China.
//
//	app_id, app_key, app_secret ── MD5 ──▶ /message/auth ──▶ authToken, used for an hour
//	                                                             │
//	1 device ──────────────────────────────▶ /message/send ◀─────┤
//	2 to 1,000 devices ──▶ /message/saveListPayload ── taskId ──▶ /message/pushToList
//
// The HTTP status means nothing but a crash: "result" decides, and an authToken that is too old is
// result 10000 under HTTP 200. A list push answers 0 even when some of its devices are dead; they
// stand in "invalidUsers".
//
// What a tap hands to the app: clientCustomMap is {"ext": "<the message's ext, byte for byte>"},
// and vivo's SDK 3.0 and later puts its keys into the extras of the intent that opens the app, so
// the app reads getIntent().getStringExtra("ext"). vivo takes 1,024 characters of keys and values;
// a longer ext is left out as a whole, and {"conversation": …, "message": …} goes in its place, by
// which the app can find what was said. A click.intent of the configuration may carry "{ext}" as
// well, as far as its own limit allows.
//
// A repeat replaces itself on the screen by notifyId, which is the same in single and in list
// pushes, and vivo drops it when it knows its requestId.
//
// Sources: vivo open platform, "服务端API接口文档" (documents 362 and 681), "推送消息限制说明", "消息分类说明", and
// vivo's Java SDK.
package vivo

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// vivo's published numbers, gathered in November 2026. Where the old and the new documents differ,
// the stricter number stands here.
const (
	pushHost = "https://api-push.vivo.com.cn" // vivo publishes no other host

	maxList = 1000 // devices of one list push; at least 2
	// counting what is wider than Latin as two, as the old servers do; the new ones count every
	// character as one
	maxTitle   = 40
	maxContent = 100 // the same
	// characters of skipContent for a page of the app; the new documents allow 2048
	maxIntent  = 1024
	maxURL     = 1000 // characters of skipContent for a URL
	maxCustom  = 1024 // characters of all keys and values of clientCustomMap
	minTTL     = time.Minute
	minListTTL = 15 * time.Minute // vivo's SDK refuses less for a list
	maxTTL     = 24 * time.Hour   // the new documents cut what is longer
	// operational messages for one device and day; 5 for licensed news apps
	operationalCap = 2
	testDevices    = 20 // test devices of an app
	// list pushes of an app and day, before its subscriptions raise the number
	listBodies = 1000
)

// tokenLife is how long an authToken is used. It lives 24 hours, and getting another does not end
// it; vivo asks servers to share one and to renew it every one or two hours.
const tokenLife = time.Hour

// Config is a certificate of vivo push.
type Config struct {
	vendors.Common `yaml:",inline"`
	// AppID is the number that the console calls AppID. Required.
	AppID string `yaml:"app_id"`
	// AppKey is the console's AppKey. Required.
	AppKey vendors.Secret `yaml:"app_key"`
	// AppSecret is the console's AppSecret; it signs the login and is never sent. Required.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// Classification is the class of messages that name none: 1 system, 0 operational. It must fit
	// category. Default: the class of category, or 1 without one.
	Classification *int `yaml:"classification"`
	// Category is the second-level class of messages that name none, such as IM or SUBSCRIPTION.
	// Default: IM, or MARKETING where classification is 0.
	Category string `yaml:"category"`
	// NotifyType is how the phone calls attention for messages that do not say: 1 not at all, 2
	// ring, 3 vibrate, 4 both. Default 4.
	NotifyType int `yaml:"notify_type"`
	// Categories adds second-level classes that vivo has published since November 2026, each with
	// its class: 1 system, 0 operational. Default: none.
	Categories map[string]int `yaml:"categories"`
	// GenericTitle and GenericBody replace a text that vivo takes for a test (10104, 10085) and one
	// that has nothing to show. They must be formal Chinese. The title of a chat is kept where it
	// is plain Chinese. Default: 新消息 / 您有一条新消息，点击查看.
	GenericTitle string `yaml:"generic_title"`
	GenericBody  string `yaml:"generic_body"`
	// KeepText sends texts as they are. By default a text that vivo's published rule calls a test
	// (nothing but digits, Latin letters or symbols; braces and brackets) is dressed for it:
	// "Alice" becomes "来自 Alice", "ok" becomes "新消息：ok", "[图片]" becomes "（图片）". Default false.
	KeepText bool `yaml:"keep_text"`
}

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	const where = "vivo open platform > push > the app > application information"
	if is.Required("app_id", c.AppID, where) {
		n, err := strconv.ParseInt(c.AppID, 10, 64)
		is.Wrong(err != nil || n <= 0, "app_id", "is no number", "take AppID, not AppKey or the package, from "+where)
	}
	is.Required("app_key", strings.TrimSpace(string(c.AppKey)), where)
	is.Required("app_secret", strings.TrimSpace(string(c.AppSecret)), where)
	is.Endpoint("endpoint", c.Endpoint)
	is.Receipts(&c.Common, "vivo", "id", "give the id that vivo's console gives to the address of the reports")
	if c.Classification != nil && *c.Classification != system && *c.Classification != operational {
		is.Add("classification", "is neither 1 (system) nor 0 (operational)", "use 1 for chat, or leave it out")
	}
	if c.Category != "" {
		class, ok := c.classOf(strings.ToUpper(c.Category))
		switch {
		case !ok:
			is.Add("category", "is none that vivo publishes", "use IM for chat, or name a new one under categories")
		case c.Classification != nil && *c.Classification != class:
			is.Add("classification", "does not fit category, which vivo refuses (10097)", fmt.Sprintf("use %d, or leave it out", class))
		}
	}
	for name, class := range c.Categories {
		if name == "" || name != strings.ToUpper(name) || class != system && class != operational {
			is.Add("categories", "maps a name that is not in upper case, or a class that is neither 1 nor 0", "write it like {NEWS: 0}")
			break
		}
	}
	is.Between("notify_type", c.NotifyType, 1, 4, "4, to ring and vibrate")
	const intent = "use intent: intent:#Intent;component=<package>/<activity>;S.ext={ext};end"
	is.Click(c.Click, vendors.ClickTargets{Vendor: "vivo", Known: []string{"intent", "url"}, Instead: intent, Schemes: []string{"https://", "http://"}})
	if uri := c.Click.Intent; uri != "" && (!strings.Contains(uri, "#Intent;") || !strings.HasSuffix(uri, "end")) {
		is.Add("click", "has an intent that is no intent URI", intent)
	}
	return is.Problems()
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	if c.Class(&vendors.Notification{}).Capped {
		advice = append(advice, fmt.Sprintf("classification 0 (operational) caps chat: vivo shows a device %d such messages a day (5 for licensed "+
			"news apps), takes them from 07:00 to 23:00 only, and drops repeated texts; use category IM", operationalCap))
	}
	if c.TestMode {
		advice = append(advice, fmt.Sprintf("test_mode is on: NOTHING reaches a user, vivo pushes only to the app's test devices (at most %d); "+
			"turn it off as soon as the app is in vivo's store", testDevices))
	}
	advice = append(advice, c.TTLAdvice(maxTTL, "vivo's day")...)
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	return vendors.Options{Android: hongyan.Android{
		VivoClassification: a.VivoClassification,
		VivoCategory:       a.VivoCategory,
		VivoNotifyType:     a.VivoNotifyType,
	}}
}

// Class is system or operational. The totals of a day are multiples of the app's users, so that
// they have no number here.
func (c *Config) Class(n *vendors.Notification) vendors.Class {
	if class, _ := c.resolve(n); class == operational {
		return vendors.Class{Name: "operational", Capped: true, DeviceCap: operationalCap, ByArrival: true}
	}
	return vendors.Class{Name: "system", ByArrival: true}
}

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	p, err := newProtocol(c)
	if err != nil {
		return nil, err
	}
	d, err := vendors.NewHTTP(p, &c.Common, env)
	if err != nil {
		return nil, err
	}
	return &driver{Driver: d, timeout: c.CallTimeout()}, nil
}

// protocol is the API of vivo: it writes requests and reads answers.
type protocol struct {
	c     *Config
	base  string
	appID int64
	codes map[string]vendors.Code
	users map[string]vendors.Code
}

func newProtocol(c *Config) (*protocol, error) {
	base, err := address(c.EndpointOr(pushHost))
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	appID, err := strconv.ParseInt(c.AppID, 10, 64)
	if err != nil {
		return nil, errors.New("app_id is no number")
	}
	return &protocol{
		c: c, base: base, appID: appID,
		codes: c.Table(codes(), ""), users: vendors.Index(codes(), levelDevice),
	}, nil
}

// Limits: one notification for up to 1,000 devices.
func (p *protocol) Limits() vendors.Limits { return vendors.Limits{Batch: maxList, Replaces: true} }

func address(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("is no http or https address")
	}
	return strings.TrimRight(endpoint, "/"), nil
}

// The classes of vivo: system messages are what a user waits for, operational ones what the app
// wants to tell.
const (
	operational = 0
	system      = 1
)

// classOf is the class of a second-level class, vivo's or the configuration's. known is false for
// one that is neither's.
func (c *Config) classOf(category string) (class int, known bool) {
	if class, ok := c.Categories[category]; ok {
		return class, true
	}
	switch category {
	case "IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION":
		return system, true
	case "NEWS", "CONTENT", "MARKETING", "SOCIAL":
		return operational, true
	}
	return 0, false
}

// resolve gives the class and the second-level class, which always agree: vivo refuses a pair that
// does not (10097), and its default for a missing class has changed from operational to system. The
// message's values win over the certificate's, and a category over a classification, which it
// implies. What is no class of vivo's counts as not given.
func (c *Config) resolve(n *vendors.Notification) (classification int, category string) {
	own := strings.ToUpper(strings.TrimSpace(c.Category))
	if asked := strings.ToUpper(strings.TrimSpace(n.Android.VivoCategory)); asked != "" {
		if class, ok := c.classOf(asked); ok {
			return class, asked
		}
	}
	for _, class := range []*int{n.Android.VivoClassification, c.Classification} {
		if class == nil || *class != system && *class != operational {
			continue
		}
		if of, ok := c.classOf(own); ok && of == *class {
			return *class, own
		}
		if *class == operational {
			return operational, "MARKETING"
		}
		return system, "IM"
	}
	if class, ok := c.classOf(own); ok {
		return class, own
	}
	return system, "IM"
}

// notifyType is the message's, else the certificate's, else ring and vibrate; that of a quiet push
// is neither.
func (c *Config) notifyType(n *vendors.Notification) int {
	if n.Quiet {
		return 1
	}
	asked := []int{n.Android.VivoNotifyType, c.NotifyType}
	if i := slices.IndexFunc(asked, func(t int) bool { return t >= 1 && t <= 4 }); i >= 0 {
		return asked[i]
	}
	return 4
}
