package h2conn

import (
	"testing"
	"time"
)

// TestKeeper walks through the life of a connection, second by second.
func TestKeeper(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	k := keeper{pingIdle: 60 * time.Second, pingTimeout: 15 * time.Second, idle: 100 * time.Second, expires: at(300), look: start, heard: start, calm: start}
	for _, step := range []struct {
		second         int
		reads, started uint64
		active         bool
		want           deed
		next           int
	}{
		{60, 5, 1, true, deed{}, 60},
		{120, 5, 1, true, deed{ping: true}, 15},
		{130, 5, 1, true, deed{}, 5}, // a look before the time
		{135, 6, 1, true, deed{}, 60},
		{195, 6, 1, false, deed{ping: true}, 15},
		{209, 6, 1, false, deed{}, 1},
		{210, 6, 1, false, deed{silent: true}, 0},
		{211, 7, 1, false, deed{}, 24},
		{235, 8, 1, false, deed{idle: true}, 60},
		{236, 9, 2, false, deed{}, 60},
		{290, 10, 2, false, deed{}, 10},
		{300, 11, 2, true, deed{aged: true}, 60},
	} {
		got := k.decide(at(step.second), step.reads, step.started, step.active)
		if got != step.want || k.next() != time.Duration(step.next)*time.Second {
			t.Errorf("second %d: %+v, next in %v; want %+v and %d", step.second, got, k.next(), step.want, step.next)
		}
	}
}

// TestKeeperLooksOften: looks for another reason do not put off the PING.
func TestKeeperLooksOften(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	k := keeper{pingIdle: time.Minute, pingTimeout: 15 * time.Second, idle: 7 * time.Second, look: start, heard: start, calm: start}
	now := start
	for {
		now = now.Add(k.next())
		if d := k.decide(now, 0, 1, true); d.ping {
			break
		}
		if now.Sub(start) > time.Minute {
			t.Fatal("no PING after a minute of silence")
		}
	}
	if d := k.decide(now.Add(k.next()), 0, 1, true); d.silent {
		t.Error("silent before the time")
	}
}
