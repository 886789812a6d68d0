package huawei

import (
	"cmp"
	"io"
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

// The body of messages:send, v1 and v2. Names are matched letter by letter, and a name that is not
// in the documentation is refused: what Huawei does with one is not published, and it means a slip
// of the pen.
type body struct {
	ValidateOnly bool           `json:"validate_only"`
	Message      *message       `json:"message"`
	Review       jsontext.Value `json:"review"`
}

type message struct {
	Data         *string        `json:"data"`
	Notification *basic         `json:"notification"`
	Android      *android       `json:"android"`
	APNS         jsontext.Value `json:"apns"`
	WebPush      jsontext.Value `json:"webpush"`
	Token        jsontext.Value `json:"token"`
	Topic        *string        `json:"topic"`
	Condition    *string        `json:"condition"`
}

type basic struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	Image string `json:"image"`
}

type android struct {
	CollapseKey    *int    `json:"collapse_key"`
	Urgency        string  `json:"urgency"`
	Category       string  `json:"category"`
	TTL            *string `json:"ttl"`
	BiTag          string  `json:"bi_tag"`
	ReceiptID      string  `json:"receipt_id"`
	Data           *string `json:"data"`
	TargetUserType *int    `json:"target_user_type"`
	FastAppTarget  *int    `json:"fast_app_target"`
	Notification   *note   `json:"notification"`
}

type note struct {
	Title             string         `json:"title"`
	Body              string         `json:"body"`
	Icon              string         `json:"icon"`
	Color             string         `json:"color"`
	Sound             string         `json:"sound"`
	DefaultSound      *bool          `json:"default_sound"`
	Tag               string         `json:"tag"`
	ClickAction       *click         `json:"click_action"`
	BodyLocKey        string         `json:"body_loc_key"`
	BodyLocArgs       []string       `json:"body_loc_args"`
	TitleLocKey       string         `json:"title_loc_key"`
	TitleLocArgs      []string       `json:"title_loc_args"`
	MultiLangKey      jsontext.Value `json:"multi_lang_key"`
	ChannelID         string         `json:"channel_id"`
	NotifySummary     string         `json:"notify_summary"`
	Image             string         `json:"image"`
	Style             *int           `json:"style"`
	BigTitle          string         `json:"big_title"`
	BigBody           string         `json:"big_body"`
	AutoClear         *int           `json:"auto_clear"`
	NotifyID          *int32         `json:"notify_id"`
	Group             string         `json:"group"`
	Badge             *badge         `json:"badge"`
	Ticker            string         `json:"ticker"`
	When              string         `json:"when"`
	Importance        string         `json:"importance"`
	UseDefaultVibrate *bool          `json:"use_default_vibrate"`
	UseDefaultLight   *bool          `json:"use_default_light"`
	VibrateConfig     []string       `json:"vibrate_config"`
	Visibility        string         `json:"visibility"`
	LightSettings     *light         `json:"light_settings"`
	ForegroundShow    *bool          `json:"foreground_show"`
	InboxContent      []string       `json:"inbox_content"`
	ProfileID         string         `json:"profile_id"`
	Buttons           []button       `json:"buttons"`
}

type click struct {
	Type   int    `json:"type"`
	Intent string `json:"intent"`
	Action string `json:"action"`
	URL    string `json:"url"`
}

type badge struct {
	AddNum *int   `json:"add_num"`
	SetNum *int   `json:"set_num"`
	Class  string `json:"class"`
}

type light struct {
	Color *struct {
		Alpha *float64 `json:"alpha"`
		Red   *float64 `json:"red"`
		Green *float64 `json:"green"`
		Blue  *float64 `json:"blue"`
	} `json:"color"`
	LightOnDuration  string `json:"light_on_duration"`
	LightOffDuration string `json:"light_off_duration"`
}

type button struct {
	Name       string `json:"name"`
	ActionType int    `json:"action_type"`
	IntentType int    `json:"intent_type"`
	Intent     string `json:"intent"`
	Data       string `json:"data"`
}

// push is what a request that keeps all rules says.
type push struct {
	push         sandbox.Push
	biTag        string
	test         bool
	validateOnly bool
}

const maxBytes, maxTokens = 4096, 1000

