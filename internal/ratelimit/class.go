package ratelimit

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// probeTimeout is how long a probe may stay without an answer before another one is allowed.
const probeTimeout = 30 * time.Second

// minExhaustion is the shortest time for which a class stays stopped. It keeps a vendor whose day
// ends later than we believe from being asked again and again.
const minExhaustion = time.Minute

// The pools of a day. Urgent requests take from the reserve first; other requests never do.
const (
	normalPool = iota
	reservePool
)

var poolNames = [2]string{normalPool: "normal", reservePool: "urgent"}

// class is a message class of a certificate.
type class struct {
	cert  *certificate
	name  string
	known vendors.Class // as given with the first request
	quota vendors.Quota // configured, else published
	cap   int64         // of a device and day; 0 for none

	exhaustedKey, overrideKey string // of its entries

	unlimited atomic.Bool // no quota, and not exhausted: nothing to check

	mu          sync.Mutex
	days        []*day // the open ones, oldest first; two around midnight
	exhausted   exhaustion
	override    *overrideEntry
	lastApplied map[string]string // the entries applied last, by kind
}

// day is one of the vendor's days, for a class.
type day struct {
	dayRange
	pools [2]pool
}

// exhaustion is the state of a class whose quota the vendor reported as spent.
type exhaustion struct {
	until     time.Time // zero when there is none
	published bool      // its entry was seen in the KV
	probing   bool      // until has passed, and one push is under way to find out
	probedAt  time.Time
}

// exhaustedEntry is the entry that says that the vendor reported a quota as spent.
type exhaustedEntry struct {
	Until time.Time `json:"until"`
	By    string    `json:"by,omitempty"`
}

// overrideEntry is the entry of an operator's override.
type overrideEntry struct {
	// Quota replaces the configured one: nil leaves it as it is, a negative number is unlimited.
	Quota *int64 `json:"quota,omitempty"`
	// Forgiven is what the pools had counted when an operator reset them. On Day it is added to
	// their limits.
	Forgiven [2]int64  `json:"forgiven,omitzero"`
	Day      string    `json:"day,omitempty"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason"`
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at"`
}

func newClass(cert *certificate, vc vendors.Class, name string) *class {
	c := &class{cert: cert, name: name, known: vc, quota: vendors.Unlimited, lastApplied: map[string]string{}}
	c.exhaustedKey, c.overrideKey = joinKey(exhaustedKey, cert.config.ID, name), joinKey(overrideKey, cert.config.ID, name)
	c.known.Name = name
	if vc.DailyQuota > 0 {
		c.quota = vendors.Quota(vc.DailyQuota)
	}
	if q, ok := cert.config.DailyQuota[name]; ok {
		c.quota = q
	}
	if vc.Capped {
		c.cap = int64(max(0, vc.DeviceCap))
		if q, ok := cert.config.DeviceCap[name]; ok {
			c.cap = max(0, int64(q))
		}
	}
	c.updateUnlimited()
	return c
}

// updateUnlimited recomputes unlimited. Called with mu held, or before the class is shared.
func (c *class) updateUnlimited() {
	c.unlimited.Store(c.dailyQuota() < 0 && c.exhausted.until.IsZero())
}

// active reports whether a pool holds something, spent something lately, or waits for an answer.
func (c *class) active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.days {
		for i := range d.pools {
			if p := &d.pools[i]; p.held > 0 || p.spent > 0 || p.spentBefore > 0 || p.lost > 0 || len(p.unconfirmed) > 0 {
				return true
			}
		}
	}
	return false
}

// dailyQuota is the quota that applies now: the override's or the configured one.
func (c *class) dailyQuota() vendors.Quota {
	if o := c.override; o != nil && o.Quota != nil {
		return vendors.Quota(*o.Quota)
	}
	return c.quota
}

// limit is the limit of a pool on a day. Called with mu held, the quota not being unlimited.
func (c *class) limit(d *day, pool int) int64 {
	total := int64(c.dailyQuota())
	limit := int64(float64(total) * c.cert.config.UrgentReserve)
	if pool == normalPool {
		limit = total - limit
	}
	if o := c.override; o != nil && o.Day == d.name {
		limit += o.Forgiven[pool]
	}
	return limit
}

