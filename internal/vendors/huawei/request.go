package huawei

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// The body of messages:send. Zeros that mean something (set_num, foreground_show, default_sound)
// are pointers, because omitempty would drop them.
type request struct {
	Message message `json:"message"`
}

type message struct {
	Data    string   `json:"data,omitempty"`
	Android android  `json:"android"`
	Token   []string `json:"token"`
}

type android struct {
	Category       string       `json:"category"`
	TTL            string       `json:"ttl"` // "60s", never Go's "1m0s"
	BiTag          string       `json:"bi_tag,omitempty"`
	ReceiptID      string       `json:"receipt_id,omitempty"`
	TargetUserType int          `json:"target_user_type,omitempty"` // 1 is a test push
	Notification   notification `json:"notification"`
}

type notification struct {
	Title          string `json:"title"`
	Body           string `json:"body"`
	ClickAction    click  `json:"click_action"`
	ChannelID      string `json:"channel_id,omitempty"`
	Importance     string `json:"importance"`
	Badge          *badge `json:"badge,omitempty"`
	NotifyID       int    `json:"notify_id"`
	Tag            string `json:"tag"`
	Group          string `json:"group,omitempty"`
	ForegroundShow *bool  `json:"foreground_show"`
	Sound          string `json:"sound,omitempty"`
	DefaultSound   *bool  `json:"default_sound,omitempty"`
	Style          int    `json:"style,omitempty"`
	BigTitle       string `json:"big_title,omitempty"`
	BigBody        string `json:"big_body,omitempty"`
	Image          string `json:"image,omitempty"`
}

type click struct {
	Type   int    `json:"type"`
	Intent string `json:"intent,omitempty"`
	Action string `json:"action,omitempty"`
	URL    string `json:"url,omitempty"`
}

// Types of click.
const (
	clickPage = 1
	clickURL  = 2
	clickOpen = 3
)

type badge struct {
	SetNum *int   `json:"set_num"`
	Class  string `json:"class"`
}

const styleBigText = 1

// Request writes the call. A token that stands twice in the batch is sent once, because Huawei
// would deliver it twice.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	r := p.compose(batch)
	r.Message.Token = pushkit.Tokens(batch.Devices)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.send, bytes.NewReader(vendors.JSON(r)))
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// compose writes all but the tokens and keeps it within the bytes that Huawei takes. What makes
// room, in this order: the body is shortened; where even a body of one character is too much, the
// image goes, then the long form of the text, the group and most of the title, then the title but
// for a character, then the ext (a part of it would be worse than none), then the click target,
// which may hold the ext as well.
func (p *protocol) compose(batch vendors.Batch) request {
	r := p.draft(batch)
	style := batch.Devices[0].Notification.Android.Style
	n := &r.Message.Android.Notification
	vendors.Shrink(n.Body, []func(){
		func() {},
		func() { n.Image = "" },
		func() {
			style, n.Style, n.BigTitle, n.BigBody, n.Group = "", 0, "", "", ""
			n.Title = vendors.ShortTitle.Fit(n.Title)
		},
		func() {
			if c := n.ClickAction; len(c.Intent)+len(c.Action)+len(c.URL) > vendors.LongClick {
				n.ClickAction = click{Type: clickOpen}
			}
		},
		func() { n.Title = vendors.Initial(n.Title) },
		func() { r.Message.Data = "" },
		func() { n.ClickAction = click{Type: clickOpen} },
	}, func(body string) { put(n, body, style) }, func() bool { return len(vendors.JSON(r)) <= p.maxBytes })
	return r
}

// Note says what the request left out: it is written once more where an ext or an image is long
// enough for that.
func (p *protocol) Note(batch vendors.Batch) string {
	note := batch.Devices[0].Notification
	if !vendors.LongExtra(note.Ext, note.Android.Image) {
		return ""
	}
	r := p.compose(batch)
	switch {
	case note.Ext != "" && r.Message.Data == "":
		return vendors.NoteExtDropped
	case strings.HasPrefix(note.Android.Image, "https://") && r.Message.Android.Notification.Image == "":
		return vendors.NoteImageDropped
	}
	return ""
}

