package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// A worker that is told to stop finishes what is under way and gives the rest back; another takes
// over, and nothing counted as an attempt.
func TestStopFinishesAndGivesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	const n = 300
	for u := range n {
		r.register(fmt.Sprintf("u%d", u), "phone", "huawei")
	}
	r.box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultSlow, Delay: 0.3})
	first := r.start()
	for u := range n {
		r.send(chat(fmt.Sprintf("m-%d", u), fmt.Sprintf("u%d", u)))
	}
	r.accepted([]string{"huawei"}, 20)
	if err := first.stop(sigterm); err != nil {
		t.Errorf("the worker left with %v", err)
	}
	if !strings.Contains(first.log.String(), "stopped") {
		t.Error("the worker did not say that it stopped")
	}
	r.start()
	r.settled(2*time.Minute, "huawei")
	outcomes := r.outcomes()
	for u := range n {
		at := [3]string{fmt.Sprintf("m-%d", u), fmt.Sprintf("u%d", u), "phone"}
		if o := outcomes[at]; o.Status != "accepted" || o.Attempt != 1 {
			t.Errorf("%v ended as %q after %d attempts", at, o.Status, o.Attempt)
		}
	}
	if c := r.box.Counts()["huawei"]; c.Accepted != n {
		t.Errorf("%d pushes for %d messages: a clean stop repeats nothing", c.Accepted, n)
	}
}

func TestSecondSignalLeavesAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.register("bob", "phone", "huawei")
	w := r.start()
	r.box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultHang})
	r.send(chat("m-1", "bob"))
	for r.box.Counts()["huawei"].Requests == 0 {
		time.Sleep(10 * time.Millisecond) // polling another process
	}
	if err := w.cmd.Process.Signal(sigterm); err != nil {
		t.Fatal(err)
	}
	until(t, "the worker says that it stops", func() bool { return strings.Contains(w.log.String(), "stopping") })
	time.Sleep(300 * time.Millisecond) // a person's second thought
	err := w.stop(sigterm)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("the worker left with %v, want exit code 130", err)
	}
}

// A collector that is away is said in the log's own form, and is no failed stop.
func TestStopsWithoutCollector(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + freePort(t), "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}
	r.register("bob", "phone", "huawei")
	w := r.start()
	r.send(chat("m-1", "bob"))
	until(t, "the push is accepted", func() bool { return r.box.Counts()["huawei"].Accepted == 1 })
	if err := w.stop(sigterm); err != nil {
		t.Errorf("the worker left with %v", err)
	}
	said := 0
	for line := range strings.Lines(w.log.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a line of another form: %s", line)
		}
		if strings.Contains(line, "telemetry is not sent") {
			said++
		}
	}
	if said == 0 {
		t.Error("nothing says that telemetry is lost")
	}
}

