package ratelimit

import (
	"math"
	"time"
)

// Usage is what the counter of a quota said in the course of one of the vendor's days.
type Usage struct {
	// Start and End are the day's.
	Start, End time.Time
	// Used are the counts one hour after Start, two hours after it, and so on; negative where
	// nobody looked. What is missing at the end is not known.
	Used []int64
}

// Forecast is where a day's quota is going.
type Forecast struct {
	// EndsAt is when the quota is used up; zero where that is not before the day ends.
	EndsAt time.Time `json:"ends_at,omitzero"`
	// Total is what the day comes to if there is enough.
	Total int64 `json:"total"`
	// Days is how many earlier days it is drawn from; 0 where it follows the speed of the last two
	// hours alone.
	Days int `json:"days"`
}

const (
	// forecastAfter is how old a day must be for its own speed to say anything.
	forecastAfter = 15 * time.Minute
	// forecastPace is over how long today's pace is compared with that of the earlier days, and
	// forecastSpeed over how long it is taken where there are none.
	forecastPace, forecastSpeed = 3 * time.Hour, 2 * time.Hour
	// leastPace is the part of a day's pushes that must fall into forecastPace for the comparison
	// to mean something; else the whole day until now is compared.
	leastPace = 0.02
	// nearLimit is the part of the limit from which on the count of a day that did not pass it no
	// longer says what would have been pushed.
	nearLimit = 0.98
)

// Predict says from a day's count so far, its hours and those of the days before when its limit is
// reached. The days before say how a day's pushes are spread over its hours, and the last hours of
// today how much more or less there is today. ok is false while too little is known. It is pure.
func Predict(now time.Time, today Usage, used, limit int64, before []Usage) (f Forecast, ok bool) {
	elapsed := now.Sub(today.Start)
	if elapsed < 0 || !now.Before(today.End) || limit <= 0 {
		return f, false
	}
	curve := today.points(elapsed, used)
	hours, days := shape(before, limit, int(math.Ceil(today.End.Sub(today.Start).Hours())))
	speed := curve.between(max(0, elapsed-forecastSpeed), elapsed) / min(elapsed, forecastSpeed).Hours()
	scale, known := 0.0, false
	if days > 0 {
		scale, known = pace(curve, hours, elapsed)
	}
	if !known {
		if elapsed < forecastAfter || elapsed > forecastSpeed && !curve.knows(elapsed-forecastPace) {
			return f, false
		}
		days = 0
	}
	f.Days = days
	total, end := float64(used), today.End.Sub(today.Start)
	for at := elapsed; at < end; {
		next := min(at.Truncate(time.Hour)+time.Hour, end)
		rate := speed
		if h := int(at / time.Hour); known && !math.IsNaN(hours[h]) {
			rate = scale * hours[h]
		}
		more := rate * (next - at).Hours()
		if f.EndsAt.IsZero() && total < float64(limit) && total+more >= float64(limit) && more > 0 {
			part := (float64(limit) - total) / more
			f.EndsAt = today.Start.Add(at + time.Duration(part*float64(next-at)))
		}
		total += more
		at = next
	}
	if used >= limit {
		f.EndsAt = now
	}
	f.Total = int64(math.Round(total))
	return f, true
}

// pace is how many times as much there is today as on the days before.
func pace(today curve, hours []float64, elapsed time.Duration) (scale float64, known bool) {
	whole := 0.0
	for _, n := range hours {
		if !math.IsNaN(n) {
			whole += n
		}
	}
	from := max(0, elapsed-forecastPace)
	usual := sum(hours, from, elapsed)
	if usual < leastPace*whole || !today.knows(from-time.Hour) {
		from, usual = 0, sum(hours, 0, elapsed)
	}
	if usual < 1 || whole < 1 {
		return 0, false
	}
	return today.between(from, elapsed) / usual, true
}

// sum is what hours, counted from a day's start, have between two times.
func sum(hours []float64, from, to time.Duration) (n float64) {
	for h, count := range hours {
		begin := time.Duration(h) * time.Hour
		if part := min(to, begin+time.Hour) - max(from, begin); part > 0 && !math.IsNaN(count) {
			n += count * part.Hours()
		}
	}
	return n
}

// shape is how many pushes each hour of a day has, on the mean of the days on which that was to be
// seen: an hour in which a day came to its end at the limit says nothing. NaN stands for an hour of
// which nothing is known. days is how many days said something.
func shape(before []Usage, limit int64, n int) (hours []float64, days int) {
	hours, seen := make([]float64, n), make([]float64, n)
	for _, d := range before {
		says, near := false, nearLimit*float64(limit)
		for _, count := range d.Used {
			if float64(count) > (2-nearLimit)*float64(limit) {
				near = math.Inf(1) // another limit held on that day
			}
		}
		last, at := int64(0), 0 // the last count that is known, and the hour after which it was
		for i, count := range d.Used {
			if count < 0 {
				continue
			}
			if count < last || float64(count) >= near {
				break
			}
			each := float64(count-last) / float64(i+1-at)
			for h := at; h <= i && h < n; h++ {
				hours[h], seen[h] = hours[h]+each, seen[h]+1
				says = true
			}
			last, at = count, i+1
		}
		if says {
			days++
		}
	}
	for h := range hours {
		hours[h] /= seen[h] // NaN where nothing was seen
	}
	return hours, days
}

// curve is a count in the course of a day, at times since its start.
type curve struct {
	at    []time.Duration
	count []float64
}

// points is the day's curve up to now.
func (u *Usage) points(elapsed time.Duration, used int64) curve {
	c := curve{at: []time.Duration{0}, count: []float64{0}}
	for i, n := range u.Used {
		if at := time.Duration(i+1) * time.Hour; n >= 0 && at < elapsed {
			c.at, c.count = append(c.at, at), append(c.count, float64(n))
		}
	}
	c.at, c.count = append(c.at, elapsed), append(c.count, float64(used))
	return c
}

// knows says whether a count between a time and the last one was noted.
func (c curve) knows(since time.Duration) bool {
	return since <= 0 || c.at[len(c.at)-2] >= since
}

// between is by how much the count grew.
func (c curve) between(from, to time.Duration) float64 { return max(0, c.value(to)-c.value(from)) }

// value is the count at a time, in a straight line between two that are known.
func (c curve) value(at time.Duration) float64 {
	for i := 1; i < len(c.at); i++ {
		if at <= c.at[i] {
			if c.at[i] == c.at[i-1] {
				return c.count[i]
			}
			part := float64(at-c.at[i-1]) / float64(c.at[i]-c.at[i-1])
			return c.count[i-1] + part*(c.count[i]-c.count[i-1])
		}
	}
	return c.count[len(c.count)-1]
}
