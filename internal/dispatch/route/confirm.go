package route

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
)

// plan decides on the devices of a message's recipients, and leaves aside those of whom the answer
// may have lacked what was acknowledged before. ours is false where the message is left to another
// worker.
func (r *routing) plan(m *routed, known []*directory.User) (p planned, ours bool) {
	p = planned{m: m, users: known, decisions: r.decide(m, known)}
	if r.leave(m, p.decisions) {
		return p, false
	}
	if !r.Devices.MustConfirm() {
		return p, true
	}
	for i := range p.decisions {
		if d := &p.decisions[i]; staleCould[d.Suppressed] {
			if p.doubtful == nil {
				p.doubtful = map[string]bool{}
			}
			p.doubtful[d.User] = true
		}
	}
	if p.doubtful != nil {
		p.decisions = slices.DeleteFunc(p.decisions, func(d Decision) bool { return p.doubtful[d.User] })
	}
	return p, true
}

// settle follows decisions. Where there are doubtful users it appends the message for these to
// doubts, with a share of its duty.
func (r *routing) settle(p *planned, doubts []*routed) []*routed {
	m := p.m
	r.follow(m, p.decisions)
	if p.doubtful == nil {
		return doubts
	}
	later, part := *m, *m.message
	later.message, part.Recipients = &part, nil
	for _, u := range m.message.Recipients {
		if p.doubtful[u] {
			part.Recipients = append(part.Recipients, u)
		}
	}
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
	var round []planned
	for {
		known, err := r.ask(messages, r.Devices.Confirm)
		if err == nil {
			round = round[:0]
			for _, m := range messages {
				n := len(m.message.Recipients)
				round = append(round, planned{m: m, users: known[:n], decisions: r.decide(m, known[:n])})
				known = known[n:]
			}
			err = r.count(round)
		}
		if err == nil {
			break
		}
		r.Log.Warn("cannot confirm what the directory says, or count by it, trying again", "messages", len(messages), "error", err)
		if !sleep(r.hard, backoffDelay()) {
			for _, m := range messages {
				m.duty.Done(false)
			}
			return false
		}
	}
	for i := range round {
		r.follow(round[i].m, round[i].decisions)
		round[i].m.duty.Done(true)
	}
	return true
}
