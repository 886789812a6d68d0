package vendors

import (
	"encoding/json"
	"testing"
)

func TestLooseReadsEveryValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Loose{
		`"200"`: "200", `200`: "200", `-1.5`: "-1.5", `true`: "true", `null`: "", `{"a":1}`: "", `[1]`: "", `""`: "", `"é"`: "é",
	} {
		got := Loose("left from before")
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}
