// Package directory is what is known of users: their devices, the devices' presence, and their
// wishes.
//
// The records are last-value subjects; one read brings all that is known of many users. A record
// that cannot be read counts as absent and is reported to [Options.Unreadable]; nothing here fails
// because of one bad record.
package directory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
)

// Value is the last value of a subject.
type Value struct {
	Subject  string
	Data     []byte
	Revision uint64
	Time     time.Time
}

// Store is where the records are.
type Store interface {
	// LastValues reads the last value of every subject that one of the filters covers.
	LastValues(ctx context.Context, filters []string) ([]Value, error)
	// PutIf writes a subject unless it changed since revision; then it returns changed. Empty data
	// removes the value.
	PutIf(ctx context.Context, subject string, data []byte, revision uint64) (changed bool, err error)
}

// User is all that is known of a user.
type User struct {
	Devices  []Device
	Settings hongyan.Settings
	// Quiet is the window of Settings.QuietHours, nil without one.
	Quiet *Window
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
}

// Directory looks users up. It may be used by many goroutines.
type Directory struct {
	store    Store
	subjects hongyan.Subjects
	opts     Options

	mu       sync.Mutex
	gateways map[string]gateway // by subject
	zones    map[string]*time.Location
}

type gateway struct {
	alive bool
	// since is when the gateway's process began; zero when it does not say.
	since time.Time
	asked time.Time
}

// Options of a Directory. The zero value is useful.
type Options struct {
	// Unreadable is told of every record that cannot be read: its subject, its kind and why. It
	// must be quick.
	Unreadable func(subject, kind string, err error)
	// Repaired is told what kinds of things of a record were not as the contract writes them. It
	// must be quick.
	Repaired func(hongyan.Repairs)
	// Now is nil for time.Now.
	Now func() time.Time
}

