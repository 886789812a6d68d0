package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	tokens "github.com/hongyan-im/hongyan/internal/owner"
)

func (r *rig) imports(in string, args ...string) (imported, result) {
	r.t.Helper()
	got := r.feed(in, append([]string{"device", "import", "-", "--app", "demo", "-o", "json"}, args...)...)
	var counts imported
	if err := json.Unmarshal([]byte(got.out), &counts); err != nil {
		r.t.Fatalf("%v\n%s%s", err, got.out, got.err)
	}
	return counts, got
}

// An import takes nothing from anybody, names what is bad, and may be run again and go on anywhere.
func TestDeviceImport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := hongyan.Subjects{}
	r.ok("device", "set", "--app", "demo", "--user", "alice", "--device", "phone", "--certificate", "35001", "--token", "alices")
	registration := s.Device("demo", "alice", "phone")
	r.publish(dispatch.Outgoing{Subject: tokens.Subject(s, "demo", "alices"), Data: fmt.Appendf(nil, `{"v":1,"registration":%q,"sequence":1}`, registration)})
	r.publish(dispatch.Outgoing{Subject: tokens.Subject(s, "demo", "forsaken"), Data: []byte(`{"v":1,"registration":"push.user.demo.gone.device.phone","sequence":1}`)})
	r.ok("device", "remove", "--app", "demo", "--user", "zoe", "--device", "phone")
	lines := []string{
		`{"user":"bob","device":"phone","certificate":"35001","token":"bobs","platform":"android"}`,
		`{"user":"alice","device":"phone","certificate":"35001","token":"an old one"}`,
		`{"user":"carol","device":"phone","certificate":"35001","token":"alices"}`,
		`{"user":"dave","device":"phone","certificate":"35001","token":"twice"}`,
		`{"user":"erin","device":"phone","certificate":"35001","token":"twice"}`,
		``, `{"user":"frank","certificate":"35001","token":"x"}`, `{"user":"frank","device":"phone","certificate":"35001"`, `{"user":"frank","device":"phone","token":"x"}`,
		`{"user":"zoe","device":"phone","certificate":"35001","token":"forsaken"}`,
	}
	in := strings.Join(lines, "\n")
	counts, got := r.imports(in)
	if want := (imported{App: "demo", Imported: 3, Already: 1, Taken: 2, Bad: 3}); counts != want || got.code != 1 {
		t.Errorf("%+v, want %+v; exit code %d\n%s", counts, want, got.code, got.err)
	}
	says(t, got.err, "standard input:7: ", "standard input:8: ", "standard input:9: ")
	for user, token := range map[string]string{"alice": "alices", "bob": "bobs", "erin": "twice", "zoe": "forsaken", "carol": "", "dave": "", "frank": ""} {
		if list := r.ok("device", "list", "--app", "demo", "--user", user, "--show-tokens", "-o", "json"); token == "" && list != "" || !strings.Contains(list, token) {
			t.Errorf("%s has %s, want %q", user, list, token)
		}
	}
	counts, _ = r.imports(in)
	if counts.Imported != 0 || counts.Already != 4 {
		t.Errorf("again: %+v", counts)
	}
	if counts, got := r.imports(in, "--from", "10", "--rate", "1000"); counts.Already != 1 || counts.Bad != 0 || got.code != 0 {
		t.Errorf("from line 10: %+v, exit code %d", counts, got.code)
	}
	r.misused([]string{"device", "import", "-", "--app", "a.b"}, "--app")
	r.misused([]string{"device", "import", "-", "--app", "demo", "--from", "0"}, "--from")
}

// What is imported is worked on like any registration, and an import that ends in the middle says
// where to go on; nothing is lost.
func TestDeviceImportGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	keeper := &tokens.Keeper{Store: r.bus, Log: slog.New(slog.DiscardHandler)}
	var wg sync.WaitGroup
	wg.Go(func() { keeper.Run(ctx, r.bus.RegistrationConsumer(64)) })
	defer wg.Wait()
	defer cancel()
	const devices = 1800
	var lines strings.Builder
	for i := range devices {
		fmt.Fprintf(&lines, `{"user":"u%d","device":"phone","certificate":"35001","token":"t%d"}`+"\n", i, i)
		if i == 1200 { // a line that cannot be read ends it
			lines.WriteString(strings.Repeat("x", maxImportLine) + "\n")
		}
	}
	file := filepath.Join(t.TempDir(), "devices.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.run("device", "import", file, "--app", "demo", "-o", "json")
	var counts imported
	if err := json.Unmarshal([]byte(got.out), &counts); err != nil || got.code != 1 || counts.Imported != 1201 || counts.Next != 1202 {
		t.Fatalf("%v %+v, exit code %d\n%s", err, counts, got.code, got.err)
	}
	says(t, got.err, "devices.jsonl:1202", "--from 1202")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(lines.String(), strings.Repeat("x", maxImportLine)+"\n", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := r.ok("device", "import", file, "--app", "demo", "--from", "1202"); !strings.Contains(out, "599 device(s) registered, 0 were already") {
		t.Errorf("%s", out)
	}
}
