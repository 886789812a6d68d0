package directory

import (
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
)

// Window is a daily window of quiet hours.
type Window struct {
	from, to int // minutes of the day
	zone     *time.Location
}

// DefaultZone is the time zone of quiet hours that name none.
const DefaultZone = "Asia/Shanghai"

// NewWindow reads quiet hours; load finds a time zone by its IANA name, as time.LoadLocation does.
func NewWindow(q hongyan.QuietHours, load func(string) (*time.Location, error)) (Window, error) {
	from, err := time.Parse("15:04", q.From)
	if err != nil {
		return Window{}, fmt.Errorf("quiet_hours.from is not HH:MM")
	}
	to, err := time.Parse("15:04", q.To)
	if err != nil {
		return Window{}, fmt.Errorf("quiet_hours.to is not HH:MM")
	}
	name := q.Timezone
	if name == "" {
		name = DefaultZone
	}
	zone, err := load(name)
	if err != nil {
		return Window{}, fmt.Errorf("quiet_hours.timezone is no IANA time zone")
	}
	return Window{from.Hour()*60 + from.Minute(), to.Hour()*60 + to.Minute(), zone}, nil
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
