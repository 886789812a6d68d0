package reference

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/schema"
)

func compile(t *testing.T, data []byte, err error) *jsonschema.Schema {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

var kindOf = map[hongyan.Kind]string{
	hongyan.KindMessage: "message", hongyan.KindUrgent: "message", hongyan.KindDevice: "device", hongyan.KindPresence: "presence",
	hongyan.KindSettings: "settings", hongyan.KindSignal: "signal", hongyan.KindGateway: "lease", hongyan.KindOutcome: "outcome",
}

// TestSchemasTakeExamples: every example of the pages fits its schema.
func TestSchemasTakeExamples(t *testing.T) {
	t.Parallel()
	schemas := map[string]*jsonschema.Schema{}
	for _, kind := range schema.Kinds {
		data, err := schema.Wire(kind)
		schemas[kind] = compile(t, data, err)
	}
	seen := map[string]int{}
	check := func(page string, kind hongyan.Kind, body string) {
		seen[kindOf[kind]]++
		if err := validate(schemas[kindOf[kind]], []byte(body)); err != nil {
			t.Errorf("%s: the schema of a %s refuses an example: %v\n%s", page, kindOf[kind], err, body)
		}
	}
	for _, page := range []string{"docs/messages.md", "docs/messages.zh-CN.md"} {
		commands, lines := examplesOf(t, page)
		for _, c := range commands {
			s, err := hongyan.Subjects{}.Parse(c[2])
			if err != nil {
				t.Fatal(err)
			}
			if c[4] != "" {
				check(page, s.Kind, c[4])
			}
		}
		for _, line := range lines {
			check(page, hongyan.KindOutcome, line)
		}
	}
	for _, kind := range schema.Kinds {
		if seen[kind] == 0 {
			t.Errorf("no example of a %s", kind)
		}
	}
}

// full are inputs with every field.
var full = map[string]string{
	"message": `{"id":"m","sent_at":"2026-11-23T08:00:00Z","ttl_seconds":60,"conversation":{"type":"group","id":"g","name":"n"},
		"sender":{"id":"a","nickname":"A","device":"d"},"recipients":["b"],
		"content":{"type":"call","text":"t","call":{"media":"audio","action":"invite","call_id":"c"}},
		"mentions":["b"],"mention_all":true,"unread":{"b":1},"offline_push":{"disable":false,"title":"t","desc":"d","ext":"{}","ignore_mute":true,
		"ios":{"push_type":"alert","title":"t","subtitle":"s","sound":"s","ignore_badge":true,"image":"i","mutable_content":true,"interruption_level":"active","category":"c"},
		"android":{"sound":"s","style":"big_text","image":"i","fcm_channel_id":"c","fcm_priority":"high","huawei_channel_id":"c","huawei_category":"IM",
		"huawei_importance":"LOW","honor_importance":"LOW","xiaomi_channel_id":"c","xiaomi_template_id":"t","xiaomi_template_params":{"k":"v"},
		"oppo_channel_id":"c","oppo_category":"IM","oppo_notify_level":1,"oppo_template_id":"t","oppo_title_params":{"k":"v"},"oppo_content_params":{"k":"v"},
		"vivo_classification":1,"vivo_category":"IM","vivo_notify_type":1,"meizu_notice_type":1},
		"harmony":{"category":"IM","image":"i","sound":"s","sound_seconds":1,"ignore_badge":true}}}`,
	"device": `{"certificate":"c","token":"t","platform":"ios","locale":"en","region":"cn","voip":{"certificate":"c","token":"t"},
		"registered_at":"2026-11-23T08:00:00Z","model":"m","os_version":"1","app_version":"1","notifications":"on","registration_error":"e"}`,
	"presence": `{"state":"background","unread":1,"at":"2026-11-23T08:00:00Z","gateway":"g"}`,
	"settings": `{"quiet_hours":{"from":"22:00","to":"08:00","timezone":"Asia/Shanghai"},"conversations":{"g":"muted"},"preview":"none"}`,
	"lease":    `{"since":"2026-11-23T08:00:00Z"}`,
	"recall":   `{"type":"recall","message_id":"m","conversation":"c","sent_at":"2026-11-23T08:00:00Z"}`,
	"read":     `{"type":"read","user":"u","conversation":"c","at":"2026-11-23T08:00:00Z","unread":1}`,
}

// judge says whether the root package takes an input as it is.
func judge(kind string, data []byte) bool {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	var repairs hongyan.Repairs
	var err error
	switch kind {
	case "message":
		_, repairs, err = hongyan.ParseMessage(data, now)
	case "device":
		_, repairs, err = hongyan.ParseDevice(data, now)
	case "presence":
		_, repairs, err = hongyan.ParsePresence(data, now)
	case "settings":
		_, repairs, err = hongyan.ParseSettings(data, nil)
	case "lease":
		_, repairs, err = hongyan.ParseLease(data)
	default:
		_, repairs, err = hongyan.ParseSignal(data, now)
	}
	return err == nil && len(repairs) == 0
}

// TestSchemasAgreeWithJudge changes each field of a full input in every way that a rule knows, and
// asks both.
func TestSchemasAgreeWithJudge(t *testing.T) {
	t.Parallel()
	for kind, text := range full {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			name := kind
			if kind == "recall" || kind == "read" {
				name = "signal"
			}
			data, err := schema.Wire(name)
			s := compile(t, data, err)
			var whole map[string]any
			if err := json.Unmarshal([]byte(text), &whole); err != nil {
				t.Fatal(err)
			}
			asked := 0
			ask := func(what string) {
				asked++
				changed, err := json.Marshal(whole)
				if err != nil {
					t.Fatal(err)
				}
				refusal := validate(s, changed)
				if took := judge(kind, changed); took != (refusal == nil) {
					t.Errorf("%s: the judge takes it: %v, the schema says %v", what, took, refusal)
				}
			}
			ask("as it is")
			if !judge(kind, []byte(text)) {
				t.Fatal("the full input is none")
			}
			mutate(whole, kind, ask)
			if asked < 3 {
				t.Errorf("only %d changes were tried", asked)
			}
		})
	}
}

