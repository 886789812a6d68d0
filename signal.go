package hongyan

import "time"

// Signal types.
const (
	RecallSignal = "recall"
	ReadSignal   = "read"
)

// Signal is what an IM backend says on push.signal.<app> about messages that it announced before:
// that one was recalled, or that a user has read a conversation. Both suppress pushes that were not
// sent yet.
//
//	{"type": "recall", "message_id": "m-1001"}
//	{"type": "read", "user": "bob", "conversation_id": "c2c_alice", "at": "2026-11-23T08:00:00Z"}
type Signal struct {
	Type string `json:"type"` // RecallSignal or ReadSignal
	// MessageID is the message that was recalled.
	MessageID string `json:"message_id,omitempty"`
	// User has read ConversationID up to At.
	User           string    `json:"user,omitempty"`
	ConversationID string    `json:"conversation_id,omitempty"`
	At             time.Time `json:"at,omitzero"`
}
