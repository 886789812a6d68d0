package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/telemetry"
)

// What the worker logs of the server that it waits for repeats no secret, wherever that stands, and
// an address or a credential that cannot be used is told before anything starts.
func TestNATSSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ nats, says string }{
		"token":         {`url: "nats://hunter2@127.0.0.1:1"`, "url=nats://127.0.0.1:1"},
		"password":      {`url: "nats://user:hunter2@127.0.0.1:1,user:hunter2@127.0.0.1:2"`, "url=nats://127.0.0.1:2"},
		"password_key":  {`url: "nats://127.0.0.1:1", user: u, password: hunter2`, "url=nats://127.0.0.1:1"},
		"broken_escape": {`url: "nats://user:hunt%zzer2@127.0.0.1:1"`, "is no NATS address"},
		"slash":         {`url: "nats://user:hunt/er2@127.0.0.1:1"`, "is no NATS address"},
		"two_kinds":     {`url: "nats://127.0.0.1:1", token: hunter2, user: u, password: hunter2`, "nats.token: is given beside nats.user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "hongyan.yaml")
			yaml := "nats: {" + c.nats + "}\nhttp: {listen: \"off\"}\napps: [{id: demo, certificates: [{id: m, vendor: meizu, app_id: \"1\", app_secret: s}]}]\n"
			if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			stderr := &output{}
			if conf, err := config.Load(file, kinds); err != nil {
				_, _ = stderr.Write([]byte(err.Error())) // it is a buffer
			} else {
				log, err := telemetry.Logger(stderr, "debug", "text")
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- serve(ctx, conf, log, nil) }()
				until(t, "the worker says that it waits", func() bool { return strings.Contains(stderr.String(), "trying until it is") })
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			said := stderr.String()
			if !strings.Contains(said, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, said)
			}
			if strings.Contains(said, "hunt") || strings.Contains(said, "er2") || strings.Contains(said, "zz") {
				t.Errorf("it repeats a secret:\n%s", said)
			}
		})
	}
}
