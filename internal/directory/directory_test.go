package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var subjects = hongyan.Subjects{}

func put(t *testing.T, b *bus.Bus, subject, data string) {
	t.Helper()
	if err := b.Put(t.Context(), subject, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

// Hostile names, records that cannot be read, removed ones and last values: what is readable comes,
// the rest is reported.
func TestLookup(t *testing.T) {
	b := bustest.Start(t)
	var unreadable []string
	var repaired hongyan.Repairs
	d := directory.New(b, subjects, directory.Options{
		Unreadable: func(_, kind string, err error) { unreadable = append(unreadable, kind) },
		Repaired:   func(r hongyan.Repairs) { repaired = append(repaired, r...) },
	})
	users := []string{"bob", "alice@example.com", "a b.*>%", "😀", strings.Repeat("x", 256)}
	for _, u := range users {
		put(t, b, subjects.Device("demo", u, "phone 1"), `{"certificate":"c","token":"old"}`)
		put(t, b, subjects.Device("demo", u, "phone 1"), `{"certificate":"c","token":"t","registered_at":"2026-11-20T00:00:00Z","extra":1}`)
		put(t, b, subjects.Presence("demo", u, "phone 1"), `{"state":"background","at":"2026-11-22T00:00:00Z"}`)
		put(t, b, subjects.Settings("demo", u), `{"conversations":{"g-7":"muted"},"quiet_hours":{"from":"22:00","to":"08:00"}}`)
	}
	put(t, b, subjects.Device("demo", "bob", "gone"), `{"certificate":"c","token":"t"}`)
	put(t, b, subjects.Device("demo", "bob", "gone"), ``)
	for i, bad := range []string{`{`, `{"token":"t"}`, `{"certificate":7}`, "{\"certificate\":\"\xff\"}", `{"certificate":"c","token":"` + strings.Repeat("t", 5000) + `"}`, `{"certificate":"c","voip":{"token":"x"}}`, `{"certificate":"c"}` + strings.Repeat(" ", 8<<10)} {
		put(t, b, subjects.Device("demo", "bob", fmt.Sprintf("bad%d", i)), bad)
	}
	put(t, b, subjects.Presence("demo", "bob", "bad"), `{"state":"asleep"}`)
	put(t, b, subjects.Settings("demo", "eve"), `{"quiet_hours":{"from":"25:00","to":"x"}}`)

	var refs []directory.Ref
	for _, u := range append(users, "nobody", "eve") {
		refs = append(refs, directory.Ref{App: "demo", User: u})
	}
	found, err := d.Lookup(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range users {
		user := found[i]
		if user == nil || len(user.Devices) != 1 {
			t.Fatalf("%q: %+v", u, user)
		}
		dev := user.Devices[0]
		if dev.ID != "phone 1" || dev.Registration.Token != "t" || dev.Presence == nil || !dev.Heard.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) || dev.Revision == 0 {
			t.Errorf("%q: %+v", u, dev)
		}
		if user.Settings.Conversations["g-7"] != "muted" || user.Quiet == nil {
			t.Errorf("%q: settings %+v", u, user.Settings)
		}
	}
	if found[len(users)] != nil {
		t.Error("somebody knows nobody")
	}
	// Seven registrations and a presence. Settings with wrong quiet hours are none that cannot be
	// read.
	if len(unreadable) != 8 || slices.Contains(unreadable, "settings") {
		t.Errorf("%d records could not be read (%v), want 8", len(unreadable), unreadable)
	}
	if len(repaired) == 0 {
		t.Error("nobody was told of the quiet hours that count as absent")
	}
}

// A foreground holds as long as the gateway's lease.
func TestGatewayLease(t *testing.T) {
	b := bustest.Start(t)
	now := time.Now()
	d := directory.New(b, subjects, directory.Options{Now: func() time.Time { return now }})
	put(t, b, subjects.Device("demo", "bob", "p"), `{"certificate":"c","token":"t"}`)
	put(t, b, subjects.Presence("demo", "bob", "p"), `{"state":"foreground","gateway":"gw-7","at":"2020-01-01T00:00:00Z"}`)
	inFront := func() bool {
		t.Helper()
		found, err := d.Lookup(t.Context(), []directory.Ref{{App: "demo", User: "bob"}})
		if err != nil {
			t.Fatal(err)
		}
		return found[0].Devices[0].Foreground
	}
	if inFront() {
		t.Error("a gateway that nobody heard of holds a foreground")
	}
	put(t, b, subjects.Gateway("demo", "gw-7"), `{}`)
	now = now.Add(2 * time.Second) // the answer is remembered for a second
	if !inFront() {
		t.Error("a living gateway does not hold a foreground")
	}
	put(t, b, subjects.Gateway("demo", "gw-7"), `{"since":"`+now.Add(time.Minute).UTC().Format(time.RFC3339)+`"}`)
	now = now.Add(2 * time.Second)
	if inFront() {
		t.Error("a gateway that began after the presence was stored vouches for it")
	}
	put(t, b, subjects.Gateway("demo", "gw-7"), `{"since":"2026-01-01T00:00:00Z"}`)
	now = now.Add(2 * time.Second)
	if !inFront() {
		t.Error("a gateway that began before the presence was stored does not vouch for it")
	}
	now = now.Add(5 * time.Minute)
	if inFront() {
		t.Error("a lease of five minutes ago holds a foreground")
	}
	put(t, b, subjects.Gateway("demo", "gw-7"), `alive`)
	now = time.Now()
	if inFront() {
		t.Error("a lease that cannot be read holds a foreground")
	}
	put(t, b, subjects.Gateway("demo", "gw-7"), ``)
	now = now.Add(2 * time.Second)
	if inFront() {
		t.Error("a gateway that left holds a foreground")
	}
}

func TestDrop(t *testing.T) {
	b := bustest.Start(t)
	d := directory.New(b, subjects, directory.Options{})
	bob := directory.Ref{App: "demo", User: "bob"}
	device := func() directory.Device {
		t.Helper()
		found, err := d.Lookup(t.Context(), []directory.Ref{bob})
		if err != nil {
			t.Fatal(err)
		}
		if found[0] == nil || len(found[0].Devices) == 0 {
			return directory.Device{}
		}
		return found[0].Devices[0]
	}
	put(t, b, subjects.Device("demo", "bob", "p"), `{"certificate":"c","token":"t","voip":{"certificate":"v","token":"vt"}}`)
	stale := device().Revision
	put(t, b, subjects.Device("demo", "bob", "p"), `{"certificate":"c","token":"t","voip":{"certificate":"v","token":"vt"}}`)
	if dropped, err := d.Drop(t.Context(), bob, "p", "t", stale); dropped || err != nil {
		t.Errorf("a registration that was made anew was removed: %v, %v", dropped, err)
	}
	if dropped, err := d.Drop(t.Context(), bob, "p", "vt", device().Revision); !dropped || err != nil {
		t.Errorf("the VoIP half: %v, %v", dropped, err)
	}
	if r := device().Registration; r.VoIP != nil || r.Token != "t" {
		t.Errorf("after the VoIP half went: %+v", r)
	}
	if dropped, err := d.Drop(t.Context(), bob, "p", "t", device().Revision); !dropped || err != nil {
		t.Errorf("the whole: %v, %v", dropped, err)
	}
	if dev := device(); dev.ID != "" {
		t.Errorf("it is still there: %+v", dev)
	}
}

// broken is a store that answers with an error.
type broken struct{}

func (broken) LastValues(context.Context, []string) (directory.Read, error) {
	return directory.Read{}, errors.New("no")
}

func (broken) LastSequence(context.Context) (uint64, error) { return 0, errors.New("no") }

func (broken) PutIf(context.Context, string, []byte, uint64) (bool, error) {
	return false, errors.New("no")
}

func TestLookupPassesErrorsOn(t *testing.T) {
	t.Parallel()
	d := directory.New(broken{}, subjects, directory.Options{})
	if _, err := d.Lookup(t.Context(), []directory.Ref{{App: "a", User: "b"}}); err == nil {
		t.Error("an error became an empty directory")
	}
	if _, err := d.Drop(t.Context(), directory.Ref{App: "a", User: "b"}, "d", "t", 1); err == nil {
		t.Error("an error became a registration that is not there")
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		tm, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	for _, c := range []struct {
		from, to, now string
		want          bool
	}{
		{"22:00", "08:00", "22:00", true}, {"22:00", "08:00", "07:59", true}, {"22:00", "08:00", "08:00", false}, {"22:00", "08:00", "21:59", false},
		{"12:00", "13:00", "12:30", true}, {"12:00", "13:00", "13:00", false}, {"12:00", "12:00", "12:00", false},
	} {
		w := directory.NewWindow(&hongyan.QuietWindow{From: c.from, To: c.to, Timezone: "UTC"}, time.LoadLocation)
		if got := w.Contains(at(c.now)); got != c.want {
			t.Errorf("%s in %s–%s: %v, want %v", c.now, c.from, c.to, got, c.want)
		}
	}
	if directory.NewWindow(nil, time.LoadLocation) != nil {
		t.Error("no quiet hours have a window")
	}
	for _, bad := range []hongyan.QuietWindow{{From: "", To: "08:00"}, {From: "22:00", To: "8"}, {From: "22:00", To: "08:00", Timezone: "Moon"}} {
		if directory.NewWindow(&bad, time.LoadLocation) != nil {
			t.Errorf("%+v passes", bad)
		}
	}
}
