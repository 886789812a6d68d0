package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is an output that can be waited on.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// address waits until the program says that it is ready, and returns the one behind a label.
func (s *screen) address(t *testing.T, label string) string {
	t.Helper()
	line := regexp.MustCompile(label + `\s+(https?://\S+?)(?:/sandbox/)?\s`)
	for range 1000 {
		if found := line.FindStringSubmatch(s.String()); found != nil {
			return found[1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never said %q:\n%s", label, s)
	return ""
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithCancel(t.Context())
	var out screen
	cmd := command()
	cmd.SetArgs([]string{"--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--dir", dir, "--host", "sandbox", "--mounted-at", "/run/sandbox"})
	cmd.SetOut(&out)
	over := make(chan error, 1)
	go func() { over <- cmd.ExecuteContext(ctx) }()

	tlsURL, page := out.address(t, "vendors"), out.address(t, "page")
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "sandbox"}}
	defer transport.CloseIdleConnections()
	for _, url := range []string{tlsURL, page} {
		resp, err := (&http.Client{Transport: transport}).Get(url + "/sandbox/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !strings.Contains(string(body), "Hongyan sandbox") {
			t.Errorf("%s: HTTP %d, no page", url, resp.StatusCode)
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "apns.p8")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("a worker elsewhere, which may be another user, cannot read the files: %v, %v", info, err)
	}
	port := tlsURL[strings.LastIndexByte(tlsURL, ':'):]
	for _, want := range []string{`"https://sandbox` + port + `"`, `"/run/sandbox/ca.pem"`} {
		if !strings.Contains(string(config), want) {
			t.Errorf("demo.yaml does not name %s", want)
		}
	}
	health := command()
	health.SetArgs([]string{"health", "--url", page})
	if err := health.ExecuteContext(t.Context()); err != nil {
		t.Errorf("health: %v", err)
	}
	cancel()
	if err := <-over; err != nil {
		t.Errorf("stopped with %v", err)
	}
	health = command()
	health.SetErr(io.Discard)
	health.SetArgs([]string{"health", "--url", page})
	if err := health.ExecuteContext(t.Context()); err == nil {
		t.Error("health of a stopped sandbox is fine")
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"}
	for name, args := range map[string][]string{
		"host_with_port":   append(free, "--dir", t.TempDir(), "--host", "sandbox:8241"),
		"host_with_scheme": append(free, "--dir", t.TempDir(), "--host", "https://sandbox"),
		"dir_is_a_file":    append(free, "--dir", file),
		"bad_address":      {"--listen", "nowhere:-1", "--dir", t.TempDir()},
		"unknown_flag":     {"--fault"},
		"argument":         {"please"},
	} {
		cmd := command()
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The help is the first thing that a newcomer reads: every example in it must parse.
func TestHelpExamples(t *testing.T) {
	t.Parallel()
	for _, line := range strings.Split(command().Example, "\n") {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "sandbox")
		if !ok {
			continue
		}
		if err := command().ParseFlags(strings.Fields(args)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// The real program: SIGTERM is a good end, a second signal an immediate one.
func TestSignals(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sandbox")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	begin := func() (*exec.Cmd, *screen) {
		var out screen
		cmd := exec.Command(program, "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--dir", t.TempDir())
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd, &out
	}

	cmd, out := begin()
	page := out.address(t, "page")
	// A page that listens for events must not hold it up.
	resp, err := http.Get(page + "/sandbox/api/events")
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0\n%s", err, out)
	}
	_ = resp.Body.Close()

	// A request whose body never ends keeps the first stop waiting.
	cmd, out = begin()
	page = out.address(t, "page")
	body, write := io.Pipe()
	req, err := http.NewRequest("POST", page+"/sandbox/api/faults", body)
	if err != nil {
		t.Fatal(err)
	}
	// The body is sent when the sandbox asks for it, so it is at work on the request then.
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	if _, err := write.Write([]byte("{")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	begun := time.Now()
	for signals := 0; ; signals++ {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil || signals == 0 {
				t.Errorf("after %d signals it ended with %v, want a second one to end it at once, and not as if all were well", signals+1, err)
			}
			if took := time.Since(begun); took > stopTimeout/2 {
				t.Errorf("the second signal took %v", took)
			}
			_ = write.Close()
			<-answered
			client.CloseIdleConnections()
			return
		case <-time.After(300 * time.Millisecond): // a busy machine may not have looked at the first one yet
		}
	}
}
