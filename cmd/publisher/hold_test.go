package main

import (
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A certificate and an app are held and released by name; limits says by whom and why.
func TestHoldAndRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.introduce("w1", time.Now(), limited(1000), huaweiLimits)
	says(t, r.ok("limits", "hold", "35001", "--reason", "ticket 4711", "--by", "Olga"), "certificate 35001 is held", "two seconds")
	says(t, r.ok("limits", "hold", "--app", "other", "-o", "json"), `{"app":"other","held":true,"at":`)
	text := r.ok("limits")
	says(t, text, "held by hand", "35001 is held by Olga since", "ticket 4711", `"publisher limits release 35001" lets them go`,
		"h-1, with all of app other, is held by somebody", "no reason was given", "release --app other")
	if strings.Contains(text, "held too") {
		t.Errorf("a hold is told twice:\n%s", text)
	}
	says(t, r.ok("limits", "-o", "json"), `"held":{"certificate":"35001","reason":"ticket 4711","by":"Olga"`, `"holds":[{"app":"other",`)
	if got := r.ok("limits", "--certificate", "35001", "-o", "json"); strings.Contains(got, `"app":"other"`) {
		t.Errorf("a hold of another app is told where one certificate is meant:\n%s", got)
	}
	notes, err := r.bus.Notes(parking.HoldRoom).List(t.Context())
	if err != nil || len(notes) != 2 {
		t.Errorf("%d notes, %v", len(notes), err)
	}

	// There is one hold of each: a second operator's takes the place of the first one's, and says
	// so.
	second := r.run("limits", "hold", "35001", "--reason", "mine", "--by", "Ivan")
	if second.code != 0 {
		t.Fatalf("exit code %d: %s", second.code, second.err)
	}
	says(t, second.err, "certificate 35001 was held already, by Olga since", "ticket 4711", "this hold takes its place")
	says(t, r.ok("limits"), "35001 is held by Ivan since", "mine")

	// A certificate whose app is held stays held.
	r.ok("limits", "hold", "h-1")
	got := r.run("limits", "release", "h-1")
	if got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	says(t, got.out, "certificate h-1 is released")
	says(t, got.err, "its app other is", "publisher limits release --app other")
	r.fails([]string{"limits", "release", "h-1"}, "certificate h-1 is not held, but its app other is")
	r.ok("limits", "release", "--app", "other")
	r.ok("limits", "release", "35001", "--reason", "mended")
	if text := r.ok("limits"); strings.Contains(text, "held") {
		t.Errorf("nothing is held any more:\n%s", text)
	}
	says(t, r.ok("limits", "-o", "json"), `"holds":[]`)

	r.fails([]string{"limits", "release", "35001"}, "certificate 35001 is not held")
	r.fails([]string{"limits", "hold", "nobody"}, "no live worker serves certificate nobody")
	r.fails([]string{"limits", "hold", "--app", "nobody"}, "no live worker serves app nobody")
	r.misused([]string{"limits", "hold"}, "name either a certificate or --app")
	r.misused([]string{"limits", "hold", "35001", "--app", "demo"}, "name either a certificate or --app")
	r.misused([]string{"limits", "hold", "35001", "35002"}, "at most 1 arg")
	r.misused([]string{"limits", "hold", "a.b"}, `"a.b" is no name`)
	r.misused([]string{"limits", "hold", "--app", "*"}, `"*" is no name`)
}

// Whoever asks why a push waits is told who holds it.
func TestExplainOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.introduce("w1", time.Now(), limited(1000))
	r.ok("limits", "hold", "--app", "demo", "--reason", "ticket 4711", "--by", "Olga")
	device := bobs("phone", hongyan.Parked, 0)
	device.Note = vendors.NoteHeld
	r.records(hongyan.StatusWaiting, "bob", nil, about("m-1", time.Now(), device))
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "--message", "m-1"), "waiting", "parked", "35001, with all of app demo, is held by Olga since", "ticket 4711",
		"publisher limits release --app demo", "Or an operator holds the certificate or its app by hand")
	says(t, r.ok("explain", "--app", "demo", "--user", "bob", "-o", "json"), `"note":"held"`, `"held":{"app":"demo","reason":"ticket 4711"`)
}

// A hold stands until it is released, through a restart of the server.
func TestHoldOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve := func(do func(r *rig)) {
		srv, err := natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		}()
		b, err := bus.Connect(t.Context(), bus.Options{URL: srv.URL(), Once: true})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.Ensure(t.Context(), []string{"oppo"}); err != nil {
			t.Fatal(err)
		}
		do(&rig{t: t, url: srv.URL(), bus: b})
	}
	serve(func(r *rig) {
		r.introduce("w1", time.Now(), limited(1000))
		r.ok("limits", "hold", "35001", "--reason", "ticket 4711")
	})
	serve(func(r *rig) {
		r.introduce("w2", time.Now(), limited(1000))
		says(t, r.ok("limits"), "held by hand", "ticket 4711")
	})
}

// What is to be held is held before any worker runs, too.
func TestHoldWithoutWorkers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.run("limits", "hold", "35001")
	if got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	says(t, got.err, "no worker runs; those that start will find it held")
	r.introduce("w1", time.Now(), huaweiLimits)
	says(t, r.ok("limits"), "certificate 35001 is held too, by somebody", "publisher limits release 35001")
	r.ok("limits", "release", "35001")
}
