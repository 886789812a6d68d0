package ratelimit

import "time"

// dayRange is one of the vendor's days: [start, end).
type dayRange struct {
	name       string // yyyymmdd
	start, end time.Time
}

// dayRangeOf returns the day that contains t. If a time zone skips midnight on that day, the day
// begins up to an hour before or after it.
func dayRangeOf(t time.Time, zone *time.Location) dayRange {
	t = t.In(zone)
	y, m, d := t.Date()
	s := dayRange{name: t.Format("20060102"), start: time.Date(y, m, d, 0, 0, 0, 0, zone), end: time.Date(y, m, d+1, 0, 0, 0, 0, zone)}
	for s.start.After(t) {
		s.start = s.start.Add(-time.Hour)
	}
	for !s.end.After(t) {
		s.end = s.end.Add(time.Hour)
	}
	return s
}

// arrivalWindow is the time, by the vendor's clock, in which a call can arrive: from guard before
// the worker's time until guard and the call's timeout after it.
type arrivalWindow struct{ guard, callTimeout time.Duration }

// bounds returns the first and the last moment at which a call made at t can arrive.
func (b arrivalWindow) bounds(t time.Time) (from, to time.Time) {
	return t.Add(-b.guard), t.Add(b.guard + b.callTimeout)
}

// onlyIn reports whether a call made at t can arrive in s only.
func (b arrivalWindow) onlyIn(s dayRange, t time.Time) bool {
	from, to := b.bounds(t)
	return !from.Before(s.start) && to.Before(s.end)
}

// closesAt is the time from which no new call can arrive in s.
func (b arrivalWindow) closesAt(s dayRange) time.Time { return s.end.Add(b.guard) }
