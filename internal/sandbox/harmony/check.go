package harmony

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/pushkit"
)

const audience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"

// authorized checks the JWT: made by a service account of the project in the path, with PS256 and a
// salt as long as the hash.
func (f *fake) authorized(r *http.Request) (*Account, *pushkit.BrokenRule) {
	account, broken := f.signed(r)
	if broken == nil && r.PathValue("project") != account.ProjectID {
		return nil, pushkit.Rule("80200001", "the project in the path must be the service account's")
	}
	return account, broken
}

// signed is authorized without the path.
func (f *fake) signed(r *http.Request) (*Account, *pushkit.BrokenRule) {
	refuse := func(rule string) (*Account, *pushkit.BrokenRule) { return nil, pushkit.Rule("80200001", rule) }
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		return refuse("the Authorization header must be Bearer, a blank and a JWT; access tokens of OAuth are not taken")
	}
	var header struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
		Kid string `json:"kid"`
	}
	var claims struct {
		Iss string `json:"iss"`
		Aud string `json:"aud"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !readJWTPart(parts[0], &header) || !readJWTPart(parts[1], &claims) {
		return refuse("the JWT cannot be read")
	}
	at := slices.IndexFunc(f.accounts, func(a Account) bool { return a.KeyID == header.Kid })
	if header.Alg != "PS256" || header.Typ != "JWT" || at < 0 {
		return refuse("the JWT's header must be alg PS256, typ JWT and the kid of a service account key")
	}
	account := &f.accounts[at]
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	now := f.Core.Now()
	switch {
	case rsa.VerifyPSS(account.Key, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: sha256.Size}) != nil:
		return refuse("the JWT's signature must be RSASSA-PSS with SHA-256 and a salt of 32 bytes, by the service account's key")
	case claims.Iss != account.SubAccount:
		return refuse("iss must be the service account's sub_account")
	case claims.Aud != audience:
		return refuse("aud must be " + audience)
	case time.Unix(claims.Iat, 0).After(now.Add(time.Minute)):
		return refuse("iat lies in the future")
	case claims.Exp-claims.Iat > 86400:
		return nil, pushkit.Rule("80300036", "the JWT must not be good for more than a day")
	case !now.Before(time.Unix(claims.Exp, 0)):
		return nil, pushkit.Rule("80200005", "the JWT expired")
	}
	return account, nil
}

func readJWTPart(part string, v any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, v) == nil
}

// The body of messages:send, v3. Names are matched letter by letter, and a name that is not in the
// documentation is refused: what Huawei does with one is not published, and it means a slip of the
// pen.
type body struct {
	Payload *payload `json:"payload"`
	Target  *struct {
		Token jsontext.Value `json:"token"`
	} `json:"target"`
	PushOptions *options `json:"pushOptions"`
}

type payload struct {
	Notification *note   `json:"notification"`
	ExtraData    *string `json:"extraData"`
	ProxyData    *string `json:"proxyData"`
}

type note struct {
	Category       string   `json:"category"`
	Title          string   `json:"title"`
	Body           string   `json:"body"`
	ClickAction    *click   `json:"clickAction"`
	NotifyID       *int32   `json:"notifyId"`
	AppMessageID   *string  `json:"appMessageId"`
	Badge          *badge   `json:"badge"`
	Image          string   `json:"image"`
	Style          *int     `json:"style"`
	InboxContent   []string `json:"inboxContent"`
	Sound          string   `json:"sound"`
	SoundDuration  *int     `json:"soundDuration"`
	ForegroundShow *bool    `json:"foregroundShow"`
	ProfileID      string   `json:"profileId"`
	BigTitle       string   `json:"bigTitle"`
	BigBody        string   `json:"bigBody"`
}

type click struct {
	ActionType *int           `json:"actionType"`
	Action     string         `json:"action"`
	URI        string         `json:"uri"`
	Data       jsontext.Value `json:"data"`
}

type badge struct {
	AddNum *int `json:"addNum"`
	SetNum *int `json:"setNum"`
}

type options struct {
	TestMessage    bool   `json:"testMessage"`
	TTL            *int64 `json:"ttl"`
	BiTag          string `json:"biTag"`
	ReceiptID      string `json:"receiptId"`
	CollapseKey    *int   `json:"collapseKey"`
	BackgroundMode *int   `json:"backgroundMode"`
}

// push is what a request that keeps all rules says.
type push struct {
	push     sandbox.Push
	tokens   []string
	biTag    string
	pushType string
	test     bool
}

func (m *push) number() int {
	n, _ := strconv.Atoi(m.pushType) // one of the known ones
	return n
}

// read reads a body and checks it.
func read(r io.Reader, pushType string) (*push, *pushkit.BrokenRule) {
	bad := func(code, rule string) (*push, *pushkit.BrokenRule) { return nil, pushkit.Rule(code, rule) }
	raw, err := io.ReadAll(r)
	if err != nil {
		return bad("80100001", "the body cannot be read")
	}
	var b body
	if err := json.Unmarshal(raw, &b, json.RejectUnknownMembers(true)); err != nil {
		return bad("80100003", pushkit.Misread(raw, err).Tip)
	}
	if b.Payload == nil || b.Target == nil {
		return bad("80100003", "payload and target are required")
	}
	m := &push{pushType: pushType}
	if len(b.Target.Token) > 0 && json.Unmarshal(b.Target.Token, &m.tokens) != nil {
		return bad("80100003", "target.token must be a list of strings")
	}
	if o := b.PushOptions; o != nil {
		m.biTag, m.test = o.BiTag, o.TestMessage
		if broken := o.check(pushType); broken != nil {
			return nil, broken
		}
	}
	switch {
	case m.test && len(m.tokens) > testTokens:
		return bad("80300030", "a test push must not have more than 10 tokens")
	case len(m.tokens) == 0 || len(m.tokens) > maxTokens:
		return bad("80300010", "token count must be from 1 to 1000")
	case len(raw)-len(b.Target.Token) > maxBytes:
		return bad("80300008", "the body without the tokens must not be longer than 4096 bytes")
	}
	switch pushType {
	case "0":
		if b.Payload.ExtraData != nil || b.Payload.ProxyData != nil {
			return bad("80100003", "push-type 0 has no extraData or proxyData")
		}
		return m, b.Payload.Notification.check(&m.push)
	case "10":
		if b.Payload.ExtraData == nil || *b.Payload.ExtraData == "" || b.Payload.Notification != nil {
			return bad("80100003", "push-type 10 needs extraData and nothing else")
		}
		ring(&m.push, *b.Payload.ExtraData)
	}
	return m, nil
}

func (o *options) check(pushType string) *pushkit.BrokenRule {
	switch {
	case o.TTL != nil && (*o.TTL < 1 || *o.TTL > 1296000):
		return pushkit.Rule("80100004", "ttl must be from 1 to 1296000 seconds")
	case len(o.BiTag) > 64:
		return pushkit.Rule("80100003", "biTag must not be longer than 64 bytes")
	case o.CollapseKey != nil && (*o.CollapseKey < -1 || *o.CollapseKey > 100):
		return pushkit.Rule("80100003", "collapseKey must be from -1 to 100")
	case o.CollapseKey != nil && pushType != "0" && pushType != "2":
		return pushkit.Rule("80100003", "collapseKey goes with push-type 0 and 2 only")
	case o.BackgroundMode != nil && pushType != "6":
		return pushkit.Rule("80100003", "backgroundMode goes with push-type 6 only")
	}
	return nil
}

var (
	messageID = regexp.MustCompile(`^[A-Za-z0-9+/=_\s-]{1,64}$`)
	// The list of categories grows; what has the form of one is taken, and counts as MARKETING
	// without its right.
	category = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,31}$`)
)

