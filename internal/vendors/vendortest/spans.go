package vendortest

import (
	"fmt"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// spans wants traces of calls that succeed, and of some that do not, to tell neither a device's
// token, however short, nor a secret nor a text.
func spans(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	recorder := tracetest.NewSpanRecorder()
	ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test").Start(t.Context(), "send")
	batch := r.Batch(1, Chat())
	push := func() {
		r.Driver.Push(ctx, batch)
		if w, ok := r.Driver.(vendors.Withdrawer); ok {
			w.Withdraw(ctx, batch)
		}
	}
	push()
	short := batch.Devices[0].Token[:16] // no longer than names that are told
	batch.Devices[0].Token = short
	push()
	r.Sandbox.Arm(sandbox.Fault{Vendor: s.Fake.Vendor, Kind: sandbox.FaultServerError})
	batch = r.Batch(1, Chat())
	push()
	span.End()
	for _, ended := range recorder.Ended() {
		said := fmt.Sprint(ended.Name(), ended.Attributes(), ended.Events(), ended.Status())
		if untold(t, r, said); strings.Contains(said, short) {
			t.Errorf("%q tells %q", said, short)
		}
	}
}
