package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Metrics counts what the pipeline does. A nil *Metrics counts nothing.
type Metrics struct {
	messages   metric.Int64Counter
	suppressed metric.Int64Counter
	jobs       metric.Int64Counter
	attempts   metric.Int64Counter
	outcomes   metric.Int64Counter
	latency    metric.Float64Histogram
	call       metric.Float64Histogram
	ignored    metric.Int64Counter
	dropped    metric.Int64Counter
	moved      metric.Int64Counter
	parked     metric.Int64Gauge
	kind       metric.Int64Gauge
	held       metric.Int64Gauge
	waiting    metric.Int64UpDownCounter
	paused     metric.Int64Gauge
	looked     metric.Int64Counter
	refreshed  metric.Int64Counter
	signals    metric.Int64Counter

	mu   sync.Mutex
	sets map[[4]string]metric.MeasurementOption
}

// NewMetrics makes the instruments.
func NewMetrics(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{sets: map[[4]string]metric.MeasurementOption{}}
	var errs []error
	counter := func(name, what string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	histogram := func(name, what string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithDescription(what), metric.WithUnit("s"),
			metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600))
		errs = append(errs, err)
		return h
	}
	m.messages = counter("push_messages", "message events and pieces of large ones, by app and result: planned, divided into pieces, malformed, or exhausted where it was taken too often")
	m.suppressed = counter("push_suppressed", "devices that were not pushed to, by app and reason")
	m.jobs = counter("push_jobs", "jobs planned, sent at once or stored, by vendor, certificate and lane")
	m.attempts = counter("push_attempts", "results of vendor calls, one for each device, by vendor, certificate, lane and reason")
	m.outcomes = counter("push_outcomes", "devices done with, by vendor, certificate, lane and reason")
	m.latency = histogram("push_latency", "from the message's publication to the vendor's acceptance, by vendor, certificate and lane")
	m.call = histogram("push_call_duration", "of vendor calls, by vendor, certificate and lane")
	m.ignored = counter("push_ignored", "input that was ignored, or taken although it is not as the contract writes it, by kind")
	m.dropped = counter("push_dropped_registrations", "registrations removed because a vendor called the token dead, by vendor and certificate")
	m.signals = counter("push_signals", "recalls and read marks, by app, type and result: marked where it is remembered, known where it says nothing new, late where it is older than it would be remembered, foreign where no worker serves its app")
	m.moved = counter("push_moved_registrations", "registrations removed because their token was registered again")
	m.looked = counter("push_looked", "devices of messages and jobs that were taken again, by what the look at the records said: done, pushed, or unread where there were more records than a look reads")
	m.refreshed = counter("push_badge_refreshes", "numbers on icons that were changed without a notification, one for each device, by vendor, certificate and reason")
	var err error
	m.waiting, err = meter.Int64UpDownCounter("push_unstored_bytes", metric.WithDescription("what became of pushes and could not be stored yet, by stream"), metric.WithUnit("By"))
	errs = append(errs, err)
	m.paused, err = meter.Int64Gauge("push_paused", metric.WithDescription("1 while attempts pause because what became of earlier ones cannot be stored, by vendor, certificate and lane"))
	errs = append(errs, err)
	m.parked, err = meter.Int64Gauge("push_parked", metric.WithDescription("1 while a certificate is parked, by vendor and certificate"))
	errs = append(errs, err)
	m.kind, err = meter.Int64Gauge("push_parked_kind", metric.WithDescription("1 while pushes of one kind are parked, by vendor, certificate and kind; a kind that never was is not there"))
	errs = append(errs, err)
	m.held, err = meter.Int64Gauge("hongyan.held", metric.WithDescription("1 while an operator holds a certificate or its app, by vendor and certificate"))
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	m.Unstored(string(hongyan.KindOutcome), 0) // it is there before anything has to wait
	return m, nil
}

// set caches attribute sets: there are few, and making one costs more than counting.
func (m *Metrics) set(keys [4]string, names ...string) metric.MeasurementOption {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.sets[keys]; ok {
		return s
	}
	kv := make([]attribute.KeyValue, 0, len(names))
	for i, n := range names {
		kv = append(kv, attribute.String(n, keys[i]))
	}
	s := metric.WithAttributeSet(attribute.NewSet(kv...))
	m.sets[keys] = s
	return s
}

// Message counts a message event of an app, by what became of it.
func (m *Metrics) Message(app, what string) {
	if m != nil {
		m.messages.Add(context.Background(), 1, m.set([4]string{app, what, "", "message"}, "app", "result"))
	}
}

// Suppress counts a device that is not pushed to.
func (m *Metrics) Suppress(app string, why hongyan.Reason) {
	if m != nil {
		m.suppressed.Add(context.Background(), 1, m.set([4]string{app, string(why), "", "suppress"}, "app", "reason"))
	}
}

// Job counts a job that was made.
func (m *Metrics) Job(j *Job) {
	if m != nil {
		m.jobs.Add(context.Background(), 1, m.set([4]string{j.Vendor, j.Certificate, j.Lane}, "vendor", "certificate", "lane"))
	}
}

// Attempt counts n results of one reason in a call for a job.
func (m *Metrics) Attempt(j *Job, reason vendors.Reason, n int) {
	if m != nil {
		m.attempts.Add(context.Background(), int64(n), m.set([4]string{j.Vendor, j.Certificate, j.Lane, reason.String()}, "vendor", "certificate", "lane", "reason"))
	}
}

