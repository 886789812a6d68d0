package standing

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// noon is a whole second: in RFC 3339 it has no fraction, and as text comes after one that has.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func note(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func serving(t *testing.T, since time.Time, rate float64) []byte {
	return note(t, dispatch.WorkerNote{Host: "box", Since: since, Certificates: []dispatch.CertificateNote{{App: "demo", Vendor: "apns",
		Limits: ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: rate}, Classes: []vendors.Class{{Name: "default"}}}}}})
}

// Workers are listed oldest first, and by their names where they began together.
func TestWorkersAreListedByAge(t *testing.T) {
	r := &Roster{Workers: map[string]dispatch.WorkerNote{
		"old": {Since: noon}, "young": {Since: noon.Add(time.Millisecond)}, "east": {Since: noon.Add(500 * time.Microsecond).In(time.FixedZone("", 8*3600))},
		"b": {Since: noon.Add(time.Second)}, "a": {Since: noon.Add(time.Second)}, "c": {Since: noon.Add(time.Second)},
	}}
	var names []string
	for _, w := range r.listed([]ratelimit.Worker{{Name: "young", Share: 0.25}}) {
		names = append(names, w.Name)
		if want := map[string]float64{"young": 0.25}[w.Name]; w.Share != want {
			t.Errorf("%s has a share of %v", w.Name, w.Share)
		}
	}
	if want := []string{"old", "east", "young", "a", "b", "c"}; !slices.Equal(names, want) {
		t.Errorf("listed are %v, want %v", names, want)
	}
}

// Of workers that began at the same time the last by name counts as the newest, each time; warnings
// come in the order of the names.
func TestRosterIsTheSameEachTime(t *testing.T) {
	notes := map[string][]byte{"old": serving(t, noon, 1), "x": []byte("?"), "y": []byte("?"), "z": []byte("?")}
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		notes[name] = serving(t, noon.Add(time.Second), float64(10+i))
	}
	for range 50 {
		r, err := rosterOf(notes)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Certificates) != 1 || r.Certificates[0].Limits.Rate.DevicesPerSecond != 14 {
			t.Fatalf("certificates: %+v, want the one of e", r.Certificates)
		}
		var said []string
		for _, w := range r.Warnings {
			said = append(said, strings.Join(strings.Fields(w)[:4], " "))
		}
		want := []string{"worker x says something", "worker y says something", "worker z says something",
			"workers old and a", "workers a and b", "workers b and c", "workers c and d", "workers d and e"}
		if !slices.Equal(said, want) {
			t.Fatalf("warnings: %q", r.Warnings)
		}
	}
	if _, err := rosterOf(map[string][]byte{"x": []byte("?")}); !errors.Is(err, ErrNoWorker) {
		t.Errorf("nobody who can be read gives %v", err)
	}
}

// What a view says of a certificate that is parked, held, parked for a kind, and free again; a
// parking note that cannot be read is said to be so.
func TestRead(t *testing.T) {
	b := bustest.Start(t, "apns")
	put := func(room, key string, value []byte) {
		t.Helper()
		if err := b.Notes(room).Put(t.Context(), key, value, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	now := func() time.Time { return noon.Add(time.Hour) }
	read := func() *View {
		t.Helper()
		v, err := Read(t.Context(), b, now, explain.English, func(c *Certificate) bool { return c.App == "demo" })
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Certificates) != 1 || len(v.Workers) != 1 || v.Workers[0].Certificates != 1 {
			t.Fatalf("the view is %+v", v)
		}
		return v
	}
	if _, err := Read(t.Context(), b, now, explain.English, nil); !errors.Is(err, ErrNoWorker) && !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("without a worker: %v", err)
	}
	put(dispatch.WorkerRoom, "w", serving(t, noon, 5))
	if v := read(); v.Certificates[0].Parked != nil || v.Certificates[0].Held != nil || len(v.Certificates[0].Facts)+len(v.Warnings) > 0 {
		t.Errorf("nothing is in its way, yet: %+v", v)
	}

	kind := vendors.Kinds[0]
	put(parking.Room, "c", note(t, parking.Note{Reason: "auth", Code: "403", Since: noon, Worker: "w"}))
	put(parking.Room, parking.KindKey("c", kind), note(t, parking.Note{Reason: "bad_payload", Since: noon, Worker: "gone"}))
	put(parking.HoldRoom, parking.HeldApp("demo"), note(t, parking.Hold{Reason: "a test", By: "ann", At: noon}))
	v := read()
	c := v.Certificates[0]
	if c.Parked == nil || c.Parked.Host != "box" || c.Parked.Advice == "" || len(c.ParkedKinds) != 1 || c.ParkedKinds[kind] == nil || c.ParkedKinds[kind].Host != "" {
		t.Errorf("parked: %+v, kinds %+v", c.Parked, c.ParkedKinds)
	}
	if len(v.Holds) != 1 || c.Held == nil || c.Held.App != "demo" || !v.Shows(&v.Holds[0]) || len(c.Facts) != 3 || len(v.Warnings) > 0 {
		t.Errorf("holds %+v, facts %+v, warnings %q", v.Holds, c.Facts, v.Warnings)
	}

	put(parking.Room, "c", []byte(`{"reason":["of another form"]}`))
	put(parking.Room, parking.KindKey("c", kind), note(t, parking.Note{Reason: "bad_payload", Since: noon, Over: noon.Add(time.Minute)}))
	v = read()
	if c = v.Certificates[0]; c.Parked != nil || len(c.ParkedKinds) > 0 {
		t.Errorf("it is parked by %+v, kinds %+v", c.Parked, c.ParkedKinds)
	}
	if len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "c is parked") {
		t.Errorf("warnings: %q", v.Warnings)
	}
}
