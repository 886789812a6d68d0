package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
		"{\"user\":\"fr\xffnk\",\"device\":\"phone\",\"certificate\":\"35001\",\"token\":\"x\"}", `{"user":"fr\ud800nk","device":"phone","certificate":"35001","token":"x"}`,
		`{"user":"frank","user":"zoe","device":"phone","certificate":"35001","token":"x"}`, `["frank"]`, `{"user":"frank","device":"` + strings.Repeat("x", maxImportLine) + `"}`,
	}
	in := byteOrderMark + strings.Join(lines, "\n")
	counts, got := r.imports(in)
	if want := (imported{App: "demo", Imported: 3, Already: 1, Taken: 1, Superseded: 1, Bad: 8}); counts != want || got.code != 1 {
		t.Errorf("%+v, want %+v; exit code %d\n%s", counts, want, got.code, got.err)
	}
	says(t, got.err, "standard input:7: ", "standard input:8: not valid JSON, at byte ", "standard input:9: ", "standard input:11: user or device is not UTF-8",
		"standard input:12: user or device is not UTF-8", "standard input:13: a field stands twice, at byte 16", "standard input:14: the line is a JSON array, not an object",
		"standard input:15: it is longer than 65536 bytes")
	for user, token := range map[string]string{"alice": "alices", "bob": "bobs", "erin": "twice", "zoe": "forsaken", "carol": "", "dave": "", "frank": ""} {
		if list := r.ok("device", "list", "--app", "demo", "--user", user, "--show-tokens", "-o", "json"); token == "" && list != "" || !strings.Contains(list, token) {
			t.Errorf("%s has %s, want %q", user, list, token)
		}
	}
	counts, _ = r.imports(in)
	if counts.Imported != 0 || counts.Already != 4 {
		t.Errorf("again: %+v", counts)
	}
	if counts, got := r.imports(in, "--from", "10", "--rate", "1000"); counts.Already != 1 || counts.Bad != 5 || got.code != 1 {
		t.Errorf("from line 10: %+v, exit code %d", counts, got.code)
	}
	r.misused([]string{"device", "import", "-", "--app", "a.b"}, "--app")
	r.misused([]string{"device", "import", "-", "--app", "demo", "--from", "0"}, "--from")
}

// Of several lines about one device or token the last one counts, wherever they stand in the file:
// what comes of it is what comes of publishing the lines in order.
func TestDeviceImportTakesTheLastLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var lines []string
	add := func(user, token string) {
		lines = append(lines, fmt.Sprintf(`{"user":%q,"device":"phone","certificate":"35001","token":%q}`, user, token))
	}
	add("alice", "old")
	add("bob", "moves")
	add("dave", "goes round")
	for range linesTogether {
		add(fmt.Sprint("u", len(lines)), fmt.Sprint("t", len(lines)))
	}
	add("alice", "new")
	add("carol", "moves")
	add("erin", "goes round")
	add("dave", "goes round")
	file := filepath.Join(t.TempDir(), "devices.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for user, token := range map[string]string{"alice": "new", "bob": "", "carol": "moves", "dave": "goes round", "erin": ""} {
			if list := r.ok("device", "list", "--app", "demo", "--user", user, "--show-tokens", "-o", "json"); token == "" && list != "" || !strings.Contains(list, token) {
				t.Errorf("%s has %s, want %q", user, list, token)
			}
		}
	}
	// It goes on in the middle of the lines about one device as if it had never been interrupted.
	says(t, r.ok("device", "import", file, "--app", "demo", "--from", fmt.Sprint(linesTogether+5)), "2 device(s) registered", " 1 because of a later line")
	says(t, r.ok("device", "import", file, "--app", "demo"), fmt.Sprint(linesTogether+1, " device(s) registered"), " 2 were already", " 4 because of a later line")
	check()
	says(t, r.ok("device", "import", file, "--app", "demo"), "0 device(s) registered", " 4 because of a later line")
	check()
}

// What cannot go back is read twice from a file that is gone afterwards.
func TestTwice(t *testing.T) {
	t.Parallel()
	dir, text := t.TempDir(), "one\ntwo\n"
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }() // it was only read
	_, err = out.WriteString(text)    // a pipe has room for that
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	later := strings.NewReader("none " + text)
	if _, err := later.Seek(5, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for _, in := range []io.Reader{in, later} {
		both, err := openTwice(in, dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := both.rewind()
			got, err2 := io.ReadAll(both.in)
			if err := errors.Join(err, err2); err != nil || string(got) != text || both.size != int64(len(text)) {
				t.Errorf("%q of %d bytes, %v", got, both.size, err)
			}
		}
		both.close()
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
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
	}
	file := filepath.Join(t.TempDir(), "devices.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// It is interrupted while it waits for its pace.
	first, interrupt := context.WithCancel(t.Context())
	ended := make(chan result, 1)
	go func() {
		ended <- r.runUntil(first, "device", "import", file, "--app", "demo", "--rate", "100", "-o", "json")
	}()
	last := hongyan.Subjects{}.Device("demo", fmt.Sprint("u", linesTogether-1), "phone")
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // polling the real server
		read, err := r.bus.LastValues(t.Context(), []string{last})
		if err == nil && len(read.Values) == 1 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the first lines are not imported: %v", err)
		}
	}
	interrupt()
	got := <-ended
	var counts imported
	if err := json.Unmarshal([]byte(got.out), &counts); err != nil || got.code != 1 || counts.Imported != counts.Next-1 || counts.Next > linesTogether+1 {
		t.Fatalf("%v %+v, exit code %d\n%s", err, counts, got.code, got.err)
	}
	says(t, got.err, fmt.Sprint("--from ", counts.Next))
	out := r.ok("device", "import", file, "--app", "demo", "--from", fmt.Sprint(counts.Next), "-o", "json")
	var rest imported
	if err := json.Unmarshal([]byte(out), &rest); err != nil || counts.Imported+rest.Imported+rest.Already != devices || rest.Taken+rest.Superseded+rest.Bad+rest.Next > 0 {
		t.Errorf("%v %+v after %+v", err, rest, counts)
	}
}
