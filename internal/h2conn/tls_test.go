package h2conn

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestTLS: many requests at once over a real connection.
func TestTLS(t *testing.T) {
	t.Parallel()
	p := &peer{settings: streams(100), request: ok}
	tr := secure(t, p, nil, nil)
	if bad := failed(storm(t.Context(), tr, 1000)); bad != nil {
		t.Error(bad[0])
	}
}

// TestAlert: a server that does not take our certificate says so by an alert: before the end of the
// handshake with TLS 1.2, and after it, when the first request may be on its way, with TLS 1.3.
// Whoever waits is told the same.
func TestAlert(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{MinVersion: version, MaxVersion: version, NextProtos: []string{"h2"}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
		tr := secure(t, &peer{request: ok}, config, func(o *Options) { o.TLS.Certificates = config.Certificates })
		for _, err := range storm(t.Context(), tr, 20) {
			var e *Error
			var alert *AlertError
			if !errors.As(err, &e) || !e.Safe() || !errors.As(err, &alert) || !alert.Certificate() {
				t.Errorf("TLS %x: got %v", version, err)
			}
		}
		if dials := tr.Stats().Dials; dials > 3 {
			t.Errorf("TLS %x: %d connections", version, dials)
		}
	}
}

// TestAlertIsNotAboutACertificate in general.
func TestAlertIsNotAboutACertificate(t *testing.T) {
	t.Parallel()
	for alert, want := range map[tls.AlertError]bool{40: false, 42: true, 45: true, 48: true, 49: false, 80: false, 116: true} {
		e := &AlertError{Alert: alert}
		if e.Certificate() != want || !strings.Contains(e.Error(), "tls: ") {
			t.Errorf("%d: %v", alert, e)
		}
	}
}

// TestNoHTTP2: a server that does not choose h2, or says that it has another protocol.
func TestNoHTTP2(t *testing.T) {
	t.Parallel()
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		tr := secure(t, &peer{request: ok}, &tls.Config{NextProtos: protocols}, nil)
		wantError(t, tr, NotSent, as(ErrNoHTTP2))
	}
}

// TestUntrusted: a server whose certificate is not trusted gets no request.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	tr := secure(t, &peer{request: ok}, nil, func(o *Options) { o.TLS = nil })
	wantError(t, tr, NotSent, func(err error) bool { var e *tls.CertificateVerificationError; return errors.As(err, &e) })
}

// TestServerName: the configuration's name is used where it has one.
func TestServerName(t *testing.T) {
	t.Parallel()
	tr := secure(t, &peer{request: ok}, nil, func(o *Options) { o.TLS.ServerName = "other.test" })
	wantError(t, tr, NotSent, func(err error) bool { var e x509.HostnameError; return errors.As(err, &e) })
}

// TestConnectTimeout: a host that takes the connection and says nothing.
func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	tr, err := New("https://"+listener.Addr().String(), Options{ConnectTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	wantError(t, tr, NotSent, as(context.DeadlineExceeded))
}

// TestDroppedConnections: real connections are cut under load, again and again. Every request ends,
// with its own answer or an error of ours.
func TestDroppedConnections(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	p := &peer{tolerant: true, settings: streams(100), request: func(c *peerConn, r *request) {
		if n.Add(1)%500 == 0 {
			c.net.Close()
			return
		}
		c.answer(r, "200", "")
	}}
	tr := secure(t, p, nil, nil)
	var wg sync.WaitGroup
	var lost atomic.Int32
	for g := range 50 {
		wg.Go(func() {
			for i := range 60 {
				_, err := push(t.Context(), tr, fmt.Sprintf("/%d/%d", g, i), "{}")
				var e *Error
				switch {
				case err != nil && !errors.As(err, &e):
					t.Error(err)
				case err != nil:
					lost.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if lost.Load() == 0 || lost.Load() > 1000 {
		t.Errorf("%d of 3000 requests failed", lost.Load())
	}
}

// TestStartStop: Close at any moment, from several sides, with requests coming in.
func TestStartStop(t *testing.T) {
	t.Parallel()
	p := &peer{request: ok}
	p.t = t
	for i := range 50 {
		tr, err := New("http://push.example", Options{Dial: p.pipe})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					if _, err := push(t.Context(), tr, "/", "{}"); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(i%5) * time.Millisecond)
		for range 2 {
			wg.Go(tr.Close)
		}
		wg.Wait()
	}
	p.close()
}

// proxyServer is a proxy for CONNECT.
type proxyServer struct {
	listener net.Listener
	answer   string // to CONNECT; empty for a tunnel
	wg       sync.WaitGroup
	mu       sync.Mutex
	seen     []*http.Request
}

func newProxy(t *testing.T, config *tls.Config, answer string) *proxyServer {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	p := &proxyServer{listener: listener, answer: answer}
	p.wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(nc) })
		}
	})
	t.Cleanup(func() { listener.Close(); p.wg.Wait() })
	return p
}

