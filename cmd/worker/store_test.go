package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// sickFor is how long a stream refuses, or NATS stands still.
const sickFor = 10 * time.Second

// refuse makes a stream refuse everything that is new, and returns what makes it take messages
// again.
func (r *rig) refuse(stream string) (heal func()) {
	r.t.Helper()
	nc, err := nats.Connect(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		r.t.Fatal(err)
	}
	was, sick, has := s.CachedInfo().Config, s.CachedInfo().Config, s.CachedInfo().State.Msgs
	if has == 0 {
		r.t.Fatalf("%s holds nothing, so it would take a message", stream)
	}
	sick.Discard, sick.MaxMsgs = jetstream.DiscardNew, int64(has)
	if _, err := js.UpdateStream(ctx, sick); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := js.UpdateStream(ctx, was); err != nil {
			r.t.Error(err)
		}
	}
}

// load sends a steady trickle to users u0 to u<users-1> for d, and returns the ids in order.
func (r *rig) load(name string, d time.Duration, users int) (ids []string) {
	r.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		id := fmt.Sprintf("m-%s-%d", name, len(ids))
		r.send(chat(id, fmt.Sprintf("u%d", len(ids)%users)))
		ids = append(ids, id)
		time.Sleep(5 * time.Millisecond) // the backend's own pace
	}
	return ids
}

// calls counts how often vendors accepted each message, by message and token.
func (r *rig) calls() map[string]int {
	n := map[string]int{}
	for _, p := range r.box.Pushes() {
		n[messageOf(p)+" "+p.Token]++
	}
	return n
}

// tally compares what was sent, one device of the vendor each, with what the vendor saw and with
// the ends: no end may be missing.
func (r *rig) tally(vendor string, ids []string, users int) (repeats int) {
	r.t.Helper()
	ends, calls := r.outcomes(), r.calls()
	missing, never := 0, 0
	for i, id := range ids {
		user := fmt.Sprintf("u%d", i%users)
		if _, ok := ends[[3]string{id, user, "phone"}]; !ok {
			missing++
		}
		if n := calls[id+" "+all.Token(vendor, user+"/phone")]; n == 0 {
			never++
		} else {
			repeats += n - 1
		}
	}
	r.t.Logf("%s: %d pushes, %d made more than once, %d never, %d without an end", vendor, len(ids), repeats, never, missing)
	if missing > 0 || never > 0 {
		r.t.Errorf("%s: %d pushes have no end, %d were never made", vendor, missing, never)
	}
	return repeats
}

// PUSH_OUTCOMES refuses for a while: pushes go on, each is made once, and each has its end in time.
func TestOutcomesRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("a stream refuses for ten seconds")
	}
	t.Parallel()
	r := newRig(t, "")
	const users = 40
	r.registerAll(users, "apns")
	worker := r.start()
	warm := r.load("warm", time.Second, users)
	r.settled(3*time.Minute, "apns")
	heal := r.refuse(r.bus.Topology().Outcomes())
	sick := r.load("sick", sickFor, users)
	r.until(time.Minute, "pushed all while it refuses", func() bool { return r.count("apns") >= len(warm)+len(sick) })
	heal()
	r.settled(3*time.Minute, "apns")
	if repeats := r.tally("apns", sick, users); repeats > 0 {
		t.Errorf("%d pushes were made more than once", repeats)
	}
	r.noViolations()
	if err := worker.stop(sigterm); err != nil {
		t.Errorf("the worker did not stop cleanly: %v", err)
	}
}

// NATS stands still in the middle of a flood over two workers: hardly a push is made twice.
func TestNATSStandsStill(t *testing.T) {
	if testing.Short() {
		t.Skip("stops NATS for ten seconds")
	}
	t.Parallel()
	r := newRig(t, "")
	const users, messages = 40, 4000
	r.registerAll(users, "apns")
	workers := []*process{r.start(), r.start()}
	var ids []string
	for i := range messages {
		ids = append(ids, fmt.Sprintf("m-%d", i))
	}
	r.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultSlow, Delay: 0.3})
	r.flood(messages, users, func(int) int { return day })
	r.until(time.Minute, "in the middle", func() bool { return r.count("apns") >= messages/10 })
	if err := r.nats.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	before := r.count("apns")
	time.Sleep(sickFor) // the outage
	during := r.count("apns") - before
	if err := r.nats.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.settled(3*time.Minute, "apns")
	repeats := r.tally("apns", ids, users)
	t.Logf("%d were pushed while NATS stood still", during)
	if during == 0 || repeats > during/100 {
		t.Errorf("%d pushes were made more than once, %d while NATS stood still", repeats, during)
	}
	r.noViolations()
	for _, w := range workers {
		if err := w.stop(sigterm); err != nil {
			t.Errorf("a worker did not stop cleanly: %v", err)
		}
	}
}

