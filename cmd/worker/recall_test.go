package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/texts"
)

// ownedBy is the user with a phone of a vendor.
func ownedBy(vendor string) string { return "u-" + vendor }

// signal publishes a signal.
func (r *rig) signal(s hongyan.Signal) {
	r.t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		r.t.Fatal(err)
	}
	if errs := r.bus.Publish(r.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Signal("demo"), Data: data}}); errs != nil {
		r.t.Fatal(errs)
	}
}

// withdrawn are the reasons of a message's withdrawn records, by user.
func (r *rig) withdrawn(message string) map[string]hongyan.Reason {
	r.t.Helper()
	found := map[string]hongyan.Reason{}
	entries, err := r.bus.Read(r.t.Context(), r.bus.Topology().Outcomes(), "push.outcome.demo.withdrawn.*", 1, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		ends, err := dispatch.ParseEnded(e.Data)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, o := range ends {
			if o.MessageID == message {
				found[o.User] = o.Reason
			}
		}
	}
	return found
}

// screens are what the phones show, by vendor.
func (r *rig) screens(tokens map[string]string) map[string][]sandbox.Push {
	shown := map[string][]sandbox.Push{}
	for vendor, token := range tokens {
		shown[vendor] = r.box.Screen(vendor, token)
	}
	return shown
}

// A recalled message is gone from the phone of every vendor, and nothing else is; a call that was
// given up rings no more.
func TestRecallAtEveryVendor(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	tokens := map[string]string{}
	var users []string
	for _, v := range allVendors {
		tokens[v] = r.register(ownedBy(v), "phone", v)
		users = append(users, ownedBy(v))
	}
	r.startInside(time.Minute, func(*config.Config) {})
	group := chat("m-group", users...)
	group.Conversation = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-7", Name: "老友"}
	group.Mentions = users[:3]
	r.send(chat("m-1", users...), chat("m-stays", users...), group)
	accepted := func(message string) func() bool {
		return func() bool {
			n := 0
			for key, o := range r.outcomes() {
				if key[0] == message && o.Status == hongyan.StatusAccepted {
					n++
				}
			}
			return n == len(users)
		}
	}
	for _, message := range []string{"m-1", "m-stays", "m-group"} {
		r.until(30*time.Second, "accepted: "+message, accepted(message))
	}
	r.signal(hongyan.Signal{Type: hongyan.SignalRecall, MessageID: "m-1", SentAt: time.Now().Add(-time.Minute)})
	r.signal(hongyan.Signal{Type: hongyan.SignalRecall, MessageID: "m-group"})
	gone := texts.BuiltIn().Text("", texts.Recalled)
	for _, message := range []string{"m-1", "m-group"} {
		r.until(30*time.Second, "withdrawn: "+message, func() bool { return len(r.withdrawn(message)) == len(users) })
		for user, reason := range r.withdrawn(message) {
			want := hongyan.Overwritten
			if user == ownedBy("harmony") {
				want = hongyan.Withdrawn
			}
			if reason != want {
				t.Errorf("%s at %s: %s, want %s", message, user, reason, want)
			}
		}
	}
	for vendor, screen := range r.screens(tokens) {
		var bodies []string
		for _, p := range screen {
			bodies = append(bodies, p.Body)
		}
		if len(bodies) != 3 || !strings.Contains(bodies[0], "m-stays") || bodies[1] != gone || bodies[2] != gone {
			t.Errorf("%s: the phone shows %q", vendor, bodies)
		}
	}
	if n := r.box.Counts()["harmony"].Withdrawn; n != 2 {
		t.Errorf("HarmonyOS was asked to take back %d pushes, want 2", n)
	}
	r.callIsGivenUp(users, tokens)
	r.settled(30*time.Second, allVendors...)
	if letters := r.letters(); len(letters) > 0 {
		t.Errorf("dead letters: %v", letters)
	}
	r.noViolations()
}

// callIsGivenUp rings every phone, and gives the call up.
func (r *rig) callIsGivenUp(users []string, tokens map[string]string) {
	r.t.Helper()
	call := func(id string, action hongyan.CallAction) hongyan.Message {
		m := chat(id, users...)
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: action, ID: "call-7"}}
		return m
	}
	missed := texts.BuiltIn().Text("", texts.MissedAudio)
	rung := func(holds func(last sandbox.Push) bool) func() bool {
		return func() bool {
			for _, screen := range r.screens(tokens) {
				if len(screen) != 4 || !holds(screen[3]) {
					return false
				}
			}
			return true
		}
	}
	r.send(call("m-invite", hongyan.CallInvite))
	r.until(30*time.Second, "rung", rung(func(p sandbox.Push) bool { return p.Body != missed }))
	r.send(call("m-hangup", hongyan.CallHangup))
	r.until(30*time.Second, "given up on every phone", rung(func(p sandbox.Push) bool {
		return p.Body == missed && !p.Call
	}))
	if !slices.ContainsFunc(r.box.Pushes(), func(p sandbox.Push) bool { return p.Call }) {
		r.t.Error("no phone rang")
	}
}
