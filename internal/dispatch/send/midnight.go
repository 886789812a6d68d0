package send

import "time"

// Midnight is the end of the vendor's day.
func Midnight(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

const (
	// spreadRate is how many jobs a second a worker lets come at the beginning of a vendor's day,
	// of those that it made wait for it.
	spreadRate = 2000
	// leastSpread is the time over which the first of them come, as many certificates and workers
	// have the same midnight, and mostSpread the time over which all do.
	leastSpread, mostSpread = 10 * time.Second, 4 * time.Minute
)

// waits counts a job that waits for the vendor's next day, or for what the vendor says is it.
func (s *Sender) waits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited++
}

// afterMidnight is how long after a midnight one more job comes that waits for it: at an even rate
// with those that do already, in their order where they are many. luck is a draw from [0,1).
func (s *Sender) afterMidnight(midnight time.Time, luck float64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.midnight.Equal(midnight) {
		s.midnight, s.waited = midnight, 0
	}
	switch at := time.Duration(s.waited) * time.Second / spreadRate; {
	case at < leastSpread:
		return time.Duration(luck * float64(leastSpread))
	case at > mostSpread:
		return time.Duration(luck * float64(mostSpread))
	default:
		return at
	}
}
