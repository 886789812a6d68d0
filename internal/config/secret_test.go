package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/vendors/apns"
	"github.com/hongyan-im/hongyan/internal/vendors/oppo"
)

// parseIn parses a configuration that stands in a folder with files.
func parseIn(t *testing.T, yaml string, files map[string]string) (*config.Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Parse(filepath.Join(dir, "c.yaml"), []byte(yaml), config.Kinds(registry.Kinds()), func(string) (string, bool) { return "", false })
	return c, dir, err
}

func utf16LE(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func utf16BE(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return string(b)
}

const withSecretFile = "apps: [{id: demo, certificates: [{id: a, vendor: oppo, app_key: k, master_secret_file: s, channel_id: c}]}]"

// A secret of one line is taken as it was meant, or refused by the name of its key and its file;
// never is a byte of the surroundings signed with.
func TestSecretLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, want, wrong string }{
		"plain":                {"s3cr=t/+", "s3cr=t/+", ""},
		"line_break":           {"secret\n", "secret", ""},
		"crlf":                 {"secret\r\n", "secret", ""},
		"bom":                  {"\ufeffsecret", "secret", ""},
		"bom_and_crlf":         {"\ufeffsecret\r\n", "secret", ""},
		"blank_lines":          {"\n\n  secret\t\n\n", "secret", ""},
		"no_break_spaces":      {"\u00a0secret\u3000", "secret", ""},
		"zero_width_from_page": {"\u200bsecret\u200b\n", "secret", ""},
		"space_inside":         {"two words\n", "two words", ""},
		"not_ascii":            {"pässwörd\n", "pässwörd", ""},
		"empty":                {"", "", "is empty"},
		"only_bom":             {"\ufeff\r\n", "", "is empty"},
		"comment":              {"secret\n# from the console\n", "", "has more than one line"},
		"comment_before":       {"# from the console\nsecret\n", "", "has more than one line"},
		"two_lines_cr":         {"secret\rother", "", "has more than one line"},
		"two_lines_crlf":       {"secret\r\n\r\nother\r\n", "", "has more than one line"},
		"pem":                  {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "has more than one line"},
		"utf16_le_bom":         {"\xff\xfe" + utf16LE("secret\r\n"), "", "UTF-16"},
		"utf16_be_bom":         {"\xfe\xff" + utf16BE("secret\r\n"), "", "UTF-16"},
		"utf16_le":             {utf16LE("secret"), "", "UTF-16"},
		"utf16_be":             {utf16BE("secret"), "", "UTF-16"},
		"trailing_nul":         {"secret\x00", "", "UTF-16"},
		"latin1":               {"p\xe4ssword", "", "not UTF-8"},
		"escape":               {"secret\x1b[0m", "", "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, dir, err := parseIn(t, withSecretFile, map[string]string{"s": c.data})
			if c.wrong == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := string(conf.Apps[0].Certificates[0].(*oppo.Config).MasterSecret); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "certificates[0].master_secret_file: names a file that ") || !strings.Contains(err.Error(), c.wrong) ||
				!strings.Contains(err.Error(), filepath.Join(dir, "s")) || strings.Contains(err.Error(), "secret\n") || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("%v", err)
			}
		})
	}
}

