package honor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// request is the body of sendMessage: no wrapper, names in camel case. Zeros that mean something
// are pointers or always written.
type request struct {
	Data    string   `json:"data,omitempty"`
	Android android  `json:"android"`
	Token   []string `json:"token"`
}

type android struct {
	TTL            string       `json:"ttl"` // "60s"
	BiTag          string       `json:"biTag,omitempty"`
	TargetUserType int          `json:"targetUserType"` // 1 is a test push
	Notification   notification `json:"notification"`
}

type notification struct {
	Title       string `json:"title"`
	Body        string `json:"body"`
	ClickAction click  `json:"clickAction"`
	Importance  string `json:"importance"`
	Image       string `json:"image,omitempty"`
	Style       int    `json:"style,omitempty"`
	BigTitle    string `json:"bigTitle,omitempty"`
	BigBody     string `json:"bigBody,omitempty"`
	Badge       *badge `json:"badge,omitempty"`
	NotifyID    int    `json:"notifyId"`
	Tag         string `json:"tag"`
	Group       string `json:"group,omitempty"`
}

type click struct {
	Type   int    `json:"type"`
	Intent string `json:"intent,omitempty"`
	Action string `json:"action,omitempty"`
	URL    string `json:"url,omitempty"`
}

type badge struct {
	SetNum *int   `json:"setNum"`
	Class  string `json:"badgeClass"` // Honor's name; Huawei calls it class
}

// What a tap opens.
const (
	clickPage = 1
	clickURL  = 2
	clickApp  = 3
)

const styleBigText = 1

// maxGroup is the longest name of a group of notifications that is sent.
const maxGroup = 256

// TokenRequest asks for an access token by client credentials.
func (p *protocol) TokenRequest(ctx context.Context, _ time.Time) (*http.Request, error) {
	return vendors.FormRequest(ctx, p.login, vendors.ClientCredentials(p.c.ClientID, p.c.ClientSecret), "token_endpoint")
}

// Request writes the push. A token that stands twice in the batch is sent once.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	if len(batch.Devices) == 0 {
		return nil, errors.New("a batch without devices")
	}
	r := p.compose(batch)
	for _, d := range batch.Devices {
		r.Token = append(r.Token, d.Token)
	}
	slices.Sort(r.Token)
	r.Token = slices.Compact(r.Token)
	body, err := json.Marshal(r)
	if err != nil {
		return nil, errors.New("the request does not marshal")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.send, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("timestamp", strconv.FormatInt(batch.Now.UnixMilli(), 10))
	return req, nil
}

// compose writes all but the tokens and keeps it within the bytes of max_bytes. What makes room, in
// this order: the body is shortened; then the image goes; then the long form of the text, the group
// and most of the title; then the title but for a character; then the ext (a part of it would be
// worse than none), for the names by which the app finds the message; then the click target, which
// may hold the ext as well, for the app.
func (p *protocol) compose(batch vendors.Batch) request {
	n := batch.Devices[0].Notification
	r := p.draft(batch)
	nt := &r.Android.Notification
	names := ""
	if r.Data != "" { // else there is no ext to stand in for
		conversation, message := n.IDs()
		names = string(vendors.JSON(map[string]string{"conversation": conversation, "message": message}))
	}
	vendors.Shrink(nt.Body, []func(){
		func() {},
		func() { nt.Image = "" },
		func() {
			nt.Style, nt.BigTitle, nt.BigBody, nt.Group = 0, "", "", ""
			nt.Title = vendors.ShortTitle.Fit(nt.Title)
		},
		func() {
			if c := nt.ClickAction; len(c.Intent)+len(c.Action)+len(c.URL) > vendors.LongClick {
				nt.ClickAction = click{Type: clickApp}
			}
		},
		func() { nt.Title = vendors.Initial(nt.Title) },
		func() { r.Data = names },
		func() { nt.ClickAction = click{Type: clickApp} },
		func() { r.Data = "" },
	}, func(body string) { put(nt, body) }, func() bool {
		b, err := json.Marshal(r)
		return err == nil && len(b) <= p.bytes
	})
	return r
}

