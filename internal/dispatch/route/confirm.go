package route

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// settle follows decisions, but for those on users of whom the answer may have lacked what was
// acknowledged before: it appends the message for these to doubts, with a share of its duty.
func (r *routing) settle(m *routed, decisions []Decision, doubts []*routed) []*routed {
	follow := r.follow
	if m.message.Rings() && r.Marks != nil {
		follow = r.ring
	}
	if !r.Devices.MustConfirm() {
		follow(m, decisions)
		return doubts
	}
	doubtful := map[string]bool{}
	for i := range decisions {
		if d := &decisions[i]; staleCould[d.Suppressed] {
			doubtful[d.User] = true
		}
	}
	if len(doubtful) == 0 {
		follow(m, decisions)
		return doubts
	}
	later, part := *m, *m.message
	later.message, part.Recipients = &part, nil
	for _, u := range m.message.Recipients {
		if doubtful[u] {
			part.Recipients = append(part.Recipients, u)
		}
	}
	follow(m, slices.DeleteFunc(decisions, func(d Decision) bool { return doubtful[d.User] }))
	m.duty.Add(1)
	return append(doubts, &later)
}

// staleCould are the suppressions that an answer of the directory could cause which lacks what was
// acknowledged before.
var staleCould = map[hongyan.Reason]bool{
	hongyan.NoDevice: true, hongyan.LoggedOut: true, hongyan.Kicked: true, hongyan.NotificationsOff: true, hongyan.TooManyDevices: true, hongyan.Stale: true,
	hongyan.Foreground: true, hongyan.ActiveElsewhere: true, hongyan.Muted: true, hongyan.QuietHours: true, hongyan.UnknownCertificate: true,
}

// confirm decides again, by answers that lack nothing, and follows the decisions. It returns false
// when the worker ended before.
func (r *routing) confirm(messages []*routed) (done bool) {
	var known []*directory.User
	var said []marks.Said
	for {
		var err error
		if known, err = r.ask(messages, r.Devices.Confirm); err == nil {
			if said, err = r.say(messages); err == nil {
				break
			}
		}
		r.Log.Warn("cannot confirm what the directory says, trying again", "messages", len(messages), "error", err)
		if !sleep(r.hard, backoffDelay()) {
			for _, m := range messages {
				m.duty.Done(false)
			}
			return false
		}
	}
	for i, m := range messages {
		n := len(m.message.Recipients)
		decisions := r.decide(m, known[:n], &said[i])
		if m.message.Rings() && r.Marks != nil {
			r.ring(m, decisions)
		} else {
			r.follow(m, decisions)
		}
		known = known[n:]
		m.duty.Done(true)
	}
	return true
}
