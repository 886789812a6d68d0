package route

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/sleep"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// plan decides on the devices of a message's recipients, and leaves aside those of whom the answer
// may have lacked what was acknowledged before. ours is false where the message is left to another
// worker.
func (r *routing) plan(m *routed, known []*directory.User, said *marks.Said) (p planned, ours bool) {
	defer r.Turns.Begin(len(known) >= turns.Large && !m.message.Rings()).End()
	p = planned{m: m, users: known, decisions: r.decide(m, known, said), recalled: said.Recalled}
	if r.leave(m, p.decisions) {
		return p, false
	}
	if !r.Devices.MustConfirm() {
		p.leaveEnded()
		return p, true
	}
	for i := range p.decisions {
		if d := &p.decisions[i]; staleCould[d.Suppressed] && !ended(d, m.answer) {
			if p.doubtful == nil {
				p.doubtful = map[string]bool{}
			}
			p.doubtful[d.User] = true
		}
	}
	if p.doubtful != nil {
		p.decisions = slices.DeleteFunc(p.decisions, func(d Decision) bool { return p.doubtful[d.User] })
	}
	p.leaveEnded()
	return p, true
}

// leaveEnded leaves out the devices that have an end or a job of their own.
func (p *planned) leaveEnded() {
	all := len(p.decisions)
	p.decisions = without(p.decisions, p.m.answer)
	p.done = all - len(p.decisions)
}

// carryOut follows decisions: on devices that ring only once it is remembered which ones do.
func (r *routing) carryOut(p *planned) {
	r.looked(p)
	if p.m.message.Rings() && r.Marks != nil {
		r.ring(p.m, p.decisions)
		return
	}
	r.follow(p.m, p.decisions)
}

// settle follows decisions. Where there are doubtful users it appends the message for these to
// doubts, with a share of its duty.
func (r *routing) settle(p *planned, doubts []*routed) []*routed {
	m := p.m
	r.carryOut(p)
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

// confirm decides again on messages that all count on icons, or none of which does, by answers that
// lack nothing, and follows the decisions. It returns false when the worker ended before, or where
// a message is left to a worker that can count for all of its users: then it comes again when its
// claim ends, and what was done of it is found.
func (r *routing) confirm(messages []*routed) (done bool) {
	var known []*directory.User
	var said []marks.Said
	read := func() (err error) {
		if known, err = r.ask(messages, r.Devices.Confirm); err == nil {
			said, err = r.say(messages)
		}
		return err
	}
	if !r.until(messages, read) {
		return false
	}
	round := make([]planned, len(messages))
	for i, m := range messages {
		n := len(m.message.Recipients)
		round[i] = planned{m: m, users: known[:n], decisions: r.decide(m, known[:n], &said[i]), recalled: said[i].Recalled}
		round[i].leaveEnded()
		known = known[n:]
	}
	var newer *badge.NewerError
	count := func() error {
		err := r.count(round)
		if newer = badge.Newer(err); newer != nil {
			return nil
		}
		return err
	}
	if r.counts(&round[0]) && !r.until(messages, count) {
		return false
	}
	done = true
	for i := range round {
		p := &round[i]
		counted := newer == nil || !p.names(newer.Users)
		if counted {
			r.carryOut(p)
		}
		p.m.duty.Done(counted)
		done = done && counted
	}
	return done
}

// until tries until it succeeds. It returns false when the worker ended before: then the messages
// are left to whoever takes them next.
func (r *routing) until(messages []*routed, try func() error) bool {
	for {
		err := try()
		if err == nil {
			return true
		}
		r.Log.Warn("cannot confirm what the directory says, or count by it, trying again", "messages", len(messages), "error", err)
		if !sleep.For(r.hard, backoffDelay()) {
			for _, m := range messages {
				m.duty.Done(false)
			}
			return false
		}
	}
}
