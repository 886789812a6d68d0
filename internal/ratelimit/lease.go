package ratelimit

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

const (
	// between looks while others may still return what they hold
	recheckSoon = 500 * time.Millisecond
	recheckLate = 5 * time.Second        // and after that
	minBackoff  = 250 * time.Millisecond // pause after a store that failed, doubled each time
	maxBackoff  = 5 * time.Second

	// confirmTimeout is for how long an addition without an answer is repeated. A store remembers
	// an id for twice as long, so that a request may be late.
	confirmTimeout = time.Minute
	// minRefill is the smallest lease for which the next one is requested in advance.
	minRefill = 32
)

// pool is this worker's part of one counter: what it leased and has not spent. The mutex of its
// class guards it.
type pool struct {
	key         string
	held        int64 // leased, not spent
	refillBelow int64 // when fewer are held, the next lease is requested in advance
	// leased or not given back, with an unknown outcome, so that nobody can use it
	lost int64

	unconfirmed     []addition // without an answer yet
	refillRequested bool       // the next lease is asked for

	value      int64 // of the counter, when last heard of
	block      int64 // the next lease's size by our own pace
	leasedAt   time.Time
	emptySince time.Time // since when the counter is at its limit; zero when it is not
	recheckAt  time.Time // when to look again
	failures   int
	retryAt    time.Time     // no store call before
	inFlight   chan struct{} // closed when the lease under way is over

	spent, spentBefore int64 // in this and the previous heartbeat
}

// addition is a change of a counter that was requested at a time. With the same id it can be
// requested again without being carried out twice.
type addition struct {
	id    string
	delta int64
	at    time.Time
}

// unusable is how many units nobody can use at the moment; some of them are lost for the day.
func (p *pool) unusable() int64 {
	n := p.lost
	for _, a := range p.unconfirmed {
		n += max(a.delta, -a.delta)
	}
	return n
}

// split divides a lease of ask units, after which the counter had the value: got may be spent, and
// back must be given back because it is above the limit.
func split(value, ask, limit int64) (got, back int64) {
	switch over := value - limit; {
	case over <= 0:
		return ask, 0
	case over < ask:
		return ask - over, over
	default:
		return 0, ask
	}
}

// leaseSize is how much to lease if need units are needed now and about left are available: a
// block, or less if little is left for all members.
func leaseSize(need, block, left, limit int64, members int) int64 {
	left = max(1, left)
	return max(1, min(need, left), min(block, limit/128, left/int64(4*members)))
}

// adaptBlock adapts the block to the worker's speed. It becomes twice as large if the last one was
// used within a second, eight times as large if it was used at once, because each round trip delays
// the pushes that wait, and half as large if it lasted long.
func (p *pool) adaptBlock(now time.Time) {
	switch since := now.Sub(p.leasedAt); {
	case p.block == 0:
		p.block = 1
	case since < 100*time.Millisecond:
		p.block = min(p.block*8, 1<<40)
	case since < time.Second:
		p.block = min(p.block*2, 1<<40)
	case since > 4*time.Second:
		p.block = max(1, p.block/2)
	}
	p.leasedAt = now
}

// canLease reports whether the store may be asked at now.
func (p *pool) canLease(now time.Time) bool {
	return !now.Before(p.retryAt) && (p.emptySince.IsZero() || !now.Before(p.recheckAt))
}

// draw takes up to n units from the pool and leases more if it holds too few. It is called with
// c.mu held, and unlocks it while it waits for the store. It costs at most one round trip, two at
// the limit.
func (l *Limiter) draw(ctx context.Context, c *class, p *pool, limit, n int64, now time.Time) int64 {
	for range 3 {
		if p.held >= n || limit <= 0 || !p.canLease(now) {
			break
		}
		if inFlight := p.inFlight; inFlight != nil {
			c.mu.Unlock()
			select {
			case <-inFlight:
			case <-ctx.Done():
			}
			c.mu.Lock()
			if ctx.Err() != nil {
				break
			}
			continue
		}
		l.lease(ctx, c, p, limit, n-p.held, now)
	}
	n = min(n, p.held)
	p.held -= n
	p.spent += n
	if p.held < p.refillBelow && !p.refillRequested && p.inFlight == nil && p.emptySince.IsZero() {
		select {
		case l.refills <- refill{c, p, limit}:
			p.refillRequested = true
		default: // the call that needs it will lease
		}
	}
	return n
}

// refill is a lease in advance, so that no call waits for it.
type refill struct {
	class *class
	pool  *pool
	limit int64
}

// refill leases the next block.
func (l *Limiter) refill(ctx context.Context, r refill) {
	r.class.mu.Lock()
	defer r.class.mu.Unlock()
	r.pool.refillRequested = false
	if now := l.opts.Now(); r.pool.inFlight == nil && r.pool.canLease(now) {
		l.lease(ctx, r.class, r.pool, r.limit, 0, now)
	}
}

