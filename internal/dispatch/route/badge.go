package route

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
)

// Badge says what number the icons of an app's users show.
type Badge uint8

const (
	// BadgeOfMessage is the message's unread.
	BadgeOfMessage Badge = iota
	// BadgeCounted is what workers count, see package badge.
	BadgeCounted
	// BadgeOff is none: nothing is sent and nothing looked up.
	BadgeOff
)

// countOf is the changes of numbers that follow from a message: it counts for the recipients who
// are told of it, or would be at another time. users is what the directory knows of the recipients,
// each at its place, and decisions is what was decided on their devices, those of each together and
// in the same order. carries says whether pushes of a certificate can carry a number. It reads no
// clock and changes nothing.
//
// Calls, own and muted messages, and those that nobody is to be told of, do not count. Nor does a
// message for a user without a device whose icon a push could set.
func countOf(changes []badge.Change, m *hongyan.Message, app string, stored time.Time, users []*directory.User, decisions []Decision,
	carries func(certificate string) bool) []badge.Change {
	if m.Content.Call != nil {
		return changes
	}
	var counting *badge.Message // all share it
	for i, user := range m.Recipients {
		n := 0
		told := false
		for n < len(decisions) && decisions[n].User == user {
			d := &decisions[n]
			told = told || d.Device != nil && tells(d.Suppressed) && carries(d.Device.Registration.Certificate)
			n++
		}
		decisions = decisions[n:]
		if !told || isMuted(aboutMessage(m, user), users[i]) {
			continue
		}
		if counting == nil {
			counting = &badge.Message{ID: m.ID, Conversation: m.Conversation.ID, Sent: m.SentAt, Stored: stored}
		}
		changes = append(changes, badge.Change{Ref: badge.Ref{App: app, User: user}, Report: reported(users[i]), Message: counting})
	}
	return changes
}

// tells says whether a device is pushed to, or would be if only the time or the app's state were
// another.
func tells(suppressed hongyan.Reason) bool {
	switch suppressed {
	case "", hongyan.Foreground, hongyan.ActiveElsewhere, hongyan.QuietHours, hongyan.Expired:
		return true
	}
	return false
}

// reported is the number that a device of the user reported last when it went to the background, or
// nil.
func reported(u *directory.User) *badge.Report {
	var last *hongyan.Presence
	for i := range u.Devices {
		p := u.Devices[i].Presence
		if p != nil && p.State == hongyan.StateBackground && p.Unread != nil && (last == nil || p.At.After(last.At)) {
			last = p
		}
	}
	if last == nil {
		return nil
	}
	return &badge.Report{Unread: *last.Unread, At: last.At}
}
