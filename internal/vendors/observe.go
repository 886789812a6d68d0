package vendors

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope names the spans of requests.
const scope = "github.com/hongyan-im/hongyan/internal/vendors"

type datesKey struct{}

// WithDates has heard told of the Date header of each answer to a request with this context, as the
// vendor wrote it. It must be quick.
func WithDates(ctx context.Context, heard func(date string)) context.Context {
	return context.WithValue(ctx, datesKey{}, heard)
}

// Exchange is a request to a vendor and its answer, as traces show them: a span of an HTTP client
// below the span in the request's context. It costs next to nothing where that is not recorded.
type Exchange struct {
	ctx  context.Context
	span trace.Span // nil where nothing is recorded
}

// StartExchange begins with the request. Of the path, what may be a token is not told, and of a
// query nothing.
func StartExchange(ctx context.Context, method, scheme, host, path string) Exchange {
	x := Exchange{ctx: ctx}
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return x
	}
	_, x.span = parent.TracerProvider().Tracer(scope).Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(method), semconv.URLFull(scheme+"://"+host+told(path))))
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, map[string]string{"https": "443", "http": "80"}[scheme]
	}
	x.span.SetAttributes(semconv.ServerAddress(name))
	if n, err := strconv.Atoi(port); err == nil {
		x.span.SetAttributes(semconv.ServerPort(n))
	}
	return x
}

// longestName is how long a part of a path may be that is told: tokens are longer, and the names of
// calls and projects are shorter.
const longestName = 31

// told is a path without what may be a token of a device.
func told(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if len(p) > longestName {
			parts[i] = "REDACTED"
		}
	}
	return strings.Join(parts, "/")
}

// Answered ends the exchange with an answer.
func (x Exchange) Answered(status int, date string) {
	if date != "" {
		if heard, ok := x.ctx.Value(datesKey{}).(func(string)); ok {
			heard(date)
		}
	}
	if x.span == nil {
		return
	}
	x.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusBadRequest {
		code := strconv.Itoa(status)
		x.span.SetAttributes(semconv.ErrorTypeKey.String(code))
		x.span.SetStatus(codes.Error, "")
	}
	x.span.End()
}

// Failed ends the exchange without an answer. The error must not hold anything of the request.
func (x Exchange) Failed(err error) {
	if x.span == nil {
		return
	}
	x.span.SetAttributes(semconv.ErrorTypeKey.String(TransportResult(x.ctx, err).Reason.String()))
	x.span.SetStatus(codes.Error, err.Error())
	x.span.End()
}
