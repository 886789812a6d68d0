package apns

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	fake "github.com/hongyan-im/hongyan/internal/sandbox/apns"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		serveBench()
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	testTopic = "com.example.im"
	testTeam  = "TEAM123456"
	testKeyID = "KEYID12345"
)

// testKey is one key for all tests, as Apple's .p8 and as its public half.
var testKey = sync.OnceValues(func() (vendors.Secret, *ecdsa.PublicKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return p8(key), &key.PublicKey
})

func p8(key any) vendors.Secret {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return vendors.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func testToken(i int) string { return fmt.Sprintf("%064x", 0xfeed0000+i) }

func keyConfig(endpoint, caFile string) *Config {
	key, _ := testKey()
	return &Config{
		Common: vendors.Common{ID: "35005", Vendor: "apns", Endpoint: endpoint, CAFile: caFile},
		Topic:  testTopic, Key: key, KeyID: testKeyID, TeamID: testTeam,
	}
}

func keyAccount() fake.Account {
	_, public := testKey()
	return fake.Account{TeamID: testTeam, KeyID: testKeyID, Key: public, Topics: []string{testTopic}}
}

func subject() vendortest.Subject {
	return vendortest.Subject{
		Fake:      fake.Fake(keyAccount()),
		Config:    func(endpoint, caFile string) vendors.Config { return keyConfig(endpoint, caFile) },
		Token:     testToken,
		RealClock: true, // apns2 dates the provider token itself
	}
}

func TestConformance(t *testing.T) {
	s := subject()
	s.Problems, s.Advice, s.Doc = problems(t), advice(), Doc
	s.Call = []string{"Apns-Expiration: 1795420860\n", "Apns-Priority: 10\n"}
	s.Badge = func(vendors.Config) {}
	vendortest.Run(t, s)
}

// reading is the reading half as the fuzzer of HTTP vendors wants it.
type reading struct{ reader }

func (reading) Limits() vendors.Limits { return vendors.Limits{Batch: 1} }

func (reading) Request(_ context.Context, _ vendors.Batch, _ string) (*http.Request, error) {
	return nil, nil
}

func (r reading) Interpret(resp vendors.Response, b vendors.Batch) []vendors.Result {
	return vendors.All(len(b.Devices), r.interpret(resp))
}

func FuzzInterpret(f *testing.F) {
	vendortest.FuzzInterpret(f, reading{newReader(&vendors.Common{})}, testToken,
		`{"reason":"Unregistered","timestamp":1763884800123}`, `{"reason":"BadDeviceToken"}`, `{"reason":"Nobody knows\u0000"}`,
		`{"reason":"ExpiredToken","timestamp":"17"}`, `{"reason":7}`, `{"reason":"Shutdown","timestamp":-1e400}`)
}

// problems are what may be wrong with a certificate.
func problems(t *testing.T) []vendortest.ConfigCase {
	t.Helper()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"complete", func(*Config) {}, nil},
		{"empty", func(c *Config) { *c = Config{} }, []string{"key", "topic"}},
		{"no_ids", func(c *Config) { c.KeyID, c.TeamID = "", "" }, []string{"key_id", "team_id"}},
		{"key_not_pem", func(c *Config) { c.Key = "secret-of-mine" }, []string{"key"}},
		// ES256 signs with P-256 only; apns2 would find out at the first push and say nothing.
		{"key_on_another_curve", func(c *Config) { c.Key = p8(p384) }, []string{"key"}},
		{"key_of_rsa", func(c *Config) { c.Key = p8(rsaKey) }, []string{"key"}},
		{"key_and_certificate", func(c *Config) { c.Certificate = "x" }, []string{"certificate"}},
		{"certificate_unreadable", func(c *Config) { c.Key, c.Certificate = "", "no such thing" }, []string{"certificate"}},
		{"certificate_without_key", func(c *Config) { c.Key, c.Certificate = "", certPEM(t, false) }, []string{"certificate"}},
		{"certificate_without_certificate", func(c *Config) { c.Certificate, c.Key = c.Key, "" }, []string{"certificate"}},
		{"certificate", func(c *Config) { c.Key, c.Certificate = "", certPEM(t, true) }, nil},
		{"wrong_level", func(c *Config) { c.InterruptionLevel = "loud" }, []string{"interruption_level"}},
		{"too_many_connections", func(c *Config) { c.Connections = 65 }, []string{"connections"}},
		{"plain_http", func(c *Config) { c.Endpoint = "http://127.0.0.1:8230" }, []string{"endpoint"}},
		{"endpoint_with_slash", func(c *Config) { c.Endpoint = "https://127.0.0.1:8230/" }, nil},
	})
}

// advice is what may be unwise about one.
func advice() []vendortest.ConfigCase {
	return vendortest.Cases([]vendortest.Case[*Config]{
		{"certificate", func(c *Config) { c.Certificate = "x" }, []string{"certificate:"}},
		{"short_id", func(c *Config) { c.TeamID = "T" }, []string{"team_id"}},
		{"voip_topic", func(c *Config) { c.Topic += ".voip" }, []string{"topic:"}},
		{"test_mode", func(c *Config) { c.TestMode, c.Endpoint = true, "" }, []string{"test_mode:"}},
		{"test_mode_and_endpoint", func(c *Config) { c.TestMode = true }, []string{"development host", "no effect"}},
		{"click", func(c *Config) { c.Click.URL = "https://x" }, []string{"click:"}},
		{"critical", func(c *Config) { c.InterruptionLevel = "critical" }, []string{"interruption_level:"}},
	})
}

// TestHost: apns2's own default is the sandbox.
func TestHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		endpoint string
		testMode bool
		want     string
	}{
		{"", false, "https://api.push.apple.com"},
		{"", true, "https://api.sandbox.push.apple.com"},
		{"https://api.push.apple.com:2197/", true, "https://api.push.apple.com:2197"},
	} {
		cfg := keyConfig(c.endpoint, "")
		cfg.TestMode = c.testMode
		if got := cfg.host(); got != c.want {
			t.Errorf("endpoint %q, test_mode %v: %s, want %s", c.endpoint, c.testMode, got, c.want)
		}
	}
}

func TestDriverRefusesKeyThatCannotSign(t *testing.T) {
	t.Parallel()
	cfg := keyConfig("", "")
	cfg.Key = "-----BEGIN NOTHING-----"
	if _, err := cfg.Driver(vendors.Env{}); err == nil {
		t.Error("a driver without a key was made; apns2 would send an empty bearer")
	}
	cfg.CAFile = "testdata/no-such-file"
	if _, err := cfg.Driver(vendors.Env{}); err == nil {
		t.Error("a driver with a missing ca_file was made")
	}
}

func TestDocListsEveryCode(t *testing.T) {
	t.Parallel()
	s := Doc()
	if len(s.Codes) != 33 {
		t.Errorf("%d codes, want 33: Apple's 31, and the two spellings of one less", len(s.Codes))
	}
}

func caFile(t testing.TB, der []byte) string {
	t.Helper()
	name := t.TempDir() + "/ca.pem"
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
