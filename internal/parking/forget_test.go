package parking_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/notestest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// What a worker said of former credentials is taken back, and the others try again at once.
func TestForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := &notestest.Room{}
		one, other := start(t, room, "one"), start(t, room, "other")
		one.push(vendors.BadCredentials)
		time.Sleep(3 * time.Second)
		if notes, _ := room.List(t.Context()); len(notes) != 1 {
			t.Fatalf("%d notes, want 1", len(notes))
		}
		one.board.Forget(certificate)
		time.Sleep(3 * time.Second)
		if notes, _ := room.List(t.Context()); len(notes) != 0 {
			t.Errorf("%d notes are left", len(notes))
		}
		time.Sleep(3 * time.Second)
		if !other.push(vendors.Accepted) {
			t.Error("the other worker does not try again")
		}
		other.board.Remove(certificate)
		one.push(vendors.BadCredentials)
		time.Sleep(3 * time.Second)
	})
}
