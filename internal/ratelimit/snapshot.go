package ratelimit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Snapshot is the state of all limits, for an operator.
type Snapshot struct {
	At           time.Time          `json:"at"`
	Workers      []Worker           `json:"workers"`
	Certificates []CertificateState `json:"certificates"`
}

// Worker is a live worker.
type Worker struct {
	Name string `json:"name"`
	// Share is the part of every rate that it claims, 0 to 1.
	Share float64   `json:"share"`
	Since time.Time `json:"since,omitzero"`
}

// CertificateState is the state of a certificate's limits now.
type CertificateState struct {
	ID string `json:"id"`
	// Unit is "devices" or "requests"; empty where neither a rate is configured nor the vendor said
	// "too fast".
	Unit string `json:"unit,omitempty"`
	// Rate is the configured one, Current the one in force, a second and for all workers; 0 for
	// none.
	Rate    float64 `json:"rate,omitempty"`
	Current float64 `json:"current,omitempty"`
	// PausedUntil is the end of a Retry-After.
	PausedUntil time.Time    `json:"paused_until,omitzero"`
	Classes     []ClassState `json:"classes,omitempty"`
}

// ClassState is the state of a message class today.
type ClassState struct {
	Name string `json:"name"`
	// Day is the vendor's, yyyymmdd; Ends is when its quota is there again.
	Day  string    `json:"day"`
	Ends time.Time `json:"ends"`
	// Quota is the one in force, Configured what the configuration or the vendor's published number
	// says; -1 is unlimited.
	Quota      vendors.Quota `json:"quota"`
	Configured vendors.Quota `json:"configured"`
	// Normal is the part for everything, Urgent the reserve; nil where there is none.
	Normal *PoolState `json:"normal,omitempty"`
	Urgent *PoolState `json:"urgent,omitempty"`
	// DeviceCap is the number a device and day; 0 for none.
	DeviceCap int64 `json:"device_cap,omitempty"`
	// SpentUntil is until when the class is stopped because the vendor reported its quota as spent.
	SpentUntil time.Time `json:"spent_until,omitzero"`
	// Override is the operator's override that is in force.
	Override *OverrideState `json:"override,omitempty"`
}

// PoolState is a counter against its limit: Used + Leased + Lost + Left = Limit, as long as nothing
// was forgiven or lowered.
type PoolState struct {
	Limit int64 `json:"limit"`
	// Used was sent, or was held by a worker that crashed.
	Used int64 `json:"used"`
	// Leased is held by live workers, as of their last heartbeat.
	Leased int64 `json:"leased"`
	// Lost cannot be used today: the store's answer was lost.
	Lost int64 `json:"lost,omitempty"`
	Left int64 `json:"left"`
	// Forecast is where it goes today; nil while too little is known.
	Forecast *Forecast `json:"forecast,omitempty"`
}

