package all_test

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

func TestDemoFiles(t *testing.T) {
	t.Parallel()
	now := time.Now()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	demo, err := sandbox.OpenDemo(dir, now, all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	place := sandbox.Place{URL: "https://sandbox:8241", Dir: "/run/sandbox"}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}

	if key, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")); err != nil || key.Leaf == nil {
		t.Errorf("the authority's certificate and key: %v", err)
	}
	for name, mode := range map[string]fs.FileMode{"ca-key.pem": 0o600, "ca.pem": 0o644, "demo.yaml": 0o644} {
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
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place := sandbox.Place{URL: "https://sandbox:8241", Dir: `C:\sand "box`}
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
	if len(config.Apps) != 1 || config.Apps[0].ID != sandbox.DemoApp {
		t.Fatalf("apps: %+v", config.Apps)
	}
	vendors, ids := map[string]int{}, map[string]bool{}
	for _, c := range config.Apps[0].Certificates {
		id, vendor := fmt.Sprint(c["id"]), fmt.Sprint(c["vendor"])
		vendors[vendor]++
		ids[id] = true
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
	for _, f := range all.Fakes() {
		if vendors[f.Vendor] == 0 {
			t.Errorf("no certificate of %s", f.Vendor)
		}
		if v := f.User.VoIP; v != "" && !ids[v] {
			t.Errorf("the demo's user of %s has calls by %s, which is no certificate", f.Vendor, v)
		}
	}
}

// A sandbox that starts again must take what a running worker signs, and its certificate must still
// be trusted.
func TestOpenDemoKeepsKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := sandbox.OpenDemo(dir, time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.WriteFiles(dir, sandbox.Place{URL: "https://a:1", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	second, err := sandbox.OpenDemo(dir, time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	if string(second.Authority().PEM()) != string(first.Authority().PEM()) {
		t.Error("the second start has another authority")
	}
	before := files(t, dir)
	if err := second.WriteFiles(dir, sandbox.Place{URL: "https://a:1", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("the second start has other keys (-first +second):\n%s", diff)
	}
	if err := second.WriteFiles(dir, sandbox.Place{URL: "https://b:2", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	for name, text := range files(t, dir) {
		if strings.Contains(text, "https://a:1") {
			t.Errorf("%s does not name the second start's address", name)
		}
	}
}

// files reads a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts[e.Name()] = string(data)
	}
	return texts
}

func TestOpenDemoDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.WriteFiles(dir, sandbox.Place{}); err != nil {
		t.Fatal(err)
	}
	// Every file that is a key, alone or in a service account.
	keys := 0
	for name, text := range files(t, dir) {
		if !strings.Contains(text, "PRIVATE KEY") && name != "ca.pem" {
			continue
		}
		keys++
		for _, damage := range []string{"", "{", "not PEM", `{"private_key":"x"}`} {
			if err := demo.WriteFiles(dir, sandbox.Place{}); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := sandbox.OpenDemo(dir, time.Now(), all.Fakes()); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "delete") {
				t.Errorf("damaged %s: %v, want an error that says what to do", name, err)
			}
		}
	}
	if keys < 2 {
		t.Errorf("%d keys were damaged", keys)
	}
}

func TestDemoToken(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, f := range all.Fakes() {
		for _, name := range []string{"alice", "bob", ""} {
			token := f.Token(name)
			if token == "" || token != f.Token(name) {
				t.Errorf("%s of %s: %q, want the same each time", name, f.Vendor, token)
			}
			if other, twice := seen[token]; twice {
				t.Errorf("%s of %s has the token of %s", name, f.Vendor, other)
			}
			seen[token] = name + " of " + f.Vendor
		}
	}
}

// Every vendor is complete on the page, and every user of the demo is somebody else.
func TestFakesAreComplete(t *testing.T) {
	t.Parallel()
	vendors, users := map[string]bool{}, map[string]bool{}
	for _, f := range all.Fakes() {
		if vendors[f.Vendor] || users[f.User.ID] {
			t.Errorf("%s or its user %s is there twice", f.Vendor, f.User.ID)
		}
		vendors[f.Vendor], users[f.User.ID] = true, true
		for _, rule := range []string{`[data-vendor="` + f.Vendor + `"] { --mark:`, `[data-vendor="` + f.Vendor + `"] .phone {`} {
			if !strings.Contains(f.Look, rule) {
				t.Errorf("the look of %s lacks %s", f.Vendor, rule)
			}
		}
		for line := range strings.Lines(f.Look) {
			if strings.Contains(line, "data-vendor") && !strings.HasPrefix(line, `[data-vendor="`+f.Vendor+`"]`) {
				t.Errorf("the look of %s draws another vendor's phone: %s", f.Vendor, line)
			}
		}
		u := f.User
		if f.Name == "" || f.NameZH == "" || f.System == "" || f.Calls == "" || f.New == nil || u.Name == "" || u.Device == "" || u.Platform == "" || u.Locale == "" {
			t.Errorf("%s is incomplete: %+v", f.Vendor, f)
		}
	}
}

// Keys of a sandbox in the worker's own process are for nobody else to read.
func TestPrivateFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sandbox")
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.WriteFiles(dir, sandbox.Place{Dir: dir, Private: true}); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
