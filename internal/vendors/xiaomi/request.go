package xiaomi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	listPath  = "/v3/message/regid"
	multiPath = "/v2/multi_messages/regids"
)

// message is a notification as multi_messages takes it; the list send has the same fields as a
// form. Numbers are always written: 0 is a notification in pass_through, and an absent notify_id
// would leave one notification in the tray.
type message struct {
	Payload     string            `json:"payload,omitempty"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	NotifyType  int               `json:"notify_type"`
	NotifyID    int               `json:"notify_id"`
	PassThrough int               `json:"pass_through"`
	Package     string            `json:"restricted_package_name"`
	TimeToLive  int64             `json:"time_to_live"` // milliseconds
	Extra       map[string]string `json:"extra"`
}

type element struct {
	Target  string  `json:"target"`
	Message message `json:"message"`
}

// Request writes the call: a list send where all devices get the same, one element a device where
// they do not.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, _ string) (*http.Request, error) {
	path, form := listPath, url.Values{}
	if batch.Same() {
		targets := make([]string, len(batch.Devices))
		for i, d := range batch.Devices {
			targets[i] = target(d.Token)
		}
		form = p.message(batch.Devices[0].Notification, batch.Now).form()
		form.Set("registration_id", strings.Join(targets, ","))
	} else {
		path = multiPath
		elements := make([]element, len(batch.Devices))
		for i, d := range batch.Devices {
			if i > 0 && d.Notification == batch.Devices[i-1].Notification {
				elements[i].Message = elements[i-1].Message
			} else {
				elements[i].Message = p.message(d.Notification, batch.Now)
			}
			elements[i].Target = target(d.Token)
		}
		form.Set("messages", string(vendors.JSON(elements)))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(p.c.EndpointOr(host), "/")+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	req.Header.Set("Authorization", "key="+string(p.c.AppSecret))
	return req, nil
}

// target is a token as it stands in a comma-separated list. A token that could name two devices
// there, which none of Xiaomi's does, is spoilt rather than split, so that the answer calls it
// invalid.
func target(token string) string {
	if token == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if r == ',' || unicode.IsSpace(r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, token)
}

// form is the message as the list send takes it.
func (m message) form() url.Values {
	form := url.Values{
		"title": {m.Title}, "description": {m.Description}, "restricted_package_name": {m.Package},
		"pass_through": {strconv.Itoa(m.PassThrough)}, "notify_type": {strconv.Itoa(m.NotifyType)}, "notify_id": {strconv.Itoa(m.NotifyID)},
		"time_to_live": {strconv.FormatInt(m.TimeToLive, 10)},
	}
	if m.Payload != "" {
		form.Set("payload", m.Payload)
	}
	for key, value := range m.Extra {
		form.Set("extra."+key, value)
	}
	return form
}

// Values of notify_type and of extra.notify_effect.
const (
	soundVibrationLights = -1

	openApp      = "1"
	openActivity = "2"
	openPage     = "3"

	// what is reported: arrivals (1), clicks (2), dead tokens (16), pushes switched off (32),
	// limits of the day (128) and lifetimes that ended (1024)
	receipts = "1203"
)

var soundForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// message shapes a notification for Xiaomi. Its ids come from the message, not from the device,
// because a list send has one for all: however a device is batched when it is tried again, a phone
// sees the same ids and drops the repeat by jobkey. By notify_id it replaces what the notification
// replaces, such as a ringing call.
func (p *protocol) message(n *vendors.Notification, now time.Time) message {
	channel := p.c.channel(n)
	m := message{
		Title:       p.line(n.Title, maxTitle),
		Description: p.line(n.Body, maxText),
		NotifyType:  soundVibrationLights,
		NotifyID:    vendors.NotifyID(n.Replaces()),
		Package:     p.c.Package,
		TimeToLive:  p.ttl(n, channel, now).Milliseconds(),
		// The app in the foreground has the message already.
		Extra: map[string]string{"jobkey": jobKey(n.Key), "notify_foreground": "0"},
	}
	if n.Quiet {
		m.NotifyType = 0
	}
	if channel != "" {
		m.Extra["channel_id"] = channel
	}
	if r := p.c.Receipts; r != nil {
		m.Extra["callback"], m.Extra["callback.param"], m.Extra["callback.type"] = r.URL, vendors.ReceiptKey(n), receipts
	}
	p.template(n, m.Extra)
	p.click(n, m.Extra)
	if name, _, _ := strings.Cut(n.Android.Sound, "."); !n.Quiet && soundForm.MatchString(name) && p.c.Package != "" {
		m.Extra["sound_uri"] = "android.resource://" + p.c.Package + "/raw/" + name
	}
	// Half an ext would be worse than none: the texts are shortened for it, or the app opens
	// without.
	if room := maxMessage - len(n.Ext); n.Ext != "" && room >= leastTexts {
		m.Payload = n.Ext
		m.Title = vendors.TextLimit{Max: max(room/2, room-len(m.Description)), Measure: vendors.Bytes}.Fit(m.Title)
		m.Description = vendors.TextLimit{Max: room - len(m.Title), Measure: vendors.Bytes}.Fit(m.Description)
	}
	if n.Ext != "" && vendors.UTF16(n.Ext) <= maxExtra { // where clients of Tencent's push look for it
		m.Extra["ext"] = n.Ext
	}
	return m
}

// Note says when the ext of one of the notifications does not fit.
func (p *protocol) Note(batch vendors.Batch) string {
	for _, d := range batch.Devices {
		if len(d.Notification.Ext) > maxMessage-leastTexts {
			return vendors.NoteExtDropped
		}
	}
	return ""
}

// size is about how long a call gets, encoded: a message twice its ext, and what is around it.
func (p *protocol) size(n *vendors.Notification) (content, device int) {
	t, _ := p.c.template(n)
	content = 2*vendors.FormBytes(n.Ext) + min(vendors.FormBytes(n.Title), 9*maxTitle) + min(vendors.FormBytes(n.Body), 9*maxText) + 1500
	for name := range t.Params {
		content += len(name) + 9*maxParam
	}
	for name, value := range n.Android.XiaomiTemplateParams {
		content += len(name) + min(vendors.FormBytes(value), 9*maxParam)
	}
	return content, 150
}

// jobKey is the message's key cut to what Xiaomi takes: [0-9A-Za-z_-], at most 20, no "_" in front.
// 80 bits are enough to tell messages apart. It must never come from the conversation: a phone
// shows only the first push with a jobkey.
func jobKey(key string) string {
	key = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, key)
	if key = strings.TrimLeft(key, "_"); key == "" {
		key = "0"
	}
	return key[:min(len(key), maxJobKey)]
}

func (p *protocol) ttl(n *vendors.Notification, channel string, now time.Time) time.Duration {
	longest := p.c.longestTTL(channel)
	if p.c.TTL > 0 {
		longest = min(longest, max(p.c.TTL.Truncate(time.Second), minTTL))
	}
	return n.TTL(now, minTTL, longest)
}

// template names the template and its values, for a private channel alone: Xiaomi checks a template
// against the channel. A message's own template gets the message's values alone; the certificate's
// values belong to the certificate's template.
func (p *protocol) template(n *vendors.Notification, extra map[string]string) {
	t, _ := p.c.template(n)
	if t.ID == "" || p.c.Class(n).Name != private {
		return
	}
	extra["template_id"] = t.ID
	params := vendors.TemplateParams(n.Android.XiaomiTemplateParams, t.Params, n)
	if len(params) == 0 {
		return
	}
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i >= maxParams { // more than any template has
			delete(params, name)
			continue
		}
		params[name] = p.param(params[name])
	}
	extra["template_param"] = string(vendors.JSON(params))
}

// click sets what a tap opens. If a target is too long with the ext in it, the ext is left out,
// because the payload contains it too. If it is still too long, a tap opens the app.
func (p *protocol) click(n *vendors.Notification, extra map[string]string) {
	c := p.c.Click
	effect, key, value := openActivity, "intent_uri", c.Intent
	switch {
	case c.Activity != "":
		value = "intent:#Intent;component=" + p.c.Package + "/" + c.Activity + ";end"
	case c.Action != "":
		value = "intent:#Intent;action=" + c.Action + ";package=" + p.c.Package + ";end"
	case c.URL != "":
		effect, key, value = openPage, "web_uri", c.URL
	}
	extra["notify_effect"] = openApp
	if value == "" {
		return
	}
	opened := vendors.Expand(value, n, vendors.URLEscape)
	if vendors.UTF16(opened) > maxExtra {
		bare := *n
		bare.Ext = ""
		opened = vendors.Expand(value, &bare, vendors.URLEscape)
	}
	if vendors.UTF16(opened) <= maxExtra {
		extra["notify_effect"], extra[key] = effect, opened
	}
}
