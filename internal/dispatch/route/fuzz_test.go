package route

import (
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/marks"
)

const good = `{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"hi"}}`

// Whatever comes on a subject, nothing panics, and what is read gives jobs that can be read back.
func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"id":"\u0000","conversation":{"type":"group","name":"\ud83d"},"sender":{"id":"."},"recipients":["*",">"," ","👻"],"content":{"type":"call","call":{"media":"video","action":"invite","call_id":"1"}},"offline_push":{"ext":"[","android":{"vivo_classification":null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := hongyan.ParseMessage(data, noon)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a word")
			}
			return
		}
		user := &directory.User{Devices: []directory.Device{phone(nil)}}
		plan := Plan(m, Policy{}, everybody(user, len(m.Recipients)), new(marks.Said), func(string) bool { return true }, noon)
		if len(plan) < len(m.Recipients) {
			t.Fatalf("%d decisions for %d recipients", len(plan), len(m.Recipients))
		}
		for _, job := range Compose(m, "demo", demo, plan, noon, nil) {
			out, err := job.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dispatch.DecodeJob(out); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeJob(f *testing.F) {
	f.Add([]byte(`{"id":"x","app":"a","vendor":"v","certificate":"c","lane":"normal","notification":{"key":"k"},"targets":[{"user":"u"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if j, err := dispatch.DecodeJob(data); err == nil {
			_ = j.Device(0)
			_ = j.Part(j.Targets)
		}
	})
}

// everybody is the same user n times.
func everybody(u *directory.User, n int) []*directory.User {
	all := make([]*directory.User, n)
	for i := range all {
		all[i] = u
	}
	return all
}
