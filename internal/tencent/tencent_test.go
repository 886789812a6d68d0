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
				if !slices.Contains(notes, name+" has no counterpart and is left out") {
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
	want := `{"content":{"text":"hi, beauty","type":"text"},"conversation":{"id":"c2c_lumotuwe1","type":"c2c"},"id":"tim-fbf07e8f8c7cca93e8660ee56299da5b","offline_push":{"android":{"image":"https://a/g.png","oppo_channel_id":"im","vivo_classification":1},"desc":"desc","ext":"{\"id\":1}"},"recipients":["lumotuwe2"],"sender":{"id":"lumotuwe1"},"ttl_seconds":60}`
	if got, err := json.Marshal(event, json.Deterministic(true)); err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s, %v", got, want, err)
	}
	for _, name := range []string{"SyncOtherMachine has no counterpart", "CloudCustomData has no counterpart", "MsgBody has several elements", "OfflinePushInfo.AndroidInfo.HonorImage is left out, because"} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, name) }) {
			t.Errorf("%s is not named: %q", name, notes)
		}
	}
}

// The same body makes the same message, another one another: Tencent's numbers alone tell apart
// neither what several people send nor what goes to several people, one call each.
func TestIdentity(t *testing.T) {
	id := func(body string) string {
		t.Helper()
		line, _, err := tencent.Convert([]byte(body), tencent.Options{Members: func(string) []string { return []string{"bob"} }})
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
	push := `,"OfflinePushInfo":{"Title":"x"}}`
	same := [][]string{
		{`{"To_Account":"bob","OfflinePushInfo":{"Title":"x"}}`, ` { "OfflinePushInfo" : {"Title":"x"}, "To_Account":"bob"}`},
		{`{"To_Account":"bob","MsgRandom":7` + push, `{"To_Account":["bob"],"MsgRandom":"7","From_Account":"administrator"` + push, `{"To_Account":"bob","MsgRandom":7,"OfflinePushInfo":{"Title":"y"}}`},
		{`{"To_Account":["bob","carol"],"MsgRandom":7` + push, `{"To_Account":["carol","bob"],"MsgRandom":7` + push},
		{`{"To_Account":"bob","OfflinePushInfo":{"Title":"y"}}`},
		{`{"To_Account":"carol","MsgRandom":7` + push},
		{`{"To_Account":"bob","MsgRandom":7,"From_Account":"alice"` + push},
		{`{"To_Account":"bob","MsgRandom":7,"MsgTimeStamp":1764144000` + push},
		{`{"To_Account":"bob","MsgRandom":7,"MsgTimeStamp":1764144001` + push},
		{`{"To_Account":"bob","MsgSeq":7` + push},
		{`{"To_Account":"bob","MsgSeq":7,"MsgRandom":1` + push},
		{`{"To_Account":"bob","MsgSeq":1,"MsgRandom":7` + push},
		{`{"To_Account":"bob","Random":7` + push, `{"To_Account":"bob","Random":7,"MsgSeq":0` + push},
		{`{"To_Account":"bob","DataId":"7"` + push},
		{`{"GroupId":"g","Random":7` + push},
		{`{"GroupId":"h","Random":7` + push},
		{`{"GroupId":"g","To_Account":"bob","Random":7` + push},
	}
	of := map[string]string{}
	for _, bodies := range same {
		first := id(bodies[0])
		if other := of[first]; other != "" {
			t.Errorf("%s and %s have one id", other, bodies[0])
		}
		of[first] = bodies[0]
		for _, body := range bodies[1:] {
			if got := id(body); got != first {
				t.Errorf("%s and %s are one message with two ids, %s and %s", bodies[0], body, first, got)
			}
		}
	}
}

// Template parameters come as they are written, whatever their kind.
func TestParams(t *testing.T) {
	event, _ := convert(t, map[string]any{"To_Account": "bob", "MsgRandom": 7, "OfflinePushInfo": map[string]any{"Title": "x", "AndroidInfo": map[string]any{
		"OPPOPrivateTitleParameters": `{"order":12345678901234567890,"price":1000000000000000000000,"tiny":1.10,"yes":true,"none":null,"text":"a\ud800b","list":[1,2]}`}}})
	want := `{"list":"[1,2]","none":"","order":"12345678901234567890","price":"1000000000000000000000","text":"a\ufffdb","tiny":"1.10","yes":"true"}`
	wantValue := jsontext.Value(want)
	if err := wantValue.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	if got := at(t, event, "offline_push.android.oppo_title_params"); got != string(wantValue) {
		t.Errorf("got  %s\nwant %s", got, wantValue)
	}
}

// What no message can be made of says why.
func TestRefused(t *testing.T) {
	for body, want := range map[string]string{
		`[]`:                  "the body is a JSON array, not an object",
		`{"From_Account":"a"`: "not valid JSON, at byte 19",
		`{"To_Account":"bob","To_Account":"carol"}`:                                                                             "a field stands twice, at byte 20",
		`{"To_Account":"bob","OfflinePushInfo":{"Title":"x","Title":"y"}}`:                                                      "a field stands twice",
		`{"To_Account":"bob","OfflinePushInfo":{"Title":"x","AndroidInfo":{"OPPOPrivateTitleParameters":"{\"a\":1,\"a\":2}"}}}`: "OPPOPrivateTitleParameters: a field stands twice",
		`{"MsgRandom":1,"Condition":{"TagsOr":["x"]},"OfflinePushInfo":{"Title":"x"}}`:                                          "it goes to everybody",
		`{"GroupId":"g","MsgBody":[{"MsgType":"TIMTextElem"}]}`:                                                                 "members of the group",
		`{"To_Account":7,"MsgBody":[]}`:                                                                                         "To_Account is neither",
		`{"To_Account":"bob"}`:                                                                                                  "neither MsgBody nor a Title",
		`{"To_Account":"bob","MsgBody":[]}`:                                                                                     "MsgBody is no list of elements",
		`{"To_Account":"bob","OfflinePushInfo":{"PushFlag":"maybe","Title":"x"}}`:                                               "OfflinePushInfo.PushFlag is neither 0 nor 1",
		`{"To_Account":"bob","MsgTimeStamp":"soon","OfflinePushInfo":{"Title":"x"}}`:                                            "MsgTimeStamp is no whole number",
		`{"To_Account":"bob","SendMsgControl":"x","OfflinePushInfo":{"Title":"x"}}`:                                             "SendMsgControl is no list",
	} {
		if _, _, err := tencent.Convert([]byte(body), tencent.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}
