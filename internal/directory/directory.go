// Package directory is what is known of users: their devices, the devices' presence, and their
// wishes.
//
// The records are last-value subjects; one read brings all that is known of many users. What was
// read is remembered, and forgotten with the next change of which the store tells, so that a lookup
// without a read is as true as one with it:
//
//	lookup ──▶ cache ──▶ users
//	   │         ▲  ▲
//	   └▶ read ──┘  └── a user changed; or a change may have been missed: all is forgotten
//
// A record that cannot be read counts as absent and is reported to [Options.Unreadable]; nothing
// here fails because of one bad record. An error of a read is never an answer.
//
// A store of several replicas may answer a read from one that is behind. Whoever is about to act on
// what such an answer lacks asks again with [Directory.Confirm].
package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan"
)

// MostDevices is how many devices of a user count.
const MostDevices = 32

// User is all that is known of a user. It must not be changed: others read it too.
type User struct {
	// Devices are sorted by ID, so that a message that is planned twice gives the same jobs.
	Devices  []Device
	Settings hongyan.Settings
	// Quiet is the window of Settings.QuietHours, nil without one.
	Quiet *Window

	// leased says that a device's Foreground depends on a gateway.
	leased bool
}

// Device is the user's device of an ID, nil where none is registered. A nil user has none.
func (u *User) Device(id string) *Device {
	if u == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(u.Devices, id, func(d Device, id string) int { return cmp.Compare(d.ID, id) })
	if !ok {
		return nil
	}
	return &u.Devices[i]
}

// Device is a registered device and what it last said.
type Device struct {
	ID           string
	Registration hongyan.Device
	// Revision changes with every registration of the device.
	Revision uint64
	// Presence is nil when the device never said anything.
	Presence *hongyan.Presence
	// Heard is when the device was last heard of, by registration or presence, in its own words
	// where it gave a time.
	Heard time.Time
	// Foreground says that the device reported the foreground through a gateway whose lease lives.
	Foreground bool
	// TooMany says that [MostDevices] other devices of the user that can be pushed to were heard of
	// later.
	TooMany bool

	// said is when the presence was stored.
	said time.Time
}

// Token is the device's token under a certificate, for VoIP or for alerts; empty where it is not
// registered with that certificate.
func (d *Device) Token(certificate string, voip bool) string {
	switch v := d.Registration.VoIP; {
	case !voip && d.Registration.Certificate == certificate:
		return d.Registration.Token
	case voip && v != nil && v.Certificate == certificate:
		return v.Token
	}
	return ""
}

// leased says whether a gateway vouches for the device's foreground.
func (d *Device) leased() bool {
	return d.Presence != nil && d.Presence.Gateway != "" && d.Presence.State == hongyan.StateForeground
}

// Directory looks users up. It may be used by many goroutines.
type Directory struct {
	store    Store
	subjects hongyan.Subjects
	opts     Options
	cache    *cache
	// heard is the newest change of which the feed told; zero where some may be missed.
	heard                         atomic.Uint64
	leader                        question
	quiet                         quiet
	hits, misses, confirms, drops atomic.Int64

	mu       sync.Mutex
	gateways map[string]gateway // by subject
	zones    map[string]*time.Location
}

// Options of a Directory. The zero value is useful.
type Options struct {
	// Replicas is how many the store has. Above one, an answer may be old: see [Directory.Confirm].
	Replicas int
	// CacheBytes bounds what is remembered, about; default 64 MiB.
	CacheBytes int
	// Unreadable is told of every record that cannot be read: its subject, its kind and why. It
	// must be quick.
	Unreadable func(subject, kind string, err error)
	// Repaired is told what kinds of things of a record were not as the contract writes them. It
	// must be quick.
	Repaired func(hongyan.Repairs)
	// Log gets at most a line a minute for each kind of trouble; nil for no log.
	Log *slog.Logger
	// Now is nil for time.Now.
	Now func() time.Time
}

