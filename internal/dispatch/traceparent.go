package dispatch

import "regexp"

// HeaderTrace carries the trace context of a message, as W3C Trace Context writes it.
const HeaderTrace = "traceparent"

// traceparent is the form of version 00, which later versions begin with.
var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// TraceOf reads the trace context that came with a message. A value that is not of the W3C form is
// dropped: it would be copied to every job.
func TraceOf(value string) (trace string, dropped bool) {
	if value == "" {
		return "", false
	}
	if len(value) != 55 || !traceparent.MatchString(value) {
		return "", true
	}
	return value, false
}
