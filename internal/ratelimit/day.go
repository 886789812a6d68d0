package ratelimit

import "time"

// span is a vendor's day: [start, end).
type span struct {
	name       string // yyyymmdd
	start, end time.Time
}

// spanOf is the day that t lies in. Where a time zone skips midnight itself, the day begins within
// the hour next to it.
func spanOf(t time.Time, zone *time.Location) span {
	t = t.In(zone)
	y, m, d := t.Date()
	s := span{name: t.Format("20060102"), start: time.Date(y, m, d, 0, 0, 0, 0, zone), end: time.Date(y, m, d+1, 0, 0, 0, 0, zone)}
	for s.start.After(t) {
		s.start = s.start.Add(-time.Hour)
	}
	for !s.end.After(t) {
		s.end = s.end.Add(time.Hour)
	}
	return s
}

// band says how far from a worker's clock the vendor's may stand when a call arrives: from guard
// before until guard and the call's own time after.
type band struct{ guard, call time.Duration }

// window is the time in which a call made at t can arrive.
func (b band) window(t time.Time) (from, to time.Time) {
	return t.Add(-b.guard), t.Add(b.guard + b.call)
}

// within says whether a call made at t can arrive in s only.
func (b band) within(s span, t time.Time) bool {
	from, to := b.window(t)
	return !from.Before(s.start) && to.Before(s.end)
}

// over is when no call made then can arrive in s any more.
func (b band) over(s span) time.Time { return s.end.Add(b.guard) }
