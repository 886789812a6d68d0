package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/telemetry"
)

// touched is a meter whose counters, histograms and gauges have a value from the start, so that a
// scrape shows them all. Observable gauges have one by themselves.
type touched struct{ metric.Meter }

func (m touched) Int64Counter(name string, options ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	c, err := m.Meter.Int64Counter(name, options...)
	if err == nil {
		c.Add(context.Background(), 0)
	}
	return c, err
}

func (m touched) Int64Gauge(name string, options ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	g, err := m.Meter.Int64Gauge(name, options...)
	if err == nil {
		g.Record(context.Background(), 0)
	}
	return g, err
}

func (m touched) Float64Histogram(name string, options ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	h, err := m.Meter.Float64Histogram(name, options...)
	if err == nil {
		h.Record(context.Background(), 0)
	}
	return h, err
}

// exported are the names of the worker's own metrics as Prometheus reads them.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	tel, err := telemetry.Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	tel.Meter = touched{tel.Meter}
	if _, err := dispatch.NewMetrics(tel.Meter); err != nil {
		t.Fatal(err)
	}
	b := bustest.Start(t, "oppo")
	if err := directory.New(b, hongyan.Subjects{}, directory.Options{}).Measure(tel.Meter); err != nil {
		t.Fatal(err)
	}
	if err := marks.New(b, hongyan.Subjects{}, marks.Options{}).Measure(tel.Meter); err != nil {
		t.Fatal(err)
	}
	s := &service{conf: &config.Config{}, bus: b, tel: tel, log: slog.New(slog.DiscardHandler)}
	s.loaded.Store(&loaded{conf: s.conf})
	if _, err := newLoader(s); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.measureBacklogs(ctx)
	}()
	defer func() {
		stop()
		<-done
	}()
	for deadline := time.Now().Add(20 * time.Second); ; {
		w := httptest.NewRecorder()
		tel.Metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		names := map[string]bool{}
		for _, found := range regexp.MustCompile(`(?m)^(push_\w+?)(_bucket|_sum|_count)?[{ ]`).FindAllStringSubmatch(w.Body.String(), -1) {
			names[found[1]] = true
		}
		if names["push_backlog"] { // the backlog was read
			return names
		}
		if time.Now().After(deadline) {
			t.Fatal("the backlog is never measured")
		}
	}
}

// Every metric that a page, an example or an alert names is one that the worker exports, under that
// very name.
func TestMetricsOfPages(t *testing.T) {
	t.Parallel()
	names := exported(t)
	for _, want := range []string{"push_messages_total", "push_oldest_seconds", "push_latency_seconds", "push_parked"} {
		if !names[want] {
			t.Errorf("%s is not exported: %v", want, names)
		}
	}
	word := regexp.MustCompile(`[\w./-]*push_[a-z_]+`)
	named := map[string]bool{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*", "deploy/*/*", "docker-compose.yml"} {
		paths, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err != nil || info.IsDir() {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range word.FindAllString(string(text), -1) {
				name = strings.TrimSuffix(name, "_")
				// a key such as max_push_group is none, nor is the option push_type of a message
				if !strings.HasPrefix(name, "push_") || name == "push_type" {
					continue
				}
				named[name] = true
				if !names[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")] {
					t.Errorf("%s names the metric %s, which the worker does not export; it has %v", path, name, names)
				}
			}
		}
	}
	if !named["push_backlog"] || !named["push_parked"] {
		t.Errorf("the pages name %v: they are not read", named)
	}
}