func (p *proxyServer) serve(nc net.Conn) {
	defer nc.Close()
	req, err := http.ReadRequest(bufio.NewReader(nc))
	if err != nil {
		return
	}
	p.mu.Lock()
	p.seen = append(p.seen, req)
	p.mu.Unlock()
	if p.answer != "" {
		io.WriteString(nc, p.answer)
		return
	}
	far, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer far.Close()
	io.WriteString(nc, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.wg.Go(func() { io.Copy(far, nc); far.Close() })
	io.Copy(nc, far)
}

func (p *proxyServer) url(t *testing.T, scheme string) *url.URL {
	u, err := url.Parse(scheme + "://user:pass%20word@" + p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestProxy: through a tunnel of an HTTP or HTTPS proxy, with its password.
func TestProxy(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https"} {
		p := &peer{request: ok}
		var via *url.URL
		tr := secure(t, p, nil, func(o *Options) {
			o.Proxy = func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme != "https" || r.URL.Host == "" {
					t.Errorf("the proxy's function was asked about %v", r.URL)
				}
				return via, nil
			}
		})
		var config *tls.Config
		if scheme == "https" {
			config = p.config
		}
		proxy := newProxy(t, config, "")
		via = proxy.url(t, scheme)
		wantOK(t, tr)
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:pass word"))
		if len(proxy.seen) != 1 || proxy.seen[0].Method != http.MethodConnect || proxy.seen[0].Host != tr.address || proxy.seen[0].Header.Get("Proxy-Authorization") != want {
			t.Errorf("%s: the proxy saw %v", scheme, proxy.seen)
		}
		tr.Close() // before the proxy waits for the end of the tunnel
	}
}

// TestProxyFails: the request was not sent, and no error tells the password.
func TestProxyFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, scheme, answer string
		is                   func(error) bool
	}{
		{"refuses", "http", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno\n", func(err error) bool {
			var p *ProxyError
			return errors.As(err, &p) && p.Status == 407
		}},
		{"closes", "http", " ", func(error) bool { return true }},
		{"talks", "http", "HTTP/1.1 200 OK\r\n\r\nHello", func(error) bool { return true }},
		{"endless", "http", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 2*maxProxyHead), func(error) bool { return true }},
		{"unknown kind", "ftp", "", func(error) bool { return true }},
		{"socks", "socks5", "HTTP/1.1 400 Bad Request\r\n\r\n", func(error) bool { return true }},
	} {
		proxy := newProxy(t, nil, c.answer)
		via := proxy.url(t, c.scheme)
		tr, err := New("https://push.example", Options{ConnectTimeout: time.Second, Proxy: func(*http.Request) (*url.URL, error) { return via, nil }})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, tr, NotSent, func(err error) bool { return c.is(err) && !strings.Contains(err.Error(), "pass") })
		tr.Close()
		if t.Failed() {
			t.Fatal(c.name)
		}
	}
}

// TestSilentProxy: the time to connect covers it.
func TestSilentProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	via := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	tr, err := New("https://push.example", Options{ConnectTimeout: 50 * time.Millisecond, Proxy: func(*http.Request) (*url.URL, error) { return via, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	wantError(t, tr, NotSent, func(err error) bool {
		var timeout interface{ Timeout() bool }
		return errors.As(err, &timeout) && timeout.Timeout()
	})
}

// TestSocks: through a SOCKS5 proxy with a password (RFC 1928, RFC 1929).
func TestSocks(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		br := bufio.NewReader(nc)
		read := func(n int) []byte { b := make([]byte, n); io.ReadFull(br, b); return b }
		read(int(read(2)[1])) // the methods
		nc.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		password := read(int(read(1)[0]))
		if string(user) != "user" || string(password) != "pass word" {
			t.Errorf("%q %q", user, password)
		}
		nc.Write([]byte{1, 0})
		if head := read(4); head[3] != 1 {
			t.Errorf("not an IPv4 address: %v", head)
		}
		a := read(6)
		far, err := net.Dial("tcp", fmt.Sprintf("%d.%d.%d.%d:%d", a[0], a[1], a[2], a[3], int(a[4])<<8|int(a[5])))
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		wg.Go(func() { io.Copy(far, br); far.Close() })
		io.Copy(nc, far)
	})
	via := &url.URL{Scheme: "socks5", Host: listener.Addr().String(), User: url.UserPassword("user", "pass word")}
	tr := secure(t, &peer{request: ok}, nil, func(o *Options) { o.Proxy = func(*http.Request) (*url.URL, error) { return via, nil } })
	wantOK(t, tr)
	tr.Close()
	listener.Close()
	wg.Wait()
}

// TestGoAwayIsFoundAfterAFailedWrite: what the peer said before it closed the connection is
// found, even if a write has failed first.
func TestGoAwayIsFoundAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	const debug = `{"reason":"BadCertificate"}`
	p := &peer{tolerant: true, request: func(c *peerConn, r *request) {
		if c.n == 1 && c.seen > 1 {
			c.goAway(1<<31-1, http2.ErrCodeNo, debug)
			c.net.Close()
			return
		}
		c.answer(r, "200", "")
	}}
	tr := secure(t, p, nil, nil)
	wantOK(t, tr)
	for _, err := range failed(storm(t.Context(), tr, 100)) {
		var away *GoAwayError
		if !errors.As(err, &away) {
			t.Logf("the network ate the GOAWAY: %v", err) // a reset connection loses what was not read
			continue
		}
		if string(away.Debug) != debug {
			t.Errorf("got %v", err)
		}
	}
	wantOK(t, tr)
}
