package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	tokens "github.com/hongyan-im/hongyan/internal/owner"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// person stores all that can be kept of bob, and as much of carol, as workers do.
func (r *rig) person() {
	r.t.Helper()
	s := hongyan.Subjects{}
	for _, u := range []string{"bob", "carol"} {
		r.ok("device", "set", "--app", "demo", "--user", u, "--device", "phone", "--certificate", "35001", "--token", "CN_0123456789"+u)
		r.ok("presence", "--app", "demo", "--user", u, "--device", "phone", "--state", "background")
		r.ok("settings", "--app", "demo", "--user", u, "--mute", "g-7")
		registration := s.Device("demo", u, "phone")
		for _, token := range []string{"CN_0123456789" + u, "had once " + u} {
			r.publish(dispatch.Outgoing{Subject: tokens.Subject(s, "demo", token), Data: fmt.Appendf(nil, `{"v":1,"registration":%q,"sequence":1}`, registration)})
		}
		r.publish(dispatch.Outgoing{Subject: s.Badge("demo", u), Data: []byte{1, 3, 0, 0, 0}},
			dispatch.Outgoing{Subject: s.ReadMark("demo", u, "c2c_alice"), Data: fmt.Appendf(nil, `{"v":1,"what":"read","user":%q,"conversation":"c2c_alice"}`, u)})
		r.publish(dispatch.Outgoing{Subject: s.Own("count.device.35001.private." + tokens.Hash("CN_0123456789"+u) + ".20261127"), Header: map[string]string{"Nats-Incr": "+1"}})
		r.die("m-"+u, u, vendors.BadPayload, "13", "no such channel")
	}
	both := sampleJob("m-both", "bob")
	both.Targets = append(both.Targets, dispatch.Target{User: "carol", Device: "phone", Token: "CN_0123456789carol"})
	data, err := both.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	header := map[string]string{dispatch.HeaderReason: "bad_payload", dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-both"}
	r.publish(dispatch.Outgoing{Subject: s.Dead("oppo", "35001", vendors.BadPayload), Data: data, Header: header})
	malformed := map[string]string{dispatch.HeaderReason: "malformed", dispatch.HeaderApp: "demo", dispatch.HeaderSubject: s.Message("demo")}
	for _, body := range []string{
		`{"id":"a","conversation":{"type":"group","id":"g"},"sender":{"id":"alice"},"recipients":["bob","carol"],"content":{"type":"text","text":"x"}}`,
		`{"id":"b","conversation":{"type":"group","id":"g"},"sender":{"id":"bob"},"recipients":["carol"],"content":{"type":"text","text":"x"}}`,
		`{"id":"c","recipients":["bob"`, `{"id":"d","recipients":["carol"`,
	} {
		r.publish(dispatch.Outgoing{Subject: s.Dead("", "", vendors.Malformed), Data: []byte(body), Header: malformed})
	}
}

// kept are the kinds of records of a user that "user show" lists, with how many there are.
func (r *rig) kept(user string) map[string]int {
	r.t.Helper()
	kinds := map[string]int{}
	for line := range strings.Lines(r.ok("user", "show", "--app", "demo", "--user", user, "-o", "json")) {
		var v recordView
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			r.t.Fatal(err)
		}
		kinds[v.Kind]++
	}
	return kinds
}

func TestUserErase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person()
	before := r.kept("carol")
	if want := map[string]int{"directory": 3, "badge": 1, "read mark": 1, "token": 2, "count of a day": 1, "dead letter": 5, "outcome": 1}; fmt.Sprint(before) != fmt.Sprint(want) {
		t.Fatalf("of carol is kept %v, want %v", before, want)
	}
	if shown := r.ok("user", "show", "--app", "demo", "--user", "bob"); strings.Contains(shown, "CN_0123456789bob") || !strings.Contains(shown, "g-7") || !strings.Contains(shown, `{"number":3}`) {
		t.Errorf("user show:\n%s", shown)
	}
	// Of what is about others as well only bob's part is shown, but whole what bob sent.
	all := r.ok("user", "show", "--app", "demo", "--user", "bob", "--show-tokens", "-o", "json")
	if !strings.Contains(all, "CN_0123456789bob") {
		t.Error("--show-tokens shows none")
	}
	letters := 0
	for line := range strings.Lines(all) {
		var v recordView
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v.Kind == "dead letter" {
			letters++
		}
		if strings.Contains(line, "carol") != strings.Contains(line, `"id":"b"`) {
			t.Errorf("bob is shown %s", line)
		}
		if v.Kind == "dead letter" && (v.Sequence == 0 || v.Record == nil != (v.Sequence == 6)) {
			t.Errorf("dead letter %d: %s", v.Sequence, line)
		}
	}
	if letters != 5 {
		t.Errorf("bob is shown %d dead letters", letters)
	}
	r.fails([]string{"user", "erase", "--app", "demo", "--user", "bob"}, "--yes")
	for _, command := range []string{"user erase --yes", "user show", "device list", "settings --mute g-7", "explain"} {
		r.misused(append(strings.Fields(command), "--app", "*", "--user", "bob"), "app")
	}
	dry := r.ok("user", "erase", "--app", "demo", "--user", "bob", "--dry-run")
	says(t, dry, "would be erased", "directory", "no_device", "end by")
	if got := fmt.Sprint(r.kept("bob")); got == fmt.Sprint(map[string]int{"outcome": 1}) {
		t.Fatal("--dry-run erased something")
	}
	var answer erased
	if err := json.Unmarshal([]byte(r.ok("user", "erase", "--app", "demo", "--user", "bob", "--yes", "-o", "json")), &answer); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"directory": 3, "badge": 1, "read mark": 1, "token": 2, "count of a day": 1}; fmt.Sprint(answer.Records) != fmt.Sprint(want) || answer.Letters != 5 || answer.Split != 2 || answer.Left != 0 {
		t.Errorf("erased: %+v", answer)
	}
	if until := time.Until(answer.OutcomesUntil); until < 71*time.Hour || until > 72*time.Hour {
		t.Errorf("outcomes end in %v, want three days", until)
	}
	if got := fmt.Sprint(r.kept("bob")); got != fmt.Sprint(map[string]int{"outcome": 1}) {
		t.Errorf("still kept of bob: %s", got)
	}
	// The message that both sent or got is not carol's any less.
	before["dead letter"]-- // bob's own message to her
	if after := r.kept("carol"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("of carol is kept %v, before %v", after, before)
	}
	if list := r.ok("dead", "list", "--user", "carol", "-o", "json"); !strings.Contains(list, `"message":"m-both"`) || !strings.Contains(list, `"devices":1`) {
		t.Errorf("the letter of both:\n%s", list)
	}
	// Again it finds nothing, and that is no error.
	says(t, r.ok("user", "erase", "--app", "demo", "--user", "bob", "--yes"), "is erased")
	if got := r.ok("user", "show", "--app", "demo", "--user", "nobody"); !strings.Contains(got, "nothing is kept of nobody") {
		t.Errorf("user show of nobody: %s", got)
	}
}

// What a worker remembers of a user is forgotten with the erasure: an empty record tells it so.
func TestUserEraseIsHeardOf(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person()
	r.ok("user", "erase", "--app", "demo", "--user", "bob", "--yes")
	entries, err := r.bus.Read(t.Context(), r.bus.Topology().Directory(), hongyan.Subjects{}.User("demo", "bob"), 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || len(entries[0].Data) != 0 || entries[0].Header["Nats-TTL"] == nil {
		t.Errorf("left are %+v, want one empty record with a lifetime", entries)
	}
}
