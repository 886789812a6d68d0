package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
)

// with runs the tool with an environment.
func with(env map[string]string, args ...string) result {
	var out, err bytes.Buffer
	t := &tool{in: strings.NewReader(""), out: &out, err: &err, now: time.Now, getenv: func(key string) string { return env[key] }}
	code := t.run(context.Background(), args)
	return result{out.String(), err.String(), code}
}

// The tool gets in with each kind of credentials: by flags, and by the nats tool's variables and
// contexts.
func TestCredentials(t *testing.T) {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config) // where the nats tool keeps its contexts
	contexts := filepath.Join(config, "nats", "context")
	if err := os.MkdirAll(contexts, 0o700); err != nil {
		t.Fatal(err)
	}
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
			c := s.Credentials
			var flags []string
			env := map[string]string{"NATS_URL": s.URL}
			context := fmt.Sprintf(`{"url": %q`, s.URL)
			give := func(flag, file, variable, value, key string) {
				if file != "" {
					flags = append(flags, flag, file)
				}
				if value != "" {
					env[variable] = value
					context += fmt.Sprintf(`, %q: %q`, key, value)
				}
			}
			read := func(file string) string {
				data, _ := os.ReadFile(file) // "" where there is none
				return strings.TrimSpace(string(data))
			}
			give("--nats-user", c.User, "NATS_USER", c.User, "user")
			give("--nats-password-file", c.PasswordFile, "NATS_PASSWORD", read(c.PasswordFile), "password")
			give("--nats-token-file", c.TokenFile, "NATS_TOKEN", read(c.TokenFile), "token")
			give("--nats-nkey-file", c.NKeyFile, "NATS_NKEY", c.NKeyFile, "nkey")
			give("--nats-credentials-file", c.CredentialsFile, "NATS_CREDS", c.CredentialsFile, "creds")
			give("--nats-ca-file", c.CAFile, "NATS_CA", c.CAFile, "ca")
			give("--nats-certificate-file", c.CertificateFile, "NATS_CERT", c.CertificateFile, "cert")
			give("--nats-key-file", c.KeyFile, "NATS_KEY", c.KeyFile, "key")
			if err := os.WriteFile(filepath.Join(contexts, s.Name+".json"), []byte(context+"}"), 0o600); err != nil {
				t.Fatal(err)
			}
			address := map[string]string{"NATS_URL": s.URL}
			for how, run := range map[string]func(args ...string) result{
				"flags":            func(args ...string) result { return with(address, append(args, flags...)...) },
				"environment":      func(args ...string) result { return with(env, args...) },
				"context":          func(args ...string) result { return with(nil, append(args, "--context", s.Name)...) },
				"context_variable": func(args ...string) result { return with(map[string]string{"NATS_CONTEXT": s.Name}, args...) },
				// The flag wins over what the environment says of another server.
				"context_first": func(args ...string) result {
					return with(map[string]string{"NATS_URL": "nats://127.0.0.1:1", "NATS_TOKEN": "x", "NATS_CA": "none"}, append(args, "--context", s.Name)...)
				},
			} {
				for _, args := range [][]string{{"presence", "--app", "demo", "--user", "bob", "--device", "phone", "--state", "background"}, {"device", "list", "--app", "demo", "--user", "bob"}} {
					if got := run(args...); got.code != 0 {
						t.Errorf("%s: publisher %v: exit code %d\n%s%s", how, args, got.code, got.out, got.err)
					}
				}
			}
			got := with(address, "device", "list", "--app", "demo", "--user", "bob")
			if got.code != 1 || s.Name != "certificate" && !strings.Contains(got.err, "does not let this user in") {
				t.Errorf("without credentials: exit code %d, %s", got.code, got.err)
			}
		})
	}
}

