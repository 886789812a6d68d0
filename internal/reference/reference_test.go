package reference

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	catalogue "github.com/hongyan-im/hongyan/internal/texts"
)

// TestFresh holds that the pages in docs are the ones that the source gives.
func TestFresh(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	pages, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 41 {
		t.Errorf("%d files, want 41", len(pages))
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Errorf("%v; run make generate", err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale, run make generate (-fresh +file):\n%s", name, diff)
		}
	}
}

// TestExamples loads the example of each vendor as a worker would, with the secrets of the sandbox
// in the place of real ones.
func TestExamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demo, err := sandbox.NewDemo(time.Now(), all.Fakes())
	if err != nil {
		t.Fatal(err)
	}
	place := sandbox.Place{URL: "https://127.0.0.1:1", Dir: dir}
	if err := demo.WriteFiles(dir, place); err != nil {
		t.Fatal(err)
	}
	// A file that the example names is the demo's under the same key.
	var certificates []map[string]any
	if err := yaml.Unmarshal(demo.Certificates(place), &certificates); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, c := range certificates {
		for key, value := range c {
			if strings.HasSuffix(key, "_file") {
				files[fmt.Sprint(c["vendor"], " ", key)] = fmt.Sprint(value)
			}
		}
	}
	key := regexp.MustCompile(`(?m)^\s*(\w+_file): (.*)$`)
	for _, v := range registry.Vendors() {
		s := v.Doc()
		t.Run(s.Vendor, func(t *testing.T) {
			t.Parallel()
			text := "apps:\n- id: demo\n  certificates:\n  " + strings.ReplaceAll(example(s.Example), "\n", "\n  ")
			for _, line := range key.FindAllStringSubmatch(text, -1) {
				text = strings.ReplaceAll(text, line[2], files[s.Vendor+" "+line[1]])
			}
			c, err := config.Parse("example.yaml", []byte(text), registry.Kinds(), func(name string) (string, bool) {
				if strings.HasSuffix(name, "_ID") {
					return "ABC123DEFG", true // ids are short
				}
				return "0123456789abcdef0123456789abcdef", true
			})
			if err != nil {
				t.Fatalf("the example is not a valid configuration: %v\n%s", err, text)
			}
			certificate := c.Apps[0].Certificates[0]
			if got := certificate.Base().Vendor; got != s.Vendor {
				t.Errorf("the example is of vendor %s", got)
			}
			if advice := certificate.Advice(); len(advice) > 0 {
				t.Errorf("the example is unwise: %q", advice)
			}
		})
	}
}

// TestConfigurationsOfPages loads every configuration that a page shows.
func TestConfigurationsOfPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	var found int
	for name, page := range readPages(t, "*.md") {
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(page, -1) {
			if !regexp.MustCompile(`(?m)^apps:`).MatchString(m[1]) || strings.Contains(m[1], "demo.yaml") {
				continue
			}
			found++
			text := regexp.MustCompile(`(secret_file|app_key_file): *[^,}\s]+`).ReplaceAllString(m[1], "$1: "+filepath.Join(dir, "secret"))
			if _, err := config.Parse(name, []byte(text), registry.Kinds(), func(string) (string, bool) { return "value", true }); err != nil {
				t.Errorf("%s shows a configuration that is none: %v\n%s", name, err, m[1])
			}
		}
	}
	if found < 2 {
		t.Errorf("%d configurations found, so they are looked for in the wrong place", found)
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	names := map[string]string{"Topic": "topic", "KeyID": "key_id", "Key": "key"}
	for _, c := range []struct{ field, doc, want string }{
		{"Topic", "Topic is the app's bundle id.\nRequired with KeyID.", "The app's bundle id. Required with `key_id`."},
		// A value that begins the text is no sentence.
		{"Topic", "Topic is on or off.", "on or off."},
		{"Topic", "Topic says what is said.", "`topic` says what is said."},
		// The console may call its value as the field is called.
		{"Topic", "Topic is the console's Topic, not the Key.", "The console's Topic, not the `key`."},
		// A comment that stands at the key above names both.
		{"", "Key and KeyID belong together.", "`key` and `key_id` belong together."},
	} {
		if got := translate(c.doc, c.field, names); got != c.want {
			t.Errorf("translate(%q): got %q, want %q", c.doc, got, c.want)
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	if got, want := cell("a <b>\n*c* `<d> * ` | e"), "a &lt;b&gt; \\*c\\* `<d> * ` \\| e"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestKeysWithoutComment refuses what the reference could not tell.
func TestKeysWithoutComment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := "package x\n\ntype Config struct {\n\tA string `yaml:\"a\"`\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.keys("Config", nil); err == nil || !strings.Contains(err.Error(), "key a has no comment") {
		t.Errorf("got %v, want an error that names the key", err)
	}
}

// TestTextsExample holds that the example on the page of the texts is one that a worker takes.
func TestTextsExample(t *testing.T) {
	t.Parallel()
	for _, l := range languages() {
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "texts"+l.suffix+".md"))
		if err != nil {
			t.Fatal(err)
		}
		_, example, _ := strings.Cut(string(page), "```yaml\n")
		example, _, ok := strings.Cut(example, "```")
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "texts.yaml"), []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		configuration := "texts_file: texts.yaml\napps: [{id: demo, certificates: [{id: a, vendor: meizu, app_id: \"1\", app_secret: s}]}]\n"
		conf, err := config.Parse(filepath.Join(dir, "hongyan.yaml"), []byte(configuration), config.Kinds(registry.Kinds()), os.LookupEnv)
		if err != nil || !ok {
			t.Fatal(err)
		}
		if got := conf.Texts().Text("nl-BE", catalogue.NewMessage); got != "Nieuw bericht" {
			t.Errorf("got %q", got)
		}
		if got := conf.Texts().Text("nl", catalogue.Video); got != "[Video]" {
			t.Errorf("got %q", got)
		}
	}
}
