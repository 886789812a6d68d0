package xiaomi

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// message is a message of either API: as a form with "extra." in front of the keys of Extra,
// or as JSON.
type message struct {
	Payload     string            `json:"payload"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	NotifyType  *int64            `json:"notify_type"`
	NotifyID    *int64            `json:"notify_id"`
	PassThrough int64             `json:"pass_through"`
	Package     string            `json:"restricted_package_name"`
	TimeToLive  *int64            `json:"time_to_live"`
	TimeToSend  *int64            `json:"time_to_send"`
	CollapseKey string            `json:"collapse_key"`
	Extra       map[string]string `json:"extra"`
}

// key is what a phone collapses by: the notify_id replaces the older notification, the jobkey
// swallows the newer push.
func (m message) key() string {
	switch {
	case m.NotifyID != nil:
		return "notify_id " + strconv.FormatInt(*m.NotifyID, 10)
	case m.Extra["jobkey"] != "":
		return "jobkey " + m.Extra["jobkey"]
	}
	return ""
}

func fromForm(form map[string][]string) (message, *refusal) {
	m := message{Extra: map[string]string{}}
	var wrong *refusal
	whole := func(code, key, value string) *int64 {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil && wrong == nil {
			wrong = broken(code, "%s must be an integer", key)
		}
		return &n
	}
	for key, values := range form {
		value := values[0]
		switch key {
		case "registration_id":
		case "payload":
			m.Payload = value
		case "title":
			m.Title = value
		case "description":
			m.Description = value
		case "restricted_package_name":
			m.Package = value
		case "collapse_key":
			m.CollapseKey = value
		case "notify_type":
			m.NotifyType = whole("10017", key, value)
		case "notify_id":
			m.NotifyID = whole("22103", key, value)
		case "pass_through":
			m.PassThrough = *whole("10017", key, value)
		case "time_to_live":
			m.TimeToLive = whole("10017", key, value)
		case "time_to_send":
			m.TimeToSend = whole("10017", key, value)
		default:
			name, ok := strings.CutPrefix(key, "extra.")
			if !ok && wrong == nil {
				wrong = broken("10008", "there is no field %s", key)
			}
			m.Extra[name] = value
		}
	}
	return m, wrong
}

func elements(form map[string][]string) ([]send, *refusal) {
	for key := range form {
		if key != "messages" && key != "time_to_send" {
			return nil, broken("10008", "multi_messages has no field %s", key)
		}
	}
	if form["messages"] == nil {
		return nil, broken("10016", "messages is required")
	}
	var elements []struct {
		Target  string  `json:"target"`
		Message message `json:"message"`
	}
	d := json.NewDecoder(strings.NewReader(form["messages"][0]))
	d.DisallowUnknownFields()
	if err := d.Decode(&elements); err != nil {
		return nil, broken("10017", "messages must be a JSON array of {target, message}: %v", err)
	}
	sends := make([]send, len(elements))
	for i, e := range elements {
		sends[i] = send{e.Target, e.Message}
	}
	return sends, nil
}

// Keys of extra with a meaning; every other one is the app's own, of which there may be ten.
var extraFields = []string{
	"channel_id", "channel_name", "channel_description", "template_id", "template_param", "notify_effect", "intent_uri", "web_uri",
	"notify_foreground", "sound_uri", "ticker", "jobkey", "only_send_once", "flow_control", "callback", "callback.param", "callback.type",
	"locale", "locale_not_in", "model", "model_not_in", "app_version", "app_version_not_in", "connpt",
}

var (
	jobKey   = regexp.MustCompile(`^[0-9A-Za-z-][0-9A-Za-z_-]{0,19}$`)
	escaped  = regexp.MustCompile(`(?i)^%7b`)
	callback = regexp.MustCompile(`^https?://[^/\s]+`)
)

const day = 24 * 60 * 60 * 1000 // milliseconds

// check holds a message against the rules. several allows more than one package name, as v3 does.
func (a Account) check(m message, several bool) *refusal {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	names := []string{m.Package}
	if several {
		names = strings.Split(m.Package, ",")
	}
	switch {
	case m.Package == "":
		return broken("10016", "restricted_package_name is required")
	case slices.ContainsFunc(names, func(name string) bool { return name != a.Package }):
		return broken("22022", "restricted_package_name must belong to the AppSecret")
	case m.PassThrough != 0 && m.PassThrough != 1:
		return broken("10017", "pass_through must be 0 or 1")
	case m.PassThrough == 0 && (blank(m.Title) || blank(m.Description)):
		return broken("65011", "title and description must not be blank")
	case utf8.RuneCountInString(m.Title) >= 50:
		return broken("10017", "title must be shorter than 50 characters")
	case utf8.RuneCountInString(m.Description) >= 128:
		return broken("10017", "description must be shorter than 128 characters")
	case strings.ContainsFunc(m.Title+m.Description, func(r rune) bool { return r == 0 || r == utf8.RuneError }):
		return broken("10017", "title and description must be text")
	case len(m.Payload) > 4096:
		return broken("10017", "payload must not be longer than 4 KB")
	case escaped.MatchString(m.Payload):
		return broken("10017", "payload must be encoded once, as the form is: the app would get %%7B")
	case m.NotifyID != nil && (*m.NotifyID < 0 || *m.NotifyID > 1<<31-1):
		return broken("22103", "notify_id must be 0 to 2147483647")
	case m.NotifyType != nil && (*m.NotifyType < -1 || *m.NotifyType > 7):
		return broken("10017", "notify_type must be -1, or a sum of 1, 2 and 4")
	case m.TimeToSend != nil && *m.TimeToSend < 0:
		return broken("10017", "time_to_send must be epoch milliseconds")
	}
	if wrong := a.checkClass(m); wrong != nil {
		return wrong
	}
	return checkExtra(m.Extra)
}

