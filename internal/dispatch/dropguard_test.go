package dispatch

import "testing"

func TestDropGuardDoubtsARow(t *testing.T) {
	t.Parallel()
	var g dropGuard
	for i := range dropLimit {
		if ok, doubted := g.believe(); !ok || doubted {
			t.Fatalf("dead device %d: believed %v, doubted %v", i+1, ok, doubted)
		}
	}
	for i := range 3 {
		if ok, doubted := g.believe(); ok || doubted != (i == 0) {
			t.Fatalf("dead device %d of the doubted: believed %v, doubt begins %v", i+1, ok, doubted)
		}
	}
	g.accepted()
	if ok, _ := g.believe(); !ok {
		t.Error("still doubted after the vendor took a push")
	}
}