// lease asks the store for need units or a block. It is called with c.mu held, and unlocks it
// meanwhile. A lease that was begun is finished even if ctx ends, so that a shutdown does not lose
// it.
func (l *Limiter) lease(ctx context.Context, c *class, p *pool, limit, need int64, now time.Time) {
	p.adaptBlock(now)
	done := make(chan struct{})
	p.inFlight = done
	recheck := !p.emptySince.IsZero()
	value, block := p.value, p.block // the value is 0 before the first answer
	c.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
	defer cancel()
	var (
		got         int64
		unconfirmed []addition
		err         error
	)
	// reading does not affect the others; an addition might hide the last unit from them for a
	// moment
	if recheck {
		var values []int64
		if values, err = l.store.Load(ctx, p.key); err == nil {
			value = values[0]
		}
	}
	if err == nil && (!recheck || value < limit) {
		value, got, unconfirmed, err = l.add(ctx, p.key, leaseSize(need, block, limit-value, limit, l.memberCount()), limit, now)
	}

	c.mu.Lock()
	p.inFlight = nil
	close(done)
	p.unconfirmed = append(p.unconfirmed, unconfirmed...)
	if err != nil {
		p.failures++
		p.retryAt = now.Add(min(maxBackoff, minBackoff<<min(p.failures-1, 10)))
		l.storeFailed(err)
		return
	}
	p.failures, p.value = 0, value
	p.held += got
	if p.refillBelow = 0; got >= minRefill {
		p.refillBelow = p.held / 2
	}
	l.warnOfQuota(c, p, got, limit)
	if value < limit {
		p.emptySince = time.Time{}
		return
	}
	if p.emptySince.IsZero() || got > 0 {
		p.emptySince = now
	}
	p.recheckAt = now.Add(recheckSoon)
	if now.Sub(p.emptySince) >= l.opts.Drain {
		p.recheckAt = now.Add(recheckLate)
	}
}

// add leases ask units from the counter and gives back what is above the limit. unconfirmed are the
// additions that got no answer.
func (l *Limiter) add(ctx context.Context, key string, ask, limit int64, now time.Time) (value, got int64, unconfirmed []addition, err error) {
	a := addition{l.newID(), ask, now}
	value, err = l.store.Add(ctx, key, a.delta, a.id)
	if err != nil {
		if !errors.Is(err, ErrNotDone) {
			unconfirmed = append(unconfirmed, a)
		}
		return 0, 0, unconfirmed, err
	}
	got, back := split(value, ask, limit)
	if back == 0 {
		return value, got, nil, nil
	}
	a = addition{l.newID(), -back, now}
	after, err := l.store.Add(ctx, key, a.delta, a.id)
	if err != nil { // the units are leased all the same
		l.storeFailed(err)
		return value, got, append(unconfirmed, a), nil
	}
	return after, got, nil, nil
}

// newID returns an id that no other addition has.
func (l *Limiter) newID() string { return l.ids + strconv.FormatUint(l.serial.Add(1), 36) }

// confirm repeats a class's additions that got no answer. What turns out to be leased and within
// the limit can then be spent. An error means that the store still does not answer.
func (l *Limiter) confirm(ctx context.Context, c *class, now time.Time) error {
	type unconfirmed struct {
		p     *pool
		limit int64
		addition
	}
	var pending []unconfirmed
	c.mu.Lock()
	for _, u := range c.days {
		for i := range u.pools {
			for _, a := range u.pools[i].unconfirmed {
				pending = append(pending, unconfirmed{&u.pools[i], c.limit(u, i), a})
			}
		}
	}
	c.mu.Unlock()
	for i := 0; i < len(pending); i++ {
		u := pending[i]
		if now.Sub(u.at) >= confirmTimeout {
			c.mu.Lock()
			u.p.confirm(u.id)
			u.p.lost += max(u.delta, -u.delta)
			c.mu.Unlock()
			continue
		}
		value, err := l.store.Add(ctx, u.p.key, u.delta, u.id)
		// it was carried out; the counter's value of now serves as well as its value then
		if errors.Is(err, ErrRepeated) {
			value, err = l.store.Add(ctx, u.p.key, 0, "")
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		u.p.confirm(u.id)
		u.p.value = value
		if u.delta > 0 {
			got, back := split(value, u.delta, u.limit)
			u.p.held += got
			if back > 0 {
				a := addition{l.newID(), -back, now}
				u.p.unconfirmed = append(u.p.unconfirmed, a)
				pending = append(pending, unconfirmed{u.p, u.limit, a})
			}
		}
		c.mu.Unlock()
	}
	return nil
}

// confirm removes an addition whose outcome is known. Called with the class's mutex held.
func (p *pool) confirm(id string) {
	p.unconfirmed = slices.DeleteFunc(p.unconfirmed, func(a addition) bool { return a.id == id })
}

// takeIdle takes out of the pool what it holds beyond twice what it spends in a heartbeat. Called
// with the class's mutex held, once per heartbeat.
func (p *pool) takeIdle() int64 {
	keep := 2 * max(p.spent, p.spentBefore)
	p.spentBefore, p.spent = p.spent, 0
	if p.inFlight != nil || p.held <= keep {
		return 0
	}
	n := p.held - keep
	p.held = keep
	return n
}

// returnIdle gives back what the class holds but does not need, or all that it holds.
func (l *Limiter) returnIdle(ctx context.Context, c *class, all bool, now time.Time) error {
	type due struct {
		p *pool
		n int64
	}
	var dues []due
	c.mu.Lock()
	for _, d := range c.days {
		for i := range d.pools {
			p := &d.pools[i]
			n := p.takeIdle()
			if all {
				n += p.held
				p.held = 0
			}
			if n > 0 {
				dues = append(dues, due{p, n})
			}
		}
	}
	c.mu.Unlock()
	var failed error
	for _, d := range dues {
		a := addition{l.newID(), -d.n, now}
		value, err := l.store.Add(ctx, d.p.key, a.delta, a.id)
		c.mu.Lock()
		switch {
		case err == nil:
			d.p.value = value
		case errors.Is(err, ErrNotDone):
			d.p.held += d.n
			failed = err
		default: // it is unknown whether it was given back
			d.p.unconfirmed = append(d.p.unconfirmed, a)
			failed = err
		}
		c.mu.Unlock()
	}
	return failed
}
