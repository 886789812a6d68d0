package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A message that waits and then comes through is told as it happens, and explained at its end.
func TestFollow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789abcdef")
	at := time.Now()
	r.records(hongyan.StatusWaiting, "bob", []string{"j1"}, about("m-1", at, bobs("phone", vendors.Unavailable, 1)))
	said := make(chan result)
	go func() { said <- r.run("explain", "--user", "bob", "--message", "demo/m-1", "--follow") }()
	// What ends it is stored once it is read, or before: it is told in either case.
	r.records(hongyan.StatusAccepted, "bob", nil, about("m-0", at, bobs("phone", vendors.Accepted, 1)), about("m-1", at.Add(time.Second), bobs("phone", vendors.Accepted, 2)))
	got := <-said
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.err)
	}
	says(t, got.out, "following m-1 to bob", "device phone  waiting unavailable", "device phone  accepted accepted", "accepted: The vendor took it")
	r.misused([]string{"explain", "--app", "demo", "--user", "bob", "--follow"}, "--follow needs a --message")
	r.misused([]string{"explain", "--user", "bob", "--message", "m-1"}, `required flag "app"`)
	r.misused([]string{"explain", "--app", "demo", "--user", ""}, "invalid name: user is missing\n")
}

// Who interrupts the following is told how to ask again, also for a test message, whose id nobody
// else knows.
func TestFollowInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789abcdef")
	r.records(hongyan.StatusWaiting, "bob", []string{"j1"}, about("m-1", time.Now(), bobs("phone", vendors.Unavailable, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	var err strings.Builder
	told := writes(func(p []byte) {
		if strings.Contains(string(p), "device phone  waiting unavailable") {
			cancel()
		}
	})
	tool := &tool{in: strings.NewReader(""), out: told, err: &err, now: time.Now, getenv: func(string) string { return "" }}
	code := tool.run(ctx, []string{"explain", "--nats", r.url, "--app", "demo", "--user", "bob", "--message", "m-1", "--follow"})
	if want := `publisher: interrupted: m-1 may have no end yet on all devices of bob; "publisher explain --app demo --user bob --message m-1" tells what became of it` + "\n"; code != 1 || err.String() != want {
		t.Errorf("exit code %d: %s", code, &err)
	}
}

// writes is an io.Writer.
type writes func([]byte)

func (w writes) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// A message that cannot be read has no end to wait for.
func TestFollowWhatIsMalformed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("{}"), Header: map[string]string{
		dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderError: "content.type is missing"}})
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1", "--follow"), "could not be read: content.type is missing")
}

// A test message is stored as any other; where no worker runs it is not waited for, and texts are
// shown to who asks for them.
func TestSendTestWithoutAWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789abcdef")
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--send-test"), "following test-", "to bob", "no worker has read it yet", "No worker runs")
	if got := r.waiting(hongyan.Subject{Kind: hongyan.KindMessage, App: "demo"}); len(got) != 1 || !strings.Contains(got[0], `"recipients":["bob"]`) || !strings.Contains(got[0], `"text":"Test"`) {
		t.Errorf("stored %s", got)
	}
	r.misused([]string{"explain", "--app", "demo", "--user", "bob", "--text", "x"}, "--text is what --send-test says")
	r.misused([]string{"explain", "--app", "demo", "--user", "bob", "--send-test", "--message", "m-1"}, "send-test")
}

func TestShowText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.die("m-1", "bob", "bad_payload", "13", "channel does not exist")
	asked := []string{"explain", "--app", "demo", "--user", "bob", "--message", "m-1"}
	if got := r.ok(asked...); strings.Contains(got, "See you at eight") {
		t.Errorf("texts are shown to who did not ask for them:\n%s", got)
	}
	if got := r.ok(append(asked, "-o", "json")...); strings.Contains(got, "See you at eight") || !strings.Contains(got, `"hidden":true`) {
		t.Errorf("texts are shown to who did not ask for them:\n%s", got)
	}
	says(t, r.ok(append(asked, "--show-text")...), "oppo shows on device phone:", "| Alice", "| See you at eight")
}
