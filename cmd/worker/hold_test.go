package main

import (
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// What an operator holds in the middle of a flood is not pushed two seconds later, by any worker,
// nor by one that starts then; what expires ends as expired, and all else is pushed once after the
// release.
func TestHold(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	r := newRig(t, "")
	r.configure("demo-oppo", "rate: {devices_per_second: 30}")
	publisher.binary(t, "../publisher") // its orders shall come at once
	const messages, users = 600, 20
	r.registerAll(users, "oppo")
	for u := range users {
		r.register("u"+itoa(u), "other", "meizu")
	}
	workers := []*process{r.start(), r.start()}
	r.flood(messages, users, func(int) int { return day })
	r.until(time.Minute, "under way", func() bool { return r.count("oppo") > 20 })
	r.publisher("limits", "hold", "demo-vivo")
	r.publisher("limits", "hold", "demo-oppo", "--reason", "ticket 4711", "--by", "Olga")
	last := time.Now().Add(2 * time.Second)
	for _, w := range workers {
		r.until(time.Minute, "heard of by a worker", func() bool { return strings.Count(w.log.String(), "held by hand") == 2 })
	}
	const short = 10
	r.register("late", "phone", "vivo")
	for i := range short {
		m := chat("short-"+itoa(i), "late")
		m.TTLSeconds = 15
		r.send(m)
	}
	r.until(2*time.Minute, "pushed through Meizu", func() bool { return r.count("meizu") == messages })
	workers = append(workers, r.start())
	if err := workers[0].stop(sigterm); err != nil {
		t.Errorf("a worker did not stop cleanly: %v", err)
	}
	var ends map[string]int
	defer func() { t.Logf("ends while it was held: %v", ends) }()
	r.until(time.Minute, "expired while they are held", func() bool {
		ends = r.ends()
		return ends["dead expired"]+ends["suppressed expired"] == short
	})
	if held := r.heldRecords("demo-vivo"); held == 0 {
		t.Error("no record says that a push waits because it is held")
	}
	view := r.publisher("limits", "--certificate", "demo-oppo")
	for _, want := range []string{"held by hand", "held by Olga", "ticket 4711"} {
		if !strings.Contains(view, want) {
			t.Errorf("publisher limits does not say %q:\n%s", want, view)
		}
	}
	if log := workers[1].log.String(); !strings.Contains(log, "held by hand") || !strings.Contains(log, `reason="ticket 4711"`) || !strings.Contains(log, "by=Olga") {
		t.Error("a worker does not log who holds what and why")
	}
	// The app is held as well; the certificate's release lets nothing go yet.
	r.publisher("limits", "hold", "--app", "demo")
	r.publisher("limits", "release", "demo-oppo")
	r.until(time.Minute, "heard of the release by a worker", func() bool {
		_, log, _ := strings.Cut(workers[1].log.String(), "released by hand")
		return strings.Contains(log, "certificate=demo-oppo")
	})
	var late []time.Time
	for _, at := range r.arrivals("oppo") {
		if at.After(last) {
			late = append(late, at)
		}
	}
	if before := r.count("oppo"); len(late) > 0 || before == messages {
		t.Errorf("%d of %d pushes are made; later than two seconds after the order %d: %v", before, messages, len(late), late)
	}
	r.publisher("limits", "release", "demo-vivo")
	r.publisher("limits", "release", "--app", "demo")
	r.settled(2*time.Minute, "oppo", "meizu", "vivo")
	if got := r.count("oppo"); got != messages {
		t.Errorf("%d of %d were delivered", got, messages)
	}
	for _, o := range r.outcomes() {
		if expired := o.Reason == hongyan.Expired && o.Certificate == "demo-vivo"; o.Status != hongyan.StatusAccepted && !expired {
			t.Errorf("%s by %s ended as %s %s", o.MessageID, o.Vendor, o.Status, o.Reason)
		}
	}
	r.noViolations()
}

// heldRecords counts the devices whose records say that they wait because a certificate is held.
func (r *rig) heldRecords(certificate string) (n int) {
	r.t.Helper()
	err := r.bus.RecordsOf(r.t.Context(), "demo", hongyan.StatusWaiting, time.Time{}, func(rec dispatch.Record) bool {
		for _, d := range rec.Devices {
			if rec.Certificate == certificate && d.Reason == hongyan.Parked && d.Note == "held" {
				n++
			}
		}
		return true
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}
