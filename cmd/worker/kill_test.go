package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// 2,000 messages to three vendors while two workers are killed and restarted ten times: nothing is
// missing, and what is repeated carries the same key.
func TestNothingIsLostUnderKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills real processes for half a minute")
	}
	t.Parallel()
	r := newRig(t, "")
	const users, messages, kills = 60, 2000, 10
	vendors := []string{"apns", "fcm", "huawei"}
	owner := map[string][2]string{}
	dead := map[[2]string]bool{}
	for u := range users {
		for _, v := range vendors {
			user := fmt.Sprintf("u%d", u)
			token := r.register(user, v, v)
			owner[token] = [2]string{user, v}
			if u%20 == 19 { // some devices are dead
				r.box.Kill(v, token)
				dead[[2]string{user, v}] = true
			}
		}
	}
	// Calls take a while, so that a kill finds some under way.
	for _, v := range vendors {
		r.box.Arm(sandbox.Fault{Vendor: v, Kind: sandbox.FaultSlow, Delay: 0.1})
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	workers := []*process{r.start(), r.start()}
	sent := map[string][]string{}
	killed := 0
	for i := range messages {
		id := fmt.Sprintf("m-%d", i)
		to := []string{fmt.Sprintf("u%d", rng.IntN(users))}
		if i%50 == 0 { // a group now and then
			for u := range users {
				to = append(to, fmt.Sprintf("u%d", u))
			}
		}
		sent[id] = to
		r.send(chat(id, to...))
		if i%(messages/kills) == messages/kills-1 && killed < kills {
			// Strike while both work: when more was accepted since the last kill than one of them
			// holds.
			r.accepted(vendors, killed*800+400)
			w := rng.IntN(len(workers))
			workers[w].kill()
			killed++
			workers[w] = r.start()
		}
	}
	r.settled(5*time.Minute, vendors...)

	accepted := map[[3]string]map[string]int{} // message, user, device: keys and how often
	repeats := 0
	for _, p := range r.box.Pushes() {
		id := messageOf(p)
		at := [3]string{id, owner[p.Token][0], owner[p.Token][1]}
		if accepted[at] == nil {
			accepted[at] = map[string]int{}
		}
		accepted[at][p.Key]++
		if p.Repeat {
			repeats++
		}
	}
	outcomes := r.outcomes()
	ends := map[string]int{}
	for id, to := range sent {
		for _, user := range to {
			for _, v := range vendors {
				at := [3]string{id, user, v}
				o := outcomes[at]
				switch {
				case len(accepted[at]) == 1:
					ends["accepted"]++
				case len(accepted[at]) > 1:
					t.Errorf("%v was pushed with different keys: %v", at, accepted[at])
				case !dead[[2]string{user, v}]:
					t.Errorf("%v is missing; its outcome is %+v", at, o)
				case o.Status == hongyan.StatusDead && o.Reason == "bad_token":
					ends["dead"]++
				case o.Status == "":
					// the registration of the dead device was gone when the message came
					ends["removed before"]++
				default:
					t.Errorf("%v of a dead device ended as %s %s", at, o.Status, o.Reason)
				}
			}
		}
	}
	if v := r.box.Violations(); len(v) > 0 {
		t.Errorf("broken rules: %v", v[0])
	}
	if killed != kills {
		t.Errorf("%d workers were killed, want %d", killed, kills)
	}
	t.Logf("%d kills; ends %v; %d pushes were repeated, with their keys", killed, ends, repeats)
}

// accepted waits until the vendors took n pushes in all.
func (r *rig) accepted(vendors []string, n int) {
	r.t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		total := 0
		for v, c := range r.box.Counts() {
			if slices.Contains(vendors, v) {
				total += int(c.Accepted + c.Refused)
			}
		}
		if total >= n {
			return
		}
		select {
		case <-limit:
			r.t.Fatalf("only %d of %d pushes arrived", total, n)
		case <-time.After(10 * time.Millisecond): // polling other processes
		}
	}
}

// messageOf finds the message id that the test put into ext.
func messageOf(p sandbox.Push) string {
	i := strings.Index(p.Ext, `"id`)
	if i < 0 {
		return ""
	}
	rest := p.Ext[i:]
	j := strings.Index(rest, "m-")
	if j < 0 {
		return ""
	}
	rest = rest[j:]
	return rest[:strings.IndexFunc(rest, func(c rune) bool { return c == '"' || c == '\\' })]
}
