package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestDemoFiles(t *testing.T) {
	t.Parallel()
	now := time.Now()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	demo, err := OpenDemo(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	place := Place{URL: "https://sandbox:8241", Dir: "/run/sandbox"}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}

	accounts := demo.Accounts()
	key, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem"))
	if err != nil || key.Leaf == nil {
		t.Errorf("the authority's certificate and key: %v", err)
	}
	apns, err := readDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !apns.apns.PublicKey.Equal(accounts.APNs[0].Key) || !apns.fcm.PublicKey.Equal(accounts.FCM[0].Key) || !apns.harmony.PublicKey.Equal(accounts.Harmony[0].Key) {
		t.Error("the written keys are not those that the sandbox knows")
	}
	for name, want := range map[string]map[string]string{
		"fcm.json":     {"type": "service_account", "token_uri": "https://sandbox:8241/token", "client_email": accounts.FCM[0].ClientEmail, "project_id": accounts.FCM[0].ProjectID},
		"harmony.json": {"key_id": accounts.Harmony[0].KeyID, "sub_account": accounts.Harmony[0].SubAccount, "project_id": accounts.Harmony[0].ProjectID},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for k, v := range want {
			if got[k] != v || v == "" {
				t.Errorf("%s: %s is %q, want %q", name, k, got[k], v)
			}
		}
	}
	for name, mode := range map[string]fs.FileMode{"ca-key.pem": 0o600, "ca.pem": 0o644, "apns.p8": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want mode %v", name, info.Mode(), err, mode)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".new-*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// demo.yaml must name each vendor, only files that exist, and the place as the worker sees it.
func TestDemoCertificates(t *testing.T) {
	t.Parallel()
	demo, err := NewDemo(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place := Place{URL: "https://sandbox:8241", Dir: `C:\sand "box`}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Apps []struct {
			ID           string           `yaml:"id"`
			Certificates []map[string]any `yaml:"certificates"`
		} `yaml:"apps"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if len(config.Apps) != 1 || config.Apps[0].ID != DemoApp {
		t.Fatalf("apps: %+v", config.Apps)
	}
	vendors := map[string]int{}
	for _, c := range config.Apps[0].Certificates {
		id, vendor := fmt.Sprint(c["id"]), fmt.Sprint(c["vendor"])
		vendors[vendor]++
		if !strings.HasPrefix(id, "demo-"+vendor) || c["endpoint"] != place.URL {
			t.Errorf("certificate %s of %s at %s", id, vendor, c["endpoint"])
		}
		for k, v := range c {
			if !strings.HasSuffix(k, "_file") {
				continue
			}
			name, ok := strings.CutPrefix(fmt.Sprint(v), `C:/sand "box/`)
			if !ok {
				t.Errorf("%s: %s is %s, not in the worker's folder", id, k, v)
			} else if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%s: %s: %v", id, k, err)
			}
		}
	}
	for _, v := range Vendors() {
		want := 1
		if v == "apns" {
			want = 2 // and one for calls
		}
		if vendors[v] != want {
			t.Errorf("%d certificates of %s, want %d", vendors[v], v, want)
		}
	}
}

// A sandbox that starts again must take what a running worker signs, and its certificate must still
// be trusted.
func TestOpenDemoKeepsKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := OpenDemo(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.WriteFiles(dir, Place{URL: "https://a:1", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	second, err := OpenDemo(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !second.apns.Equal(first.apns) || !second.fcm.Equal(first.fcm) || !second.harmony.Equal(first.harmony) || string(second.authority.PEM()) != string(first.authority.PEM()) {
		t.Error("the second start has other keys")
	}
	if err := second.WriteFiles(dir, Place{URL: "https://b:2", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "fcm.json")); err != nil || !strings.Contains(string(data), "https://b:2/token") {
		t.Errorf("the second start does not name its own address: %v", err)
	}
}

func TestOpenDemoDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demo, err := NewDemo(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]string{
		"apns.p8": "not PEM", "fcm.json": "{", "harmony.json": `{"private_key":"x"}`, "ca.pem": "", "ca-key.pem": string(keyPEM(demo.fcm)),
	} {
		if err := demo.WriteFiles(dir, Place{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenDemo(dir, time.Now()); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "delete") {
			t.Errorf("damaged %s: %v, want an error that says what to do", name, err)
		}
	}
}

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

func TestDemoToken(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, vendor := range Vendors() {
		for _, name := range []string{"alice", "bob", ""} {
			token := DemoToken(vendor, name)
			if token == "" || token != DemoToken(vendor, name) {
				t.Errorf("%s of %s: %q, want the same each time", name, vendor, token)
			}
			if other, twice := seen[token]; twice {
				t.Errorf("%s of %s has the token of %s", name, vendor, other)
			}
			seen[token] = name + " of " + vendor
		}
	}
}