// OverrideState is an operator's override.
type OverrideState struct {
	Quota  *int64    `json:"quota,omitempty"`
	Reset  bool      `json:"reset,omitempty"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// Snapshot reads the state of all limits from the store. It needs no Run, so a program that is not
// a worker can call it. Such a program knows the classes that are configured or given in
// Certificate.Classes, and those of which the store has entries.
func (l *Limiter) Snapshot(ctx context.Context, now time.Time) (Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*l.opts.StoreTimeout)
	defer cancel()
	lists := map[string]map[string][]byte{}
	for _, kind := range []string{Members, Held, State} {
		entries, err := l.store.List(ctx, kind)
		if err != nil {
			return Snapshot{}, fmt.Errorf("ratelimit: list entries: %w", err)
		}
		lists[kind] = entries
	}
	entries := lists[State]
	l.applyEntries(entries, now)
	s := Snapshot{At: now}
	for k, value := range lists[Members] {
		var m memberEntry
		if json.Unmarshal(value, &m) == nil {
			s.Workers = append(s.Workers, Worker{Name: strings.TrimPrefix(k, Members+"."), Share: m.Claim, Since: m.Since})
		}
	}
	held, lost := map[string]int64{}, map[string]int64{}
	for _, value := range lists[Held] {
		var h heldEntry
		if json.Unmarshal(value, &h) != nil {
			continue
		}
		for k, v := range h.Held {
			held[k] += v
		}
		for k, v := range h.Lost {
			lost[k] += v
		}
	}
	slices.SortFunc(s.Workers, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	named := classesNamed(entries)
	var counted []countedClass
	certs := *l.certs.Load()
	for _, id := range slices.Sorted(maps.Keys(certs)) {
		state := l.certificateState(certs[id], named[id], now, func(c countedClass) { counted = append(counted, c) })
		s.Certificates = append(s.Certificates, state)
	}
	var keys []string
	for _, c := range counted {
		keys = append(keys, c.keys[:]...)
	}
	values, err := l.store.Load(ctx, keys...)
	if err != nil {
		return Snapshot{}, fmt.Errorf("ratelimit: load counters: %w", err)
	}
	usage, err := l.usage(ctx)
	if err != nil {
		return Snapshot{}, fmt.Errorf("ratelimit: list the hours of quotas: %w", err)
	}
	for i, c := range counted {
		c.fill([2]int64(values[2*i:]), held, lost)
		for pool, p := range [2]*PoolState{c.state.Normal, c.state.Urgent} {
			if p != nil {
				p.Forecast = c.of.forecast(pool, p, usage, now)
			}
		}
	}
	return s, nil
}

// classesNamed are the classes of which there are entries, by certificate.
func classesNamed(entries map[string][]byte) map[string][]string {
	named := map[string][]string{}
	for k := range entries {
		for _, prefix := range []string{exhaustedKey, overrideKey} {
			if rest, ok := strings.CutPrefix(k, prefix+"."); ok {
				id, name, _ := strings.Cut(rest, ".")
				named[id] = append(named[id], name)
			}
		}
	}
	return named
}

// countedClass is the state of a class whose counters are still to be read.
type countedClass struct {
	of     *class
	state  *ClassState
	keys   [2]string
	limits [2]int64
}

func (c *countedClass) fill(values [2]int64, held, lost map[string]int64) {
	pools := [2]*PoolState{}
	for i, k := range c.keys {
		leased := min(held[k], values[i])
		gone := min(lost[k], values[i]-leased)
		pools[i] = &PoolState{Limit: c.limits[i], Used: values[i] - leased - gone, Leased: leased, Lost: gone, Left: max(0, c.limits[i]-values[i])}
	}
	c.state.Normal = pools[normalPool]
	if c.limits[reservePool] > 0 || values[reservePool] > 0 {
		c.state.Urgent = pools[reservePool]
	}
}

// certificateState is the state without the counters; it calls count for each class that has some.
func (l *Limiter) certificateState(cert *certificate, named []string, now time.Time, count func(countedClass)) CertificateState {
	state := CertificateState{ID: cert.config.ID, Rate: cert.throttle.base}
	t := cert.throttle
	t.mu.Lock()
	if state.Current = t.current(t.clock(now)); state.Current > 0 {
		state.Unit = "devices"
		if t.perRequest {
			state.Unit = "requests"
		}
	}
	if t.paused(now) {
		state.PausedUntil = t.slowdown.pausedUntil
	}
	t.mu.Unlock()

	names := map[string]bool{}
	for name := range *cert.classes.Load() {
		names[name] = true
	}
	for name := range cert.config.DailyQuota {
		names[name] = true
	}
	for _, name := range named {
		names[name] = true
	}
	sorted := slices.Sorted(maps.Keys(names))
	state.Classes = make([]ClassState, len(sorted))
	for i, name := range sorted {
		c := (*cert.classes.Load())[name]
		if c == nil { // not kept: only a request knows the class's published numbers
			c = newClass(cert, vendors.Class{Name: name}, name)
			l.mu.Lock()
			l.applyClass(c, now)
			l.mu.Unlock()
		}
		if counted := c.describe(&state.Classes[i], now); counted != nil {
			count(*counted)
		}
	}
	return state
}

// describe fills in the state of the class, without its counters; nil where it has none.
func (c *class) describe(cs *ClassState, now time.Time) *countedClass {
	today := dayRangeOf(now, c.cert.zone)
	*cs = ClassState{Name: c.name, Day: today.name, Ends: c.cert.arrival.closesAt(today), DeviceCap: c.cap}
	var limits [2]int64
	c.mu.Lock()
	cs.Quota, cs.Configured, cs.SpentUntil = c.dailyQuota(), c.quota, c.exhausted.until
	for i := range limits {
		limits[i] = c.limit(&day{dayRange: today}, i)
	}
	if o := c.override; o != nil {
		cs.Override = &OverrideState{Quota: o.Quota, Reset: o.Day == today.name, Until: o.Until, Reason: o.Reason, By: o.By, At: o.At}
	}
	c.mu.Unlock()
	if cs.Quota < 0 {
		return nil
	}
	return &countedClass{c, cs, [2]string{c.counterKey(normalPool, today.name), c.counterKey(reservePool, today.name)}, limits}
}
