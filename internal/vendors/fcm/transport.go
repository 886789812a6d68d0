package fcm

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/h2conn"
)

const (
	// maxConns is how many HTTP/2 connections there may be; they are opened as they are needed.
	maxConns = 64
	// pingIdle and pingTimeout notice a connection whose other end has disappeared, for which the
	// network itself would take minutes.
	pingIdle    = 15 * time.Second
	pingTimeout = 10 * time.Second
	// idleTimeout is how long a connection without calls stays open.
	idleTimeout = 90 * time.Second
	// plainConns is how many connections are kept where each carries one call at a time: as many as
	// there are calls at once.
	plainConns = 1000
)

// transport sends the calls over HTTP/2 connections made for pushes where the endpoint speaks
// HTTP/2, as Google does. An endpoint in clear text or with HTTP/1.1 alone, such as a proxy or a
// sandbox, is left to net/http.
type transport struct {
	pushes *h2conn.Transport // nil for an endpoint in clear text
	plain  *http.Transport
	// old says that the endpoint was last seen without HTTP/2.
	old atomic.Bool
}

// newTransport makes the transport of a certificate, with a client's TLS and proxy.
func newTransport(c *Config, client *http.Client) (*transport, error) {
	base, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("fcm: the HTTP client has no http.Transport to copy")
	}
	t := &transport{plain: base.Clone()}
	t.plain.MaxIdleConns = cmp.Or(c.Concurrency, plainConns)
	t.plain.MaxIdleConnsPerHost = t.plain.MaxIdleConns
	if !strings.HasPrefix(c.base(), "https:") {
		return t, nil
	}
	var err error
	t.pushes, err = h2conn.New(c.base(), h2conn.Options{
		TLS: base.TLSClientConfig, Proxy: base.Proxy, MaxConns: maxConns, MaxStreams: cmp.Or(c.Streams, streams),
		PingIdle: pingIdle, PingTimeout: pingTimeout, IdleTimeout: idleTimeout,
	})
	return t, err
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.pushes == nil {
		return t.plain.RoundTrip(req)
	}
	if !t.old.Load() {
		resp, err := t.pushes.RoundTrip(req)
		if !errors.Is(err, h2conn.ErrNoHTTP2) || req.GetBody == nil {
			return resp, err
		}
		t.old.Store(true)
		// Nothing was sent, but the body was read.
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req = req.WithContext(req.Context()) // a copy
		req.Body = body
	}
	resp, err := t.plain.RoundTrip(req)
	if err == nil && resp.ProtoMajor == 2 {
		t.old.Store(false) // it has learnt it, or what stood in between has gone
	}
	return resp, err
}

// close ends the calls over HTTP/2 and closes all connections without a call.
func (t *transport) close() {
	if t.pushes != nil {
		t.pushes.Close()
	}
	t.plain.CloseIdleConnections()
}
