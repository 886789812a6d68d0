package dispatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/jsonerror"
)

// Default lifetimes of messages that name none.
const (
	defaultTTL       = 24 * time.Hour
	defaultInviteTTL = time.Minute
	maxTTL           = 28 * 24 * time.Hour // the longest that any vendor keeps a push
)

// maxMessage is the longest message event: a megabyte of recipients and as much again for the rest.
const maxMessage = 4 << 20

// ParseMessage reads and checks a message event. arrived stands in for a sent_at that is absent.
// The error says what is wrong in words that hold nothing of the message's text; the message comes
// with it as far as it was read. A recipient named twice is kept once. unnamed says that the
// message has fields that the contract does not name; they are ignored.
func ParseMessage(data []byte, arrived time.Time) (m *hongyan.Message, unnamed bool, err error) {
	if len(data) > maxMessage {
		return nil, false, fmt.Errorf("the message is %d bytes long, the most is %d", len(data), maxMessage)
	}
	m = new(hongyan.Message)
	if err = json.Unmarshal(data, m, json.RejectUnknownMembers(true)); errors.Is(err, json.ErrUnknownName) {
		unnamed = true
		m = new(hongyan.Message)
		err = json.Unmarshal(data, m)
	}
	if err != nil {
		// below unread stand users
		return nil, unnamed, jsonerror.Plain(err, "the message", "unread")
	}
	if m.SentAt.IsZero() {
		m.SentAt = arrived
	}
	if err := checkMessage(m); err != nil {
		return m, unnamed, err
	}
	m.Recipients = unique(m.Recipients)
	return m, unnamed, nil
}

// unique drops repeated names, keeping the order.
func unique(names []string) []string {
	if len(names) < 2 {
		return names
	}
	seen := make(map[string]struct{}, len(names))
	kept := names[:0]
	for _, n := range names {
		if _, twice := seen[n]; !twice {
			seen[n] = struct{}{}
			kept = append(kept, n)
		}
	}
	return kept
}

func checkMessage(m *hongyan.Message) error {
	switch {
	case m.ID == "":
		return errors.New("id is missing")
	case len(m.ID) > hongyan.MaxMessageID:
		return fmt.Errorf("id is %d bytes long, the most is %d", len(m.ID), hongyan.MaxMessageID)
	case m.Conversation.Type == "":
		return errors.New("conversation.type is missing")
	case m.Conversation.Type != hongyan.C2C && m.Conversation.Type != hongyan.Group:
		return errors.New("conversation.type is neither c2c nor group")
	case m.Sender.ID == "":
		return errors.New("sender.id is missing")
	case len(m.Recipients) == 0:
		return errors.New("recipients is missing or empty")
	case len(m.Recipients) > hongyan.MaxRecipients:
		return fmt.Errorf("recipients has %d users, the most is %d", len(m.Recipients), hongyan.MaxRecipients)
	case m.TTLSeconds < 0:
		return errors.New("ttl_seconds is negative")
	}
	total := 0
	for i, r := range m.Recipients {
		if r == "" || len(r) > hongyan.MaxUserID {
			return fmt.Errorf("recipients[%d] is empty or longer than %d bytes", i, hongyan.MaxUserID)
		}
		total += len(r)
	}
	if total > hongyan.MaxRecipientBytes {
		return fmt.Errorf("recipients are %d bytes in all, the most is %d", total, hongyan.MaxRecipientBytes)
	}
	return checkContent(m.Content)
}

func checkContent(c hongyan.Content) error {
	switch c.Type {
	case "":
		return errors.New("content.type is missing")
	case hongyan.Text, hongyan.Image, hongyan.Audio, hongyan.Video, hongyan.File, hongyan.Location, hongyan.Face, hongyan.Merged, hongyan.Custom:
		return nil
	case hongyan.CallType:
	default:
		return errors.New("content.type is none that the contract names")
	}
	if c.Call == nil {
		return errors.New("content.call is missing")
	}
	switch c.Call.Action {
	case hongyan.Invite, hongyan.Cancel, hongyan.Answer, hongyan.Reject, hongyan.Hangup:
	default:
		return errors.New("content.call.action is none of invite, cancel, answer, reject, hangup")
	}
	if c.Call.Media != "audio" && c.Call.Media != "video" {
		return errors.New("content.call.media is neither audio nor video")
	}
	if c.Call.ID == "" {
		return errors.New("content.call.call_id is missing")
	}
	return nil
}

// deadline is when the message is worthless.
func deadline(m *hongyan.Message) time.Time {
	ttl := defaultTTL
	if isInvite(m) {
		ttl = defaultInviteTTL
	}
	if m.TTLSeconds > 0 {
		ttl = maxTTL
		if m.TTLSeconds < int64(maxTTL/time.Second) {
			ttl = time.Duration(m.TTLSeconds) * time.Second
		}
	}
	return m.SentAt.Add(ttl)
}

func isInvite(m *hongyan.Message) bool {
	return m.Content.Type == hongyan.CallType && m.Content.Call.Action == hongyan.Invite
}
