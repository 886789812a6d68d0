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
	entries, err := l.store.List(ctx)
	if err != nil {
		return Snapshot{}, fmt.Errorf("ratelimit: list entries: %w", err)
	}
	l.applyEntries(entries, now)
	s := Snapshot{At: now}
	held, lost := map[string]int64{}, map[string]int64{}
	for k, value := range entries {
		name, ok := strings.CutPrefix(k, memberKey+".")
		if !ok {
			continue
		}
		var m memberEntry
		if json.Unmarshal(value, &m) != nil {
			continue
		}
		s.Workers = append(s.Workers, Worker{Name: name, Share: m.Claim, Since: m.Since})
		for k, v := range m.Held {
			held[k] += v
		}
		for k, v := range m.Lost {
			lost[k] += v
		}
	}
	slices.SortFunc(s.Workers, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	for _, id := range slices.Sorted(maps.Keys(l.certs)) {
		state, err := l.certificateState(ctx, l.certs[id], entries, now, held, lost)
		if err != nil {
			return Snapshot{}, err
		}
		s.Certificates = append(s.Certificates, state)
	}
	return s, nil
}

func (l *Limiter) certificateState(ctx context.Context, cert *certificate, entries map[string][]byte, now time.Time, held, lost map[string]int64) (CertificateState, error) {
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
	for k := range entries {
		if kind, rest, _ := strings.Cut(k, "."); kind == exhaustedKey || kind == overrideKey {
			if id, name, _ := strings.Cut(rest, "."); id == cert.config.ID {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := (*cert.classes.Load())[name]
		if c == nil { // not kept: only a request knows the class's published numbers
			c = newClass(cert, vendors.Class{Name: name}, name)
			l.mu.Lock()
			l.applyClass(c, now)
			l.mu.Unlock()
		}
		cs, err := l.classState(ctx, c, now, held, lost)
		if err != nil {
			return state, err
		}
		state.Classes = append(state.Classes, cs)
	}
	return state, nil
}

func (l *Limiter) classState(ctx context.Context, c *class, now time.Time, held, lost map[string]int64) (ClassState, error) {
	today := dayRangeOf(now, c.cert.zone)
	cs := ClassState{Name: c.name, Day: today.name, Ends: c.cert.arrival.closesAt(today), DeviceCap: c.cap}
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
		return cs, nil
	}
	keys := []string{c.counterKey(normalPool, today.name), c.counterKey(reservePool, today.name)}
	values, err := l.store.Load(ctx, keys...)
	if err != nil {
		return cs, fmt.Errorf("ratelimit: load counters: %w", err)
	}
	pools := [2]*PoolState{}
	for i, k := range keys {
		leased := min(held[k], values[i])
		gone := min(lost[k], values[i]-leased)
		pools[i] = &PoolState{Limit: limits[i], Used: values[i] - leased - gone, Leased: leased, Lost: gone, Left: max(0, limits[i]-values[i])}
	}
	cs.Normal = pools[normalPool]
	if limits[reservePool] > 0 || values[reservePool] > 0 {
		cs.Urgent = pools[reservePool]
	}
	return cs, nil
}
