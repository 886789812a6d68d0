package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
)

// The files that a configuration was read from are known, also where something is wrong with them,
// and a folder whose link is moved counts as changed.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "c.yaml")
	write("c.yaml", "texts_file: texts.yaml\napps: [{id: demo, certificates: [{id: a, vendor: oppo, app_key: k, master_secret_file: data/secret, channel_id: c}]}]")
	write("1/secret", "one")
	write("2/secret", "two")
	write("3/secret", "one")
	link("1")
	_, files, err := config.Open(path, config.Kinds(registry.Kinds()))
	if err == nil {
		t.Fatal("a file of texts that does not exist is taken")
	}
	write("texts.yaml", "en: {image: '[Picture]'}")
	if files.Now().Equal(files) {
		t.Error("a file that was missing is there, and nothing changed")
	}
	conf, files, err := config.Open(path, config.Kinds(registry.Kinds()))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 || !files.Equal(conf.Files()) || !files.Now().Equal(files) {
		t.Errorf("the files are %v", files)
	}
	if link("3"); !files.Now().Equal(files) {
		t.Error("the same content counts as a change")
	}
	if link("2"); files.Now().Equal(files) {
		t.Error("another content counts as no change")
	}
}

// What takes a restart is named.
func TestRestart(t *testing.T) {
	t.Parallel()
	parse := func(yaml string) *config.Config {
		t.Helper()
		c, _, err := parseIn(t, yaml+"\n"+withSecretFile, map[string]string{"s": "secret"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	was := parse("shutdown: 5s")
	if got := was.Restart(parse("shutdown: 6s\nretry: {attempts: 3}")); len(got) > 0 {
		t.Errorf("%v take a restart", got)
	}
	want := []string{"nats.embedded.listen", "http.listen", "http.explain.password", "log.level"}
	got := was.Restart(parse("nats: {embedded: {listen: '127.0.0.1:4300'}}\nhttp: {listen: '127.0.0.1:4301', explain: {password: 'twelve-characters'}}\nlog: {level: debug}"))
	if !slices.Equal(got, want) {
		t.Errorf("%v take a restart, want %v", got, want)
	}
}
