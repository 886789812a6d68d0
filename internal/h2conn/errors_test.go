package h2conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// TestErrors: each says what became of the request and why, and keeps its cause.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  *Error
		want string
		safe bool
	}{
		{&Error{NotSent, ErrClosed}, "the request was not sent: the transport is closed", true},
		{&Error{Refused, &GoAwayError{Code: http2.ErrCodeNo, Debug: []byte("secret")}}, "the peer refused the request: the peer closes the connection by a GOAWAY, NO_ERROR", true},
		{&Error{Unknown, &ResetError{Code: http2.ErrCodeInternal}}, "the request got no answer: the peer reset the stream, INTERNAL_ERROR", false},
		{&Error{Unknown, broken(http2.ErrCodeProtocol, "a %s", "reason")}, "the request got no answer: the peer broke the rules of HTTP/2, PROTOCOL_ERROR: a reason", false},
		{&Error{NotSent, &ProxyError{Status: 407}}, "the request was not sent: the proxy answered CONNECT with status 407", true},
		{&Error{Refused, &AlertError{Alert: 42}}, "the peer refused the request: the peer sent a TLS alert: tls: bad certificate", true},
	} {
		if c.err.Error() != c.want || c.err.Safe() != c.safe || !errors.Is(c.err, c.err.Err) {
			t.Errorf("got %q, safe %v", c.err, c.err.Safe())
		}
	}
}

// TestNamed: an alert of the peer's gets its type; other errors stay what they are.
func TestNamed(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, &net.OpError{Op: "remote error", Err: io.EOF}, &net.OpError{Op: "local error", Err: tls.AlertError(42)}} {
		if got := named(err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	var alert *AlertError
	if got := named(&net.OpError{Op: "remote error", Err: tls.AlertError(45)}); !errors.As(got, &alert) || !strings.Contains(got.Error(), "expired certificate") {
		t.Errorf("got %v", got)
	}
}
