package dispatch

import (
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Shown is how an accepted push stands on a screen, as far as whoever overwrites it must know. It
// is written in one word, the zero value in [PlainShown]: a message between two people that
// replaces nothing but itself.
type Shown string

// PlainShown is how the zero Shown is written in a header.
const PlainShown = "-"

// shownVoIP is the kind of a push over VoIP, which no alert replaces.
const shownVoIP = "voip"

// ShownOf is how a notification is shown.
func ShownOf(n *vendors.Notification) Shown {
	kind := string(n.Kind)
	switch {
	case n.VoIP:
		kind = shownVoIP
	case n.Kind == vendors.KindC2C:
		kind = ""
	}
	if n.ReplaceKey == "" {
		return Shown(kind)
	}
	return Shown(kind + "/" + n.ReplaceKey)
}

// ParseShown reads a word of a header.
func ParseShown(word string) Shown {
	if word == PlainShown {
		return ""
	}
	return Shown(word)
}

// Kind is the notification's.
func (s Shown) Kind() vendors.Kind {
	switch kind, _, _ := strings.Cut(string(s), "/"); kind {
	case "":
		return vendors.KindC2C
	case shownVoIP:
		return vendors.KindCall
	default:
		return vendors.Kind(kind)
	}
}

// VoIP says that the push went over VoIP.
func (s Shown) VoIP() bool { return s == shownVoIP || strings.HasPrefix(string(s), shownVoIP+"/") }

// ReplaceKey is the notification's ReplaceKey; empty where only its message's key replaces it.
func (s Shown) ReplaceKey() string {
	_, key, _ := strings.Cut(string(s), "/")
	return key
}
