package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/config"
)

// A worker whose NATS user may not make streams says so at /readyz and goes on trying; setup, as a
// user who may, makes them, and the worker consumes.
func TestSetup(t *testing.T) {
	t.Parallel()
	// All but to make streams; deploy/nats-production.conf has a narrower list.
	rights := &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{"push.>", "$JS.ACK.>", "$JS.FC.>", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.PURGE.*", "$JS.API.STREAM.MSG.GET.*",
			"$JS.API.DIRECT.GET.>", "$JS.API.CONSUMER.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"push.>", "_INBOX.>"}},
	}
	srv := bustest.StartServer(t, &server.Options{Users: []*server.User{{Username: "worker", Password: "pw", Permissions: rights}, {Username: "operator", Password: "pw"}}})
	page := freePort(t)
	file := func(user string, replicas int) string {
		path := filepath.Join(t.TempDir(), user+".yaml")
		if err := os.WriteFile(path, fmt.Appendf(nil, `
nats: {url: %q, user: %s, password: pw, replicas: %d}
http: {listen: %q}
apps: [{id: demo, certificates: [{id: "1", vendor: oppo, package: com.example, app_key: k, master_secret: s, channel_id: c}]}]
`, srv.ClientURL(), user, replicas, page), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	setup := func(config string, code int, want string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run([]string{"setup", "--config", config}, &out, &errs); got != code || !strings.Contains(out.String()+errs.String(), want) {
			t.Errorf("exit code %d, want %d and %q:\n%s%s", got, code, want, out.String(), errs.String())
		}
	}
	setup(file("worker", 1), 1, "may not make or change streams")

	conf, err := config.Load(file("worker", 1), kinds)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var said lockedBuffer
	go func() { ended <- serve(ctx, conf, slog.New(slog.NewTextHandler(&said, nil)), nil) }()
	ready := func(status int, says string) {
		t.Helper()
		var got int
		var body string
		for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) { // polling the worker
			if got, body, err = get("http://" + page + "/readyz"); got == status && strings.Contains(body, says) {
				return
			}
		}
		t.Errorf("/readyz: %d %s, %v; want %d %q", got, body, err, status, says)
	}
	ready(http.StatusServiceUnavailable, "worker setup")
	setup(file("operator", 1), 0, "all streams are there")
	ready(http.StatusOK, "ready")
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "Permissions Violation") && !strings.Contains(line, "$JS.API.STREAM.CREATE.") {
			t.Errorf("a right is missing: %s", line)
		}
	}
	setup(file("worker", 1), 0, "all streams are there")
	setup(file("operator", 3), 1, "replicas is 1, need 3")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The worker makes the streams of its own server itself.
func TestSetupNeedsAServer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hongyan.yaml")
	if err := os.WriteFile(path, []byte("apps: [{id: demo, certificates: [{id: \"1\", vendor: oppo, package: com.example, app_key: k, master_secret: s, channel_id: c}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"setup", "--config", path}, &out, &errs); code != 2 || !strings.Contains(errs.String(), "nats.url") {
		t.Errorf("exit code %d: %s", code, &errs)
	}
}

// What worker check warns of is in the log of worker run too.
func TestRunLogsWarnings(t *testing.T) {
	t.Parallel()
	conf, err := config.Parse("hongyan.yaml", []byte(`
http: {listen: "0.0.0.0:8230"}
apps: [{id: demo, certificates: [{id: "1", vendor: oppo, package: com.example, app_key: k, master_secret: s, channel_id: c}]}]
`), kinds, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	(&service{conf: conf, log: slog.New(slog.NewTextHandler(&said, nil))}).warnOfConfig(conf)
	if !strings.Contains(said.String(), "level=WARN") || !strings.Contains(said.String(), "http.listen: serves metrics on all interfaces") {
		t.Errorf("it says %s", &said)
	}
}
