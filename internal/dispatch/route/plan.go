package route

import (
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
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
}

// Plan decides for each device of the message's recipients. users is what the directory knows of
// them, each at its recipient's place, nil for nothing; known says whether the app has a
// certificate. It reads no clock and changes nothing.
func Plan(m *hongyan.Message, policy Policy, users []*directory.User, known func(certificate string) bool, now time.Time) []Decision {
	whole := wholeMessage(m, policy, now)
	decisions := make([]Decision, 0, len(users)+len(users)/2)
	for i, user := range m.Recipients {
		decisions = planUser(decisions, m, policy, user, users[i], whole, known, now)
	}
	return decisions
}

// wholeMessage is the suppression that holds for every recipient, or empty.
func wholeMessage(m *hongyan.Message, policy Policy, now time.Time) hongyan.Reason {
	switch {
	case m.OfflinePush.Disable:
		return hongyan.Disabled
	case m.Conversation.Type == hongyan.ConversationGroup && policy.MaxPushGroup > 0 && len(m.Recipients) > policy.MaxPushGroup:
		return hongyan.Disabled
	case now.After(m.Deadline()):
		return hongyan.Expired
	}
	return ""
}

// hasContent says whether there is something to show.
func hasContent(m *hongyan.Message) bool {
	switch m.Content.Type {
	case hongyan.ContentCustom:
		return m.OfflinePush.Desc != ""
	case hongyan.ContentCall:
		// An invite rings. A cancelled one is notified when the backend says
		// with what; the other steps concern only those who already talk.
		return m.Rings() || m.Content.Call.Action == hongyan.CallCancel && m.OfflinePush.Desc != ""
	}
	return true
}

func planUser(decisions []Decision, m *hongyan.Message, policy Policy, user string, u *directory.User, whole hongyan.Reason,
	known func(string) bool, now time.Time) []Decision {
	suppressed := whole
	switch {
	case suppressed != "":
	// The place of hongyan.Recalled and hongyan.Read, once signals are acted on; for what waited it
	// is [Decider.decide].
	case user == m.Sender.ID:
		suppressed = hongyan.OwnMessage
	case !hasContent(m):
		suppressed = hongyan.NoContent
	}
	before := len(decisions)
	if u != nil {
		about := aboutMessage(m, user)
		for i := range u.Devices {
			d := &u.Devices[i]
			if d.Registration.Token == "" && d.Registration.VoIP == nil {
				continue
			}
			decision := Decision{User: user, Device: d, Suppressed: suppressed}
			if suppressed == "" {
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
		if suppressed == "" {
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
	// rings says that it is an incoming call, voip that it goes to the device through PushKit.
	rings, voip bool
}

// aboutMessage is what is to be known of a message for one of its recipients; what depends on the
// device is left out.
func aboutMessage(m *hongyan.Message, user string) about {
	return about{conversation: m.Conversation.ID, mentioned: mentioned(m, user), ignoreMute: m.OfflinePush.IgnoreMute, rings: m.Rings()}
}

// mentioned says whether a message mentions a user.
func mentioned(m *hongyan.Message, user string) bool {
	return m.MentionAll || slices.Contains(m.Mentions, user)
}

// planDevice is the first of the rows on devices that suppresses a message on a device, or empty.
func planDevice(m about, policy Policy, u *directory.User, d *directory.Device, now time.Time) hongyan.Reason {
	if p := d.Presence; p != nil {
		switch p.State {
		case hongyan.StateLoggedOut:
			return hongyan.LoggedOut
		case hongyan.StateKicked:
			return hongyan.Kicked
		}
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
	if u.Quiet != nil && !m.rings && u.Quiet.Contains(now) {
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

// PlanAgain decides once more on a target of a job that waited: by the rows of [Plan] on devices,
// in their order. user is what the directory knows of its user, nil for nothing. What holds for
// the whole message was decided when it was planned, and the deadline is kept by whoever sends. It
// reads no clock and changes nothing.
//
// A device that is registered with another certificate by now has no_device here, whatever that
// certificate is: the job is written for the vendor and in the name of the account that it was
// planned for, and its app ran since then, to register, so that it has fetched the message itself.
func PlanAgain(job *dispatch.Job, target dispatch.Target, policy Policy, user *directory.User, now time.Time) dispatch.Decided {
	d := user.Device(target.Device)
	if d == nil || d.Registration.Token == "" && d.Registration.VoIP == nil {
		return dispatch.Decided{Suppressed: hongyan.NoDevice}
	}
	n := job.Notification
	why := planDevice(about{
		conversation: n.Conversation, mentioned: target.Mentioned, ignoreMute: job.IgnoreMute, rings: n.Urgent, voip: n.VoIP,
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
