package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/tracing"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// traced makes the rig trace, and returns where the spans are.
func (r *rig) traced() *tracetest.InMemoryExporter {
	spans := tracetest.NewInMemoryExporter()
	r.tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithIDGenerator(tracing.IDs{})).Tracer("test")
	return spans
}

// described are the attributes of a span by their names.
func described(s tracetest.SpanStub) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}

// ofTrace are the spans of a trace by their names.
func ofTrace(spans tracetest.SpanStubs, id string) map[string][]tracetest.SpanStub {
	named := map[string][]tracetest.SpanStub{}
	for _, s := range spans {
		if s.SpanContext.TraceID().String() == id {
			named[s.Name] = append(named[s.Name], s)
		}
	}
	return named
}

// One trace runs from the message to the vendor call: the publisher's where it gave one, else one
// whose id is computed of the message's. A try that follows is in it too, by another worker even.
func TestTraceOfAMessage(t *testing.T) {
	const given = "4bf92f3577b34da6a3ce929d0e0e4736"
	for name, c := range map[string]struct {
		header map[string]string
		id     string
	}{
		"computed": {nil, hongyan.TraceID("demo", "m-1")},
		"given":    {map[string]string{"traceparent": "00-" + given + "-00f067aa0ba902b7-01"}, given},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			spans := r.traced()
			r.register("bob", "d", "c-apns")
			var inside trace.SpanContext
			r.apns.answer = func(ctx context.Context, _ vendors.Device, n int) vendors.Result {
				if n == 1 {
					return vendors.Result{Reason: vendors.Unavailable, Code: "503"}
				}
				inside = trace.SpanContextFromContext(ctx)
				return vendors.Result{Reason: vendors.Accepted}
			}
			r.start()
			data, err := json.Marshal(chat("m-1", "bob"))
			if err != nil {
				t.Fatal(err)
			}
			if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{{Subject: "push.message.demo", Data: data, Header: c.header}}); errs != nil {
				t.Fatal(errs)
			}
			want(t, r.outcomes("m-1", "bob/d")["bob/d"], "accepted", "accepted")
			r.stop()
			if got := inside.TraceID().String(); got != c.id {
				t.Errorf("the vendor call runs in trace %s, want %s", got, c.id)
			}
			named := ofTrace(spans.GetSpans(), c.id)
			process, sends := named["process push.message.demo"], named["send c-apns"]
			if len(process) != 1 || len(sends) != 2 || len(spans.GetSpans()) != 3 {
				t.Fatalf("spans: %+v", spans.GetSpans())
			}
			if got := described(process[0]); got["messaging.system"] != "nats" || got["messaging.operation.type"] != "process" || got["messaging.destination.name"] != "push.message.demo" ||
				got["messaging.message.id"] != "m-1" || process[0].SpanKind != trace.SpanKindConsumer {
				t.Errorf("process: %v", got)
			}
			for i, s := range sends {
				got := described(s)
				if s.Parent.SpanID() != process[0].SpanContext.SpanID() || s.SpanKind != trace.SpanKindClient || got["messaging.system"] != "apns" ||
					got["messaging.operation.type"] != "send" || got["messaging.destination.name"] != "c-apns" || got["messaging.message.id"] != "m-1" ||
					got["error.type"] != []string{"unavailable", ""}[i] || got["hongyan.vendor_code"] != []string{"503", ""}[i] {
					t.Errorf("call %d: %v, child of %s", i, got, s.Parent.SpanID())
				}
			}
		})
	}
}

// A call for several messages is in a trace of its own, which is linked to those of all.
func TestTraceOfACallForSeveralMessages(t *testing.T) {
	r := newRig(t)
	spans := r.traced()
	r.huawei.limits = vendors.Limits{Batch: 1, Mixed: 20}
	gate := make(chan struct{})
	r.huawei.answer = func(context.Context, vendors.Device, int) vendors.Result {
		<-gate
		return vendors.Result{Reason: vendors.Accepted}
	}
	const n = 30
	for i := range n {
		r.register(fmt.Sprint("u", i), "d", "c-huawei")
	}
	for i := range n { // they are taken together
		r.send(chat(fmt.Sprint("m-", i), fmt.Sprint("u", i)))
	}
	r.start()
	for limit := time.Now().Add(time.Minute); r.calls(r.huawei) == 0 && time.Now().Before(limit); {
		time.Sleep(time.Millisecond) // the first calls wait; the other messages come to hand
	}
	close(gate)
	for i := range n {
		want(t, r.outcomes(fmt.Sprint("m-", i), fmt.Sprintf("u%d/d", i))[fmt.Sprintf("u%d/d", i)], "accepted", "accepted")
	}
	r.stop()
	together := 0
	for _, s := range spans.GetSpans() {
		got := described(s)
		if got["messaging.batch.message_count"] == "" {
			continue
		}
		together++
		var ids []string
		for _, l := range s.Links {
			for _, a := range l.Attributes {
				id := a.Value.String()
				if l.SpanContext.TraceID().String() != hongyan.TraceID("demo", id) || slices.Contains(ids, id) {
					t.Errorf("%s is linked to by trace %s", id, l.SpanContext.TraceID())
				}
				ids = append(ids, id)
			}
		}
		if fmt.Sprint(len(ids)) != got["messaging.batch.message_count"] || s.Parent.IsValid() || got["messaging.message.id"] != "" {
			t.Errorf("a call for %s messages is linked to %v: %v", got["messaging.batch.message_count"], ids, got)
		}
	}
	if together == 0 {
		t.Error("no call was for several messages")
	}
}

// A message that cannot be read is in its trace as far as its id can.
func TestTraceOfAMalformedMessage(t *testing.T) {
	r := newRig(t)
	spans := r.traced()
	r.start()
	if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{{Subject: "push.message.demo", Data: []byte(`{"id":"m-1"}`)}}); errs != nil {
		t.Fatal(errs)
	}
	r.letters(1)
	r.stop()
	process := ofTrace(spans.GetSpans(), hongyan.TraceID("demo", "m-1"))["process push.message.demo"]
	if len(process) != 1 || described(process[0])["error.type"] != "malformed" {
		t.Errorf("spans: %+v", spans.GetSpans())
	}
}
