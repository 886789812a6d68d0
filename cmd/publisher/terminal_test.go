package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/terminal"
	"github.com/hongyan-im/hongyan/internal/trail"
)

// attack writes the clipboard (OSC 52), sets the title (OSC 0), clears the screen (CSI, in seven
// and in eight bits), turns the line around (bidi) and begins a line of its own.
const attack = "x\x1b]52;c;cm0=\x07\x1b]0;root\x1b\\\x1b[2J\u009b2J\u202e\u2066\u200f\u2028\u2029\x7f\x08\rforged"

// forged is an attack with a line break, for values that may hold one.
const forged = attack + "\nforged: all is well"

// harmless fails the test where an answer holds what a terminal acts on, or a line of the
// attacker's.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if shown := strings.ReplaceAll(line, "\t", " "); terminal.Line(shown) != shown {
			t.Errorf("%s: a terminal would act on %q", what, line)
		}
		if strings.HasPrefix(strings.TrimSpace(line), "forged") {
			t.Errorf("%s: a value made the line %q", what, line)
		}
	}
}

// hostile is an installation where everything that others write is an attack.
func hostile(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	put := func(subject string, v any) {
		t.Helper()
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		r.publish(dispatch.Outgoing{Subject: subject, Data: data})
	}
	s := hongyan.Subjects{}
	type fields = map[string]any
	put(s.Device("demo", "bob", forged), fields{"certificate": "35001", "token": forged, "platform": forged, "locale": "en", "region": forged,
		"voip": fields{"certificate": "35009", "token": forged}})
	put(s.Settings("demo", "bob"), fields{"conversations": fields{forged: "muted"}})
	put(s.Settings("demo", "carol"), fields{"conversations": fields{forged: forged}})
	for _, status := range hongyan.Statuses[:3] {
		put(s.Outcome("demo", status, hongyan.Partition("bob")), fields{"message_id": forged, "app": "demo", "vendor": "oppo", "certificate": forged,
			"status": status, "at": time.Now(), "devices": []fields{{"user": "bob", "device": forged, "reason": forged, "vendor_code": forged, "vendor_id": forged}}})
	}
	job := sampleJob(forged, "bob")
	job.Notification.Title, job.Notification.Body, job.Targets[0].Device, job.Targets[0].Token = forged, forged, forged, forged
	data, err := job.Encode()
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{dispatch.HeaderReason: "bad_payload", dispatch.HeaderVendorCode: attack, dispatch.HeaderError: attack, dispatch.HeaderAttempts: "3",
		dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: attack, dispatch.HeaderFirstAttempt: attack, dispatch.HeaderLastAttempt: attack, dispatch.HeaderSubject: attack}
	r.publish(
		dispatch.Outgoing{Subject: "push.dead.oppo.35001.bad_payload", Data: data, Header: header},
		dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte(forged), Header: header},
		dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("\x9b2J\xff"), Header: header},
	)
	note := limited(1000)
	note.App, note.Vendor = forged, forged
	r.introduce("w1", time.Now(), note)
	r.note(dispatch.WorkerRoom, "w2", fields{"host": forged, "pid": 1, "certificates": []any{}})
	r.note(dispatch.WorkerRoom, "w3", []string{forged})
	r.note(parking.Room, "35001", fields{"since": time.Now(), "reason": "bad_credentials", "code": forged, "error": forged, "worker": forged, "host": forged, "advice": forged})
	return r
}

