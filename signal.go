package hongyan

import "time"

// SignalType is the kind of a signal.
type SignalType string

// The signal types.
const (
	SignalRecall SignalType = "recall"
	SignalRead   SignalType = "read"
)

// Signal is what an IM backend says on push.signal.<app> about messages that it announced before:
// that one was recalled, or that a user has read a conversation.
//
// Workers read signals before the messages that wait. A recall suppresses what was not sent of the
// message, wherever it waits, and is remembered for 48 hours for what comes late. A read mark
// suppresses what waits for the user in the conversation and was not sent after At; it is
// remembered for 24 hours. Signals that are repeated, late or about nothing are harmless.
//
//	{"type": "recall", "message_id": "m-1001", "conversation": "c2c_alice"}
//	{"type": "read", "user": "bob", "conversation": "c2c_alice", "at": "2026-11-23T08:00:00Z"}
type Signal struct {
	// Type says which of the two it is.
	Type SignalType `json:"type"`
	// MessageID is the message that was recalled; required in a recall.
	MessageID string `json:"message_id,omitempty"`
	// Conversation is required in a read mark, and helps a recall.
	Conversation string `json:"conversation,omitempty"`
	// SentAt is when the recalled message was sent; it helps a recall to find what was accepted.
	SentAt time.Time `json:"sent_at,omitzero"`
	// User has read Conversation; required in a read mark.
	User string `json:"user,omitempty"`
	// At is up to when the user has read; default: when the signal arrived.
	At time.Time `json:"at,omitzero"`
	// Unread is the number of all that the user has not read; absent when it is not known.
	Unread *int `json:"unread,omitempty"`
}
