package ratelimit_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
)

// waking is how an IM's pushes are spread over the day, in parts of a thousand: little at night,
// most in the evening.
var waking = [24]float64{15, 8, 5, 4, 4, 6, 12, 25, 38, 45, 48, 55, 60, 50, 45, 46, 50, 58, 65, 80, 95, 88, 62, 36}

// usage is a day with total pushes, known until hour h; the first hour of none is 0.
func usage(start time.Time, total float64, until int) ratelimit.Usage {
	u := ratelimit.Usage{Start: start, End: start.Add(24 * time.Hour)}
	sum := 0.0
	for h := range until {
		sum += waking[h] * total / 1000
		u.Used = append(u.Used, int64(math.Round(sum)))
	}
	return u
}

func TestPredict(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, shanghai)
	clock := func(text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-23 "+text, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := func(totals ...float64) (days []ratelimit.Usage) {
		for i, total := range totals {
			days = append(days, usage(day.AddDate(0, 0, -1-i), total, 24))
		}
		return days
	}
	at := func(total float64, until int) int64 {
		u := usage(day, total, until)
		if until == 0 {
			return 0
		}
		return u.Used[until-1]
	}
	holes := usage(day, 100_000, 12)
	holes.Used[3], holes.Used[7], holes.Used[10] = -1, -1, -1
	capped := usage(day.AddDate(0, 0, -1), 100_000, 24)
	for i, n := range capped.Used {
		capped.Used[i] = min(n, 60_000) // since 17:00 nothing was left
	}
	for _, c := range []struct {
		name        string
		now         string
		today       ratelimit.Usage
		used, limit int64
		before      []ratelimit.Usage
		ends        string // 0 to 10 minutes around; empty for not today
		total       int64  // within 3 percent
		days        int
		unknown     bool
	}{
		// The straight line from noon would say 80,000 and no end.
		{name: "as-the-days-before", now: "12:00", today: usage(day, 100_000, 12), used: at(100_000, 12), limit: 90_000, before: before(100_000, 100_000), ends: "21:58", total: 100_000, days: 2},
		{name: "enough", now: "12:00", today: usage(day, 100_000, 12), used: at(100_000, 12), limit: 120_000, before: before(100_000), total: 100_000, days: 1},
		{name: "twice-as-busy", now: "12:00", today: usage(day, 200_000, 12), used: at(200_000, 12), limit: 90_000, before: before(100_000, 110_000, 90_000), ends: "15:39", total: 200_000, days: 3},
		{name: "samples-are-missing", now: "12:00", today: holes, used: at(100_000, 12), limit: 90_000, before: before(100_000), ends: "21:58", total: 100_000, days: 1},
		// What was cut off by the quota says nothing of the evening: the speed of now goes on
		// there.
		{name: "yesterday-was-capped", now: "12:00", today: usage(day, 100_000, 12), used: at(100_000, 12), limit: 60_000, before: []ratelimit.Usage{capped}, ends: "18:30", total: 88_300, days: 1},
		{name: "a-capped-day-beside-whole-ones", now: "12:00", today: usage(day, 100_000, 12), used: at(100_000, 12), limit: 60_000, before: append(before(100_000), capped), ends: "18:24", total: 100_000, days: 2},
		// Right after midnight the day has no pace of its own, and too little is known.
		{name: "first-minute", now: "00:01", today: usage(day, 0, 0), used: 0, limit: 90_000, unknown: true},
		{name: "no-days-before", now: "12:00", today: usage(day, 100_000, 12), used: at(100_000, 12), limit: 90_000, ends: "", total: at(100_000, 12) + 12*5150},
		{name: "no-days-before-and-it-ends", now: "12:00", today: usage(day, 300_000, 12), used: at(300_000, 12), limit: 110_000, ends: "13:58", total: at(300_000, 12) + 12*15450},
		{name: "nothing-today", now: "12:00", today: usage(day, 0, 12), used: 0, limit: 90_000, before: before(100_000), total: 0, days: 1},
		{name: "spent", now: "12:00", today: usage(day, 100_000, 12), used: at(100_000, 12), limit: 26_500, before: before(100_000), ends: "12:00", total: 100_000, days: 1},
		{name: "nobody-looked-today", now: "12:00", today: usage(day, 0, 0), used: at(100_000, 12), limit: 90_000, before: before(100_000), ends: "21:58", total: 100_000, days: 1},
		{name: "nobody-ever-looked", now: "12:00", today: usage(day, 0, 0), used: at(100_000, 12), limit: 90_000, unknown: true},
		{name: "no-limit", now: "12:00", limit: 0, today: usage(day, 1, 1), unknown: true},
		{name: "another-day", now: "12:00", limit: 9, today: usage(day.AddDate(0, 0, -1), 1, 24), unknown: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, ok := ratelimit.Predict(clock(c.now), c.today, c.used, c.limit, c.before)
			if ok == c.unknown {
				t.Fatalf("known: %v", ok)
			}
			if c.unknown {
				return
			}
			want := clock(c.ends)
			if f.EndsAt.IsZero() != want.IsZero() || f.EndsAt.Sub(want).Abs() > 10*time.Minute {
				t.Errorf("it ends at %v, want %v", f.EndsAt.In(shanghai), want)
			}
			if math.Abs(float64(f.Total-c.total)) > 0.03*float64(c.total) || f.Days != c.days {
				t.Errorf("the day comes to %d by %d days, want %d by %d", f.Total, f.Days, c.total, c.days)
			}
		})
	}
}

// The workers note each hour once, whoever of them lives, and so know on the second day at noon
// when its quota ends.
func TestForecastOfWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &ratelimittest.Store{}
		puts := 0
		store.Fault = func(c ratelimittest.Call) ratelimittest.Fault {
			if c.Op == "put" && strings.HasPrefix(c.Key, "usage.") {
				puts++
			}
			return ratelimittest.None
		}
		cert := quota(9000)
		cert.Timezone = "Asia/Shanghai"
		var limiters []*ratelimit.Limiter
		for _, name := range []string{"w1", "w2", "w3"} {
			opts := certificates(cert)
			opts.Member, opts.Heartbeat = name, time.Minute
			l := limiter(t, store, opts)
			limiters = append(limiters, l)
			go func() { _ = l.Run(t.Context()) }() // it returns nil after Close
		}
		now := time.Now().In(shanghai)
		time.Sleep(time.Date(now.Year(), now.Month(), now.Day()+1, 0, 1, 0, 0, shanghai).Sub(now))
		begun := time.Now()
		for h := range 36 { // the first day, and the second until noon
			n := int(waking[h%24] * 10)
			g := take(t, limiters[h%3], request(n, time.Now()))
			limiters[h%3].Settle(g, counted(g.Devices, time.Now()))
			time.Sleep(time.Until(begun.Add(time.Duration(h+1) * time.Hour)))
		}
		snapshot, err := limiters[0].Snapshot(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		f := snapshot.Certificates[0].Classes[0].Normal.Forecast
		if f == nil || f.Days != 1 || f.Total < 9500 || f.Total > 10_500 || f.EndsAt.In(shanghai).Hour() < 20 || f.EndsAt.In(shanghai).Hour() > 22 {
			data, err := json.Marshal(snapshot)
			t.Errorf("%+v of %s, %v", f, data, err)
		}
		if puts != 36 {
			t.Errorf("36 hours are noted %d times by three workers", puts)
		}
		for _, l := range limiters {
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
