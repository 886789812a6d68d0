package dispatch

import (
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
