package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Bodies one after the other and in lists become lines that send takes; what is bad or left out is
// named, and the rest comes all the same.
func TestImportTencent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bodies := byteOrderMark + `{"To_Account":"bob","MsgRandom":1,"CloudCustomData":"x","OfflinePushInfo":{"Title":"one"}}
[{"To_Account":"bob","MsgRandom":2,"CloudCustomData":"x","OfflinePushInfo":{"Title":"two"}}, {"GroupId":"g","MsgRandom":3,"OfflinePushInfo":{"Title":"three"}}]
[]
{"From_Account":"alice","MsgRandom":4,"OfflinePushInfo":{"Title":"four"}} {"GroupId":"h","MsgRandom":5,"OfflinePushInfo":{"Title":"five"}}`
	members := filepath.Join(t.TempDir(), "groups.json")
	if err := os.WriteFile(members, []byte(`{"g":["bob","carol"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.feed(bodies, "import-tencent", "--members", members, "-")
	if got.code != 1 || strings.Count(got.out, "\n") != 3 {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	says(t, got.err, "standard input, body 4: it goes to everybody", "body 5: GroupId", "CloudCustomData has no counterpart and is left out (2 time(s))", "2 of 5 bodies")
	sent := r.feed(got.out, "send", "--app", "demo", "--file", "-")
	if sent.code != 0 || !strings.Contains(sent.out, "3 message(s) stored") {
		t.Errorf("send: %+v", sent)
	}
	r.fails([]string{"import-tencent", "nowhere.json"}, "nowhere.json")
	r.misused([]string{"import-tencent"}, "arg")
	if broken := r.feed(`{"To_Account":"bob","OfflinePushInfo":{"Title":"x"}} {"To_`, "import-tencent", "-"); broken.code != 1 || !strings.Contains(broken.err, "after body 1: not valid JSON, at byte ") {
		t.Errorf("a body that ends in the middle: %+v", broken)
	}
}