// read reads a body and checks it.
func read(r io.Reader) (*push, []string, *pushkit.BrokenRule) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, pushkit.Rule("80100001", "the body cannot be read")
	}
	var b body
	if err := json.Unmarshal(raw, &b, json.RejectUnknownMembers(true)); err != nil {
		return nil, nil, pushkit.Misread(raw, err)
	}
	m := b.Message
	if m == nil {
		return nil, nil, pushkit.Rule("80300010", "message is required")
	}
	var tokens []string
	if len(m.Token) > 0 {
		if err := json.Unmarshal(m.Token, &tokens); err != nil {
			return nil, nil, pushkit.Rule("80100003", "token must be a list of strings")
		}
	}
	targets := 0
	for _, given := range []bool{m.Token != nil, m.Topic != nil, m.Condition != nil} {
		if given {
			targets++
		}
	}
	switch {
	case targets != 1:
		return nil, nil, pushkit.Rule("80100003", "exactly one of token, topic and condition is required")
	case m.Token == nil:
		return nil, nil, pushkit.Rule("80100001", "this sandbox knows no topics")
	case len(tokens) == 0 || len(tokens) > maxTokens:
		return nil, nil, pushkit.Rule("80300010", "token count should within 1 and 1000")
	case len(raw)-len(m.Token) > maxBytes:
		return nil, nil, pushkit.Rule("80300008", "the body without the tokens must not be longer than 4096 bytes")
	}
	push, broken := m.check()
	if broken != nil {
		return nil, nil, broken
	}
	push.validateOnly = b.ValidateOnly
	return push, tokens, nil
}

var (
	ttl     = regexp.MustCompile(`^(\d+)(\.\d{1,9})?[sS]?$`)
	color   = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	vibrate = regexp.MustCompile(`^(\d+)(\.\d{1,9})?[sS]$`)
)

// check holds the message against the documentation, and against the rules that Huawei's own server
// SDK checks before it sends.
func (m *message) check() (*push, *pushkit.BrokenRule) {
	a := m.Android
	if a == nil {
		a = &android{}
	}
	out := &push{biTag: a.BiTag, test: a.TargetUserType != nil && *a.TargetUserType == 1}
	out.push.Class = a.Category
	data := a.Data
	if data == nil {
		data = m.Data
	}
	if broken := a.check(); broken != nil {
		return nil, broken
	}
	n := a.Notification
	if n == nil && m.Notification == nil { // pass-through
		switch {
		case data == nil:
			return nil, pushkit.Rule("80100003", "a message needs data or a notification")
		case a.Urgency == "HIGH":
			return nil, pushkit.Rule("80300011", "urgency HIGH needs a right of its own")
		}
		out.push.Ext = *data
		return out, nil
	}
	if n == nil {
		return nil, pushkit.Rule("80100003", "android.notification is required, because click_action is")
	}
	if m.Notification != nil {
		n.Title, n.Body, n.Image = cmp.Or(n.Title, m.Notification.Title), cmp.Or(n.Body, m.Notification.Body), cmp.Or(n.Image, m.Notification.Image)
	}
	if broken := n.check(); broken != nil {
		return nil, broken
	}
	if data != nil {
		ext, ok := pushkit.Ext(*data)
		if !ok {
			return nil, pushkit.Rule("80100003", "data of a notification must be a JSON object in a string")
		}
		out.push.Ext = ext
	}
	p := &out.push
	p.Title, p.Body, p.Channel, p.Sound, p.Image = n.Title, n.Body, n.ChannelID, n.Sound, n.Image
	p.Call, p.Quiet = a.Category == "VOIP", n.Importance == "LOW" && n.Sound == ""
	if n.NotifyID != nil && *n.NotifyID != -1 {
		p.Key = strconv.Itoa(int(*n.NotifyID))
	}
	if n.Tag != "" {
		p.Key += "/" + n.Tag
	}
	p.Group = n.Group
	if n.Badge != nil && n.Badge.Class != "" {
		// the class is what makes the badge work; add_num counts from a number that only the phone
		// knows
		p.Badge = n.Badge.SetNum
	}
	return out, nil
}

func (a *android) check() *pushkit.BrokenRule {
	switch {
	case a.CollapseKey != nil && (*a.CollapseKey < -1 || *a.CollapseKey > 100):
		return pushkit.Rule("80100013", "collapse_key must be from -1 to 100")
	case a.Urgency != "" && a.Urgency != "HIGH" && a.Urgency != "NORMAL":
		return pushkit.Rule("80100001", "urgency must be HIGH or NORMAL")
	case a.TargetUserType != nil && *a.TargetUserType != 0 && *a.TargetUserType != 1:
		return pushkit.Rule("80100001", "target_user_type must be 0 or 1")
	case a.FastAppTarget != nil && *a.FastAppTarget != 1 && *a.FastAppTarget != 2:
		return pushkit.Rule("80100001", "fast_app_target must be 1 or 2")
	case a.Category != strings.ToUpper(a.Category):
		return pushkit.Rule("80100001", "category must be in upper case")
	}
	if a.TTL != nil {
		parts := ttl.FindStringSubmatch(*a.TTL)
		if parts == nil {
			return pushkit.Rule("80100001", "ttl must be seconds, such as 86400s")
		}
		if secs, err := strconv.ParseInt(parts[1], 10, 64); err != nil || secs > 1296000 {
			return pushkit.Rule("80100004", "ttl must not be longer than 1296000s")
		}
	}
	return nil
}

