package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const oppo = "apps: [{id: demo, certificates: [{id: a, vendor: oppo, app_key: k, master_secret: \"${S}\", channel_id: c%}]}]\n"
	with := func(extra string) string { return strings.Replace(oppo, "%", extra, 1) }
	huawei := func(extra string) string {
		return "apps: [{id: demo, certificates: [{id: a, vendor: huawei, app_id: \"1\", app_secret: \"${S}\"" + extra + "}]}]\n"
	}
	for name, c := range map[string]struct {
		yaml string
		want []string // what each warning begins with, behind the path
	}{
		"nothing":                 {with(""), nil},
		"endpoint_plain":          {with(", endpoint: \"http://push.example.com\""), []string{":1:116: apps[0].certificates[0].endpoint: is plain text"}},
		"endpoint_tls":            {with(", endpoint: \"https://push.example.com\""), nil},
		"endpoint_here":           {with(", endpoint: \"http://127.0.0.1:8240\""), nil},
		"endpoint_localhost":      {with(", endpoint: \"http://localhost:8240\""), nil},
		"endpoint_v6":             {with(", endpoint: \"http://[::1]:8240\""), nil},
		"token_endpoint":          {huawei(", endpoint: \"https://a.example\", token_endpoint: \"http://b.example\""), []string{":1:138: apps[0].certificates[0].token_endpoint: is plain text"}},
		"both_endpoints":          {huawei(", endpoint: \"http://a.example\", token_endpoint: \"http://b.example\""), []string{":1:101: apps[0].certificates[0].endpoint: ", ":1:137: apps[0].certificates[0].token_endpoint: "}},
		"embedded_all":            {"nats: {embedded: {listen: \"0.0.0.0:4222\"}}\n" + with(""), []string{":1:27: nats.embedded.listen: opens a server that asks nobody"}},
		"embedded_no_host":        {"nats: {embedded: {listen: \":4222\"}}\n" + with(""), []string{":1:27: nats.embedded.listen: "}},
		"embedded_one_address":    {"nats: {embedded: {listen: \"10.0.0.7:4222\"}}\n" + with(""), []string{":1:27: nats.embedded.listen: "}},
		"embedded_here":           {"nats: {embedded: {listen: \"[::1]:4222\"}}\n" + with(""), nil},
		"http_all":                {"http: {listen: \"0.0.0.0:8230\"}\n" + with(""), []string{":1:16: http.listen: serves metrics on all interfaces"}},
		"http_no_host":            {"http: {listen: \":8230\"}\n" + with(""), []string{":1:16: http.listen: "}},
		"http_v6":                 {"http: {listen: \"[::]:8230\"}\n" + with(""), []string{":1:16: http.listen: "}},
		"http_one_address":        {"http: {listen: \"10.0.0.7:8230\"}\n" + with(""), nil},
		"http_off":                {"http: {listen: \"off\"}\n" + with(""), nil},
		"explain_here":            {"http: {explain: {trusted_header: X-User}}\n" + with(""), nil},
		"explain_header":          {"http: {listen: \"10.0.0.7:8230\", explain: {trusted_header: X-User}}\n" + with(""), []string{":1:42: http.explain: believes the header of whoever reaches the port"}},
		"explain_password":        {"http: {listen: \"10.0.0.7:8230\", explain: {password: \"${S}23456789012\"}}\n" + with(""), []string{":1:42: http.explain: is asked for its password in plain text"}},
		"nats_here":               {"nats: {url: \"nats://127.0.0.1:4222\"}\n" + with(""), nil},
		"nats_plain_and_open":     {"nats: {url: \"nats://n1.example:4222\"}\n" + with(""), []string{":1:13: nats.url: reaches n1.example:4222 without TLS", ":1:13: nats.url: reaches n1.example:4222 as nobody"}},
		"nats_tls_and_open":       {"nats: {url: \"tls://n1.example:4222\"}\n" + with(""), []string{":1:13: nats.url: reaches n1.example:4222 as nobody"}},
		"nats_plain_with_user":    {"nats: {url: \"nats://u:hunter2@n1.example:4222\"}\n" + with(""), []string{":1:13: nats.url: reaches n1.example:4222 without TLS"}},
		"nats_tls_with_user":      {"nats: {url: \"tls://u:hunter2@n1.example:4222\"}\n" + with(""), nil},
		"nats_one_of_two_is_open": {"nats: {url: \"tls://t@n1.example:4222,tls://n2.example:4222\"}\n" + with(""), []string{":1:13: nats.url: reaches n2.example:4222 as nobody"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, err := parse(t, c.yaml, map[string]string{"S": "s"})
			if err != nil {
				t.Fatal(err)
			}
			got := conf.Warnings()
			if len(got) != len(c.want) {
				t.Fatalf("%d warnings, want %d: %v", len(got), len(c.want), got)
			}
			for i, want := range c.want {
				text := strings.TrimPrefix(got[i].String(), got[i].Path)
				if !strings.HasPrefix(text, want) || got[i].Remedy == "" || strings.Contains(text, "hunter2") {
					t.Errorf("%s\nwant %s", text, want)
				}
			}
		})
	}
}

// Files that everybody can read: of secrets, and of the configuration where it holds one.
func TestWarningsOfReadableFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // modes say nothing there
	}
	for name, c := range map[string]struct {
		secret, file os.FileMode
		value        string
		want         string
	}{
		"everybody":            {0o644, 0o644, "master_secret_file: s", "master_secret_file: names a file that everybody"},
		"group":                {0o640, 0o644, "master_secret_file: s", ""},
		"owner":                {0o600, 0o644, "master_secret_file: s", ""},
		"inline_everybody":     {0o600, 0o644, "master_secret: s", "master_secret: is a secret in a file that everybody"},
		"inline_group":         {0o600, 0o640, "master_secret: s", ""},
		"environment_everyone": {0o600, 0o644, "master_secret: \"${S}\"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "c.yaml")
			yaml := "apps: [{id: demo, certificates: [{id: a, vendor: oppo, app_key: k, channel_id: c, " + c.value + "}]}]"
			for file, content := range map[string]string{path: yaml, filepath.Join(dir, "s"): "secret"} {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for file, mode := range map[string]os.FileMode{path: c.file, filepath.Join(dir, "s"): c.secret} {
				if err := os.Chmod(file, mode); err != nil {
					t.Fatal(err)
				}
			}
			conf, err := config.Parse(path, []byte(yaml), config.Kinds(registry.Kinds()), func(string) (string, bool) { return "s", true })
			if err != nil {
				t.Fatal(err)
			}
			got := conf.Warnings()
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), c.want) || !strings.Contains(got[0].String(), "chmod 640")) {
				t.Errorf("%v, want %q", got, c.want)
			}
		})
	}
}
