// Package telemetry sets up metrics, traces and logs through OpenTelemetry and slog.
//
// Metrics are always served for Prometheus; they and the traces also go to an OTLP collector where
// the standard OTEL_* variables name one
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). Without such
// a variable no span is made at all. OTEL_TRACES_SAMPLER and the others of the standard decide what
// is sampled: a message's trace has the same id on all workers, so that they decide alike.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan/internal/tracing"
)

// Telemetry is what a process reports through.
type Telemetry struct {
	// Meter makes instruments.
	Meter metric.Meter
	// Tracer is nil when no trace exporter is configured.
	Tracer trace.Tracer
	// Metrics serves the Prometheus text format.
	Metrics http.Handler

	stops []func(context.Context) error
}

// Start sets telemetry up for a service of this name and version.
func Start(ctx context.Context, name, version string) (*Telemetry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	res, err := resource.Merge(resource.NewSchemaless(semconv.ServiceName(name), semconv.ServiceVersion(version)), resource.Environment())
	if err != nil && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("set up telemetry: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(reader), sdkmetric.WithResource(res)}
	if wanted("METRICS") {
		otlp, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("set up the metrics exporter of the OTEL_* variables: %w", err)
		}
		options = append(options, sdkmetric.WithReader(otlp))
	}
	meters := sdkmetric.NewMeterProvider(options...)
	t := &Telemetry{
		Meter: meters.Meter("github.com/hongyan-im/hongyan"), Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		stops: []func(context.Context) error{meters.Shutdown},
	}
	if wanted("TRACES") {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("set up the trace exporter of the OTEL_* variables: %w", err)
		}
		traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res), sdktrace.WithIDGenerator(tracing.IDs{}), sdktrace.WithRawSpanLimits(spanLimits()))
		t.Tracer = traces.Tracer("github.com/hongyan-im/hongyan")
		t.stops = append(t.stops, traces.Shutdown)
	}
	return t, nil
}

// Report has what OpenTelemetry cannot do, such as reach the collector, said in log like all else.
// Without it the SDK writes lines of its own form to the standard error.
func Report(log *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry is not sent", "error", err) }))
}

// maxLinks is how many messages a span of a vendor call names; no vendor takes more in a call.
const maxLinks = 1000

// spanLimits are those of the standard variables, with room for the links of the largest call where
// OTEL_SPAN_LINK_COUNT_LIMIT says nothing else.
func spanLimits() sdktrace.SpanLimits {
	limits := sdktrace.NewSpanLimits()
	if os.Getenv("OTEL_SPAN_LINK_COUNT_LIMIT") == "" {
		limits.LinkCountLimit = maxLinks
	}
	return limits
}

// wanted reports whether the environment asks for an exporter of a signal.
func wanted(signal string) bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return false
	}
	if exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none" && (signal != "METRICS" || exporter != "prometheus")
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// Stop sends what is left.
func (t *Telemetry) Stop(ctx context.Context) error {
	var errs []error
	for _, stop := range t.stops {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

// Logger writes to w at a level (debug, info, warn, error; empty is info) in a format (text, json;
// empty is text). Of warnings that repeat themselves it writes some, see [Sampled].
func Logger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil {
			return nil, fmt.Errorf("log level %q: write debug, info, warn or error", level)
		}
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(Sampled(slog.NewJSONHandler(w, options))), nil
	}
	return slog.New(Sampled(slog.NewTextHandler(w, options))), nil
}