// NATS that is not there yet is waited for, and said; NATS that goes away later is regained without
// a restart, and nothing is lost.
func TestNATSComesLateAndGoesAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	natsAddr, httpAddr := freePort(t), freePort(t)
	config, err := os.ReadFile(r.config())
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte(r.url), []byte("nats://"+natsAddr), 1)
	config = bytes.Replace(config, []byte(`"off"`), []byte(`"`+httpAddr+`"`), 1)
	if err := os.WriteFile(r.config(), config, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	until(t, "the worker says that it waits", func() bool {
		status, body, err := get("http://" + httpAddr + "/readyz")
		return err == nil && status == 503 && strings.Contains(body, "waiting for NATS")
	})
	if status, _, err := get("http://" + httpAddr + "/healthz"); err != nil || status != 200 {
		t.Errorf("healthz: %d, %v", status, err)
	}
	dir := filepath.Join(r.dir, "late")
	startNATS := func() *natsd.Server {
		srv, err := natsd.Start(natsd.Options{Dir: dir, Listen: natsAddr})
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	isReady := func() bool {
		status, _, err := get("http://" + httpAddr + "/readyz")
		return err == nil && status == 200
	}
	srv := startNATS()
	until(t, "the worker is ready", isReady)
	b, err := bus.Connect(t.Context(), bus.Options{URL: "nats://" + natsAddr, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	r.bus.Close()
	r.bus = b
	t.Cleanup(b.Close)
	r.register("bob", "phone", "huawei")
	r.send(chat("m-1", "bob"))
	r.accepted([]string{"huawei"}, 1)

	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the worker is not ready", func() bool { return !isReady() })
	srv = startNATS()
	t.Cleanup(func() { _ = srv.Close() })
	until(t, "the worker is ready again", isReady)
	until(t, "the publisher is connected again", b.Connected)
	r.send(chat("m-2", "bob"))
	r.accepted([]string{"huawei"}, 2)
	_, body, err := get("http://" + httpAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hongyan_attempts_total", "hongyan_latency_seconds_bucket", "hongyan_backlog", `certificate="demo-huawei"`, `reason="accepted"`} {
		if !strings.Contains(body, name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	// polling another process
	for limit := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// A stream of somebody else's making is refused, and the difference named.
func TestMisfitIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	config, err := os.ReadFile(r.config())
	if err != nil {
		t.Fatal(err)
	}
	// The streams exist with one replica each.
	config = bytes.Replace(config, []byte("nats: {"), []byte("nats: {replicas: 3, "), 1)
	if err := os.WriteFile(r.config(), config, 0o600); err != nil {
		t.Fatal(err)
	}
	w := r.start()
	err = <-w.done
	w.done <- err
	if err == nil || !strings.Contains(w.log.String(), "stream PUSH_MESSAGES exists in another shape: replicas is 1, need 3") {
		t.Errorf("left with %v and said %s", err, w.log)
	}
}

// Everything that is wrong is said at once, with line, key and remedy, and nothing is started.
func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte(`nats: {url: "http://x"}
http: {listen: nowhere}
aps: []
apps:
  - id: demo
    certificates:
      - id: a
        vendor: opo
      - id: b
        vendor: oppo
        app_key: ${HONGYAN_TEST_NOT_SET}
        master_secret_file: /does/not/exist
`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	for _, command := range []string{"run", "setup", "check"} {
		errs.Reset()
		if code := run([]string{command, "--config", file}, &out, &errs); code != 2 {
			t.Errorf("%s: exit code %d, want 2", command, code)
		}
	}
	for _, want := range []string{
		":1:13: nats.url: ", ":2:16: http.listen: ", ":3:1: aps: is no key that is known here; did you mean apps?", ":8:17: apps[0].certificates[0].vendor: ",
		"HONGYAN_TEST_NOT_SET", "/does/not/exist", "problem(s), nothing was started",
	} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, errs.String())
		}
	}
}

// lockedBuffer is written by many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// worker dev shows the conversation, the call and the large group on all nine vendors, and breaks
// no vendor's rule.
func TestDevShowsAllNine(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs lockedBuffer
	page := freePort(t)
	done := make(chan error, 1)
	go func() {
		done <- dev(ctx, devOptions{nats: "127.0.0.1:0", page: page, tls: "127.0.0.1:0", http: freePort(t), level: "warn", members: 1000}, &out, &errs)
	}()
	// it shows its acts
	for limit := time.Now().Add(3 * time.Minute); !strings.Contains(out.String(), "Everything keeps running"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it did not come to its end:\n%s\n%s", out.String(), errs.String())
		}
	}
	for _, v := range all.Vendors() {
		if n := strings.Count(out.String(), " "+v+" "); n < 4 {
			t.Errorf("%s shows %d pushes of a conversation of three and a call", v, n)
		}
	}
	if !strings.Contains(out.String(), "1000 of 1000 members have it") {
		t.Errorf("the large group did not get it:\n%s", out.String())
	}
	if n := strings.Count(out.String(), "; collapsed: 1 card, replaced"); n != len(all.Vendors()) {
		t.Errorf("%d vendors show a chat as one card:\n%s", n, out.String())
	}
	if n := strings.Count(out.String(), " 10 cards in a group;"); n < 3 {
		t.Errorf("%d vendors group a chat:\n%s", n, out.String())
	}
	if !strings.Contains(out.String(), "999 of 1000 were accepted") || !strings.Contains(out.String(), "1 is a dead letter: bad_payload") {
		t.Errorf("one bad message among a thousand:\n%s", out.String())
	}
	// The refused message breaks its rule, and nothing else breaks any.
	var broken []sandbox.Violation
	if _, body, err := get("http://" + page + "/sandbox/api/violations"); err != nil || json.Unmarshal([]byte(body), &broken) != nil {
		t.Errorf("broken rules: %s, %v", body, err)
	}
	for _, v := range broken {
		if v.Code != "41" {
			t.Errorf("broken rule: %+v", v)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(out.String(), "Stopping: ") {
		t.Error("it does not say that it stops")
	}
	if strings.Contains(errs.String(), "can be better") {
		t.Errorf("it advises about its own files:\n%s", errs.String())
	}
}

func TestHealthServerSaysWhichAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := newHealth().serve(l.Addr().String(), nil, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("got %v", err)
	}
}
