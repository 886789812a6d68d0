package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	register := func(r *rig) {
		r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789abcdef")
	}
	job := func(r *rig, change func(*dispatch.Job)) []byte {
		j := sampleJob("m-1", "bob")
		change(j)
		data, err := j.Encode()
		if err != nil {
			r.t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		name    string
		prepare func(r *rig)
		args    []string
		want    []string
	}{
		{"nobody", func(*rig) {}, nil, []string{"bob has no registered device now", "publisher device set", "Nothing was decided for bob since"}},
		{"accepted", func(r *rig) { register(r); r.outcome("m-1", "bob", "accepted", "accepted", "") }, nil,
			[]string{"phone", "35001", "CN_012…cdef", "m-1", "accepted", "12ms", "accepted: The vendor took it"}},
		{"in-front", func(r *rig) {
			register(r)
			r.ok("presence", "--app", "demo", "--user", "bob", "--device", "phone", "--state", "foreground")
			r.outcome("m-1", "bob", "suppressed", "foreground", "")
		}, nil, []string{"suppressed", "suppressed foreground (rule 14 of 18, the first that applied): The device was in the foreground"}},
		{"muted", func(r *rig) {
			register(r)
			r.ok("settings", "--app", "demo", "--user", "bob", "--mute", "g-7", "--quiet", "22:00-08:00")
			r.outcome("m-1", "bob", "suppressed", "muted", "")
		}, nil, []string{"conversation g-7: muted", "quiet hours: 22:00 to 08:00, Asia/Shanghai", "suppressed muted (rule 16 of 18, the first that applied): The user muted"}},
		{"certificate-missing", func(r *rig) { register(r); r.outcome("m-1", "bob", "suppressed", "unknown_certificate", "") }, nil,
			[]string{"Add it there, and the workers load it within seconds"}},
		{"dead-with-the-vendors-words", func(r *rig) { register(r); r.die("m-1", "bob", "bad_payload", "13", "channel does not exist") }, []string{"--message", "m-1"},
			[]string{"m-1 on phone, oppo said: channel does not exist", "dead bad_payload: The vendor calls the request wrong"}},
		// Another user's outcomes in the same app must not be told.
		{"somebody-else", func(r *rig) { register(r); r.outcome("m-1", "carol", "accepted", "accepted", "") }, []string{"--message", "m-1"},
			[]string{"Nothing is known of message m-1 for bob"}},
		{"waits", func(r *rig) {
			register(r)
			r.publish(dispatch.Outgoing{Subject: "push.job.oppo.35001.normal", Data: job(r, func(*dispatch.Job) {})})
		}, []string{"--message", "m-1"}, []string{"The push to device phone waits for oppo certificate 35001, after 2 attempt(s); it is next, or under way"}},
		{"waits-until-later", func(r *rig) {
			register(r)
			due := time.Now().Add(50 * time.Minute)
			r.publish(r.bus.Later(dispatch.Outgoing{Subject: "push.job.oppo.35001.normal", ID: "x", Data: job(r, func(j *dispatch.Job) { j.NotBefore = due })}, due))
		}, []string{"--message", "m-1"}, []string{"waits for oppo certificate 35001", "next try in 4"}},
		{"no-worker", func(r *rig) {
			register(r)
			r.ok("send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "x", "--id", "m-1")
		}, []string{"--message", "m-1"}, []string{"no worker has read it yet"}},
		{"half-decided", func(r *rig) {
			register(r)
			r.ok("device", "set", "--app", "demo", "--user", "bob", "--device", "pad", "--certificate", "35001", "--token", "CN_pad")
			r.ok("send", "--app", "demo", "--from", "alice", "--to", "bob", "--text", "x", "--id", "m-1")
			r.outcome("m-1", "bob", "suppressed", "muted", "")
		}, []string{"--message", "m-1"}, []string{"A worker is at the message this moment: nothing is known yet of pad."}},
		{"malformed", func(r *rig) {
			r.publish(dispatch.Outgoing{Subject: "push.dead.none.none.malformed", Data: []byte("{}"), Header: map[string]string{
				dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1", dispatch.HeaderError: "content.type is missing"}})
		}, []string{"--message", "m-1"}, []string{"could not be read: content.type is missing (dead letter 1)"}},
		{"unreadable-record", func(r *rig) {
			if err := r.bus.Put(r.t.Context(), "push.user.demo.bob.device.phone", []byte("{}")); err != nil {
				r.t.Fatal(err)
			}
		}, nil, []string{"a device record cannot be read, so it counts as absent: invalid registration: certificate is missing"}},
		{"many", func(r *rig) {
			register(r)
			for range 5 {
				r.outcome("m-1", "bob", "accepted", "accepted", "")
			}
		}, []string{"--limit", "2"}, []string{"3 older decision(s) are not shown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.prepare(r)
			got := r.ok(append([]string{"explain", "--app", "demo", "--user", "bob"}, c.args...)...)
			says(t, got, c.want...)
			if strings.Contains(got, "0123456789") {
				t.Errorf("a token is told whole:\n%s", got)
			}
		})
	}
}

func TestExplainJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.die("m-1", "bob", "bad_payload", "13", "channel does not exist")
	var e struct {
		App, User, Message, Trace string
		Devices                   []any
		Decisions                 []struct {
			MessageID  string `json:"message_id"`
			Status     string
			VendorCode string `json:"vendor_code"`
			Error      string
			Advice     string
		}
		Waiting []any
		Notes   []string
	}
	out := r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1", "-o", "json")
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(err)
	}
	if e.Devices == nil || e.Waiting == nil || len(e.Decisions) != 1 || e.Decisions[0].Error != "channel does not exist" || e.Decisions[0].VendorCode != "13" ||
		e.Decisions[0].MessageID != "m-1" || e.Decisions[0].Advice == "" || e.Trace != hongyan.TraceID("demo", "m-1") {
		t.Errorf("%s", out)
	}
}
