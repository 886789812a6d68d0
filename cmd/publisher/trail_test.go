package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// told is what a test asks of explain's JSON.
type told struct {
	Decisions []struct {
		MessageID string `json:"message_id"`
		Device    string
		Status    string
		Reason    string
		Attempt   int
		Over      bool
		Advice    string
	}
	Waiting []struct {
		Device, Reason, Code string
		Attempts             int
		Since                time.Time
	}
	Notes []string
}

func (r *rig) explained(args ...string) (e told) {
	r.t.Helper()
	out := r.ok(append([]string{"explain", "--app", "demo", "--user", "bob", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		r.t.Fatal(err)
	}
	return e
}

// lines are decisions in short.
func (e *told) lines() (lines []string) {
	for _, d := range e.Decisions {
		line := strings.Join([]string{d.MessageID, d.Device, d.Status, d.Reason}, " ")
		if d.Over {
			line += " over"
		}
		lines = append(lines, line)
	}
	return lines
}

func about(message string, at time.Time, devices ...hongyan.DeviceOutcome) hongyan.Outcome {
	return hongyan.Outcome{MessageID: message, Vendor: "oppo", Certificate: "35001", At: at.UTC(), Devices: devices}
}

func bobs(device string, reason hongyan.Reason, attempt int) hongyan.DeviceOutcome {
	return hongyan.DeviceOutcome{User: "bob", Device: device, Reason: reason, Attempt: attempt}
}

// A record is about several devices, and several are stored together; only the user's are told, and
// only the message's.
func TestExplainGatheredRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Now().Add(-time.Minute)
	other := hongyan.DeviceOutcome{User: "someone", Device: "x", Reason: vendors.Accepted}
	r.records(hongyan.StatusAccepted, "bob", nil,
		about("m-1", at, bobs("phone", vendors.Accepted, 1), other, bobs("pad", vendors.Accepted, 1)),
		about("m-2", at.Add(time.Second), bobs("phone", vendors.Accepted, 1)))
	r.records(hongyan.StatusSuppressed, "bob", nil, about("m-1", at.Add(2*time.Second), bobs("watch", hongyan.Foreground, 0)))
	e := r.explained("--message", "m-1")
	if diff := cmp.Diff([]string{"m-1 phone accepted accepted", "m-1 pad accepted accepted", "m-1 watch suppressed foreground"}, e.lines()); diff != "" {
		t.Errorf("of m-1 (-want +got):\n%s", diff)
	}
	e = r.explained()
	if diff := cmp.Diff([]string{"m-1 phone accepted accepted", "m-1 pad accepted accepted", "m-2 phone accepted accepted", "m-1 watch suppressed foreground"}, e.lines()); diff != "" {
		t.Errorf("of all (-want +got):\n%s", diff)
	}
}

// Every record of three attempts is told in the order in which it was decided, also where the last
// was stored first; only what waits still is said to wait.
func TestExplainThreeAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Now().Add(-time.Minute)
	r.records(hongyan.StatusAccepted, "bob", nil, about("m-1", at.Add(20*time.Second), bobs("phone", vendors.Accepted, 3)))
	r.records(hongyan.StatusWaiting, "bob", []string{"j1", "j1"},
		about("m-1", at, bobs("phone", vendors.Unavailable, 1), bobs("pad", vendors.Unavailable, 1)))
	r.records(hongyan.StatusWaiting, "bob", []string{"j2"}, about("m-1", at.Add(10*time.Second), bobs("phone", vendors.Timeout, 2)))
	e := r.explained("--message", "m-1")
	if diff := cmp.Diff([]string{"m-1 phone waiting unavailable over", "m-1 pad waiting unavailable", "m-1 phone waiting timeout over", "m-1 phone accepted accepted"}, e.lines()); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	text := r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1")
	says(t, text, "waited", "waiting unavailable: The vendor answered with a server error", "accepted: The vendor took it",
		"The push to device pad was stored to be sent later, and its job is not found any more")
	if strings.Contains(text, "waiting timeout:") || strings.Contains(text, "device phone was stored") {
		t.Errorf("what waited once is explained as if it waited:\n%s", text)
	}
}

// An end that is about the whole user ends the waiting of each device.
func TestExplainEndOfTheWholeUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Now().Add(-time.Minute)
	r.records(hongyan.StatusWaiting, "bob", []string{"j1"}, about("m-1", at, bobs("phone", hongyan.Parked, 0)))
	r.records(hongyan.StatusDead, "bob", nil, hongyan.Outcome{MessageID: "m-1", At: at.Add(time.Second).UTC(), Devices: []hongyan.DeviceOutcome{bobs("", vendors.AttemptsExhausted, 0)}})
	r.publish(dispatch.Outgoing{Subject: "push.dead.none.none.attempts_exhausted", Data: []byte("{}"), Header: map[string]string{
		dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderError: "it was taken 100 times without an end"}})
	e := r.explained("--message", "m-1")
	if diff := cmp.Diff([]string{"m-1 phone waiting parked over", "m-1  dead attempts_exhausted"}, e.lines()); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	says(t, r.ok("explain", "--app", "demo", "--user", "bob"), "it was taken 100 times without an end")
}

