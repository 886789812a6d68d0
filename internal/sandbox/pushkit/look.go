package pushkit

import (
	"fmt"
	"slices"
	"strings"
)

// Look is how a notification is shown, as far as the two generations of the service agree.
type Look struct {
	Image             string
	Style             *int // 0 plain, 1 a long text, 3 lines
	BigTitle, BigBody string
	Inbox             []string
	// Lines is how many the inbox may have.
	Lines     int
	ProfileID string
}

// Names are a generation's names of fields of a [Look].
type Names struct{ BigTitle, BigBody, Inbox, ProfileID string }

// Broken names the rule that the look breaks, or nothing.
func (l *Look) Broken(names Names) string {
	style := 0
	if l.Style != nil {
		style = *l.Style
	}
	switch {
	case l.Image != "" && !strings.HasPrefix(l.Image, "https://"):
		return "image must be an https address"
	case !slices.Contains([]int{0, 1, 3}, style):
		return "style must be 0, 1 or 3"
	case style == 1 && (l.BigTitle == "" || l.BigBody == ""):
		return "style 1 needs " + names.BigTitle + " and " + names.BigBody
	case style == 3 && len(l.Inbox) == 0:
		return "style 3 needs " + names.Inbox
	case len(l.Inbox) > l.Lines || slices.ContainsFunc(l.Inbox, func(s string) bool { return len(s) > 1024 }):
		return fmt.Sprintf("%s must have at most %d lines of at most 1024", names.Inbox, l.Lines)
	case len(l.ProfileID) > 64:
		return names.ProfileID + " must not be longer than 64"
	}
	return ""
}
