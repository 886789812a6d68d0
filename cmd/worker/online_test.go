package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// desk is a sandbox, and a configuration of all vendors that reaches it.
type desk struct {
	t     *testing.T
	dir   string
	box   *sandbox.Server
	place sandbox.Place
	down  func()
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: t.TempDir(), box: sandbox.New(sandbox.Options{Unpaced: true}, demo.Fakes()...)}
	listener, err := d.box.Start(sandbox.ListenOptions{Authority: demo.Authority()})
	if err != nil {
		t.Fatal(err)
	}
	d.down = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		_ = listener.Stop(ctx)
	}
	t.Cleanup(d.down)
	d.place = sandbox.Place{URL: listener.TLSURL(), Dir: d.dir}
	if err := demo.WriteFiles(d.dir, d.place); err != nil {
		t.Fatal(err)
	}
	d.write("hongyan.yaml", string(demo.Apps(d.place)))
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) replace(name string, pairs ...string) {
	d.t.Helper()
	data, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	d.write(name, strings.NewReplacer(pairs...).Replace(string(data)))
}

// check runs worker check --online.
func (d *desk) check() (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run([]string{"check", "--online", "--config", filepath.Join(d.dir, "hongyan.yaml")}, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// says checks what is said of each vendor's certificate: a line with its name and all of the words.
func says(t *testing.T, text string, wants map[string][]string) {
	t.Helper()
	for vendor, words := range wants {
		line := ""
		for l := range strings.Lines(text) {
			if strings.Contains(l, fmt.Sprintf("certificate demo-%s (%s): ", vendor, vendor)) && !strings.HasPrefix(l, "warning: ") {
				line = l
			}
		}
		for _, w := range append([]string{"certificate"}, words...) {
			if !strings.Contains(line, w) {
				t.Errorf("%s: the line lacks %q: %s", vendor, w, line)
			}
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// everyVendor wants the same of all vendors but some.
func everyVendor(but []string, words ...string) map[string][]string {
	want := map[string][]string{}
	for _, v := range all.Vendors() {
		if !slices.Contains(but, v) {
			want[v] = words
		}
	}
	return want
}

// The right credentials are called right, and nobody gets a push.
func TestCheckOnline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	code, out, errs := d.check()
	if code != 0 || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	says(t, out, everyVendor(nil, "right; to a token that nobody has, the vendor says bad_token"))
	if pushes := d.box.Pushes(); len(pushes) > 0 {
		t.Errorf("%d pushes were accepted", len(pushes))
	}
	if broken := d.box.Violations(); len(broken) > 0 {
		t.Errorf("rules of vendors are broken: %v", broken)
	}
}

// Wrong secrets, and the keys of another account, are told from all else.
func TestCheckOnlineWrongSecret(t *testing.T) {
	t.Parallel()
	d, other := newDesk(t), newDesk(t)
	files, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch name := f.Name(); {
		case strings.HasSuffix(name, ".secret"):
			d.write(name, "a-wrong-secret-of-32-characters-")
		case strings.HasSuffix(name, ".p8"), strings.HasSuffix(name, ".json"):
			key, err := os.ReadFile(filepath.Join(other.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			d.write(name, strings.ReplaceAll(string(key), other.place.URL, d.place.URL))
		}
	}
	code, out, errs := d.check()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, everyVendor(nil, "bad_credentials", "Correct the certificate's ids, keys, secrets"))
	if strings.Contains(out, "right; to a token") || strings.Contains(errs, "a-wrong-secret") {
		t.Errorf("it says %s%s", out, errs)
	}
}

// A topic, package or project that is not the account's is told, where the vendor looks at it.
func TestCheckOnlineWrongApp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.replace("hongyan.yaml", "topic: ", "topic: com.example.other #", "package: ", "package: com.example.other #",
		"app_id: ", "app_id: \"4711\" #", "app_key: ", "app_key: \"4711\" #", "client_id: ", "client_id: \"4712\" #",
		`project_id: "`, `project_id: "`, "project_id: ", "project_id: other #")
	code, out, errs := d.check()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, map[string][]string{"harmony": {"right"}}) // its project is compared with the service account's without asking
	says(t, errs, everyVendor([]string{"harmony"}, "bad_credentials", "topic or package"))
}

// A vendor that cannot be reached says nothing of the credentials.
func TestCheckOnlineAway(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.down()
	code, _, errs := d.check()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, everyVendor(nil, "unavailable", "Nothing was learnt of the credentials"))
}

// A token or JWT that the vendor calls too old again and again is no right credential.
func TestCheckOnlineExpired(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, v := range all.Vendors() {
		d.box.Arm(sandbox.Fault{Vendor: v, Kind: sandbox.FaultExpiredAuth})
	}
	code, out, errs := d.check()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	// Xiaomi and Meizu have neither: their secret is in each request.
	says(t, out, map[string][]string{"xiaomi": {"right"}, "meizu": {"right"}})
	says(t, errs, everyVendor([]string{"xiaomi", "meizu"}, "bad_credentials", "clock"))
}

// A push certificate that ends is warned of before, and after.
func TestCheckWarnsOfTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left time.Duration
		want string
	}{
		"far":  {90 * 24 * time.Hour, ""},
		"near": {9*24*time.Hour + time.Hour, "in 9 days: put a new one in its place"},
		"over": {-24 * time.Hour, "nothing is pushed through it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{t: t, dir: t.TempDir()}
			d.write("push.pem", pushCertificate(t, time.Now().Add(c.left)))
			d.write("hongyan.yaml", "apps: [{id: demo, certificates: [{id: a, vendor: apns, topic: com.example.im, certificate_file: push.pem}]}]\n")
			var out, errs bytes.Buffer
			if code := run([]string{"check", "--config", filepath.Join(d.dir, "hongyan.yaml")}, &out, &errs); code != 0 {
				t.Fatalf("exit code %d: %s", code, &errs)
			}
			if got := strings.Contains(out.String(), "the push certificate end"); got != (c.want != "") || !strings.Contains(out.String(), c.want) {
				t.Errorf("it says %s, want %q", &out, c.want)
			}
			conf, err := config.Load(filepath.Join(d.dir, "hongyan.yaml"), kinds)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			(&service{log: slog.New(slog.NewTextHandler(&log, nil))}).warnOfConfig(conf)
			if got := strings.Contains(log.String(), "credentials end soon"); got != (c.want != "") || !strings.Contains(log.String(), c.want) {
				t.Errorf("a worker logs %s, want %q", &log, c.want)
			}
		})
	}
}

// pushCertificate is a certificate with its key, in PEM.
func pushCertificate(t *testing.T, until time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Apple Push Services: com.example.im"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}
