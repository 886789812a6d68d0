package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// rig is an installation on a real embedded server, and the tool run against it.
type rig struct {
	t   *testing.T
	url string
	bus *bus.Bus
	// ahead is by how much the tool's clock is ahead of the server's.
	ahead time.Duration
}

// bare starts a server without streams.
func bare(t *testing.T) *rig {
	t.Helper()
	srv, err := natsd.Start(natsd.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	b, err := bus.Connect(t.Context(), bus.Options{URL: srv.URL(), Once: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &rig{t: t, url: srv.URL(), bus: b}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := bare(t)
	if err := r.bus.Ensure(t.Context(), []string{"oppo", "huawei"}); err != nil {
		t.Fatal(err)
	}
	return r
}

// result is what a run of the tool gave.
type result struct {
	out, err string
	code     int
}

func (r *rig) run(args ...string) result { return r.feed("", args...) }

// runUntil is run that is interrupted when ctx ends.
func (r *rig) runUntil(ctx context.Context, args ...string) result {
	return r.runWith(ctx, strings.NewReader(""), args)
}

// feed runs the tool with a standard input.
func (r *rig) feed(in string, args ...string) result {
	return r.runWith(context.Background(), strings.NewReader(in), args)
}

func (r *rig) runWith(ctx context.Context, in io.Reader, args []string) result {
	var out, err bytes.Buffer
	t := &tool{in: in, out: &out, err: &err, now: func() time.Time { return time.Now().Add(r.ahead) }, getenv: func(key string) string {
		return map[string]string{"NATS_URL": r.url}[key]
	}}
	code := t.run(ctx, args)
	return result{out.String(), err.String(), code}
}

// ok runs the tool and fails the test unless all went well.
func (r *rig) ok(args ...string) string {
	r.t.Helper()
	got := r.run(args...)
	if got.code != 0 || got.err != "" {
		r.t.Fatalf("publisher %s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
	}
	return got.out
}

// fails runs the tool and fails the test unless it fails and says these things on standard error.
func (r *rig) fails(args []string, want ...string) result {
	r.t.Helper()
	return r.ends(1, args, want...)
}

// misused is fails for a mistake in the command line.
func (r *rig) misused(args []string, want ...string) result {
	r.t.Helper()
	return r.ends(2, args, want...)
}

func (r *rig) ends(code int, args []string, want ...string) result {
	r.t.Helper()
	got := r.run(args...)
	if got.code != code {
		r.t.Fatalf("publisher %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got.code, code, got.out, got.err)
	}
	says(r.t, got.err, want...)
	return got
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; go test -update rewrites it (-want +got):\n%s", name, diff)
	}
}

func (r *rig) publish(msgs ...dispatch.Outgoing) {
	r.t.Helper()
	if errs := r.bus.Publish(r.t.Context(), msgs); errs != nil {
		r.t.Fatal(errors.Join(errs...))
	}
}

func sampleJob(message, user string) *dispatch.Job {
	now := time.Now()
	return &dispatch.Job{
		ID: message, App: "demo", Vendor: "oppo", Certificate: "35001", Lane: hongyan.LaneNormal, Published: now, Attempts: 2,
		Notification: &vendors.Notification{Key: "k", MessageID: message, Title: "Alice", Body: "See you at eight", Deadline: now.Add(time.Hour)},
		Targets:      []dispatch.Target{{User: user, Device: "phone", Token: "CN_0123456789abcdef"}},
	}
}

// die stores a dead letter and its outcome.
func (r *rig) die(message, user string, reason hongyan.Reason, code, said string) {
	r.t.Helper()
	data, err := sampleJob(message, user).Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	r.publish(dispatch.Outgoing{Subject: hongyan.Subjects{}.Dead("oppo", "35001", reason), Data: data, Header: map[string]string{
		dispatch.HeaderReason: reason.String(), dispatch.HeaderVendorCode: code, dispatch.HeaderError: said, dispatch.HeaderAttempts: "3",
		dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: message}})
	r.outcome(message, user, hongyan.StatusDead, reason, code)
}

func (r *rig) outcome(message, user string, status hongyan.Status, reason hongyan.Reason, code string) {
	r.t.Helper()
	device, vendor := "phone", "oppo"
	if reason == "no_device" {
		device, vendor = "", ""
	}
	data := fmt.Sprintf(`{"message_id":%q,"app":"demo","vendor":%q,"certificate":"35001","status":%q,"at":%q,"devices":[{"user":%q,"device":%q,"reason":%q,"vendor_code":%q,"vendor_id":"v-1","attempt":1,"latency_ms":12}]}`,
		message, vendor, status, time.Now().UTC().Format(time.RFC3339Nano), user, device, reason, code)
	r.publish(dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", status, hongyan.Partition(user)), Data: []byte(data)})
}

// records stores records of the app and user's partition as a worker gathers them, in one message.
func (r *rig) records(status hongyan.Status, user string, jobs []string, outcomes ...hongyan.Outcome) {
	r.t.Helper()
	var body []byte
	for i := range outcomes {
		outcomes[i].App, outcomes[i].Status = "demo", status
		line, err := json.Marshal(&outcomes[i])
		if err != nil {
			r.t.Fatal(err)
		}
		body = append(append(body, line...), '\n')
	}
	m := dispatch.Outgoing{Subject: hongyan.Subjects{}.Outcome("demo", status, hongyan.Partition(user)), Data: body}
	if jobs != nil {
		m.Header = map[string]string{dispatch.HeaderJob: strings.Join(jobs, " ")}
	}
	r.publish(m)
}

// waiting lists what waits on a subject.
func (r *rig) waiting(where hongyan.Subject) []string {
	r.t.Helper()
	var got []string
	if err := r.bus.Waiting(r.t.Context(), where, time.Time{}, func(w dispatch.Waiting) bool {
		got = append(got, string(w.Data))
		return true
	}); err != nil {
		r.t.Fatal(err)
	}
	return got
}
