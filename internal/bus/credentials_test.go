package bus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/natsauth"
)

// Worker and client get in with each kind of credentials, and not without.
func TestCredentials(t *testing.T) {
	for _, s := range bustest.StartSecured(t) {
		t.Run(s.Name, func(t *testing.T) {
			b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL, Credentials: s.Credentials, Once: true})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if err := b.Ensure(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			client, err := hongyan.Connect(s.URL, hongyan.Options{Credentials: hongyan.Credentials(s.Credentials)})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.SetPresence(t.Context(), "demo", "bob", "phone", hongyan.Presence{State: "background"}); err != nil {
				t.Error(err)
			}
			if b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL, Once: true}); err == nil {
				b.Close()
				t.Error("the bus gets in without credentials")
			} else if s.Name != "certificate" && !bus.IsRefused(err) {
				t.Errorf("the bus without credentials: %v", err)
			}
			if c, err := hongyan.Connect(s.URL, hongyan.Options{}); err == nil {
				c.Close()
				t.Error("the client gets in without credentials")
			}
		})
	}
}

// log is a logger's output that goroutines may share.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Whatever stands before the @ of an address is in no error and no log line, and a list that cannot
// be read fails at once instead of being tried for ever.
func TestAddressesAreRedacted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that Connect gives up after the first try
	for name, url := range map[string]string{
		"token": "nats://hunter2@127.0.0.1:1", "password": "user:hunter2@127.0.0.1:1", "broken_escape": "nats://user:hunt%zzer2@127.0.0.1:1",
		"slash": "nats://user:hunt/er2@127.0.0.1:1", "space": "nats://user:hunt er2@127.0.0.1:1", "comma": "nats://user:hunt,er2@127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			var l log
			_, err := bus.Connect(ctx, bus.Options{URL: url, Log: l.logger()})
			_, once := bus.Connect(ctx, bus.Options{URL: url, Log: l.logger(), Once: true})
			_, client := hongyan.Connect(url, hongyan.Options{})
			for _, err := range []error{err, once, client} {
				if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
					t.Fatalf("the error is %v", err)
				}
			}
			for _, said := range []string{err.Error(), once.Error(), client.Error(), l.String()} {
				if strings.Contains(said, "hunt") || strings.Contains(said, "er2") || strings.Contains(said, "zz") {
					t.Errorf("it is repeated: %s", said)
				}
			}
		})
	}
}

// A connection that is regained says where without the token in the address, and so does URL.
func TestReconnectIsRedacted(t *testing.T) {
	opts := &server.Options{Authorization: "hunter2", StoreDir: t.TempDir()}
	srv := bustest.StartServer(t, opts)
	url := strings.Replace(srv.ClientURL(), "nats://", "nats://hunter2@", 1)
	var l log
	b, err := bus.Connect(t.Context(), bus.Options{URL: url, Log: l.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if strings.Contains(b.URL(), "hunter2") {
		t.Errorf("URL is %s", b.URL())
	}
	restart(t, srv, opts)
	until(t, "connected again", func() bool { return strings.Contains(l.String(), "connected to NATS again") })
	if strings.Contains(l.String(), "hunter2") {
		t.Errorf("the log repeats the token:\n%s", l.String())
	}
}

// A password that is replaced in its file is used at the next connection, also when the server has
// refused the old one for a while.
func TestPasswordIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	opts := &server.Options{Username: "hongyan", Password: "old", StoreDir: t.TempDir()}
	srv := bustest.StartServer(t, opts)
	credentials := natsauth.Credentials{User: "hongyan", PasswordFile: file}
	var l log
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.ClientURL(), Credentials: credentials, Log: l.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	client, err := hongyan.Connect(srv.ClientURL(), hongyan.Options{Credentials: hongyan.Credentials(credentials)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := b.Ensure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	opts.Password = "new"
	restart(t, srv, opts)
	// nats.go gives a connection up when the same server refuses it twice in a row, unless told not
	// to.
	until(t, "refused three times", func() bool { return strings.Count(strings.ToLower(l.String()), "authorization violation") >= 3 })
	write("new")
	until(t, "connected again", b.Connected)
	if err := client.SetPresence(t.Context(), "demo", "bob", "phone", hongyan.Presence{State: "background"}); err != nil {
		t.Error(err)
	}
}

// restart starts a server anew on its port and folder.
func restart(t *testing.T, srv *server.Server, opts *server.Options) *server.Server {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.ClientURL(), "nats://"), ":")
	srv.Shutdown()
	srv.WaitForShutdown()
	next := *opts
	next.Port = 0
	for _, c := range port {
		next.Port = next.Port*10 + int(c-'0')
	}
	return bustest.StartServer(t, &next)
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	within(t, 30*time.Second, what, holds)
}

// within is until with a bound of its own.
func within(t testing.TB, bound time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(errors.New("it is not " + what))
		}
	}
}

// Bad credentials fail at once and say which key is wrong.
func TestConnectNamesBadCredentials(t *testing.T) {
	_, err := bus.Connect(t.Context(), bus.Options{URL: "nats://127.0.0.1:1", Credentials: natsauth.Credentials{User: "hongyan", CertificateFile: "x.pem"}})
	for _, want := range []string{"nats.user is given without a password", "nats.tls.certificate_file is given without its key; name it with nats.tls.key_file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	_, err = hongyan.Connect("nats://127.0.0.1:1", hongyan.Options{Credentials: hongyan.Credentials{Token: "hunter2", NKeyFile: "none"}})
	for _, want := range []string{"Credentials.Token is given beside Credentials.NKeyFile", "Credentials.NKeyFile names a file that does not exist: none"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("it does not say %q, or too much: %v", want, err)
		}
	}
}
