package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A certificate with a wrong secret is parked on all workers within seconds, says what is wrong,
// uses no attempts, and everything that waited arrives once the secret is right.
func TestWrongSecretParksTheCertificate(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	r := newRig(t, "")
	secret := filepath.Join(r.dir, "sandbox", "oppo.secret")
	right, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	const messages = 200
	r.registerAll(20, "oppo")
	for u := range 20 {
		r.register("u"+itoa(u), "other", "meizu") // a healthy one beside it
	}
	workers := []*process{r.start(), r.start(), r.start()}
	r.flood(messages, 20, func(int) int { return day })
	const found, heard = "certificate is parked: ", "certificate is parked by another worker"
	began := time.Now()
	for i, w := range workers {
		r.until(time.Minute, "parked on worker "+itoa(i), func() bool {
			log := w.log.String()
			return strings.Contains(log, found) || strings.Contains(log, heard)
		})
	}
	t.Logf("parked on all workers after %v", time.Since(began).Round(100*time.Millisecond))
	r.until(time.Minute, "pushed through Meizu", func() bool { return r.count("meizu") == messages })
	time.Sleep(3 * time.Second) // some probes
	detected := 0
	for i, w := range workers {
		var lines []string
		for line := range strings.Lines(w.log.String()) {
			if strings.Contains(line, found) {
				lines = append(lines, line)
			}
		}
		detected += len(lines)
		switch {
		case len(lines) > 1:
			t.Errorf("worker %d says it %d times", i, len(lines))
		case len(lines) == 1 && !(strings.Contains(lines[0], "level=ERROR") && strings.Contains(lines[0], "certificate=demo-oppo") &&
			strings.Contains(lines[0], "reason=bad_credentials") && strings.Contains(lines[0], "code=16") && strings.Contains(lines[0], `error="`)):
			t.Errorf("worker %d does not say what is wrong: %s", i, lines[0])
		}
	}
	if detected == 0 {
		t.Error("no worker says that the certificate is parked")
	}
	if got := r.box.Counts()["oppo"].Requests; got != 0 {
		t.Errorf("%d pushes were tried without a login", got)
	}
	view := r.publisher("limits", "--certificate", "demo-oppo")
	for _, want := range []string{"parked, bad_credentials", "code 16", "found by worker w", "Key, secret, certificate or permission is wrong"} {
		if !strings.Contains(view, want) {
			t.Errorf("publisher limits does not say %q:\n%s", want, view)
		}
	}
	t.Logf("publisher limits says:\n%s", view)

	for _, w := range workers {
		if err := w.stop(sigterm); err != nil {
			t.Errorf("a worker did not stop cleanly: %v", err)
		}
	}
	if err := os.WriteFile(secret, right, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.start()
	r.settled(2*time.Minute, "oppo", "meizu")
	for _, o := range r.outcomes() {
		if o.Status != "accepted" || o.Attempt != 1 {
			t.Errorf("%s by %s ended as %s %s with attempt %d", o.MessageID, o.Vendor, o.Status, o.Reason, o.Attempt)
		}
	}
	if got := r.count("oppo"); got != messages {
		t.Errorf("%d of %d were delivered after the secret was put right", got, messages)
	}
	r.until(time.Minute, "said to be well", func() bool { return !strings.Contains(r.publisher("limits", "--certificate", "demo-oppo"), "parked") })
}
