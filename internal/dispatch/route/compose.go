package route

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Account is what composing needs to know of a certificate.
type Account struct {
	App, Vendor, Certificate string
	// Badge says that a push can carry a number for the icon.
	Badge bool
	// Collapse says that a newer message replaces the older one of its conversation on the screen.
	Collapse bool
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

// variants are the names of the columns of texts.
var variants = [...]string{"zh", "en"}

// Compose makes the jobs of a message for the devices that the plan pushes to: one for the devices
// of one certificate and one partition of users that get the same content. A message that is
// planned twice makes jobs of the same names, whatever changed in between. Devices with one token
// are one phone: they stand one after the other in the job of the first of them, whatever the
// partitions and languages of the users, and get one push.
func Compose(m *hongyan.Message, app string, decisions []Decision, account func(certificate string) Account, published time.Time) []*dispatch.Job {
	type variant struct {
		certificate       string
		partition, column int
		voip              bool
		kind              vendors.Kind
	}
	var open map[variant]*dispatch.Job             // where several decisions push
	var contents map[variant]*vendors.Notification // by variant, whatever the partition
	var last variant
	var jobs []*dispatch.Job
	var known phones
	messageKey := ""
	until := m.Deadline()
	for i := range decisions {
		d := &decisions[i]
		if d.Suppressed != "" {
			continue
		}
		v := variant{d.Certificate, hongyan.Partition(d.User), column(d.Device.Registration.Locale), d.VoIP, kindOf(m, d.User)}
		job := known.job(jobs, d.Certificate, d.Token)
		twin := job != nil
		switch {
		case twin:
		case len(jobs) > 0 && v == last:
			job = jobs[len(jobs)-1]
		case len(jobs) > 0:
			if open == nil {
				open = map[variant]*dispatch.Job{last: jobs[len(jobs)-1]}
			}
			job = open[v]
		}
		if job == nil {
			if messageKey == "" {
				messageKey = dispatch.Key(app, m.ID)
			}
			acc := account(d.Certificate)
			job = &dispatch.Job{
				App: app, Vendor: acc.Vendor, Certificate: d.Certificate, Lane: laneOf(m), Published: published, Variant: variants[v.column],
				IgnoreMute: m.OfflinePush.IgnoreMute,
			}
			if content := (variant{v.certificate, 0, v.column, v.voip, v.kind}); contents[content] != nil {
				job.Notification = contents[content]
			} else {
				job.Notification = notification(m, messageKey, v.column, v.voip, v.kind, acc, until)
				if i < len(decisions)-1 { // others may share it
					if contents == nil {
						contents = map[variant]*vendors.Notification{}
					}
					contents[content] = job.Notification
				}
			}
			if v.voip {
				job.Variant += "-voip"
			}
			if v.kind == vendors.KindMention {
				job.Variant += "-mention"
			}
			jobs = append(jobs, job)
			if last = v; open != nil {
				open[v] = job
			}
		}
		t := dispatch.Target{User: d.User, Device: d.Device.ID, Token: d.Token, Region: d.Device.Registration.Region,
			Revision: d.Device.Revision, RegisteredAt: d.Device.Registration.RegisteredAt, Mentioned: mentioned(m, d.User)}
		if n, ok := m.Unread[d.User]; ok && n >= 0 {
			t.Badge = &n
		}
		if reg := &d.Device.Registration; d.VoIP && reg.Token != "" {
			if a := account(reg.Certificate); a.Vendor != "" {
				t.Alert = &dispatch.Alert{Vendor: a.Vendor, Certificate: reg.Certificate, Token: reg.Token}
			}
		}
		if twin {
			job.Targets = slices.Insert(job.Targets, after(job.Targets, d.Token), t)
			continue
		}
		job.Targets = append(job.Targets, t)
		known.add(job, d.Token)
	}
	return jobs
}

// fewPhones is how many devices of a message are compared one by one.
const fewPhones = 8

// phones finds devices of a message that share a token. With few devices it takes no memory.
type phones struct {
	n    int
	seen map[address]*dispatch.Job // where there are more than fewPhones
}

// address is where a push goes.
type address struct{ certificate, token string }

// job is the one of the jobs that pushes to a token already, or nil.
func (p *phones) job(jobs []*dispatch.Job, certificate, token string) *dispatch.Job {
	if p.n == fewPhones && p.seen == nil {
		p.seen = make(map[address]*dispatch.Job, 8*fewPhones)
		for _, j := range jobs {
			for i := range j.Targets {
				p.seen[address{j.Certificate, j.Targets[i].Token}] = j
			}
		}
	}
	if p.seen != nil {
		return p.seen[address{certificate, token}]
	}
	for _, j := range jobs {
		if j.Certificate == certificate && after(j.Targets, token) > 0 {
			return j
		}
	}
	return nil
}

// add notes that a job pushes to a token.
func (p *phones) add(job *dispatch.Job, token string) {
	p.n++
	if p.seen != nil {
		p.seen[address{job.Certificate, token}] = job
	}
}

// after is the place behind the targets with a token, or 0 where there are none.
func after(targets []dispatch.Target, token string) int {
	for i := len(targets); i > 0; i-- {
		if targets[i-1].Token == token {
			return i
		}
	}
	return 0
}

// kindOf is what a message is to a user.
func kindOf(m *hongyan.Message, user string) vendors.Kind {
	switch {
	case m.Content.Call != nil:
		return vendors.KindCall
	case m.Conversation.Type != hongyan.ConversationGroup:
		return vendors.KindC2C
	case mentioned(m, user):
		return vendors.KindMention
	}
	return vendors.KindGroup
}

func laneOf(m *hongyan.Message) string {
	if m.Rings() {
		return hongyan.LaneUrgent
	}
	return hongyan.LaneNormal
}

// replaceKey is the key of what a message's notification replaces on the screen; empty where that
// is nothing but the message itself.
func replaceKey(m *hongyan.Message, app string, byConversation bool) string {
	switch {
	case m.Content.Call != nil:
		return dispatch.Key(app, "call", m.Content.Call.ID)
	case byConversation:
		return dispatch.Key(app, "conversation", m.Conversation.ID)
	}
	return ""
}

func notification(m *hongyan.Message, messageKey string, column int, voip bool, kind vendors.Kind, account Account, until time.Time) *vendors.Notification {
	title, body := text(m, column)
	n := &vendors.Notification{
		Key: messageKey, ReplaceKey: replaceKey(m, account.App, account.Collapse), MessageID: m.ID, Conversation: m.Conversation.ID,
		Title: vendors.MaxText.Fit(title), Body: vendors.MaxText.Fit(body), Ext: m.OfflinePush.Ext,
		Kind: kind, Call: m.Content.Call, Urgent: m.Rings(), VoIP: voip, Deadline: until,
	}
	if sender := senderName(m); sender != n.Title {
		n.Sender = sender
	}
	if account.Options != nil {
		n.Options = account.Options(&m.OfflinePush)
	}
	return n
}
