// Package instrument lists the metrics of a worker: names, units, labels, and what each means.
// Those who count make their instruments from this list, and docs/metrics.md is written from it, so
// that a metric has one name and one meaning.
//
//	list.go ──▶ Counter, Gauge, Histogram … ──▶ OpenTelemetry ──▶ /metrics, OTLP
//	       └──▶ internal/reference ──▶ docs/metrics.md
//
// Names and units are those of OpenTelemetry's conventions; [Metric.Exported] is the name that
// Prometheus reads. The package holds no state: an instrument belongs to the meter that it was made
// of.
package instrument

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/metric"
)

// Kind is what sort of instrument a metric is.
type Kind string

// The kinds. A counter only grows, a gauge goes up and down, a histogram counts how often values
// were within bounds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Text is said in both languages of the documentation.
type Text struct{ EN, ZH string }

// Metric is one metric.
type Metric struct {
	// Name is OpenTelemetry's, such as "hongyan.messages".
	Name string
	Kind Kind
	// Unit is OpenTelemetry's, in the words of UCUM: "s", "By", "{device}".
	Unit string
	// Labels are the names of its attributes.
	Labels []string
	// Bounds are those of a histogram's buckets.
	Bounds []float64
	// Means says what it measures; the English is its description. Normal says what it shows while
	// all is well, and what it means where it does not.
	Means, Normal Text
}

// Exported is the name under which Prometheus reads the metric. A histogram's series have _bucket,
// _sum and _count behind it.
func (m *Metric) Exported() string {
	words := []string{strings.ReplaceAll(m.Name, ".", "_")}
	switch m.Unit {
	case "s":
		words = append(words, "seconds")
	case "By":
		words = append(words, "bytes")
	}
	if m.Kind == Counter {
		words = append(words, "total")
	}
	return strings.Join(words, "_")
}

func (m *Metric) about() (metric.InstrumentOption, metric.InstrumentOption) {
	return metric.WithDescription(strings.ReplaceAll(m.Means.EN, "`", "")), metric.WithUnit(m.Unit)
}

// Int64Counter makes the instrument of a counter.
func (m *Metric) Int64Counter(meter metric.Meter) (metric.Int64Counter, error) {
	description, unit := m.about()
	return meter.Int64Counter(m.Name, description, unit)
}

// Int64UpDownCounter makes the instrument of a gauge that is told of changes.
func (m *Metric) Int64UpDownCounter(meter metric.Meter) (metric.Int64UpDownCounter, error) {
	description, unit := m.about()
	return meter.Int64UpDownCounter(m.Name, description, unit)
}

// Int64Gauge makes the instrument of a gauge that is told of values.
func (m *Metric) Int64Gauge(meter metric.Meter) (metric.Int64Gauge, error) {
	description, unit := m.about()
	return meter.Int64Gauge(m.Name, description, unit)
}

// Float64Histogram makes the instrument of a histogram.
func (m *Metric) Float64Histogram(meter metric.Meter) (metric.Float64Histogram, error) {
	description, unit := m.about()
	return meter.Float64Histogram(m.Name, description, unit, metric.WithExplicitBucketBoundaries(m.Bounds...))
}

// Int64ObservableCounter makes the instrument of a counter that a callback reads.
func (m *Metric) Int64ObservableCounter(meter metric.Meter) (metric.Int64ObservableCounter, error) {
	description, unit := m.about()
	return meter.Int64ObservableCounter(m.Name, description, unit)
}

// Int64ObservableGauge makes the instrument of a gauge that a callback reads.
func (m *Metric) Int64ObservableGauge(meter metric.Meter) (metric.Int64ObservableGauge, error) {
	description, unit := m.about()
	return meter.Int64ObservableGauge(m.Name, description, unit)
}

// Float64ObservableGauge is Int64ObservableGauge for fractions.
func (m *Metric) Float64ObservableGauge(meter metric.Meter) (metric.Float64ObservableGauge, error) {
	description, unit := m.about()
	return meter.Float64ObservableGauge(m.Name, description, unit)
}

// Group is metrics that a page shows together.
type Group struct {
	Title   Text
	Metrics []*Metric
}

// All lists every metric.
func All() []*Metric {
	var all []*Metric
	for _, g := range Groups() {
		all = slices.Concat(all, g.Metrics)
	}
	return all
}
