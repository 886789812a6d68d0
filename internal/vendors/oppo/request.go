package oppo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

const batchPath = "/server/v1/message/notification/unicast_batch"

// protocol is the API of OPPO: it writes requests and reads answers.
type protocol struct {
	c     *Config
	host  string
	codes map[string]vendors.Code
}

func newProtocol(c *Config, host string) *protocol {
	return &protocol{c: c, host: strings.TrimRight(host, "/"), codes: c.Table(codes(), "")}
}

// Limits: up to 1,000 devices, each with a message of its own. OPPO publishes no size of a call.
func (p *protocol) Limits() vendors.Limits {
	return vendors.Limits{Batch: maxMessages, Mixed: maxMessages, Replaces: true, Bytes: vendors.MaxForm, Size: p.size, Badge: p.c.Badge}
}

// size is about how long a message gets in a call, encoded: its ext is JSON in JSON.
func (p *protocol) size(n *vendors.Notification) (content, device int) {
	device = 2*vendors.FormBytes(n.Ext) + min(vendors.FormBytes(n.Title), 12*maxTitle) + min(vendors.FormBytes(n.Body), 12*maxLong) + 1500
	t, _ := p.c.template(n)
	for _, params := range []map[string]string{t.TitleParams, t.ContentParams, n.Android.OPPOTitleParams, n.Android.OPPOContentParams} {
		for name := range params {
			device += vendors.FormBytes(name) + 12*maxLong
		}
	}
	return 0, device
}

// Note says when the ext of one of the notifications does not fit.
func (p *protocol) Note(batch vendors.Batch) string {
	for _, d := range batch.Devices {
		if ext := d.Notification.Ext; len(ext) > maxParameters/2 && vendors.UTF16(string(vendors.ExtObject(ext))) > maxParameters {
			return vendors.NoteExtDropped
		}
	}
	return ""
}

// message is an element of unicast_batch, in the snake_case of the documentation's tables.
type message struct {
	TargetType   int          `json:"target_type"`
	TargetValue  string       `json:"target_value"`
	Notification notification `json:"notification"`
}

const byRegistrationID = 2

type notification struct {
	AppMessageID        string `json:"app_message_id"`
	Style               int    `json:"style"`
	Title               string `json:"title"`
	Content             string `json:"content"`
	ClickActionType     int    `json:"click_action_type"` // 0 opens the app
	ClickActionActivity string `json:"click_action_activity,omitempty"`
	ClickActionURL      string `json:"click_action_url,omitempty"`
	// ActionParameters is a string that holds a JSON object. An object in its place, or a text that
	// is none, and the push is dropped.
	ActionParameters string `json:"action_parameters,omitempty"`
	ChannelID        string `json:"channel_id,omitempty"`
	Category         string `json:"category,omitempty"`
	NotifyLevel      int    `json:"notify_level,omitempty"`
	TemplateID       string `json:"private_msg_template_id,omitempty"`
	// The parameters are left out where there are none: an empty object fails.
	TitleParameters   json.RawMessage `json:"private_title_parameters,omitempty"`
	ContentParameters json.RawMessage `json:"private_content_parameters,omitempty"`
	OffLine           bool            `json:"off_line"`
	OffLineTTL        int64           `json:"off_line_ttl"` // seconds
	NotifyID          int             `json:"notify_id"`
	BadgeOperation    *int            `json:"badge_operation_type,omitempty"` // 0 sets
	BadgeCount        *int            `json:"badge_message_count,omitempty"`
	CallbackURL       string          `json:"call_back_url,omitempty"`
	CallbackParameter string          `json:"call_back_parameter,omitempty"`
}

const (
	standard = 1
	longText = 2

	// levelBar is the notify_level of a push that is listed and neither sounds nor lights the
	// screen.
	levelBar = 1

	openApp       = 0
	openByAction  = 1
	openPage      = 2
	openByClass   = 4
	openByIntent  = 5
	styleBigText  = "big_text"
	nothingToShow = "…"
)

// Request writes the call. A repeat after a lost answer carries the same app_message_id, made of
// the device's key, which OPPO delivers once. The notify_id is that of what the notification
// replaces on the screen.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	messages := make([]message, len(batch.Devices))
	var shaped *vendors.Notification
	var shape notification
	for i, d := range batch.Devices {
		if d.Notification != shaped {
			shaped, shape = d.Notification, p.shape(d.Notification, batch.Now)
		}
		n := shape
		n.AppMessageID = d.Key
		if p.c.Badge && d.Badge != nil {
			set, count := 0, min(max(*d.Badge, 0), 9999)
			n.BadgeOperation, n.BadgeCount = &set, &count
		}
		messages[i] = message{TargetType: byRegistrationID, TargetValue: d.Token, Notification: n}
	}
	return p.post(ctx, batchPath, url.Values{"auth_token": {token}, "messages": {string(vendors.JSON(messages))}})
}

