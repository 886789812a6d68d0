package send

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Refreshes says whether the vendor can change the number on an icon without a notification.
func (s *Sender) Refreshes() bool {
	_, can := s.Certificate.Driver.(vendors.Refresher)
	return can
}

// Refresh changes the numbers on icons without a notification, as far as that goes at once: not
// while the certificate is parked or held, nor beyond its rate. The next push says the number in
// any case, so that nothing is tried again. It returns when the calls are made.
func (s *Sender) Refresh(ctx context.Context, devices []dispatch.Refresh) {
	driver, can := s.Certificate.Driver.(vendors.Refresher)
	if !can {
		return
	}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return
	}
	s.refreshing.Add(1)
	s.mu.Unlock()
	defer s.refreshing.Done()
	limits := driver.Limits()
	calls := map[string][]vendors.Device{}
	for i := range devices {
		d := &devices[i]
		x := vendors.Device{Token: d.Token, Region: d.Region, Badge: &d.Number, Key: dispatch.Key(s.Certificate.App, "badge", d.User, d.Device)}
		host := ""
		if limits.Partition != nil {
			host = limits.Partition(x)
		}
		calls[host] = append(calls[host], x)
	}
	var making errgroup.Group
	making.SetLimit(refreshesAtOnce)
	defer func() { _ = making.Wait() }() // its functions return no error
	for _, all := range calls {
		for some := range slices.Chunk(all, max(limits.Batch, 1)) {
			if ctx.Err() != nil || s.retired.Load() {
				return
			}
			making.Go(func() error {
				s.refresh(ctx, driver, some)
				return nil
			})
		}
	}
}

// refreshesAtOnce is how many calls of a certificate may be under way that refresh numbers.
const refreshesAtOnce = 32

// refresh makes one call, if it may be made now.
func (s *Sender) refresh(ctx context.Context, driver vendors.Refresher, devices []vendors.Device) {
	c := &s.Certificate
	if s.parked.Load() || s.held.Load() {
		s.Metrics.RefreshesLost("parked", len(devices))
		return
	}
	now := s.Now()
	var grant ratelimit.Grant
	if s.Limiter != nil {
		var class vendors.Class
		if c.Class != nil {
			class = c.Class(&vendors.Notification{})
		}
		var err error
		grant, err = s.Limiter.Take(ctx, ratelimit.Request{Certificate: c.ID, Class: class, Devices: len(devices), Requests: 1, Now: now})
		if err != nil {
			grant.Devices = 0
		}
		granted := min(len(devices), grant.Devices)
		s.Metrics.RefreshesLost("limited", len(devices)-granted)
		if devices = devices[:granted]; granted == 0 {
			return
		}
	}
	results := driver.Refresh(ctx, vendors.Batch{Devices: devices, Now: now})
	if s.Limiter != nil {
		s.Limiter.Settle(grant, ratelimit.OutcomeOf(results, s.Now()))
	}
	for i := range results {
		s.Metrics.Refreshed(c.Vendor, c.ID, results[i].Reason)
	}
	if r := speaker(results, vendors.Accepted); r.Reason != vendors.Accepted {
		s.Log.Debug("numbers on icons are not refreshed", "vendor", c.Vendor, "certificate", c.ID, "devices", len(devices), "reason", r.Reason.String(), "code", r.Code, "error", r.Err)
	}
}

// Refresher is told what numbers pushes carried, so that it can mend those that moved meanwhile;
// *route.Refresher implements it.
type Refresher interface {
	// Pushed says that a push which carries a number is on its way to a device, or may be. It must
	// be quick.
	Pushed(app, user, device string, number int)
}

// pushed tells the refresher of the devices of a call that may show its numbers.
func (l *lane) pushed(c *call, results []vendors.Result) {
	s := l.s
	if s.Refresher == nil || !l.counts() || !s.Refreshes() {
		return
	}
	for k, w := range c.works {
		d := &c.batch.Devices[k]
		if d.Badge == nil || w.job.Notification.VoIP {
			continue
		}
		switch results[k].Reason {
		case vendors.Accepted, vendors.Timeout, vendors.Unavailable, vendors.Interrupted, vendors.Unknown:
			t := &w.job.Targets[c.index[k]]
			s.Refresher.Pushed(s.Certificate.App, t.User, t.Device, *d.Badge)
		}
	}
}
