package harmony

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/pushkit"
)

// The body of messages:send. Zeros that mean something (setNum, actionType, foregroundShow) must be
// written.
type request struct {
	Payload     payload `json:"payload"`
	Target      target  `json:"target"`
	PushOptions options `json:"pushOptions"`
}

type payload struct {
	Notification *notification `json:"notification,omitempty"` // push-type 0
	ExtraData    string        `json:"extraData,omitempty"`    // push-type 10
}

type notification struct {
	Category       string `json:"category"`
	Title          string `json:"title"`
	Body           string `json:"body"`
	ClickAction    click  `json:"clickAction"`
	NotifyID       int    `json:"notifyId"`
	AppMessageID   string `json:"appMessageId"`
	Badge          *badge `json:"badge,omitempty"`
	Image          string `json:"image,omitempty"`
	ForegroundShow bool   `json:"foregroundShow"`
}

type click struct {
	ActionType int    `json:"actionType"`
	Action     string `json:"action,omitempty"`
	URI        string `json:"uri,omitempty"`
	Data       *data  `json:"data,omitempty"` // an object, not a string
}

// Types of click.
const (
	clickHome = 0
	clickPage = 1
)

type data struct {
	Ext string `json:"ext"`
}

type badge struct {
	AddNum *int `json:"addNum,omitempty"`
	SetNum *int `json:"setNum,omitempty"`
}

type target struct {
	Token []string `json:"token"`
}

type options struct {
	TestMessage bool   `json:"testMessage,omitempty"`
	TTL         int64  `json:"ttl"` // a number of seconds, where v1 has a string
	BiTag       string `json:"biTag,omitempty"`
	ReceiptID   string `json:"receiptId,omitempty"`
}

// incoming is the extraData of an in-app call: what the app needs to ring, and a key to know a
// repeat by.
type incoming struct {
	Title string        `json:"title"`
	Body  string        `json:"body"`
	Ext   string        `json:"ext,omitempty"`
	Key   string        `json:"key"`
	Call  *hongyan.Call `json:"call"`
}

// Push types, the values of a required header.
const (
	typeAlert = 0
	typeCall  = 10
)

// Request writes the call. A token that stands twice in the batch is sent once.
func (p *protocol) Request(ctx context.Context, batch vendors.Batch, token string) (*http.Request, error) {
	r, pushType := p.compose(batch)
	r.Target.Token = pushkit.Tokens(batch.Devices)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.send, bytes.NewReader(vendors.JSON(r)))
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("push-type", strconv.Itoa(pushType))
	return req, nil
}

// What stands in for a text that has nothing to show.
const (
	blankTitle = "新消息"
	blankBody  = "您收到一条新消息"
)

// compose writes all but the tokens and keeps it within the bytes that Huawei takes. What makes
// room, in this order: the body is shortened; where even a body of one character is too much, the
// image goes, then the ext (a part of it would be worse than none), then the click target, which
// may hold the ext as well.
func (p *protocol) compose(batch vendors.Batch) (request, int) {
	note := batch.Devices[0].Notification
	title := cmp.Or(p.title.Fit(strings.TrimSpace(strings.ReplaceAll(vendors.Printable(note.Title), "\n", " "))), p.title.Fit(blankTitle))
	body := cmp.Or(p.body.Fit(strings.TrimSpace(vendors.Printable(note.Body))), p.body.Fit(blankBody))
	r := request{PushOptions: options{
		TestMessage: p.c.TestMode, TTL: p.ttl(note, batch.Now), BiTag: pushkit.BITag(note), ReceiptID: p.c.ReceiptID,
	}}
	// steps give the payload ever less beside the text; write puts a body into it.
	var steps []func()
	var write func(body string)
	pushType := typeAlert
	if p.c.inAppCall(note) {
		pushType = typeCall
		call := incoming{Title: title, Ext: note.Ext, Key: note.Key, Call: note.Call}
		write = func(body string) {
			call.Body = body
			r.Payload.ExtraData = string(vendors.JSON(call))
		}
		steps = []func(){
			func() {},
			func() { call.Ext = "" },
			// an id of kilobytes is none
			func() { call.Call = &hongyan.Call{Media: call.Call.Media, Action: call.Call.Action} },
		}
	} else {
		n := p.draft(batch, title)
		r.Payload.Notification = n
		write = func(body string) { n.Body = body }
		steps = []func(){
			func() {},
			func() { n.Image = "" },
			func() { n.ClickAction.Data = nil },
			func() { n.ClickAction = click{ActionType: clickHome} },
		}
	}
	vendors.Shrink(body, steps, write, func() bool { return len(vendors.JSON(r)) <= p.maxBytes })
	return r, pushType
}

// draft is the notification without its body. Batch.Generic, which only a refused image asks for,
// leaves the image out: API v3 has no code for words that are refused.
func (p *protocol) draft(batch vendors.Batch, title string) *notification {
	note := batch.Devices[0].Notification
	n := &notification{
		Category: p.c.category(note), Title: title, ClickAction: p.click(note),
		// Both derive from the message. The same appMessageId is shown once in 24 hours, so a
		// repeat changes nothing on the screen.
		NotifyID: vendors.NotifyID(note.Key), AppMessageID: note.Key,
		Badge: badgeOf(batch.Devices), ForegroundShow: p.c.ForegroundShow,
	}
	if strings.HasPrefix(note.Harmony.Image, "https://") && !batch.Generic {
		n.Image = note.Harmony.Image
	}
	return n
}

func (p *protocol) click(note *vendors.Notification) click {
	c := click{ActionType: clickHome}
	switch target := p.c.Click; {
	case target.Action != "":
		c = click{ActionType: clickPage, Action: vendors.Expand(target.Action, note, vendors.URLEscape)}
	case target.URL != "":
		c = click{ActionType: clickPage, URI: vendors.Expand(target.URL, note, vendors.URLEscape)}
	}
	if note.Ext != "" {
		// Wrapping any ext, even one that is an object itself, is what brings it to the app
		// unchanged.
		c.Data = &data{Ext: note.Ext}
	}
	return c
}

// badgeOf is the number on the icon.
func badgeOf(devices []vendors.Device) *badge {
	if devices[0].Notification.Harmony.IgnoreBadge {
		return nil
	}
	set, add := vendors.SharedBadge(devices)
	if set == nil && add == nil {
		return nil
	}
	return &badge{SetNum: set, AddNum: add}
}

// ttl is what is left of the message; of a call invite it is what Huawei advises for calls.
func (p *protocol) ttl(note *vendors.Notification, now time.Time) int64 {
	shortest, longest := pushkit.MinTTL, pushkit.MaxTTL
	if note.Call != nil && note.Call.Action == hongyan.CallInvite {
		shortest, longest = minCallTTL, maxCallTTL
	}
	return int64(p.c.Keep(note, now, shortest, longest) / time.Second)
}
