package vendors

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A request below a span that is recorded has a span of its own, which tells neither the token in
// its path nor its query; the answer's date is told.
func TestExchangesAreTraced(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	token := strings.Repeat("ab12", 16)
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
	var dates []string
	ctx, parent := tracer.Start(WithDates(t.Context(), func(date string) { dates = append(dates, date) }), "send")
	call := func(ctx context.Context, url string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = Do(server.Client(), req) // the spans say what came
	}
	call(ctx, server.URL+"/3/device/"+token+"?auth="+token)
	call(ctx, "http://127.0.0.1:1/x")
	call(t.Context(), server.URL+"/untraced")
	got := spans.GetSpans()
	if len(got) != 2 {
		t.Fatalf("%d spans, want 2: %+v", len(got), got)
	}
	for i, want := range []map[string]string{
		{"http.request.method": "POST", "server.address": "127.0.0.1", "url.full": server.URL + "/3/device/REDACTED", "http.response.status_code": "418", "error.type": "418"},
		{"http.request.method": "POST", "server.address": "127.0.0.1", "server.port": "1", "url.full": "http://127.0.0.1:1/x", "error.type": "unavailable"},
	} {
		attributes := map[string]string{}
		for _, a := range got[i].Attributes {
			attributes[string(a.Key)] = a.Value.String()
		}
		for k, v := range want {
			if attributes[k] != v {
				t.Errorf("span %d: %s is %q, want %q", i, k, attributes[k], v)
			}
		}
		if got[i].Parent.SpanID() != parent.SpanContext().SpanID() || got[i].SpanKind != trace.SpanKindClient || got[i].Name != "POST" {
			t.Errorf("span %d: %+v", i, got[i])
		}
	}
	if len(dates) != 1 {
		t.Errorf("%d dates were told, want that of the traced answer: %v", len(dates), dates)
	}
}
