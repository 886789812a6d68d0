package apns

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// payload is what a payload shows.
type payload struct {
	title, subtitle, body, thread, ext, image, sound, level string
	callID, action                                          string // of a call, as the app reads them
	badge                                                   *int
	onlyBadge                                               bool // it has a badge and shows nothing
}

// Limits of a payload. Apple, "Generating a remote notification".
const (
	maxPayload = 4096
	maxVoIP    = 5120
)

// aps is the dictionary aps. APNs ignores keys that it does not know; the fake points at them,
// since they belong beside aps.
type aps struct {
	Alert            jsontext.Value `json:"alert"`
	Badge            *int           `json:"badge"`
	Sound            jsontext.Value `json:"sound"`
	ThreadID         string         `json:"thread-id"`
	Category         string         `json:"category"`
	ContentAvailable int            `json:"content-available"`
	MutableContent   int            `json:"mutable-content"`
	TargetContentID  string         `json:"target-content-id"`
	Interruption     string         `json:"interruption-level"`
	Relevance        *float64       `json:"relevance-score"`
	FilterCriteria   string         `json:"filter-criteria"`
	// Live Activities
	Event          string         `json:"event"`
	ContentState   jsontext.Value `json:"content-state"`
	Timestamp      int64          `json:"timestamp"`
	StaleDate      int64          `json:"stale-date"`
	DismissalDate  int64          `json:"dismissal-date"`
	AttributesType string         `json:"attributes-type"`
	Attributes     jsontext.Value `json:"attributes"`
}

type alert struct {
	Title        string   `json:"title"`
	Subtitle     string   `json:"subtitle"`
	Body         string   `json:"body"`
	TitleKey     string   `json:"title-loc-key"`
	TitleArgs    []string `json:"title-loc-args"`
	SubtitleKey  string   `json:"subtitle-loc-key"`
	SubtitleArgs []string `json:"subtitle-loc-args"`
	Key          string   `json:"loc-key"`
	Args         []string `json:"loc-args"`
	LaunchImage  string   `json:"launch-image"`
}

// notJSON is the reason for a payload that is no JSON or of wrong types. Apple documents none.
const notJSON = "BadPayload"

func readPayload(body []byte, h headers) (payload, *brokenRule) {
	var p payload
	limit := maxPayload
	if h.pushType == "voip" {
		limit = maxVoIP
	}
	switch {
	case len(body) == 0:
		return p, broken("PayloadEmpty", "the payload is empty")
	case len(body) > limit:
		return p, broken("PayloadTooLarge", "the payload has %d bytes, push type %s takes %d", len(body), h.pushType, limit)
	}
	var top struct {
		APS   jsontext.Value `json:"aps"`
		Ext   jsontext.Value `json:"ext"`
		Image jsontext.Value `json:"image"`
		Call  struct {
			ID     string `json:"call_id"`
			Action string `json:"action"`
			Title  string `json:"title"`
			Body   string `json:"body"`
		} `json:"call"`
	}
	if json.Unmarshal(body, &top) != nil {
		return p, broken(notJSON, "the payload is no JSON object in UTF-8, or names a key twice")
	}
	if top.APS.Kind() != '{' {
		return p, broken(notJSON, "the payload has no dictionary aps")
	}
	var aps aps
	if !strict(top.APS, &aps) {
		return p, broken(notJSON, "a key of aps is unknown or of the wrong type; custom keys stand beside aps")
	}
	if bad := aps.check(h); bad != nil {
		return p, bad
	}
	p.ext, p.image, p.badge, p.thread, p.level = text(top.Ext), text(top.Image), aps.Badge, aps.ThreadID, aps.Interruption
	p.callID, p.action = top.Call.ID, top.Call.Action
	if h.pushType == "voip" {
		p.title, p.body = top.Call.Title, top.Call.Body
		return p, nil
	}
	var ok bool
	if p.sound, ok = sound(aps.Sound); !ok {
		return p, broken(notJSON, "sound is a string, or a dictionary of critical, name and volume from 0 to 1")
	}
	p.onlyBadge = len(aps.Alert) == 0 && len(aps.Sound) == 0 && aps.Badge != nil
	return p, p.readAlert(aps.Alert)
}

// check holds the push type against what aps asks for.
func (a aps) check(h headers) *brokenRule {
	bare := len(a.Alert) == 0 && a.Badge == nil && len(a.Sound) == 0
	switch {
	case a.Interruption != "" && !slices.Contains([]string{"passive", "active", "time-sensitive", "critical"}, a.Interruption):
		return broken(notJSON, "interruption-level is passive, active, time-sensitive or critical")
	case a.Relevance != nil && (*a.Relevance < 0 || *a.Relevance > 1):
		return broken(notJSON, "relevance-score is from 0 to 1")
	case a.Badge != nil && *a.Badge < 0:
		return broken(notJSON, "badge is not negative")
	case a.ContentAvailable != 0 && a.ContentAvailable != 1, a.MutableContent != 0 && a.MutableContent != 1:
		return broken(notJSON, "content-available and mutable-content are 1 or absent")
	case h.pushType == "alert" && bare:
		return broken("InvalidPushType", "an alert push has an alert, a badge or a sound")
	case h.pushType == "background" && (!bare || a.ContentAvailable != 1):
		return broken("InvalidPushType", "a background push has content-available and no alert, badge or sound")
	case h.priority == 10 && h.pushType == "alert" && bare:
		return broken("BadPriority", "priority 10 needs an alert, a badge or a sound")
	}
	return nil
}

func (p *payload) readAlert(raw jsontext.Value) *brokenRule {
	if len(raw) == 0 {
		return nil
	}
	if raw.Kind() == '"' {
		p.body = text(raw)
		return nil
	}
	var a alert
	if !strict(raw, &a) {
		return broken(notJSON, "alert is a string or a dictionary of known keys")
	}
	p.title, p.subtitle, p.body = cmp.Or(a.Title, a.TitleKey), cmp.Or(a.Subtitle, a.SubtitleKey), cmp.Or(a.Body, a.Key)
	if p.title == "" && p.subtitle == "" && p.body == "" {
		return broken("InvalidPushType", "the alert shows nothing")
	}
	return nil
}

// sound reads a sound, either a name or a critical alert's.
func sound(raw jsontext.Value) (string, bool) {
	if len(raw) == 0 {
		return "", true
	}
	if raw.Kind() == '"' {
		return text(raw), true
	}
	var s struct {
		Critical int     `json:"critical"`
		Name     string  `json:"name"`
		Volume   float64 `json:"volume"`
	}
	ok := strict(raw, &s) && (s.Critical == 0 || s.Critical == 1) && s.Volume >= 0 && s.Volume <= 1
	return s.Name, ok
}

// clears says whether iOS takes the app's notifications off the screen: it does so when the badge
// becomes 0. Apple does not document it; Airship, "Clearing the badge icon on iOS", and Open Radar
// 32972838 do.
func (p *payload) clears() bool { return p.onlyBadge && *p.badge == 0 }

// endsCall says whether the app learns from an alert that a call is over.
func (p *payload) endsCall(pushType string) bool {
	return pushType == "alert" && p.action != "" && p.action != "invite"
}

// text is a JSON string's value, and any other value as it is written.
func text(raw jsontext.Value) string {
	if raw.Kind() != '"' {
		return string(raw)
	}
	s, _ := jsontext.AppendUnquote(nil, raw) // it has been read once and is a string
	return string(s)
}
