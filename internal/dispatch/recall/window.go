package recall

import (
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch/route"
)

const (
	// acceptedWithin is how long after a message was sent what was accepted of it is looked for.
	acceptedWithin = 15 * time.Minute
	// acceptedLately is how far back is looked where nobody says when the message was sent.
	acceptedLately = 10 * time.Minute
	// skew is by how much the clocks of an IM backend may differ from those of NATS.
	skew = 5 * time.Minute
)

// window is a time in which records were stored, from its begin up to and with its end.
type window struct{ from, to time.Time }

// windowOf is the window in which what was accepted of a recalled message is looked for, no further
// back than a time. It ends after the recall, since there are calls under way then. It is empty
// where nothing is to be found.
func windowOf(r *route.Recall, back time.Duration) window {
	w := window{from: r.Stored.Add(-acceptedLately), to: r.Stored.Add(acceptedWithin)}
	if sent := r.Signal.SentAt; !sent.IsZero() {
		if sent.After(r.Stored) {
			sent = r.Stored
		}
		w = window{from: sent.Add(-skew), to: sent.Add(acceptedWithin)}
	}
	if first := r.Stored.Add(-back); w.from.Before(first) {
		w.from = first
	}
	return w
}

// sinceAccepted is the question's window and all the time from then, and from the acceptance of
// what was handed over, until now: whether a newer message took its place.
func (q *question) sinceAccepted(now time.Time) window {
	w := q.window
	if w.empty() {
		w = window{from: now, to: now}
	}
	for _, p := range q.late {
		if p.at.Before(w.from) {
			w.from = p.at
		}
	}
	if w.to.Before(now) {
		w.to = now
	}
	return w
}

func (w window) empty() bool { return w.to.Before(w.from) }

func (w window) has(at time.Time) bool { return !at.Before(w.from) && !at.After(w.to) }

// union is the windows put together where they overlap, in order.
func union(windows []window) []window {
	windows = slices.DeleteFunc(slices.Clone(windows), window.empty)
	slices.SortFunc(windows, func(a, b window) int { return a.from.Compare(b.from) })
	var all []window
	for _, w := range windows {
		if n := len(all); n > 0 && !w.from.After(all[n-1].to) {
			if w.to.After(all[n-1].to) {
				all[n-1].to = w.to
			}
			continue
		}
		all = append(all, w)
	}
	return all
}
