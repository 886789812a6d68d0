package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/texts"
)

// withTexts parses a small configuration beside a file of texts.
func withTexts(t *testing.T, yaml string) (c *config.Config, dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "texts.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "Acme", name == "BRAND" }
	c, err = config.Parse(filepath.Join(dir, "hongyan.yaml"), []byte("texts_file: texts.yaml\n"+strings.ReplaceAll(small, "${KEY}", "k")), config.Kinds(registry.Kinds()), env)
	return c, dir, err
}

func TestTextsFile(t *testing.T) {
	t.Parallel()
	c, _, err := withTexts(t, `
# a comment
en:
  new_message: New message in ${BRAND}
  image: "{sender} sent a photo"
  mention_prefix: ""
zh-Hant: {recalled: 對方收回了一則訊息}
it:
  image: "[Foto]"
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		locale string
		name   texts.Name
		text   string
	}{
		{"en-US", texts.NewMessage, "New message in Acme"}, {"en", texts.Image, "{sender} sent a photo"}, {"en", texts.MentionPrefix, ""}, {"en", texts.Video, "[Video]"},
		{"zh-HK", texts.Recalled, "對方收回了一則訊息"}, {"zh-TW", texts.Image, "[圖片]"}, {"it-IT", texts.Image, "[Foto]"}, {"it", texts.NewMessage, "New message in Acme"},
		{"", texts.NewMessage, "新消息"},
	} {
		if got := c.Texts().Text(want.locale, want.name); got != want.text {
			t.Errorf("%s of %q: got %q, want %q", want.name, want.locale, got, want.text)
		}
	}
}

func TestTextsFileIsOptionalAndMayBeEmpty(t *testing.T) {
	t.Parallel()
	c, err := parse(t, small, map[string]string{"KEY": "k"})
	if err != nil || c.Texts().Text("en", texts.Image) != "[Photo]" {
		t.Errorf("without a file: %v", err)
	}
	c, _, err = withTexts(t, "")
	if err != nil || c.Texts().Text("en", texts.Image) != "[Photo]" {
		t.Errorf("an empty file: %v", err)
	}
}

func TestTextsFileTellsAllProblems(t *testing.T) {
	t.Parallel()
	_, dir, err := withTexts(t, `en:
  imagee: "[Photo]"
  image: "{nickname} sent a photo"
  new_message: "{sender} wrote"
  video: ""
  file: [a]
  audio: "[Voice]"
  group_prefix: "from"
english:
  image: "[Photo]"
en-US:
  image: "[Pic]"
fr: "[Photo]"
de:
  call_audio: "Anruf ${NOBODY}"
`)
	var all config.Errors
	if !errors.As(err, &all) {
		t.Fatalf("got %v", err)
	}
	path := filepath.Join(dir, "texts.yaml")
	want := []string{
		path + `:2:3: en.imagee: is no text that is known; did you mean image?`,
		path + `:3:10: en.image: holds a placeholder that nobody knows, or a single brace; {sender} is the only one; write one line of plain text, which may hold {sender} once`,
		path + `:4:16: en.new_message: may not hold the placeholder {sender}; write one line of plain text`,
		path + `:5:10: en.video: is blank; write one line of plain text, which may hold {sender} once`,
		path + `:6:9: en.file: must be a single value`,
		path + `:8:17: en.group_prefix: lacks the placeholder {sender}; write one line of plain text, which may hold {sender} once, or '' for nothing`,
		path + `:9:1: english: is no language tag as BCP 47 has them; write a tag such as en, pt-BR or zh-Hant`,
		path + `:11:1: en-US: is the same language as en; keep one of the two`,
		path + `:13:5: fr: must be a mapping of names to texts; indent them below it, such as "image: '[Photo]'"`,
		path + `:15:15: de.call_audio: needs the environment variable NOBODY, which is not set; export NOBODY, or write $${ for a plain ${`,
	}
	var got []string
	for _, p := range all {
		got = append(got, p.String())
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestTextsFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"list":      {"- a\n", "texts.yaml:1:1: must be a mapping of languages"},
		"twice":     {"en:\n  image: a\n  image: b\n", `texts.yaml:3:3: is not valid YAML: mapping key "image" already defined`},
		"broken":    {"en: [\n", "is not valid YAML"},
		"documents": {"en: {image: a}\n---\nfr: {image: b}\n", "several documents"},
	} {
		if _, _, err := withTexts(t, c.yaml); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	_, err := parse(t, "texts_file: nowhere.yaml\n"+small, map[string]string{"KEY": "k"})
	if err == nil || !strings.Contains(err.Error(), "hongyan.yaml:1:13: texts_file: names a file that cannot be read: ") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
	// What is wrong with the configuration comes first, and both are told.
	_, err = parse(t, "log: {level: loud}\ntexts_file: nowhere.yaml\n"+small, map[string]string{"KEY": "k"})
	if err == nil || !strings.Contains(err.Error(), "log.level") || !strings.Contains(err.Error(), "texts_file") {
		t.Errorf("two problems: %v", err)
	}
}

func TestPolicyPreview(t *testing.T) {
	t.Parallel()
	with := func(preview string) (*config.Config, error) {
		return parse(t, strings.Replace(small, "  - id: demo", "  - id: demo\n    policy: {preview: "+preview+"}", 1), map[string]string{"KEY": "k"})
	}
	for _, preview := range []string{"full", "sender", "none"} {
		if c, err := with(preview); err != nil || c.Apps[0].Policy.Preview != preview {
			t.Errorf("%s: %v", preview, err)
		}
	}
	if _, err := with("name"); err == nil || !strings.Contains(err.Error(), "apps[0].policy.preview: is none of full, sender and none") {
		t.Errorf("got %v", err)
	}
}
