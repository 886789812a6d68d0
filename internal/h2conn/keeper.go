package h2conn

import "time"

// keeper decides when a connection is checked, too old, or idle too long. It looks from time to
// time and compares what it sees with what it saw before, so that requests and frames cost it
// nothing.
type keeper struct {
	pingIdle, pingTimeout, idle time.Duration
	expires                     time.Time // zero for never

	look    time.Time // the last look
	reads   uint64    // as of then
	heard   time.Time // the last look that saw something new
	pinged  time.Time // zero while no PING is under way
	calm    time.Time // the last look that saw a request
	started uint64    // as of then
}

// deed is what a look asks for.
type deed struct {
	ping, silent, aged, idle bool
}

// next is how long to wait for the next look.
func (k *keeper) next() time.Duration {
	at := k.heard.Add(k.pingIdle)
	if !k.pinged.IsZero() {
		at = k.pinged.Add(k.pingTimeout)
	}
	if calm := k.calm.Add(k.idle); k.idle > 0 && calm.After(k.look) && calm.Before(at) {
		at = calm
	}
	if !k.expires.IsZero() && k.expires.After(k.look) && k.expires.Before(at) {
		at = k.expires
	}
	return at.Sub(k.look)
}

// decide looks at the connection: how often something was read from it, how many requests there
// ever were, and whether some are under way.
func (k *keeper) decide(now time.Time, reads, started uint64, active bool) deed {
	var d deed
	switch {
	case reads != k.reads:
		k.heard, k.pinged = now, time.Time{}
	case !k.pinged.IsZero():
		d.silent = now.Sub(k.pinged) >= k.pingTimeout
	case now.Sub(k.heard) >= k.pingIdle:
		d.ping, k.pinged = true, now
	}
	if active || started != k.started {
		k.calm, k.started = now, started
	} else {
		d.idle = k.idle > 0 && now.Sub(k.calm) >= k.idle
	}
	d.aged = !k.expires.IsZero() && !now.Before(k.expires)
	k.look, k.reads = now, reads
	return d
}

// keep looks after the connection. It reports whether the connection is silent, and then has ended
// its calls.
func (c *conn) keep(now time.Time) (silent bool) {
	c.burden = 0
	d := c.keeper.decide(now, c.reads.Load(), c.started, len(c.streams) > 0)
	if d.silent {
		c.fail(ErrSilent)
		return true
	}
	if d.ping {
		c.framer.WritePing(false, [8]byte{})
		c.wake()
	}
	if d.aged && !c.retired {
		c.aged = true
		c.t.renew()
	}
	if d.idle {
		c.retire()
	}
	return false
}

// renew leaves the aged connections where there is a younger one that has answered, and has one
// opened where there is none. New requests prefer the younger one from its beginning.
func (t *Transport) renew() {
	young := false
	for _, c := range t.conns {
		young = young || !c.aged && c.warm
	}
	if !young {
		t.grow()
		return
	}
	for _, c := range append([]*conn(nil), t.conns...) {
		if c.aged {
			c.retire()
		}
	}
}
