package route

import (
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// Policy is an app's own rules.
type Policy struct {
	// ForegroundLease is how long a reported foreground holds; default 400s.
	ForegroundLease time.Duration
	// StaleAfter is how long a device may be silent; 0 turns the rule off.
	StaleAfter time.Duration
	// MaxPushGroup is the most recipients of a group message that is pushed; 0 for any number.
	MaxPushGroup int
	// Badge says what number the icons show.
	Badge Badge
	// QuietWhenActiveElsewhere suppresses a push when another device of the user is in the
	// foreground.
	QuietWhenActiveElsewhere bool
	// RecallOverwrite is for how long after a push was accepted a recall of its message takes it
	// back or overwrites it; 0 for never.
	RecallOverwrite time.Duration
	// Collapse says that a newer message replaces the older one of its conversation on the screen.
	Collapse bool
	// Preview is how much of a message a notification shows; empty for all of it. What a user wants
	// wins where it is stricter.
	Preview hongyan.Preview
}

// Decision is what happens to one device of one recipient: it is pushed to, or suppressed.
type Decision struct {
	User   string
	Device *directory.Device // nil where the decision is about a user without devices
	// Suppressed is empty when the device is pushed to.
	Suppressed hongyan.Reason
	// Certificate and Token say how to reach the device.
	Certificate, Token string
	VoIP               bool
	// Preview is how much of the message the user may be shown; empty for all of it.
	Preview hongyan.Preview
}

// Plan decides for each device of the message's recipients. users is what the directory knows of
// them, each at its recipient's place, nil for nothing; said is what was said of the message; known
// says whether the app has a certificate. It reads no clock and changes nothing.
func Plan(m *hongyan.Message, policy Policy, users []*directory.User, said *marks.Said, known func(certificate string) bool, now time.Time) []Decision {
	whole := wholeMessage(m, policy, said, now)
	decisions := make([]Decision, 0, len(users)+len(users)/2)
	for i, user := range m.Recipients {
		suppressed := whole
		if suppressed == "" {
			suppressed = wholeUser(m, user, i, said)
		}
		decisions = planUser(decisions, m, policy, user, users[i], suppressed, said.Call, known, now)
	}
	return decisions
}

// wholeMessage is the suppression that holds for every recipient, or empty.
func wholeMessage(m *hongyan.Message, policy Policy, said *marks.Said, now time.Time) hongyan.Reason {
	switch {
	case m.OfflinePush.Disable:
		return hongyan.Disabled
	case m.Conversation.Type == hongyan.ConversationGroup && policy.MaxPushGroup > 0 && len(m.Recipients) > policy.MaxPushGroup:
		return hongyan.Disabled
	case now.After(m.Deadline()):
		return hongyan.Expired
	case said.Recalled:
		return hongyan.Recalled
	}
	return ""
}

// wholeUser is the suppression that holds for all devices of the i-th recipient, or empty.
func wholeUser(m *hongyan.Message, user string, i int, said *marks.Said) hongyan.Reason {
	ends := m.EndsRinging()
	over := said.Over != nil && said.Over[i]
	switch {
	case said.Read != nil && said.Read[i]:
		return hongyan.Read
	case user == m.Sender.ID && !m.ByCallee():
		return hongyan.OwnMessage
	case m.Content.Type == hongyan.ContentCustom && m.OfflinePush.Desc == "":
		return hongyan.NoContent
	case ends && (over || m.ByCallee() && user != m.Sender.ID):
		return hongyan.NoContent
	case over:
		return hongyan.CallOver
	}
	return ""
}

// rung says whether a device rings until a call event ends that: the call rang it, and it is not
// the one on which the call was answered or refused.
func rung(m *hongyan.Message, call *marks.State, user, device string) bool {
	return call.Rang(user, device) && !(m.ByCallee() && user == m.Sender.ID && device == m.Sender.Device)
}

// planUser decides for each device of a recipient. suppressed is what holds for all of them.
func planUser(decisions []Decision, m *hongyan.Message, policy Policy, user string, u *directory.User, suppressed hongyan.Reason,
	call *marks.State, known func(string) bool, now time.Time) []Decision {
	before := len(decisions)
	ends := m.EndsRinging()
	if u != nil {
		about := aboutMessage(m, user)
		preview := policy.PreviewOf(u)
		for i := range u.Devices {
			d := &u.Devices[i]
			if d.Registration.Token == "" && d.Registration.VoIP == nil {
				continue
			}
			decision := Decision{User: user, Device: d, Suppressed: suppressed, Preview: preview}
			if suppressed == "" && ends && !rung(m, call, user, d.ID) {
				decision.Suppressed = hongyan.NoContent
			}
			if decision.Suppressed == "" {
				about.voip = overVoIP(&d.Registration, m, known)
				decision.Suppressed = planDevice(about, policy, u, d, now)
			}
			if decision.Suppressed == "" {
				reach(&decision, about.voip, known)
			}
			decisions = append(decisions, decision)
		}
	}
	if len(decisions) == before {
		switch {
		case suppressed != "":
		case ends: // no device was rung
			suppressed = hongyan.NoContent
		default:
			suppressed = hongyan.NoDevice
		}
		decisions = append(decisions, Decision{User: user, Suppressed: suppressed})
	}
	return decisions
}

// about is what the rows on devices need to know of a message and one of its recipients. A job that
// waits carries it, so that the same rows hold for it.
type about struct {
	conversation string
	// mentioned says that the message mentions the user, ignoreMute that mutes do not hold for it.
	mentioned, ignoreMute bool
	// call says that it is an event of a call, voip that it goes to the device through PushKit.
	call, voip bool
}

// aboutMessage is what is to be known of a message for one of its recipients; what depends on the
// device is left out.
func aboutMessage(m *hongyan.Message, user string) about {
	return about{conversation: m.Conversation.ID, mentioned: mentioned(m, user), ignoreMute: m.OfflinePush.IgnoreMute, call: m.Content.Call != nil}
}

// mentioned says whether a message mentions a user.
func mentioned(m *hongyan.Message, user string) bool {
	return m.MentionAll || slices.Contains(m.Mentions, user)
}

// planDevice is the first of the rows on devices that suppresses a message on a device, or empty.
func planDevice(m about, policy Policy, u *directory.User, d *directory.Device, now time.Time) hongyan.Reason {
	if why := Gone(d); why != "" {
		return why
	}
	if d.Registration.Notifications == hongyan.SwitchOff && !m.voip {
		return hongyan.NotificationsOff
	}
	if d.TooMany {
		return hongyan.TooManyDevices
	}
	if policy.StaleAfter > 0 && now.Sub(d.Heard) > policy.StaleAfter {
		return hongyan.Stale
	}
	if inFront(d, policy, now) {
		return hongyan.Foreground
	}
	if policy.QuietWhenActiveElsewhere && slices.ContainsFunc(u.Devices, func(other directory.Device) bool {
		return other.ID != d.ID && inFront(&other, policy, now)
	}) {
		return hongyan.ActiveElsewhere
	}
	if isMuted(m, u) {
		return hongyan.Muted
	}
	if u.Quiet != nil && !m.call && u.Quiet.Contains(now) {
		return hongyan.QuietHours
	}
	return ""
}

// isMuted says whether a user muted a message's conversation.
func isMuted(m about, u *directory.User) bool {
	switch u.Settings.Conversations[m.conversation] {
	case hongyan.MuteAll:
		return !m.ignoreMute
	case hongyan.MuteButMentions:
		return !m.ignoreMute && !m.mentioned
	}
	return false
}

// PlanAgain decides once more on a target of a job that waited: by what was said of the message
// since, and by the rows of [Plan] on devices, in their order. marked is why the user is not
// notified by what was said, or empty; user is what the directory knows of its user, nil for
// nothing. What else holds for the whole message was decided when it was planned, and the deadline
// is kept by whoever sends. It reads no clock and changes nothing.
//
// A device that is registered with another certificate by now has no_device here, whatever that
// certificate is: the job is written for the vendor and in the name of the account that it was
// planned for, and its app ran since then, to register, so that it has fetched the message itself.
func PlanAgain(job *dispatch.Job, target dispatch.Target, policy Policy, marked hongyan.Reason, user *directory.User, now time.Time) dispatch.Decided {
	if marked != "" && !job.Withdraws {
		return dispatch.Decided{Suppressed: marked}
	}
	d := user.Device(target.Device)
	if d == nil || d.Registration.Token == "" && d.Registration.VoIP == nil {
		return dispatch.Decided{Suppressed: hongyan.NoDevice}
	}
	n := job.Notification
	if job.Withdraws {
		return withdrawAgain(job, target, d)
	}
	why := planDevice(about{
		conversation: n.Conversation, mentioned: target.Mentioned, ignoreMute: job.IgnoreMute, call: n.Call != nil, voip: n.VoIP,
	}, policy, user, d, now)
	if why != "" {
		return dispatch.Decided{Suppressed: why}
	}
	token := d.Token(job.Certificate, n.VoIP)
	if token == "" {
		return dispatch.Decided{Suppressed: hongyan.NoDevice}
	}
	target.Token, target.Region, target.Revision, target.RegisteredAt = token, d.Registration.Region, d.Revision, d.Registration.RegisteredAt
	return dispatch.Decided{Target: target}
}

// withdrawAgain is PlanAgain for what overwrites an accepted push. It goes wherever the push went,
// whether or not a new one would, but for a device that somebody else may hold by now.
func withdrawAgain(job *dispatch.Job, target dispatch.Target, d *directory.Device) dispatch.Decided {
	if why := Gone(d); why != "" {
		return dispatch.Decided{Suppressed: why}
	}
	token := d.Token(job.Certificate, false)
	if token == "" {
		return dispatch.Decided{Suppressed: hongyan.NoDevice}
	}
	target.Token, target.Region, target.Revision, target.RegisteredAt = token, d.Registration.Region, d.Revision, d.Registration.RegisteredAt
	return dispatch.Decided{Target: target}
}

// Gone says that nobody uses the app on a device any more; empty where somebody may.
func Gone(d *directory.Device) hongyan.Reason {
	if d.Presence != nil {
		switch d.Presence.State {
		case hongyan.StateLoggedOut:
			return hongyan.LoggedOut
		case hongyan.StateKicked:
			return hongyan.Kicked
		}
	}
	return ""
}

// inFront says whether the device is in the foreground: by the lease of its gateway, or by a report
// that is young enough.
func inFront(d *directory.Device, policy Policy, now time.Time) bool {
	p := d.Presence
	if p == nil || p.State != hongyan.StateForeground {
		return false
	}
	if p.Gateway != "" {
		return d.Foreground
	}
	lease := policy.ForegroundLease
	if lease <= 0 {
		lease = defaultForegroundLease
	}
	return now.Sub(p.At) <= lease
}

// defaultForegroundLease is Tencent IM's limit after which a silent client counts as gone.
const defaultForegroundLease = 400 * time.Second

// overVoIP says whether a message reaches a device through PushKit: an incoming call on a device
// that has it, unless the message asks for an alert.
func overVoIP(r *hongyan.Device, m *hongyan.Message, known func(string) bool) bool {
	wanted := m.OfflinePush.IOS.PushType == "voip" || m.OfflinePush.IOS.PushType == ""
	return r.VoIP != nil && wanted && m.Rings() && (known(r.VoIP.Certificate) || r.Token == "")
}

// reach finds the certificate and token.
func reach(d *Decision, voip bool, known func(string) bool) {
	r := &d.Device.Registration
	if voip {
		d.Certificate, d.Token, d.VoIP = r.VoIP.Certificate, r.VoIP.Token, true
	} else {
		d.Certificate, d.Token = r.Certificate, r.Token
	}
	switch {
	case d.Token == "": // only a PushKit token, and this is no call for it
		d.Suppressed = hongyan.NoDevice
	case !known(d.Certificate):
		d.Suppressed = hongyan.UnknownCertificate
	}
}
