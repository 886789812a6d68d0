package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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
				case o.Status == hongyan.StatusSuppressed && o.Reason == hongyan.NoDevice:
					// it was gone when the push, which had waited, was decided on again
					ends["removed meanwhile"]++
				case o.Status == hongyan.StatusDead && o.Reason == hongyan.NotDisplayed:
					// its worker knew of no accepted push of the certificate yet, and did not
					// believe the vendor
					ends["doubted"]++
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

// A worker is killed in the middle of a group of 10,000 whose presences keep changing: no more is
// repeated than was in flight, and nobody is missing.
func TestKillInTheMiddleOfAGroup(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process in the middle of a large group")
	}
	t.Parallel()
	const members, concurrency, batch = 10_000, 2, 1000 // Huawei takes a thousand devices a call
	r := newRig(t, "")
	r.configure("demo-huawei", fmt.Sprintf("concurrency: %d", concurrency))
	r.configure("demo-apns", "concurrency: 100")
	crowd := r.crowd(members, "apns", "huawei")
	var all []string
	for i := range members {
		all = append(all, crowd.user(i))
	}
	r.box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultSlow, Delay: 1})
	r.box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultSlow, Delay: 0.2})
	first := r.start()
	// Members come and go. Who is in the foreground while the group is planned is not pushed to.
	ctx, stop := context.WithCancel(t.Context())
	var changing sync.WaitGroup
	lease := func() {
		r.put(hongyan.Subjects{}.Gateway("demo", "gw"), hongyan.Lease{Since: time.Now().Add(-time.Hour)})
	}
	lease()
	changing.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		for n := 0; ctx.Err() == nil; n++ {
			state := hongyan.StateBackground
			if n%2 == 0 {
				state = hongyan.StateForeground
			}
			r.put(hongyan.Subjects{}.Presence("demo", crowd.user(rng.IntN(members)), "phone"), hongyan.Presence{State: state, Gateway: "gw"})
			if n%200 == 0 {
				lease()
			}
			time.Sleep(2 * time.Millisecond) // their own pace
		}
	})
	m := chat("m-group", all...)
	m.Conversation.Type = hongyan.ConversationGroup
	r.send(m)
	r.until(time.Minute, "in the middle", func() bool { return crowd.accepted() >= members/5 })
	second := r.start() // the pieces are the first one's by now
	first.kill()
	at := crowd.accepted()
	crowd.settle()
	crowd.settleLater(4 * time.Minute)
	stop()
	changing.Wait()
	pushes, ends := map[string]int{}, r.outcomes()
	for _, p := range r.box.Pushes() {
		pushes[p.Token]++
	}
	repeats, endless, suppressed := map[string]int{}, 0, 0
	for i := range members {
		end, ok := ends[[3]string{m.ID, crowd.user(i), "phone"}]
		n := pushes[crowd.token(i)]
		switch {
		case !ok:
			endless++
		case end.Status == hongyan.StatusSuppressed && n == 0:
			suppressed++
		case n == 0:
			t.Errorf("user %d ended as %s %s and was never pushed to", i, end.Status, end.Reason)
		}
		repeats[crowd.vendor(i)] += max(0, n-1)
	}
	t.Logf("FIGURES a worker of two killed in a group of %d after %d pushes: repeats %v, %d without an end, %d in the foreground", members, at, repeats, endless, suppressed)
	if endless > 0 {
		t.Errorf("%d have no end", endless)
	}
	if repeats["apns"] > 100 || repeats["huawei"] > concurrency*batch {
		t.Errorf("more was repeated than one worker had in flight: %v", repeats)
	}
	r.noViolations()
	second.kill()
}

// A worker of two is stopped by SIGTERM in the middle of a flood and of a group: nothing is lost
// and nothing repeated.
func TestStopInTheMiddle(t *testing.T) {
	if testing.Short() {
		t.Skip("stops a process in the middle of a flood")
	}
	t.Parallel()
	r := newRig(t, "shutdown: 1m") // no call under way is to be cut off where the machine is busy
	crowd := r.crowd(900, allVendors...)
	for _, v := range crowd.vendors {
		r.box.Arm(sandbox.Fault{Vendor: v, Kind: sandbox.FaultSlow, Delay: 0.2})
	}
	workers := []*process{r.start(), r.start()}
	flooded := make(chan []push)
	go func() { flooded <- crowd.flood(4000) }()
	m := chat("m-group")
	m.Conversation.Type = hongyan.ConversationGroup
	var sent []push
	for i := range crowd.n {
		m.Recipients = append(m.Recipients, crowd.user(i))
		sent = append(sent, push{m.ID, i})
	}
	r.send(m)
	stops := 0
	for ; stops < 4; stops++ {
		r.until(time.Minute, "in the middle", func() bool { return crowd.accepted() >= 600*(stops+1) })
		w := &workers[stops%2]
		r.stopAll(*w)
		*w = r.start()
	}
	sent = append(sent, <-flooded...)
	crowd.settle()
	crowd.settleLater(4 * time.Minute)
	all := crowd.tally(sent)
	report(t, fmt.Sprintf("a worker of two stopped %d times in the middle", stops), all)
	if all.repeats > 0 || all.twice > 0 {
		t.Errorf("%v", all)
	}
	r.stopAll(workers...)
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
