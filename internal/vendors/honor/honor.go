// Package honor speaks to Honor push, for Honor phones with Magic UI 4 and later. Older Honor
// phones have tokens of Huawei: the token that the SDK returned decides the certificate, not the
// brand of the phone.
//
//	client_id, client_secret ──▶ iam.developer.honor.com/auth/token ──▶ access token
//	                                                                       │
//	batch of tokens ──▶ push-api.cloud.honor.com/api/v1/{app_id}/sendMessage
//
// The interface resembles Huawei's in its fields and not in its answers: "code" is a number, and
// the tokens that failed stand in data.failTokens and data.expireTokens, also under a code of
// success. Honor's table of codes could not be had, so everything about codes stands in one table
// that the configuration can change (codes, success_codes), and a code that is in neither is
// answered as unknown, with the code.
//
// What a tap hands to the app: data is {"ext": "<the message's ext, byte for byte>"}; the SDK puts
// its keys into the extras of the intent that opens the app, so the app reads
// getIntent().getStringExtra("ext"). A click target of the configuration may carry "{ext}" as well.
//
// Sources: Honor developer platform, "Push Kit: sendMessage" and "notification classification"
// (docs/11002), as the server SDKs of several open projects quote them.
package honor

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Honor's numbers, gathered in November 2026. Those without a publication are marked.
const (
	pushHost  = "https://push-api.cloud.honor.com" // formerly push-api.cloud.hihonor.com
	loginHost = "https://iam.developer.honor.com"
	loginPath = "/auth/token"

	defaultTokens = 100  // of one call, until the limit is measured
	maxTokens     = 1000 // Huawei's; Honor publishes none
	defaultBytes  = 3800 // of the body without the tokens: Huawei's 4096 with some distance; Honor publishes none
	maxBytes      = 4096
	maxTitle      = 30  // code points
	maxBody       = 256 // code points; resellers print up to 2048
	minTTL        = time.Second
	maxTTL        = 15 * 24 * time.Hour
	marketingCap  = 2    // marketing messages for one device and day; 5 for news apps
	testPushesDay = 1000 // test pushes of one app and day
)

// Config is a certificate of Honor push.
type Config struct {
	vendors.Common `yaml:",inline"`
	// AppID is the console's App ID, which stands in the address of every call. Required.
	AppID string `yaml:"app_id"`
	// ClientID is the console's Client ID, which is not the App ID. Required.
	ClientID string `yaml:"client_id"`
	// ClientSecret is the console's Client Secret; not the App Secret, which nothing uses.
	// Required.
	ClientSecret vendors.Secret `yaml:"client_secret"`
	// TokenEndpoint replaces the address that access tokens come from, for a proxy or a sandbox.
	// Without a path it gets the vendor's own, /auth/token. Default:
	// https://iam.developer.honor.com.
	TokenEndpoint string `yaml:"token_endpoint"`
	// Importance is the class of messages that name none: NORMAL (service and communication) or LOW
	// (information and marketing). Default NORMAL.
	Importance string `yaml:"importance"`
	// BadgeClass is the full name of the launcher activity. Without it Honor changes no badge, so
	// none is sent. Default: empty.
	BadgeClass string `yaml:"badge_class"`
	// Batch is how many tokens one call takes, at most 1000. Honor publishes no limit. Default 100.
	Batch int `yaml:"batch"`
	// MaxBytes is the longest request without its tokens, in bytes, at most 4096. Honor publishes
	// no limit. Default 3800.
	MaxBytes int `yaml:"max_bytes"`
	// SuccessCodes are the codes that mean success, instead of 200; other sources name 0 and
	// 80000000. Default ["200"].
	SuccessCodes []string `yaml:"success_codes"`
}

const (
	low    = "LOW"
	normal = "NORMAL"
)

var (
	idForm   = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	codeForm = regexp.MustCompile(`^-?[0-9]{1,12}$`)
)

// Problems lists what is wrong with the keys.
func (c *Config) Problems() []vendors.Problem {
	var is vendors.Checks
	const where = "Honor developer platform > Push > the app"
	if is.Required("app_id", c.AppID, where+" > App ID") && !idForm.MatchString(c.AppID) {
		is.Add("app_id", "is no App ID", "take App ID from "+where)
	}
	if is.Required("client_id", c.ClientID, where+" > Client ID") && c.ClientID == c.AppID {
		is.Add("client_id", "is the App ID", "take Client ID, another number, from "+where)
	}
	is.Required("client_secret", string(c.ClientSecret), where+" > Client Secret, not App Secret")
	is.Endpoint("endpoint", c.Endpoint)
	is.Endpoint("token_endpoint", c.TokenEndpoint)
	if c.Importance != "" && c.Importance != low && c.Importance != normal {
		is.Add("importance", "is neither NORMAL nor LOW", "use NORMAL for chat")
	}
	is.Between("batch", c.Batch, 1, maxTokens, "100")
	is.Between("max_bytes", c.MaxBytes, 2048, maxBytes, "3800")
	for _, code := range c.SuccessCodes {
		if !codeForm.MatchString(code) {
			is.Add("success_codes", "holds what is no number", `write it like ["200", "0"]`)
			break
		}
	}
	c.checkCodes(&is)
	is.Receipts(&c.Common, "Honor", "", "register the address of the receipts on the Honor developer platform > Push > App receipt, and write receipts: {}")
	is.Click(c.Click, vendors.ClickTargets{
		Vendor: "Honor", Known: []string{"action", "intent", "url"}, Schemes: []string{"https://"},
		Instead: "use intent: intent:#Intent;component=<package>/<activity>;end",
	})
	return is.Problems()
}

