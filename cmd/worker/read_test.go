package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// What a read mark does to what a phone shows, as the vendors' pages say: where there is a refresh
// the number moves; on iPhones nothing is left when it becomes 0; and what every other phone shows
// stays for the app to clear.
func TestReadAtEveryVendor(t *testing.T) {
	t.Parallel()
	refreshed := []string{"apns", "harmony"}
	r := newRig(t, "")
	tokens := map[string]string{}
	var users []string
	for _, v := range allVendors {
		tokens[v] = r.register(ownedBy(v), "phone", v)
		users = append(users, ownedBy(v))
	}
	r.startInside(time.Minute, func(c *config.Config) { c.Apps[0].Policy.Badge = "counted" })
	other := chat("m-2", users...)
	other.Conversation.ID = "c2c_zoe"
	for _, m := range []hongyan.Message{chat("m-1", users...), other} {
		r.send(m)
		r.until(30*time.Second, "accepted: "+m.ID, func() bool {
			return !slices.ContainsFunc(users, func(u string) bool { return r.outcomes()[[3]string{m.ID, u, "phone"}].Status != hongyan.StatusAccepted })
		})
	}
	numbers := func(vendor string) (all []int) {
		for _, p := range pushesTo(r, tokens[vendor]) {
			if p.OnlyBadge {
				all = append(all, *p.Badge)
			}
		}
		return all
	}
	for i, step := range []struct {
		conversation string
		number       int
	}{{other.Conversation.ID, 1}, {chat("m-1").Conversation.ID, 0}} {
		for _, u := range users {
			r.signal(hongyan.Signal{Type: hongyan.SignalRead, User: u, Conversation: step.conversation, At: time.Now()})
		}
		r.until(30*time.Second, fmt.Sprintf("the number %d", step.number), func() bool {
			return !slices.ContainsFunc(refreshed, func(v string) bool { return len(numbers(v)) != i+1 })
		})
		for vendor, screen := range r.screens(tokens) {
			want := 2
			if vendor == "apns" && step.number == 0 {
				want = 0
			}
			if len(screen) != want || slices.ContainsFunc(screen, func(p sandbox.Push) bool { return p.Repeat }) {
				t.Errorf("with %d unread the phone of %s shows %d notifications, want %d as they were", step.number, vendor, len(screen), want)
			}
			if got := numbers(vendor); slices.Contains(refreshed, vendor) && got[i] != step.number || !slices.Contains(refreshed, vendor) && got != nil {
				t.Errorf("with %d unread the icon of %s was set to %v", step.number, vendor, got)
			}
		}
	}
	r.noViolations()
}
