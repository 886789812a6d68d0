package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/instrument"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// readings are what the worker's metrics show that nobody counts: what waits, what is left of
// quotas, when credentials end, and how far other clocks are ahead. What NATS must be asked for is
// read from time to time; where it does not answer, the last word stays.
type readings struct {
	bus  *bus.Bus
	conf func() *config.Config
	log  *slog.Logger

	mu       sync.Mutex
	backlogs map[string]bus.Backlog          // by vendor; "none" are the messages
	oldest   map[string]map[string]time.Time // by vendor and certificate
	quotas   []ratelimit.CertificateState
	skew     *time.Duration               // of NATS
	ends     map[vendors.Config]time.Time // when credentials end, which takes a while to read
	dates    map[string]*dated
	tokens   map[string]*accesstoken.Source // by certificate
}

// dated is how far a certificate's vendor was ahead, by the dates of its answers.
type dated struct {
	vendor string
	looked atomic.Int64 // when an answer was looked at last, in Unix nanoseconds
	ahead  atomic.Int64
}

const (
	backlogsEvery = 5 * time.Second
	quotasEvery   = 30 * time.Second
	datesEvery    = 5 * time.Second
	// noVendor is the vendor and certificate of what has none.
	noVendor = "none"
)

// newReadings makes the instruments of what is read. conf is the configuration in force.
func newReadings(meter metric.Meter, b *bus.Bus, conf func() *config.Config, log *slog.Logger) (*readings, error) {
	r := &readings{bus: b, conf: conf, log: log, backlogs: map[string]bus.Backlog{}, oldest: map[string]map[string]time.Time{},
		dates: map[string]*dated{}, tokens: map[string]*accesstoken.Source{}}
	backlog, err1 := instrument.Backlog.Int64ObservableGauge(meter)
	oldest, err2 := instrument.Oldest.Float64ObservableGauge(meter)
	limit, err3 := instrument.QuotaLimit.Int64ObservableGauge(meter)
	left, err4 := instrument.QuotaLeft.Int64ObservableGauge(meter)
	forecast, err7 := instrument.QuotaForecast.Float64ObservableGauge(meter)
	expiry, err5 := instrument.CredentialExpiry.Float64ObservableGauge(meter)
	skew, err6 := instrument.ClockSkew.Float64ObservableGauge(meter)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return nil, err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := time.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.showBacklogs(o, backlog, oldest, now)
		r.showQuotas(o, limit, left, forecast)
		r.showCredentials(o, expiry)
		r.showClocks(o, skew)
		return nil
	}, backlog, oldest, limit, left, forecast, expiry, skew)
	return r, err
}

func labels(pairs ...string) metric.MeasurementOption {
	kv := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		kv = append(kv, attribute.String(pairs[i], pairs[i+1]))
	}
	return metric.WithAttributeSet(attribute.NewSet(kv...))
}

// certificates are those of the configuration, with their vendors.
func (r *readings) certificates() map[string]string {
	vendorOf := map[string]string{}
	for _, a := range r.conf().Apps {
		for _, c := range a.Certificates {
			vendorOf[c.Base().ID] = c.Base().Vendor
		}
	}
	return vendorOf
}

func (r *readings) showBacklogs(o metric.Observer, backlog metric.Int64Observable, oldest metric.Float64Observable, now time.Time) {
	age := func(at time.Time) float64 {
		if at.IsZero() {
			return 0
		}
		return max(now.Sub(at), 0).Seconds()
	}
	shown := append(r.conf().Vendors(), noVendor) // those that a configuration took out are no longer read
	for vendor, b := range r.backlogs {
		if !slices.Contains(shown, vendor) {
			continue
		}
		o.ObserveInt64(backlog, int64(b.Jobs), labels("vendor", vendor))
		if vendor == noVendor {
			o.ObserveFloat64(oldest, age(b.Oldest), labels("vendor", noVendor, "certificate", noVendor))
			continue
		}
		for certificate, at := range r.oldest[vendor] {
			o.ObserveFloat64(oldest, age(at), labels("vendor", vendor, "certificate", certificate))
		}
	}
	for certificate, vendor := range r.certificates() {
		if _, read := r.backlogs[vendor]; !read {
			continue
		}
		if _, waits := r.oldest[vendor][certificate]; !waits {
			o.ObserveFloat64(oldest, 0, labels("vendor", vendor, "certificate", certificate))
		}
	}
}

