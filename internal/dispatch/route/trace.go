package route

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan/internal/tracing"
)

// begin begins the span of a message or a piece of one, from which its jobs follow. It lasts until
// the message has its end.
func (r *routing) begin(m *routed, id string) {
	if r.Tracer == nil {
		return
	}
	ctx := tracing.Remote(tracing.WithMessage(context.Background(), m.app, id), m.trace)
	subject := m.delivery.Subject()
	ctx, m.span = r.Tracer.Start(ctx, "process "+subject, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		semconv.MessagingSystemKey.String("nats"), semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
		semconv.MessagingDestinationName(subject), semconv.MessagingMessageID(id), semconv.MessagingMessageBodySize(len(m.delivery.Data())),
		attribute.String("hongyan.app", m.app), attribute.Int("hongyan.takes", m.duty.Claim.Takes())))
	m.trace = tracing.Parent(ctx)
}

// fails says in the message's span why nothing came of it.
func (m *routed) fails(why string) {
	if m.span != nil {
		m.span.SetAttributes(semconv.ErrorTypeKey.String(why))
		m.span.SetStatus(codes.Error, why)
	}
}

// over is what the end of a message's duty calls.
func (r *routing) over(m *routed) func() {
	if r.Tracer == nil {
		return r.owing.Done
	}
	return func() {
		if m.span != nil {
			m.span.End()
		}
		r.owing.Done()
	}
}
