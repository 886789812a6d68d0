package erase

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

var stored = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// exhausted is the dead letter of a piece of a large message that was taken too often.
func exhausted(t *testing.T, sender string, recipients ...string) *dispatch.Letter {
	t.Helper()
	m := hongyan.Message{ID: "m-1", Sender: hongyan.Sender{ID: sender}, SentAt: stored, Recipients: recipients,
		Conversation: hongyan.Conversation{ID: "g-7", Type: hongyan.ConversationGroup, Name: "Team"},
		Content:      hongyan.Content{Type: hongyan.ContentText, Text: "dinner?"}, Mentions: recipients[:1], Unread: map[string]int{recipients[0]: 3}}
	message, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(dispatch.Piece{Version: dispatch.PieceVersion, Published: stored, Recipients: 5000, Message: message})
	if err != nil {
		t.Fatal(err)
	}
	return &dispatch.Letter{Sequence: 7, Stored: stored.Add(time.Hour), Subject: hongyan.Subjects{}.Dead("", "", hongyan.AttemptsExhausted), Reason: hongyan.AttemptsExhausted,
		Header: map[string]string{dispatch.HeaderApp: "demo", dispatch.HeaderSubject: hongyan.Subjects{}.Piece("demo", 3)}, Data: data}
}

// inside is the message in the data of a piece.
func inside(t *testing.T, data []byte) *hongyan.Message {
	t.Helper()
	p, err := dispatch.ReadPiece(data)
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != dispatch.PieceVersion || !p.Published.Equal(stored) || p.Recipients != 5000 {
		t.Errorf("the piece is %+v", p)
	}
	m, _, err := hongyan.ParseMessage(p.Message, p.Published)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A dead letter of a piece of a message is split like one of a message: what it says of others
// stays.
func TestLetterOfAPiece(t *testing.T) {
	l := exhausted(t, "ann", "bob", "carol", "dave")
	fate, rest, err := Letter(l, "demo", "bob", stored)
	if err != nil || fate != Split {
		t.Fatalf("its fate is %v, %v, want split", fate, err)
	}
	if rest.Subject != l.Subject || rest.Header[dispatch.HeaderSubject] != l.Header[dispatch.HeaderSubject] || strings.Contains(string(rest.Data), "bob") {
		t.Errorf("what stays is %+v", rest)
	}
	if m := inside(t, rest.Data); !cmp.Equal(m.Recipients, []string{"carol", "dave"}) || len(m.Mentions)+len(m.Unread) > 0 || m.Content.Text != "dinner?" {
		t.Errorf("what stays of the message is %+v", m)
	}
	part, err := Part(l, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if m := inside(t, part.Data); !cmp.Equal(m.Recipients, []string{"bob"}) || m.Unread["bob"] != 3 {
		t.Errorf("what it says of the user is %+v", m)
	}
	for user, want := range map[string]Fate{"ann": Drop, "eve": Keep} {
		if fate, _, err := Letter(l, "demo", user, stored); fate != want || err != nil {
			t.Errorf("the fate for %s is %v, %v, want %v", user, fate, err, want)
		}
	}
	if fate, _, _ := Letter(exhausted(t, "ann", "bob"), "demo", "bob", stored); fate != Drop {
		t.Errorf("one about nobody else has the fate %v", fate)
	}
	l.Data = l.Data[:len(l.Data)-2]
	if fate, _, _ := Letter(l, "demo", "bob", stored); fate != Drop {
		t.Errorf("one that cannot be read has the fate %v", fate)
	}
	l.Data = []byte(`{"v":99,"message":{"of":"another form"},"for":"bob"}`)
	if fate, _, _ := Letter(l, "demo", "bob", stored); fate != Drop {
		t.Errorf("one of a newer form has the fate %v", fate)
	}
}
