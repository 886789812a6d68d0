package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/prometheus/model/labels"
)

// scrapeEvery is how often the workers are read, and step how much later Prometheus takes each
// reading to be: its time runs sixty times as fast, so that five minutes pass in five seconds. What
// is over within seconds, such as an election, is given settling in true time.
const (
	scrapeEvery = 250 * time.Millisecond
	step        = 15 * time.Second
	settling    = 20 * time.Second
)

// installation is what the alerts watch: three NATS servers, two workers, the sandbox, and somebody
// who goes on sending.
type installation struct {
	t            *testing.T
	bin, dir     string
	nats         []*exec.Cmd
	workers      map[string]*exec.Cmd // by the address of their metrics
	sandbox, url string
	conn         *nats.Conn
	sent         int
}

// build compiles the programs.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-tags", "disable_grpc_modules", "-o", dir+string(filepath.Separator),
		"./cmd/worker", "./cmd/publisher", "./cmd/sandbox", "./internal/bus/bustest/natsd")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

// start starts a program that ends with the test, and returns it with a pipe that it may wait for
// and the lines that it prints.
func (in *installation) start(name string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	in.t.Helper()
	cmd := exec.Command(filepath.Join(in.bin, name), args...)
	cmd.Dir = in.dir
	stdin, err := cmd.StdinPipe() // natsd ends with it
	if err != nil {
		in.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(in.dir, fmt.Sprintf("%s-%d.log", name, time.Now().UnixNano())))
	if err != nil {
		in.t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if in.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			in.t.Logf("%s %s:\n%s", name, args, last(text, 3000))
		}
	})
	return cmd, bufio.NewScanner(stdout)
}

