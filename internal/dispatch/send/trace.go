package send

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/tracing"
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
	l.s.Log.Log(context.Background(), level, "push attempt", "app", cert.App, "vendor", cert.Vendor, "certificate", cert.ID, "lane", l.name, "reason", r.Reason.String(),
		"code", r.Code, "message_id", job.Notification.MessageID, "job_id", job.Name(), "trace_id", tracing.ID(job.Trace), "user", t.User, "device", t.Device, "token", dispatch.TokenHash(t.Token),
		"attempt", job.Attempts+1, "batch", batch, "probe", c.probe, "began", began, "took", took, "retry_after", r.RetryAfter, "error", r.Err)
}

// span traces a call. It is in the trace of the message that it carries; a call for several is in a
// trace of its own, which is linked to those of all.
func (l *lane) span(c *call) (context.Context, func([]vendors.Result)) {
	s := l.s
	if s.Tracer == nil {
		return s.hard, func([]vendors.Result) {}
	}
	cert := &s.Certificate
	attributes := []attribute.KeyValue{
		semconv.MessagingSystemKey.String(cert.Vendor), semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send"),
		semconv.MessagingDestinationName(cert.ID), attribute.String("hongyan.app", cert.App), attribute.String("hongyan.lane", l.name),
		attribute.Int("hongyan.devices", len(c.works)), attribute.Bool("hongyan.probe", c.probe || c.trial),
	}
	ctx, jobs := s.hard, c.messages()
	if first := jobs[0]; len(jobs) == 1 {
		id := first.Notification.MessageID
		ctx = tracing.Remote(tracing.WithMessage(ctx, first.App, id), first.Trace)
		attributes = append(attributes, semconv.MessagingMessageID(id), attribute.Int("hongyan.attempt", first.Attempts+1))
	} else {
		attributes = append(attributes, semconv.MessagingBatchMessageCount(len(jobs)))
	}
	ctx, span := s.Tracer.Start(ctx, "send "+cert.ID, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	if len(jobs) > 1 && span.IsRecording() {
		for _, j := range jobs {
			span.AddLink(trace.Link{SpanContext: tracing.Of(j.Trace), Attributes: []attribute.KeyValue{semconv.MessagingMessageID(j.Notification.MessageID)}})
		}
	}
	return ctx, func(results []vendors.Result) {
		defer span.End()
		for _, r := range results {
			if r.Reason != vendors.Accepted {
				span.SetStatus(codes.Error, r.Reason.String())
				span.SetAttributes(semconv.ErrorTypeKey.String(r.Reason.String()), attribute.String("hongyan.vendor_code", r.Code))
				if r.Err != nil {
					span.RecordError(errors.New(r.Err.Error()))
				}
				return
			}
		}
	}
}

// messages are the jobs of a call, one for each message.
func (c *call) messages() []*dispatch.Job {
	jobs := []*dispatch.Job{c.works[0].job}
	last := c.works[0]
	var seen map[string]bool
	add := func(w *work) {
		if w == last || w.job.Notification.MessageID == last.job.Notification.MessageID {
			return
		}
		if last = w; seen == nil {
			seen = map[string]bool{jobs[0].Notification.MessageID: true}
		}
		if id := w.job.Notification.MessageID; !seen[id] {
			seen[id] = true
			jobs = append(jobs, w.job)
		}
	}
	for _, w := range c.works[1:] {
		add(w)
	}
	for _, t := range c.twins {
		add(t.w)
	}
	return jobs
}