// mutate changes each member of an object in turn, asks, and puts it back.
func mutate(object map[string]any, path string, ask func(string)) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		old, where := object[name], path+"."+name
		delete(object, name)
		ask(where + " is missing")
		var others []any
		switch old.(type) {
		case string:
			others = []any{strings.Repeat("x", 35), strings.Repeat("x", 36), 7}
			for _, n := range []int{64, 128, 256, 1 << 10, 4 << 10} {
				others = append(others, strings.Repeat("x", n), strings.Repeat("x", n+1))
			}
			if strings.HasSuffix(where, "_at") || name == "at" || name == "since" {
				others = []any{7}
			} else {
				others = append(others, nil, "")
			}
			if name == "k" { // a template's parameter
				others = []any{"", 7}
			}
			if name == "timezone" { // the schema does not know the names of time zones
				others = []any{nil, "", 7}
			}
		case float64:
			others = []any{-1, 0, nil, "1"}
			if path == "message.offline_push.android" || path == "message.offline_push.harmony" {
				others = others[1:]
			}
			if name == "b" { // a number of unread messages below zero is dropped, and no harm
				others = others[1:2]
			}
		case bool:
			others = []any{false, nil, "true"}
		case []any:
			others = []any{nil, "x"}
		case map[string]any:
			others = []any{nil, "x"}
		}
		for _, other := range others {
			object[name] = other
			ask(where + " is another")
		}
		object[name] = old
		if below, ok := old.(map[string]any); ok {
			mutate(below, where, ask)
		}
	}
}

func TestMessageSchemaRefuses(t *testing.T) {
	t.Parallel()
	data, err := schema.Wire("message")
	s := compile(t, data, err)
	good := `{"id":"m","conversation":{"type":"c2c"},"sender":{"id":"a"},"recipients":["b"],"content":{"type":"text","text":"x"}}`
	if err := validate(s, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string]string{
		"no id":               strings.Replace(good, `"id":"m",`, "", 1),
		"no recipient":        strings.Replace(good, `["b"]`, "[]", 1),
		"a misspelled field":  strings.Replace(good, `"text":"x"`, `"txt":"x"`, 1),
		"too many recipients": strings.Replace(good, `["b"]`, `["b"`+strings.Repeat(`,"b"`, hongyan.MaxRecipients)+`]`, 1),
		"a call without call": strings.Replace(good, `"text","text":"x"`, `"call"`, 1),
	} {
		if validate(s, []byte(bad)) == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// TestConfigSchema: the schema takes the configurations of this repository, and refuses a
// misspelled key, another vendor's key, and a wrong kind of value.
func TestConfigSchema(t *testing.T) {
	t.Parallel()
	data, err := schema.Config()
	s := compile(t, data, err)
	read := func(text []byte) error {
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return validate(s, asJSON)
	}
	var production string
	for _, name := range []string{"hongyan.example.yaml", "compose/worker.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if err := read(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		path, ok := strings.CutPrefix(strings.SplitN(string(text), "\n", 2)[0], "# yaml-language-server: $schema=")
		if _, err := os.Stat(filepath.Join("..", "..", "deploy", filepath.Dir(filepath.FromSlash(name)), path)); !ok || err != nil {
			t.Errorf("%s does not begin with the place of its schema: %v", name, err)
		}
		if production == "" {
			production = string(text)
		}
	}
	for from, to := range map[string]string{
		"  foreground_lease: 400s": "  foreground_leas: 400s",
		"topic: com.example.im":    "app_key: x",
		"vendor: apns":             "vendor: apple",
		"shutdown: 20s":            "shutdown: soon",
		"replicas: 3":              "replicas: three",
	} {
		if !strings.Contains(production, from) {
			t.Errorf("the example has no %q", from)
		} else if read([]byte(strings.Replace(production, from, to, 1))) == nil {
			t.Errorf("%q in the place of %q is taken", to, from)
		}
	}
	for _, v := range registry.Vendors() {
		text := "apps:\n- id: demo\n  certificates:\n  " + strings.ReplaceAll(example(v.Doc().Example), "\n", "\n  ")
		if err := read([]byte(text)); err != nil {
			t.Errorf("the example of %s: %v", v.Doc().Vendor, err)
		}
	}
}
