package sandbox

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Core is what the fakes of all vendors share: the faults that are armed, the dead tokens, the
// ledger of accepted pushes and of broken rules. It may be used by many goroutines.
type Core struct {
	now     func() time.Time
	keep    int
	unpaced bool
	// large has places for large calls, one less than there are processors but one at least: the
	// vendors share a machine here, and a small call of one shall not wait for large ones of
	// others.
	large chan struct{}

	// Every device of every call asks for faults and for dead tokens, which hardly ever change: a
	// call with many devices must not wait for its turn with each of them.
	arming  sync.RWMutex // of the next three
	faults  []*Fault
	spent   []*Fault // hang faults that struck their last time: calls may still wait on them
	faultID int

	killing sync.RWMutex                    // of the next one
	dead    map[string]map[string]time.Time // vendor, token

	mu     sync.Mutex // of the rest
	pushes []Push     // the newest keep of them
	counts map[string]Counts
	phones map[string]string // vendor and token: the name of the phone
	// vendor, app, token and collapse key: how often a push with this key was accepted
	shown      map[string]int
	violations []Violation
	watchers   map[chan Push]struct{}
}

// Counts of one vendor.
type Counts struct {
	// Requests counts calls to the push API.
	Requests int64 `json:"requests"`
	// Logins counts calls that ask for an access token.
	Logins int64 `json:"logins"`
	// Accepted counts devices whose push was taken, Repeats those of them that replaced or repeated
	// an earlier one.
	Accepted int64 `json:"accepted"`
	Repeats  int64 `json:"repeats"`
	// OnlyBadge counts devices whose number was changed by a push that shows nothing; Accepted does
	// not.
	OnlyBadge int64 `json:"only_badge"`
	// Withdrawn counts devices for which the vendor was asked to take back a push.
	Withdrawn int64 `json:"withdrawn,omitzero"`
	// Refused counts devices that were refused without a rule being broken, Violations broken
	// rules.
	Refused    int64 `json:"refused"`
	Violations int64 `json:"violations"`
}

// Push is one accepted notification, as the phone would show it.
type Push struct {
	Seq    int64     `json:"seq"`
	At     time.Time `json:"at"`
	Vendor string    `json:"vendor"`
	// App is the vendor's name of the app: topic, project, app id or package.
	App   string `json:"app"`
	Token string `json:"token"`
	// Phone is the name of the phone that has the token; empty where nobody told it. A phone with
	// a token of its own for calls has one name for both.
	Phone string `json:"phone,omitempty"`
	// Key is that by which a phone replaces what it shows, or else by which the vendor
	// deduplicates; empty where the request had nothing.
	Key string `json:"key,omitempty"`
	// Once is that by which a phone drops a push beside Key: the first with it stays as it is.
	Once     string `json:"-"`
	VendorID string `json:"vendor_id,omitempty"`
	// Group is what the phone groups notifications by; empty where the request named nothing.
	Group    string `json:"group,omitempty"`
	Title    string `json:"title"`
	Subtitle string `json:"subtitle,omitempty"`
	Body     string `json:"body"`
	// Ext is what the app gets on tap.
	Ext string `json:"ext,omitempty"`
	// Class is the vendor's message class or category, Channel the Android channel.
	Class   string `json:"class,omitempty"`
	Channel string `json:"channel,omitempty"`
	Sound   string `json:"sound,omitempty"`
	Image   string `json:"image,omitempty"`
	Badge   *int   `json:"badge,omitempty"`
	// OnlyBadge marks a push that shows nothing and changes the number on the icon.
	OnlyBadge bool `json:"only_badge,omitzero"`
	// Clears says that the phone takes all notifications of the app off the screen with it.
	Clears bool `json:"-"`
	// Call marks an incoming call.
	Call bool `json:"call,omitzero"`
	// CallID is the call that it is about, as far as the request says so.
	CallID string `json:"call_id,omitempty"`
	// EndsCall says that the call rings no more: the app ends a call screen that it opened for it.
	EndsCall bool `json:"-"`
	// Gone are the Seqs of earlier pushes that leave the screen with it, without being replaced.
	Gone []int64 `json:"gone,omitempty"`
	// Quiet says that the phone makes no sound for it and lights nothing.
	Quiet bool `json:"quiet,omitzero"`
	// Dropped says that the phone changed nothing: it has had a push with this Once.
	Dropped bool `json:"dropped,omitzero"`
	// Repeat says that a push with this key had been accepted for this token before, so that the
	// screen shows it once.
	Repeat bool `json:"repeat,omitzero"`
	// Times, of a repeat, is how often a push with this key has been accepted for this token: 2 for
	// the first repeat.
	Times int `json:"times,omitzero"`
}