// Each reason to wait is told with the job that waits, of several jobs each with its own.
func TestExplainWhyAJobWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason hongyan.Reason
		later  bool
		want   string
	}{
		{hongyan.Busy, false, "There was no free place"},
		{hongyan.Parked, false, "The certificate is parked"},
		{vendors.RateLimited, false, "The certificate's rate"},
		{vendors.QuotaSpent, true, "after the vendor's midnight"},
		{vendors.Unavailable, true, "tried again by itself"},
	} {
		t.Run(c.reason.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			// The user has no device any more: the record says where the job is.
			now := time.Now()
			job := sampleJob("m-1", "bob")
			job.StoredAs, job.NotBefore = ":job/m-1", time.Time{}
			if c.later {
				job.NotBefore = now.Add(50 * time.Minute)
			}
			data, err := job.Encode()
			if err != nil {
				t.Fatal(err)
			}
			m := dispatch.Outgoing{Subject: "push.job.oppo.35001.normal", ID: job.StoredAs, Data: data}
			if c.later {
				m = r.bus.Later(m, job.NotBefore)
			}
			r.publish(m)
			device := bobs("phone", c.reason, 2)
			device.VendorCode = "77"
			r.records(hongyan.StatusWaiting, "bob", []string{"other", job.WaitName()},
				about("m-0", now.Add(-2*time.Minute), bobs("phone", vendors.Timeout, 1)),
				about("m-1", now.Add(-time.Minute), device))
			e := r.explained("--message", "m-1")
			if len(e.Waiting) != 1 || e.Waiting[0].Device != "phone" || e.Waiting[0].Reason != string(c.reason) || e.Waiting[0].Code != "77" || e.Waiting[0].Since.IsZero() {
				t.Errorf("waiting %+v", e.Waiting)
			}
			text := r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1")
			says(t, text, "waits for oppo certificate 35001, after 2 attempt(s)", "as "+string(c.reason), "waiting "+string(c.reason)+": ", c.want)
		})
	}
}

// Without --since a day is read: records, jobs, messages and letters that are older are left out,
// and the answer says how to see them.
func TestExplainSince(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789abcdef")
	r.outcome("m-1", "bob", "accepted", "accepted", "")
	data, err := sampleJob("m-2", "bob").Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.publish(dispatch.Outgoing{Subject: "push.job.oppo.35001.normal", Data: data},
		dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("{}"), Header: map[string]string{
			dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-3", dispatch.HeaderError: "content.type is missing"}})
	r.ok("send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "x", "--id", "m-4")
	r.ahead = 25 * time.Hour
	for _, message := range []string{"m-1", "m-2", "m-3", "m-4"} {
		e := r.explained("--message", message)
		if len(e.Decisions)+len(e.Waiting) != 0 {
			t.Errorf("%s: an answer holds what is older than a day: %+v", message, e)
		}
		says(t, strings.Join(e.Notes, "\n"), "Nothing is known of message "+message, "--since 3d reads all of it")
	}
	says(t, r.ok("explain", "--app", "demo", "--user", "bob"), "Nothing was decided for bob since", "--since 3d")
	for message, want := range map[string]string{"m-1": "The vendor took it", "m-2": "waits for oppo", "m-3": "content.type is missing", "m-4": "no worker has read it"} {
		says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--message", message, "--since", "2d"), want)
	}
	r.misused([]string{"explain", "--app", "demo", "--user", "bob", "--since", "yesterday"}, `--since is "yesterday"`)
}

// The users of a large message wait in pieces, each in that of the user's partition.
func TestExplainAPiece(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	message := `{"id":"m-1","conversation":{"type":"group","id":"g"},"sender":{"id":"alice"},"recipients":["bob"],"content":{"type":"text","text":"x"}}`
	r.publish(dispatch.Outgoing{Subject: hongyan.Subjects{}.Piece("demo", hongyan.Partition("bob")), ID: ":piece/demo/1/0",
		Data: []byte(`{"v":1,"published":"2026-11-23T08:00:00Z","recipients":10000,"message":` + message + `}`)})
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1"), "no worker has read it yet")
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-2"), "Nothing is known of message m-2")
}

// Only a read that lasts shows a bar, one.
func TestReadingShowsWhatLasts(t *testing.T) {
	t.Parallel()
	now, shown := time.Now(), 0
	r := &reading{now: func() time.Time { return now }, show: func() *bar { shown++; return nil }, began: now}
	r.one()
	now = now.Add(longRead - 1)
	if r.one(); shown != 0 {
		t.Error("a short read shows a bar")
	}
	now = now.Add(1)
	r.one()
	r.one()
	r.stop(false)
	r.stop(true)
	if shown != 1 || r.n != 4 {
		t.Errorf("%d bars for a long read of %d, want one of 4", shown, r.n)
	}
}