// check holds a notification of push-type 0 against the documentation and says what the phone
// shows.
func (n *note) check(p *sandbox.Push) *pushkit.BrokenRule {
	bad := func(tip string) *pushkit.BrokenRule { return pushkit.Rule("80100003", tip) }
	if n == nil {
		return bad("payload.notification is required")
	}
	if n.Title == "" && n.Body == "" && n.Badge != nil {
		return n.refresh(p)
	}
	switch c := n.ClickAction; {
	case !category.MatchString(n.Category) || n.Category == "PLAY_VOICE":
		return bad("category is required, in upper case, and not PLAY_VOICE, which is for push-type 2")
	case n.Title == "" || n.Body == "":
		return bad("title and body are required")
	case c == nil || c.ActionType == nil:
		return bad("clickAction.actionType is required")
	case *c.ActionType != 0 && *c.ActionType != 1:
		return bad("clickAction actionType must be 0 or 1")
	case *c.ActionType == 1 && c.Action == "" && c.URI == "":
		return bad("clickAction of actionType 1 needs action or uri")
	case len(c.Data) > 0 && c.Data.Kind() != '{':
		return bad("clickAction.data must be an object")
	case n.NotifyID != nil && *n.NotifyID < -1:
		return bad("notifyId must be from 0 to 2147483647")
	case n.AppMessageID != nil && !messageID.MatchString(*n.AppMessageID):
		return bad("appMessageId must be 1 to 64 of A-Z a-z 0-9 + / = _ - and white space")
	case n.Badge != nil && n.Badge.AddNum != nil && (*n.Badge.AddNum < 1 || *n.Badge.AddNum > 99):
		return bad("badge addNum value ranges from 1 to 99")
	case n.Badge != nil && n.Badge.SetNum != nil && (*n.Badge.SetNum < 0 || *n.Badge.SetNum > 99):
		return bad("badge setNum value ranges from 0 to 99")
	case n.SoundDuration != nil && (n.Sound == "" || *n.SoundDuration < 1 || *n.SoundDuration > 60):
		return bad("soundDuration must be from 1 to 60 and goes with sound only")
	}
	look := pushkit.Look{Image: n.Image, Style: n.Style, BigTitle: n.BigTitle, BigBody: n.BigBody, Inbox: n.InboxContent, Lines: 3, ProfileID: n.ProfileID}
	if rule := look.Broken(pushkit.Names{BigTitle: "bigTitle", BigBody: "bigBody", Inbox: "inboxContent", ProfileID: "profileId"}); rule != "" {
		return bad(rule)
	}
	p.Class, p.Title, p.Body, p.Image, p.Sound = n.Category, n.Title, n.Body, n.Image, n.Sound
	p.Call = n.Category == "VOIP"
	switch { // the phone drops a repeat of the message's id, and replaces what has the same notifyId
	case n.NotifyID != nil && *n.NotifyID != -1:
		p.Key = strconv.Itoa(int(*n.NotifyID))
	case n.AppMessageID != nil:
		p.Key = *n.AppMessageID
	}
	if n.AppMessageID != nil {
		p.Once = *n.AppMessageID
	}
	if n.Badge != nil {
		p.Badge = n.Badge.SetNum // addNum counts from a number that only the phone knows
	}
	if len(n.ClickAction.Data) > 0 {
		p.Ext, _ = pushkit.Ext(string(n.ClickAction.Data))
	}
	return nil
}

// refresh holds a badge refresh against the documentation: it has the badge and nothing else.
func (n *note) refresh(p *sandbox.Push) *pushkit.BrokenRule {
	alone := *n
	alone.Badge = nil
	set := n.Badge.SetNum
	switch {
	case !reflect.ValueOf(alone).IsZero():
		return pushkit.Rule("80100003", "a badge refresh has no title and body, and then nothing but the badge")
	case set == nil || *set < 0 || *set > 99:
		return pushkit.Rule("80100003", "badge setNum value ranges from 0 to 99")
	}
	p.OnlyBadge, p.Badge = true, set
	return nil
}

// ring fills an in-app call with what the app may find in extraData, which is the app's own affair.
func ring(p *sandbox.Push, extraData string) {
	p.Class, p.Call = "VOIP", true
	var call struct {
		Title string `json:"title"`
		Body  string `json:"body"`
		Ext   string `json:"ext"`
		Key   string `json:"key"`
	}
	if json.Unmarshal([]byte(extraData), &call) == nil {
		p.Title, p.Body, p.Ext, p.Key = call.Title, call.Body, call.Ext, call.Key
		return
	}
	p.Ext = extraData
}
