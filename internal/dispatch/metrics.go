package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/instrument"
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
	stage      metric.Float64Histogram
	batch      metric.Float64Histogram
	failures   metric.Int64Counter
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
	unshown    metric.Int64Counter
	signals    metric.Int64Counter

	mu   sync.Mutex
	sets map[[4]string]*labels
}

// NewMetrics makes the instruments.
func NewMetrics(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{sets: map[[4]string]*labels{}}
	var errs []error
	counter := func(what *instrument.Metric) metric.Int64Counter {
		c, err := what.Int64Counter(meter)
		errs = append(errs, err)
		return c
	}
	gauge := func(what *instrument.Metric) metric.Int64Gauge {
		g, err := what.Int64Gauge(meter)
		errs = append(errs, err)
		return g
	}
	histogram := func(what *instrument.Metric) metric.Float64Histogram {
		h, err := what.Float64Histogram(meter)
		errs = append(errs, err)
		return h
	}
	m.messages, m.signals, m.ignored = counter(&instrument.Messages), counter(&instrument.Signals), counter(&instrument.Ignored)
	m.suppressed, m.jobs, m.attempts, m.outcomes = counter(&instrument.Suppressed), counter(&instrument.Jobs), counter(&instrument.Attempts), counter(&instrument.Outcomes)
	m.latency, m.stage, m.batch = histogram(&instrument.Latency), histogram(&instrument.StageDuration), histogram(&instrument.BatchSize)
	m.looked, m.failures = counter(&instrument.Looked), counter(&instrument.StoreFailures)
	m.dropped, m.moved, m.refreshed = counter(&instrument.DroppedRegistrations), counter(&instrument.MovedRegistrations), counter(&instrument.BadgeRefreshes)
	m.unshown = counter(&instrument.BadgeRefreshesLost)
	m.paused, m.parked, m.kind, m.held = gauge(&instrument.Paused), gauge(&instrument.Parked), gauge(&instrument.ParkedKind), gauge(&instrument.Held)
	var err error
	m.waiting, err = instrument.Unstored.Int64UpDownCounter(meter)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	m.Unstored(string(hongyan.KindOutcome), 0) // it is there before anything has to wait
	return m, nil
}

// labels are an attribute set, in the forms in which instruments take it.
type labels struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// set caches attribute sets: there are few, and making one costs more than counting.
func (m *Metrics) set(keys [4]string, names ...string) *labels {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.sets[keys]; ok {
		return s
	}
	kv := make([]attribute.KeyValue, 0, len(names))
	for i, n := range names {
		kv = append(kv, attribute.String(n, keys[i]))
	}
	option := metric.WithAttributeSet(attribute.NewSet(kv...))
	s := &labels{[]metric.AddOption{option}, []metric.RecordOption{option}}
	m.sets[keys] = s
	return s
}

// Message counts a message event of an app, by what became of it.
func (m *Metrics) Message(app, what string) {
	if m != nil {
		m.messages.Add(context.Background(), 1, m.set([4]string{app, what, "", "message"}, "app", "result").add...)
	}
}

// Suppress counts a device that is not pushed to.
func (m *Metrics) Suppress(app string, why hongyan.Reason) {
	if m != nil {
		m.suppressed.Add(context.Background(), 1, m.set([4]string{app, string(why), "", "suppress"}, "app", "reason").add...)
	}
}

// Job counts a job that was made.
func (m *Metrics) Job(j *Job) {
	if m != nil {
		m.jobs.Add(context.Background(), 1, m.set([4]string{j.Vendor, j.Certificate, j.Lane}, "vendor", "certificate", "lane").add...)
	}
}

// Attempt counts n results of one reason in a call for a job.
func (m *Metrics) Attempt(j *Job, reason vendors.Reason, n int) {
	if m != nil {
		m.attempts.Add(context.Background(), int64(n), m.set([4]string{j.Vendor, j.Certificate, j.Lane, reason.String()}, "vendor", "certificate", "lane", "reason").add...)
	}
}

// Outcome counts a device that is done with.
func (m *Metrics) Outcome(j *Job, reason vendors.Reason) {
	if m != nil {
		m.outcomes.Add(context.Background(), 1, m.set([4]string{j.Vendor, j.Certificate, j.Lane, reason.String()}, "vendor", "certificate", "lane", "reason").add...)
	}
}

// Orphan counts a device of a job whose certificate no worker serves. Neither its name nor that of
// its app is in the configuration, so it is no label.
func (m *Metrics) Orphan(vendor string) {
	if m != nil {
		reason := hongyan.UnknownCertificate
		m.outcomes.Add(context.Background(), 1, m.set([4]string{vendor, "unknown", "", string(reason)}, "vendor", "certificate", "lane", "reason").add...)
	}
}

// Accepted counts how long the message was under way when the vendor took it.
func (m *Metrics) Accepted(j *Job, latency time.Duration) {
	if m != nil {
		m.latency.Record(context.Background(), latency.Seconds(), m.set([4]string{j.Vendor, j.Certificate, j.Lane}, "vendor", "certificate", "lane").record...)
	}
}

// The steps of a push that Stage and Called time; [instrument.StageDuration] says where each begins
// and ends.
const (
	StageTaken   = "taken"
	StagePlanned = "planned"
	StageWaited  = "waited"
	StageStored  = "stored"

	stageCalled = "called"
)

