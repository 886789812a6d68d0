package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Ends of all apps and partitions are counted by vendor and reason; what waits and what was taken
// back is none.
func TestLoss(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	says(t, r.ok("loss"), "Nothing ended since")
	r.records(hongyan.StatusAccepted, "bob", nil, about("m-1", now, bobs("phone", vendors.Accepted, 1), bobs("pad", vendors.Accepted, 1)))
	r.records(hongyan.StatusDead, "bob", nil, about("m-2", now, bobs("phone", vendors.BadPayload, 1)))
	r.records(hongyan.StatusDead, "carol", nil, about("m-2", now, hongyan.DeviceOutcome{User: "carol", Device: "phone", Reason: vendors.BadPayload}))
	r.records(hongyan.StatusSuppressed, "dave", nil, hongyan.Outcome{MessageID: "m-3", At: now, Devices: []hongyan.DeviceOutcome{{User: "dave", Reason: hongyan.NoDevice}}})
	r.records(hongyan.StatusWaiting, "bob", nil, about("m-4", now, bobs("phone", hongyan.Parked, 0)))
	r.records(hongyan.StatusWithdrawn, "bob", nil, about("m-1", now, bobs("phone", hongyan.Withdrawn, 0)))
	r.publish(dispatch.Outgoing{Subject: "push.outcome.other.dead.0", Data: []byte(
		`{"message_id":"m","app":"other","vendor":"pager","certificate":"1","status":"dead","at":"2026-11-23T08:00:00Z","devices":[{"user":"u","device":"d","reason":"tired"}]}`)})

	type cell struct {
		Hour                   time.Time
		Vendor, Status, Reason string
		Devices                int
	}
	lines := func(args ...string) (got []string) {
		for line := range strings.Lines(r.ok(append([]string{"loss", "-o", "json"}, args...)...)) {
			var c cell
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			if c.Hour.Minute() != 0 || now.Sub(c.Hour) > 2*time.Hour || c.Hour.After(time.Now()) {
				t.Errorf("hour %v", c.Hour)
			}
			got = append(got, fmt.Sprint(c.Vendor, " ", c.Status, " ", c.Reason, " ", c.Devices))
		}
		return got
	}
	if diff := cmp.Diff([]string{"oppo accepted accepted 2", "oppo dead bad_payload 2", " suppressed no_device 1"}, lines("--app", "demo")); diff != "" {
		t.Errorf("of an app (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"other dead unknown 1"}, lines("--app", "other")); diff != "" {
		t.Errorf("of what nobody knows (-want +got):\n%s", diff)
	}
	for args, want := range map[string]int{"": 4, "--vendor oppo": 2, "--vendor none": 1, "--certificate 35001": 2, "--certificate 1": 1} {
		if got := lines(strings.Fields(args)...); len(got) != want {
			t.Errorf("loss %s: %q", args, got)
		}
	}
	text := r.ok("loss", "--app", "demo")
	says(t, strings.Join(strings.Fields(text), " "), "oppo dead bad_payload 2 50.0%", "- suppressed no_device 1 100.0%", "Of 5 ends since", "2 were accepted by a vendor (40.0%)",
		"dead bad_payload: The vendor calls the request wrong")
	says(t, strings.Join(strings.Fields(r.ok("loss", "--app", "demo", "--hours")), " "), "HOUR VENDOR STATUS REASON DEVICES SHARE", "oppo dead bad_payload 2 50.0%")
	r.ahead = 25 * time.Hour
	says(t, r.ok("loss"), "Nothing ended since")
	r.misused([]string{"loss", "--vendor", "samsung"}, `--vendor is "samsung"`)
	r.misused([]string{"loss", "--app", "a.b"}, `--app is "a.b"`)
	r.misused([]string{"loss", "--since", "yesterday"}, `--since is "yesterday"`)
}

// Hours are added up by vendor and reason, and the worst is named.
func TestLossesAddUpHours(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	record := func(hour int, status hongyan.Status, reason hongyan.Reason, devices int) *dispatch.Record {
		o := hongyan.Outcome{Vendor: "oppo", Status: status}
		for range devices {
			o.Devices = append(o.Devices, hongyan.DeviceOutcome{User: "bob", Reason: reason})
		}
		return &dispatch.Record{Outcome: o, Stored: at.Add(time.Duration(hour)*time.Hour + 59*time.Minute)}
	}
	ends := endCounts{}
	ends.add(record(0, hongyan.StatusDead, vendors.QuotaSpent, 1))
	ends.add(record(1, hongyan.StatusDead, vendors.QuotaSpent, 3))
	ends.add(record(2, hongyan.StatusDead, vendors.QuotaSpent, 2))
	ends.add(record(1, hongyan.StatusSuppressed, hongyan.Muted, 7))
	ends.add(record(1, hongyan.StatusAccepted, vendors.Accepted, 87))
	want := []loss{
		{vendor: "oppo", status: hongyan.StatusSuppressed, reason: hongyan.Muted, devices: 7, ends: 100, worst: at.Add(time.Hour), peak: 7},
		{vendor: "oppo", status: hongyan.StatusDead, reason: vendors.QuotaSpent, devices: 6, ends: 100, worst: at.Add(time.Hour), peak: 3},
	}
	if diff := cmp.Diff(want, ends.losses(), cmp.AllowUnexported(loss{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
