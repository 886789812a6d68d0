package sandbox

import "slices"

// Screen returns what a phone shows of the pushes that are still remembered, the newest last: each
// stands in the place of the one before it with its key.
func (c *Core) Screen(vendor, token string) []Push {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.screen(func(p *Push) bool { return p.Vendor == vendor && p.Token == token })
}

// screen is Screen for the pushes that are meant. The lock is held.
func (c *Core) screen(meant func(*Push) bool) []Push {
	var shown []Push
	for i := range c.pushes {
		p := &c.pushes[i]
		if len(p.Gone) > 0 {
			shown = slices.DeleteFunc(shown, func(old Push) bool { return slices.Contains(p.Gone, old.Seq) })
		}
		if p.Dropped || p.OnlyBadge || !meant(p) {
			continue
		}
		if p.Key != "" {
			shown = slices.DeleteFunc(shown, func(old Push) bool { return old.samePlace(p) })
		}
		shown = append(shown, *p)
	}
	return shown
}

// samePlace says whether a phone shows the later of two pushes in the place of the other.
func (p *Push) samePlace(other *Push) bool {
	return p.Vendor == other.Vendor && p.App == other.App && p.Token == other.Token && p.Key == other.Key
}

// gone are the pushes that leave the screen with a push, beside the one whose place it takes. The
// lock is held.
func (c *Core) gone(p *Push) []int64 {
	var left []Push
	switch {
	case p.Clears:
		left = c.screen(func(old *Push) bool { return old.Vendor == p.Vendor && old.App == p.App && old.Token == p.Token })
	case p.EndsCall && p.CallID != "" && !p.Repeat:
		left = c.ringing(p)
	}
	var seqs []int64
	for i := range left {
		seqs = append(seqs, left[i].Seq)
	}
	return seqs
}

// ringing is the call screen of the phone that learns from a push that the call is over. Where
// nobody told whose phone it is, it is that of the only phone which rings for the call.
func (c *Core) ringing(p *Push) []Push {
	all := c.screen(func(old *Push) bool { return old.Call && old.Vendor == p.Vendor && old.CallID == p.CallID })
	if own := slices.IndexFunc(all, func(old Push) bool { return p.Phone != "" && old.Phone == p.Phone }); own >= 0 {
		return all[own : own+1]
	}
	all = slices.DeleteFunc(all, func(old Push) bool { return p.Phone != "" && old.Phone != "" })
	if len(all) != 1 {
		return nil
	}
	return all
}
