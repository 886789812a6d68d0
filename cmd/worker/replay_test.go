package main

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch/replay"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// A replay whose process is killed in the middle is shown as interrupted, goes on when it is
// started again, and pushes nothing twice; one that runs is cancelled from elsewhere.
func TestReplayIsKilledAndCancelled(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	r := newRig(t, "")
	const messages, rate = 200, "20"
	r.registerAll(20, "apns")
	r.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: "BadExpirationDate", Times: messages})
	r.start()
	r.flood(messages, 20, func(int) int { return day })
	r.until(2*time.Minute, "dead", func() bool { return r.ends()["dead bad_payload"] == messages })

	r.publisher("replay", "plan", "--reason", "bad_payload", "--rate", rate)
	id := r.replays()[0].ID
	run := r.startReplay(id)
	r.until(time.Minute, "under way", func() bool { return r.count("apns") >= 20 })
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait() // it was killed
	r.until(time.Minute, "called interrupted", func() bool { return r.replays()[0].State == replay.Interrupted })

	run = r.startReplay(id)
	before := r.count("apns")
	r.until(time.Minute, "going on", func() bool { return r.count("apns") >= before+10 })
	r.publisher("replay", "cancel", id)
	if err := run.Wait(); err == nil {
		t.Error("a replay that was cancelled ends with exit code 0")
	}
	if task := r.replays()[0]; task.State != replay.Cancelled {
		t.Errorf("it is %+v", task)
	}
	run = r.startReplay(id)
	if err := run.Wait(); err != nil {
		t.Errorf("going on after it was cancelled: %v", err)
	}
	r.settled(time.Minute, "apns")
	r.until(time.Minute, "pushed", func() bool { return r.count("apns") == messages })
	if n := unique(r.box.Pushes()); n != messages {
		t.Errorf("%d of %d messages reached their phones", n, messages)
	}
	if c := r.box.Counts()["apns"]; c.Repeats != 0 {
		t.Errorf("%d pushes were made twice", c.Repeats)
	}
	if task := r.replays()[0]; task.State != replay.Done {
		t.Errorf("in the end it is %+v", task)
	}
}

// startReplay starts the tool, which carries out a replay.
func (r *rig) startReplay(id string) *exec.Cmd {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, publisher.binary(r.t, "../publisher"), "--nats", r.url, "replay", "start", id)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd
}

// replays are what the tool shows of replays.
func (r *rig) replays() (tasks []replay.Task) {
	r.t.Helper()
	text := r.publisher("replay", "status", "-o", "json")
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var task replay.Task
		if err := d.Decode(&task); err != nil {
			r.t.Fatalf("%v: %s", err, text)
		}
		tasks = append(tasks, task)
	}
	return tasks
}
