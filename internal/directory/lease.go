package directory

import (
	"context"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
)

// gateway is what was last read of a gateway's lease.
type gateway struct {
	alive bool
	// since is when the gateway's process began; zero when it does not say.
	since time.Time
	asked time.Time
	upTo  uint64 // the last change that the read took into account
}

const (
	// gatewayMemory is how long a gateway's lease is believed without asking again; leases are
	// renewed every few seconds.
	gatewayMemory = time.Second
	// mostGateways bounds how many are remembered.
	mostGateways = 10_000
	// leaseMemory is how old a lease may be: one that was stored without a lifetime, or with one
	// that is far too long, must not vouch for devices for ever.
	leaseMemory = 5 * time.Minute
	// clockTolerance is how far the clocks of gateways and servers may differ.
	clockTolerance = 5 * time.Second
)

// claim is a device that says it is in the foreground for as long as a gateway lives.
type claim struct {
	device *Device
	// gateway is the subject of the gateway's lease.
	gateway string
}

// leases fills in who is in the foreground by a gateway that lives and began before the presence
// was stored. It puts copies into users where it has to write. The leases are read so that they
// take the changes up to target into account.
func (d *Directory) leases(ctx context.Context, refs []Ref, users []*User, target uint64) error {
	var claims []claim
	for i, u := range users {
		if u == nil || !u.leased {
			continue
		}
		own := *u
		own.Devices = slices.Clone(u.Devices)
		users[i] = &own
		for k := range own.Devices {
			if dev := &own.Devices[k]; dev.leased() {
				claims = append(claims, claim{dev, d.subjects.Gateway(refs[i].App, dev.Presence.Gateway)})
			}
		}
	}
	if len(claims) == 0 {
		return nil
	}
	known, err := d.gatewaysOf(ctx, claims, target)
	if err != nil {
		return err
	}
	for _, c := range claims {
		g := known[c.gateway]
		c.device.Foreground = g.alive && !c.device.said.Add(clockTolerance).Before(g.since)
	}
	return nil
}

// gatewaysOf returns the gateways of claims, by subject.
func (d *Directory) gatewaysOf(ctx context.Context, claims []claim, target uint64) (map[string]gateway, error) {
	now := d.opts.Now()
	known := make(map[string]gateway, 1)
	var ask []string
	d.mu.Lock()
	for _, c := range claims {
		if _, twice := known[c.gateway]; twice {
			continue
		}
		g, ok := d.gateways[c.gateway]
		if !ok || now.Sub(g.asked) >= gatewayMemory || g.upTo < target {
			ask = append(ask, c.gateway)
			g = gateway{asked: now}
		}
		known[c.gateway] = g
	}
	d.mu.Unlock()
	if len(ask) == 0 {
		return known, nil
	}
	r, err := ReadUntil(ctx, d.store, ask, target, confirmPatience)
	if err != nil {
		return nil, err
	}
	for _, v := range r.Values {
		known[v.Subject] = d.lease(v, now)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.gateways) > mostGateways { // gateways that came and went
		clear(d.gateways)
	}
	for _, subject := range ask {
		g := known[subject]
		g.asked, g.upTo = now, r.UpTo
		d.gateways[subject] = g
	}
	return known, nil
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
		d.unreadable(v.Subject, string(hongyan.KindGateway), err)
		return gateway{}
	}
	return gateway{alive: true, since: l.Since}
}
