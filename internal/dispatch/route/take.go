package route

import (
	"errors"
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/turns"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// read parses a delivery: a message, a piece of one, or a signal. What cannot be read becomes a
// dead letter at once, and the delivery is settled: then it returns nil.
func (r *routing) read(d dispatch.Delivery) *routed {
	subject, err := r.Subjects.Parse(d.Subject())
	c := r.claims.Take(d)
	if c == nil {
		return nil
	}
	r.owing.Add(1)
	x := &routed{delivery: d, app: subject.App, stored: c.Stored, taken: r.Now()}
	x.duty = store.NewDuty(c, len(d.Data()), r.over(x))
	var repairs hongyan.Repairs
	switch {
	case err != nil:
	case subject.Kind == hongyan.KindSignal:
		var s hongyan.Signal
		if s, repairs, err = hongyan.ParseSignal(d.Data(), c.Stored); err == nil {
			r.Metrics.Repaired(repairs)
			_, known := r.Apps.Of(x.app)
			x.signal, x.mark, x.foreign = &s, marks.OfSignal(x.app, s, c.Stored), !known && !r.elsewhere(x.app, "")
			return x
		}
	case subject.Kind == hongyan.KindPiece:
		var p dispatch.Piece
		if p, err = dispatch.ReadPiece(d.Data()); errors.Is(err, dispatch.ErrNewerJob) {
			x.duty.GiveBack(store.RollOut(c.Takes())) // a newer worker reads it
			return nil
		}
		if err == nil {
			x.message, _, err = r.parse(subject.Kind, p.Message, p.Published)
		}
		x.bulk, x.stored, x.size = true, p.Published, p.Recipients
	default:
		x.message, repairs, err = r.parse(subject.Kind, d.Data(), c.Stored)
	}
	r.Metrics.Repaired(repairs)
	known := false
	if x.conf, known = r.Apps.Of(x.app); err == nil && !known {
		if r.elsewhere(x.app, "") {
			x.duty.GiveBack(store.RollOut(c.Takes()))
			return nil
		}
		err = errors.New("the configuration has no app of this name")
	}
	if err != nil {
		r.malformed(x, known, err)
		return nil
	}
	if !x.bulk {
		x.size = len(x.message.Recipients)
		withCallee(x.message)
	}
	if x.conf.Policy.Badge != BadgeOfMessage {
		x.message.Unread = nil
	}
	trace, dropped := dispatch.TraceOf(d.Header(dispatch.HeaderTrace))
	if dropped {
		r.Metrics.Ignore("traceparent")
	}
	x.trace = trace
	r.begin(x, x.message.ID)
	if c.Again {
		x.look = x.stored
	} else if since := d.Header(dispatch.HeaderLook); since != "" && x.bulk {
		x.look = x.stored
	}
	if c.Takes() > maxTakes {
		r.exhaust(x)
		return nil
	}
	return x
}

// parse parses a message that was published at a time, or a piece of one.
func (r *routing) parse(kind hongyan.Kind, data []byte, published time.Time) (*hongyan.Message, hongyan.Repairs, error) {
	defer r.Turns.Begin(len(data) >= turns.LargeText && kind != hongyan.KindUrgent).End()
	return hongyan.ParseMessage(data, published)
}

// malformed makes a dead letter of a message that cannot be read.
func (r *routing) malformed(x *routed, known bool, err error) {
	id := ""
	if x.message != nil {
		id = x.message.ID
	}
	if id == "" {
		id = readableID(x.delivery, x.app)
	}
	id = dispatch.HeaderValue(id)
	if id != "" {
		x.trace, _ = dispatch.TraceOf(x.delivery.Header(dispatch.HeaderTrace))
		r.begin(x, id)
		x.fails("malformed")
	}
	// App names of strangers must not become metric labels.
	label := x.app
	if !known {
		label = "unknown"
	}
	r.Metrics.Message(label, "malformed")
	letter := dispatch.DeadMessage(r.Subjects, x.delivery, x.app, id, err, ":malformed/"+x.duty.Claim.Name())
	r.Log.Warn("message is malformed", "app", x.app, "message_id", id, "error", err)
	r.Recorder.Store(&store.Debt{Msgs: []dispatch.Outgoing{letter}, Duty: x.duty})
}

// exhaust ends a message that was taken again and again without an end. It looks up who has an end
// all the same; where that did not come to an end in several takes either, it is done without.
func (r *routing) exhaust(m *routed) {
	if r.Looker == nil || m.duty.Claim.Takes() > maxTakes+looksOfExhausted {
		r.dies(m)
		return
	}
	m.look = m.stored
	r.lookUp(m, r.dies)
}

// dies makes a dead letter of a message that is exhausted, and records the end of the recipients of
// whom nothing is known.
func (r *routing) dies(m *routed) {
	r.Log.Error("a message was taken too often without an end", "app", m.app, "message_id", m.message.ID, "takes", maxTakes)
	r.Metrics.Message(m.app, "exhausted")
	m.fails(vendors.AttemptsExhausted.String())
	letter := dispatch.DeadMessage(r.Subjects, m.delivery, m.app, m.message.ID, fmt.Errorf("it was taken %d times without an end", maxTakes), ":exhausted/"+m.duty.Claim.Name())
	letter.Subject, letter.Header[dispatch.HeaderReason] = r.Subjects.Dead("", "", vendors.AttemptsExhausted), vendors.AttemptsExhausted.String()
	debt := &store.Debt{Msgs: []dispatch.Outgoing{letter}, Duty: m.duty}
	for _, u := range m.message.Recipients {
		if m.answer != nil && m.answer.Of(u) {
			continue
		}
		debt.Then = append(debt.Then, r.line(m, hongyan.StatusDead, hongyan.DeviceOutcome{User: u, Reason: vendors.AttemptsExhausted}))
	}
	r.Recorder.Store(debt)
}
