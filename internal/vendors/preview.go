package vendors

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/hongyan-im/hongyan"
)

// A user may not want to read on a locked screen, or have a vendor read, what was written and by
// whom. Such a notification is composed without it; what is left to hide are the ids that travel
// beside the text.

// IDs are the conversation's and the message's id for the fields of a call beside ext: as they are,
// or, where the preview is none, in the place of each the first 32 hex digits of its SHA-256. A
// driver must not put Conversation and MessageID anywhere itself.
func (n *Notification) IDs() (conversation, message string) {
	if n.Preview != hongyan.PreviewNone {
		return n.Conversation, n.MessageID
	}
	return hashed(n.Conversation), hashed(n.MessageID)
}

// CallStep is Call for the fields of a call to the vendor, its id like those of [Notification.IDs];
// nil where the message is no step of a call.
func (n *Notification) CallStep() *hongyan.Call {
	if n.Preview != hongyan.PreviewNone || n.Call == nil {
		return n.Call
	}
	step := *n.Call
	step.ID = hashed(step.ID)
	return &step
}

// Text is the body without what leads it: without the mark of a mention and the name of who wrote.
func (n *Notification) Text() string { return n.Body[min(n.Lead, len(n.Body)):] }

// shows says whether the notification may show what the message's sender wrote.
func (n *Notification) shows() bool { return n.Preview == "" || n.Preview == hongyan.PreviewFull }

func hashed(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}