func last(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// kill ends a program as a power failure does.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// install starts everything and registers the demo's phones.
func install(t *testing.T) *installation {
	t.Helper()
	in := &installation{t: t, bin: build(t), dir: t.TempDir(), workers: map[string]*exec.Cmd{}}
	ports := freePorts(t, 10)
	var routes, urls []string
	for _, p := range ports[:3] {
		routes = append(routes, "nats://"+p)
	}
	var printed []*bufio.Scanner
	for i := range 3 {
		urls = append(urls, "nats://"+ports[3+i])
		cmd, lines := in.start("natsd", "-cluster", ports[i], "-routes", strings.Join(routes, ","), "-name", fmt.Sprintf("n%d", i), filepath.Join(in.dir, fmt.Sprintf("n%d", i)), ports[3+i])
		in.nats, printed = append(in.nats, cmd), append(printed, lines)
	}
	for _, lines := range printed {
		if !lines.Scan() {
			t.Fatal("a NATS server does not start")
		}
	}
	in.sandbox, in.url = "http://"+ports[6], strings.Join(urls, ",")
	_, lines := in.start("sandbox", "--listen", ports[6], "--listen-tls", ports[7], "--dir", in.dir)
	if !lines.Scan() {
		t.Fatal("the sandbox does not start")
	}
	apps, err := os.ReadFile(filepath.Join(in.dir, "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports[8:] {
		conf := filepath.Join(in.dir, "worker-"+strings.ReplaceAll(p, ":", "-")+".yaml")
		text := fmt.Sprintf("nats: {url: %q, replicas: 3}\nhttp: {listen: %q}\n%s", in.url, p, apps)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in.workers[p], _ = in.start("worker", "run", "--config", conf)
	}
	for p := range in.workers {
		in.until("the worker "+p+" is ready", time.Minute, func() bool {
			resp, err := http.Get("http://" + p + "/readyz")
			if err != nil {
				return false
			}
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
	}
	demo := exec.Command("sh", "deploy/compose/demo.sh")
	demo.Dir = "../.."
	demo.Env = append(os.Environ(), "PATH="+in.bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "NATS_URL="+in.url)
	if out, err := demo.CombinedOutput(); err != nil {
		t.Fatalf("demo.sh: %v\n%s", err, out)
	}
	if in.conn, err = nats.Connect(in.url, nats.MaxReconnects(-1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.conn.Close)
	return in
}

func (in *installation) until(what string, limit time.Duration, is func() bool) {
	in.t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(20 * time.Millisecond) { // polling other processes
		if time.Now().After(end) {
			in.t.Fatalf("not after %v: %s", limit, what)
		}
	}
}

// send publishes a message to all phones, of which nobody waits for.
func (in *installation) send() {
	in.sent++
	message := map[string]any{
		"id": fmt.Sprintf("m-%d", in.sent), "conversation": map[string]any{"type": "c2c", "id": fmt.Sprintf("c-%d", in.sent)},
		"sender": map[string]any{"id": "alice", "nickname": "Alice"}, "content": map[string]any{"type": "text", "text": "hello"},
		"recipients": []string{"bob", "carol", "dan", "erin", "frank", "grace", "heidi", "ivan", "judy"},
	}
	body, _ := json.Marshal(message) // of strings
	_ = in.conn.Publish("push.message.demo", body)
}

// fault arms a fault of the sandbox, or clears all where it is empty.
func (in *installation) fault(body string) {
	in.t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodDelete
	}
	req, err := http.NewRequestWithContext(in.t.Context(), method, in.sandbox+"/sandbox/api/faults", strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		in.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		in.t.Fatalf("fault %s: %d %s", body, resp.StatusCode, text)
	}
}

// watch reads the workers, sends, and evaluates the alerts until it is stopped.
type watch struct {
	in    *installation
	rules *rules
	all   *series

	now time.Time // Prometheus' time

	mu     sync.Mutex
	slow   time.Time // until when time runs as it does
	rounds int
	firing map[string][]string
	err    error
}

func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(scrapeEvery)
	defer tick.Stop()
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	for {
		w.in.send()
		w.now = w.now.Add(w.pace())
		for instance := range w.in.workers {
			up := 1.0
			if err := w.scrape(ctx, client, instance); err != nil {
				up = 0
				w.all.stale(instance, w.now)
			}
			w.all.add(labels.FromStrings("__name__", "up", "job", "hongyan", "instance", instance), w.now, up)
		}
		firing, err := w.rules.eval(ctx, w.all, w.now)
		w.mu.Lock()
		w.firing, w.rounds = firing, w.rounds+1
		if err != nil && w.err == nil && ctx.Err() == nil {
			w.err = err
		}
		w.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pace is how far Prometheus' time goes until the next reading.
func (w *watch) pace() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Now().Before(w.slow) {
		return scrapeEvery
	}
	return step
}

func (w *watch) settling() bool { return w.pace() != step }

// settle gives what just happened its true time.
func (w *watch) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = time.Now().Add(settling)
}

func (w *watch) scrape(ctx context.Context, client *http.Client, instance string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+instance+"/metrics", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var page bytes.Buffer
	if _, err := page.ReadFrom(resp.Body); err != nil {
		return err
	}
	return w.all.scraped(page.Bytes(), resp.Header.Get("Content-Type"), instance, w.now)
}

func (w *watch) state() (firing map[string][]string, rounds int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		w.in.t.Fatal(w.err)
	}
	return w.firing, w.rounds
}

// expect waits until exactly these alerts fire, and reports each other one that does meanwhile.
func (w *watch) expect(what string, want ...string) map[string][]string {
	w.in.t.Helper()
	slices.Sort(want)
	var got map[string][]string
	before, _ := w.state()
	may := slices.Concat(want, names(before))
	w.in.until(what, 3*time.Minute, func() bool {
		got, _ = w.state()
		for name, of := range got {
			if !slices.Contains(may, name) {
				w.in.t.Fatalf("%s: %s fires for %v", what, name, of)
			}
		}
		return slices.Equal(names(got), want)
	})
	w.in.t.Logf("%s: %v", what, got)
	return got
}

// Things break, one after the other, while messages are sent: the alerts that are for it fire, and
// no other does.
func TestOutages(t *testing.T) {
	in := install(t)
	w := &watch{in: in, rules: loadRules(t), all: newSeries(), now: time.Now()}
	w.settle()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })

	in.until("everything is started", time.Minute, func() bool { return !w.settling() })
	_, begun := w.state()
	in.until("half an hour without an alert", 3*time.Minute, func() bool {
		firing, rounds := w.state()
		if len(firing) > 0 {
			t.Fatalf("all is well, and there fires %v", firing)
		}
		return rounds >= begun+120
	})

	in.fault(`{"vendor":"oppo","kind":"server_error","status":503}`)
	if got := w.expect("a vendor is away", "HongyanVendorFails"); !strings.Contains(fmt.Sprint(got), `vendor="oppo"`) || len(got["HongyanVendorFails"]) != 1 {
		t.Errorf("it fires for %v", got)
	}
	in.fault("")
	w.expect("the vendor is back")

	if err := in.conn.Publish("push.message.demo", []byte(`{"id":"broken"}`)); err != nil {
		t.Fatal(err)
	}
	w.expect("a message that nobody can read", "HongyanMalformed")
	w.expect("a quarter of an hour later")

	for instance, cmd := range in.workers {
		w.settle()
		kill(t, cmd)
		if got := w.expect("a worker is killed", "HongyanWorkerDown"); !strings.Contains(fmt.Sprint(got), instance) || len(got["HongyanWorkerDown"]) != 1 {
			t.Errorf("it fires for %v, not for %s", got, instance)
		}
		break
	}
	w.settle()
	kill(t, in.nats[2])
	w.expect("and a NATS server of three", "HongyanWorkerDown", "HongyanNATSCopyMissing")

	in.fault(`{"vendor":"xiaomi","kind":"code","code":"21301"}`)
	if got := w.expect("and a vendor refuses the credentials", "HongyanWorkerDown", "HongyanNATSCopyMissing", "HongyanCertificateParked"); !strings.Contains(fmt.Sprint(got), "demo-xiaomi") {
		t.Errorf("it fires for %v", got)
	}

	for _, cmd := range in.workers {
		_ = cmd.Process.Kill() // one is dead already
	}
	w.expect("and nobody is left", "HongyanWorkerDown", "HongyanNobodyReady")
}
