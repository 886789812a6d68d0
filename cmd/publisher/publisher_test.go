package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/schema"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	r := &rig{t: t}
	for _, command := range []string{"", "send", "replay", "explain", "dead list", "limits"} {
		got := r.ok(append(strings.Fields(command), "--help")...)
		golden(t, strings.TrimSuffix("help-"+strings.ReplaceAll(command, " ", "-"), "-")+".txt", got)
	}
}

// TestSchema: each kind prints a schema, none lists the kinds, and another word is refused.
func TestSchema(t *testing.T) {
	t.Parallel()
	r := &rig{t: t}
	for _, kind := range schema.Kinds {
		var s struct {
			Schema string `json:"$schema"`
			Title  string `json:"title"`
		}
		if err := json.Unmarshal([]byte(r.ok("schema", kind)), &s); err != nil || !strings.HasSuffix(s.Schema, "2020-12/schema") || s.Title == "" {
			t.Errorf("schema %s: %v %+v", kind, err, s)
		}
		if help := r.ok("schema"); !strings.Contains(help, "\n  "+kind+" ") {
			t.Errorf("the help of schema does not explain %s", kind)
		}
	}
	if code := (&tool{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }, now: time.Now}).run(t.Context(), []string{"schema", "config"}); code == 0 {
		t.Error("schema config is no kind of the publisher")
	}
}

