package h2conn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strconv"

	"golang.org/x/net/http2"
)

// Outcome says what can have become of a request that got no answer.
type Outcome int

const (
	// Unknown means that the peer may have processed the request, and that to send it again may
	// repeat what it did.
	Unknown Outcome = iota
	// NotSent means that no byte of the request was written.
	NotSent
	// Refused means that the peer said, by a REFUSED_STREAM, a GOAWAY or a TLS alert, that it did
	// not process the request.
	Refused
)

// String is the outcome as part of an error.
func (o Outcome) String() string {
	switch o {
	case NotSent:
		return "the request was not sent"
	case Refused:
		return "the peer refused the request"
	default:
		return "the request got no answer"
	}
}

// Error is every error of [Transport.Do] and [Transport.RoundTrip] about a valid request. It tells
// nothing of the request's content.
type Error struct {
	Outcome Outcome
	// Err is the cause: an error of the context, a [*GoAwayError], [*ResetError], [*AlertError],
	// [*ProtocolError], [*ProxyError], one of the errors of this package, or an error of package
	// net or crypto/tls.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return e.Outcome.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Safe reports whether the request can be sent again without the peer processing it twice.
func (e *Error) Safe() bool { return e.Outcome != Unknown }

var (
	// ErrClosed is the cause when the Transport was closed.
	ErrClosed = errors.New("the transport is closed")
	// ErrNoHTTP2 is the cause when the host, or a proxy on the way to it, does not support HTTP/2.
	ErrNoHTTP2 = errors.New("the host does not speak HTTP/2")
	// ErrSilent is the cause when the peer did not answer a PING.
	ErrSilent = errors.New("the peer did not answer a PING")
	// ErrAnswerTooLarge is the cause when an answer was larger than [Options.MaxAnswer] or
	// [Options.MaxHeader] allows.
	ErrAnswerTooLarge = errors.New("the answer is too large")
	// ErrMalformed is the cause when the answer broke the rules of HTTP.
	ErrMalformed = errors.New("the answer is malformed")
	// ErrHeaderTooLarge is the cause when the peer takes no header as large as the request's.
	ErrHeaderTooLarge = errors.New("the request's header is larger than the peer takes")
	// ErrLost is the cause when the peer closed the connection without a word.
	ErrLost = errors.New("the peer closed the connection")
)

// GoAwayError is a GOAWAY by which the peer closed a connection (RFC 9113, 6.8).
type GoAwayError struct {
	Code http2.ErrCode
	// Last is the highest stream that the peer may have processed.
	Last uint32
	// Debug is what the peer wrote about its reason, at most 4 KiB. It is not part of the error's
	// text, because anything may be in it.
	Debug []byte
}

// Error implements error.
func (e *GoAwayError) Error() string {
	return "the peer closes the connection by a GOAWAY, " + e.Code.String()
}

// ResetError is a RST_STREAM by which the peer ended one request (RFC 9113, 6.4).
type ResetError struct{ Code http2.ErrCode }

// Error implements error.
func (e *ResetError) Error() string { return "the peer reset the stream, " + e.Code.String() }

// ProtocolError is a mistake of the peer's that ended the connection (RFC 9113, 5.4.1).
type ProtocolError struct {
	Code   http2.ErrCode
	Reason string
}

// Error implements error.
func (e *ProtocolError) Error() string {
	return "the peer broke the rules of HTTP/2, " + e.Code.String() + ": " + e.Reason
}

// AlertError is a TLS alert that the peer sent (RFC 8446, 6).
type AlertError struct {
	// Alert is the alert's number; its Error method has the text.
	Alert tls.AlertError
}

// Error implements error.
func (e *AlertError) Error() string { return "the peer sent a TLS alert: " + e.Alert.Error() }

// Certificate reports whether the alert is about our certificate: bad, unsupported, revoked,
// expired, unknown, of an unknown authority, or missing (RFC 8446, 6.2).
func (e *AlertError) Certificate() bool {
	switch e.Alert {
	case 42, 43, 44, 45, 46, 48, 116:
		return true
	}
	return false
}

// ProxyError is the answer of a proxy that did not open a tunnel.
type ProxyError struct{ Status int }

// Error implements error.
func (e *ProxyError) Error() string {
	return "the proxy answered CONNECT with status " + strconv.Itoa(e.Status)
}

// named gives the errors of package net and crypto/tls that this package has types for those types.
func named(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return err
	}
	// crypto/tls has the alert in a type that it does not export, a number of eight bits.
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return &AlertError{Alert: tls.AlertError(v.Uint())}
	}
	return err
}

// broken makes a ProtocolError.
func broken(code http2.ErrCode, format string, args ...any) error {
	return &ProtocolError{Code: code, Reason: fmt.Sprintf(format, args...)}
}
