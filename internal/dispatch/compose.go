package dispatch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Account is what composing needs to know of a certificate.
type Account struct {
	App, Vendor, Certificate string
	// Chunk is how many devices one job of this certificate holds.
	Chunk int
	// Options chooses what a message asks of the vendor; nil chooses nothing. See
	// [vendors.Config.Options].
	Options func(*hongyan.OfflinePush) vendors.Options
}

// placeholders stand for a content without text, by content type: Chinese, English.
var placeholders = map[hongyan.ContentType][2]string{
	hongyan.ContentText: {"[消息]", "[Message]"}, hongyan.ContentImage: {"[图片]", "[Photo]"}, hongyan.ContentAudio: {"[语音]", "[Voice message]"},
	hongyan.ContentVideo: {"[视频]", "[Video]"}, hongyan.ContentFile: {"[文件]", "[File]"}, hongyan.ContentLocation: {"[位置]", "[Location]"},
	hongyan.ContentFace: {"[表情]", "[Sticker]"}, hongyan.ContentMerged: {"[聊天记录]", "[Chat history]"}, hongyan.ContentCustom: {"[消息]", "[Message]"},
}

// invitations stand for a call, by its media: Chinese, English.
var invitations = map[hongyan.CallMedia][2]string{
	hongyan.CallAudio: {"邀请你语音通话", "Incoming voice call"}, hongyan.CallVideo: {"邀请你视频通话", "Incoming video call"},
}

// languages that placeholders exist in, in the order of their columns; Chinese is what a device
// without a locale reads.
var languages = language.NewMatcher([]language.Tag{language.Chinese, language.English})

// column finds the placeholder's language for a device's locale. This is the place of localised
// previews.
func column(locale string) int {
	switch {
	case locale == "", strings.HasPrefix(locale, "zh"):
		return 0
	case strings.HasPrefix(locale, "en"):
		return 1
	}
	tag, err := language.Parse(locale)
	if err != nil {
		return 0
	}
	_, index, confidence := languages.Match(tag)
	if confidence == language.No {
		return 1 // neither language is the reader's; English is likelier to be understood
	}
	return index
}

// text is the title and body that the message's content rules give, in one language.
func text(m *hongyan.Message, column int) (title, body string) {
	name := senderName(m)
	push := &m.OfflinePush
	title = push.Title
	groupName := title == "" && m.Conversation.Type == hongyan.ConversationGroup && m.Conversation.Name != ""
	switch {
	case groupName:
		title = m.Conversation.Name
	case title == "":
		title = name
	}
	if push.Desc != "" {
		return title, push.Desc // the backend's own words, which name the sender if they want to
	}
	switch kind := m.Content.Type; {
	case kind == hongyan.ContentCall:
		body = invitations[m.Content.Call.Media][column]
	case m.Content.Text != "" && (kind == hongyan.ContentText || kind == hongyan.ContentCustom):
		body = m.Content.Text
	default:
		body = placeholders[kind][column]
	}
	if strings.TrimSpace(body) == "" {
		body = placeholders[hongyan.ContentText][column]
	}
	if groupName {
		body = name + ": " + body
	}
	return title, body
}

func senderName(m *hongyan.Message) string { return cmp.Or(m.Sender.Nickname, m.Sender.ID) }

// Compose makes the jobs of a message for the devices that the plan pushes to: one for the devices
// of a certificate that get the same content, in chunks of Account.Chunk. A job's ID comes from
// what is in it, so that a message that is planned twice makes the same jobs.
func Compose(m *hongyan.Message, app string, decisions []Decision, account func(certificate string) Account, published time.Time) []*Job {
	type variant struct {
		certificate string
		column      int
		voip        bool
	}
	open := map[variant]*Job{}
	var jobs []*Job
	messageKey := key(app, m.ID)
	until := m.Deadline()
	for i := range decisions {
		d := &decisions[i]
		if d.Suppressed != "" {
			continue
		}
		v := variant{d.Certificate, column(d.Device.Registration.Locale), d.VoIP}
		job := open[v]
		acc := account(d.Certificate)
		if job != nil && len(job.Targets) >= acc.Chunk {
			job = nil
		}
		if job == nil {
			job = &Job{
				App: app, Vendor: acc.Vendor, Certificate: d.Certificate, Lane: laneOf(m), Published: published,
				Notification: notification(m, messageKey, v.column, v.voip, acc, until),
			}
			open[v] = job
			jobs = append(jobs, job)
		}
		t := Target{User: d.User, Device: d.Device.ID, Token: d.Token, Region: d.Device.Registration.Region,
			Revision: d.Device.Revision, RegisteredAt: d.Device.Registration.RegisteredAt}
		if n, ok := m.Unread[d.User]; ok && n >= 0 { // counting badges belongs here
			t.Badge = &n
		}
		job.Targets = append(job.Targets, t)
	}
	for _, job := range jobs {
		job.ID = jobID(job)
	}
	return jobs
}

func laneOf(m *hongyan.Message) string {
	if m.Rings() {
		return hongyan.LaneUrgent
	}
	return hongyan.LaneNormal
}

func notification(m *hongyan.Message, messageKey string, column int, voip bool, account Account, until time.Time) *vendors.Notification {
	title, body := text(m, column)
	n := &vendors.Notification{
		Key: messageKey, MessageID: m.ID, Conversation: m.Conversation.ID,
		Title: vendors.MaxText.Fit(title), Body: vendors.MaxText.Fit(body), Ext: m.OfflinePush.Ext,
		Call: m.Content.Call, Urgent: m.Rings(), VoIP: voip, Deadline: until,
	}
	if sender := senderName(m); sender != n.Title {
		n.Sender = sender
	}
	if account.Options != nil {
		n.Options = account.Options(&m.OfflinePush)
	}
	return n
}

// key is 32 lower-case hex digits, stable for its parts.
func key(parts ...string) string {
	var sum [sha256.Size]byte
	buf := make([]byte, 0, 160)
	for _, p := range parts {
		buf = append(append(buf, p...), 0)
	}
	sum = sha256.Sum256(buf)
	return hex.EncodeToString(sum[:16])
}

// jobID names a job after its message, certificate and devices.
func jobID(j *Job) string {
	names := make([]string, 0, 2*len(j.Targets))
	for _, t := range j.Targets {
		names = append(names, t.User, t.Device)
	}
	if len(j.Targets) > 1 {
		// The directory answers in any order, the ID must not depend on it.
		pairs := make([]string, len(j.Targets))
		for i, t := range j.Targets {
			pairs[i] = t.User + "\x00" + t.Device
		}
		slices.Sort(pairs)
		names = pairs
	}
	return j.App + "/" + j.Notification.MessageID + "/" + j.Certificate + "/" + key(names...)[:16]
}
