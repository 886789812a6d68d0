package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/instrument"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/telemetry"
)

// noted is a meter that notes which instruments are made of it.
type noted struct {
	noop.Meter
	names map[string]bool
}

func (m noted) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	m.names[name] = true
	return noop.Int64Counter{}, nil
}

func (m noted) Int64UpDownCounter(name string, _ ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	m.names[name] = true
	return noop.Int64UpDownCounter{}, nil
}

func (m noted) Int64Gauge(name string, _ ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	m.names[name] = true
	return noop.Int64Gauge{}, nil
}

func (m noted) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	m.names[name] = true
	return noop.Float64Histogram{}, nil
}

func (m noted) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	m.names[name] = true
	return noop.Int64ObservableCounter{}, nil
}

func (m noted) Int64ObservableGauge(name string, _ ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	m.names[name] = true
	return noop.Int64ObservableGauge{}, nil
}

func (m noted) Float64ObservableGauge(name string, _ ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	m.names[name] = true
	return noop.Float64ObservableGauge{}, nil
}

// The worker makes the metrics that the list has, from which docs/metrics.md is written, and no
// others.
func TestMetricsAreThoseOfTheList(t *testing.T) {
	t.Parallel()
	m := noted{names: map[string]bool{}}
	if _, err := dispatch.NewMetrics(m); err != nil {
		t.Fatal(err)
	}
	if err := directory.New(nil, hongyan.Subjects{}, directory.Options{}).Measure(m); err != nil {
		t.Fatal(err)
	}
	if err := marks.New(nil, hongyan.Subjects{}, marks.Options{}).Measure(m); err != nil {
		t.Fatal(err)
	}
	if _, err := newReadings(m, nil, func() *config.Config { return nil }, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := measureReady(m, newHealth()); err != nil {
		t.Fatal(err)
	}
	if _, err := newCondition(m, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := newLoader(&service{tel: &telemetry.Telemetry{Meter: m}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range instrument.All() {
		if !m.names[want.Name] {
			t.Errorf("the worker does not make %s", want.Name)
		}
		delete(m.names, want.Name)
	}
	for name := range m.names {
		t.Errorf("the worker makes %s, which internal/instrument does not list", name)
	}
}

// Every metric that a page, an example, an alert or a text of a program names is one that the
// worker exports, under that very name, and each is told on the page about metrics.
func TestMetricsOfPages(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, m := range instrument.All() {
		names[m.Exported()] = true
	}
	word := regexp.MustCompile(`[\w./-]*hongyan_[a-z_]+`)
	former := regexp.MustCompile(`\bpush_[a-z_]+_(total|seconds|bytes)\b`)
	named := map[string]bool{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*", "deploy/*/*", "deploy/*/*/*", "docker-compose.yml", "internal/explain/*.go"} {
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
				if !strings.HasPrefix(name, "hongyan_") { // a path is none
					continue
				}
				named[name] = true
				series := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
				if !names[series] && !names[name] {
					t.Errorf("%s names the metric %s, which the worker does not export", path, name)
				}
			}
			if found := former.FindString(string(text)); found != "" {
				t.Errorf("%s names the metric %s, which is called hongyan_… now", path, found)
			}
		}
	}
	for _, page := range []string{"docs/metrics.md", "docs/metrics.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join(repo, page))
		if err != nil {
			t.Fatal(err)
		}
		for name := range names {
			if !slices.Contains(word.FindAllString(string(text), -1), name) {
				t.Errorf("%s does not tell of %s", page, name)
			}
		}
	}
	if !named["hongyan_backlog"] || !named["hongyan_parked"] {
		t.Errorf("the pages name %v: they are not read", named)
	}
}
