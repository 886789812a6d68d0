package parking_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/notestest"
	"github.com/hongyan-im/hongyan/internal/parking"
)

func order(t *testing.T, room *notestest.Room, key string, h parking.Hold) {
	t.Helper()
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := room.Put(t.Context(), key, data, parking.ReleasedFor); err != nil {
		t.Fatal(err)
	}
}

func TestReadHolds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	holds := parking.ReadHolds(map[string][]byte{
		"certificate.35001": []byte(`{"reason":"ticket 4711","by":"ann","at":"2026-11-23T08:00:00Z"}`),
		"certificate.35002": []byte(`{"at":"2026-11-23T08:00:00Z","released":true}`),
		"app.demo":          []byte(`{"by":"bob","at":"2026-11-23T08:00:00Z"}`),
		"app.other":         []byte(`{"at":"2026-11-23T08:00:00Z","released":true}`),
		"app.new":           []byte(`{"at":7}`), // a form of a newer version
	})
	for _, c := range []struct {
		app, certificate, key string
		want                  parking.Hold
	}{
		{app: "other", certificate: "35002"},
		{app: "other", certificate: "35001", key: "certificate.35001", want: parking.Hold{Reason: "ticket 4711", By: "ann", At: at}},
		{app: "demo", certificate: "35001", key: "certificate.35001", want: parking.Hold{Reason: "ticket 4711", By: "ann", At: at}},
		{app: "demo", certificate: "35002", key: "app.demo", want: parking.Hold{By: "bob", At: at}},
		{app: "new", certificate: "1", key: "app.new", want: parking.Hold{Reason: "a hold that this version cannot read"}},
	} {
		got, key, ok := holds.Of(c.app, c.certificate)
		if got != c.want || key != c.key || ok != (c.key != "") {
			t.Errorf("%s of %s: %+v by %q, %v", c.certificate, c.app, got, key, ok)
		}
	}
}

// The same order is no change, although it was written in a zone of its own.
func TestReadHoldsAgain(t *testing.T) {
	t.Parallel()
	notes := map[string][]byte{"app.demo": []byte(`{"at":"2026-11-23T16:00:00+08:45"}`)}
	if first, again := parking.ReadHolds(notes), parking.ReadHolds(notes); !maps.Equal(first, again) {
		t.Errorf("read %v, and then %v", first, again)
	}
}

// A watch tells of changes alone, and what was held stays so while nothing can be read.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := new(notestest.Room)
		room.Fail(errors.New("unreachable"))
		says := func(key string, released bool) {
			order(t, room, key, parking.Hold{At: time.Now(), Released: released})
			time.Sleep(time.Second)
		}
		w := parking.NewWatch(room, nil)
		var mu sync.Mutex
		var said []string
		add := func(id string) {
			w.Add("demo", id, func(held bool) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, map[bool]string{true: "hold ", false: "release "}[held]+id)
			})
		}
		add("1")
		add("2")
		wants := func(want ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(said, want) {
				t.Errorf("it says %q, want %q", said, want)
			}
			said = nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var tries int
		time.AfterFunc(3500*time.Millisecond, func() { room.Fail(nil) })
		if err := w.Load(ctx, func(error) { tries++ }); err != nil || tries != 4 {
			t.Fatalf("loaded with %v after %d tries", err, tries)
		}
		var run sync.WaitGroup
		run.Go(func() { w.Run(ctx) })
		says("certificate.1", false)
		wants("hold 1")
		says("app.demo", false)
		wants("hold 2")
		says("certificate.1", true) // the app's order holds it still
		wants()
		room.Fail(errors.New("unreachable"))
		time.Sleep(time.Minute)
		wants()
		room.Fail(nil)
		says("app.demo", true)
		wants("release 1", "release 2")
		says("certificate.3", false)
		wants()
		add("3") // it is served from now on
		wants("hold 3")
		cancel()
		run.Wait()
		if err := w.Load(ctx, func(error) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("a load that was given up says %v", err)
		}
	})
}