// Violation is a rule of a vendor that a request broke.
type Violation struct {
	At     time.Time `json:"at"`
	Vendor string    `json:"vendor"`
	// Rule is the broken rule in words, such as "aps.alert is required for push type alert".
	Rule string `json:"rule"`
	// Code is what the fake answered.
	Code string `json:"code"`
}

// Options of a sandbox. The zero value is useful.
type Options struct {
	// Now is the vendors' clock; nil is time.Now.
	Now func() time.Time
	// Keep is how many of the newest pushes are remembered in full; 0 means 1,000, a negative
	// number all.
	Keep int
	// Unpaced lets devices have more pushes than the vendors publish, for benchmarks that send to
	// few of them.
	Unpaced bool
}

// Shanghai is the zone of the Chinese vendors' days.
var Shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

// NumericCode returns a code as the number that it is; one that is none stays text, as a fault may
// want it.
func NumericCode(code string) any {
	if n, err := strconv.Atoi(code); err == nil {
		return n
	}
	return code
}

// NewCore returns an empty core.
func NewCore(opts Options) *Core {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Keep == 0 {
		opts.Keep = 1000
	}
	return &Core{
		now: opts.Now, keep: opts.Keep, unpaced: opts.Unpaced, large: make(chan struct{}, max(runtime.GOMAXPROCS(0)-1, 1)),
		dead: map[string]map[string]time.Time{}, counts: map[string]Counts{}, shown: map[string]int{},
		phones: map[string]string{}, watchers: map[chan Push]struct{}{},
	}
}

// Now is the vendors' clock.
func (c *Core) Now() time.Time { return c.now() }

// Unpaced says whether devices have more pushes than the vendors publish.
func (c *Core) Unpaced() bool { return c.unpaced }

// NamePhone gives a phone's name to a token of it.
func (c *Core) NamePhone(vendor, token, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.phones) >= 1<<20 {
		clear(c.phones)
	}
	c.phones[vendor+"\x00"+token] = name
}

// Accept records a push that the vendor took and returns it with Seq, At, Phone, Repeat and Gone
// filled in.
func (c *Core) Accept(p Push) Push {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts[p.Vendor]
	if p.OnlyBadge {
		counts.OnlyBadge++
	} else {
		counts.Accepted++
	}
	p.At = c.now()
	p.Phone = c.phones[p.Vendor+"\x00"+p.Token]
	if p.Key != "" {
		id := p.Vendor + "\x00" + p.App + "\x00" + p.Token + "\x00" + p.Key
		p.Repeat = c.shown[id] > 0
		c.shown[id]++
		if p.Repeat {
			counts.Repeats++
			p.Times = c.shown[id]
		}
		// The fake of a busy benchmark must not grow for ever; tests that need every key keep
		// everything.
		if c.keep >= 0 && len(c.shown) > 100*c.keep+100_000 {
			clear(c.shown)
		}
	}
	if p.Once != "" {
		id := p.Vendor + "\x00" + p.App + "\x00" + p.Token + "\x00\x00" + p.Once
		p.Dropped = c.shown[id] > 0
		c.shown[id]++
	}
	c.counts[p.Vendor] = counts
	var total int64
	for _, n := range c.counts {
		total += n.Accepted + n.OnlyBadge
	}
	p.Seq = total
	p.Gone = c.gone(&p)
	c.pushes = append(c.pushes, p)
	if c.keep >= 0 && len(c.pushes) > 2*c.keep {
		c.pushes = slices.Clone(c.pushes[len(c.pushes)-c.keep:])
	}
	for w := range c.watchers {
		select {
		case w <- p:
		default: // a page that reads too slowly misses cards; the ledger does not
		}
	}
	return p
}

