package ratelimit

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// usageEntry is the entry of a counter's day, hour by hour.
type usageEntry struct {
	// Used is as in [Usage].
	Used []int64 `json:"used"`
}

const (
	// usageKept is how long a day's hours are kept: a week of them makes a forecast.
	usageKept = 8 * 24 * time.Hour
	// sampleWithin is how late a count may still stand for the end of the hour before.
	sampleWithin = 10 * time.Minute
	// sampleEvery is how often it is looked whether an hour ended: there are time zones that are
	// half an hour or three quarters apart from the others.
	sampleEvery = 15 * time.Minute
	// sampleSpread is over how long the workers look, so that the first of them saves the others
	// the work.
	sampleSpread = 30 * time.Second
)

// sample is a counter to be noted for an hour that ended.
type sample struct {
	key  string // of the counter
	hour int    // of its day, from 0
}

// usageKeyOf is the key of the entry of a counter's day.
func usageKeyOf(counter string) string { return usageKey + strings.TrimPrefix(counter, quotaKey) }

// ended is the end of the last whole hour of a vendor's day before now, and which hour of which day
// it was.
func ended(now time.Time, zone *time.Location) (end time.Time, d dayRange, hour int) {
	d = dayRangeOf(now, zone)
	whole := int(now.Sub(d.start) / time.Hour)
	end = d.start.Add(time.Duration(whole) * time.Hour)
	if whole > 0 {
		return end, d, whole - 1
	}
	d = dayRangeOf(d.start.Add(-time.Second), zone)
	return end, d, int((d.end.Sub(d.start)+time.Hour-1)/time.Hour) - 1
}

// recordUsages notes what was counted of each quota in each hour, until ctx ends or Close is
// called. What fails is tried again at the next heartbeat.
func (l *Limiter) recordUsages(ctx context.Context) {
	var next time.Time
	l.eachHeartbeat(ctx, nil, func() {
		now := l.opts.Now()
		if now.Before(next) {
			return
		}
		if err := l.recordUsage(ctx, now); err != nil {
			l.storeFailed(err)
			return
		}
		l.mu.Lock()
		wait := time.Duration(l.phase * float64(sampleSpread))
		l.mu.Unlock()
		next = now.Truncate(sampleEvery).Add(sampleEvery + wait)
	})
}

// recordUsage notes what was counted of each quota in the hour that ended just now, if no other
// worker did.
func (l *Limiter) recordUsage(ctx context.Context, now time.Time) error {
	var samples []sample
	for c := range l.allClasses() {
		end, day, hour := ended(now, c.cert.zone)
		if now.Sub(end) >= sampleWithin {
			continue
		}
		c.mu.Lock()
		limited := c.dailyQuota() >= 0
		c.mu.Unlock()
		for pool := range poolNames {
			if limited {
				samples = append(samples, sample{c.counterKey(pool, day.name), hour})
			}
		}
	}
	if len(samples) == 0 {
		return nil
	}
	return l.putSamples(ctx, samples)
}

// putSamples stores the samples that nobody has stored yet. A counter that counted nothing costs no
// entry.
func (l *Limiter) putSamples(ctx context.Context, samples []sample) error {
	ctx, cancel := context.WithTimeout(ctx, 5*l.opts.StoreTimeout)
	defer cancel()
	known, err := l.usage(ctx)
	if err != nil {
		return err
	}
	samples = slices.DeleteFunc(samples, func(s sample) bool {
		used := known[usageKeyOf(s.key)]
		return s.hour < len(used) && used[s.hour] >= 0
	})
	keys := make([]string, len(samples))
	for i, s := range samples {
		keys[i] = s.key
	}
	values, err := l.store.Load(ctx, keys...)
	if err != nil {
		return err
	}
	for i, s := range samples {
		if values[i] <= 0 {
			continue
		}
		used := slices.Clone(known[usageKeyOf(s.key)])
		for len(used) <= s.hour {
			used = append(used, -1)
		}
		used[s.hour] = values[i]
		data, err := json.Marshal(usageEntry{used})
		if err != nil {
			return err
		}
		if err := l.store.Put(ctx, usageKeyOf(s.key), data, usageKept); err != nil {
			return err
		}
	}
	return nil
}

// usage reads the hours of all counters, by the keys of their entries. One that cannot be read
// counts as absent.
func (l *Limiter) usage(ctx context.Context) (map[string][]int64, error) {
	entries, err := l.store.List(ctx, usageKey)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]int64, len(entries))
	for key, value := range entries {
		var e usageEntry
		if json.Unmarshal(value, &e) == nil {
			all[key] = e.Used
		}
	}
	return all, nil
}

// forecast is where a pool of a class goes today, by the hours of its days.
func (c *class) forecast(pool int, p *PoolState, usage map[string][]int64, now time.Time) *Forecast {
	of := func(d dayRange) Usage {
		return Usage{Start: d.start, End: d.end, Used: usage[usageKeyOf(c.counterKey(pool, d.name))]}
	}
	d := dayRangeOf(now, c.cert.zone)
	today := of(d)
	var before []Usage
	for range int(usageKept / (24 * time.Hour)) {
		d = dayRangeOf(d.start.Add(-time.Second), c.cert.zone)
		before = append(before, of(d))
	}
	f, ok := Predict(now, today, p.Used, p.Limit, before)
	if !ok {
		return nil
	}
	f.EndsAt = f.EndsAt.UTC()
	return &f
}
