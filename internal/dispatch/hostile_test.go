package dispatch_test

import (
	"bytes"

	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// letters waits until there are n dead letters and returns them.
func (r *rig) letters(n int) []bus.Entry {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		entries, err := r.bus.Read(r.t.Context(), r.bus.Topology().Dead(), ">", 1, 100)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(entries) >= n || time.Now().After(end) {
			if len(entries) != n {
				r.t.Fatalf("%d dead letters, want %d", len(entries), n)
			}
			return entries
		}
		time.Sleep(10 * time.Millisecond) // polling the real server
	}
}

// The same id in two apps is two messages, and two pushes.
func TestSameIDInTwoApps(t *testing.T) {
	r := newRig(t)
	r.register("bob", "phone", "c-apns")
	r.put(hongyan.Subjects{}.Device("other", "bob", "phone"), hongyan.Device{Certificate: "c-apns", Token: "token-other"})
	r.start()
	c, err := hongyan.Connect(r.bus.URL(), hongyan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := chat("m-1", "bob")
	for _, app := range []string{"demo", "other"} {
		receipt, err := c.Send(t.Context(), app, &m)
		if err != nil || receipt.Duplicate {
			t.Fatalf("%s: %+v, %v", app, receipt, err)
		}
	}
	want(t, r.outcomes("m-1", "bob/phone")["bob/phone"], "accepted", "accepted")
	r.empty()
	apps := map[string]int{}
	for _, app := range []string{"demo", "other"} {
		if err := r.bus.Records(t.Context(), app, hongyan.Partition("bob"), time.Time{}, func(rec dispatch.Record) bool { apps[rec.App]++; return true }); err != nil {
			t.Fatal(err)
		}
	}
	if apps["demo"] != 1 || apps["other"] != 1 {
		t.Errorf("outcomes %v, want one in each app", apps)
	}
}

// A trace context of any size or form harms nobody: it is dropped, and everybody gets the message
// once.
func TestHugeTraceparent(t *testing.T) {
	r := newRig(t)
	r.register("bob", "phone", "c-apns")
	r.register("carol", "phone", "c-huawei")
	r.start()
	data, err := json.Marshal(chat("m-1", "bob", "carol"))
	if err != nil {
		t.Fatal(err)
	}
	if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message("demo"), ID: "demo/m-1", Data: data,
		Header: map[string]string{"Traceparent": strings.Repeat("x", 60_000)}}}); errs != nil {
		t.Fatal(errs)
	}
	got := r.outcomes("m-1", "bob/phone", "carol/phone")
	want(t, got["bob/phone"], "accepted", "accepted")
	want(t, got["carol/phone"], "accepted", "accepted")
	r.empty()
	r.letters(0)
}

// A message of the year 9999 ends like any other: its time counts as its arrival.
func TestMessageFromTheFuture(t *testing.T) {
	r := newRig(t)
	r.register("bob", "phone", "c-apns")
	r.put(hongyan.Subjects{}.Device("demo", "carol", "phone"), map[string]any{"certificate": "c-apns", "token": "t", "registered_at": "9999-12-31T23:59:59-10:00"})
	r.start()
	m := chat("m-1", "bob", "carol")
	m.SentAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)
	r.send(m)
	got := r.outcomes("m-1", "bob/phone", "carol/phone")
	want(t, got["bob/phone"], "accepted", "accepted")
	want(t, got["carol/phone"], "accepted", "accepted")
	r.empty()
}

// Bad input becomes a dead letter at once, with its bytes as far as the server takes them.
func TestBadInputBecomesADeadLetter(t *testing.T) {
	r := newRig(t)
	r.start()
	huge := bytes.Repeat([]byte("["), 8<<20-100)
	r.sendRaw("demo", "demo/1", huge)
	r.sendRaw("demo", "demo/2", []byte(`{"id":"m-2"}`))
	r.sendRaw("stranger", "stranger/3", []byte(`{"id":"m-3","conversation":{"type":"c2c","id":"c"},"sender":{"id":"a"},"recipients":["b"],"content":{"type":"text"}}`))
	if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{
		{Subject: hongyan.Subjects{}.Signal("demo"), Data: []byte(`{"type":"recall"}`)},
		{Subject: hongyan.Subjects{}.Signal("demo"), Data: []byte(`{"type":"recall","message_id":"m-unknown"}`)},
		{Subject: hongyan.Subjects{}.Urgent("demo"), Data: []byte("no JSON")},
	}); errs != nil {
		t.Fatal(errs)
	}
	says := map[string]string{}
	for _, l := range r.letters(5) {
		says[l.Header[dispatch.HeaderSubject][0]+" "+first(l.Header[dispatch.HeaderMessageID])] = first(l.Header[dispatch.HeaderError])
		if first(l.Header[dispatch.HeaderReason]) != "malformed" {
			t.Errorf("a letter with %v", l.Header)
		}
		if cut := first(l.Header[dispatch.HeaderTruncated]); cut != "" && (cut != "8388508" || len(l.Data) == 0) {
			t.Errorf("a letter of %d bytes says that there were %s", len(l.Data), cut)
		}
	}
	for where, what := range map[string]string{
		"push.message.demo 1": "the most is 4194304", "push.message.demo m-2": "recipients is missing", "push.message.stranger m-3": "no app of this name",
		"push.signal.demo ": "message_id is missing", "push.urgent.demo ": "not valid JSON",
	} {
		if !strings.Contains(says[where], what) {
			t.Errorf("%s: %q, want %q", where, says[where], what)
		}
	}
	r.empty()
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
