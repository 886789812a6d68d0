package h2conn

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/proxy"
)

// connectAfter opens a connection after a while.
func (t *Transport) connectAfter(wait time.Duration) (net.Conn, error) {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			return nil, ErrClosed
		}
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.opts.ConnectTimeout)
	defer cancel()
	nc, err := t.connect(ctx)
	if err != nil {
		return nil, named(err)
	}
	return nc, nil
}

// connect opens a TCP connection, through the proxy where there is one, and TLS over it.
func (t *Transport) connect(ctx context.Context) (net.Conn, error) {
	raw, err := t.reach(ctx)
	if err != nil || t.scheme == "http" {
		return raw, err
	}
	config := &tls.Config{}
	if t.opts.TLS != nil {
		config = t.opts.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(t.address) // New joined it
	}
	config.NextProtos = []string{http2.NextProtoTLS}
	config.DynamicRecordSizingDisabled = true // many requests in one record
	tc := tls.Client(raw, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		raw.Close()
		var alert *AlertError
		if errors.As(named(err), &alert) && alert.Alert == noApplicationProtocol {
			return nil, ErrNoHTTP2
		}
		return nil, err
	}
	if tc.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		tc.Close()
		return nil, ErrNoHTTP2
	}
	return tc, nil
}

// noApplicationProtocol is the alert of a server that speaks none of our protocols (RFC 7301, 3.2).
const noApplicationProtocol = 120

// reach opens a TCP connection to the host, or one through a proxy.
func (t *Transport) reach(ctx context.Context) (net.Conn, error) {
	if t.opts.Proxy == nil {
		return t.opts.Dial(ctx, "tcp", t.address)
	}
	via, err := t.opts.Proxy(&http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: t.scheme, Host: t.authority, Path: "/"}, Host: t.authority, Header: http.Header{}})
	switch {
	case err != nil:
		return nil, errors.New("the proxy's address cannot be read") // the error could quote its password
	case via == nil:
		return t.opts.Dial(ctx, "tcp", t.address)
	}
	switch via.Scheme {
	case "http", "https":
		return t.tunnel(ctx, via)
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if via.User != nil {
			password, _ := via.User.Password()
			auth = &proxy.Auth{User: via.User.Username(), Password: password}
		}
		socks, err := proxy.SOCKS5("tcp", net.JoinHostPort(via.Hostname(), cmp.Or(via.Port(), "1080")), auth, dialer(t.opts.Dial))
		if err != nil {
			return nil, err
		}
		return socks.(proxy.ContextDialer).DialContext(ctx, "tcp", t.address)
	}
	return nil, errors.New("a proxy of an unknown kind")
}

// dialer makes Options.Dial a proxy.Dialer.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// tunnel opens a connection through an HTTP proxy (RFC 9110, 9.3.6).
func (t *Transport) tunnel(ctx context.Context, via *url.URL) (_ net.Conn, err error) {
	nc, err := t.opts.Dial(ctx, "tcp", address(via))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	defer func() {
		if err != nil {
			nc.Close()
		}
	}()
	// Whatever follows ends with the context.
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
	}()
	if via.Scheme == "https" {
		config := &tls.Config{ServerName: via.Hostname()}
		if t.opts.TLS != nil {
			config.RootCAs = t.opts.TLS.RootCAs
		}
		tc := tls.Client(nc, config)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		nc = tc
	}
	request := "CONNECT " + t.address + " HTTP/1.1\r\nHost: " + t.address + "\r\n"
	if via.User != nil {
		password, _ := via.User.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(via.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(nc, request+"\r\n"); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	limited := &io.LimitedReader{R: nc, N: maxProxyHead}
	br := bufio.NewReader(limited)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, &ProxyError{Status: resp.StatusCode}
	}
	if br.Buffered() > 0 {
		return nil, errors.New("proxy: there was something after its answer")
	}
	return nc, nil
}

// maxProxyHead is how long a proxy's answer to CONNECT may be.
const maxProxyHead = 64 << 10