// Outcome counts a device that is done with.
func (m *Metrics) Outcome(j *Job, reason vendors.Reason) {
	if m != nil {
		m.outcomes.Add(context.Background(), 1, m.set([4]string{j.Vendor, j.Certificate, j.Lane, reason.String()}, "vendor", "certificate", "lane", "reason"))
	}
}

// Orphan counts a device of a job whose certificate no worker serves. Neither its name nor that of
// its app is in the configuration, so it is no label.
func (m *Metrics) Orphan(vendor string) {
	if m != nil {
		reason := hongyan.UnknownCertificate
		m.outcomes.Add(context.Background(), 1, m.set([4]string{vendor, "unknown", "", string(reason)}, "vendor", "certificate", "lane", "reason"))
	}
}

// Accepted counts how long the message was under way when the vendor took it.
func (m *Metrics) Accepted(j *Job, latency time.Duration) {
	if m != nil {
		m.latency.Record(context.Background(), latency.Seconds(), m.set([4]string{j.Vendor, j.Certificate, j.Lane}, "vendor", "certificate", "lane"))
	}
}

// Called counts how long a vendor call took.
func (m *Metrics) Called(vendor, certificate, lane string, took time.Duration) {
	if m != nil {
		m.call.Record(context.Background(), took.Seconds(), m.set([4]string{vendor, certificate, lane}, "vendor", "certificate", "lane"))
	}
}

// Ignore counts input that was ignored.
func (m *Metrics) Ignore(kind string) {
	if m != nil {
		m.ignored.Add(context.Background(), 1, m.set([4]string{kind, "", "", "ignore"}, "kind"))
	}
}

// Repaired counts, by kind, what in an input was not as the contract writes it and was taken all
// the same.
func (m *Metrics) Repaired(repairs hongyan.Repairs) {
	for _, r := range repairs {
		m.Ignore(string(r.Kind))
	}
}

// Refreshed counts a device whose number was to be changed without a notification.
func (m *Metrics) Refreshed(vendor, certificate string, reason vendors.Reason) {
	if m != nil {
		m.refreshed.Add(context.Background(), 1, m.set([4]string{vendor, certificate, reason.String(), "refresh"}, "vendor", "certificate", "reason"))
	}
}

// Drop counts a registration that was removed because its token is dead.
func (m *Metrics) Drop(j *Job) {
	if m != nil {
		m.dropped.Add(context.Background(), 1, m.set([4]string{j.Vendor, j.Certificate, "", "drop"}, "vendor", "certificate"))
	}
}

// Moved counts a registration that was removed because its token was registered again.
func (m *Metrics) Moved() {
	if m != nil {
		m.moved.Add(context.Background(), 1)
	}
}

// Park says whether a certificate is parked.
func (m *Metrics) Park(vendor, certificate string, parked bool) {
	if m != nil {
		var v int64
		if parked {
			v = 1
		}
		m.parked.Record(context.Background(), v, m.set([4]string{vendor, certificate, "", "park"}, "vendor", "certificate"))
	}
}

// ParkKind says whether a certificate's pushes of one kind are parked.
func (m *Metrics) ParkKind(vendor, certificate, kind string, parked bool) {
	if m != nil {
		var v int64
		if parked {
			v = 1
		}
		m.kind.Record(context.Background(), v, m.set([4]string{vendor, certificate, kind, "park"}, "vendor", "certificate", "kind"))
	}
}

// Hold says whether an operator holds a certificate or its app.
func (m *Metrics) Hold(vendor, certificate string, held bool) {
	if m != nil {
		var v int64
		if held {
			v = 1
		}
		m.held.Record(context.Background(), v, m.set([4]string{vendor, certificate, "", "park"}, "vendor", "certificate"))
	}
}

// Unstored counts bytes more, or fewer, that wait to be stored in a stream.
func (m *Metrics) Unstored(stream string, bytes int) {
	if m != nil {
		m.waiting.Add(context.Background(), int64(bytes), m.set([4]string{stream, "", "", "unstored"}, "stream"))
	}
}

// Pause says whether attempts pause because what became of earlier ones cannot be stored.
func (m *Metrics) Pause(vendor, certificate, lane string, paused bool) {
	if m != nil {
		var v int64
		if paused {
			v = 1
		}
		m.paused.Record(context.Background(), v, m.set([4]string{vendor, certificate, lane, "pause"}, "vendor", "certificate", "lane"))
	}
}

// Signal counts a recall or read mark of an app, by what became of it.
func (m *Metrics) Signal(app string, kind hongyan.SignalType, result string) {
	if m != nil {
		m.signals.Add(context.Background(), 1, m.set([4]string{app, string(kind), result, "signal"}, "app", "type", "result"))
	}
}

// Looked counts the devices of a message or job that was taken again, by what the records said of
// them.
func (m *Metrics) Looked(done, pushed int, unread bool) {
	if m == nil {
		return
	}
	result := "pushed"
	if unread {
		result = "unread"
	}
	for _, c := range []struct {
		result  string
		devices int
	}{{"done", done}, {result, pushed}} {
		if c.devices > 0 {
			m.looked.Add(context.Background(), int64(c.devices), m.set([4]string{c.result, "", "", "look"}, "result"))
		}
	}
}
