package dispatch

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// BenchmarkMetrics counts all that is counted of a message to one device that is accepted, where
// many are planned together.
func BenchmarkMetrics(b *testing.B) {
	reader, err := otelprom.New(otelprom.WithRegisterer(prometheus.NewRegistry()))
	if err != nil {
		b.Fatal(err)
	}
	m, err := NewMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("bench"))
	if err != nil {
		b.Fatal(err)
	}
	j := &Job{App: "demo", Vendor: "apns", Certificate: "c", Lane: hongyan.LaneNormal}
	b.ReportAllocs()
	for b.Loop() {
		m.Message("demo", "planned")
		m.Job(j)
		m.Called("apns", "c", hongyan.LaneNormal, time.Millisecond, 10*time.Millisecond)
		m.Attempt(j, vendors.Accepted, 1)
		m.Outcome(j, vendors.Accepted)
		m.Accepted(j, time.Millisecond)
	}
}

// A certificate that begins anew, or goes, leaves nothing parked behind; kinds that never were
// parked stay away.
func TestFreshCertificate(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	reader, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	m.Park("apns", "c", true)
	m.Hold("apns", "c", true)
	m.ParkKind("apns", "c", string(vendors.Kinds[0]), true)
	values := func() (all []float64) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if name := f.GetName(); strings.HasPrefix(name, "hongyan_parked") || strings.HasPrefix(name, "hongyan_held") {
				for _, series := range f.GetMetric() {
					all = append(all, series.GetGauge().GetValue())
				}
			}
		}
		return all
	}
	if got := values(); !slices.Equal(got, []float64{1, 1, 1}) {
		t.Errorf("parked and held: %v", got)
	}
	m.Fresh("apns", "c")
	if got := values(); !slices.Equal(got, []float64{0, 0, 0}) {
		t.Errorf("begun anew: %v", got)
	}
}