// New returns a directory over a store. It remembers nothing before [Directory.Run].
func New(store Store, subjects hongyan.Subjects, opts Options) *Directory {
	if opts.Unreadable == nil {
		opts.Unreadable = func(string, string, error) {}
	}
	if opts.Repaired == nil {
		opts.Repaired = func(hongyan.Repairs) {}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Directory{
		store: store, subjects: subjects, opts: opts, cache: newCache(cmp.Or(opts.CacheBytes, 64<<20)),
		gateways: map[string]gateway{}, zones: map[string]*time.Location{},
	}
}

// Ref names a user of an app.
type Ref struct{ App, User string }

// ErrBehind is the error of [Directory.Confirm] where no answer was as new as it must be.
var ErrBehind = errors.New("the directory's replicas are behind")

const (
	// readAgain is how long it takes to read again from a replica that was behind, at first and at
	// last.
	readAgain, readAgainMost = 5 * time.Millisecond, 200 * time.Millisecond
	// lookupPatience is how long a lookup waits for a replica to know a change that was heard of.
	lookupPatience = 100 * time.Millisecond
	// confirmPatience is how long Confirm waits for a replica that knows what the leader knows.
	confirmPatience = 5 * time.Second
)

// Lookup finds what is known of users, in the order of refs: nil where nothing is. An error says
// nothing of anybody.
func (d *Directory) Lookup(ctx context.Context, refs []Ref) ([]*User, error) {
	users := make([]*User, len(refs))
	now := d.opts.Now()
	var missing []int
	for i, ref := range refs {
		u, _, ok := d.cache.get(ref, now)
		if !ok {
			missing = append(missing, i)
			continue
		}
		users[i] = u
	}
	d.hits.Add(int64(len(refs) - len(missing)))
	if len(missing) > 0 {
		d.misses.Add(int64(len(missing)))
		upTo, err := d.read(ctx, refs, missing, users, 0, 0)
		if err != nil {
			return nil, err
		}
		if err := d.freshen(ctx, refs, missing, users, upTo); err != nil {
			return nil, err
		}
	}
	return users, d.leases(ctx, refs, users, 0)
}

// freshen reads users again whose answer came from a replica that did not know a change yet of
// which the feed told already. It does not wait long.
func (d *Directory) freshen(ctx context.Context, refs []Ref, read []int, users []*User, upTo uint64) error {
	heard := d.heard.Load()
	if !d.MustConfirm() || upTo >= heard {
		return nil
	}
	var old []int
	for _, i := range read {
		if d.cache.stale(refs[i], upTo) {
			old = append(old, i)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if _, err := d.read(ctx, refs, old, users, heard, lookupPatience); !errors.Is(err, ErrBehind) {
		return err
	}
	return nil // what was read is no worse than any read
}

// MustConfirm says whether an answer of [Directory.Lookup] may lack what was acknowledged before:
// with more replicas than one.
func (d *Directory) MustConfirm() bool { return d.opts.Replicas > 1 }

// Confirm is Lookup as of the call: the answer takes everything into account that the store
// acknowledged before it. It asks the store's leader how much that is, at most ten times a second
// for all callers together, and so may take a tenth of a second and more. Without
// [Directory.MustConfirm] it is no more than Lookup. The error is [ErrBehind] where no replica
// knows as much within five seconds.
func (d *Directory) Confirm(ctx context.Context, refs []Ref) ([]*User, error) {
	if !d.MustConfirm() {
		return d.Lookup(ctx, refs)
	}
	d.confirms.Add(int64(len(refs)))
	target, err := d.leader.ask(ctx, d.opts.Now, d.store.LastSequence)
	if err != nil {
		return nil, err
	}
	users := make([]*User, len(refs))
	now := d.opts.Now()
	heard := d.heard.Load() // before the cache, which then has no older word
	var missing []int
	for i, ref := range refs {
		u, upTo, ok := d.cache.get(ref, now)
		if !ok || max(upTo, heard) < target {
			missing = append(missing, i)
			continue
		}
		users[i] = u
	}
	if len(missing) > 0 {
		if _, err := d.read(ctx, refs, missing, users, target, confirmPatience); err != nil {
			return nil, err
		}
	}
	return users, d.leases(ctx, refs, users, target)
}

// read fills in the missing users from a read that takes the changes up to target into account.
func (d *Directory) read(ctx context.Context, refs []Ref, missing []int, users []*User, target uint64, patience time.Duration) (upTo uint64, err error) {
	epoch := d.cache.epoch.Load()
	found := make(map[Ref]*builder, len(missing))
	builders := make([]builder, len(missing))
	filters := make([]string, 0, len(missing))
	for k, i := range missing {
		if ref := refs[i]; found[ref] == nil {
			found[ref] = &builders[k]
			filters = append(filters, d.subjects.User(ref.App, ref.User))
		}
	}
	r, err := ReadUntil(ctx, d.store, filters, target, patience)
	if err != nil {
		return 0, err
	}
	for _, v := range r.Values {
		if len(v.Data) > 0 { // else removed
			d.add(found, v)
		}
	}
	most := d.opts.Now().Add(mostMemory)
	for _, i := range missing {
		b := found[refs[i]]
		if !b.done {
			b.finish()
			d.cache.put(refs[i], b.user, r.UpTo, epoch, b.expires(most))
		}
		users[i] = b.user
	}
	return r.UpTo, nil
}

// add takes one record into account.
func (d *Directory) add(found map[Ref]*builder, v Value) {
	subject, err := d.subjects.Parse(v.Subject)
	if err != nil {
		d.unreadable(v.Subject, "subject", err)
		return
	}
	b := found[Ref{subject.App, subject.User}]
	if b == nil {
		return // nobody asked
	}
	var repairs hongyan.Repairs
	switch subject.Kind {
	case hongyan.KindDevice:
		var reg hongyan.Device
		if reg, repairs, err = hongyan.ParseDevice(v.Data, v.Time); err == nil {
			b.devices = append(b.devices, Device{ID: subject.Device, Registration: reg, Revision: v.Revision, Heard: reg.RegisteredAt})
		}
	case hongyan.KindPresence:
		var p hongyan.Presence
		if p, repairs, err = hongyan.ParsePresence(v.Data, v.Time); err == nil {
			b.presences = append(b.presences, presence{subject.Device, &p, v.Time})
		}
	case hongyan.KindSettings:
		var s hongyan.Settings
		if s, repairs, err = hongyan.ParseSettings(v.Data, d.zone); err == nil {
			b.settings, b.quiet = s, NewWindow(s.QuietHours, d.zone)
		}
	default:
		err = fmt.Errorf("%s is no record of a user", subject.Kind)
	}
	b.known = true
	if !v.Expires.IsZero() && (b.ends.IsZero() || v.Expires.Before(b.ends)) {
		b.ends = v.Expires
	}
	if len(repairs) > 0 {
		d.opts.Repaired(repairs)
	}
	if err != nil {
		d.unreadable(v.Subject, string(subject.Kind), err)
	}
}

// unreadable reports a record that counts as absent.
func (d *Directory) unreadable(subject, kind string, err error) {
	d.opts.Unreadable(subject, kind, err)
	if unsaid, ok := d.quiet.say(kind, d.opts.Now()); ok {
		d.opts.Log.Warn("a directory record cannot be read, it counts as absent: write it anew",
			"subject", subject, "kind", kind, "error", err, "not_logged_before", unsaid)
	}
}

// builder gathers the records of a user in whatever order they come.
type builder struct {
	devices   []Device
	presences []presence
	settings  hongyan.Settings
	quiet     *Window
	known     bool      // there is a record
	ends      time.Time // when the first record does; zero for never

	done bool
	user *User // nil where nothing is known
}

type presence struct {
	device string
	said   *hongyan.Presence
	stored time.Time
}

// expires is when the user must be read again.
func (b *builder) expires(most time.Time) time.Time {
	if !b.ends.IsZero() && b.ends.Before(most) {
		return b.ends
	}
	return most
}

// finish makes the user.
func (b *builder) finish() {
	b.done = true
	if !b.known {
		return
	}
	u := &User{Settings: b.settings, Quiet: b.quiet, Devices: b.devices}
	slices.SortFunc(u.Devices, func(x, y Device) int { return cmp.Compare(x.ID, y.ID) })
	slices.SortFunc(b.presences, func(x, y presence) int { return cmp.Compare(x.device, y.device) })
	for i := range u.Devices {
		dev := &u.Devices[i]
		k, ok := slices.BinarySearchFunc(b.presences, dev.ID, func(p presence, id string) int { return cmp.Compare(p.device, id) })
		if !ok {
			continue
		}
		p := b.presences[k]
		dev.Presence, dev.said = p.said, p.stored
		if p.said.At.After(dev.Heard) {
			dev.Heard = p.said.At
		}
		u.leased = u.leased || dev.leased()
	}
	markTooMany(u.Devices)
	b.user = u
}

// markTooMany marks the devices that do not count, of those that can be pushed to.
func markTooMany(devices []Device) {
	if len(devices) <= MostDevices {
		return
	}
	var reachable []*Device
	for i := range devices {
		if r := &devices[i].Registration; r.Token != "" || r.VoIP != nil {
			reachable = append(reachable, &devices[i])
		}
	}
	slices.SortStableFunc(reachable, func(x, y *Device) int { return y.Heard.Compare(x.Heard) })
	for i := MostDevices; i < len(reachable); i++ {
		reachable[i].TooMany = true
	}
}

// bytes is about what the user takes in memory, in bytes.
func (u *User) bytes() int {
	const entry, device, presence, mute = 250, 360, 100, 80
	n := entry
	if u == nil {
		return n
	}
	for i := range u.Devices {
		d := &u.Devices[i]
		r := &d.Registration
		n += device + len(d.ID) + len(r.Certificate) + len(r.Token) + len(r.Platform) + len(r.Locale) + len(r.Region) +
			len(r.Model) + len(r.OSVersion) + len(r.AppVersion) + len(r.RegistrationError)
		if v := r.VoIP; v != nil {
			n += len(v.Certificate) + len(v.Token)
		}
		if p := d.Presence; p != nil {
			n += presence + len(p.Gateway)
		}
	}
	for id := range u.Settings.Conversations {
		n += mute + len(id)
	}
	return n
}

// zone loads a time zone once: reading it from disk for every message would cost more than all the
// rest.
func (d *Directory) zone(name string) (*time.Location, error) {
	name = cmp.Or(name, hongyan.DefaultTimezone)
	d.mu.Lock()
	defer d.mu.Unlock()
	if z := d.zones[name]; z != nil {
		return z, nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		d.zones[name] = z
	}
	return z, err
}
