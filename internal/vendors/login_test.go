package vendors

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"strings"
	"testing"
	"time"
)

func TestLifetime(t *testing.T) {
	t.Parallel()
	for said, want := range map[Loose]time.Duration{
		"3600": time.Hour, "": time.Minute, "0": time.Minute, "-5": time.Minute, "soon": time.Minute, "1e9": time.Minute,
		"86401": 24 * time.Hour, "9223372036854775807": 24 * time.Hour,
	} {
		if got := Lifetime(said, time.Minute); got != want {
			t.Errorf("%q: got %v, want %v", said, got, want)
		}
	}
}

func TestFormRequest(t *testing.T) {
	t.Parallel()
	req, err := FormRequest(t.Context(), "https://x/token", ClientCredentials("id", "se cret"), "token_endpoint")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || string(body) != "client_id=id&client_secret=se+cret&grant_type=client_credentials" ||
		req.Method != "POST" || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("%s %v %s, %v", req.Method, req.Header, body, err)
	}
	if _, err := FormRequest(t.Context(), "https://\x00", nil, "token_endpoint"); err == nil || !strings.Contains(err.Error(), "token_endpoint") {
		t.Errorf("no address: %v", err)
	}
}

func TestRSAKey(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	for name, c := range map[string]struct{ text, wrong string }{
		"pkcs8": {block(x509.MarshalPKCS8PrivateKey(key)), ""}, "pkcs1": {block(x509.MarshalPKCS1PrivateKey(key), nil), ""},
		"not_pem": {"secret", "not PEM"}, "not_der": {block([]byte("secret"), nil), "not PKCS#8"}, "not_rsa": {block(x509.MarshalPKCS8PrivateKey(curve)), "not RSA"},
	} {
		got, err := RSAKey(c.text)
		switch {
		case c.wrong == "" && (err != nil || !got.Equal(key)):
			t.Errorf("%s: %v", name, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, want %q", name, err, c.wrong)
		}
	}
}
