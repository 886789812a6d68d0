package sandbox

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestLeafIsTrusted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	authority, err := NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Leaf(now, "sandbox", "10.1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.PEM()) {
		t.Fatal("no certificate in PEM")
	}
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "sandbox": true, "10.1.2.3": true, "api.push.apple.com": false} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		if (err == nil) != want {
			t.Errorf("%s: %v, want trusted: %v", host, err, want)
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.AddDate(2, 0, 0)}); err == nil {
		t.Error("the leaf is good for ever")
	}
}