func (n *note) check() *pushkit.BrokenRule {
	bad := func(tip string) *pushkit.BrokenRule { return pushkit.Rule("80100003", tip) }
	switch c := n.ClickAction; {
	case n.Title == "" || n.Body == "":
		return bad("title and body are required")
	case c == nil:
		return bad("click_action is required")
	case c.Type < 1 || c.Type > 3:
		return bad("click_action.type must be 1, 2 or 3")
	case c.Type == 1 && c.Intent == "" && c.Action == "":
		return bad("click_action of type 1 needs intent or action")
	case c.Type == 2 && !strings.HasPrefix(c.URL, "https://"):
		return bad("click_action of type 2 needs an https url")
	case n.DefaultSound != nil && !*n.DefaultSound && n.Sound == "":
		return bad("default_sound false needs sound")
	case n.Color != "" && !color.MatchString(n.Color):
		return bad("color must be #RRGGBB")
	case !slices.Contains([]string{"", "LOW", "NORMAL", "HIGH"}, n.Importance):
		return bad("importance must be LOW or NORMAL")
	case !slices.Contains([]string{"", "VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"}, n.Visibility):
		return bad("visibility must be VISIBILITY_UNSPECIFIED, PRIVATE, PUBLIC or SECRET")
	case n.NotifyID != nil && *n.NotifyID < -1:
		return bad("notify_id must not be negative")
	case n.Badge != nil && n.Badge.AddNum != nil && (*n.Badge.AddNum < 1 || *n.Badge.AddNum > 99):
		return bad("badge.add_num must be from 1 to 99")
	case n.Badge != nil && n.Badge.SetNum != nil && (*n.Badge.SetNum < 0 || *n.Badge.SetNum > 99):
		return bad("badge.set_num must be from 0 to 99")
	case len(n.VibrateConfig) > 10 || slices.ContainsFunc(n.VibrateConfig, badVibration):
		return bad("vibrate_config must have at most 10 entries, each above 0 and at most 60s")
	case n.LightSettings != nil && !n.LightSettings.complete():
		return bad("light_settings needs color, light_on_duration and light_off_duration")
	case len(n.Buttons) > 3:
		return bad("at most 3 buttons")
	}
	look := pushkit.Look{Image: n.Image, Style: n.Style, BigTitle: n.BigTitle, BigBody: n.BigBody, Inbox: n.InboxContent, Lines: 5, ProfileID: n.ProfileID}
	if rule := look.Broken(pushkit.Names{BigTitle: "big_title", BigBody: "big_body", Inbox: "inbox_content", ProfileID: "profile_id"}); rule != "" {
		return bad(rule)
	}
	for _, b := range n.Buttons {
		if b.Name == "" || len([]rune(b.Name)) > 40 || b.ActionType < 0 || b.ActionType > 4 || b.IntentType < 0 || b.IntentType > 1 || len(b.Data) > 1024 {
			return bad("a button needs a name of at most 40, action_type 0 to 4, intent_type 0 or 1, and data of at most 1024")
		}
	}
	if n.When != "" {
		if at, err := time.Parse(time.RFC3339Nano, n.When); err != nil || at.Location() != time.UTC {
			return bad("when must be UTC, such as 2014-10-02T15:01:23.045123456Z")
		}
	}
	return nil
}

func badVibration(s string) bool {
	if !vibrate.MatchString(s) {
		return true
	}
	secs, err := strconv.ParseFloat(s[:len(s)-1], 64)
	return err != nil || secs <= 0 || secs > 60
}

func (l *light) complete() bool {
	if l.Color == nil || !ttl.MatchString(l.LightOnDuration) || !ttl.MatchString(l.LightOffDuration) {
		return false
	}
	for _, part := range []*float64{l.Color.Alpha, l.Color.Red, l.Color.Green, l.Color.Blue} {
		if part != nil && (*part < 0 || *part > 1) {
			return false
		}
	}
	return true
}
