package directory

import (
	"cmp"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Window is a daily window of quiet hours.
type Window struct {
	from, to int // minutes of the day
	zone     *time.Location
}

// NewWindow is the window of quiet hours that were judged before; nil where there are none. zone
// finds a time zone by its IANA name, as time.LoadLocation does.
func NewWindow(q *hongyan.QuietWindow, zone func(string) (*time.Location, error)) *Window {
	if q == nil {
		return nil
	}
	from, fromOK := hongyan.ClockTime(q.From)
	to, toOK := hongyan.ClockTime(q.To)
	z, err := zone(cmp.Or(q.Timezone, hongyan.DefaultTimezone))
	if !fromOK || !toOK || err != nil {
		return nil
	}
	return &Window{from, to, z}
}

// Contains says whether t is inside, the first minute included and the last not. A window from a
// time to the same time is empty.
func (w Window) Contains(t time.Time) bool {
	t = t.In(w.zone)
	minute := t.Hour()*60 + t.Minute()
	if w.from <= w.to {
		return minute >= w.from && minute < w.to
	}
	return minute >= w.from || minute < w.to
}
