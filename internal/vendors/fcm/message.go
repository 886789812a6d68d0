package fcm

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"firebase.google.com/go/v4/messaging"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// The keys of the data that the app gets. Keys that FCM keeps for itself are "from", "message_type"
// and all that begin with "google" or "gcm". The last group exists only with Config.DataOnly.
const (
	keyExt          = "ext"
	keyConversation = "conversation"
	keyMessage      = "message"
	keyCallID       = "call_id"
	keyCallAction   = "call_action"
	keyCallMedia    = "call_media"

	keyTitle   = "title"
	keyBody    = "body"
	keyTag     = "tag"
	keyChannel = "channel"
	keySound   = "sound"
	keyImage   = "image"
	keyBadge   = "badge"
)

// message writes a push, and says what it had to leave out.
//
// There is no collapse_key: Google ignores it on notification messages, keeps at most four of them
// for a device, and throttles what collapses. The tag makes a repeat replace itself on the screen.
func (c *Config) message(d vendors.Device, now time.Time) (m *messaging.Message, note string) {
	n, limit := d.Notification, cmp.Or(c.MaxBytes, maxBytes)
	// so that no more than that is looked at again
	text := vendors.TextLimit{Max: limit, Measure: vendors.Bytes}
	ttl := n.TTL(now, 0, maxTTL)
	if c.TTL > 0 && ttl > c.TTL {
		ttl = c.TTL.Truncate(time.Second)
	}
	shown := &messaging.AndroidNotification{
		ChannelID: cmp.Or(n.Android.FCMChannelID, c.ChannelID),
		Sound:     cmp.Or(n.Android.Sound, c.Sound, "default"),
		Tag:       n.Replaces(),
		ImageURL:  image(n.Android.Image),
	}
	if n.Quiet { // since Android 8 the channel has the last word
		shown.Sound, shown.Priority = "", messaging.PriorityLow
	}
	if c.Click.Action != "" {
		shown.ClickAction = vendors.Expand(c.Click.Action, n, vendors.URLEscape)
	}
	if d.Badge != nil && *d.Badge > 0 { // 0 would mean "one more"
		count := min(*d.Badge, math.MaxInt32)
		shown.NotificationCount = &count
	}
	m = &messaging.Message{
		Token:        d.Token,
		Data:         data(n, limit),
		Notification: &messaging.Notification{Title: vendors.Printable(text.Fit(n.Title)), Body: vendors.Printable(text.Fit(n.Body))},
		Android: &messaging.AndroidConfig{
			Priority:     cmp.Or(priority(n.Android.FCMPriority), priority(c.Priority), "high"),
			TTL:          &ttl,
			Notification: shown,
		},
	}
	if n.NoTitle && !c.hides(n) { // an app that shows it by itself counts on a title
		m.Notification.Title = ""
	}
	if m.Notification.Title == "" && m.Notification.Body == "" {
		m.Notification.Body = "…" // nothing but control characters: still something to see
	}
	if !c.hides(n) {
		m.APNS = c.apns(d, now.Add(ttl))
	}
	note = shape(m, limit)
	if n.Ext != "" && m.Data[keyExt] == "" {
		note = vendors.NoteExtDropped
	}
	if c.hides(n) {
		hideInData(m)
	}
	return m, note
}

// hides says whether the app shall show the push itself.
func (c *Config) hides(n *vendors.Notification) bool {
	return c.DataOnly == dataAll || c.DataOnly == dataCalls && n.Call != nil
}

// apns is what a token of an iPhone gets beside title and body; Android does not read it.
func (c *Config) apns(d vendors.Device, until time.Time) *messaging.APNSConfig {
	n := d.Notification
	conversation, _ := n.IDs()
	aps := &messaging.Aps{ThreadID: name(conversation), Category: name(n.IOS.Category), MutableContent: n.IOS.MutableContent}
	if sound := name(cmp.Or(n.IOS.Sound, "default")); sound != "none" {
		aps.Sound = sound
	}
	if d.Badge != nil && !n.IOS.IgnoreBadge {
		count := min(max(*d.Badge, 0), math.MaxInt32)
		aps.Badge = &count
	}
	expiration := strconv.FormatInt(until.Unix(), 10)
	level := n.IOS.InterruptionLevel
	if n.Quiet {
		// Not kept for a phone that is off, where APNs keeps one push of the app.
		aps.Sound, level, expiration = "", "passive", "0"
	}
	if slices.Contains([]string{"passive", "active", "time-sensitive"}, level) {
		aps.CustomData = map[string]any{"interruption-level": level}
	}
	return &messaging.APNSConfig{
		Headers: map[string]string{
			"apns-priority": "10", "apns-collapse-id": n.Replaces(), "apns-expiration": expiration,
		},
		Payload: &messaging.APNSPayload{Aps: aps},
	}
}

// name drops a name that is too long to be one.
func name(s string) string {
	if len(s) > 128 {
		return ""
	}
	return s
}

