package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/natsauth"
	"github.com/hongyan-im/hongyan/internal/registry"
)

// Files are found beside the configuration, and what they hold is read at each connection, not
// here.
func TestParseNATSCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		yaml string
		want natsauth.Credentials
	}{
		"file":  {"user: hongyan, password_file: password", natsauth.Credentials{User: "hongyan", PasswordFile: filepath.Join(dir, "password")}},
		"value": {"user: hongyan, password: \"${PASSWORD}\"", natsauth.Credentials{User: "hongyan", Password: "hunter2"}},
		"token": {"token_file: password", natsauth.Credentials{TokenFile: filepath.Join(dir, "password")}},
		"none":  {"", natsauth.Credentials{}},
	} {
		conf, err := config.Parse(filepath.Join(dir, "hongyan.yaml"), []byte("nats: {url: \"nats://n1:4222\", "+c.yaml+"}"+small), config.Kinds(registry.Kinds()),
			func(string) (string, bool) { return "hunter2", true })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := conf.NATS.Credentials(); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestParseRefusesNATSCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml string
		says []string
	}{
		"two_kinds":        {"nats: {url: n1, user: u, password: hunter2, token: hunter2}", []string{":1:52: nats.token: is given beside nats.user"}},
		"two_passwords":    {"nats: {url: n1, user: u, password: hunter2, password_file: f}", []string{"nats.password_file: is given beside nats.password", "nats.password_file: names a file that does not exist"}},
		"beside_address":   {"nats: {url: \"nats://hunter2@n1\", token: hunter2}", []string{"nats.token: is given beside a user or token in the address"}},
		"half_a_pair":      {"nats:\n  url: n1\n  tls: {key_file: f}", []string{":3:", "nats.tls.key_file: is given without a certificate; name it with nats.tls.certificate_file"}},
		"no_password":      {"nats: {url: n1, user: u}", []string{"nats.user: is given without a password; give it with nats.password_file"}},
		"embedded":         {"nats: {token: hunter2}", []string{"nats: has credentials without an address"}},
		"missing_files":    {"nats: {url: n1, credentials_file: a, tls: {ca_file: b}}", []string{"nats.credentials_file: names a file that does not exist", "nats.tls.ca_file: names a file that does not exist"}},
		"broken_escape":    {"nats: {url: \"nats://u:hunt%zzer2@n1\"}", []string{"nats.url: address 1 is no NATS address"}},
		"slash":            {"nats: {url: \"nats://n0,nats://u:hunt/er2@n1\"}", []string{"nats.url: address 2 is no NATS address"}},
		"unknown_scheme":   {"nats: {url: \"http://u:hunter2@n1\"}", []string{"nats.url: address 1 is no NATS address: its scheme"}},
		"unknown_key_here": {"nats: {url: n1, creds: a}", []string{"nats.creds: is no key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, c.yaml+small, map[string]string{"KEY": "k"})
			for _, want := range c.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say %q:\n%v", want, err)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "hunt") || strings.Contains(err.Error(), "zz")) {
				t.Errorf("it repeats a secret:\n%v", err)
			}
		})
	}
}
