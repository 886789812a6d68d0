// Package directory is what is known of users: their devices, the devices' presence, and their
// wishes.
//
// The records are last-value subjects; one read brings all that is known of many users. A record
// that cannot be read counts as absent and is reported to [Options.Unreadable]; nothing here fails
// because of one bad record.
package directory

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/jsonerror"
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
	// InFront says that the device reported the foreground through a gateway whose lease lives.
	InFront bool
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
	asked time.Time
}

// Options of a Directory. The zero value is useful.
type Options struct {
	// Unreadable is told of every record that cannot be read: its subject, its kind and why. It
	// must be quick.
	Unreadable func(subject, kind string, err error)
	// Now is nil for time.Now.
	Now func() time.Time
}

// New returns a directory over a store.
func New(store Store, subjects hongyan.Subjects, opts Options) *Directory {
	if opts.Unreadable == nil {
		opts.Unreadable = func(string, string, error) {}
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
	skip := strings.Count(d.subjects.Message(""), ".") - 2 // tokens of the prefix beyond the first
	for _, v := range values {
		if len(v.Data) == 0 {
			continue // removed
		}
		d.read(found, v, skip)
	}
	users := make(map[Ref]*User, len(found))
	var waiting []*Device
	for ref, b := range found {
		u := b.user()
		users[ref] = u
		for i := range u.Devices {
			dev := &u.Devices[i]
			if p := dev.Presence; p != nil && p.Gateway != "" && p.State == hongyan.Foreground {
				dev.Presence.Gateway = d.subjects.Gateway(ref.App, p.Gateway)
				waiting = append(waiting, dev)
			}
		}
	}
	if err := d.leases(ctx, waiting); err != nil {
		return nil, err
	}
	return users, nil
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
	heard time.Time
}

func (b *builder) user() *User {
	u := &User{Settings: b.settings, Quiet: b.quiet, Devices: make([]Device, 0, len(b.devices))}
	for id, dev := range b.devices {
		if p, ok := b.presence[id]; ok {
			dev.Presence = &p.Presence
			dev.Presence.At = p.heard
			if p.heard.After(dev.Heard) {
				dev.Heard = p.heard
			}
		}
		u.Devices = append(u.Devices, *dev)
	}
	return u
}

// read adds one record. The subject is <prefix>.user.<app>.<user>.<kind>[.<device>].
func (d *Directory) read(found map[Ref]*builder, v Value, skip int) {
	t := strings.Split(v.Subject, ".")
	t = t[min(skip, len(t)):]
	if len(t) < 5 {
		d.opts.Unreadable(v.Subject, "subject", fmt.Errorf("%d tokens", len(t)))
		return
	}
	kind := t[4]
	user, err := hongyan.DecodeToken(t[3])
	if err != nil {
		d.opts.Unreadable(v.Subject, kind, err)
		return
	}
	var device string
	if len(t) > 5 {
		if device, err = hongyan.DecodeToken(t[5]); err != nil {
			d.opts.Unreadable(v.Subject, kind, err)
			return
		}
	}
	ref := Ref{t[2], user}
	b := found[ref]
	if b == nil {
		b = &builder{devices: map[string]*Device{}, presence: map[string]presence{}}
		found[ref] = b
	}
	switch kind {
	case "device":
		reg, err := ParseDevice(v.Data)
		if err != nil {
			d.opts.Unreadable(v.Subject, kind, err)
			return
		}
		heard := reg.RegisteredAt
		if heard.IsZero() {
			heard = v.Time
			reg.RegisteredAt = v.Time
		}
		b.devices[device] = &Device{ID: device, Registration: reg, Revision: v.Revision, Heard: heard}
	case "presence":
		p, err := ParsePresence(v.Data)
		if err != nil {
			d.opts.Unreadable(v.Subject, kind, err)
			return
		}
		heard := p.At
		if heard.IsZero() {
			heard = v.Time
		}
		b.presence[device] = presence{p, heard}
	case "settings":
		s, quiet, err := ParseSettings(v.Data, d.zone)
		if err != nil {
			d.opts.Unreadable(v.Subject, kind, err)
			return
		}
		b.settings, b.quiet = s, quiet
	default:
		d.opts.Unreadable(v.Subject, kind, fmt.Errorf("no such kind of record"))
	}
}

// gatewayMemory is how long a gateway's lease is believed without asking again; leases are renewed
// every few seconds.
const gatewayMemory = time.Second

// leases finds out which of the devices' gateways live. Presence.Gateway holds the lease's subject.
func (d *Directory) leases(ctx context.Context, devices []*Device) error {
	if len(devices) == 0 {
		return nil
	}
	now := d.opts.Now()
	ask := map[string]bool{}
	d.mu.Lock()
	for _, dev := range devices {
		if g, ok := d.gateways[dev.Presence.Gateway]; !ok || now.Sub(g.asked) >= gatewayMemory {
			ask[dev.Presence.Gateway] = true
		}
	}
	d.mu.Unlock()
	if len(ask) > 0 {
		filters := make([]string, 0, len(ask))
		for s := range ask {
			filters = append(filters, s)
		}
		values, err := d.store.LastValues(ctx, filters)
		if err != nil {
			return err
		}
		d.mu.Lock()
		if len(d.gateways) > 10_000 { // gateways that came and went
			clear(d.gateways)
		}
		for s := range ask {
			d.gateways[s] = gateway{asked: now}
		}
		for _, v := range values {
			d.gateways[v.Subject] = gateway{alive: len(v.Data) > 0, asked: now}
		}
		d.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dev := range devices {
		dev.InFront = d.gateways[dev.Presence.Gateway].alive
	}
	return nil
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
	reg, err := ParseDevice(values[0].Data)
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

// ParseDevice reads and checks a registration.
func ParseDevice(data []byte) (hongyan.Device, error) {
	var r hongyan.Device
	if err := decode(data, &r); err != nil {
		return r, err
	}
	switch {
	case r.Certificate == "":
		return r, fmt.Errorf("certificate is missing")
	case len(r.Token) > maxToken || r.VoIP != nil && len(r.VoIP.Token) > maxToken:
		return r, fmt.Errorf("token is longer than %d bytes", maxToken)
	case r.VoIP != nil && (r.VoIP.Certificate == "" || r.VoIP.Token == ""):
		return r, fmt.Errorf("voip needs a certificate and a token")
	}
	return r, nil
}

// ParsePresence reads and checks a presence.
func ParsePresence(data []byte) (hongyan.Presence, error) {
	var p hongyan.Presence
	if err := decode(data, &p); err != nil {
		return p, err
	}
	switch p.State {
	case hongyan.Foreground, hongyan.Background, hongyan.Disconnected, hongyan.LoggedOut, hongyan.Kicked:
		return p, nil
	}
	return p, fmt.Errorf("state is none of foreground, background, disconnected, logged_out, kicked")
}

// ParseSettings reads and checks a user's settings. quiet is the window of the quiet hours, nil
// without any; load is as for [NewWindow].
func ParseSettings(data []byte, load func(string) (*time.Location, error)) (s hongyan.Settings, quiet *Window, err error) {
	if err := decode(data, &s); err != nil {
		return s, nil, err
	}
	if q := s.QuietHours; q != nil {
		w, err := NewWindow(*q, load)
		if err != nil {
			return s, nil, err
		}
		quiet = &w
	}
	return s, quiet, nil
}

// zone loads a time zone once: reading it from disk for every message would cost more than all the
// rest.
func (d *Directory) zone(name string) (*time.Location, error) {
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

// The longest token that any vendor was seen to make is below 400 bytes.
const (
	maxToken  = 4096
	maxRecord = 64 << 10
)

func decode(data []byte, into any) error {
	if len(data) > maxRecord {
		return fmt.Errorf("record is longer than %d bytes", maxRecord)
	}
	if !utf8.Valid(data) {
		return fmt.Errorf("record is not valid UTF-8")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return jsonerror.Plain(err, "the record", "conversations") // below conversations stand ids
	}
	return nil
}
