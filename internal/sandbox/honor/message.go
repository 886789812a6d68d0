package honor

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// message is what the fake keeps of a request; push lacks the app and the token.
type message struct {
	tokens []string
	push   sandbox.Push
}

// text is the title and body that may stand in two places.
type text struct{ Title, Body, Image string }

type badge struct {
	AddNum, SetNum *int
	BadgeClass     string
}

type button struct {
	Name       string
	ActionType *int
	Data       string
}

type notification struct {
	text
	ClickAction *struct {
		Type                int
		Intent, Action, URL string
	}
	Importance        string
	Style             int
	BigTitle, BigBody string
	When              string
	Buttons           []button
	Badge             *badge
	NotifyID          *int32 `json:"notifyId"`
	Tag, Group        string
}

var ttlForm = regexp.MustCompile(`^[0-9]+s$`)

// read checks the body of sendMessage, and returns the rule that it breaks.
func read(data []byte, most int) (m message, rule string) {
	var loose map[string]any
	if json.Unmarshal(data, &loose) != nil || loose == nil {
		return m, "the body must be a JSON object"
	}
	if _, wrapped := loose["message"]; wrapped {
		return m, "Honor knows no wrapper \"message\""
	}
	if _, dry := loose["validate_only"]; dry {
		return m, "Honor knows no validate_only"
	}
	if name := foreign(loose); name != "" {
		return m, "names must be in camel case, and known to Honor: " + name
	}
	var in struct {
		Token        []string
		Data         string
		Notification *text
		Android      *struct {
			TTL            string
			BiTag          string
			Data           string
			TargetUserType int
			Notification   *notification
		}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return m, "a field has the wrong type"
	}
	if most == 0 {
		most = 1000
	}
	tokens := 0
	for _, t := range in.Token {
		tokens += len(strconv.Quote(t)) + 1
		if t == "" {
			return m, "a token is empty"
		}
	}
	switch {
	case len(in.Token) == 0:
		return m, "token is empty"
	case len(in.Token) > most:
		return m, "token must have at most " + strconv.Itoa(most) + " entries"
	case len(data)-tokens > 4096:
		return m, "the body without its tokens must be at most 4096 bytes"
	case in.Android == nil || in.Android.Notification == nil:
		return m, "a notification needs android.notification with its clickAction"
	case in.Android.TTL != "" && (!ttlForm.MatchString(in.Android.TTL) || len(in.Android.TTL) > 8):
		return m, "ttl must be seconds and an s"
	case in.Android.TargetUserType != 0 && in.Android.TargetUserType != 1:
		return m, "targetUserType must be 0 or 1"
	}
	if secs, _ := strconv.Atoi(strings.TrimSuffix(in.Android.TTL, "s")); secs > 1296000 {
		return m, "ttl must be at most 1296000s"
	}
	n := in.Android.Notification
	outer := text{}
	if in.Notification != nil {
		outer = *in.Notification
	}
	title, body := first(n.Title, outer.Title), first(n.Body, outer.Body)
	custom := first(in.Android.Data, in.Data)
	if rule := n.check(title, body, custom); rule != "" {
		return m, rule
	}
	m.tokens = in.Token
	m.push = sandbox.Push{Vendor: "honor", Title: title, Body: body, Image: first(n.Image, outer.Image), Ext: ext(custom), Class: first(n.Importance, "default")}
	if n.NotifyID != nil && *n.NotifyID != -1 {
		m.push.Key = strconv.Itoa(int(*n.NotifyID))
	} else if n.Tag != "" {
		m.push.Key = n.Tag
	}
	m.push.Group = n.Group
	if n.Badge != nil {
		m.push.Badge = n.Badge.SetNum
	}
	return m, ""
}

// check applies the rules of android.notification.
func (n *notification) check(title, body, custom string) (rule string) {
	click := n.ClickAction
	var object map[string]any
	for _, c := range []struct {
		broken func() bool
		rule   string
	}{
		{func() bool { return title == "" || body == "" }, "title and body must stand in notification or android.notification"},
		{func() bool { return custom != "" && json.Unmarshal([]byte(custom), &object) != nil }, "data of a notification must be a JSON object in a string"},
		{func() bool { return click == nil }, "a notification needs clickAction"},
		{func() bool { return click.Type < 1 || click.Type > 3 }, "clickAction.type must be 1 to 3"},
		{func() bool { return click.Type == 1 && click.Intent == "" && click.Action == "" }, "clickAction.type 1 needs intent or action"},
		{func() bool { return click.Type == 2 && !strings.HasPrefix(click.URL, "https://") }, "clickAction.type 2 needs an https url"},
		{func() bool { return !slices.Contains([]string{"", "LOW", "NORMAL"}, n.Importance) }, "importance must be LOW or NORMAL"},
		{func() bool { return n.Image != "" && !strings.HasPrefix(n.Image, "https://") }, "image must be an https address"},
		{func() bool { return n.Style != 0 && n.Style != 1 }, "style must be 0 or 1"},
		{func() bool { return n.Style == 1 && (n.BigTitle != title || n.BigBody != body) }, "style 1 needs a bigTitle and bigBody equal to title and body"},
		{func() bool { return n.When != "" && !isTime(n.When) }, "when must be a UTC time"},
		{func() bool { return len(n.Buttons) > 3 || slices.ContainsFunc(n.Buttons, button.bad) }, "buttons must be at most 3 of Honor's form"},
		{func() bool { return n.NotifyID != nil && *n.NotifyID < -1 }, "notifyId must be -1 or more"},
	} {
		if c.broken() {
			return c.rule
		}
	}
	if b := n.Badge; b != nil {
		switch {
		case b.BadgeClass == "":
			return "badge needs badgeClass"
		case b.AddNum != nil && (*b.AddNum < 1 || *b.AddNum > 99):
			return "badge.addNum must be 1 to 99"
		case b.SetNum != nil && (*b.SetNum < 0 || *b.SetNum > 99):
			return "badge.setNum must be 0 to 99"
		}
	}
	return ""
}

func (b button) bad() bool {
	return b.Name == "" || len([]rune(b.Name)) > 40 || b.ActionType == nil || *b.ActionType < 0 || *b.ActionType > 2 || len(b.Data) > 1024
}

func isTime(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil && strings.HasSuffix(s, "Z")
}

// foreign finds a name that is Huawei's and not Honor's, in the objects that Honor itself
// defines.
func foreign(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if strings.Contains(name, "_") || slices.Contains([]string{"channelId", "category", "collapseKey", "urgency", "sound", "foregroundShow", "receiptId", "topic"}, name) {
				return name
			}
			if foreign := foreign(inner); foreign != "" {
				return foreign
			}
		}
	case []any:
		for _, inner := range v {
			if foreign := foreign(inner); foreign != "" {
				return foreign
			}
		}
	}
	return ""
}

// ext is what the app gets: the key ext of data, else all of it.
func ext(custom string) string {
	var pairs map[string]any
	if json.Unmarshal([]byte(custom), &pairs) == nil {
		if ext, ok := pairs["ext"].(string); ok {
			return ext
		}
	}
	return custom
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