// PUSH_DEAD refuses for a while: each push that the vendor refuses is made once.
func TestLettersRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("a stream refuses for ten seconds")
	}
	t.Parallel()
	r := newRig(t, "")
	const users = 40
	r.registerAll(users, "apns")
	letter := dispatch.Outgoing{Subject: hongyan.Subjects{}.Dead("", "", "malformed"), Data: []byte("{}")}
	if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{letter}); errs != nil {
		t.Fatal(errs)
	}
	worker := r.start()
	r.load("warm", time.Second, users)
	r.settled(3*time.Minute, "apns")
	heal := r.refuse(r.bus.Topology().Dead())
	r.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: "BadExpirationDate"})
	before := r.box.Counts()["apns"]
	sick := r.load("sick", sickFor, users)
	heal()
	r.settled(3*time.Minute, "apns")
	after := r.box.Counts()["apns"]
	calls := int(after.Accepted + after.Refused - before.Accepted - before.Refused)
	ends := r.outcomes()
	missing := 0
	for i, id := range sick {
		if _, ok := ends[[3]string{id, fmt.Sprintf("u%d", i%users), "phone"}]; !ok {
			missing++
		}
	}
	t.Logf("%d messages, %d vendor calls, %d without an end", len(sick), calls, missing)
	if missing > 0 {
		t.Errorf("%d have no end", missing)
	}
	if calls != len(sick) {
		t.Errorf("%d vendor calls for %d messages", calls, len(sick))
	}
	if err := worker.stop(sigterm); err != nil {
		t.Errorf("the worker did not stop cleanly: %v", err)
	}
}

// The job stream of one vendor refuses for a while: the other vendor's pushes are as fast as ever,
// and each push is made once.
func TestJobsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("a stream refuses for ten seconds")
	}
	t.Parallel()
	r := newRig(t, "")
	const users = 40
	r.registerAll(users, "apns")
	for u := range users {
		r.register(fmt.Sprintf("u%d", u), "tablet", "huawei")
	}
	worker := r.start()
	warm := r.load("warm", time.Second, users)
	r.settled(3*time.Minute, "apns", "huawei")
	// A job that waits makes the limit; nobody takes it, for it belongs to no certificate.
	job := dispatch.Outgoing{Subject: hongyan.Subjects{}.Job("huawei", "nobody", hongyan.LaneNormal), Data: []byte("{}")}
	if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{job}); errs != nil {
		t.Fatal(errs)
	}
	heal := r.refuse(r.bus.Topology().Jobs("huawei"))
	sick := r.load("sick", sickFor, users)
	r.settled(time.Minute, "apns")
	heal()
	r.until(3*time.Minute, "pushed by Huawei too", func() bool { return r.count("huawei") >= len(warm)+len(sick) })
	r.settled(3*time.Minute, "apns")
	r.until(3*time.Minute, "all ended", func() bool { return len(r.outcomes()) >= 2*(len(warm)+len(sick)) })
	var slowest int64
	ends, calls := r.outcomes(), r.calls()
	repeats, missing := 0, 0
	for i, id := range sick {
		user := fmt.Sprintf("u%d", i%users)
		for device, vendor := range map[string]string{"phone": "apns", "tablet": "huawei"} {
			end, ok := ends[[3]string{id, user, device}]
			if !ok {
				missing++
			}
			if vendor == "apns" {
				slowest = max(slowest, end.LatencyMS)
			}
			repeats += max(calls[id+" "+all.Token(vendor, user+"/"+device)]-1, 0)
		}
	}
	t.Logf("%d messages to two vendors: %d pushes made more than once, %d without an end, the slowest of the other vendor after %d ms", len(sick), repeats, missing, slowest)
	if repeats > 0 || missing > 0 {
		t.Errorf("%d pushes were made more than once, %d have no end", repeats, missing)
	}
	if slowest > 5000 { // a queue shared with Huawei would hold it up for all that time
		t.Errorf("a push of the other vendor took %d ms", slowest)
	}
	if err := worker.stop(sigterm); err != nil {
		t.Errorf("the worker did not stop cleanly: %v", err)
	}
}
