package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// On each batch vendor, a message to devices of which some are dead and others meet a throttled
// call: the dead registrations are removed, the throttled devices are tried again, and what was
// accepted is never sent twice.
func TestBatchesOnEveryVendor(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	var batch []string
	for v := range kinds {
		if v != "apns" && v != "fcm" { // these take one device a call
			batch = append(batch, v)
		}
	}
	const members = 12
	dead := func(u int) bool { return u%4 == 3 }
	owner := map[string]string{}
	recipients := map[string][]string{}
	for _, v := range batch {
		for u := range members {
			user := fmt.Sprintf("%s-%d", v, u)
			token := r.register(user, "phone", v)
			owner[token] = user
			recipients[v] = append(recipients[v], user)
			if dead(u) {
				r.box.Kill(v, token)
			}
		}
	}
	r.start()
	// Something is accepted before: codes that may also mean a wrong environment remove no
	// registration until then, and a call for one dead device alone could be answered first.
	for _, v := range batch {
		r.send(chat("m-0-"+v, recipients[v][0]))
	}
	r.settled(2*time.Minute, batch...)
	// Now the calls of all vendors are throttled once as a whole, then they meet the dead among the
	// living.
	for _, v := range batch {
		r.box.Arm(sandbox.Fault{Vendor: v, Kind: sandbox.FaultThrottle, Times: 1, RetryAfter: 1})
		r.send(chat("m-1-"+v, recipients[v]...))
	}
	r.settled(2*time.Minute, batch...)
	if left := r.box.Faults(); len(left) > 0 {
		t.Errorf("some faults did not strike: %+v", left)
	}
	for _, v := range batch {
		r.send(chat("m-2-"+v, recipients[v]...))
	}
	r.settled(2*time.Minute, batch...)

	times := map[string]int{}
	for _, p := range r.box.Pushes() {
		times[messageOf(p)+" "+owner[p.Token]]++
	}
	outcomes := r.outcomes()
	for _, v := range batch {
		for u := range members {
			user := fmt.Sprintf("%s-%d", v, u)
			first, second := "m-1-"+v, "m-2-"+v
			if dead(u) {
				if o := outcomes[[3]string{first, user, "phone"}]; o.Status != "dead" || o.Reason != "bad_token" {
					t.Errorf("%s: a dead device ended as %s %s", user, o.Status, o.Reason)
				}
				if o := outcomes[[3]string{second, user, ""}]; o.Reason != "no_device" {
					t.Errorf("%s: the dead registration was not removed: %s %s", user, o.Status, o.Reason)
				}
				continue
			}
			for _, id := range []string{first, second} {
				if o := outcomes[[3]string{id, user, "phone"}]; o.Status != "accepted" || o.Attempt != 1 {
					t.Errorf("%s: %s ended as %s %s after %d attempts", user, id, o.Status, o.Reason, o.Attempt)
				}
				if n := times[id+" "+user]; n != 1 {
					t.Errorf("%s: %s was accepted %d times", user, id, n)
				}
			}
		}
	}
	if v := r.box.Violations(); len(v) > 0 {
		t.Errorf("broken rules: %v", v)
	}
}
