package marks

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// What is what a mark is about.
type What string

// The kinds of marks.
const (
	Recall What = "recall" // a message was recalled
	Read   What = "read"   // a user has read a conversation
	Call   What = "call"   // an event of a call
)

// Lives of marks. A recall is remembered for what comes late, a call for as long as its end may
// matter.
const (
	recallLife = 48 * time.Hour
	readLife   = 24 * time.Hour
	callLife   = time.Hour
)

// Mark is what is stored of a signal or of an event of a call. It is never changed once made.
type Mark struct {
	Version int    `json:"v"`
	App     string `json:"-"` // the subject holds it
	What    What   `json:"what"`
	// At is when the signal or event was stored; of a read mark up to when the user has read.
	At time.Time `json:"at"`
	// Message is the message that was recalled, or the event of the call.
	Message string `json:"message_id,omitempty"`

	// User has read Conversation.
	User         string `json:"user,omitempty"`
	Conversation string `json:"conversation,omitempty"`

	CallID string `json:"call_id,omitempty"`
	// Ended are the users for whom the event ended the ringing.
	Ended []string `json:"ended,omitempty"`
	// Rang are the devices that the invitation was planned to ring.
	Rang []Rang `json:"rang,omitempty"`

	sequence uint64 // of the stored mark, where it was read
}

// Rang are devices that were rung.
type Rang struct {
	// Devices are named by [dispatch.DeviceHash].
	Devices []string `json:"devices"`
}

// markVersion is the form in which marks are stored. A worker leaves alone what a newer one wrote.
const markVersion = 1

// OfSignal is the mark of a signal that was stored at a time.
func OfSignal(app string, s hongyan.Signal, stored time.Time) *Mark {
	if s.Type == hongyan.SignalRecall {
		return &Mark{App: app, What: Recall, At: stored, Message: s.MessageID}
	}
	return &Mark{App: app, What: Read, At: s.At, User: s.User, Conversation: s.Conversation}
}

func (m *Mark) life() time.Duration {
	switch m.What {
	case Recall:
		return recallLife
	case Read:
		return readLife
	}
	return callLife
}

// Late says that the mark would have ended before now.
func (m *Mark) Late(now time.Time) bool { return now.Sub(m.At) >= m.life() }

// Outgoing is what is stored of the mark. What is said of a call is named by what it says: an event
// that comes again adds to what is known and replaces nothing.
func (m *Mark) Outgoing(subjects hongyan.Subjects) (dispatch.Outgoing, error) {
	x := *m
	x.Version, x.At = markVersion, m.At.UTC()
	data, err := json.Marshal(&x, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return dispatch.Outgoing{}, fmt.Errorf("write a mark: %w", err)
	}
	o := dispatch.Outgoing{Data: data, Life: m.life()}
	switch m.What {
	case Recall:
		o.Subject = subjects.RecallMark(m.App, m.Message)
	case Read:
		o.Subject = subjects.ReadMark(m.App, m.User, m.Conversation)
	case Call:
		o.Subject = subjects.CallMark(m.App, m.CallID, string(data))
	}
	return o, nil
}

// parse reads a mark.
func parse(subjects hongyan.Subjects, subject string, data []byte) (*Mark, error) {
	x, err := subjects.Parse(subject)
	if err != nil || x.Kind != hongyan.KindMark {
		return nil, errors.New("read a mark: its subject is none of a mark")
	}
	m := &Mark{App: x.App}
	if err := json.Unmarshal(data, m, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, fmt.Errorf("read a mark: %w", err)
	}
	if m.Version > markVersion {
		return nil, fmt.Errorf("read a mark of form %d: a newer worker wrote it", m.Version)
	}
	return m, nil
}