// Stage counts how long a step took that knows no one certificate.
func (m *Metrics) Stage(stage string, took time.Duration) {
	if m != nil {
		m.stage.Record(context.Background(), took.Seconds(), m.set([4]string{none, none, none, stage}, "vendor", "certificate", "lane", "stage").record...)
	}
}

// none stands where a label has no vendor, certificate or lane.
const none = "none"

// Batch counts for how many devices a vendor call is.
func (m *Metrics) Batch(vendor, certificate, lane string, devices int) {
	if m != nil {
		m.batch.Record(context.Background(), float64(devices), m.set([4]string{vendor, certificate, lane}, "vendor", "certificate", "lane").record...)
	}
}

// Called counts a vendor call: how long its first job had waited for it, and how long it took.
func (m *Metrics) Called(vendor, certificate, lane string, waited, took time.Duration) {
	if m == nil {
		return
	}
	ctx := context.Background()
	m.stage.Record(ctx, waited.Seconds(), m.set([4]string{vendor, certificate, lane, StageWaited}, "vendor", "certificate", "lane", "stage").record...)
	m.stage.Record(ctx, took.Seconds(), m.set([4]string{vendor, certificate, lane, stageCalled}, "vendor", "certificate", "lane", "stage").record...)
}

// StoreFailed counts messages that a stream did not take at a try.
func (m *Metrics) StoreFailed(stream string, n int) {
	if m != nil {
		m.failures.Add(context.Background(), int64(n), m.set([4]string{stream, "", "", "failed"}, "stream").add...)
	}
}

// Ignore counts input that was ignored.
func (m *Metrics) Ignore(kind string) {
	if m != nil {
		m.ignored.Add(context.Background(), 1, m.set([4]string{kind, "", "", "ignore"}, "kind").add...)
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
		m.refreshed.Add(context.Background(), 1, m.set([4]string{vendor, certificate, reason.String(), "refresh"}, "vendor", "certificate", "reason").add...)
	}
}

// RefreshesLost counts users or devices whose number was to be changed and was not.
func (m *Metrics) RefreshesLost(cause string, n int) {
	if m != nil && n > 0 {
		m.unshown.Add(context.Background(), int64(n), m.set([4]string{cause, "", "", "unshown"}, "cause").add...)
	}
}

// Drop counts a registration that was removed because its token is dead.
func (m *Metrics) Drop(j *Job) {
	if m != nil {
		m.dropped.Add(context.Background(), 1, m.set([4]string{j.Vendor, j.Certificate, "", "drop"}, "vendor", "certificate").add...)
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
		m.parked.Record(context.Background(), v, m.set([4]string{vendor, certificate, "", "park"}, "vendor", "certificate").record...)
	}
}

// ParkKind says whether a certificate's pushes of one kind are parked.
func (m *Metrics) ParkKind(vendor, certificate, kind string, parked bool) {
	if m != nil {
		var v int64
		if parked {
			v = 1
		}
		m.kind.Record(context.Background(), v, m.set([4]string{vendor, certificate, kind, "park"}, "vendor", "certificate", "kind").record...)
	}
}

// Hold says whether an operator holds a certificate or its app.
func (m *Metrics) Hold(vendor, certificate string, held bool) {
	if m != nil {
		var v int64
		if held {
			v = 1
		}
		m.held.Record(context.Background(), v, m.set([4]string{vendor, certificate, "", "park"}, "vendor", "certificate").record...)
	}
}

// Fresh says that a certificate begins anew, or is no longer served: nothing of it is parked or
// held.
func (m *Metrics) Fresh(vendor, certificate string) {
	if m == nil {
		return
	}
	m.Park(vendor, certificate, false)
	m.Hold(vendor, certificate, false)
	for _, kind := range vendors.Kinds {
		m.mu.Lock()
		_, was := m.sets[[4]string{vendor, certificate, string(kind), "park"}]
		m.mu.Unlock()
		if was {
			m.ParkKind(vendor, certificate, string(kind), false)
		}
	}
}

// Unstored counts bytes more, or fewer, that wait to be stored in a stream.
func (m *Metrics) Unstored(stream string, bytes int) {
	if m != nil {
		m.waiting.Add(context.Background(), int64(bytes), m.set([4]string{stream, "", "", "unstored"}, "stream").add...)
	}
}

// Pause says whether attempts pause because what became of earlier ones cannot be stored.
func (m *Metrics) Pause(vendor, certificate, lane string, paused bool) {
	if m != nil {
		var v int64
		if paused {
			v = 1
		}
		m.paused.Record(context.Background(), v, m.set([4]string{vendor, certificate, lane, "pause"}, "vendor", "certificate", "lane").record...)
	}
}

// Signal counts a recall or read mark of an app, by what became of it.
func (m *Metrics) Signal(app string, kind hongyan.SignalType, result string) {
	if m != nil {
		m.signals.Add(context.Background(), 1, m.set([4]string{app, string(kind), result, "signal"}, "app", "type", "result").add...)
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
			m.looked.Add(context.Background(), int64(c.devices), m.set([4]string{c.result, "", "", "look"}, "result").add...)
		}
	}
}
