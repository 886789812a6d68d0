package route

import (
	"context"
	"log/slog"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// An invitation to a call and the event that ends it may be planned by two workers at the same
// moment. The one stores which devices will ring and looks for the end, the other stores the end
// and looks for what rings: so at least one of the two sees the other.

const (
	// ringPatience is how long an invitation waits for its mark to be stored and heard of: it rings
	// even where marks cannot be.
	ringPatience = 2 * time.Second
	// echoPatience is how long whoever stored a mark waits to hear of it.
	echoPatience = time.Second
	// sayPatience is how long an invitation waits for what was said of it, each time that it asks.
	// Then it goes by what the worker heard.
	sayPatience = time.Second
)

// withCallee makes sure that the callee who answered or refused a call is among the recipients: the
// event concerns the callee's own devices.
func withCallee(m *hongyan.Message) {
	if !m.ByCallee() {
		return
	}
	for _, u := range m.Recipients {
		if u == m.Sender.ID {
			return
		}
	}
	m.Recipients = append(m.Recipients, m.Sender.ID)
}

// ending is the mark of an event that ends the ringing of a call; nil where it ends nobody's.
func ending(m *routed) *marks.Mark {
	call := m.message.Content.Call
	x := &marks.Mark{App: m.app, What: marks.Call, At: m.stored, Message: m.message.ID, CallID: call.ID}
	sender := false
	for _, u := range m.message.Recipients {
		sender = sender || u == m.message.Sender.ID
		if !m.message.ByCallee() || u == m.message.Sender.ID {
			x.Ended = append(x.Ended, u)
		}
	}
	if !m.message.ByCallee() && !sender && !m.bulk { // whoever hangs up is not rung any more either
		x.Ended = append(x.Ended, m.message.Sender.ID)
	}
	if len(x.Ended) == 0 {
		return nil
	}
	return x
}

// end remembers that a call ended, if the message says so, and then goes on; with false where that
// was given up because the worker ended.
func (r *routing) end(m *routed, then func(ok bool)) {
	var x *marks.Mark
	if m.message.EndsRinging() && r.Marks != nil {
		x = ending(m)
	}
	if x == nil {
		then(true)
		return
	}
	r.Marks.Learn(x)
	var echo *marks.Expectation
	m.duty.Add(1)
	debt := r.debt(m.duty, func(stored bool) {
		m.duty.Add(1)
		r.confirming.Go(func() {
			defer m.duty.Done(true)
			echo.Wait(r.hard, echoPatience)
			then(stored)
		})
	}, x)
	if debt == nil {
		m.duty.Done(true)
		then(true)
		return
	}
	echo = r.Marks.Expect(debt.Msgs[0].Subject)
	r.Recorder.Store(debt)
}

// ended plans a message that may end a call, once that is remembered.
func (r *routing) ended(m *routed) {
	r.end(m, func(ok bool) {
		if ok {
			r.round([]*routed{m})
		} else {
			m.duty.Done(false)
		}
	})
}

// ringing are the marks of the devices that an invitation is to ring: one for each partition of
// users of a large one, so that each can be stored.
func ringing(m *routed, decisions []Decision) []*marks.Mark {
	divide := len(m.message.Recipients) > maxWhole
	var all []*marks.Mark
	parts := map[int]*marks.Mark{}
	for i := range decisions {
		d := &decisions[i]
		if d.Suppressed != "" {
			continue
		}
		part := 0
		if divide {
			part = hongyan.Partition(d.User)
		}
		x := parts[part]
		if x == nil {
			x = &marks.Mark{App: m.app, What: marks.Call, At: m.stored, Message: m.message.ID, CallID: m.message.Content.Call.ID, Rang: make([]marks.Rang, 1)}
			parts[part] = x
			all = append(all, x)
		}
		x.Rang[0].Devices = append(x.Rang[0].Devices, dispatch.DeviceHash(d.User, d.Device.ID))
	}
	return all
}

// ring remembers which devices an invitation rings, and then follows the decisions, but for users
// for whom the call has ended by then. It does not wait; the caller holds a share of the duty.
func (r *routing) ring(m *routed, decisions []Decision) {
	all := ringing(m, decisions)
	if len(all) == 0 {
		r.follow(m, decisions)
		return
	}
	stored := make(chan struct{})
	m.duty.Add(1)
	debt := r.debt(m.duty, func(ok bool) {
		if ok {
			close(stored)
		}
	}, all...)
	if debt == nil {
		m.duty.Done(true)
		r.follow(m, decisions)
		return
	}
	subjects := make([]string, len(debt.Msgs))
	for i := range debt.Msgs {
		subjects[i] = debt.Msgs[i].Subject
	}
	echo := r.Marks.Expect(subjects...)
	m.duty.Add(1)
	r.confirming.Go(func() {
		wait, cancel := context.WithTimeout(r.hard, ringPatience)
		defer cancel()
		r.confirming.Go(func() { r.Recorder.Store(debt) })
		select {
		case <-stored:
		case <-wait.Done():
		}
		echo.Wait(wait, echoPatience)
		if r.hard.Err() != nil {
			m.duty.Done(false)
			return
		}
		r.unlessOver(m, decisions)
		r.follow(m, decisions)
		m.duty.Done(true)
	})
}

// unlessOver suppresses an invitation for the users for whom the call has ended, as far as can be
// found out.
func (r *routing) unlessOver(m *routed, decisions []Decision) {
	said := r.sayOfCalls([]*routed{m})[0]
	if said.Over == nil && !said.Recalled {
		return
	}
	over := map[string]bool{}
	for i, u := range m.message.Recipients {
		over[u] = said.Over != nil && said.Over[i]
	}
	for i := range decisions {
		switch d := &decisions[i]; {
		case d.Suppressed != "":
		case said.Recalled:
			d.Suppressed = hongyan.Recalled
		case over[d.User]:
			d.Suppressed = hongyan.CallOver
		}
	}
}

// say is what was said of messages of a round, each at its place.
func (r *routing) say(messages []*routed) ([]marks.Said, error) {
	if messages[0].message.Rings() {
		return r.sayOfCalls(messages), nil
	}
	if r.Marks == nil {
		return make([]marks.Said, len(messages)), nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), lookupTimeout)
	defer cancel()
	return r.Marks.Say(ctx, aboutAll(messages))
}

// sayOfCalls is say for invitations to calls.
func (r *routing) sayOfCalls(messages []*routed) []marks.Said {
	return sayOfCalls(context.WithoutCancel(r.ctx), r.Marks, aboutAll(messages), r.Log)
}

// sayOfCalls is what was said of invitations to calls: what is stored, or where that takes too long
// what was heard.
func sayOfCalls(ctx context.Context, m *marks.Marks, about []marks.About, log *slog.Logger) []marks.Said {
	if m == nil {
		return make([]marks.Said, len(about))
	}
	ctx, cancel := context.WithTimeout(ctx, sayPatience)
	defer cancel()
	said, err := m.Say(ctx, about)
	if err != nil {
		log.Warn("cannot read what was said of calls, they ring unless it was heard that they are over", "calls", len(about), "error", err)
		return m.Heard(about)
	}
	return said
}

func aboutAll(messages []*routed) []marks.About {
	about := make([]marks.About, len(messages))
	for i, m := range messages {
		about[i] = marks.About{App: m.app, Message: m.message.ID, SentAt: m.message.SentAt, Conversation: m.message.Conversation.ID,
			Users: m.message.Recipients, Call: m.message.Content.Call, Stored: m.stored}
	}
	return about
}
