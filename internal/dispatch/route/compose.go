package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/texts"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Account is what composing needs to know of a certificate.
type Account struct {
	App, Vendor, Certificate string
	// Badge says that a push can carry a number for the icon.
	Badge bool
	// Options chooses what a message asks of the vendor; nil chooses nothing. See
	// [vendors.Config.Options].
	Options func(*hongyan.OfflinePush) vendors.Options
	// Sender takes over the certificate's jobs.
	Sender Sender
	// Refreshing refreshes icons; nil where they carry no number of ours, or the vendor cannot.
	Refreshing Refreshing
}

func senderName(m *hongyan.Message) string { return cmp.Or(m.Sender.Nickname, m.Sender.ID) }

// Compose makes the jobs of a message of an app for the devices that the plan pushes to: one for
// the devices of one certificate and one partition of users that get the same content, in the
// words of a catalogue. A message that is planned twice makes jobs of the same names, whatever
// changed in between. Devices with one token are one phone: they stand one after the other in the
// job of the first of them, whatever the partitions and languages of the users, and get one push;
// but none that shows more than its user wants shown.
func Compose(m *hongyan.Message, app string, conf App, decisions []Decision, published time.Time, catalogue *texts.Catalogue) []*dispatch.Job {
	type variant struct {
		certificate string
		partition   int
		language    *texts.Language
		preview     hongyan.Preview
		voip        bool
		kind        vendors.Kind
	}
	var open map[variant]*dispatch.Job             // where several decisions push
	var contents map[variant]*vendors.Notification // by variant, whatever the partition
	var last variant
	var jobs []*dispatch.Job
	var known phones
	messageKey, replaces := "", replaceKey(m, app, conf.Policy.Collapse)
	until := m.Deadline()
	for i := range decisions {
		d := &decisions[i]
		if d.Suppressed != "" {
			continue
		}
		v := variant{d.Certificate, hongyan.Partition(d.User), catalogue.For(d.Device.Registration.Locale), d.Preview, d.VoIP, kindOf(m, d.User)}
		where := address{d.Certificate, d.Token, d.Preview}
		job := known.job(jobs, where)
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
			acc := conf.Accounts[d.Certificate]
			job = &dispatch.Job{
				App: app, Vendor: acc.Vendor, Certificate: d.Certificate, Lane: laneOf(m), Published: published, Variant: v.language.Tag(),
				IgnoreMute: m.OfflinePush.IgnoreMute,
			}
			if !m.SentAt.Equal(published) {
				job.SentAt = m.SentAt.UTC()
			}
			content := v
			content.partition = 0
			if contents[content] != nil {
				job.Notification = contents[content]
			} else {
				job.Notification = notification(m, messageKey, replaces, v.language, v.preview, v.voip, v.kind, acc, until)
				if i < len(decisions)-1 { // others may share it
					if contents == nil {
						contents = map[variant]*vendors.Notification{}
					}
					contents[content] = job.Notification
				}
			}
			if v.preview != "" {
				job.Variant += "-" + string(v.preview)
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
			if a := conf.Accounts[reg.Certificate]; a.Vendor != "" {
				t.Alert = &dispatch.Alert{Vendor: a.Vendor, Certificate: reg.Certificate, Token: reg.Token}
			}
		}
		if twin {
			job.Targets = slices.Insert(job.Targets, after(job.Targets, d.Token), t)
			continue
		}
		job.Targets = append(job.Targets, t)
		known.add(job, where)
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
type address struct {
	certificate, token string
	preview            hongyan.Preview
}

// job is the one of the jobs that pushes there already, or nil.
func (p *phones) job(jobs []*dispatch.Job, where address) *dispatch.Job {
	if p.n == fewPhones && p.seen == nil {
		p.seen = make(map[address]*dispatch.Job, 8*fewPhones)
		for _, j := range jobs {
			for i := range j.Targets {
				p.seen[address{j.Certificate, j.Targets[i].Token, j.Notification.Preview}] = j
			}
		}
	}
	if p.seen != nil {
		return p.seen[where]
	}
	for _, j := range jobs {
		if j.Certificate == where.certificate && j.Notification.Preview == where.preview && after(j.Targets, where.token) > 0 {
			return j
		}
	}
	return nil
}

// add notes that a job pushes there.
func (p *phones) add(job *dispatch.Job, where address) {
	p.n++
	if p.seen != nil {
		p.seen[where] = job
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

// laneOf is a message's lane: what ends a call's ringing is as urgent as the call.
func laneOf(m *hongyan.Message) string {
	if m.Content.Call != nil {
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

func notification(m *hongyan.Message, messageKey, replaces string, language *texts.Language, preview hongyan.Preview, voip bool, kind vendors.Kind, account Account,
	until time.Time) *vendors.Notification {
	title, body, lead := words(m, language, preview, kind)
	n := &vendors.Notification{
		Key: messageKey, ReplaceKey: replaces, MessageID: m.ID, Conversation: m.Conversation.ID,
		Title: vendors.MaxText.Fit(title), Body: vendors.MaxText.Fit(body), Lead: lead, Preview: preview, Ext: m.OfflinePush.Ext,
		Kind: kind, Call: m.Content.Call, Urgent: m.Rings(), Quiet: m.ByCallee(), VoIP: voip, Deadline: until,
	}
	if sender := senderName(m); sender != n.Title {
		n.Sender = sender
	}
	if account.Options != nil {
		n.Options = account.Options(&m.OfflinePush)
	}
	hide(n)
	return n
}
