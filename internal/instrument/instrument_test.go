package instrument

import (
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Each metric is exported under the name that Exported says, and says what people need.
func TestEveryMetricIsExportedUnderItsName(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	reader, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		t.Fatal(err)
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	names := map[string]bool{}
	for _, m := range All() {
		switch m.Kind {
		case Counter:
			c, err := m.Int64Counter(meter)
			if err != nil {
				t.Fatal(err)
			}
			c.Add(t.Context(), 1)
		case Gauge:
			g, err := m.Int64Gauge(meter)
			if err != nil {
				t.Fatal(err)
			}
			g.Record(t.Context(), 1)
		case Histogram:
			h, err := m.Float64Histogram(meter)
			if err != nil {
				t.Fatal(err)
			}
			h.Record(t.Context(), 1)
		}
		if names[m.Exported()] {
			t.Errorf("two metrics are named %s", m.Exported())
		}
		names[m.Exported()] = true
		if !regexp.MustCompile(`^hongyan(\.[a-z]+(_[a-z]+)*)+$`).MatchString(m.Name) || m.Unit == "" || (m.Kind == Histogram) != (len(m.Bounds) > 0) {
			t.Errorf("%+v", m)
		}
		for _, text := range []Text{m.Means, m.Normal} {
			if text.EN == "" || text.ZH == "" || strings.HasSuffix(text.EN, ".") {
				t.Errorf("%s: %+v", m.Name, text)
			}
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "target_info" {
			continue
		}
		if !names[f.GetName()] {
			t.Errorf("%s is exported, which no metric says", f.GetName())
		}
		delete(names, f.GetName())
	}
	for name := range names {
		t.Errorf("%s is not exported", name)
	}
}
