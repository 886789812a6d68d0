package telemetry

import (
	"bytes"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
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
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if wanted("TRACES") {
		t.Error("OTEL_SDK_DISABLED is not obeyed")
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