// put writes the body where the style wants it.
func put(n *notification, body, style string) {
	n.Body = body
	if style == "big_text" {
		n.Style, n.BigTitle, n.BigBody = styleBigText, n.Title, body
	}
}

var soundForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// draft writes the request with its texts fitted by length but not yet by the size of the whole.
func (p *protocol) draft(batch vendors.Batch) request {
	c, note := p.c, batch.Devices[0].Notification
	title := p.title.Fit(strings.TrimSpace(strings.ReplaceAll(vendors.Printable(note.Title), "\n", " ")))
	body := p.body.Fit(strings.TrimSpace(vendors.Printable(note.Body)))
	genericTitle, genericBody := cmp.Or(c.GenericTitle, "新消息"), cmp.Or(c.GenericBody, "您收到一条新消息")
	if batch.Generic {
		title, body = "", ""
	}
	conversation, _ := note.IDs()
	n := notification{
		Title: cmp.Or(title, p.title.Fit(genericTitle)), Body: cmp.Or(body, p.body.Fit(genericBody)),
		ClickAction: p.click(note), ChannelID: cmp.Or(short(note.Android.HuaweiChannelID), c.ChannelID),
		Importance: p.importance(note), Badge: p.badge(batch.Devices),
		// Both say what is replaced on the screen: a repeat replaces itself.
		NotifyID: vendors.NotifyID(note.Replaces()), Tag: note.Replaces(), Group: short(conversation),
		ForegroundShow: &c.ForegroundShow,
	}
	if name, _, _ := strings.Cut(note.Android.Sound, "."); soundForm.MatchString(name) && !note.Quiet {
		n.Sound, n.DefaultSound = "/raw/"+name, new(bool)
	}
	if strings.HasPrefix(note.Android.Image, "https://") {
		n.Image = note.Android.Image
	}
	a := android{
		Category: c.category(note), TTL: p.ttl(note, batch.Now), BiTag: pushkit.BITag(&c.Common, note), ReceiptID: pushkit.ReceiptID(&c.Common), Notification: n,
	}
	if c.TestMode {
		a.TargetUserType = 1
	}
	return request{Message: message{Data: data(note.Ext), Android: a}}
}

// data is what the SDK hands to the app on tap. It must be a JSON object in a string; wrapping any
// ext, even one that is an object itself, is what brings it to the app unchanged.
func data(ext string) string {
	if ext == "" {
		return ""
	}
	return string(vendors.JSON(struct {
		Ext string `json:"ext"`
	}{ext}))
}

func (p *protocol) click(note *vendors.Notification) click {
	c := p.c.Click
	switch {
	case c.Intent != "":
		return click{Type: clickPage, Intent: vendors.Expand(c.Intent, note, vendors.URLEscape)}
	case c.Action != "":
		return click{Type: clickPage, Action: vendors.Expand(c.Action, note, vendors.URLEscape)}
	case c.URL != "":
		return click{Type: clickURL, URL: vendors.Expand(c.URL, note, vendors.URLEscape)}
	}
	return click{Type: clickOpen}
}

// importance is the message's, else the certificate's. LOW makes no sound; the class is the
// category's alone.
func (p *protocol) importance(note *vendors.Notification) string {
	if note.Quiet {
		return low
	}
	if asked := strings.ToUpper(note.Android.HuaweiImportance); asked == low || asked == normal {
		return asked
	}
	return cmp.Or(p.c.Importance, normal)
}

// badge is the number on the icon, which needs the launcher's class.
func (p *protocol) badge(devices []vendors.Device) *badge {
	if p.c.BadgeClass == "" {
		return nil // without the class Huawei ignores it
	}
	set := vendors.SharedBadge(devices)
	if set == nil {
		return nil
	}
	return &badge{SetNum: set, Class: p.c.BadgeClass}
}

func (p *protocol) ttl(note *vendors.Notification, now time.Time) string {
	return strconv.FormatInt(int64(p.c.Keep(note, now, pushkit.MinTTL, pushkit.MaxTTL)/time.Second), 10) + "s"
}

// short drops an id that cannot be one.
func short(id string) string {
	if len(id) > 256 {
		return ""
	}
	return id
}