// What contradicts itself is refused before anything is connected, naming the flag or variable that
// gave it.
func TestCredentialsThatContradict(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"two_flags":        {nil, []string{"--nats-token-file", file, "--nats-user", "u", "--nats-password-file", file}, "--nats-token-file is given beside --nats-user"},
		"two_variables":    {map[string]string{"NATS_USER": "u", "NATS_PASSWORD": "hunter2", "NATS_TOKEN": "hunter2"}, nil, "$NATS_TOKEN is given beside $NATS_USER"},
		"two_tokens":       {map[string]string{"NATS_USER": "hunter2", "NATS_TOKEN": "hunter3"}, nil, "$NATS_TOKEN is given beside $NATS_USER"},
		"address":          {map[string]string{"NATS_URL": "nats://hunter2@127.0.0.1:1", "NATS_TOKEN": "hunter2"}, nil, "$NATS_TOKEN is given beside a user or token in the address"},
		"no_password":      {nil, []string{"--nats-user", "u"}, "--nats-user is given without a password; give it with --nats-password-file"},
		"no_user":          {nil, []string{"--nats-password-file", file}, "--nats-password-file is given without a user; name the user with --nats-user"},
		"no_certificate":   {nil, []string{"--nats-key-file", file}, "--nats-key-file is given without a certificate; name it with --nats-certificate-file"},
		"no_key":           {map[string]string{"NATS_CERT": file}, nil, "$NATS_CERT is given without its key; name it with --nats-key-file"},
		"no_such_file":     {nil, []string{"--nats-credentials-file", "none.creds"}, "--nats-credentials-file names a file that does not exist: none.creds"},
		"no_credentials":   {map[string]string{"NATS_CREDS": file}, nil, "$NATS_CREDS names a file that cannot be used"},
		"no_seed":          {map[string]string{"NATS_NKEY": file}, nil, "$NATS_NKEY names a file that cannot be used"},
		"no_pem":           {map[string]string{"NATS_CA": file}, nil, "$NATS_CA names a file that cannot be used"},
		"context_and_user": {map[string]string{"NATS_PASSWORD": "hunter2"}, []string{"--context", "x", "--nats-user", "u"}, "--context is given beside other credentials"},
		"context_and_more": {map[string]string{"NATS_CONTEXT": "x", "NATS_TOKEN": "hunter2"}, nil, "$NATS_CONTEXT is given beside other credentials"},
		"unknown_context":  {nil, []string{"--context", "no-such-context"}, `the nats tool's context "no-such-context": unknown context`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range [][]string{{"recall", "--app", "demo", "--message", "m"}, {"dead", "list"}} {
				got := with(c.env, append(command, c.args...)...)
				if got.code != 2 || !strings.Contains(got.err, c.want) {
					t.Errorf("exit code %d, it does not say %q:\n%s", got.code, c.want, got.err)
				}
				if strings.Contains(got.err, "hunter") || strings.Contains(got.err, "Is a worker") {
					t.Errorf("it says too much:\n%s", got.err)
				}
			}
		})
	}
}

// No secret of an address is printed: not where it cannot be read, not where nobody answers, not in
// help.
func TestSecretsOfAddressesAreNotPrinted(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"token": "nats://hunter2@127.0.0.1:1", "password": "nats://user:hunter2@127.0.0.1:1", "no_scheme": "user:hunter2@127.0.0.1:1",
		"broken_escape": "nats://user:hunt%zzer2@127.0.0.1:1", "slash": "nats://user:hunt/er2@127.0.0.1:1", "space": "nats://user:hunt er2@127.0.0.1:1",
		"comma": "nats://user:hunt,er2@127.0.0.1:1", "several": "nats://n.invalid:1,nats://hunter2@127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"NATS_URL": address}
			for _, got := range []result{
				with(env, "recall", "--app", "demo", "--message", "m"), with(env, "dead", "list"), with(nil, "dead", "list", "--nats", address),
				with(env, "--help"), with(env, "send", "--help"), with(env, "explain", "--no-such-flag"),
			} {
				if said := got.out + got.err; said == "" || strings.Contains(said, "hunt") || strings.Contains(said, "er2@") || strings.Contains(said, "%zz") {
					t.Errorf("it says\n%s", said)
				}
			}
		})
	}
}
