package marks

import (
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// State is what is known of a call: which devices were rung, and for whom it ended by what. A nil
// State knows of nothing. It must not be changed.
type State struct {
	rang  map[string]bool // by device
	ended map[string]end  // by user
}

// end is the first event that ended the ringing of a user's devices.
type end struct {
	at      time.Time
	message string
}

// before orders events by when they were stored, those of one moment by their ids: every worker
// finds the same one first.
func (e end) before(o end) bool {
	if !e.at.Equal(o.at) {
		return e.at.Before(o.at)
	}
	return e.message < o.message
}

// NewState puts together what marks say of one call, in any order and repeated. It is pure.
func NewState(events []*Mark) *State {
	s := &State{rang: map[string]bool{}, ended: map[string]end{}}
	for _, m := range events {
		for _, r := range m.Rang {
			for _, d := range r.Devices {
				s.rang[d] = true
			}
		}
		e := end{m.At, m.Message}
		for _, u := range m.Ended {
			if first, ok := s.ended[u]; !ok || e.before(first) {
				s.ended[u] = e
			}
		}
	}
	return s
}

// before leaves out what rang after an event had ended the call: that invitation finds the event,
// and does not ring. It is pure.
func before(events []*Mark, message string) []*Mark {
	var own uint64
	for _, m := range events {
		if m.Message == message && len(m.Ended) > 0 {
			own = max(own, m.sequence)
		}
	}
	if own == 0 {
		return events
	}
	var kept []*Mark
	for _, m := range events {
		if len(m.Rang) == 0 || m.sequence < own {
			kept = append(kept, m)
		}
	}
	return kept
}

// Rang says whether the call rang a user's device.
func (s *State) Rang(user, device string) bool {
	if s == nil {
		return false
	}
	return s.rang[dispatch.DeviceHash(user, device)]
}

// Ended says whether the call had ended for a user before an event of it, by another event.
func (s *State) Ended(user, message string, stored time.Time) bool {
	if s == nil {
		return false
	}
	first, ok := s.ended[user]
	return ok && first.message != message && first.before(end{stored, message})
}

// Over says whether the call ended for a user.
func (s *State) Over(user string) bool {
	if s == nil {
		return false
	}
	_, ok := s.ended[user]
	return ok
}
