package main

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
)

var registered = flag.Int("registered", 300, "how many users TestRegisterAndSend registers")

// On a cluster of three a user registers, and the next thing that is stored is a message to them:
// it finds the device, although both workers remember, from a message before, that the user has
// none.
func TestRegisterAndSend(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of three servers")
	}
	t.Parallel()
	r := &rig{t: t, dir: t.TempDir()}
	r.url = startCluster(t, r.natsDir()).url()
	r.setUp(r.url, 3, "")
	workers := []*process{r.start(), r.start()}
	user := func(i int) string { return fmt.Sprintf("u%d", i) }
	for i := range *registered {
		r.send(chat(fmt.Sprintf("m-before-%d", i), user(i)))
	}
	r.until(2*time.Minute, "every message before ended", func() bool { return r.ends()["suppressed no_device"] == *registered })
	for i := range *registered {
		r.register(user(i), "phone", allVendors[i%len(allVendors)])
		r.send(chat(fmt.Sprintf("m-after-%d", i), user(i)))
	}
	r.settled(2*time.Minute, allVendors...)
	missed := 0
	outcomes := r.outcomes()
	for i := range *registered {
		at := [3]string{fmt.Sprintf("m-after-%d", i), user(i), "phone"}
		if o := outcomes[at]; o.Status != hongyan.StatusAccepted {
			missed++
			t.Logf("%v ended as %q %s", at, o.Status, o.Reason)
		}
	}
	if missed > 0 {
		t.Errorf("%d of %d messages missed the device that was registered before them", missed, *registered)
	}
	r.noViolations()
	r.stopAll(workers...)
}