// Every command teaches: a long text, an example, and a meaning for each flag.
func TestEveryCommandTeaches(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.Hidden && (c.Long == "" || c.Example == "") {
			t.Errorf("%s has no long text or no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&tool{getenv: func(string) string { return "" }}).root())
}

func TestWithoutNATS(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, url: "nats://user:hunter2@127.0.0.1:1"}
	for _, args := range [][]string{
		{"send", "--app", "demo", "--from", "a", "--to", "b", "--text", "x"},
		{"dead", "list"},
	} {
		got := r.fails(args, "127.0.0.1:1", "--nats")
		if strings.Contains(got.err, "hunter2") {
			t.Errorf("the password is told: %s", got.err)
		}
	}
}

func TestWithoutAWorker(t *testing.T) {
	t.Parallel()
	r := bare(t)
	for _, args := range [][]string{
		{"send", "--app", "demo", "--from", "a", "--to", "b", "--text", "x"},
		{"device", "list", "--app", "demo", "--user", "bob"},
		{"dead", "list"},
		{"replay", "--yes"},
		{"explain", "--app", "demo", "--user", "bob"},
	} {
		r.fails(args, "No worker has run yet", "--stream-prefix")
	}
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, url: "nats://127.0.0.1:1"}
	r.misused([]string{"dead", "list", "-o", "xml"}, `--output is "xml"`)
	r.misused([]string{"dead", "list", "--since", "yesterday"}, `--since is "yesterday"`, "8h")
	r.misused([]string{"dead", "list", "--vendor", "samsung"}, `--vendor is "samsung"`, "huawei")
	r.misused([]string{"dead", "list", "--reason", "tired"}, `--reason is "tired"`, "bad_token")
	r.misused([]string{"dead", "show", "x"}, `"x" is no letter's number`)
	r.misused([]string{"send", "--app", "demo"}, "at least one of the flags")
	r.misused([]string{"send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "Hi", "--ttl", "500ms"}, "--ttl is 500ms")
	r.misused([]string{"device", "set", "--app", "demo"}, "required flag")
	r.misused([]string{"publish"}, "unknown command")
}

func TestSendFromFlags(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.ok("send", "--app", "demo", "--from", "alice", "--nickname", "Alice", "--to", "bob", "--to", "carol", "--text", "Hi", "--id", "m-1",
		"--group", "g-7", "--group-name", "Book club", "--mention", "bob", "--ttl", "1h", "-o", "json")
	if want := `{"app":"demo","id":"m-1","sequence":1,"duplicate":false}` + "\n"; got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
	stored := r.waiting(hongyan.Subject{Kind: hongyan.KindMessage, App: "demo"})
	if len(stored) != 1 {
		t.Fatalf("%d messages", len(stored))
	}
	says(t, stored[0], `"id":"m-1"`, `"ttl_seconds":3600`, `"conversation":{"type":"group","id":"g-7","name":"Book club"}`, `"recipients":["bob","carol"]`,
		`"mentions":["bob"]`, `"sent_at":"`)
	says(t, r.ok("send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "Hi", "--id", "m-1"), "was sent before")

	says(t, r.ok("send", "--app", "demo", "--from", "alice", "--to", "bob", "--call", "video"), "explain --app demo --message cli-")
	says(t, r.waiting(hongyan.Subject{Kind: hongyan.KindUrgent, App: "demo"})[0], `"call":{"media":"video","action":"invite","call_id":"cli-`)

	r.misused([]string{"send", "--app", "demo", "--from", "alice", "--text", "x"}, "recipients is missing")
	r.misused([]string{"send", "--app", "de mo", "--from", "alice", "--to", "b", "--text", "x"}, "app is not 1 to 64")
	r.misused([]string{"send", "--app", "demo", "--from", "alice", "--to", "b"}, "--text")
}

const lines = `{"id":"m-1","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"1"}}

{"id":"m-2",
{"id":"m-3","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":[],"content":{"type":"text","text":"3"}}
{"id":"m-4","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"4"},"receivers":["x"]}
{"id":5}
[1]
{"id":"m-6","conversation":{"type":"c2c","id":"c"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"6"}}`

func TestSendFileWithBadLines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "m.jsonl")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.fails([]string{"send", "--app", "demo", "--file", file, "-o", "json"},
		file+":3: invalid message: not valid JSON", file+":4: invalid message: recipients is missing", file+":5: receivers is no field", file+":6: invalid message: id has the wrong type",
		file+":7: invalid message: the message is a JSON array")
	if want := `{"app":"demo","sent":3,"duplicates":0,"bad":4}` + "\n"; got.out != want {
		t.Errorf("answer %s, want %s", got.out, want)
	}
	if n := len(r.waiting(hongyan.Subject{Kind: hongyan.KindMessage, App: "demo"})); n != 3 {
		t.Errorf("%d messages are stored, want 3", n)
	}
	// Again, from standard input: nothing is stored twice.
	again := r.feed(lines, "send", "--app", "demo", "--file", "-")
	says(t, again.out, "3 message(s) stored, 3 of them were there already, 4 bad line(s)")
	says(t, again.err, "standard input:3: ")
	if n := len(r.waiting(hongyan.Subject{Kind: hongyan.KindMessage, App: "demo"})); n != 3 {
		t.Errorf("%d messages are stored, want 3", n)
	}
	r.fails([]string{"send", "--app", "demo", "--file", "/does/not/exist"}, "no such file")
}

func TestSendManyLines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var in strings.Builder
	const n = 2000
	for i := range n {
		m := strings.Split(lines, "\n")[0]
		in.WriteString(strings.Replace(m, "m-1", "m-"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("y", i/50), 1) + "\n")
	}
	got := r.feed(in.String(), "send", "--app", "demo", "--file", "-", "-o", "json")
	if got.code != 0 || got.err != "" {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	var counts sendCounts
	if err := json.Unmarshal([]byte(got.out), &counts); err != nil || counts.Sent != n || counts.Bad != 0 {
		t.Errorf("%+v, %v; want %d", counts, err, n)
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	says(t, r.ok("device", "list", "--app", "demo", "--user", "bob"), "bob has no registered device")
	r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789abcdef", "--platform", "android")
	r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "iphone", "--certificate", "35002", "--token", "ios-token-0123456789",
		"--voip-certificate", "35009", "--voip-token", "voip-token-0123456789")
	r.ok("presence", "--app", "demo", "--user", "bob", "--device", "phone", "--state", "background", "--unread", "3")
	got := r.ok("device", "list", "--app", "demo", "--user", "bob")
	says(t, got, "phone", "35001", "CN_012…cdef", "background", "iphone", "35009")
	if strings.Contains(got, "0123456789") {
		t.Errorf("a token is told whole:\n%s", got)
	}
	says(t, r.ok("device", "list", "--app", "demo", "--user", "bob", "--show-tokens", "-o", "json"), `"token":"CN_0123456789abcdef"`, `"state":"background"`,
		`"voip_token":"voip-token-0123456789"`)
	r.ok("device", "remove", "--app", "demo", "--user", "bob", "--device", "phone")
	if got := r.ok("device", "list", "--app", "demo", "--user", "bob"); strings.Contains(got, "35001") {
		t.Errorf("the device is still there:\n%s", got)
	}
	r.misused([]string{"presence", "--app", "demo", "--user", "bob", "--device", "phone", "--state", "asleep"}, "state is none of")
	r.misused([]string{"device", "set", "--app", "demo", "--user", "bob", "--device", "d", "--certificate", "1"}, "token is missing")
}

func TestSettingsChangeOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	base := []string{"settings", "--app", "demo", "--user", "bob"}
	says(t, r.ok(base...), "bob has no quiet hours")
	r.ok(append(base, "--quiet", "22:00-08:00", "--mute", "g-7")...)
	says(t, r.ok(append(base, "--mentions-only", "g-9", "--timezone", "Europe/Berlin")...), "22:00 to 08:00, Europe/Berlin", "g-7: muted", "g-9: mentions_only")
	if got, want := r.ok(append(base, "--unmute", "g-7", "--no-quiet", "-o", "json")...), `{"conversations":{"g-9":"mentions_only"}}`+"\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	says(t, r.ok(append(base, "--preview", "sender")...), "preview: sender", "g-9: mentions_only")
	r.misused(append(base, "--preview", "half"), "preview is none of full, sender, none")
	r.misused(append(base, "--quiet", "10pm"), "FROM-TO")
	r.misused(append(base, "--timezone", "Asia/Tokyo"), "there are none")
	if err := r.bus.Put(t.Context(), "push.user.demo.bob.settings", []byte("{")); err != nil {
		t.Fatal(err)
	}
	r.misused(append(base, "--mute", "g-1"), "--replace")
	says(t, r.ok(append(base, "--mute", "g-1", "--replace")...), "g-1: muted")
}

func TestSignals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok("recall", "--app", "demo", "--message", "m-1")
	r.ok("read", "--app", "demo", "--user", "bob", "--conversation", "g-7", "--at", "2026-11-23T08:00:00Z")
	want := []string{`{"type":"recall","message_id":"m-1"}`, `{"type":"read","conversation":"g-7","user":"bob","at":"2026-11-23T08:00:00Z"}`}
	if diff := cmp.Diff(want, r.waiting(hongyan.Subject{Kind: hongyan.KindSignal, App: "demo"})); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	says(t, r.ok("dead", "list"), "no dead letters fit")
	r.die("m-1", "bob", "bad_token", "8002", "invalid token")
	r.die("m-2", "carol", "bad_payload", "13", "channel does not exist")
	r.die("m-3", "bob", "bad_payload", "13", "channel does not exist")
	r.publish(dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte(`{"id":`), Header: map[string]string{
		dispatch.HeaderReason: "malformed", dispatch.HeaderError: "not valid JSON, at byte 6", dispatch.HeaderSubject: "push.message.demo", dispatch.HeaderApp: "demo"}})

	got := r.ok("dead", "list")
	says(t, got, "bad_token", "8002", "m-1", "channel does not exist", "malformed", "SEQ")
	if strings.Contains(got, "CN_") || strings.Contains(got, "eight") {
		t.Errorf("the list tells tokens or texts:\n%s", got)
	}
	says(t, r.ok("dead", "list", "--limit", "1"), "the newest 1 of 4")
	var rows []letterView
	for line := range strings.Lines(r.ok("dead", "list", "--user", "bob", "--since", "1h", "-o", "json")) {
		var v letterView
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, v)
	}
	if len(rows) != 2 || rows[0].Message != "m-1" || rows[1].Code != "13" || rows[0].Devices != 1 {
		t.Errorf("bob's letters: %+v", rows)
	}
	says(t, r.ok("dead", "list", "--summary"), "bad_payload", "13", "what to do about the most frequent one, bad_payload")
	says(t, r.ok("dead", "list", "--summary", "--reason", "bad_payload", "-o", "json"), `"vendor":"oppo"`, `"letters":2`, `"devices":2`)

	says(t, r.ok("dead", "show", "1", "4"), "invalid token", `"token": "CN_012…cdef"`, "See you at eight", "The registration was removed", `{"id":`, "push.message.demo")
	says(t, r.ok("dead", "show", "1", "--show-tokens", "-o", "json"), `"token":"CN_0123456789abcdef"`)
	r.fails([]string{"dead", "show", "99"}, "there is no dead letter 99")

	file := filepath.Join(t.TempDir(), "letters.jsonl")
	if got := r.run("dead", "export", "--reason", "bad_payload", "--file", file); got.code != 0 {
		t.Fatal(got.err)
	}
	exported, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(exported), "\n"); n != 2 || strings.Contains(string(exported), "CN_0123456789") {
		t.Errorf("%d exported lines:\n%s", n, exported)
	}
	r.fails([]string{"dead", "export", "--file", file}, "exists")

	r.fails([]string{"dead", "purge", "--reason", "bad_payload"}, "removes 2 dead letter(s)", "--yes")
	r.fails([]string{"dead", "purge"}, "ALL there are")
	r.misused([]string{"dead", "purge", "1", "--reason", "bad_payload"}, "not both")
	r.misused([]string{"dead", "purge", "--certificate", "", "--yes"}, "--certificate is empty")
	r.misused([]string{"replay", "--since", "", "--yes"}, "--since is empty")
	says(t, r.ok("dead", "purge", "--reason", "bad_payload", "--yes"), "purged 2")
	says(t, r.ok("dead", "purge", "1", "--yes", "-o", "json"), `{"purged":1}`)
	r.fails([]string{"dead", "purge", "1", "--yes"}, "there is no dead letter 1")
	says(t, r.ok("dead", "purge", "--yes"), "purged 1")
	says(t, r.ok("dead", "list"), "no dead letters fit")
}

func TestReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.die("m-1", "bob", "attempts_exhausted", "", "unavailable")
	r.die("m-2", "carol", "bad_token", "8002", "gone")
	r.die("m-3", "dave", "attempts_exhausted", "", "unavailable")
	r.fails([]string{"replay", "--yes"}, "no worker runs", "start the workers")
	r.introduce("w1", time.Now(), certificate("demo", "oppo", "35001"))
	r.fails([]string{"replay"}, "ALL 3 dead letter(s)", "--yes")
	says(t, r.ok("replay", "--dry-run"), "2", "would come back, for 2 device(s)", "not registered any more")
	if n := len(r.waiting(hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "*", Lane: "*"})); n != 0 {
		t.Fatalf("a dry run published %d jobs", n)
	}
	says(t, r.ok("replay", "--user", "bob", "--rate", "100"), "1", "came back, for 1 device(s)")
	want := `{"dry_run":false,"matched":2,"replayed":1,"already_back":0,"expired":0,"no_registration":1,"unknown_certificate":0,"unreadable":0,"failed":0,"split":0,"devices":1,"interrupted":false,"id":""}` + "\n"
	answer := regexp.MustCompile(`"id":"[a-z2-7]{8}"`).ReplaceAllString(r.ok("replay", "--yes", "-o", "json"), `"id":""`)
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if n := len(r.waiting(hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "*", Lane: "*"})); n != 2 {
		t.Errorf("%d jobs, want 2", n)
	}
	r.publish(dispatch.Outgoing{Subject: "push.dead.oppo.35001.bad_payload", Data: []byte("?")})
	got := r.run("replay", "--reason", "bad_payload")
	if got.code != 1 {
		t.Errorf("a letter that cannot be read gave exit code %d", got.code)
	}
	says(t, got.out, "cannot be read")
}

// What nobody would send stays a dead letter, and somebody is told.
func TestReplayOfWhatNobodyServes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.die("m-1", "bob", "attempts_exhausted", "", "unavailable")
	r.die("m-2", "carol", "expired", "", "late")
	for _, other := range []dispatch.CertificateNote{certificate("demo", "oppo", "35002"), certificate("demo", "huawei", "35001"), certificate("else", "oppo", "35001")} {
		r.introduce("w1", time.Now(), other)
		for _, args := range [][]string{{"replay", "--yes"}, {"replay", "--dry-run"}} {
			got := r.run(args...)
			if got.code != 1 {
				t.Errorf("%v with a worker that serves %v gave exit code %d", args, other, got.code)
			}
			says(t, got.out, "2", "no live worker serves")
		}
	}
	r.introduce("w2", time.Now(), certificate("demo", "oppo", "35001"))
	if got := r.ok("replay", "--yes", "-o", "json"); !strings.Contains(got, `"replayed":2,`) {
		t.Errorf("with a worker that serves them: %s", got)
	}
}

func certificate(app, vendor, id string) dispatch.CertificateNote {
	return dispatch.CertificateNote{App: app, Vendor: vendor, Limits: ratelimit.Certificate{ID: id}}
}
