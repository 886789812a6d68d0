package dispatch

import "testing"

func TestDropGuardDoubtsARow(t *testing.T) {
	t.Parallel()
	var g DropGuard
	for i := range DropLimit {
		if ok, doubted := g.Believe(); !ok || doubted {
			t.Fatalf("dead device %d: believed %v, doubted %v", i+1, ok, doubted)
		}
	}
	for i := range 3 {
		if ok, doubted := g.Believe(); ok || doubted != (i == 0) {
			t.Fatalf("dead device %d of the doubted: believed %v, doubt begins %v", i+1, ok, doubted)
		}
	}
	g.Accepted()
	if ok, _ := g.Believe(); !ok {
		t.Error("still doubted after the vendor took a push")
	}
}
