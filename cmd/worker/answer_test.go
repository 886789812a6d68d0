package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/texts"
)

// soundsAlways are the vendors whose pages say that they have no field for silence.
var soundsAlways = map[string]bool{"harmony": true, "honor": true}

// A call rings a phone of every vendor and is answered on another device of each callee: where it
// rang stands that it was answered elsewhere, in the same place, as quietly as the vendor's page
// says. What rang over VoIP is followed by an alert, and by no second VoIP push. What the other
// callees do changes nothing on a phone.
func TestCallAnsweredElsewhereAtEveryVendor(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	tokens := map[string]string{}
	var users []string
	for _, v := range allVendors {
		tokens[v] = r.register(ownedBy(v), "phone", v)
		users = append(users, ownedBy(v))
	}
	const iphone = "u-iphone"
	alert, voip := all.Token("apns", iphone+"/phone"), all.Token("apns", iphone+"/voip")
	r.put(hongyan.Subjects{}.Device("demo", iphone, "phone"), hongyan.Device{Certificate: "demo-apns", Token: alert,
		VoIP: &hongyan.VoIP{Certificate: "demo-apns-voip", Token: voip}})
	users = append(users, iphone)
	r.startInside(time.Minute, func(*config.Config) {})
	event := func(id string, action hongyan.CallAction, sender hongyan.Sender, recipients ...string) hongyan.Message {
		m := chat(id, recipients...)
		m.Sender = sender
		m.Content = hongyan.Content{Type: hongyan.ContentCall, Call: &hongyan.Call{Media: hongyan.CallAudio, Action: action, ID: "call-1"}}
		m.OfflinePush.Ext = ""
		return m
	}
	r.send(event("m-invite", hongyan.CallInvite, hongyan.Sender{ID: "alice", Nickname: "爱丽丝"}, users...))
	last := func(vendor, token string) (p sandbox.Push, n int) {
		screen := r.box.Screen(vendor, token)
		if len(screen) > 0 {
			p = screen[len(screen)-1]
		}
		return p, len(screen)
	}
	answered, places := texts.BuiltIn().Text("", texts.AnsweredElsewhere), map[string]string{}
	r.until(30*time.Second, "every phone rings", func() bool {
		for v, token := range tokens {
			p, n := last(v, token)
			if n != 1 || p.Body == answered {
				return false
			}
			places[v] = p.Key
		}
		p, n := last("apns", voip)
		return n == 1 && p.Call
	})
	for i, u := range users {
		if i == 1 { // what one callee does concerns nobody else
			for v, token := range tokens {
				if p, _ := last(v, token); (p.Body == answered) != (ownedBy(v) == users[0]) {
					t.Errorf("after %s answered the phone of %s shows %q", users[0], v, p.Body)
				}
			}
		}
		id := fmt.Sprint("m-answer-", u)
		r.send(event(id, hongyan.CallAnswer, hongyan.Sender{ID: u, Device: "desktop"}, "alice"))
		r.until(30*time.Second, id+" reaches the phone", func() bool {
			return r.outcomes()[[3]string{id, u, "phone"}].Status == hongyan.StatusAccepted
		})
	}
	for v, token := range tokens {
		p, n := last(v, token)
		if n != 1 || p.Body != answered || p.Key != places[v] || p.Call {
			t.Errorf("%s: the phone shows %d notifications, the last %+v; it rang under %s", v, n, p, places[v])
		}
		if p.Quiet == soundsAlways[v] {
			t.Errorf("%s: quiet is %v", v, p.Quiet)
		}
	}
	if p, n := last("apns", alert); n != 1 || p.Body != answered || !p.Quiet || p.Call {
		t.Errorf("the alert that follows a VoIP push: %d, %+v", n, p)
	}
	if _, n := last("apns", voip); n != 0 {
		t.Error("the call screen rings on beside the alert that follows")
	}
	if n := len(pushesTo(r, voip)); n != 1 {
		t.Errorf("%d VoIP pushes, want the one that rang", n)
	}
	r.settled(30*time.Second, allVendors...)
	if letters := r.letters(); len(letters) > 0 {
		t.Errorf("dead letters: %v", letters)
	}
	r.noViolations()
}

// pushesTo are the pushes that a vendor took for a token.
func pushesTo(r *rig, token string) (to []sandbox.Push) {
	for _, p := range r.box.Pushes() {
		if p.Token == token {
			to = append(to, p)
		}
	}
	return to
}