// daysOf returns the first and the last day in which a call made at now can arrive; mostly they are
// the same. Called with mu held.
func (c *class) daysOf(now time.Time) (first, last *day) {
	for _, d := range c.days {
		if c.cert.arrival.onlyIn(d.dayRange, now) {
			return d, d
		}
	}
	from, to := c.cert.arrival.bounds(now)
	first, last = c.dayAt(from), c.dayAt(to)
	for len(c.days) > 0 && c.days[0] != first && !now.Before(c.cert.arrival.closesAt(c.days[0].dayRange)) {
		c.days = c.days[1:]
	}
	return first, last
}

// dayAt returns the day that contains t, and makes it if needed.
func (c *class) dayAt(t time.Time) *day {
	for _, d := range c.days {
		if !t.Before(d.start) && t.Before(d.end) {
			return d
		}
	}
	d := &day{dayRange: dayRangeOf(t, c.cert.zone)}
	for i := range d.pools {
		d.pools[i].key = c.counterKey(i, d.name)
	}
	at := len(c.days)
	for at > 0 && c.days[at-1].start.After(d.start) {
		at--
	}
	c.days = append(c.days[:at:at], append([]*day{d}, c.days[at:]...)...)
	return d
}

func (c *class) counterKey(pool int, day string) string {
	return joinKey(quotaKey, c.cert.config.ID, c.name, poolNames[pool], day)
}

// denial says why nothing was granted, and when to ask again.
type denial struct {
	reason vendors.Reason
	wait   time.Duration
}

// gate denies everything while the class is exhausted. After that it lets one push through as a
// probe. Called with mu held.
func (c *class) gate(now time.Time) (probe bool, denied denial) {
	switch e := &c.exhausted; {
	case e.until.IsZero():
		return false, denial{}
	case now.Before(e.until):
		return false, denial{vendors.QuotaSpent, e.until.Sub(now)}
	case e.probing && now.Before(e.probedAt.Add(probeTimeout)):
		return false, denial{vendors.RateLimited, recheckSoon}
	default:
		e.probing, e.probedAt = true, now
		return true, denial{}
	}
}

// markExhausted stops the class until the vendor's day ends, because the vendor reported its quota
// as spent. sentAt is when the call was made. If the call may have arrived on either side of
// midnight, the day that ended is meant: the quota of the new one can hardly be spent yet. news is
// false if the class was stopped for that long already. Called with mu held.
func (c *class) markExhausted(sentAt, now time.Time) (until time.Time, news bool) {
	from, _ := c.cert.arrival.bounds(sentAt)
	until = c.cert.arrival.closesAt(dayRangeOf(from, c.cert.zone))
	if least := now.Add(minExhaustion); until.Before(least) {
		until = least
	}
	if !until.After(c.exhausted.until) {
		return c.exhausted.until, false
	}
	c.exhausted = exhaustion{until: until}
	c.updateUnlimited()
	return until, true
}

// resume ends the exhaustion. Called with mu held.
func (c *class) resume() {
	c.exhausted = exhaustion{}
	c.updateUnlimited()
}

// applyEntries takes the class's entries of the KV, of its exhaustion and of its override, each ""
// if there is none, and returns what changed. Entries that cannot be read count as absent.
func (c *class) applyEntries(exhaustedValue, overrideValue string, now time.Time) (changes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s exhaustedEntry
	switch {
	case exhaustedValue != "" && json.Unmarshal([]byte(exhaustedValue), &s) == nil && s.Until.After(now):
		if s.Until.After(c.exhausted.until) {
			c.exhausted = exhaustion{until: s.Until}
			changes = append(changes, "exhausted")
		}
		c.exhausted.published = true
	case exhaustedValue == "" && c.exhausted.published && now.Before(c.exhausted.until):
		c.exhausted = exhaustion{} // an operator removed it
		changes = append(changes, "resumed")
	}
	if c.lastApplied[overrideKey] != overrideValue {
		c.lastApplied[overrideKey] = overrideValue
		c.override = nil
		var o overrideEntry
		if json.Unmarshal([]byte(overrideValue), &o) == nil {
			c.override = &o
		}
		for _, d := range c.days { // look at once what the new limit leaves
			for i := range d.pools {
				d.pools[i].emptySince, d.pools[i].recheckAt = time.Time{}, time.Time{}
			}
		}
		changes = append(changes, "overridden")
	}
	if o := c.override; o != nil && !now.Before(o.Until) {
		c.override = nil
		changes = append(changes, "override_ended")
	}
	c.updateUnlimited()
	return changes
}
