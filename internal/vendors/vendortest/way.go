package vendortest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// authority is a CA of our own, as a private network has.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	a.cert = a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA of a private network"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, key)
	return a
}

func (a *authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent := a.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// server is a certificate for 127.0.0.1.
func (a *authority) server(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "the vendor"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

// file is the CA's certificate in a file.
func (a *authority) file(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "own-ca.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// tunnels is an HTTP proxy that knows CONNECT alone, for one user.
type tunnels struct {
	address string

	mu    sync.Mutex
	from  map[string]bool // the addresses from which it reached servers
	count int
}

const (
	proxyUser = "worker"
	proxyPass = "of the proxy"
)

func newTunnels(t testing.TB) *tunnels {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tunnels{address: l.Addr().String(), from: map[string]bool{}}
	var open sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			open.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		open.Wait()
	})
	return p
}

func (p *tunnels) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	if req.Method != http.MethodConnect {
		_, _ = io.WriteString(c, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if req.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPass)) {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	server, err := net.Dial("tcp", req.Host)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.from[server.LocalAddr().String()] = true
	p.count++
	p.mu.Unlock()
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, r)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(c, server)
	_ = c.Close()
	<-done
}

// wayOut holds that a certificate in a private network reaches its vendor: through an HTTP proxy
// that wants a name and a password, and to servers whose CA is the network's own; and that with
// ca_only no other CA is believed, in logins neither.
func wayOut(t *testing.T, s Subject) {
	own := newAuthority(t)
	server := own.server(t)
	t.Run("proxy", func(t *testing.T) {
		p := newTunnels(t)
		r := newRig(t, s, func(c *vendors.Common) {
			c.Proxy, c.CAFile, c.CAOnly = "http://"+proxyUser+":of%20the%20proxy@"+p.address, own.file(t), true
		}, &server)
		wantAll(t, r, push(r, r.Batch(1, Chat())), 1, vendors.Accepted)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.count == 0 {
			t.Error("no call went through the proxy")
		}
		for from := range r.Requests.callers() {
			if !p.from[from] {
				t.Error("a call went past the proxy")
			}
		}
	})
	t.Run("proxy_refuses", func(t *testing.T) {
		p := newTunnels(t)
		r := newRig(t, s, func(c *vendors.Common) {
			c.Proxy, c.CAFile, c.CAOnly = "http://nobody@"+p.address, own.file(t), true
		}, &server)
		for _, res := range push(r, r.Batch(1, Chat())) {
			if res.Reason != vendors.Unavailable {
				t.Errorf("got %v (err %v), want unavailable", res.Reason, res.Err)
			}
			noLeak(t, r, res)
		}
	})
	t.Run("own_ca", func(t *testing.T) {
		r := newRig(t, s, func(c *vendors.Common) { c.CAFile, c.CAOnly = own.file(t), true }, &server)
		wantAll(t, r, push(r, r.Batch(1, Chat())), 1, vendors.Accepted)
	})
	t.Run("another_ca", func(t *testing.T) {
		other := newAuthority(t)
		r := newRig(t, s, func(c *vendors.Common) { c.CAFile, c.CAOnly = other.file(t), true }, &server)
		for _, res := range push(r, r.Batch(1, Chat())) {
			if res.Reason != vendors.Unavailable {
				t.Errorf("got %v (err %v), want unavailable", res.Reason, res.Err)
			}
		}
		if got := r.Requests.Take(); len(got) > 0 {
			t.Errorf("%d requests reached a server that is not trusted", len(got))
		}
	})
}