// shape fits a notification to OPPO; its ids are the device's.
func (p *protocol) shape(note *vendors.Notification, now time.Time) notification {
	c := p.c
	n := notification{
		Style: standard, Title: line(note.Title, maxTitle), Content: line(note.Body, maxLong),
		ChannelID: c.channel(note), Category: c.category(note), OffLine: true, OffLineTTL: p.ttl(note, now),
		NotifyID: vendors.NotifyID(note.Replaces()),
	}
	if c.Receipts != nil {
		n.CallbackURL, n.CallbackParameter = c.Receipts.URL, vendors.ReceiptKey(note)
	}
	if note.Android.Style == styleBigText || vendors.Runes(n.Content) > maxShort {
		n.Style = longText
	}
	if n.Category != "" { // a level without a category is refused
		n.NotifyLevel = c.notifyLevel(note)
		if note.Quiet {
			n.NotifyLevel = levelBar
		}
	}
	if ext := string(vendors.ExtObject(note.Ext)); vendors.UTF16(ext) <= maxParameters {
		n.ActionParameters = ext // half of one would be none: a longer ext is left out
	}
	p.click(note, &n)
	p.template(note, &n)
	return n
}

func (p *protocol) ttl(note *vendors.Notification, now time.Time) int64 {
	longest := maxTTL
	if p.c.TTL > 0 {
		longest = min(longest, max(p.c.TTL.Truncate(time.Second), minTTL))
	}
	return int64(note.TTL(now, minTTL, longest) / time.Second)
}

// click sets what a tap opens. If a URL or intent is too long with the ext in it, the ext is left
// out, because action_parameters contains it too. If it is still too long, a tap opens the app.
func (p *protocol) click(note *vendors.Notification, n *notification) {
	c := p.c.Click
	expand := func(target string, longest int) string {
		opened := vendors.Expand(target, note, vendors.URLEscape)
		if vendors.UTF16(opened) > longest {
			bare := *note
			bare.Ext = ""
			opened = vendors.Expand(target, &bare, vendors.URLEscape)
		}
		if vendors.UTF16(opened) > longest {
			return ""
		}
		return opened
	}
	kind := openApp
	switch {
	case c.Activity != "":
		name := c.Activity
		if strings.HasPrefix(name, ".") {
			name = p.c.Package + name
		}
		kind, n.ClickActionActivity = openByClass, expand(name, maxActivity)
	case c.Action != "":
		kind, n.ClickActionActivity = openByAction, expand(c.Action, maxActivity)
	case c.Intent != "":
		kind, n.ClickActionURL = openByIntent, expand(c.Intent, maxURL)
	case c.URL != "":
		kind, n.ClickActionURL = openPage, expand(c.URL, maxURL)
	}
	if n.ClickActionActivity != "" || n.ClickActionURL != "" {
		n.ClickActionType = kind
	}
}

// template names the template and its values; title and content stay, as the documentation's base
// table requires them. The certificate's values belong to the certificate's template.
func (p *protocol) template(note *vendors.Notification, n *notification) {
	t, _ := p.c.template(note)
	if t.ID == "" {
		return
	}
	n.TemplateID = t.ID
	n.TitleParameters = p.params(vendors.TemplateParams(note.Android.OPPOTitleParams, t.TitleParams, note), maxTitle)
	n.ContentParameters = p.params(vendors.TemplateParams(note.Android.OPPOContentParams, t.ContentParams, note), maxLong)
}

// params writes the values as an object or, by params_as_text, as its text. A template's own words
// are not known here, so that a value may fill all that its place allows; OPPO cuts the rest.
func (p *protocol) params(values map[string]string, longest int) json.RawMessage {
	if len(values) == 0 {
		return nil
	}
	for name, value := range values {
		values[name] = line(value, longest)
	}
	object := string(vendors.JSON(values))
	if p.c.ParamsAsText {
		object = string(vendors.JSON(object))
	}
	return json.RawMessage(object)
}

// start bounds how much of a text is looked at: more than any limit leaves of it.
var start = vendors.TextLimit{Max: 8 << 10, Measure: vendors.Bytes}

// line is a text with nothing but what a screen shows, never empty, at most longest code points.
func line(s string, longest int) string {
	s = strings.TrimSpace(vendors.Printable(start.Fit(s)))
	if strings.IndexFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) < 0 {
		return nothingToShow
	}
	return vendors.TextLimit{Max: longest, Measure: vendors.Runes}.Fit(s)
}
