// Package tracing makes one trace of all that happens with a message. Where its publisher gave no
// trace context, the trace's id is computed from the message's: whoever has the message id has the
// trace, whichever workers took part.
//
//	without traceparent ─▶ WithMessage(app, id) ─▶ IDs ─▶ first span of hongyan.TraceID(app, id)
//	with traceparent    ─▶ Remote(traceparent)  ────────▶ a child of the publisher's span
//
// The package decides about ids alone. Who samples and exports is telemetry's.
package tracing

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan"
)

type messageKey struct{}

// WithMessage is a context in which a span without a parent begins the trace of a message. [IDs]
// must make the ids.
func WithMessage(ctx context.Context, app, message string) context.Context {
	return context.WithValue(ctx, messageKey{}, [2]string{app, message})
}

// IDs makes the ids of spans and traces; it is an sdktrace.IDGenerator. It may be used by many at
// once.
type IDs struct{}

// NewIDs are those of a span without a parent.
func (IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	if m, ok := ctx.Value(messageKey{}).([2]string); ok {
		_, _ = hex.Decode(id[:], []byte(hongyan.TraceID(m[0], m[1]))) // it is 32 digits
		return id, spanID()
	}
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], 1|rand.Uint64())
	return id, spanID()
}

// NewSpanID is that of a span with a parent.
func (IDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return spanID() }

func spanID() (id trace.SpanID) {
	binary.NativeEndian.PutUint64(id[:], 1|rand.Uint64())
	return id
}

// Remote is a context in which spans are children of one that another program began, by its
// traceparent; the same context where that is empty or cannot be read.
func Remote(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// Parent is the traceparent of the span in a context; empty where there is none.
func Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Of reads the span context that a traceparent names, which is invalid where it names none.
func Of(traceparent string) trace.SpanContext {
	return trace.SpanContextFromContext(Remote(context.Background(), traceparent))
}

// ID is the trace's id in a traceparent that has its form, for logs; empty where there is none.
func ID(traceparent string) string {
	if len(traceparent) < len("00-")+32 {
		return ""
	}
	return traceparent[3 : 3+32]
}
