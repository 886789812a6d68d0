package ratelimit

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// probeTime is how long a probe may stay unanswered before another one is allowed.
const probeTime = 30 * time.Second

// minLatch keeps a vendor whose day is not ours from being asked again and again: its word holds
// for a minute at least.
const minLatch = time.Minute

// The pools of a day. Calls take from the reserve first; everything else never does.
const (
	normalPool = iota
	reservePool
)

var poolNames = [2]string{normalPool: "normal", reservePool: "urgent"}

// class is a message class of a certificate.
type class struct {
	cert  *certificate
	name  string
	known vendors.Class // as the first who asked gave it
	quota vendors.Quota // configured, else published
	cap   int64         // of a device and day; 0 for none

	plain atomic.Bool // no quota and no latch: nothing to look at

	mu       sync.Mutex
	days     []*day // the open ones, oldest first; two around midnight
	latch    latch
	override *override
	seen     map[string]string // the notes applied last, by kind
}

// day is a vendor's day of a class.
type day struct {
	span
	pools [2]pool
}

// latch is the vendor's word that the quota is spent.
type latch struct {
	until   time.Time // zero when there is none
	listed  bool      // it was seen on the board
	probing bool      // past until, one push is on its way to find out
	probeAt time.Time
}

// spent is the value of a latch's note.
type spent struct {
	Until time.Time `json:"until"`
	By    string    `json:"by,omitempty"`
}

// override is the value of an operator's note.
type override struct {
	// Quota replaces the configured one; nil leaves it, below 0 is unlimited.
	Quota *int64 `json:"quota,omitempty"`
	// Forgiven is what the pools had counted when an operator reset them, added to their limits on
	// Day.
	Forgiven [2]int64  `json:"forgiven,omitzero"`
	Day      string    `json:"day,omitempty"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason"`
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at"`
}

func newClass(cert *certificate, vc vendors.Class, name string) *class {
	c := &class{cert: cert, name: name, known: vc, quota: vendors.Unlimited, seen: map[string]string{}}
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
	c.settle()
	return c
}

// settle recomputes plain. Called with mu held, or before the class is shared.
func (c *class) settle() { c.plain.Store(c.daily() < 0 && c.latch.until.IsZero()) }

// daily is the quota in force.
func (c *class) daily() vendors.Quota {
	if o := c.override; o != nil && o.Quota != nil {
		return vendors.Quota(*o.Quota)
	}
	return c.quota
}

// limit is the limit of a pool on a day. Called with mu held, the quota not being unlimited.
func (c *class) limit(d *day, pool int) int64 {
	total := int64(c.daily())
	limit := int64(float64(total) * c.cert.config.UrgentReserve)
	if pool == normalPool {
		limit = total - limit
	}
	if o := c.override; o != nil && o.Day == d.name {
		limit += o.Forgiven[pool]
	}
	return limit
}

// touching gives the first and the last day that a call made at now can arrive in; mostly they are
// the same. Called with mu held.
func (c *class) touching(now time.Time) (first, last *day) {
	for _, d := range c.days {
		if c.cert.band.within(d.span, now) {
			return d, d
		}
	}
	from, to := c.cert.band.window(now)
	first, last = c.open(from), c.open(to)
	for len(c.days) > 0 && c.days[0] != first && !now.Before(c.cert.band.over(c.days[0].span)) {
		c.days = c.days[1:]
	}
	return first, last
}

// open finds or makes the day that t lies in.
func (c *class) open(t time.Time) *day {
	for _, d := range c.days {
		if !t.Before(d.start) && t.Before(d.end) {
			return d
		}
	}
	d := &day{span: spanOf(t, c.cert.zone)}
	for i := range d.pools {
		d.pools[i].key = c.counter(i, d.name)
	}
	at := len(c.days)
	for at > 0 && c.days[at-1].start.After(d.start) {
		at--
	}
	c.days = append(c.days[:at:at], append([]*day{d}, c.days[at:]...)...)
	return d
}

func (c *class) counter(pool int, day string) string {
	return key(quotaCounter, c.cert.config.ID, c.name, poolNames[pool], day)
}

// refusal is why nothing was granted, and when to come again.
type refusal struct {
	reason vendors.Reason
	wait   time.Duration
}

// gate looks at the latch: past its time one push goes through to find out. Called with mu held.
func (c *class) gate(now time.Time) (probe bool, no refusal) {
	switch la := &c.latch; {
	case la.until.IsZero():
		return false, refusal{}
	case now.Before(la.until):
		return false, refusal{vendors.QuotaSpent, la.until.Sub(now)}
	case la.probing && now.Before(la.probeAt.Add(probeTime)):
		return false, refusal{vendors.RateLimited, lookSoon}
	default:
		la.probing, la.probeAt = true, now
		return true, refusal{}
	}
}

// shut latches the class after the vendor's word about a call made at at. Where the call may have
// arrived on either side of midnight the earlier day is meant: the vendor's new day can hardly be
// spent yet. Called with mu held.
func (c *class) shut(at, now time.Time) (until time.Time, news bool) {
	from, _ := c.cert.band.window(at)
	until = c.cert.band.over(spanOf(from, c.cert.zone))
	if least := now.Add(minLatch); until.Before(least) {
		until = least
	}
	if !until.After(c.latch.until) {
		return c.latch.until, false
	}
	c.latch = latch{until: until}
	c.settle()
	return until, true
}

// unlatch forgets the vendor's word. Called with mu held.
func (c *class) unlatch() {
	c.latch = latch{}
	c.settle()
}

// apply takes what the board says of the class: the latch's and the override's notes, "" where
// there is none. It reports what changed. Notes that cannot be read count as absent.
func (c *class) apply(spentValue, overrideValue string, now time.Time) (changes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s spent
	switch {
	case spentValue != "" && json.Unmarshal([]byte(spentValue), &s) == nil && s.Until.After(now):
		if s.Until.After(c.latch.until) {
			c.latch = latch{until: s.Until}
			changes = append(changes, "latched")
		}
		c.latch.listed = true
	case spentValue == "" && c.latch.listed && now.Before(c.latch.until):
		c.latch = latch{} // an operator removed it
		changes = append(changes, "unlatched")
	}
	if c.seen[overrideNote] != overrideValue {
		c.seen[overrideNote] = overrideValue
		c.override = nil
		var o override
		if json.Unmarshal([]byte(overrideValue), &o) == nil {
			c.override = &o
		}
		for _, d := range c.days { // look at once what the new limit leaves
			for i := range d.pools {
				d.pools[i].dryAt, d.pools[i].lookAt = time.Time{}, time.Time{}
			}
		}
		changes = append(changes, "overridden")
	}
	if o := c.override; o != nil && !now.Before(o.Until) {
		c.override = nil
		changes = append(changes, "override_over")
	}
	c.settle()
	return changes
}
