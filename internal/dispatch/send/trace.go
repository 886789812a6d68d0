package send

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// report counts a call's results and logs them: one wide line for each device at debug level, and a
// warning for codes that nobody knows.
func (l *lane) report(c *call, results []vendors.Result, began time.Time, took time.Duration) {
	s := l.s
	debug, warn := s.Log.Enabled(context.Background(), slog.LevelDebug), s.Log.Enabled(context.Background(), slog.LevelWarn)
	for k := 0; k < len(results); {
		r := &results[k]
		n := k
		for n < len(results) && results[n].Reason == r.Reason && results[n].Split == r.Split {
			if unknown := r.Reason == vendors.Unknown; debug || unknown && warn {
				l.reportOne(c, n, &results[n], len(results), began, took, unknown)
			}
			n++
		}
		if !r.Split { // those have no result yet
			s.Metrics.Attempt(c.works[0].job, r.Reason, n-k)
		}
		k = n
	}
}

func (l *lane) reportOne(c *call, k int, r *vendors.Result, batch int, began time.Time, took time.Duration, unknown bool) {
	level := slog.LevelDebug
	if unknown {
		level = slog.LevelWarn
	}
	cert, job := &l.s.Certificate, c.works[k].job
	t := &job.Targets[c.index[k]]
	l.s.Log.Log(context.Background(), level, "push attempt", "vendor", cert.Vendor, "certificate", cert.ID, "lane", l.name, "reason", r.Reason.String(),
		"code", r.Code, "message_id", job.Notification.MessageID, "user", t.User, "device", t.Device, "token", dispatch.TokenHash(t.Token),
		"attempt", job.Attempts+1, "batch", batch, "probe", c.probe, "began", began, "took", took, "retry_after", r.RetryAfter, "error", r.Err)
}

// span traces a call as a child of the message that it carries, or of the first of several.
func (l *lane) span(c *call) (context.Context, func([]vendors.Result)) {
	s := l.s
	parent := c.works[0].job.Trace
	if s.Tracer == nil || parent == "" {
		return s.hard, func([]vendors.Result) {}
	}
	ctx := propagation.TraceContext{}.Extract(s.hard, propagation.MapCarrier{"traceparent": parent})
	ctx, span := s.Tracer.Start(ctx, "push "+s.Certificate.Vendor, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("push.vendor", s.Certificate.Vendor), attribute.String("push.certificate", s.Certificate.ID),
		attribute.String("push.lane", l.name), attribute.Int("push.devices", len(c.works)),
		attribute.String("push.message_id", c.works[0].job.Notification.MessageID)))
	return ctx, func(results []vendors.Result) {
		defer span.End()
		for _, r := range results {
			if r.Reason != vendors.Accepted {
				span.SetStatus(codes.Error, r.Reason.String())
				span.SetAttributes(attribute.String("push.reason", r.Reason.String()), attribute.String("push.code", r.Code))
				if r.Err != nil {
					span.RecordError(errors.New(r.Err.Error()))
				}
				return
			}
		}
	}
}
