package tracing

import (
	"strconv"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
)

// A message's trace has the id that is computed of it, unless its publisher gave one, and all
// workers sample it alike.
func TestTraceOfAMessage(t *testing.T) {
	t.Parallel()
	traces := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(IDs{}))
	tracer := traces.Tracer("test")
	ctx, first := tracer.Start(WithMessage(t.Context(), "demo", "m-1"), "process")
	want := hongyan.TraceID("demo", "m-1")
	if got := first.SpanContext(); got.TraceID().String() != want || !got.SpanID().IsValid() || ID(Parent(ctx)) != want {
		t.Errorf("the trace is %s, want %s", got.TraceID(), want)
	}
	_, again := tracer.Start(WithMessage(t.Context(), "demo", "m-1"), "process")
	if got := again.SpanContext(); got.TraceID().String() != want || got.SpanID() == first.SpanContext().SpanID() {
		t.Errorf("taken again it is %s", got.TraceID())
	}
	const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	_, child := tracer.Start(Remote(WithMessage(t.Context(), "demo", "m-1"), given), "process")
	if got := child.SpanContext().TraceID().String(); got != ID(given) || !Of(given).IsValid() {
		t.Errorf("the publisher's trace is %s, want %s", got, ID(given))
	}
	_, other := tracer.Start(t.Context(), "send")
	if got := other.SpanContext(); !got.IsValid() || got.TraceID().String() == want {
		t.Errorf("a span of no message has trace %s", got.TraceID())
	}
	if Remote(t.Context(), "") != t.Context() || Of("").IsValid() || ID("") != "" || Parent(t.Context()) != "" {
		t.Error("no traceparent is something")
	}
	worker := func() trace.Tracer {
		return sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(IDs{}), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)))).Tracer("test")
	}
	one, two, kept := worker(), worker(), 0
	for i := range 1000 {
		sampled := func(w trace.Tracer) bool {
			_, span := w.Start(WithMessage(t.Context(), "demo", strconv.Itoa(i)), "process")
			return span.SpanContext().IsSampled()
		}
		if sampled(one) != sampled(two) {
			t.Fatal("two workers sample a message's trace differently")
		}
		if sampled(one) {
			kept++
		}
	}
	if kept < 400 || kept > 600 {
		t.Errorf("of 1000 traces %d are sampled, want about half", kept)
	}
}