// New returns a directory over a store.
func New(store Store, subjects hongyan.Subjects, opts Options) *Directory {
	if opts.Unreadable == nil {
		opts.Unreadable = func(string, string, error) {}
	}
	if opts.Repaired == nil {
		opts.Repaired = func(hongyan.Repairs) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Directory{store: store, subjects: subjects, opts: opts, gateways: map[string]gateway{}, zones: map[string]*time.Location{}}
}

// Ref names a user of an app.
type Ref struct{ App, User string }

// Lookup reads many users at once. A user of whom nothing is known is absent from the map.
func (d *Directory) Lookup(ctx context.Context, refs []Ref) (map[Ref]*User, error) {
	filters := make([]string, len(refs))
	for i, r := range refs {
		filters[i] = d.subjects.User(r.App, r.User)
	}
	values, err := d.store.LastValues(ctx, filters)
	if err != nil {
		return nil, err
	}
	found := make(map[Ref]*builder, len(refs))
	for _, v := range values {
		if len(v.Data) == 0 {
			continue // removed
		}
		d.read(found, v)
	}
	users := make(map[Ref]*User, len(found))
	var claims []claim
	for ref, b := range found {
		u := b.user()
		users[ref] = u
		for i := range u.Devices {
			dev := &u.Devices[i]
			if p := dev.Presence; p != nil && p.Gateway != "" && p.State == hongyan.StateForeground {
				claims = append(claims, claim{dev, b.presence[dev.ID].stored, d.subjects.Gateway(ref.App, p.Gateway)})
			}
		}
	}
	if err := d.leases(ctx, claims); err != nil {
		return nil, err
	}
	return users, nil
}

// claim is a device that says it is in the foreground for as long as a gateway lives.
type claim struct {
	device *Device
	// stored is when the device's presence was stored.
	stored time.Time
	// gateway is the subject of the gateway's lease.
	gateway string
}

// builder gathers the records of a user in whatever order they come.
type builder struct {
	devices  map[string]*Device
	presence map[string]presence
	settings hongyan.Settings
	quiet    *Window
}

type presence struct {
	hongyan.Presence
	stored time.Time
}

func (b *builder) user() *User {
	u := &User{Settings: b.settings, Quiet: b.quiet, Devices: make([]Device, 0, len(b.devices))}
	for id, dev := range b.devices {
		if p, ok := b.presence[id]; ok {
			dev.Presence = &p.Presence
			if p.At.After(dev.Heard) {
				dev.Heard = p.At
			}
		}
		u.Devices = append(u.Devices, *dev)
	}
	return u
}

// read adds one record.
func (d *Directory) read(found map[Ref]*builder, v Value) {
	subject, err := d.subjects.Parse(v.Subject)
	if err != nil {
		d.opts.Unreadable(v.Subject, "subject", err)
		return
	}
	ref := Ref{subject.App, subject.User}
	b := found[ref]
	if b == nil {
		b = &builder{devices: map[string]*Device{}, presence: map[string]presence{}}
		found[ref] = b
	}
	var repairs hongyan.Repairs
	switch subject.Kind {
	case hongyan.KindDevice:
		var reg hongyan.Device
		if reg, repairs, err = hongyan.ParseDevice(v.Data, v.Time); err == nil {
			b.devices[subject.Device] = &Device{ID: subject.Device, Registration: reg, Revision: v.Revision, Heard: reg.RegisteredAt}
		}
	case hongyan.KindPresence:
		var p hongyan.Presence
		if p, repairs, err = hongyan.ParsePresence(v.Data, v.Time); err == nil {
			b.presence[subject.Device] = presence{p, v.Time}
		}
	case hongyan.KindSettings:
		var s hongyan.Settings
		if s, repairs, err = hongyan.ParseSettings(v.Data, d.zone); err == nil {
			b.settings, b.quiet = s, NewWindow(s.QuietHours, d.zone)
		}
	default:
		err = fmt.Errorf("%s is no record of a user", subject.Kind)
	}
	if len(repairs) > 0 {
		d.opts.Repaired(repairs)
	}
	if err != nil {
		d.opts.Unreadable(v.Subject, string(subject.Kind), err)
	}
}

// gatewayMemory is how long a gateway's lease is believed without asking again; leases are renewed
// every few seconds.
const gatewayMemory = time.Second

// leaseMemory is how old a lease may be: one that was stored without a lifetime, or with one that
// is far too long, must not vouch for devices for ever.
const leaseMemory = 5 * time.Minute

// clockTolerance is how far the clocks of gateways and servers may differ.
const clockTolerance = 5 * time.Second

// leases finds out which of the claims hold: those whose gateway lives and began before the
// presence was stored.
func (d *Directory) leases(ctx context.Context, claims []claim) error {
	if len(claims) == 0 {
		return nil
	}
	now := d.opts.Now()
	ask := map[string]bool{}
	d.mu.Lock()
	for _, c := range claims {
		if g, ok := d.gateways[c.gateway]; !ok || now.Sub(g.asked) >= gatewayMemory {
			ask[c.gateway] = true
		}
	}
	d.mu.Unlock()
	if len(ask) > 0 {
		values, err := d.store.LastValues(ctx, slices.Collect(maps.Keys(ask)))
		if err != nil {
			return err
		}
		read := make(map[string]gateway, len(ask))
		for _, v := range values {
			read[v.Subject] = d.lease(v, now)
		}
		d.mu.Lock()
		if len(d.gateways) > 10_000 { // gateways that came and went
			clear(d.gateways)
		}
		for s := range ask {
			g := read[s]
			g.asked = now
			d.gateways[s] = g
		}
		d.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range claims {
		g := d.gateways[c.gateway]
		c.device.Foreground = g.alive && !c.stored.Add(clockTolerance).Before(g.since)
	}
	return nil
}

// lease reads a gateway's last word. One that cannot be read counts as none.
func (d *Directory) lease(v Value, now time.Time) gateway {
	if len(v.Data) == 0 || now.Sub(v.Time) > leaseMemory {
		return gateway{}
	}
	l, repairs, err := hongyan.ParseLease(v.Data)
	if len(repairs) > 0 {
		d.opts.Repaired(repairs)
	}
	if err != nil {
		d.opts.Unreadable(v.Subject, string(hongyan.KindGateway), err)
		return gateway{}
	}
	return gateway{alive: true, since: l.Since}
}

// Drop removes what a vendor called dead: the registration with this token, or only its VoIP half.
// It does nothing when the registration changed since revision was read, and says whether it
// removed something.
func (d *Directory) Drop(ctx context.Context, ref Ref, device, token string, revision uint64) (dropped bool, err error) {
	subject := d.subjects.Device(ref.App, ref.User, device)
	values, err := d.store.LastValues(ctx, []string{subject})
	if err != nil {
		return false, err
	}
	if len(values) == 0 || len(values[0].Data) == 0 || values[0].Revision != revision {
		return false, nil
	}
	reg, _, err := hongyan.ParseDevice(values[0].Data, values[0].Time)
	if err != nil {
		return false, nil // unreadable by now: changed
	}
	var data []byte
	switch {
	case reg.Token == token:
	case reg.VoIP != nil && reg.VoIP.Token == token:
		reg.VoIP = nil
		if data, err = json.Marshal(reg); err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	changed, err := d.store.PutIf(ctx, subject, data, revision)
	return err == nil && !changed, err
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
