package directory

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/instrument"
)

// Run remembers what is looked up, and forgets what feed says has changed, until ctx ends.
func (d *Directory) Run(ctx context.Context, feed Feed) {
	feed.Follow(ctx, listener{d})
	d.heard.Store(0)
	d.cache.forget(off)
}

// listener is the directory as the feed sees it.
type listener struct{ d *Directory }

// Live begins to remember.
func (l listener) Live(sequence uint64) {
	d := l.d
	d.cache.floor.Store(sequence)
	d.heard.Store(sequence)
	if _, ok := d.quiet.say("live", d.opts.Now()); ok {
		d.opts.Log.Info("changes of the directory are heard: users are remembered until they change")
	}
}

// Changed forgets whoever a record is about.
func (l listener) Changed(subject string, sequence uint64) {
	d := l.d
	switch s, err := d.subjects.Parse(subject); {
	case subject == "":
	case err != nil:
		// Nobody who looks for the name finds the record.
		d.unreadable(subject, "subject", err)
	case s.Kind == hongyan.KindGateway:
		d.mu.Lock()
		delete(d.gateways, subject)
		d.mu.Unlock()
	default:
		d.cache.changed(Ref{s.App, s.User}, sequence)
	}
	d.heard.Store(max(sequence, d.heard.Load()))
}

// Lost forgets everything.
func (l listener) Lost(err error) {
	d := l.d
	d.heard.Store(0)
	if d.cache.floor.Load() != off {
		d.drops.Add(1)
		d.cache.forget(off)
	}
	if unsaid, ok := d.quiet.say("changes", d.opts.Now()); ok {
		d.opts.Log.Warn("changes of the directory may have been missed: every user is read anew until they are heard of again", "error", err, "not_logged_before", unsaid)
	}
}

// Measure makes the instruments of the directory.
func (d *Directory) Measure(meter metric.Meter) error {
	lookups, err := instrument.DirectoryLookups.Int64ObservableCounter(meter)
	dropped, err2 := instrument.DirectoryDropped.Int64ObservableCounter(meter)
	users, err3 := instrument.DirectoryUsers.Int64ObservableGauge(meter)
	bytes, err4 := instrument.DirectoryBytes.Int64ObservableGauge(meter)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return err
	}
	result := func(name string) metric.ObserveOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("result", name)))
	}
	hit, miss, confirmed := result("hit"), result("miss"), result("confirmed")
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(lookups, d.hits.Load(), hit)
		o.ObserveInt64(lookups, d.misses.Load(), miss)
		o.ObserveInt64(lookups, d.confirms.Load(), confirmed)
		o.ObserveInt64(dropped, d.drops.Load())
		n, size := d.cache.size()
		o.ObserveInt64(users, int64(n))
		o.ObserveInt64(bytes, int64(size))
		return nil
	}, lookups, dropped, users, bytes)
	return err
}
