package telemetry

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/tracing"
)

func TestMetricsAreServed(t *testing.T) {
	tel, err := Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := tel.Meter.Int64Counter("hongyan.things")
	if err != nil {
		t.Fatal(err)
	}
	c.Add(t.Context(), 3)
	rec := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(rec.Body)
	if err != nil || !strings.Contains(string(body), "hongyan_things_total 3") || !strings.Contains(string(body), "go_goroutines") {
		t.Errorf("%v:\n%s", err, body)
	}
	if tel.Tracer != nil {
		t.Error("spans are made though nobody asked for them")
	}
	if err := tel.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTracesAreMadeWhenAskedFor(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "console")
	tel, err := Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	if tel.Tracer == nil {
		t.Error("no spans though the environment asks for them")
	}
	if got := spanLimits().LinkCountLimit; got != maxLinks {
		t.Errorf("a span has %d links at most, want %d", got, maxLinks)
	}
	ctx, span := tel.Tracer.Start(tracing.WithMessage(t.Context(), "demo", "m-1"), "process")
	if got := tracing.ID(tracing.Parent(ctx)); got != hongyan.TraceID("demo", "m-1") || !span.IsRecording() {
		t.Errorf("the message has trace %s", got)
	}
	t.Setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "5")
	if got := spanLimits().LinkCountLimit; got != 5 {
		t.Errorf("a span has %d links at most, want 5", got)
	}
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	if tel, err = Start(t.Context(), "test", "v0"); err != nil {
		t.Fatal(err)
	}
	if _, span := tel.Tracer.Start(t.Context(), "process"); span.IsRecording() {
		t.Error("OTEL_TRACES_SAMPLER is not obeyed")
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if wanted("TRACES") {
		t.Error("OTEL_SDK_DISABLED is not obeyed")
	}
}

// A collector that cannot be reached is a line of the log, in the log's form.
func TestReport(t *testing.T) {
	var out bytes.Buffer
	log, err := Logger(&out, "", "json")
	if err != nil {
		t.Fatal(err)
	}
	Report(log)
	otel.Handle(errors.New("no such host"))
	if got := out.String(); !strings.Contains(got, `"level":"WARN"`) || !strings.Contains(got, `"error":"no such host"`) {
		t.Errorf("got %s", got)
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := Logger(&out, "warn", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Errorf("got %s", got)
	}
	if _, err := Logger(&out, "shout", ""); err == nil {
		t.Error("a level that does not exist passes")
	}
}