// What others write never acts on the terminal, whichever command shows it, and is whole in JSON.
func TestNothingActsOnTheTerminal(t *testing.T) {
	t.Parallel()
	r := hostile(t)
	file := filepath.Join(t.TempDir(), "m.jsonl")
	bad, err := json.Marshal(map[string]any{"id": forged, forged: 1, "sender": forged})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(bad, "\n{\x1b]0;x\x07\u009b}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		tell bool // the answer shows the value
	}{
		{"device list --app demo --user bob", true},
		{"settings --app demo --user bob", true},
		{"settings --app demo --user carol", false},
		{"explain --app demo --user bob", true},
		{"explain --app demo --user carol", false},
		{"explain --app demo --user FORGED --message FORGED", true},
		{"explain --app demo --user bob --message FORGED", true},
		{"dead list", true},
		{"dead list --summary", true},
		{"dead list --message FORGED", false},
		{"dead list --app FORGED", false},
		{"dead list --reason FORGED", true},
		{"dead list --since FORGED", true},
		{"dead show 1 2 3", true},
		{"dead show FORGED", true},
		{"dead export", true},
		{"dead export --file FORGED/x", true},
		{"dead purge --user FORGED", false},
		{"replay --user FORGED", false},
		{"replay --dry-run", false},
		{"limits", true},
		{"limits --certificate FORGED", false},
		{"limits reset --certificate 35001 --class public --reason FORGED --by FORGED", false},
		{"limits", true}, // now with an override
		{"limits set --certificate FORGED --class x --quota 1", false},
		{"recall --app demo --message FORGED", true},
		{"recall --app FORGED --message m", false},
		{"read --app demo --user FORGED --conversation FORGED", true},
		{"presence --app demo --user FORGED --device FORGED --state FORGED", false},
		{"presence --app demo --user FORGED --device FORGED --state background", true},
		{"device set --app demo --user FORGED --device FORGED --certificate c --token t", true},
		{"device remove --app demo --user FORGED --device FORGED", true},
		{"send --app demo --from FORGED --to FORGED --text FORGED --id FORGED", true},
		{"send --app demo --file " + file, false},
		{"send --app demo --file FORGED", true},
		{"FORGED", true},
		{"dead --FORGED", false},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "FORGED", forged)
		}
		got := r.run(args...)
		harmless(t, c.args, got.out)
		// errors may have lines
		harmless(t, c.args+" (standard error)", strings.ReplaceAll(got.err, "\nforged: all is well", ""))
		// as a value, quoted as Go does, or as the JSON of a job
		if text := got.out + got.err; c.tell != strings.Contains(strings.NewReplacer(`\x1b`, "", `\u001b`, "").Replace(text), "x]52;c;cm0=") {
			t.Errorf("%s: the value is shown: %v\n%s", c.args, !c.tell, text)
		}
		got = r.run(append(args, "-o", "json")...)
		harmless(t, c.args+" -o json", got.out)
		for line := range strings.Lines(got.out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: no JSON: %s", c.args, line)
			}
		}
	}
}

// JSON for programs is exact: what is stored comes back, character by character.
func TestJSONIsExact(t *testing.T) {
	t.Parallel()
	r := hostile(t)
	var d trail.Device
	if err := json.Unmarshal([]byte(r.ok("device", "list", "--app", "demo", "--user", "bob", "--show-tokens", "-o", "json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Device != forged || d.Platform != forged || d.Token != forged || d.VoIPToken != forged {
		t.Errorf("%+v", d)
	}
	var l letterView
	if err := json.Unmarshal([]byte(r.ok("dead", "show", "2", "-o", "json")), &l); err != nil || string(l.Body) != forged {
		t.Errorf("%q, %v", l.Body, err)
	}
	if err := json.Unmarshal([]byte(r.ok("dead", "show", "1", "--show-tokens", "-o", "json")), &l); err != nil {
		t.Fatal(err)
	}
	job, err := dispatch.DecodeJob(l.Job)
	if err != nil || job.Notification.Body != forged || job.Targets[0].Token != forged {
		t.Errorf("%+v, %v", job, err)
	}
}

// The shells' completion scripts and every help text pass the wall as they are.
func TestScriptsPassTheWall(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var want strings.Builder
		root := (&tool{getenv: func(string) string { return "" }}).root()
		root.SetOut(&want)
		root.SetArgs([]string{"completion", shell})
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		if got := (&rig{t: t}).ok("completion", shell); got != want.String() || len(got) < 1000 {
			t.Errorf("%s: the script is changed", shell)
		}
	}
}
