package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// inside is a worker in this process, so that its configuration and patience are the test's.
type inside struct {
	t    *testing.T
	log  *output
	stop func()
}

// startInside starts a worker with the rig's configuration, changed.
func (r *rig) startInside(orphanAfter time.Duration, change func(*config.Config)) *inside {
	r.t.Helper()
	conf, err := config.Load(r.config(), kinds)
	if err != nil {
		r.t.Fatal(err)
	}
	change(conf)
	return r.serveInside(&service{conf: conf, orphanAfter: orphanAfter})
}

// serveInside runs a service until the test ends, and returns once it consumes.
func (r *rig) serveInside(s *service) *inside {
	r.t.Helper()
	w := &inside{t: r.t, log: &output{}}
	ready := make(chan struct{})
	s.log, s.ready = slog.New(slog.NewTextHandler(w.log, nil)), func(*service) { close(ready) }
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("a worker ended with %v", err)
		}
	})
	r.t.Cleanup(func() {
		w.stop()
		if r.t.Failed() {
			r.t.Logf("a worker's log:\n%s", tail(w.log.String()))
		}
	})
	select {
	case <-ready:
	case <-time.After(60 * time.Second):
		r.t.Fatal("the worker is not ready")
	}
	return w
}

// without takes certificates out of a configuration.
func without(conf *config.Config, ids ...string) (taken []vendors.Config) {
	app := &conf.Apps[0]
	app.Certificates = slices.DeleteFunc(app.Certificates, func(c vendors.Config) bool {
		found := slices.Contains(ids, c.Base().ID)
		if found {
			taken = append(taken, c)
		}
		return found
	})
	return taken
}

// Configurations of the roll-out: the old one lacks vivo's certificate and the app "fresh", which
// has Huawei's; the last one lacks the app again, and with it the vendor.
func oldConfig(conf *config.Config) { without(conf, "demo-huawei", "demo-vivo") }

func newConfig(conf *config.Config) {
	fresh := conf.Apps[0]
	fresh.ID = "fresh"
	fresh.Certificates = without(conf, "demo-huawei")
	conf.Apps = append(conf.Apps, fresh)
}

func lastConfig(conf *config.Config) { without(conf, "demo-huawei") }

// published publishes a message to a user of an app.
func (r *rig) published(app, id, user string) {
	r.t.Helper()
	data, err := json.Marshal(chat(id, user))
	if err != nil {
		r.t.Fatal(err)
	}
	if errs := r.bus.Publish(r.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Message(app), ID: app + "/" + id, Data: data}}); errs != nil {
		r.t.Fatal(errors.Join(errs...))
	}
}

// letters are the reasons of the dead letters, with how many there are of each.
func (r *rig) letters() map[string]int {
	r.t.Helper()
	box, err := r.bus.LetterBox(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	letters, err := box.Letters(r.t.Context(), "push.dead.>", 1, time.Time{}, 10_000)
	if err != nil {
		r.t.Fatal(err)
	}
	n := map[string]int{}
	for i := range letters {
		n[string(letters[i].Reason)]++
	}
	return n
}

// publisherFails runs the operators' tool, which must say that not all was done.
func (r *rig) publisherFails(args ...string) string {
	r.t.Helper()
	out, err := exec.CommandContext(r.t.Context(), publisher.binary(r.t, "../publisher"), append([]string{"--nats", r.url}, args...)...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		r.t.Fatalf("publisher %s: %v, want exit code 1\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A new certificate and a new app are rolled out over two workers under load: nothing of them is
// lost to the worker that does not know them yet. Then they are taken out again while their jobs
// wait: these are left to the worker that still serves them, are dead when that is gone, are not
// replayed into nowhere, and come back when somebody serves them.
func TestRollOut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	r := newRig(t, "")
	const users, load, waiting = 20, 400, 40
	r.registerAll(users, "oppo")
	first := r.startInside(0, oldConfig)
	second := r.startInside(0, newConfig)
	for u := range users { // the apps learn of what is new
		user := "u" + itoa(u)
		r.register(user, "tablet", "vivo")
		r.put(hongyan.Subjects{}.Device("fresh", user, "phone"), hongyan.Device{Certificate: "demo-huawei", Token: all.Token("huawei", user)})
	}
	for n := range load {
		user, id := "u"+itoa(n%users), "m-"+itoa(n)
		r.published("demo", id, user)
		r.published("fresh", id, user)
		if n == load/2 {
			first.stop()
			first = r.startInside(0, newConfig)
		}
		time.Sleep(5 * time.Millisecond) // the load's pace
	}
	r.settled(time.Minute, "oppo", "vivo", "huawei")
	if got := r.letters(); len(got) > 0 {
		t.Errorf("dead letters: %v", got)
	}
	outcomes := r.outcomes()
	for at, o := range outcomes {
		if o.Status != hongyan.StatusAccepted {
			t.Errorf("%v ended as %s %s", at, o.Status, o.DeviceOutcome.Reason)
		}
	}
	counts := r.box.Counts()
	for _, v := range []string{"oppo", "vivo", "huawei"} {
		if counts[v].Accepted != load {
			t.Errorf("%d pushes through %s, want %d", counts[v].Accepted, v, load)
		}
	}

	// Taken out again, one worker after the other, while its jobs wait.
	r.box.Arm(sandbox.Fault{Vendor: "huawei", Kind: sandbox.FaultServerError})
	for n := range waiting {
		r.published("fresh", "w-"+itoa(n), "u"+itoa(n%users))
	}
	r.until(20*time.Second, "stored jobs", func() bool { return r.waiting("huawei") == waiting })
	first.stop()
	last := r.startInside(time.Second, lastConfig)
	time.Sleep(3 * time.Second)
	if got := r.letters(); len(got) > 0 {
		t.Errorf("dead letters although a worker serves them: %v", got)
	}
	second.stop()
	r.until(20*time.Second, "dead", func() bool { return r.letters()["unknown_certificate"] == waiting })
	if n := r.waiting("huawei"); n > 0 || len(r.letters()) != 1 {
		t.Errorf("%d jobs wait, dead letters: %v", n, r.letters())
	}
	for n := range waiting {
		at := [3]string{"w-" + itoa(n), "u" + itoa(n%users), "phone"}
		if o := r.outcomes()[at]; o.Status != hongyan.StatusDead || o.DeviceOutcome.Reason != hongyan.UnknownCertificate {
			t.Fatalf("%v ended as %s %s", at, o.Status, o.DeviceOutcome.Reason)
		}
	}
	if said := r.publisherFails("replay", "--yes"); !strings.Contains(said, fmt.Sprint(waiting)) || !strings.Contains(said, "no live worker serves") {
		t.Errorf("replay says:\n%s", said)
	}
	r.box.Clear("", 0)
	last.stop()
	r.startInside(0, newConfig)
	r.publisher("replay", "--yes")
	r.settled(time.Minute, "huawei")
	if got := r.box.Counts()["huawei"].Accepted; got != load+waiting {
		t.Errorf("%d pushes through Huawei at the end, want %d; dead letters: %v", got, load+waiting, r.letters())
	}
}
