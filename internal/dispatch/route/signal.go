package route

import (
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
)

// Recall is a recall of a message of an app.
type Recall struct {
	App    string
	Signal hongyan.Signal
	// Stored is when the signal was stored.
	Stored time.Time
	// Again says that the signal had been taken before, perhaps by a worker that was killed.
	Again bool
}

// Withdrawals sees to what vendors accepted of messages that were recalled.
type Withdrawals interface {
	// Recall takes over a recall whose mark is stored: whatever of the message was not sent by then
	// is suppressed. It must not hold up the caller. The caller took a share of the duty for it;
	// Recall ends the share with Done when all that it had to do is done or stored. A recall that
	// comes again, or that the IM backend repeats, is handed over again.
	Recall(r Recall, duty *store.Duty)
}

// signal sees to a signal.
func (r *routing) signal(x *routed, s hongyan.Signal) {
	if s.Type == hongyan.SignalRecall && r.Withdrawals != nil {
		x.duty.Add(1)
		r.Withdrawals.Recall(Recall{App: x.app, Signal: s, Stored: x.stored, Again: x.duty.Claim.Again}, x.duty)
	}
	if s.Type == hongyan.SignalRead && r.Badges != nil && r.Apps[x.app].Policy.Badge == BadgeCounted {
		x.duty.Add(1)
		r.Badges.Read(x.app, s.User, s.Conversation, s.At, s.Unread, func(err error) {
			if err == nil && r.Moved != nil {
				r.Moved(x.app, s.User)
			}
			x.duty.Done(err == nil)
		})
	}
	x.duty.Done(true)
}
