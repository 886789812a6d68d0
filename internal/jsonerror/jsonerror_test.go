package jsonerror

import (
	"testing"

	"github.com/go-json-experiment/json"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name"`:                          "not valid JSON, at byte 7",
		``:                                 "not valid JSON, at byte 0",
		`{"name":"a","name":"b"}`:          "a field stands twice, at byte 12",
		`[]`:                               "the record is a JSON array, not an object",
		`{"name":7}`:                       "name has the wrong type or value (number)",
		`{"inner":{"deep":"secret"}}`:      "inner.deep has the wrong type or value (string)",
		`{"counts":{"somebody/at":"x"}}`:   "counts has the wrong type or value (string)",
		`{"counts":true}`:                  "counts has the wrong type or value (boolean)",
		`{"inner":{"deep":1},"name":null,`: "not valid JSON, at byte 32",
	} {
		var into struct {
			Name  string             `json:"name"`
			Inner struct{ Deep int } `json:"inner"`
			Count map[string]int     `json:"counts"`
		}
		err := json.Unmarshal([]byte(text), &into, json.MatchCaseInsensitiveNames(true))
		if err == nil {
			t.Errorf("%s is read without an error", text)
			continue
		}
		if got := Describe(err, "the record", "counts").Error(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