// Note says what the request left out: it is written once more where an ext or an image is long
// enough for that.
func (p *protocol) Note(batch vendors.Batch) string {
	n := batch.Devices[0].Notification
	if !vendors.LongExtra(n.Ext, n.Android.Image) {
		return ""
	}
	whole, r := p.draft(batch), p.compose(batch)
	switch {
	case r.Data != whole.Data:
		return vendors.NoteExtDropped
	case r.Android.Notification.Image != whole.Android.Notification.Image:
		return vendors.NoteImageDropped
	}
	return ""
}

// put writes the body where the style wants it.
func put(n *notification, body string) {
	n.Body = body
	if n.Style == styleBigText {
		n.BigTitle, n.BigBody = n.Title, body
	}
}

// draft writes the request with its texts fitted by length but not yet by the size of the whole.
func (p *protocol) draft(batch vendors.Batch) request {
	n := batch.Devices[0].Notification
	title := strings.ReplaceAll(vendors.Printable(n.Title), "\n", " ")
	nt := notification{
		Title:       vendors.TextLimit{Max: maxTitle, Measure: vendors.Runes}.Fit(visible(title, "新消息")),
		Body:        vendors.TextLimit{Max: maxBody, Measure: vendors.Runes}.Fit(visible(vendors.Printable(n.Body), "您有一条新消息")),
		ClickAction: p.click(n), Importance: p.c.importance(n), Badge: p.badge(batch.Devices),
		// Both say what is replaced on the screen: a repeat replaces itself.
		NotifyID: vendors.NotifyID(n.Replaces()), Tag: n.Replaces(),
	}
	if strings.HasPrefix(n.Android.Image, "https://") && nt.Importance == normal {
		nt.Image = n.Android.Image // shown for service and communication only
	}
	if n.Android.Style == "big_text" {
		nt.Style = styleBigText
	}
	if conversation, _ := n.IDs(); len(conversation) <= maxGroup {
		nt.Group = conversation
	}
	r := request{Android: android{TTL: p.ttl(n, batch.Now), Notification: nt}}
	if p.c.Receipts != nil {
		r.Android.BiTag = vendors.ReceiptKey(n)
	}
	if p.c.TestMode {
		r.Android.TargetUserType = 1
	}
	if n.Ext != "" {
		r.Data = string(vendors.JSON(map[string]string{"ext": n.Ext}))
	}
	return r
}

// visible is the text, or a stand-in for one that shows nothing.
func visible(s, otherwise string) string {
	if strings.TrimSpace(s) == "" {
		return otherwise
	}
	return s
}

func (p *protocol) click(n *vendors.Notification) click {
	c := p.c.Click
	switch {
	case c.Intent != "":
		return click{Type: clickPage, Intent: vendors.Expand(c.Intent, n, vendors.URLEscape)}
	case c.Action != "":
		return click{Type: clickPage, Action: vendors.Expand(c.Action, n, vendors.URLEscape)}
	case c.URL != "":
		return click{Type: clickURL, URL: vendors.Expand(c.URL, n, vendors.URLEscape)}
	}
	return click{Type: clickApp}
}

// badge is the number on the icon, which needs the launcher's class.
func (p *protocol) badge(devices []vendors.Device) *badge {
	if p.c.BadgeClass == "" {
		return nil // without the class it does nothing, or is refused
	}
	set := vendors.SharedBadge(devices)
	if set == nil {
		return nil
	}
	return &badge{SetNum: set, Class: p.c.BadgeClass}
}

func (p *protocol) ttl(n *vendors.Notification, now time.Time) string {
	return strconv.FormatInt(int64(p.c.Keep(n, now, minTTL, maxTTL)/time.Second), 10) + "s"
}
