package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// rotating stands before a sandbox whose Xiaomi account has one secret, and takes an older one for
// it until that is revoked.
type rotating struct {
	box     http.Handler
	old     string
	current string
	revoked atomic.Bool
	// refused counts the requests with the older secret since then, slow is how long each takes.
	refused atomic.Int64
	slow    time.Duration
}

func (x *rotating) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(x.slow) // a vendor's latency
	if r.Header.Get("Authorization") == "key="+x.old {
		if x.revoked.Load() {
			x.refused.Add(1)
		} else {
			r.Header.Set("Authorization", "key="+x.current)
		}
	}
	x.box.ServeHTTP(w, r)
}

// rewrite changes the rig's configuration.
func (r *rig) rewrite(pairs ...string) {
	r.t.Helper()
	data, err := os.ReadFile(r.config())
	if err != nil {
		r.t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			r.t.Fatalf("the configuration has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	if err := os.WriteFile(r.config(), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// A secret is rotated under load, as Kubernetes does it: the link to the folder of secrets is moved
// to another folder. Then the vendor refuses the old secret. Each message is accepted once, and the
// old secret is used no more.
func TestRotate(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	const before, after, users = 300, 300, 20
	current, err := os.ReadFile(filepath.Join(r.dir, "sandbox", "xiaomi.secret"))
	if err != nil {
		t.Fatal(err)
	}
	front := &rotating{box: r.box.Handler(), old: "the-older-secret", current: strings.TrimSpace(string(current)), slow: 50 * time.Millisecond}
	address := httptest.NewServer(front)
	t.Cleanup(address.Close)

	mount := filepath.Join(r.dir, "mount")
	for folder, secret := range map[string]string{"1": front.old, "2": front.current} {
		if err := os.MkdirAll(filepath.Join(mount, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mount, folder, "secret"), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(folder string) {
		t.Helper()
		if err := os.Symlink(folder, filepath.Join(mount, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(mount, "new"), filepath.Join(mount, "data")); err != nil {
			t.Fatal(err)
		}
	}
	link("1")
	data, err := os.ReadFile(r.config())
	if err != nil {
		t.Fatal(err)
	}
	head, tail, _ := strings.Cut(string(data), "- id: demo-xiaomi\n")
	tail = strings.Replace(tail, "endpoint: "+quoteOf(tail, "endpoint: "), fmt.Sprintf("endpoint: %q", address.URL), 1)
	tail = strings.Replace(tail, "app_secret_file: "+quoteOf(tail, "app_secret_file: "), fmt.Sprintf("app_secret_file: %q", filepath.Join(mount, "data", "secret")), 1)
	if err := os.WriteFile(r.config(), []byte(head+"- id: demo-xiaomi\n"+tail), 0o600); err != nil {
		t.Fatal(err)
	}

	r.registerAll(users, "xiaomi")
	workers := []*process{r.start(), r.start()}
	var load sync.WaitGroup
	load.Go(func() { r.flood(before, users, func(int) int { return 3600 }) })
	r.until(60*time.Second, "under way", func() bool { return r.count("xiaomi") > 20 })
	link("2")
	for _, w := range workers {
		r.until(60*time.Second, "loaded anew", func() bool { return strings.Contains(w.log.String(), "the configuration is loaded anew") })
	}
	load.Wait()
	r.settled(90*time.Second, "xiaomi") // what began with the older secret has ended
	front.revoked.Store(true)
	for i := range after {
		r.send(chat(fmt.Sprintf("later-%d", i), fmt.Sprintf("u%d", i%users)))
	}
	r.settled(90*time.Second, "xiaomi")
	r.until(60*time.Second, "all recorded", func() bool { return len(r.outcomes()) == before+after })
	for key, o := range r.outcomes() {
		if o.Reason != vendors.Accepted {
			t.Errorf("%v ended as %s", key, o.Reason)
		}
	}
	if n := front.refused.Load(); n > 0 {
		t.Errorf("%d requests with the older secret after it was replaced", n)
	}
	if n := r.count("xiaomi"); n != before+after {
		t.Errorf("%d pushes accepted, want %d, each once", n, before+after)
	}
}

// quoteOf is the quoted value behind a key.
func quoteOf(text, key string) string {
	_, value, _ := strings.Cut(text, key)
	value, _, _ = strings.Cut(value, "\n")
	return value
}

// A secret is revoked before its successor is there: pushes wait, and go as soon as the successor
// is loaded, at SIGHUP. None is refused but those that find out, and nothing is lost.
func TestRotateTooLate(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	const load, users = 200, 10
	secret := filepath.Join(r.dir, "sandbox", "oppo.secret")
	right, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("revoked"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.registerAll(users, "oppo")
	w := r.start()
	r.flood(load, users, func(int) int { return 3600 })
	r.until(60*time.Second, "parked", func() bool { return strings.Contains(w.log.String(), "certificate is parked") })
	if err := os.WriteFile(secret, right, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.settled(90*time.Second, "oppo")
	r.until(60*time.Second, "all recorded", func() bool { return len(r.outcomes()) == load })
	for key, o := range r.outcomes() {
		if o.Reason != vendors.Accepted {
			t.Errorf("%v ended as %s", key, o.Reason)
		}
	}
	if n := r.count("oppo"); n != load {
		t.Errorf("%d pushes accepted, want %d, each once", n, load)
	}
}

// reloading is a worker in this process that loads its configuration when it is told.
type reloading struct {
	*inside
	r       *rig
	signals chan os.Signal
	metrics string
}

func (r *rig) startReloading(orphanAfter time.Duration) *reloading {
	r.t.Helper()
	address := freePort(r.t)
	r.rewrite(`listen: "off"`, fmt.Sprintf("listen: %q", address))
	conf, err := config.Load(r.config(), kinds)
	if err != nil {
		r.t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	w := r.serveInside(&service{conf: conf, orphanAfter: orphanAfter, triggers: &triggers{file: r.config(), signals: signals, every: time.Hour}})
	return &reloading{inside: w, r: r, signals: signals, metrics: "http://" + address}
}

// reload loads the configuration anew, and waits until the worker said what came of it.
func (w *reloading) reload(said string) {
	w.t.Helper()
	before := strings.Count(w.log.String(), said)
	w.signals <- syscall.SIGHUP
	w.r.until(60*time.Second, said, func() bool { return strings.Count(w.log.String(), said) > before })
}

const (
	loadedAnew = "the configuration is loaded anew"
	refused    = "the configuration is refused, nothing changed"
)

// ended waits until a message has its end on a user's phone, and returns it.
func (r *rig) ended(message, user string) (reason hongyan.Reason) {
	r.t.Helper()
	r.until(60*time.Second, "ended: "+message, func() bool {
		o, ok := r.outcomes()[[3]string{message, user, "phone"}]
		reason = o.Reason
		return ok
	})
	return reason
}

// lastPush is the last push that a vendor accepted.
func (r *rig) lastPush(vendor string) (last sandbox.Push) {
	for _, p := range r.box.Pushes() {
		if p.Vendor == vendor {
			last = p
		}
	}
	return last
}

// While a worker runs, its configuration changes: policies and limits hold from the next push on; a
// certificate, a vendor and an app come; one goes while its jobs wait, and they end as after a
// restart. What is not valid changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	all, err := os.ReadFile(r.config())
	if err != nil {
		t.Fatal(err)
	}
	r.without("demo-vivo")
	vivo := r.bus.Topology().Jobs("vivo")
	js, _, _ := r.stream(vivo)
	if err := js.DeleteStream(t.Context(), vivo); err != nil {
		t.Fatal(err)
	}
	r.register("olga", "phone", "oppo")
	r.register("vera", "phone", "vivo")
	w := r.startReloading(time.Second)

	r.send(chat("plain", "olga"), chat("unknown", "vera"))
	if got := r.ended("plain", "olga"); got != vendors.Accepted {
		t.Fatalf("the first push ended as %s", got)
	}
	if got := r.ended("unknown", "vera"); got != hongyan.UnknownCertificate {
		t.Errorf("a push through a certificate that is not there ended as %s", got)
	}

	// What is not valid changes nothing, and says so.
	good, err := os.ReadFile(r.config())
	if err != nil {
		t.Fatal(err)
	}
	r.rewrite("- id: demo\n", "- id: demo\n    polciy: {preview: none}\n")
	w.reload(refused)
	if !strings.Contains(w.log.String(), "did you mean policy?") {
		t.Error("the log does not say what is wrong")
	}
	if _, page, err := get(w.metrics + "/metrics"); err != nil || !strings.Contains(page, "hongyan_config_refused 1") {
		t.Errorf("the metrics do not say that the configuration was refused: %v", err)
	}
	if status, _, err := get(w.metrics + "/readyz"); err != nil || status != http.StatusOK {
		t.Errorf("/readyz says %d, %v", status, err)
	}
	r.send(chat("still", "olga"))
	if got := r.ended("still", "olga"); got != vendors.Accepted {
		t.Errorf("after a configuration that is not valid a push ended as %s", got)
	}

	// A policy, a limit, a vendor, and an app. What takes a restart is named.
	const listen = `"127.0.0.1:1"`
	text := strings.Replace(string(all), "- id: demo\n", "- id: demo\n    policy: {preview: none}\n", 1)
	text = strings.Replace(text, `listen: "off"`, "listen: "+listen, 1)
	text += "  - id: fresh\n    certificates:\n      - {id: fresh-1, vendor: meizu, app_id: \"1\", app_secret: s}\n"
	if err := os.WriteFile(r.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.configure("demo-oppo", "daily_quota: {private: 1, public: 1}", "timezone: "+noonZone(time.Now()))
	w.reload(loadedAnew)
	if !strings.Contains(w.log.String(), "added=2 changed=1 removed=0") { // the time zone is the sender's, a quota is not
		t.Error("the log does not say what changed")
	}
	if _, err := js.Stream(t.Context(), vivo); err != nil {
		t.Errorf("the stream of a vendor that came: %v", err)
	}
	if !strings.Contains(w.log.String(), "keys=[http.listen]") {
		t.Error("the log does not name what takes a restart")
	}
	if _, page, err := get(w.metrics + "/metrics"); err != nil || !strings.Contains(page, "hongyan_config_refused 0") {
		t.Errorf("the metrics say that the configuration is refused: %v", err)
	}
	r.send(chat("hidden", "olga"))
	if got := r.ended("hidden", "olga"); got != vendors.Accepted {
		t.Fatalf("a push within the new quota ended as %s", got)
	}
	if p := r.lastPush("oppo"); strings.Contains(p.Title+p.Body, "hidden") {
		t.Errorf("the new policy hides the text, and the phone shows %q", p.Body)
	}
	over := chat("over", "olga")
	over.TTLSeconds = 600
	r.send(over)
	if got := r.ended("over", "olga"); got != vendors.QuotaSpent {
		t.Errorf("a push beyond the new quota ended as %s", got)
	}
	r.send(chat("served", "vera"))
	if got := r.ended("served", "vera"); got != vendors.Accepted {
		t.Errorf("a push through a new vendor ended as %s", got)
	}

	// A certificate goes while its jobs wait.
	r.box.Arm(sandbox.Fault{Vendor: "vivo", Kind: sandbox.FaultServerError})
	waits := chat("waits", "vera")
	waits.TTLSeconds = 3600
	r.send(waits)
	r.until(60*time.Second, "waiting", func() bool { return r.count("vivo") == 1 && r.backlog("vivo") > 0 })
	if err := os.WriteFile(r.config(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reload(loadedAnew)
	if got := r.ended("waits", "vera"); got != hongyan.UnknownCertificate {
		t.Errorf("a job of a certificate that went ended as %s", got)
	}
	r.send(chat("open", "olga"))
	if got := r.ended("open", "olga"); got != vendors.Accepted {
		t.Errorf("after the quota is gone again a push ended as %s", got)
	}
	if p := r.lastPush("oppo"); !strings.Contains(p.Title+p.Body, "open") {
		t.Errorf("the policy is gone again, and the phone shows %q", p.Body)
	}
	_, page, err := get(w.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(page) {
		if strings.Contains(line, "demo-vivo") && (strings.HasPrefix(line, "hongyan_clock_skew") || strings.HasPrefix(line, "hongyan_oldest")) {
			t.Errorf("the metrics show a certificate that went: %s", line)
		}
	}
	if !strings.Contains(page, `hongyan_clock_skew_seconds{against="oppo"`) {
		t.Error("the metrics no longer show how far a vendor's clock is ahead")
	}
	w.stop()
}

// noonZone is a time zone in which it is about noon, so that no day ends.
func noonZone(now time.Time) string {
	if ahead := 12 - now.UTC().Hour(); ahead != 0 {
		return fmt.Sprintf("Etc/GMT%+d", -ahead) // POSIX counts to the west
	}
	return "UTC"
}

// without takes a certificate out of the rig's configuration.
func (r *rig) without(id string) {
	r.t.Helper()
	data, err := os.ReadFile(r.config())
	if err != nil {
		r.t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), "      - id: "+id+"\n")
	if !ok {
		r.t.Fatalf("no certificate %s", id)
	}
	if i := strings.Index(rest, "      - id: "); i >= 0 {
		rest = rest[i:]
	} else {
		rest = ""
	}
	if err := os.WriteFile(r.config(), []byte(head+rest), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// backlog is how many jobs of a vendor are stored.
func (r *rig) backlog(vendor string) uint64 {
	b, err := r.bus.Backlog(r.t.Context(), vendor)
	if err != nil {
		r.t.Fatal(err)
	}
	return b.Jobs
}
