package route

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/texts"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// PreviewOf is how much of a message a user may be shown: what the app's policy or the user's
// settings say, whichever is stricter; empty for all of it. Whatever is pushed to the user must be
// composed by it. A nil user has no settings.
func (p Policy) PreviewOf(u *directory.User) hongyan.Preview {
	var own hongyan.Preview
	if u != nil {
		own = u.Settings.Preview
	}
	for _, strict := range [...]hongyan.Preview{hongyan.PreviewNone, hongyan.PreviewSender} {
		if p.Preview == strict || own == strict {
			return strict
		}
	}
	return ""
}

// words is the title and body that the message's content rules give, in one language, to a user to
// whom it is of a kind; lead is how many bytes of the body stand before its text.
func words(m *hongyan.Message, l *texts.Language, preview hongyan.Preview, kind vendors.Kind) (title, body string, lead int) {
	if preview == hongyan.PreviewNone {
		text := l.Text(texts.NewMessage)
		return text, text, 0
	}
	name, ownTitle, desc := senderName(m), m.OfflinePush.Title, m.OfflinePush.Desc
	if preview == hongyan.PreviewSender { // these may quote the text
		ownTitle, desc = "", ""
	}
	title = name
	groupName := ownTitle == "" && m.Conversation.Type == hongyan.ConversationGroup && m.Conversation.Name != ""
	switch {
	case ownTitle != "":
		title = ownTitle
	case groupName:
		title = m.Conversation.Name
	}
	if desc != "" {
		return title, desc, 0 // the backend's own words, which name the sender if they want to
	}
	text, named := contentText(m, l, preview, name)
	var mark, gap, before, who, after, space string
	if kind == vendors.KindMention {
		if mark = l.Text(texts.MentionPrefix); m.MentionAll {
			mark = l.Text(texts.MentionAllPrefix)
		}
		if mark != "" {
			gap = " "
		}
	}
	if prefix := l.Text(texts.GroupPrefix); groupName && !named && prefix != "" {
		before, after, _ = strings.Cut(prefix, texts.Sender)
		who, space = name, " "
	}
	body = mark + gap + before + who + after + space + text
	return title, body, len(body) - len(text)
}

// placeholders stand for a content without words of its own.
var placeholders = map[hongyan.ContentType]texts.Name{
	hongyan.ContentText: texts.Message, hongyan.ContentImage: texts.Image, hongyan.ContentAudio: texts.Audio, hongyan.ContentVideo: texts.Video,
	hongyan.ContentFile: texts.File, hongyan.ContentLocation: texts.Location, hongyan.ContentFace: texts.Face, hongyan.ContentMerged: texts.Merged,
	hongyan.ContentCustom: texts.Message, // without desc it is not pushed
}

// contentText is what a message says: its text, or words for what it is; named says that they name
// its sender.
func contentText(m *hongyan.Message, l *texts.Language, preview hongyan.Preview, sender string) (text string, named bool) {
	c := &m.Content
	switch {
	case c.Call != nil:
		return l.Fill(callText(m), sender)
	case preview == hongyan.PreviewSender:
		return l.Text(texts.NewMessage), false
	case (c.Type == hongyan.ContentText || c.Type == hongyan.ContentCustom) && strings.TrimSpace(c.Text) != "":
		return c.Text, false
	}
	return l.Fill(placeholders[c.Type], sender)
}

// callText is what a step of a call says.
func callText(m *hongyan.Message) texts.Name {
	video := m.Content.Call.Media == hongyan.CallVideo
	group := m.Conversation.Type == hongyan.ConversationGroup || len(m.Recipients) > 1
	switch m.Content.Call.Action {
	case hongyan.CallAnswer:
		return texts.AnsweredElsewhere
	case hongyan.CallReject:
		return texts.DeclinedElsewhere
	case hongyan.CallCancel, hongyan.CallHangup:
		if video {
			return texts.MissedVideo
		}
		return texts.MissedAudio
	}
	switch {
	case group && video:
		return texts.GroupCallVideo
	case group:
		return texts.GroupCallAudio
	case video:
		return texts.CallVideo
	}
	return texts.CallAudio
}

// hide takes out of a notification what its preview does not let anybody see: the options that say
// something of the message and, where the preview is none, names and the ext.
func hide(n *vendors.Notification) {
	if n.Preview == "" {
		return
	}
	n.Hide(n.Text())
	if n.Preview == hongyan.PreviewNone {
		n.Sender, n.Ext = "", idsOnly(n.Conversation, n.MessageID)
	}
}

// idsOnly is the ext of a notification that shows nothing: by it the app finds the message.
func idsOnly(conversation, message string) string {
	ext, err := json.Marshal(struct {
		Conversation string `json:"conversationID"`
		Message      string `json:"messageID"`
	}{conversation, message}, jsontext.AllowInvalidUTF8(true))
	if err != nil { // two strings always marshal
		return ""
	}
	return string(ext)
}
