package tencent_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/tencent"
)

// row is a row of the pages' table: a field with a value, and what that becomes; to is empty where
// there is no counterpart.
type row struct{ from, value, to, becomes string }

// rows reads a page's table.
func rows(t *testing.T, page string) (all []row) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) < 2 || !strings.HasPrefix(line, "| `") {
			continue
		}
		cell := func(i int) string {
			if i >= len(cells) {
				return ""
			}
			return strings.Trim(strings.Trim(cells[i], " |"), "`")
		}
		all = append(all, row{cell(0), cell(1), cell(2), cell(3)})
	}
	return all
}

func convert(t *testing.T, body map[string]any) (event map[string]any, notes []string) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	line, notes, err := tencent.Convert(data, tencent.Options{Members: func(string) []string { return []string{"alice", "bob"} }})
	if err != nil {
		t.Fatal(err)
	}
	m, repairs, err := hongyan.ParseMessage(line, time.Now())
	if err != nil || slices.ContainsFunc(repairs, func(r hongyan.Repair) bool {
		return r.Kind == hongyan.RepairUnknownField || r.Kind == hongyan.RepairField
	}) {
		t.Fatalf("the event is not taken: %v %v\n%s", err, repairs, line)
	}
	if m.SentAt.IsZero() {
		t.Error("the event has no time")
	}
	if err := json.Unmarshal(line, &event); err != nil {
		t.Fatal(err)
	}
	return event, notes
}

// put sets a field by its path.
func put(body map[string]any, path string, value any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		inner, ok := body[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			body[name] = inner
		}
		body = inner
	}
	body[names[len(names)-1]] = value
}

// at is the value of a path, as canonical JSON.
func at(t *testing.T, event map[string]any, path string) string {
	t.Helper()
	var v any = event
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = object[name]
	}
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Each row of the pages' table holds, and the table has a row for each field of the list.
func TestRows(t *testing.T) {
	pages := map[string][]row{"en": rows(t, "../../docs/from-tencent.md"), "zh": rows(t, "../../docs/from-tencent.zh-CN.md")}
	if !slices.Equal(pages["en"], pages["zh"]) {
		t.Error("the table is another in Chinese")
	}
	told := map[string]bool{}
	for i, r := range pages["en"] {
		t.Run(fmt.Sprint(i, " ", r.from), func(t *testing.T) {
			var value any
			if err := json.Unmarshal([]byte(r.value), &value); err != nil {
				t.Fatalf("the example %s is no JSON", r.value)
			}
			body := map[string]any{"To_Account": []string{"bob"}, "MsgRandom": 7, "MsgBody": []any{map[string]any{"MsgType": "TIMCustomElem", "MsgContent": map[string]any{"Data": "x"}}}}
			put(body, r.from, value)
			event, notes := convert(t, body)
			if r.to == "" {
				name := r.from
				if words, ok := value.([]any); ok && r.from == "SendMsgControl" {
					name += " " + words[0].(string)
				}
				if !slices.Contains(notes, name) {
					t.Errorf("it is not named: %q", notes)
				}
				return
			}
			if len(notes) > 0 {
				t.Errorf("notes %q", notes)
			}
			want := jsontext.Value(r.becomes)
			if err := want.Canonicalize(); err != nil {
				t.Fatalf("%s is no JSON", r.becomes)
			}
			if got := at(t, event, r.to); got != string(want) {
				t.Errorf("%s became %s, the page says %s", r.to, got, want)
			}
		})
		for _, f := range tencent.Fields() {
			if ok, err := path.Match(f.From, r.from); err == nil && ok && f.To == r.to {
				told[f.From] = true
			}
		}
	}
	for _, f := range tencent.Fields() {
		if !told[f.From] {
			t.Errorf("the table has no row for %s", f.From)
		}
	}
}

// A body as Tencent's documentation shows it, whole.
func TestConvert(t *testing.T) {
	event, notes := convert(t, map[string]any{
		"SyncOtherMachine": 2, "From_Account": "lumotuwe1", "To_Account": "lumotuwe2", "MsgLifeTime": 60, "MsgSeq": 93847636, "MsgRandom": 1287657, "CloudCustomData": "your cloud custom data",
		"MsgBody": []any{map[string]any{"MsgType": "TIMTextElem", "MsgContent": map[string]any{"Text": "hi, beauty"}}, map[string]any{"MsgType": "TIMFaceElem", "MsgContent": map[string]any{"Index": 6}}},
		"OfflinePushInfo": map[string]any{"PushFlag": 0, "Title": "", "Desc": "desc", "Ext": map[string]any{"id": 1},
			"AndroidInfo": map[string]any{"OPPOChannelID": "im", "VIVOClassification": "1", "GoogleImage": "https://a/g.png", "HonorImage": "https://a/h.png"}, "ApnsInfo": map[string]any{"BadgeMode": 0, "Title": nil}},
	})
	want := `{"content":{"text":"hi, beauty","type":"text"},"conversation":{"id":"c2c_lumotuwe1","type":"c2c"},"id":"tim-93847636-1287657","offline_push":{"android":{"image":"https://a/g.png","oppo_channel_id":"im","vivo_classification":1},"desc":"desc","ext":"{\"id\":1}"},"recipients":["lumotuwe2"],"sender":{"id":"lumotuwe1"},"ttl_seconds":60}`
	if got, err := json.Marshal(event, json.Deterministic(true)); err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s, %v", got, want, err)
	}
	for _, name := range []string{"SyncOtherMachine", "CloudCustomData", "MsgBody of several elements", "OfflinePushInfo.AndroidInfo.HonorImage, because"} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, name) }) {
			t.Errorf("%s is not named: %q", name, notes)
		}
	}
}

// The same body makes the same message, another one another.
func TestIdentity(t *testing.T) {
	id := func(body string) string {
		line, _, err := tencent.Convert([]byte(body), tencent.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		return event.ID
	}
	one := id(`{"To_Account":"bob","OfflinePushInfo":{"Title":"x"}}`)
	if again := id(` { "OfflinePushInfo" : {"Title":"x"}, "To_Account":"bob"}`); one != again {
		t.Errorf("one body has two ids, %s and %s", one, again)
	}
	if other := id(`{"To_Account":"bob","OfflinePushInfo":{"Title":"y"}}`); one == other {
		t.Error("two bodies have one id")
	}
}

// What no message can be made of says why.
func TestRefused(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:                  "no JSON object",
		`{"From_Account":"a"`: "no JSON object",
		`{"MsgRandom":1,"Condition":{"TagsOr":["x"]},"OfflinePushInfo":{"Title":"x"}}`: "it goes to everybody",
		`{"GroupId":"g","MsgBody":[{"MsgType":"TIMTextElem"}]}`:                        "members of the group",
		`{"To_Account":7,"MsgBody":[]}`:                                                "To_Account is neither",
		`{"To_Account":"bob"}`:                                                         "neither MsgBody nor a Title",
		`{"To_Account":"bob","MsgBody":[]}`:                                            "MsgBody is no list of elements",
		`{"To_Account":"bob","OfflinePushInfo":{"PushFlag":"maybe","Title":"x"}}`:      "OfflinePushInfo.PushFlag is neither 0 nor 1",
		`{"To_Account":"bob","MsgTimeStamp":"soon","OfflinePushInfo":{"Title":"x"}}`:   "MsgTimeStamp is no whole number",
		`{"To_Account":"bob","SendMsgControl":"x","OfflinePushInfo":{"Title":"x"}}`:    "SendMsgControl is no list",
	} {
		if _, _, err := tencent.Convert([]byte(body), tencent.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}
