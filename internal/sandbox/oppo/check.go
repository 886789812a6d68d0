package oppo

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// message is a unicast message with every field that OPPO documents, in the snake_case of its
// tables.
type message struct {
	TargetType   *int         `json:"target_type"`
	Target       string       `json:"target_value"`
	Verify       bool         `json:"verify_registration_id"`
	Notification notification `json:"notification"`
}

type notification struct {
	AppMessageID  string `json:"app_message_id"`
	Style         *int   `json:"style"`
	Title         string `json:"title"`
	SubTitle      string `json:"sub_title"`
	Content       string `json:"content"`
	ClickType     int    `json:"click_action_type"`
	ClickActivity string `json:"click_action_activity"`
	ClickURL      string `json:"click_action_url"`
	// ActionParameters is text: an object in its place does not decode.
	ActionParameters string          `json:"action_parameters"`
	ChannelID        string          `json:"channel_id"`
	Category         string          `json:"category"`
	NotifyLevel      *int            `json:"notify_level"`
	TemplateID       string          `json:"private_msg_template_id"`
	TitleParams      json.RawMessage `json:"private_title_parameters"`
	ContentParams    json.RawMessage `json:"private_content_parameters"`
	ShowTimeType     int             `json:"show_time_type"`
	ShowStart        *int64          `json:"show_start_time"`
	ShowEnd          *int64          `json:"show_end_time"`
	OffLine          *bool           `json:"off_line"`
	OffLineTTL       *int64          `json:"off_line_ttl"`
	TimeZone         string          `json:"time_zone"`
	NetworkType      int             `json:"network_type"`
	CallbackURL      string          `json:"call_back_url"`
	CallbackParam    string          `json:"call_back_parameter"`
	ShowTTL          *int64          `json:"show_ttl"`
	NotifyID         *int64          `json:"notify_id"`
	BadgeType        *int            `json:"badge_operation_type"`
	BadgeCount       *int            `json:"badge_message_count"`
	BigPicture       string          `json:"big_picture_id"`
	SmallPicture     string          `json:"small_picture_id"`
	Audit            json.RawMessage `json:"auditResponse"`
}

// key is what a phone collapses by: the notify_id replaces the older notification, and a repeated
// app_message_id is not shown again.
func (n notification) key() string {
	if n.NotifyID != nil {
		return "notify_id " + strconv.FormatInt(*n.NotifyID, 10)
	}
	return n.AppMessageID
}

// read reads JSON without a field that OPPO does not have. The real service also takes
// camelCase; this one keeps to one side.
func read(text string, into any) *refusal {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return broken("41", "the messages must be JSON of the documented fields and types: %v", err)
	}
	if d.More() {
		return broken("41", "the messages must be one JSON value")
	}
	return nil
}

var (
	service   = []string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}
	marketing = []string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}
)

// check holds a message against the rules.
func (a Account) check(m message) *refusal {
	n := m.Notification
	runes := utf8.RuneCountInString
	style := 1
	if n.Style != nil {
		style = *n.Style
	}
	longest := map[int]int{1: 50, 2: 128}[style]
	switch {
	case m.TargetType == nil || m.Target == "":
		return broken("40", "target_type and target_value are required")
	case *m.TargetType != 2:
		return broken("41", "target_type must be 2, a registration id")
	case strings.ContainsAny(m.Target, ";,"):
		return broken("41", "target_value must be one registration id")
	case strings.TrimSpace(n.Title) == "" || strings.TrimSpace(n.Content) == "":
		return broken("40", "title and content are required")
	case longest == 0:
		return broken("41", "style must be 1 or 2 in a unicast")
	case runes(n.Title) > 50:
		return broken("41", "title must not be longer than 50 characters")
	case runes(n.Content) > longest:
		return broken("41", "content must not be longer than %d characters in style %d", longest, style)
	case runes(n.SubTitle) > 10:
		return broken("41", "sub_title must not be longer than 10 characters")
	case strings.ContainsFunc(n.Title+n.Content, func(r rune) bool { return r == 0 || r == utf8.RuneError }):
		return broken("25", "title and content must be text")
	case n.OffLineTTL != nil && (*n.OffLineTTL <= 0 || *n.OffLineTTL > 864000):
		return broken("41", "off_line_ttl must be 1 to 864000 seconds")
	case n.ShowTimeType != 0 && (n.ShowTimeType != 1 || n.ShowStart == nil || n.ShowEnd == nil || *n.ShowStart >= *n.ShowEnd):
		return broken("41", "show_time_type must be 0, or 1 with show_start_time before show_end_time")
	case n.NetworkType != 0 && n.NetworkType != 1:
		return broken("41", "network_type must be 0 or 1")
	case n.NotifyID != nil && (*n.NotifyID < 0 || *n.NotifyID > 1<<31-1):
		return broken("41", "notify_id must be 0 to 2147483647")
	case n.BadgeType != nil && *n.BadgeType != 0 && *n.BadgeType != 1 || n.BadgeCount != nil && (n.BadgeType == nil || *n.BadgeCount < 0):
		return broken("41", "badge_operation_type must be 0 or 1, and goes with badge_message_count")
	case len(n.CallbackURL) > 200 || n.CallbackURL != "" && !strings.HasPrefix(n.CallbackURL, "http"):
		return broken("41", "call_back_url must be a URL of at most 200 characters")
	case runes(n.CallbackParam) > 50:
		return broken("41", "call_back_parameter must not be longer than 50 characters")
	}
	for _, check := range []func(notification) *refusal{tap, a.checkClass, a.checkTemplate} {
		if wrong := check(n); wrong != nil {
			return wrong
		}
	}
	return nil
}