func data(n *vendors.Notification, limit int) map[string]string {
	m := make(map[string]string, 3)
	put := func(key, value string) {
		if value != "" && len(value) <= limit { // a longer one is lost anyway
			m[key] = value
		}
	}
	put(keyExt, n.Ext)
	conversation, message := n.IDs()
	put(keyConversation, conversation)
	put(keyMessage, message)
	if call := n.CallStep(); call != nil {
		put(keyCallID, call.ID)
		put(keyCallAction, string(call.Action))
		put(keyCallMedia, string(call.Media))
	}
	return m
}

// hideInData moves all that is to be shown into the data.
func hideInData(m *messaging.Message) {
	shown := m.Android.Notification
	for key, value := range map[string]string{
		keyTitle: m.Notification.Title, keyBody: m.Notification.Body, keyTag: shown.Tag,
		keyChannel: shown.ChannelID, keySound: shown.Sound, keyImage: shown.ImageURL,
	} {
		if value != "" {
			m.Data[key] = value
		}
	}
	if shown.NotificationCount != nil {
		m.Data[keyBadge] = strconv.Itoa(*shown.NotificationCount)
	}
	m.Notification, m.Android.Notification = nil, nil
}

// priority is "high", "normal", or empty for anything else.
func priority(s string) string {
	switch s = strings.ToLower(s); s {
	case "high", "normal":
		return s
	}
	return ""
}

// image is the URL of an image that FCM takes, or empty.
func image(s string) string {
	if s == "" || len(s) > maxBytes {
		return ""
	}
	u, err := url.ParseRequestURI(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return s
}

// shortText is to how many bytes of JSON title and body are cut before anything else is given up,
// leastText to how many before the ext is.
const (
	shortText = 384
	leastText = 48
)

// shape makes the message fit, and says what it left out. The texts are shortened first, then the
// rest goes, least missed first, until short texts fit; what room is left goes to the body and then
// to the title. An ext that fits beside a character of each stays.
func shape(m *messaging.Message, limit int) (note string) {
	if weight(m) <= limit {
		return ""
	}
	n, shown := m.Notification, m.Android.Notification
	title, body := n.Title, n.Body
	short := func(bytes int) func() {
		fit := vendors.TextLimit{Max: bytes, Measure: jsonLen}
		return func() { n.Title, n.Body = fit.Fit(title), fit.Fit(body) }
	}
	for _, drop := range []func(){
		short(shortText),
		func() {
			if shown.ImageURL != "" {
				shown.ImageURL, note = "", vendors.NoteImageDropped
			}
		},
		func() { m.APNS = nil },
		short(leastText),
		func() {
			if len(shown.ClickAction) > vendors.LongClick {
				shown.ClickAction = ""
			}
		},
		func() {
			if len(m.Data[keyConversation])+len(m.Data[keyMessage]) > leastNames {
				delete(m.Data, keyConversation)
				delete(m.Data, keyMessage)
			}
		},
		func() { n.Title, n.Body = vendors.Initial(title), vendors.Initial(body) },
		func() {
			if _, ok := m.Data[keyExt]; ok {
				delete(m.Data, keyExt)
				note = vendors.NoteExtDropped
				short(shortText)()
			}
		},
		func() { delete(m.Data, keyConversation) },
		func() { shown.ClickAction = "" },
		func() {
			if shown.Sound != "" {
				shown.Sound = "default"
			}
		},
		func() { shown.ChannelID = "" },
		func() { clear(m.Data) },
	} {
		if weight(m) <= limit {
			break
		}
		drop()
	}
	// Either grows only: the short forms are known to fit.
	n.Body = vendors.FitTo(body, func(s string) bool { n.Body = s; return weight(m) <= limit })
	n.Title = vendors.FitTo(title, func(s string) bool { n.Title = s; return weight(m) <= limit })
	return note
}

// leastNames is how many bytes the ids of conversation and message may take beside a long ext.
const leastNames = 256

// frame is more than the JSON of a message takes without its data and the texts that weight counts.
const frame = 300

// frameAPNS is more than the block for iPhones takes without its names.
const frameAPNS = 260

// weight is at least the length of the message's JSON without its token, as the SDK writes it. It
// is counted rather than marshalled.
func weight(m *messaging.Message) int {
	n, shown := m.Notification, m.Android.Notification
	w := frame + jsonLen(n.Title) + jsonLen(n.Body) + jsonLen(shown.ChannelID) + jsonLen(shown.Sound) + jsonLen(shown.Tag) +
		jsonLen(shown.ImageURL) + jsonLen(shown.ClickAction)
	if m.APNS != nil {
		aps := m.APNS.Payload.Aps
		w += frameAPNS + jsonLen(aps.ThreadID) + jsonLen(aps.Category) + jsonLen(aps.Sound) + jsonLen(m.APNS.Headers["apns-collapse-id"])
	}
	for key, value := range m.Data {
		w += len(key) + jsonLen(value) + len(`"":"",`)
	}
	return w
}

// jsonLen is the length of s as encoding/json writes it between its quotes, HTML escapes included.
func jsonLen(s string) int {
	n := len(s)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"', c == '\\', c == '\n', c == '\r', c == '\t', c == '\b', c == '\f':
				n++
			case c < 0x20, c == '<', c == '>', c == '&':
				n += 5
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			n += 5
		case r == '\u2028' || r == '\u2029':
			n += 3
		}
		i += size
	}
	return n
}
