package main

import (
	"context"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// phoneNames tells a sandbox whose phone each token is, as the directory has it, so that its page
// knows phones by name, and the two tokens of an iPhone as one phone's.
type phoneNames struct {
	store    directory.Store
	subjects hongyan.Subjects
	// vendors are those of the certificates.
	vendors map[string]string
	box     *sandbox.Server
	changed chan string // filters of what is to be read
}

// mostChanged is how many registrations may wait to be read; those beyond have no name until they
// change again.
const mostChanged = 4096

// run tells until ctx ends.
func (p *phoneNames) run(ctx context.Context, feed directory.Feed) {
	p.changed = make(chan string, mostChanged)
	over := make(chan struct{})
	go func() {
		defer close(over)
		feed.Follow(ctx, p)
	}()
	defer func() { <-over }()
	for {
		select {
		case <-ctx.Done():
			return
		case filter := <-p.changed:
			filters := []string{filter}
			for len(p.changed) > 0 && len(filters) < 256 {
				filters = append(filters, <-p.changed)
			}
			p.read(ctx, filters)
		}
	}
}

// read names the phones of some registrations. What cannot be read is tried once more; the page
// works without names.
func (p *phoneNames) read(ctx context.Context, filters []string) {
	found, err := p.store.LastValues(ctx, filters)
	if err != nil && sleep.For(ctx, time.Second) {
		found, _ = p.store.LastValues(ctx, filters)
	}
	for _, v := range found.Values {
		x, err := p.subjects.Parse(v.Subject)
		if err != nil || x.Kind != hongyan.KindDevice {
			continue
		}
		if d, _, err := hongyan.ParseDevice(v.Data, v.Time); err == nil {
			p.name(x.App, x.User, x.Device, &d)
		}
	}
}

// name names a phone by its user and device, and by its app where that is not the demo's first.
func (p *phoneNames) name(app, user, device string, d *hongyan.Device) {
	name := user + "/" + device
	if app != sandbox.DemoApp {
		name = app + "/" + name
	}
	if d.Token != "" {
		p.box.NamePhone(p.vendors[d.Certificate], d.Token, name)
	}
	if d.VoIP != nil {
		p.box.NamePhone(p.vendors[d.VoIP.Certificate], d.VoIP.Token, name)
	}
}

// Live implements directory.Listener: what was registered before is read.
func (p *phoneNames) Live(uint64) { p.add(p.subjects.All(hongyan.KindDevice)) }

// Changed implements directory.Listener.
func (p *phoneNames) Changed(subject string, _ uint64) {
	if x, err := p.subjects.Parse(subject); err == nil && x.Kind == hongyan.KindDevice {
		p.add(subject)
	}
}

// Lost implements directory.Listener.
func (p *phoneNames) Lost(error) {}

func (p *phoneNames) add(filter string) {
	select {
	case p.changed <- filter:
	default:
	}
}

// vendorsOf are the vendors of a configuration's certificates.
func vendorsOf(conf *config.Config) map[string]string {
	vendors := map[string]string{}
	for i := range conf.Apps {
		for _, c := range conf.Apps[i].Certificates {
			vendors[c.Base().ID] = c.Base().Vendor
		}
	}
	return vendors
}
