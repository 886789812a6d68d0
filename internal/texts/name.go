package texts

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name names a text of the catalogue. The zero Name is [Message].
type Name uint8

// The texts. Those up to Merged stand for a content without words of its own.
const (
	Message Name = iota
	Image
	Audio
	Video
	File
	Location
	Face
	Merged

	// The prefixes stand before a body, with a space between.
	MentionPrefix
	MentionAllPrefix
	GroupPrefix

	CallAudio
	CallVideo
	GroupCallAudio
	GroupCallVideo
	MissedAudio
	MissedVideo
	AnsweredElsewhere
	DeclinedElsewhere

	Recalled
	NewMessage

	count
)

// Names is how many texts there are: the names are 0 to Names-1.
const Names = int(count)

// Sender is the placeholder that stands for the name of the person who wrote or calls.
const Sender = "{sender}"

// MaxText is how long a text may be, in bytes.
const MaxText = 512

// placing says what a text may and must hold.
type placing uint8

const (
	nameless placing = iota // no placeholder: it is shown where names must not be, or without one
	maySend                 // may hold Sender
	prefix                  // no placeholder, and it may be empty: then nothing stands there
	mustSend                // holds Sender, or is empty: then nothing stands there
)

var names = [count]struct {
	word    string
	placing placing
}{
	Message: {"text", maySend}, Image: {"image", maySend}, Audio: {"audio", maySend}, Video: {"video", maySend}, File: {"file", maySend},
	Location: {"location", maySend}, Face: {"face", maySend}, Merged: {"merged", maySend},
	MentionPrefix: {"mention_prefix", prefix}, MentionAllPrefix: {"mention_all_prefix", prefix}, GroupPrefix: {"group_prefix", mustSend},
	CallAudio: {"call_audio", maySend}, CallVideo: {"call_video", maySend},
	GroupCallAudio: {"group_call_audio", maySend}, GroupCallVideo: {"group_call_video", maySend},
	MissedAudio: {"missed_audio", maySend}, MissedVideo: {"missed_video", maySend},
	AnsweredElsewhere: {"answered_elsewhere", nameless}, DeclinedElsewhere: {"declined_elsewhere", nameless},
	Recalled: {"recalled", nameless}, NewMessage: {"new_message", nameless},
}

// String is the name as operators write it, such as "image".
func (n Name) String() string {
	if n < count {
		return names[n].word
	}
	return fmt.Sprintf("Name(%d)", uint8(n))
}

// ParseName finds the text of a name; false where there is none.
func ParseName(word string) (Name, bool) {
	for n := range count {
		if names[n].word == word {
			return n, true
		}
	}
	return 0, false
}

// Placeholders are those that the text may hold.
func (n Name) Placeholders() []string {
	if names[n].placing == maySend || names[n].placing == mustSend {
		return []string{Sender}
	}
	return nil
}

// MayBeEmpty says whether the text may be "", so that nothing is shown in its place.
func (n Name) MayBeEmpty() bool { return names[n].placing == prefix || names[n].placing == mustSend }

// Check says why a text cannot be that of the name: it is blank, too long, no single line of valid
// UTF-8, or holds a placeholder that it may not. The error begins with a verb and quotes nothing
// but placeholders.
func (n Name) Check(text string) error {
	switch {
	case text == "" && n.MayBeEmpty():
		return nil
	case strings.TrimSpace(text) == "":
		return errors.New("is blank")
	case len(text) > MaxText:
		return fmt.Errorf("is longer than %d bytes", MaxText)
	case !utf8.ValidString(text):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("has a line break or another control character")
	}
	before, rest, own := strings.Cut(text, Sender)
	switch {
	case own && len(n.Placeholders()) == 0:
		return fmt.Errorf("may not hold the placeholder %s", Sender)
	case strings.Contains(rest, Sender):
		return fmt.Errorf("holds the placeholder %s twice", Sender)
	case strings.ContainsAny(before+rest, "{}"):
		return fmt.Errorf("holds a placeholder that nobody knows, or a single brace; %s is the only one", Sender)
	case !own && names[n].placing == mustSend:
		return fmt.Errorf("lacks the placeholder %s", Sender)
	}
	return nil
}
