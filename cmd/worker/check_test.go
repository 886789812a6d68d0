package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Warnings are told with their place and leave the exit code at 0.
func TestCheckWarns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "hongyan.yaml")
	for name, content := range map[string]string{file: `nats: {embedded: {listen: "0.0.0.0:4222"}}
http: {listen: ":8230"}
apps:
  - id: demo
    certificates:
      - {id: a, vendor: oppo, app_key: k, master_secret_file: secret, channel_id: c, endpoint: "http://push.example.com"}
`, filepath.Join(dir, "secret"): "\ufeffsecret\r\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"check", "--config", file}, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	for _, want := range []string{"warning: " + file + ":1:27: nats.embedded.listen: ", file + ":2:16: http.listen: ", ".master_secret_file: names a file that everybody",
		".endpoint: is plain text", "is valid: 1 app(s), 1 certificate(s)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
}

// What is wrong with a file of texts is told with its own place, beside the configuration's.
func TestCheckReadsTexts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, texts := filepath.Join(dir, "hongyan.yaml"), filepath.Join(dir, "texts.yaml")
	for name, content := range map[string]string{file: `texts_file: texts.yaml
log: {level: loud}
apps:
  - id: demo
    certificates:
      - {id: a, vendor: meizu, app_id: "1", app_secret: s}
`, texts: "en:\n  image: \"{nick} sent a photo\"\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"check", "--config", file}, &out, &errs); code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{file + ":2:14: log.level: is no level", texts + ":2:10: en.image: holds a placeholder that nobody knows"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &errs)
		}
	}
}
