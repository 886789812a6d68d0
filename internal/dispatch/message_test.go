package dispatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/directory"
)

const good = `{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"hi"}}`

func TestParseMessageSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	many := `["` + strings.Repeat(`x","`, 10_000) + `y"]`
	for name, c := range map[string]struct{ data, says string }{
		"empty":               {``, "not valid JSON"},
		"array":               {`[]`, "not an object"},
		"cut_off":             {good[:50], "not valid JSON, at byte"},
		"trailing":            {good + "x", "not valid JSON"},
		"duplicate_field":     {strings.Replace(good, `"id":"m-1"`, `"id":"m-1","id":"m-2"`, 1), "a field stands twice"},
		"invalid_utf8":        {strings.Replace(good, "hi", "\xff", 1), "not valid JSON"},
		"no_id":               {strings.Replace(good, `"id":"m-1",`, ``, 1), "id is missing"},
		"long_id":             {strings.Replace(good, "m-1", strings.Repeat("m", 129), 1), "id is 129 bytes long"},
		"number_for_id":       {strings.Replace(good, `"m-1"`, `7`, 1), "id has the wrong type"},
		"no_conversation":     {strings.Replace(good, `"conversation":{"type":"c2c","id":"c"},`, ``, 1), "conversation.type is missing"},
		"other_conversation":  {strings.Replace(good, "c2c", "room", 1), "neither c2c nor group"},
		"no_sender":           {strings.Replace(good, `"sender":{"id":"alice"},`, ``, 1), "sender.id is missing"},
		"no_recipients":       {strings.Replace(good, `"recipients":["bob"],`, ``, 1), "recipients is missing"},
		"recipients_a_string": {strings.Replace(good, `["bob"]`, `"bob"`, 1), "recipients has the wrong type"},
		"recipient_a_number":  {strings.Replace(good, `["bob"]`, `["bob",7]`, 1), "recipients.1 has the wrong type"},
		"too_many_recipients": {strings.Replace(good, `["bob"]`, many, 1), "recipients has 10001 users"},
		"empty_recipient":     {strings.Replace(good, `["bob"]`, `["bob",""]`, 1), "recipients[1] is empty"},
		"long_recipient":      {strings.Replace(good, `bob`, strings.Repeat("b", 257), 1), "longer than 256"},
		"no_type":             {strings.Replace(good, `"type":"text",`, ``, 1), "content.type is missing"},
		"other_type":          {strings.Replace(good, `"type":"text"`, `"type":"hologram"`, 1), "content.type is none"},
		"call_without_call":   {strings.Replace(good, `"type":"text"`, `"type":"call"`, 1), "content.call is missing"},
		"call_without_action": {strings.Replace(good, `"type":"text"`, `"type":"call","call":{"media":"audio","call_id":"x"}`, 1), "content.call.action is none"},
		"call_of_no_media":    {strings.Replace(good, `"type":"text"`, `"type":"call","call":{"action":"invite","call_id":"x"}`, 1), "content.call.media is neither"},
		"negative_ttl":        {strings.Replace(good, `{"id":"m-1"`, `{"ttl_seconds":-1,"id":"m-1"`, 1), "ttl_seconds is negative"},
		"bad_time":            {strings.Replace(good, `{"id":"m-1"`, `{"sent_at":"yesterday","id":"m-1"`, 1), "sent_at has the wrong type or value"},
		"secret_unread_user":  {strings.Replace(good, `{"id":"m-1"`, `{"unread":{"secret-user":"x"},"id":"m-1"`, 1), "unread has the wrong type"},
		"deep_nesting":        {strings.Replace(good, `{"id":"m-1"`, `{"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`,"id":"m-1"`, 1), "not valid JSON"},
		"huge":                {strings.Replace(good, "hi", strings.Repeat("h", 5<<20), 1), "the most is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := ParseMessage([]byte(c.data), noon)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want something with %q", err, c.says)
			}
			if strings.Contains(err.Error(), "secret-user") || strings.Contains(err.Error(), "hi") && strings.Contains(err.Error(), "text\":") {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
}

func TestParseMessageTakes(t *testing.T) {
	t.Parallel()
	m, unnamed, err := ParseMessage([]byte(good), noon)
	if err != nil || unnamed || !m.SentAt.Equal(noon) || !deadline(m).Equal(noon.Add(24*time.Hour)) {
		t.Errorf("got %+v, unnamed %v, %v", m, unnamed, err)
	}
	m, unnamed, err = ParseMessage([]byte(strings.Replace(good, `{"id"`, `{"later":{"x":1},"id"`, 1)), noon)
	if err != nil || !unnamed || m.ID != "m-1" {
		t.Errorf("a field that nobody knows: %+v, unnamed %v, %v", m, unnamed, err)
	}
	m, _, err = ParseMessage([]byte(strings.Replace(good, `["bob"]`, `["bob","eve","bob"]`, 1)), noon)
	if err != nil || fmt.Sprint(m.Recipients) != "[bob eve]" {
		t.Errorf("a recipient named twice: %v, %v", m.Recipients, err)
	}
	invite := strings.Replace(good, `"type":"text"`, `"type":"call","call":{"media":"audio","action":"invite","call_id":"x"}`, 1)
	if m, _, err = ParseMessage([]byte(invite), noon); err != nil || !deadline(m).Equal(noon.Add(time.Minute)) {
		t.Errorf("a call invite lives until %v, %v", deadline(m), err)
	}
}

// Whatever comes on a subject, nothing panics, and what is read gives jobs that can be read back.
func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"id":"\u0000","conversation":{"type":"group","name":"\ud83d"},"sender":{"id":"."},"recipients":["*",">"," ","👻"],"content":{"type":"call","call":{"media":"video","action":"invite","call_id":"1"}},"offline_push":{"ext":"[","android":{"vivo_classification":null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := ParseMessage(data, noon)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a word")
			}
			return
		}
		user := &directory.User{Devices: []directory.Device{phone(nil)}}
		plan := Plan(m, m.Recipients, Policy{}, func(string) *directory.User { return user }, func(string) bool { return true }, noon)
		if len(plan) < len(m.Recipients) {
			t.Fatalf("%d decisions for %d recipients", len(plan), len(m.Recipients))
		}
		for _, job := range Compose(m, "demo", plan, account, noon) {
			out, err := job.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeJob(out); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeJob(f *testing.F) {
	f.Add([]byte(`{"id":"x","app":"a","vendor":"v","certificate":"c","lane":"normal","notification":{"key":"k"},"targets":[{"user":"u"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if j, err := DecodeJob(data); err == nil {
			_ = j.device(0)
			_ = j.part(j.Targets)
		}
	})
}
