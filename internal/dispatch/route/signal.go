package route

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/marks"
)

// Recall is a recall of a message of an app.
type Recall struct {
	App    string
	Signal hongyan.Signal
	// Stored is when the signal was stored.
	Stored time.Time
}

// Withdrawals sees to what vendors accepted of messages that were recalled.
type Withdrawals interface {
	// Recall takes over a recall whose mark is stored: whatever of the message was not sent by then
	// is suppressed. It must not hold up the caller. The caller took a share of the duty for it;
	// Recall ends the share with Done when all that it had to do is done or stored. A recall that
	// comes again, or that the IM backend repeats, is handed over again.
	Recall(r Recall, duty *store.Duty)
	// Recalled says whether a message was recalled, as far as the worker has heard.
	Recalled(app, message string) bool
	// Again is Recall for a recalled message, or what waited of one, that is taken again: whoever
	// took it before may have been killed after the vendor's acceptance, and before it was
	// withdrawn. since is when the message was stored.
	Again(app, message, conversation string, since time.Time, duty *store.Duty)
}

// What becomes of a signal, for metrics.
const (
	signalMarked  = "marked"
	signalKnown   = "known"   // it says no more than what is known
	signalLate    = "late"    // it is older than a mark lives
	signalForeign = "foreign" // no worker serves its app
)

// signals sees to signals that were read: each is remembered, and settled once it is.
func (r *routing) signals(all []*routed) {
	now := r.Now()
	var fresh []*routed
	for _, x := range all {
		switch {
		case x.foreign:
			r.Metrics.Signal("unknown", x.signal.Type, signalForeign)
			x.duty.Done(true)
		case r.Marks == nil:
			r.heed(x)
			x.duty.Done(true)
		case x.mark.Late(now):
			r.Metrics.Signal(x.app, x.signal.Type, signalLate)
			x.duty.Done(true)
		default:
			fresh = append(fresh, x)
		}
	}
	if len(fresh) == 0 {
		return
	}
	list := make([]*marks.Mark, len(fresh))
	for i, x := range fresh {
		list[i] = x.mark
	}
	known, err := r.Marks.Known(r.hard, list)
	if err != nil {
		r.Log.Warn("cannot read what is known of signals, trying again", "signals", len(fresh), "error", err)
		for _, x := range fresh {
			x.duty.GiveBack(backoffDelay())
		}
		return
	}
	var debts []*store.Debt
	for i, x := range fresh {
		if known[i] {
			r.Metrics.Signal(x.app, x.signal.Type, signalKnown)
			r.heed(x)
			x.duty.Done(true)
			continue
		}
		r.Metrics.Signal(x.app, x.signal.Type, signalMarked)
		r.Marks.Learn(x.mark)
		debt := r.debt(x.duty, func(stored bool) {
			if stored {
				r.marked(x)
			}
		}, x.mark)
		if debt == nil {
			x.duty.Done(true)
			continue
		}
		debts = append(debts, debt)
	}
	r.Recorder.Store(debts...)
}

// marked goes on with a signal whose mark is stored.
func (r *routing) marked(x *routed) {
	r.heed(x)
	// Two read marks may be stored in the wrong order by two workers: the later one must stay.
	if x.mark.What != marks.Read {
		return
	}
	if later := r.Marks.Later(x.mark); later != nil {
		x.duty.Add(1)
		if debt := r.debt(x.duty, nil, later); debt != nil {
			r.Recorder.Store(debt)
		} else {
			x.duty.Done(true)
		}
	}
}

// heed hands a recall over to who withdraws, and a read mark to who counts, or gives it back where
// this worker does not know the app. A signal that is known may have been taken by a worker that
// was killed before it did so.
func (r *routing) heed(x *routed) {
	if _, known := r.Apps.Of(x.app); !known { // another worker has its policy
		x.duty.Add(1)
		x.duty.GiveBack(store.RollOut(x.duty.Claim.Takes()))
		return
	}
	switch s := x.signal; {
	case s.Type == hongyan.SignalRecall && r.Withdrawals != nil:
		x.duty.Add(1)
		r.Withdrawals.Recall(Recall{App: x.app, Signal: *s, Stored: x.stored}, x.duty)
	case s.Type == hongyan.SignalRead && r.Badges != nil && r.Apps.policy(x.app).Badge == BadgeCounted:
		x.duty.Add(1)
		r.Badges.Read(x.app, s.User, s.Conversation, s.At, s.Unread, func(err error) {
			if err == nil && r.Moved != nil {
				r.Moved(x.app, s.User)
			}
			x.duty.Done(err == nil)
		})
	}
}

// debt is the debt of marks, which holds a share of the duty that the caller took for it; nil where
// they cannot be written.
func (r *routing) debt(duty *store.Duty, after func(stored bool), all ...*marks.Mark) *store.Debt {
	debt := &store.Debt{Duty: duty, After: after}
	for _, x := range all {
		o, err := x.Outgoing(r.Subjects)
		if err != nil {
			// Every text may be written, so only a time out of range can be wrong.
			r.Log.Error("a mark cannot be written", "app", x.App, "error", err)
			return nil
		}
		debt.Msgs = append(debt.Msgs, o)
	}
	return debt
}