// Withdraw counts a device for which a push was to be taken back.
func (c *Core) Withdraw(vendor string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts[vendor]
	counts.Withdrawn++
	c.counts[vendor] = counts
}

// Seen reports whether a push with this key was accepted for this token before.
func (c *Core) Seen(vendor, app, token, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown[vendor+"\x00"+app+"\x00"+token+"\x00"+key] > 0
}

// Request counts a call to a vendor's push API.
func (c *Core) Request(vendor string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts[vendor]
	counts.Requests++
	c.counts[vendor] = counts
}

// Login counts a call to a vendor's login.
func (c *Core) Login(vendor string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts[vendor]
	counts.Logins++
	c.counts[vendor] = counts
}

// Refuse counts n devices that were refused without a rule being broken: a dead token, a quota, a
// fault.
func (c *Core) Refuse(vendor string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts[vendor]
	counts.Refused += int64(n)
	c.counts[vendor] = counts
}

// Violate records a broken rule: rule in words, code as answered.
func (c *Core) Violate(vendor, code, rule string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts[vendor]
	counts.Violations++
	c.counts[vendor] = counts
	c.violations = append(c.violations, Violation{At: c.now(), Vendor: vendor, Rule: rule, Code: code})
	if len(c.violations) > 1000 {
		c.violations = slices.Clone(c.violations[500:])
	}
}

// Kill makes a token dead from now on; Revive undoes it.
func (c *Core) Kill(vendor, token string) {
	c.killing.Lock()
	defer c.killing.Unlock()
	if c.dead[vendor] == nil {
		c.dead[vendor] = map[string]time.Time{}
	}
	c.dead[vendor][token] = c.now()
}

// Revive makes a dead token live again.
func (c *Core) Revive(vendor, token string) {
	c.killing.Lock()
	defer c.killing.Unlock()
	delete(c.dead[vendor], token)
}

// Dead reports whether a token is dead, and since when. One of nothing but zeros always is: nobody
// has it, so that credentials can be tried without a push to anybody.
func (c *Core) Dead(vendor, token string) (since time.Time, dead bool) {
	if token != "" && strings.Trim(token, "0") == "" {
		return c.Now().Add(-24 * time.Hour), true
	}
	c.killing.RLock()
	defer c.killing.RUnlock()
	since, dead = c.dead[vendor][token]
	return since, dead
}

// DeadTokens returns the dead tokens by vendor, in order.
func (c *Core) DeadTokens() map[string][]string {
	c.killing.RLock()
	defer c.killing.RUnlock()
	dead := map[string][]string{}
	for vendor, tokens := range c.dead {
		if len(tokens) > 0 {
			dead[vendor] = slices.Sorted(maps.Keys(tokens))
		}
	}
	return dead
}

// Pushes returns the accepted pushes that are still remembered, oldest first.
func (c *Core) Pushes() []Push {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.pushes)
}

// PushesAfter returns the accepted pushes with a Seq above seq that are still remembered, oldest
// first.
func (c *Core) PushesAfter(seq int64) []Push {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, _ := slices.BinarySearchFunc(c.pushes, seq+1, func(p Push, seq int64) int { return cmp.Compare(p.Seq, seq) })
	return slices.Clone(c.pushes[at:])
}

// lastSeq is the Seq of the newest push, 0 before the first.
func (c *Core) lastSeq() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pushes) == 0 {
		return 0
	}
	return c.pushes[len(c.pushes)-1].Seq
}

// Violations returns the broken rules, oldest first.
func (c *Core) Violations() []Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Violation{}, c.violations...) // never nil: JSON has a list
}

// Counts returns the counts by vendor.
func (c *Core) Counts() map[string]Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := make(map[string]Counts, len(c.counts))
	for v, n := range c.counts {
		counts[v] = n
	}
	return counts
}

// Watch sends every push from now on to the channel, dropping those it has no room for, until stop
// is called.
func (c *Core) Watch(pushes chan Push) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[pushes] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, pushes)
	}
}