// checkCodes finds what cannot be a code of Honor's, or is given a reason and called a success.
func (c *Config) checkCodes(is *vendors.Checks) {
	for code := range c.Codes {
		text, remedy := "", ""
		switch {
		case !codeForm.MatchString(code):
			text, remedy = "holds a code that is no number", `write it like {"80100003": bad_payload}`
		case slices.Contains(c.SuccessCodes, code):
			text, remedy = "holds a code that stands under success_codes too", "keep it in one of the two"
		default:
			continue
		}
		is.Add("codes", text, remedy)
		return
	}
}

// Advice lists what is allowed but unwise.
func (c *Config) Advice() []string {
	var advice []string
	if c.Class(&vendors.Notification{}).Capped {
		advice = append(advice, fmt.Sprintf("importance LOW caps chat: it is Honor's information and marketing class, silent, and dropped without an "+
			"error after %d messages a day to a device (5 for news apps); use NORMAL", marketingCap))
	}
	if c.TestMode {
		advice = append(advice, fmt.Sprintf("test_mode is on: Honor allows %d test pushes a day for the whole app; turn it off in production", testPushesDay))
	}
	advice = append(advice, c.TTLAdvice(maxTTL, "Honor's 15 days")...)
	if (c.Endpoint == "") != (c.TokenEndpoint == "") {
		advice = append(advice, "only one of endpoint and token_endpoint is replaced: the other is Honor's own")
	}
	return advice
}

// Options chooses what the driver reads of a message's offline_push.
func (c *Config) Options(push *hongyan.OfflinePush) vendors.Options {
	a := &push.Android
	return vendors.Options{Android: hongyan.Android{
		Style:           a.Style,
		Image:           a.Image,
		HonorImportance: a.HonorImportance,
	}}
}

// Class is communication or marketing. Whether the app has the self-classification right for
// communication is known to Honor only; without it, everything is marketing since 2024-12-31.
func (c *Config) Class(n *vendors.Notification) vendors.Class {
	if c.importance(n) == low {
		return vendors.Class{Name: "marketing", Capped: true, DeviceCap: marketingCap}
	}
	return vendors.Class{Name: "communication"}
}

// importance is the message's, else the certificate's, else NORMAL.
func (c *Config) importance(n *vendors.Notification) string {
	if asked := strings.ToUpper(strings.TrimSpace(n.Android.HonorImportance)); asked == low || asked == normal {
		return asked
	}
	return cmp.Or(c.Importance, normal)
}

// Driver makes the driver.
func (c *Config) Driver(env vendors.Env) (vendors.Driver, error) {
	p, err := newProtocol(c)
	if err != nil {
		return nil, err
	}
	return vendors.NewHTTP(p, &c.Common, env)
}

// protocol is the API of Honor: it writes requests and reads answers.
type protocol struct {
	c       *Config
	send    string
	login   string
	batch   int
	bytes   int
	success []string
	codes   map[string]vendors.Code
	http    map[string]vendors.Code
	lists   map[string]vendors.Code
}

func newProtocol(c *Config) (*protocol, error) {
	base, err := vendors.Address(c.EndpointOr(pushHost), "")
	if err != nil {
		return nil, fmt.Errorf("endpoint %w", err)
	}
	login, err := vendors.Address(cmp.Or(c.TokenEndpoint, loginHost), loginPath)
	if err != nil {
		return nil, fmt.Errorf("token_endpoint %w", err)
	}
	p := &protocol{
		c: c, send: base + "/api/v1/" + url.PathEscape(c.AppID) + "/sendMessage", login: login,
		batch: cmp.Or(c.Batch, defaultTokens), bytes: cmp.Or(c.MaxBytes, defaultBytes), success: c.SuccessCodes,
		codes: c.Table(codes(), levelCode), http: vendors.Index(codes(), levelHTTP), lists: vendors.Index(codes(), levelDevice),
	}
	if len(p.success) == 0 {
		p.success = []string{codeOK}
	}
	if _, own := c.Codes[codeOK]; !own {
		delete(p.codes, codeOK) // success decides about success
	}
	return p, nil
}

// Limits: one notification, with one number for the icon, for up to Batch tokens.
func (p *protocol) Limits() vendors.Limits {
	l := vendors.Limits{Batch: p.batch, Replaces: true}
	if p.c.BadgeClass != "" {
		l.Partition, l.Badge = vendors.ByBadge, true
	}
	return l
}
