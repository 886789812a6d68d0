package meizu

import (
	"context"
	"crypto/md5" // Meizu's signature is MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// message is messageJson. Switches are 1 and 0, as the documentation has them; the SDK's true and
// false are taken as well.
type message struct {
	NoticeBarInfo noticeBarInfo `json:"noticeBarInfo"`
	ClickTypeInfo clickTypeInfo `json:"clickTypeInfo"`
	PushTimeInfo  pushTimeInfo  `json:"pushTimeInfo"`
	AdvanceInfo   advanceInfo   `json:"advanceInfo"`
	Extra         *extra        `json:"extra,omitempty"`
}

// extra asks for reports.
type extra struct {
	Callback string `json:"callback"`
	Param    string `json:"callback.param"`
	Type     int    `json:"callback.type"`
}

// arrivedAndOpened asks for reports of both.
const arrivedAndOpened = 3

type noticeBarInfo struct {
	NoticeBarType int    `json:"noticeBarType"`
	NoticeMsgType int    `json:"noticeMsgType"`
	Title         string `json:"title"`
	Content       string `json:"content"`
}

type clickTypeInfo struct {
	ClickType  int             `json:"clickType"`
	URL        string          `json:"url,omitempty"`
	Activity   string          `json:"activity,omitempty"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

type pushTimeInfo struct {
	OffLine   int   `json:"offLine"`
	ValidTime int64 `json:"validTime,omitempty"` // hours, not seconds
}

type advanceInfo struct {
	Suspend          int              `json:"suspend"`
	ClearNoticeBar   int              `json:"clearNoticeBar"`
	NotificationType notificationType `json:"notificationType"`
	NotifyKey        string           `json:"notifyKey"`
}

type notificationType struct {
	Vibrate int `json:"vibrate"`
	Lights  int `json:"lights"`
	Sound   int `json:"sound"`
}

// What a tap opens.
const (
	clickApp      = 0
	clickActivity = 1
	clickURL      = 2 // 3, a custom attribute, is no longer allowed
)

// Request writes the signed form. A pushId that would be read as several is left out, and answered
// by Interpret.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, _ string) (*http.Request, error) {
	var tokens []string
	for _, d := range batch.Devices {
		if sendable(d.Token) {
			tokens = append(tokens, d.Token)
		}
	}
	if len(tokens) == 0 {
		return nil, errors.New("no pushId that could be one")
	}
	// Marshalled once: the signature is over these very bytes.
	text, err := json.Marshal(p.message(batch.Devices[0].Notification, batch.Now))
	if err != nil {
		return nil, errors.New("the request does not marshal")
	}
	fields := map[string]string{"appId": p.c.AppID, "messageJson": string(text), "pushIds": strings.Join(tokens, ",")}
	form := url.Values{"sign": {sign(fields, string(p.c.AppSecret))}}
	for k, v := range fields {
		form.Set(k, v)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.send, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	return req, nil
}

// sign is the lower-case hex of the MD5 over key=value of all fields in order, raw and without
// anything between them, and the secret.
func sign(fields map[string]string, secret string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		b.WriteString(k + "=" + fields[k])
	}
	sum := md5.Sum([]byte(b.String() + secret))
	return hex.EncodeToString(sum[:])
}

// sendable reports whether a token can be part of a list that is separated by commas. Nothing else
// is checked, because Meizu does not publish the form of a pushId.
func sendable(token string) bool { return token != "" && !strings.ContainsAny(token, ", \t\r\n") }

func (p *protocol) message(n *vendors.Notification, now time.Time) message {
	title := vendors.TextLimit{Max: maxTitle, Measure: vendors.UTF16}.Fit(visible(n.Title, "新消息"))
	content := vendors.TextLimit{Max: maxContent, Measure: vendors.UTF16}.Fit(visible(n.Body, "您有一条新消息"))
	m := message{
		NoticeBarInfo: noticeBarInfo{NoticeMsgType: p.c.noticeType(n), Title: title, Content: content},
		ClickTypeInfo: p.click(n),
		PushTimeInfo:  pushTimeInfo{OffLine: 1, ValidTime: p.hours(n, now)},
		AdvanceInfo: advanceInfo{
			Suspend: 1, ClearNoticeBar: 1, NotificationType: notificationType{Vibrate: 1, Lights: 1, Sound: 1}, NotifyKey: notifyKey(n.Replaces()),
		},
	}
	if n.Quiet {
		m.AdvanceInfo.Suspend, m.AdvanceInfo.NotificationType = 0, notificationType{}
	}
	if n.Urgent { // an hour is the shortest time for which Meizu keeps a push, and a call is over long before
		m.PushTimeInfo = pushTimeInfo{OffLine: 0}
	}
	if r := p.c.Receipts; r != nil {
		m.Extra = &extra{Callback: r.URL, Param: vendors.ReceiptKey(n), Type: arrivedAndOpened}
	}
	return m
}

// Note says when the ext does not fit.
func (p *protocol) Note(batch vendors.Batch) string {
	if len(batch.Devices[0].Notification.Ext) > maxExt {
		return vendors.NoteExtDropped
	}
	return ""
}

// visible is the text, or a stand-in for one that shows nothing.
func visible(s, otherwise string) string {
	if s = vendors.Printable(s); strings.TrimSpace(s) == "" {
		return otherwise
	}
	return s
}

// hours is the lifetime, rounded up: a push that lives a minute is kept for an hour, the shortest
// that Meizu knows.
func (p *protocol) hours(n *vendors.Notification, now time.Time) int64 {
	longest := maxHours * time.Hour
	if p.c.TTL > 0 && p.c.TTL < longest {
		longest = p.c.TTL
	}
	ttl := n.TTL(now, min(time.Minute, longest), longest)
	return int64((ttl + time.Hour - 1) / time.Hour)
}

// notifyKey is eight characters of the key of what a notification replaces: 48 bits in the alphabet
// that Meizu takes.
func notifyKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:maxKey]
}

// click is what a tap opens and what the app gets. A URL that the ext or the conversation makes too
// long is opened without the ext, or else the app is.
func (p *protocol) click(n *vendors.Notification) clickTypeInfo {
	info := clickTypeInfo{ClickType: clickApp, Parameters: parameters(n)}
	if p.c.Click.Activity != "" {
		info.ClickType, info.Activity = clickActivity, p.c.Click.Activity
		return info
	}
	if p.c.Click.URL == "" {
		return info
	}
	short := *n
	short.Ext = ""
	for _, n := range []*vendors.Notification{n, &short} {
		if target := vendors.Expand(p.c.Click.URL, n, vendors.URLEscape); len(target) <= maxURL {
			info.ClickType, info.URL = clickURL, target
			return info
		}
	}
	return info
}

// parameters carries the ext to the app, or where it is too long the names by which the app finds
// the message. Meizu signs the text that it decodes, so nothing in it may be other than UTF-8.
func parameters(n *vendors.Notification) json.RawMessage {
	if len(n.Ext) <= maxExt {
		return vendors.ExtObject(strings.ToValidUTF8(n.Ext, "\uFFFD"))
	}
	conversation, message := n.IDs()
	names := map[string]string{"conversation": conversation, "message": message}
	if len(conversation) > maxExt {
		delete(names, "conversation")
	}
	text, _ := json.Marshal(names) // a map of strings always marshals
	return text
}
