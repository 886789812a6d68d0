package apns

import (
	"cmp"
	"errors"
	"math"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Limits of a payload, dated 2026-11. Apple, "Generating a remote notification".
const (
	maxPayload     = 4096
	maxVoIPPayload = 5120
)

const (
	// maxLine is what a title or subtitle keeps when the payload is too long; no phone shows more
	// of it. In bytes of JSON.
	maxLine = 256
	// badgeRoom is what `"badge":2147483647,` takes. It is always kept free, so that texts fitted
	// for one device fit for all.
	badgeRoom = 20
	// leastText is how little room for texts makes the image go first.
	leastText = 64
	// maxName bounds names that come from the message: a sound file, a conversation.
	maxName = 128
)

// texts are what a phone shows.
type texts struct{ title, subtitle, body string }

func (t texts) size() int { return quoted(t.title) + quoted(t.subtitle) + quoted(t.body) }

// payload writes a push's JSON, and says what it left out. What is too long loses the end of its
// body, then its subtitle, its title, its image, and its ext only where that leaves no room for a
// text.
func (d *driver) payload(n *vendors.Notification, badge *int) (out []byte, note string, err error) {
	limit := maxPayload
	if n.VoIP {
		limit = maxVoIPPayload
	}
	f := d.fitted.of(n)
	if f == nil {
		t := texts{title: vendors.Printable(cmp.Or(n.IOS.Title, n.Title)), body: vendors.Printable(n.Body)}
		if n.NoTitle {
			t.title = ""
		}
		if !n.VoIP {
			t.subtitle = vendors.Printable(n.IOS.Subtitle)
		}
		if t == (texts{}) {
			t.body = "…" // nothing but what no screen shows
		}
		f = &fitted{note: n, texts: t, image: n.IOS.Image, ext: n.Ext}
		if t.size() <= limit {
			if out := d.write(n, badge, f); len(out) <= limit {
				return out, "", nil
			}
		}
		if err := d.fit(f, limit-badgeRoom); err != nil {
			return nil, "", err
		}
		d.fitted.keep(f)
	}
	return d.write(n, badge, f), f.left, nil
}

// fit shortens what f shows until it takes no more than limit bytes without a badge.
func (d *driver) fit(f *fitted, limit int) error {
	room := d.room(f, limit)
	if room < leastText && f.image != "" {
		f.image, f.left = "", vendors.NoteImageDropped
		room = d.room(f, limit)
	}
	if room <= 0 && f.subtitle != "" {
		f.subtitle = ""
		room = d.room(f, limit)
	}
	if room <= 0 && f.ext != "" {
		f.ext, f.left = "", vendors.NoteExtDropped
		room = d.room(f, limit)
	}
	if room <= 0 {
		return errTooLarge
	}
	t := &f.texts
	t.title, t.subtitle = shorten(t.title, min(maxLine, room)), shorten(t.subtitle, maxLine)
	if quoted(t.title)+quoted(t.subtitle) > room {
		t.subtitle = ""
	}
	t.body = shorten(t.body, room-quoted(t.title)-quoted(t.subtitle))
	if t.title == "" && t.body == "" { // the first character is a long one
		t.body = "…"
	}
	return nil
}

// room is how many bytes are left for the texts together.
func (d *driver) room(f *fitted, limit int) int {
	t := texts{title: " ", body: " "}
	if f.subtitle != "" {
		t.subtitle = " "
	}
	return limit - len(d.write(f.note, nil, &fitted{texts: t, image: f.image, ext: f.ext})) + t.size()
}

// errTooLarge is the error of names from the message that are longer than any payload.
var errTooLarge = errors.New("the ids of the call and its conversation leave no room for a text in a payload of APNs")

// fitted is a notification whose texts were fitted.
type fitted struct {
	note *vendors.Notification
	texts
	image, ext string
	// left names what was left out.
	left string
}

// fittedTexts remembers the last notification that had to be shortened: its other devices come
// right behind it, and finding where a grapheme ends is slow.
type fittedTexts struct{ last atomic.Pointer[fitted] }

func (c *fittedTexts) keep(f *fitted) { c.last.Store(f) }

func (c *fittedTexts) of(n *vendors.Notification) *fitted {
	if f := c.last.Load(); f != nil && f.note == n {
		return f
	}
	return nil
}

// write writes the payload. Custom keys stand beside aps: APNs ignores those within.
func (d *driver) write(n *vendors.Notification, badge *int, f *fitted) []byte {
	conversation, message := n.IDs()
	out := make([]byte, 0, 320+len(f.title)+len(f.subtitle)+len(f.body)+len(f.ext)+len(f.image))
	if n.VoIP {
		out = append(out, `{"aps":{},"call":{`...)
		out = appendCall(out, n.CallStep())
		out = appendText(out, `"title":`, f.title)
		out = appendText(out, `"body":`, f.body)
		out = appendText(out, `"conversation":`, name(conversation))
		out = appendText(out, `"message_id":`, name(message))
		out = append(trimComma(out), '}', ',')
	} else {
		out = append(out, `{"aps":{"alert":{`...)
		out = appendText(out, `"title":`, f.title)
		out = appendText(out, `"subtitle":`, f.subtitle)
		out = appendText(out, `"body":`, f.body)
		out = append(trimComma(out), '}', ',')
		out = d.appendAPS(out, n, badge, f.image, conversation)
		out = append(trimComma(out), '}', ',')
		if n.Call != nil {
			out = append(out, `"call":{`...)
			out = appendCall(out, n.CallStep())
			out = append(trimComma(out), '}', ',')
		}
		out = appendText(out, `"image":`, f.image)
		if d.mutable(n, f.image) {
			out = appendText(out, `"conversation":`, name(conversation))
			out = appendText(out, `"message_id":`, name(message))
			if !n.NoTitle {
				out = appendText(out, `"sender":`, name(cmp.Or(n.Sender, n.Title)))
			}
		}
	}
	out = appendText(out, `"ext":`, f.ext)
	return append(trimComma(out), '}')
}

// appendAPS writes the keys of aps that follow the alert.
func (d *driver) appendAPS(out []byte, n *vendors.Notification, badge *int, image, conversation string) []byte {
	if badge != nil && !n.IOS.IgnoreBadge {
		out = append(out, `"badge":`...) // 0 removes it
		out = strconv.AppendInt(out, int64(min(max(*badge, 0), math.MaxInt32)), 10)
		out = append(out, ',')
	}
	lvl := d.level(n)
	sound := cmp.Or(n.IOS.Sound, d.config.Sound, "default")
	if len(sound) > maxName {
		sound = "default"
	}
	switch {
	case sound == "none", n.Quiet:
	case lvl == critical: // a critical alert says so in its sound too
		out = append(out, `"sound":{"critical":1,"volume":1,`...)
		out = appendText(out, `"name":`, sound)
		out = append(trimComma(out), '}', ',')
	default:
		out = appendText(out, `"sound":`, sound)
	}
	out = appendText(out, `"thread-id":`, name(conversation))
	out = appendText(out, `"interruption-level":`, lvl)
	out = appendText(out, `"category":`, short(n.IOS.Category))
	if d.mutable(n, image) {
		out = append(out, `"mutable-content":1,`...)
	}
	return out
}

// mutable says whether the app's notification service extension runs. What it needs to show a
// message with its sender's picture then stands beside aps; Apple, "Implementing communication
// notifications".
func (d *driver) mutable(n *vendors.Notification, image string) bool {
	return n.IOS.MutableContent || d.config.MutableContent || image != ""
}

// short drops a name that is too long to be one.
func short(s string) string {
	if len(s) > maxName {
		return ""
	}
	return s
}

// level is the interruption level; one that Apple does not know is not sent.
func (d *driver) level(n *vendors.Notification) string {
	if n.Quiet {
		return passive
	}
	if isLevel(n.IOS.InterruptionLevel) {
		return n.IOS.InterruptionLevel
	}
	return d.config.InterruptionLevel
}

// appendCall writes a call's id, media and action.
func appendCall(out []byte, call *hongyan.Call) []byte {
	if call == nil {
		return out
	}
	out = appendText(out, `"call_id":`, call.ID)
	out = appendText(out, `"media":`, string(call.Media))
	return appendText(out, `"action":`, string(call.Action))
}

// appendText writes a member with its comma, unless the text is empty.
func appendText(out []byte, key, text string) []byte {
	if text == "" {
		return out
	}
	out = append(out, key...)
	out, _ = jsontext.AppendQuote(out, text) // its error says that invalid UTF-8 was replaced
	return append(out, ',')
}

func trimComma(out []byte) []byte {
	if out[len(out)-1] == ',' {
		return out[:len(out)-1]
	}
	return out
}

// quoted is how many bytes a text takes within JSON's quotes.
func quoted(s string) int {
	n := len(s)
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"', c == '\\', c == '\n', c == '\t', c == '\r', c == '\b', c == '\f':
				n++
			case c < ' ':
				n += 5
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			n += 2 // replaced by U+FFFD, three bytes
		}
		i += size
	}
	return n
}

// shorten cuts a text, between graphemes, to at most room bytes of JSON.
func shorten(s string, room int) string {
	if room <= 0 {
		return ""
	}
	return vendors.TextLimit{Max: room, Measure: quoted}.Fit(s)
}

// name is a name from the message, or a short one that stands for a long one and, like it, groups
// what belongs together.
func name(s string) string {
	if len(s) <= maxName {
		return s
	}
	return digest(s)
}
