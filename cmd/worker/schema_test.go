package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// TestSchema: the schema is JSON and knows each vendor's keys.
func TestSchema(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code := run([]string{"schema"}, &out, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var s struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if keys := s.Defs["oppo"].Properties; keys["master_secret_file"] == nil || keys["timeout"] == nil || keys["topic"] != nil {
		t.Errorf("the keys of oppo are %v", keys)
	}
}
