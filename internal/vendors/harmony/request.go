package harmony

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
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
	Category       string   `json:"category"`
	Title          string   `json:"title"`
	Body           string   `json:"body"`
	ClickAction    click    `json:"clickAction"`
	NotifyID       int      `json:"notifyId"`
	AppMessageID   string   `json:"appMessageId"`
	Badge          *badge   `json:"badge,omitempty"`
	Image          string   `json:"image,omitempty"`
	Style          int      `json:"style,omitempty"`
	InboxContent   []string `json:"inboxContent,omitempty"`
	Sound          string   `json:"sound,omitempty"`
	SoundDuration  int      `json:"soundDuration,omitempty"`
	ForegroundShow bool     `json:"foregroundShow"`
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
	SetNum *int `json:"setNum"`
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

// soundForm is a file in the app's resources/rawfile; maxSound is how long it may play, in seconds.
var soundForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

const maxSound = 60

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
// image goes, then the list of lines, the sound and most of the title, then the ext (a part of it
// would be worse than none), then the click target, which may hold the ext as well.
func (p *protocol) compose(batch vendors.Batch) (request, int) {
	note := batch.Devices[0].Notification
	title := cmp.Or(p.title.Fit(strings.TrimSpace(strings.ReplaceAll(vendors.Printable(note.Title), "\n", " "))), p.title.Fit(blankTitle))
	body := cmp.Or(p.body.Fit(strings.TrimSpace(vendors.Printable(note.Body))), p.body.Fit(blankBody))
	r := request{PushOptions: options{
		TestMessage: p.c.TestMode, TTL: p.ttl(note, batch.Now), BiTag: pushkit.BITag(&p.c.Common, note), ReceiptID: pushkit.ReceiptID(&p.c.Common),
	}}
	// steps give the payload ever less beside the text; write puts a body into it.
	var steps []func()
	var write func(body string)
	pushType := typeAlert
	if p.c.inAppCall(note) {
		pushType = typeCall
		call := incoming{Title: title, Ext: note.Ext, Key: note.Key, Call: note.CallStep()}
		write = func(body string) {
			call.Body = body
			r.Payload.ExtraData = string(vendors.JSON(call))
		}
		steps = []func(){
			func() {},
			func() { call.Title = vendors.ShortTitle.Fit(call.Title) },
			func() { call.Title = vendors.Initial(call.Title) },
			func() { call.Ext = "" },
			// an id of kilobytes is none
			func() { call.Call = &hongyan.Call{Media: call.Call.Media, Action: call.Call.Action} },
		}
	} else {
		n := p.draft(batch, title)
		r.Payload.Notification = n
		lines := true
		write = func(body string) {
			n.Body, n.Style, n.InboxContent = body, 0, nil
			if in := inbox(body); lines && len(in) > 1 {
				n.Style, n.InboxContent = styleLines, in
			}
		}
		steps = []func(){
			func() {},
			func() { n.Image = "" },
			func() {
				lines, n.Sound, n.SoundDuration = false, "", 0
				n.Title = vendors.ShortTitle.Fit(n.Title)
			},
			func() {
				if c := n.ClickAction; len(c.Action)+len(c.URI) > vendors.LongClick {
					n.ClickAction = click{ActionType: clickHome, Data: c.Data}
				}
			},
			func() { n.Title = vendors.Initial(n.Title) },
			func() { n.ClickAction.Data = nil },
			func() { n.ClickAction = click{ActionType: clickHome} },
		}
	}
	vendors.Shrink(body, steps, write, func() bool { return len(vendors.JSON(r)) <= p.maxBytes })
	return r, pushType
}

// styleLines shows a text of several lines as a list.
const styleLines = 3

// inbox is the lines of a text for styleLines: three at most, the last of which holds what is left.
func inbox(body string) []string {
	lines := strings.SplitN(body, "\n", 3)
	for i, line := range lines {
		lines[i] = vendors.TextLimit{Max: 1024, Measure: vendors.Bytes}.Fit(strings.TrimSpace(strings.ReplaceAll(line, "\n", " ")))
	}
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// Note says what the request left out: it is written once more where there is an image, or an ext
// that is long enough for that.
func (p *protocol) Note(batch vendors.Batch) string {
	note := batch.Devices[0].Notification
	if !vendors.LongExtra(note.Ext) && note.Harmony.Image == "" {
		return ""
	}
	r, _ := p.compose(batch)
	switch n := r.Payload.Notification; {
	case n == nil:
		if !strings.Contains(r.Payload.ExtraData, `"ext":`) && note.Ext != "" {
			return vendors.NoteExtDropped
		}
	case note.Ext != "" && n.ClickAction.Data == nil:
		return vendors.NoteExtDropped
	case isImage(note.Harmony.Image) && n.Image == "":
		return vendors.NoteImageDropped
	}
	return ""
}

// draft is the notification without its body. Batch.Generic, which only a refused image asks for,
// leaves the image out: API v3 has no code for words that are refused.
func (p *protocol) draft(batch vendors.Batch, title string) *notification {
	note := batch.Devices[0].Notification
	n := &notification{
		Category: p.c.category(note), Title: title, ClickAction: p.click(note),
		// The first says what is replaced on the screen. The same appMessageId is shown once in 24
		// hours, so a repeat changes nothing.
		NotifyID: vendors.NotifyID(note.Replaces()), AppMessageID: note.Key,
		Badge: badgeOf(batch.Devices), ForegroundShow: p.c.ForegroundShow,
	}
	if isImage(note.Harmony.Image) && !batch.Generic {
		n.Image = p.images.checked(note.Harmony.Image, batch)
	}
	if sound := note.Harmony.Sound; soundForm.MatchString(sound) && !note.Quiet {
		n.Sound, n.SoundDuration = sound, min(max(note.Harmony.SoundSeconds, 0), maxSound)
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
	set := vendors.SharedBadge(devices)
	if set == nil {
		return nil
	}
	return &badge{SetNum: set}
}

// ttl is what is left of the message; of a call invite it is at most what Huawei advises for calls.
func (p *protocol) ttl(note *vendors.Notification, now time.Time) int64 {
	longest := pushkit.MaxTTL
	if note.Call != nil && note.Call.Action == hongyan.CallInvite {
		longest = maxCallTTL
	}
	return int64(p.c.Keep(note, now, pushkit.MinTTL, longest) / time.Second)
}
