package sandbox

import (
	"fmt"
	"testing"
	"time"
)

func TestAcceptRepeats(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	c := NewCore(Options{Now: func() time.Time { return now }})
	base := Push{Vendor: "crane", App: "100000001", Token: "t1", Key: "k1"}
	with := func(change func(*Push)) Push {
		p := base
		change(&p)
		return p
	}
	for i, step := range []struct {
		name  string
		push  Push
		times int // 0: not a repeat
	}{
		{"first", base, 0},
		{"same_again", base, 2},
		{"and_again", base, 3},
		{"other_device", with(func(p *Push) { p.Token = "t2" }), 0},
		{"other_key", with(func(p *Push) { p.Key = "k2" }), 0},
		{"other_app", with(func(p *Push) { p.App = "100000002" }), 0},
		{"other_vendor", with(func(p *Push) { p.Vendor = "egret" }), 0},
		// Without a key nothing is replaced: each push stands on its own on the screen.
		{"no_key", with(func(p *Push) { p.Key = "" }), 0},
		{"no_key_again", with(func(p *Push) { p.Key = "" }), 0},
	} {
		got := c.Accept(step.push)
		if got.Repeat != (step.times > 0) || got.Times != step.times {
			t.Errorf("%s: repeat %v, times %d, want times %d", step.name, got.Repeat, got.Times, step.times)
		}
		if got.Seq != int64(i+1) || !got.At.Equal(now) {
			t.Errorf("%s: seq %d at %v, want %d at %v", step.name, got.Seq, got.At, i+1, now)
		}
	}
	if got, want := c.Counts()["crane"], (Counts{Accepted: 8, Repeats: 2}); got != want {
		t.Errorf("counts of crane: %+v, want %+v", got, want)
	}
	if !c.Seen("crane", "100000001", "t1", "k1") || c.Seen("crane", "100000001", "t1", "k9") {
		t.Error("Seen must know k1 and not k9")
	}
}

func TestPushesAfterForgets(t *testing.T) {
	t.Parallel()
	c := NewCore(Options{Keep: 10})
	for i := range 35 {
		c.Accept(Push{Vendor: "heron", Token: fmt.Sprint(i)})
	}
	all := c.PushesAfter(0)
	if len(all) < 10 || len(all) > 20 || all[len(all)-1].Seq != 35 {
		t.Fatalf("remembers %d pushes, the last %d; want 10 to 20, the last 35", len(all), all[len(all)-1].Seq)
	}
	for _, after := range []int64{33, 34, 35, 36, 1 << 40} {
		want := max(0, 35-after)
		if got := c.PushesAfter(after); int64(len(got)) != want {
			t.Errorf("after %d: %d pushes, want %d", after, len(got), want)
		}
	}
}

func TestDeadTokens(t *testing.T) {
	t.Parallel()
	c := NewCore(Options{})
	c.Kill("gull", "b")
	c.Kill("gull", "a")
	c.Kill("heron", "x")
	c.Revive("heron", "x")
	c.Revive("ibis", "never seen")
	if got := c.DeadTokens(); len(got) != 1 || fmt.Sprint(got["gull"]) != "[a b]" {
		t.Errorf("dead: %v, want gull's a and b", got)
	}
	if _, dead := c.Dead("heron", "x"); dead {
		t.Error("a revived token is dead")
	}
}
