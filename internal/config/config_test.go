package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/oppo"
)

func parse(t *testing.T, yaml string, env map[string]string) (*config.Config, error) {
	t.Helper()
	return config.Parse(filepath.Join(t.TempDir(), "hongyan.yaml"), []byte(yaml), config.Kinds(registry.Kinds()), func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
}

const small = `
apps:
  - id: demo
    certificates:
      - {id: "35001", vendor: oppo, app_key: "${KEY}", master_secret: s, channel_id: c}
`

func TestParseFillsDefaults(t *testing.T) {
	t.Parallel()
	c, err := parse(t, small, map[string]string{"KEY": "k: 'v' # x"})
	if err != nil {
		t.Fatal(err)
	}
	if c.NATS.Replicas != 1 || c.NATS.Embedded.Listen != "127.0.0.1:4222" || c.HTTP.Listen != "127.0.0.1:8230" || c.Shutdown != 20*time.Second {
		t.Errorf("defaults: %+v", c)
	}
	p := c.Apps[0].Policy
	if p.ForegroundLease != 400*time.Second || *p.StaleAfter != 168*time.Hour || p.MaxPushGroup != 0 {
		t.Errorf("policy: %+v", p)
	}
	o, ok := c.Apps[0].Certificates[0].(*oppo.Config)
	if !ok || o.ID != "35001" || o.AppKey != "k: 'v' # x" {
		t.Errorf("certificate: %#v", c.Apps[0].Certificates[0])
	}
	if v := c.Vendors(); len(v) != 1 || v[0] != "oppo" {
		t.Errorf("vendors: %v", v)
	}
}

// The contract's own example.
func TestParseTakesTheContractsExample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "oppo")
	if err := os.WriteFile(secret, []byte("master\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse(t, `
nats:
  url: nats://127.0.0.1:4222        # several, comma-separated, for a cluster
  # embedded: {dir: ./data}         # instead of url: a NATS server inside the worker
  replicas: 1                       # of every stream; 3 on a cluster
http: {listen: 127.0.0.1:8230}      # /healthz /readyz /metrics
apps:
  - id: demo
    policy: {foreground_lease: 400s, stale_after: 168h, max_push_group: 0}
    certificates:
      - id: "35001"
        vendor: oppo
        package: com.example.im
        app_key: ${OPPO_APP_KEY}
        master_secret_file: `+secret+`
        channel_id: new_message      # OPPO shows nothing on Android 8+ without one
        category: IM
        click: {activity: com.example.im.OPPOMessageActivity}
        rate: {devices_per_second: 5000}
        daily_quota: {private: unlimited, public: 100000}
        timezone: Asia/Shanghai
`, map[string]string{"OPPO_APP_KEY": "k"})
	if err != nil {
		t.Fatal(err)
	}
	o := c.Apps[0].Certificates[0].(*oppo.Config)
	if string(o.MasterSecret) != "master" || o.Rate.DevicesPerSecond != 5000 || o.DailyQuota["private"] != vendors.Unlimited || o.DailyQuota["public"] != 100000 ||
		o.Click.Activity != "com.example.im.OPPOMessageActivity" {
		t.Errorf("got %+v", o)
	}
}

func TestParseSaysEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml string
		says []string
	}{
		"empty":           {"", []string{":1:1: apps: is required"}},
		"no_yaml":         {"apps: [", []string{"is not valid YAML"}},
		"a_list":          {"- x", []string{"must be a mapping"}},
		"two_documents":   {small + "---\nx: 1\n", []string{"several documents"}},
		"unknown_keys":    {"natz: {}\nlog: {leval: x}\n", []string{":1:1: natz: is no key that is known here; did you mean nats?", ":2:7: log.leval: is no key"}},
		"wrong_kinds":     {"nats: {replicas: many}\nshutdown: soon\nhttp: [x]\nretry: {base: 5}\n", []string{":1:18: nats.replicas: has a value of the wrong kind; write a whole number", ":2:11: shutdown: ", ":3:7: http: must be a mapping", "retry.base: has a value of the wrong kind; write a duration"}},
		"twice":           {"shutdown: 1s\nshutdown: 2s\n", []string{"shutdown"}},
		"relations":       {"nats: {url: nats://a:4222, replicas: 2, embedded: {dir: x}}\nretry: {base: 10s, max: 1s}\nlog: {level: loud, format: xml}\n", []string{"nats.replicas: is none of 1, 3 and 5", "nats.embedded: is given beside nats.url", "retry.max: leaves retry.max, 1s, shorter than retry.base, 10s", "log.level: is no level", "log.format: is no format"}},
		"retries":         {"retry: {base: 10m}\n", []string{"retry.base: leaves retry.max, 5m0s, shorter than retry.base, 10m0s"}},
		"no_number":       {"apps: [{id: a, certificates: [{id: x, vendor: apns, urgent_reserve: NaN, rate: {devices_per_second: .inf}}]}]\n", []string{"urgent_reserve: has a value of the wrong kind", "devices_per_second: has a value of the wrong kind"}},
		"negative":        {"nats: {max_bytes: -1, max_messages_per_app: -1, outcomes_max_bytes: -1}\n", []string{"nats.max_bytes: is negative", "nats.max_messages_per_app: is negative", "nats.outcomes_max_bytes: is negative"}},
		"people":          {"directory_ttl: 23h\nnats: {dead_max_age: -1h}\n", []string{":1:16: directory_ttl: is shorter than a day", "nats.dead_max_age: is negative"}},
		"cipher":          {"nats: {embedded: {cipher: rot13}}\n", []string{"nats.embedded.cipher: is no cipher"}},
		"no_key":          {"nats: {embedded: {cipher: aes}}\n", []string{"nats.embedded.key: is missing beside nats.embedded.cipher"}},
		"no_cipher":       {"nats: {embedded: {key: 0123456789abcdef}}\n", []string{"nats.embedded.cipher: is missing beside nats.embedded.key"}},
		"short_key":       {"nats: {embedded: {cipher: aes, key: secret}}\n", []string{"nats.embedded.key: is shorter than 16 characters"}},
		"no_key_file":     {"nats: {embedded: {cipher: aes, key_file: nowhere}}\n", []string{"nats.embedded.key_file: ", "nowhere"}},
		"explain_open":    {"http: {explain: {}}\n", []string{":1:17: http.explain: does not say who may ask"}},
		"explain_text":    {"http: {explain: {show_text: true}}\n", []string{"http.explain: does not say who may ask"}},
		"explain_two":     {"http: {explain: {password: 0123456789ab, trusted_header: X-User}}\n", []string{"http.explain.trusted_header: is given beside a password"}},
		"explain_short":   {"http: {explain: {password: hunter2}}\n", []string{"http.explain.password: is shorter than 12 characters"}},
		"explain_header":  {"http: {explain: {trusted_header: Authorization}}\n", []string{"http.explain.trusted_header: is no header by which a proxy names a user"}},
		"explain_nowhere": {"http: {listen: \"off\", explain: {trusted_header: X-User}}\n", []string{"http.explain: is served nowhere"}},
		"explain_no_file": {"http: {explain: {password_file: nowhere}}\n", []string{"http.explain.password_file: ", "nowhere"}},
		"overwrite":       {"apps: [{id: a, policy: {recall_overwrite: -2h}}]\n", []string{"apps[0].policy.recall_overwrite: is negative"}},
		"badge":           {"apps: [{id: a, policy: {badge: yes}}]\n", []string{"apps[0].policy.badge: is none of message, counted and off"}},
		"collapse":        {"apps: [{id: a, policy: {collapse: yes}}]\n", []string{"apps[0].policy.collapse: is neither none nor conversation"}},
		"ways_out": {"apps: [{id: a, certificates: [{id: x, vendor: oppo, app_key: k, master_secret: s, channel_id: c, proxy: p, ca_only: true, codes: {\"7\": accepted}}]}]\n",
			[]string{"proxy: is no address of an HTTP proxy", "ca_only: needs ca_file", "codes: holds a reason that no code can be given"}},
		"cluster_inside": {"nats: {replicas: 3}\n", []string{"needs a cluster"}},
		"certificates": {`
apps:
  - id: "de mo"
  - id: a
    certificates:
      - {id: x, vendor: oppo, app_key: k, master_secret: s, channel_id: c, timezone: Mars, rate: {devices_per_second: 1, requests_per_second: 1}, urgent_reserve: 2, click: {url: a, action: b}, endpoint: nowhere, daily_quota: {public: -1}, timeout: 2m}
      - {id: x, vendor: oppo, app_key: k, master_secret: s, master_secret_file: f, channel_id: c}
      - {vendor: meizu}
      - {id: y, vendor: nokia}
      - id
  - id: a
`, []string{"apps[0].id: has characters", ".timezone: is no IANA", ".rate: gives both", ".urgent_reserve: is not a share", ".click: has more than one target", ".endpoint: is no HTTP address", `"-1" is neither a number`, ".timeout: is longer than a minute",
			"certificates[1].id: is already the name of apps[1].certificates[0]", "master_secret_file: is given beside master_secret", "certificates[2].id: is required", "certificates[2].app_id", "certificates[2].app_secret",
			`"nokia" is no vendor that is known; write one of apns, fcm`, "certificates[4]: must be a mapping", "apps[2].id: is given to two apps"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, c.yaml, nil)
			var errs config.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say %q:\n%s", want, err)
				}
			}
			for i := 1; i < len(errs); i++ {
				if errs[i].Line < errs[i-1].Line {
					t.Errorf("the problems are not in the order of the lines:\n%s", err)
				}
			}
		})
	}
}

func TestParseSecretsAndAnchors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := `
x-common: 1
`
	if _, err := parse(t, yaml, nil); err == nil || !strings.Contains(err.Error(), "x-common") {
		t.Errorf("an unknown top key passes: %v", err)
	}
	_, err := config.Parse(filepath.Join(dir, "c.yaml"), []byte(`
apps:
  - id: demo
    certificates:
      - {id: a, vendor: meizu, app_id: "1", app_secret_file: empty}
      - {id: b, vendor: meizu, app_id: "1", app_secret_file: missing}
      - {id: c, vendor: meizu, app_id: "${NOT_SET}", app_secret: "$${plain}"}
`), config.Kinds(registry.Kinds()), func(string) (string, bool) { return "", false })
	for _, want := range []string{"names a file that is empty", "names a file that does not exist: " + filepath.Join(dir, "missing"), "needs the environment variable NOT_SET"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "is required") {
		t.Errorf("a secret whose file cannot be read is called missing besides:\n%v", err)
	}
	c, err := parse(t, `
apps:
  - id: demo
    certificates:
      - &base {id: a, vendor: meizu, app_id: "1", app_secret: s, timeout: 3s}
      - {<<: *base, app_secret: t}
`, nil)
	if err == nil || !strings.Contains(err.Error(), "already the name") || c != nil {
		t.Errorf("an anchor is not followed: %v", err)
	}
}

// Secrets do not print.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	c, err := parse(t, strings.Replace(small, "master_secret: s", "master_secret: very-secret", 1), map[string]string{"KEY": "k"})
	if err != nil {
		t.Fatal(err)
	}
	o := c.Apps[0].Certificates[0].(*oppo.Config)
	for _, text := range []string{o.MasterSecret.String(), o.MasterSecret.GoString(), o.MasterSecret.LogValue().String()} {
		if strings.Contains(text, "very") {
			t.Errorf("a secret prints as %s", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("apps: [{id: x, certificates: [{vendor: apns, <<: {id: 1}}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := config.Parse("x.yaml", data, config.Kinds(registry.Kinds()), func(string) (string, bool) { return "v", true })
		if err != nil && err.Error() == "" {
			t.Fatal("an error without a word")
		}
	})
}
