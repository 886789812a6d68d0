package bus

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// One share is always left free, and never more than there is.
func TestRoom(t *testing.T) {
	for _, c := range []struct{ used, holders, mine, want int }{
		{0, 0, 0, 500},      // the first may have half
		{500, 1, 500, 0},    // and no more
		{500, 1, 0, 333},    // the second a third
		{833, 2, 500, -167}, // the first is over its share now
		{1000, 2, 0, 0},
		{1100, 10, 0, -100},
	} {
		if got := room(1000, c.used, c.holders, c.mine); got != c.want {
			t.Errorf("room(1000, %d, %d, %d) = %d, want %d", c.used, c.holders, c.mine, got, c.want)
		}
	}
}

// One that holds nothing always gets one message; one that holds something waits until there is
// room.
func TestTake(t *testing.T) {
	b := newBudget(1 << 20)
	flood, other := b.account(), b.account()
	b.enter()
	b.enter()
	g, ok := flood.take(t.Context(), 10<<20, 0)
	if !ok || g.bytes != 1<<19 || g.promised != g.bytes {
		t.Fatalf("the first got %+v", g)
	}
	flood.spend(&g, 2<<20) // one message was larger than all
	if b.inHand() != 2<<20 || g.promised != 0 {
		t.Errorf("%d in hand, %+v", b.inHand(), g)
	}
	if g, ok := other.take(t.Context(), 0, 0); !ok || g.bytes != 0 {
		t.Errorf("the other got %+v, want one message", g)
	}
	if g, ok := b.account().take(t.Context(), 0, mostIdle); !ok || g.bytes != 0 {
		t.Errorf("one whose next message is large got %+v, want one message", g)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if g, ok := flood.take(ctx, 100, 0); ok {
		t.Errorf("it got %+v over its share", g)
	}
	got := make(chan grant, 1)
	go func() {
		g, _ := flood.take(t.Context(), 0, 0)
		got <- g
	}()
	flood.release(2 << 20)
	if g := <-got; g.bytes != mostIdle || g.promised != 0 {
		t.Errorf("it got %+v, want an idle pull", g)
	}
	if b.inHand() != 0 || b.holders != 0 {
		t.Errorf("%d in hand of %d", b.inHand(), b.holders)
	}
}

// A failure counts when it lasts, a misfit at once.
func TestPulse(t *testing.T) {
	b := &Bus{log: slog.New(slog.DiscardHandler)}
	p := &pulse{name: "x", bus: b}
	p.fail(errors.New("away"))
	p.fail(errors.New("still away"))
	if err := p.failed(time.Now().Add(pullingGrace / 2)); err != nil {
		t.Errorf("too soon: %v", err)
	}
	if err := p.failed(time.Now().Add(pullingGrace)); err == nil || err.Error() != "x: still away" {
		t.Errorf("after a while: %v", err)
	}
	p.beat()
	if err := p.failed(time.Now().Add(time.Hour)); err != nil || len(b.failing.all) != 0 {
		t.Errorf("it works: %v", err)
	}
	p.fail(ErrMisfit)
	if err := p.failed(time.Now()); !errors.Is(err, ErrMisfit) {
		t.Errorf("a misfit: %v", err)
	}
}