// checkClass holds channel, lifetime and template together.
func (a Account) checkClass(m message) *refusal {
	channel := m.Extra["channel_id"]
	class, known := a.Channels[channel]
	longest := int64(day)
	if class == "private" {
		longest = 10 * day
	}
	switch {
	case channel == "" && a.ChannelRequired:
		return broken("27001", "extra.channel_id is required")
	case channel != "" && !known:
		return broken("27001", "extra.channel_id must be an approved channel of the app")
	case m.TimeToLive != nil && (*m.TimeToLive <= 0 || *m.TimeToLive > longest):
		return broken("10017", "time_to_live must be 1 to %d ms for this class", longest)
	}
	id, given := m.Extra["template_id"]
	param, filled := m.Extra["template_param"]
	names, exists := a.Templates[id]
	switch {
	case !given && filled:
		return broken("10041", "extra.template_param goes with extra.template_id")
	case !given && class == "private" && a.TemplateRequired:
		return broken("10041", "a private message needs extra.template_id")
	case !given:
		return nil
	case class != "private":
		return broken("10041", "extra.template_id goes with a private channel")
	case !exists:
		return broken("10041", "extra.template_id must be a template of the app")
	}
	return checkParams(names, param, filled)
}

func checkParams(names []string, param string, filled bool) *refusal {
	params := map[string]string{}
	if filled && json.Unmarshal([]byte(param), &params) != nil {
		return broken("10041", "extra.template_param must be the text of a JSON object of strings")
	}
	if len(params) != len(names) || len(params) > 9 {
		return broken("10041", "extra.template_param must have the template's %d variables, not %d", len(names), len(params))
	}
	for _, name := range names {
		value, ok := params[name]
		switch n := utf8.RuneCountInString(value); {
		case !ok:
			return broken("10041", "extra.template_param must have the variable %s", name)
		case strings.TrimSpace(value) == "" || n > 128:
			return broken("10041", "the value of %s must not be blank and have 1 to 128 characters", name)
		case strings.ContainsFunc(value, func(r rune) bool { return unicode.In(r, unicode.So, unicode.Cn) }):
			return broken("10041", "the value of %s must hold no emoji and no unassigned code point", name)
		}
	}
	return nil
}

func checkExtra(extra map[string]string) *refusal {
	own := 0
	for key, value := range extra {
		if slices.Contains(extraFields, key) {
			continue
		}
		if own++; own > 10 {
			return broken("10017", "extra may have 10 keys of the app's own")
		}
		if utf8.RuneCountInString(key) > 1024 || utf8.RuneCountInString(value) > 1024 {
			return broken("10017", "keys and values of extra must not be longer than 1024 characters")
		}
	}
	has := func(key string) bool { return extra[key] != "" }
	switch effect := extra["notify_effect"]; effect {
	case "", "1":
	case "2":
		if !has("intent_uri") {
			return broken("10017", "extra.notify_effect 2 needs extra.intent_uri")
		}
	case "3":
		if !callback.MatchString(extra["web_uri"]) {
			return broken("10017", "extra.notify_effect 3 needs an http(s) extra.web_uri")
		}
	default:
		return broken("10017", "extra.notify_effect must be 1, 2 or 3")
	}
	switch {
	case has("intent_uri") && extra["notify_effect"] != "2" || has("web_uri") && extra["notify_effect"] != "3":
		return broken("10017", "a click target needs its extra.notify_effect")
	case utf8.RuneCountInString(extra["intent_uri"]) > 1024 || utf8.RuneCountInString(extra["web_uri"]) > 1024:
		return broken("10017", "a click target must not be longer than 1024 characters")
	case has("notify_foreground") && extra["notify_foreground"] != "0" && extra["notify_foreground"] != "1":
		return broken("10017", "extra.notify_foreground must be 0 or 1")
	case has("sound_uri") && !strings.HasPrefix(extra["sound_uri"], "android.resource://"):
		return broken("10017", "extra.sound_uri must be android.resource://<package>/raw/<name>")
	case has("jobkey") && !jobKey.MatchString(extra["jobkey"]):
		return broken("10017", "extra.jobkey must be 1 to 20 of [0-9A-Za-z_-] and not begin with _")
	case len(extra["callback.param"]) > 64:
		return broken("65036", "extra.callback.param must not be longer than 64 bytes")
	case has("callback") && !callback.MatchString(extra["callback"]):
		return broken("65038", "extra.callback must be an http(s) URL")
	}
	if has("callback.type") {
		// A sum of distinct bits: 246, with the default 3 added to 1 and 2, was seen to break
		// receipts.
		n, err := strconv.Atoi(extra["callback.type"])
		if err != nil || n <= 0 || n&^(1|2|16|32|64|128|1024) != 0 {
			return broken("10017", "extra.callback.type must be a sum of 1, 2, 16, 32, 64, 128 and 1024")
		}
	}
	return nil
}