// tap checks what a tap opens and what it carries.
func tap(n notification) *refusal {
	if n.ActionParameters != "" {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(n.ActionParameters), &object) != nil || object == nil {
			return broken("41", "action_parameters must be the text of a JSON object, or the push is dropped")
		}
		if utf8.RuneCountInString(n.ActionParameters) > 4000 {
			return broken("41", "action_parameters must not be longer than 4000 characters")
		}
	}
	needs := map[int]string{0: "nothing", 1: "activity", 4: "activity", 2: "url", 5: "url"}[n.ClickType]
	switch {
	case needs == "":
		return broken("41", "click_action_type must be 0, 1, 2, 4 or 5")
	case (needs == "activity") != (n.ClickActivity != ""):
		return broken("41", "click_action_activity goes with click_action_type 1 and 4")
	case (needs == "url") != (n.ClickURL != ""):
		return broken("41", "click_action_url goes with click_action_type 2 and 5")
	case utf8.RuneCountInString(n.ClickActivity) > 500 || utf8.RuneCountInString(n.ClickURL) > 2000:
		return broken("41", "click_action_activity must not be longer than 500 characters, click_action_url than 2000")
	}
	return nil
}

// checkClass checks channel, category and level.
func (a Account) checkClass(n notification) *refusal {
	granted := a.Categories
	if granted == nil {
		granted = slices.Concat(service, marketing)
	}
	switch {
	case n.ChannelID == "" && a.ChannelRequired:
		return broken("41", "channel_id is required: Android 8 and later show nothing without one")
	case n.ChannelID != "" && !slices.Contains(a.Channels, n.ChannelID):
		return broken("41", "channel_id must be listed in the console")
	case n.Category != "" && !slices.Contains(granted, n.Category):
		return broken("67", "category must be one that the app has the right for")
	case n.NotifyLevel == nil:
		return nil
	case !slices.Contains([]int{1, 2, 16}, *n.NotifyLevel):
		return broken("67", "notify_level must be 1, 2 or 16")
	case n.Category == "":
		return broken("67", "notify_level goes with a category")
	case *n.NotifyLevel == 16 && a.BannerDenied:
		return broken("67", "notify_level 16 needs a right")
	}
	return nil
}

// checkTemplate checks the private template and its values.
func (a Account) checkTemplate(n notification) *refusal {
	template, known := a.Templates[n.TemplateID]
	switch {
	case n.TemplateID == "" && (n.TitleParams != nil || n.ContentParams != nil):
		return broken("54", "parameters go with a private_msg_template_id")
	case n.TemplateID == "" && a.TemplateRequired && slices.Contains(service, n.Category):
		return broken("54", "private_msg_template_id is null")
	case n.TemplateID == "":
		return nil
	case !known:
		return broken("54", "private_msg_template_id must be a template of the app")
	}
	if wrong := params(n.TitleParams, template.Title); wrong != nil {
		return wrong
	}
	return params(n.ContentParams, template.Content)
}

// params wants exactly the template's variables, as an object or as the text of one; without
// variables the field must be absent.
func params(raw json.RawMessage, names []string) *refusal {
	if len(names) == 0 {
		if raw != nil {
			return broken("54", "parameters must be left out where the template has no variables")
		}
		return nil
	}
	object := []byte(raw)
	var text string
	if json.Unmarshal(raw, &text) == nil {
		object = []byte(text)
	}
	var params map[string]string
	if raw == nil || json.Unmarshal(object, &params) != nil {
		return broken("54", "syntax error, pos 1: parameters must be a JSON object of strings")
	}
	for _, name := range names {
		if strings.TrimSpace(params[name]) == "" {
			return broken("54", "template_parameters no %s", name)
		}
	}
	if len(params) != len(names) {
		return broken("54", "parameters must be the template's variables and no others")
	}
	return nil
}