// A file with a form of its own keeps it, byte for byte but for a byte-order mark.
func TestSecretDocument(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p8 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	const yaml = "apps: [{id: demo, certificates: [{id: a, vendor: apns, topic: com.example.im, key_id: ABCDEFGHIJ, team_id: ABCDEFGHIJ, key_file: s}]}]"
	for name, c := range map[string]struct{ data, want, wrong string }{
		"plain":        {p8, p8, ""},
		"crlf":         {strings.ReplaceAll(p8, "\n", "\r\n"), strings.ReplaceAll(p8, "\n", "\r\n"), ""},
		"bom":          {"\ufeff" + p8, p8, ""},
		"utf16_le_bom": {"\xff\xfe" + utf16LE(p8), "", "UTF-16"},
		"utf16_be_bom": {"\xfe\xff" + utf16BE(p8), "", "UTF-16"},
		"utf16_le":     {utf16LE(p8), "", "UTF-16"},
		"utf16_be":     {utf16BE(p8), "", "UTF-16"},
		"empty":        {"\ufeff \n", "", "is empty"},
		"no_pem":       {"hello\n", "", "is not PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, _, err := parseIn(t, yaml, map[string]string{"s": c.data})
			if c.wrong == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := string(conf.Apps[0].Certificates[0].(*apns.Config).Key); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				return
			}
			// by the key that the file uses: key_file, not key
			if err == nil || !strings.Contains(err.Error(), "certificates[0].key_file: ") || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
	// A service account's file, for JSON.
	_, _, err = parseIn(t, "apps: [{id: demo, certificates: [{id: a, vendor: fcm, service_account_file: s}]}]", map[string]string{"s": "\ufeff{}"})
	if err == nil || !strings.Contains(err.Error(), "service_account_file: ") || !strings.Contains(err.Error(), `"type" is not`) {
		t.Errorf("a byte-order mark before JSON: %v", err)
	}
	_, _, err = parseIn(t, "apps: [{id: demo, certificates: [{id: a, vendor: fcm, service_account_file: s}]}]", map[string]string{"s": utf16LE("{}")})
	if err == nil || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("JSON in UTF-16: %v", err)
	}
}

// One mistake is one problem, at the place where it can be mended.
func TestProblemsAreSaidOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml string
		want []string // each line's beginning
	}{
		"endpoint": {`
apps:
  - id: demo
    certificates:
      - {id: a, vendor: oppo, app_key: k, master_secret: s, channel_id: c, endpoint: nowhere}
      - {id: b, vendor: oppo, app_key: k, master_secret: s, channel_id: c, endpoint: nowhere}
      - {id: c, vendor: oppo, app_key: k, master_secret: s, channel_id: c, endpoint: nowhere}
`, []string{":5:86: apps[0].certificates[0].endpoint: ", ":6:86: apps[0].certificates[1].endpoint: ", ":7:86: apps[0].certificates[2].endpoint: "}},
		"equal_certificates": {`
apps:
  - id: demo
    certificates:
      - &one
        id: a
        vendor: meizu
        app_id: "1"
        app_secret: s
      - id: a
        vendor: meizu
        app_id: "1"
        app_secret: s
      - *one
      - <<: *one
`, []string{":10:13: apps[0].certificates[1].id: is already the name of apps[0].certificates[0] (line 6)", ":14:9: apps[0].certificates[2].id: is already the name of apps[0].certificates[0] (line 6)",
			":15:9: apps[0].certificates[3].id: is already the name of apps[0].certificates[0] (line 6)"}},
		"equal_apps": {`
apps:
  - id: demo
  - id: other
  - policy: {}
    id: demo
`, []string{":6:9: apps[2].id: is given to two apps, this one and apps[0] (line 3)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dir, err := parseIn(t, c.yaml, nil)
			if err == nil {
				t.Fatal("it passes")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(lines), len(c.want), err)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], filepath.Join(dir, "c.yaml")+want) {
					t.Errorf("%s\nwant %s", lines[i], want)
				}
			}
		})
	}
}

func FuzzSecretLine(f *testing.F) {
	for _, s := range []string{"secret\r\n", "\ufeffsecret", "a\nb", utf16LE("secret"), "\xff\xfe", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		conf, _, err := parseIn(t, withSecretFile, map[string]string{"s": data})
		if err != nil {
			return
		}
		got := string(conf.Apps[0].Certificates[0].(*oppo.Config).MasterSecret)
		if got == "" || got != strings.TrimSpace(got) || strings.ContainsAny(got, "\r\n\x00") || !strings.Contains(data, got) {
			t.Errorf("%q becomes %q", data, got)
		}
	})
}
