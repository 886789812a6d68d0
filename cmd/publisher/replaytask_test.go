package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/replay"
)

// A replay is planned, shown, started, shown and, where it is not wanted, cancelled.
func TestReplayInSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	says(t, r.ok("replay", "status"), "There was no replay within the last three days")
	for _, message := range []string{"m-1", "m-2", "m-3"} {
		r.die(message, "bob", "attempts_exhausted", "", "unavailable")
	}
	r.introduce("w1", time.Now(), certificate("demo", "oppo", "35001"))
	id := func(text string) string {
		t.Helper()
		_, after, ok := strings.Cut(text, "publisher replay start ")
		if !ok {
			t.Fatalf("no number:\n%s", text)
		}
		id, _, _ := strings.Cut(after, `"`)
		return id
	}
	text := r.ok("replay", "plan", "--user", "bob", "--limit", "2", "--rate", "100")
	says(t, text, "2", "would come back, for 2 device(s)", "At 100 letters a second", "carries it out")
	plan := id(text)
	jobs := hongyan.Subject{Kind: hongyan.KindJob, Vendor: "oppo", Certificate: "*", Lane: "*"}
	if n := len(r.waiting(jobs)); n != 0 {
		t.Fatalf("a plan published %d jobs", n)
	}
	says(t, strings.Join(strings.Fields(r.ok("replay", "status")), " "), plan+" planned 0 2 0", "--user bob --limit 2 --rate 100", "was not started")
	r.die("m-4", "bob", "attempts_exhausted", "", "unavailable")
	says(t, r.ok("replay", "start", plan), "2", "came back, for 2 device(s)")
	if n := len(r.waiting(jobs)); n != 2 {
		t.Errorf("%d jobs, want 2", n)
	}
	says(t, strings.Join(strings.Fields(r.ok("replay", "status", plan)), " "), plan+" done 2 2 0")
	r.fails([]string{"replay", "start", plan}, "replay "+plan+": the replay is done")
	r.fails([]string{"replay", "cancel", plan}, "it is done")

	other := id(r.ok("replay", "plan", "--message", "m-4"))
	says(t, r.ok("replay", "cancel", other), "replay "+other+" is cancelled; 0 letter(s) came back")
	var task replay.Task
	if err := json.Unmarshal([]byte(r.ok("replay", "status", other, "-o", "json")), &task); err != nil || task.State != replay.Cancelled || task.Filter.Message != "m-4" {
		t.Errorf("%+v, %v", task, err)
	}
	says(t, r.ok("replay", "start", other, "-o", "json"), `"replayed":1,`, `"id":"`+other+`"`)
	says(t, r.ok("replay", "--yes"), "came back, for 1 device(s)") // m-3
	if n := strings.Count(r.ok("replay", "status", "-o", "json"), `"state":"done"`); n != 3 {
		t.Errorf("%d replays are done, want 3", n)
	}
	r.fails([]string{"replay", "start", "nobody"}, "there is no such replay")
	r.fails([]string{"replay", "status", "nobody"}, "there is no such replay")
	r.misused([]string{"replay", "plan", "--rate", "-1"}, "must not be negative")
	r.misused([]string{"replay", "start"}, "arg")
}

// How long a replay still takes is told by this run's speed; that of earlier runs is no measure.
func TestReplayThatWasStartedAgain(t *testing.T) {
	t.Parallel()
	at := time.Now()
	task := &replay.Task{Started: at, Updated: at.Add(10 * time.Second), Before: 1000}
	task.Counts.Replayed, task.Expected.Replayed = 1010, 1110
	if got := (&tool{}).left(task); got != ", about 100s are left" {
		t.Errorf("%q", got)
	}
	task.Filter.Since, task.Filter.Until = time.Unix(0, 0), time.Unix(3600, 0)
	for range 20 {
		if got := lettersOf(task); got != "--since 1970-01-01T00:00:00Z --until 1970-01-01T01:00:00Z" {
			t.Fatal(got)
		}
	}
}

// One that its process left behind is called interrupted, and says how to go on.
func TestReplayThatWasLeftBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := replay.NewTask(replay.Options{Filter: dispatch.LetterFilter{Vendor: "oppo"}}, "olga", time.Now())
	task.State, task.Counts.Replayed = replay.Running, 7
	if err := (&replay.Desk{Notes: r.bus.Notes(replay.Room)}).Save(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	text := r.ok("replay", "status")
	says(t, strings.Join(strings.Fields(text), " "), task.ID+" interrupted 7 - 0", "olga", "--vendor oppo")
	says(t, text, task.ID+" was interrupted: its process has said nothing", "publisher replay start "+task.ID)
}