func (r *readings) showQuotas(o metric.Observer, limit, left metric.Int64Observable, forecast metric.Float64Observable) {
	vendorOf := r.certificates()
	for i := range r.quotas {
		c := &r.quotas[i]
		vendor, served := vendorOf[c.ID]
		if !served {
			continue
		}
		for k := range c.Classes {
			class := &c.Classes[k]
			for pool, p := range map[string]*ratelimit.PoolState{"normal": class.Normal, "urgent": class.Urgent} {
				if p == nil {
					continue
				}
				at := labels("vendor", vendor, "certificate", c.ID, "class", class.Name, "pool", pool)
				o.ObserveInt64(limit, p.Limit, at)
				o.ObserveInt64(left, p.Left, at)
				if f := p.Forecast; f != nil && !f.EndsAt.IsZero() {
					o.ObserveFloat64(forecast, float64(f.EndsAt.Unix()), at)
				}
			}
		}
	}
}

func (r *readings) showCredentials(o metric.Observer, expiry metric.Float64Observable) {
	show := func(vendor, certificate, credential string, at time.Time) {
		if !at.IsZero() {
			o.ObserveFloat64(expiry, float64(at.Unix()), labels("vendor", vendor, "certificate", certificate, "credential", credential))
		}
	}
	ends := map[vendors.Config]time.Time{}
	for _, a := range r.conf().Apps {
		for _, c := range a.Certificates {
			base := c.Base()
			at, known := r.ends[c]
			if ends, ok := c.(interface {
				Expires() (what string, at time.Time)
			}); ok && !known {
				_, at = ends.Expires()
			}
			ends[c] = at
			show(base.Vendor, base.ID, "certificate", at)
			if token := r.tokens[base.ID]; token != nil {
				show(base.Vendor, base.ID, "token", token.Expires())
			}
		}
	}
	r.ends = ends
}

func (r *readings) showClocks(o metric.Observer, skew metric.Float64Observable) {
	if r.skew != nil {
		o.ObserveFloat64(skew, r.skew.Seconds(), labels("against", "nats", "certificate", noVendor))
	}
	for certificate, d := range r.dates {
		if d.looked.Load() > 0 {
			o.ObserveFloat64(skew, time.Duration(d.ahead.Load()).Seconds(), labels("against", d.vendor, "certificate", certificate))
		}
	}
}

// dated returns what is to be told of the dates of a certificate's answers.
func (r *readings) dated(vendor, certificate string) func(date string) {
	d := &dated{vendor: vendor}
	r.mu.Lock()
	r.dates[certificate] = d
	r.mu.Unlock()
	return func(date string) { d.hear(date, time.Now()) }
}

// hear looks at an answer's date, if it is time again.
func (d *dated) hear(date string, now time.Time) {
	before := d.looked.Load()
	if now.UnixNano()-before < int64(datesEvery) || !d.looked.CompareAndSwap(before, now.UnixNano()) {
		return
	}
	if at, err := http.ParseTime(date); err == nil {
		d.ahead.Store(int64(at.Add(time.Second / 2).Sub(now))) // a date is cut to its second
	}
}

// token is told of the source of a certificate's tokens, nil for none.
func (r *readings) token(certificate string, source *accesstoken.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens[certificate] = source
}

// forget is told of a certificate that is no longer served.
func (r *readings) forget(certificate string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tokens, certificate)
	delete(r.dates, certificate)
}

// run reads what must be asked for, until ctx ends.
func (r *readings) run(ctx context.Context, limiter *ratelimit.Limiter) {
	tick := time.NewTicker(backlogsEvery)
	defer tick.Stop()
	var quotas time.Time
	for {
		read, cancel := context.WithTimeout(ctx, backlogsEvery-time.Second)
		for _, vendor := range r.conf().Vendors() {
			r.readJobs(read, vendor)
		}
		b, err := r.bus.MessageBacklog(read)
		skew, err2 := r.bus.Skew(read)
		r.mu.Lock()
		if err == nil {
			r.backlogs[noVendor] = b
		}
		if err2 == nil {
			r.skew = &skew
		}
		r.mu.Unlock()
		if now := time.Now(); now.Sub(quotas) >= quotasEvery {
			quotas = now
			r.readQuotas(read, limiter, now)
		}
		cancel()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (r *readings) readJobs(ctx context.Context, vendor string) {
	b, err := r.bus.Backlog(ctx, vendor)
	if err != nil {
		return // said where work is pulled
	}
	var oldest map[string]time.Time
	if b.Jobs > 0 {
		if oldest, err = r.bus.OldestJobs(ctx, vendor); err != nil {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.backlogs[vendor], r.oldest[vendor] = b, oldest
}

func (r *readings) readQuotas(ctx context.Context, limiter *ratelimit.Limiter, now time.Time) {
	s, err := limiter.Snapshot(ctx, now)
	if err != nil {
		r.log.Debug("the quotas cannot be read, their metrics stay as they are", "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quotas = s.Certificates
}
