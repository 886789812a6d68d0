package ratelimit

import (
	"context"
	"errors"
	"time"
)

const (
	lookSoon = 500 * time.Millisecond // between looks while others may still return what they hold
	lookLate = 5 * time.Second        // and after that
	failMin  = 250 * time.Millisecond // pause after a store that failed, doubled each time
	failMax  = 5 * time.Second
)

// pool is the local side of one counter: what this worker leased and did not spend. Its class's mutex guards it.
type pool struct {
	key  string
	held int64 // leased, not spent
	lost int64 // leased or not given back, with unknown outcome: nobody can use it

	value    int64 // of the counter, when last heard of
	block    int64 // the next lease's size by our own pace
	leasedAt time.Time
	dryAt    time.Time // since when the counter is at its limit; zero when it is not
	lookAt   time.Time // when to look again
	failures int
	failed   time.Time     // no store call before
	flight   chan struct{} // closed when the lease under way is over

	spent, before int64 // in this and the previous beat
}

// split says what a lease of ask gives when the counter's value right after it is value: what may be spent and what must be given back.
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

// ask is how much to lease when need are wanted and left are thought to be there: a block, smaller when little is left for all members.
func ask(need, block, left, limit int64, members int) int64 {
	left = max(1, left)
	return max(1, min(need, left), min(block, limit/128, left/int64(4*members)))
}

// pace makes the block follow the worker's speed: twice as large when the last one was used within a second, eight times when it was
// used at once, since each round trip holds the lane up; half when it lasted long.
func (p *pool) pace(now time.Time) {
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

// mayLease says whether the store may be asked at now.
func (p *pool) mayLease(now time.Time) bool {
	return !now.Before(p.failed) && (p.dryAt.IsZero() || !now.Before(p.lookAt))
}

// draw takes up to n units of the pool, leasing when it holds too few. Called with c.mu held, which it gives up while the store is
// asked. It costs one round trip at most, two at the limit.
func (l *Limiter) draw(ctx context.Context, c *class, p *pool, limit, n int64, now time.Time) int64 {
	for range 3 {
		if p.held >= n || limit <= 0 || !p.mayLease(now) {
			break
		}
		if flight := p.flight; flight != nil {
			c.mu.Unlock()
			select {
			case <-flight:
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
	return n
}

// lease asks the store for need units or a block. Called with c.mu held, which it gives up meanwhile. A lease that was begun is
// finished, whatever becomes of ctx: a shutdown must not lose it.
func (l *Limiter) lease(ctx context.Context, c *class, p *pool, limit, need int64, now time.Time) {
	p.pace(now)
	flight := make(chan struct{})
	p.flight = flight
	looks := !p.dryAt.IsZero()
	value, block := p.value, p.block // a counter not heard of is 0
	c.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
	defer cancel()
	var (
		got, lost int64
		err       error
	)
	if looks { // a look costs the others nothing, an addition might hide the last unit from them for a moment
		var values []int64
		if values, err = l.store.Load(ctx, p.key); err == nil {
			value = values[0]
		}
	}
	if err == nil && (!looks || value < limit) {
		value, got, lost, err = l.add(ctx, p.key, ask(need, block, limit-value, limit, l.memberCount()), limit)
	}

	c.mu.Lock()
	p.flight = nil
	close(flight)
	p.lost += lost
	if err != nil {
		p.failures++
		p.failed = now.Add(min(failMax, failMin<<min(p.failures-1, 10)))
		l.storeFailed(err)
		return
	}
	p.failures, p.value = 0, value
	p.held += got
	l.warn(c, p, got, limit)
	if value < limit {
		p.dryAt = time.Time{}
		return
	}
	if p.dryAt.IsZero() || got > 0 {
		p.dryAt = now
	}
	p.lookAt = now.Add(lookSoon)
	if now.Sub(p.dryAt) >= l.opts.Drain {
		p.lookAt = now.Add(lookLate)
	}
}

// add leases ask from the counter and gives back what is above the limit.
func (l *Limiter) add(ctx context.Context, key string, ask, limit int64) (value, got, lost int64, err error) {
	value, err = l.store.Add(ctx, key, ask)
	if err != nil {
		if !errors.Is(err, ErrNotDone) {
			lost = ask
		}
		return 0, 0, lost, err
	}
	got, back := split(value, ask, limit)
	if back == 0 {
		return value, got, 0, nil
	}
	after, err := l.giveBack(ctx, key, back)
	if err != nil { // what was got is ours all the same
		l.storeFailed(err)
		return value, got, back, nil
	}
	return after, got, 0, nil
}

// giveBack subtracts n from the counter. It tries again only after an attempt that certainly was not carried out.
func (l *Limiter) giveBack(ctx context.Context, key string, n int64) (value int64, err error) {
	for range 2 {
		if value, err = l.store.Add(ctx, key, -n); err == nil || !errors.Is(err, ErrNotDone) {
			break
		}
	}
	return value, err
}

// idle is what the pool holds beyond two beats of its own pace, taken out of it. Called with the class's mutex held, once a beat.
func (p *pool) idle() int64 {
	keep := 2 * max(p.spent, p.before)
	p.before, p.spent = p.spent, 0
	if p.flight != nil || p.held <= keep {
		return 0
	}
	n := p.held - keep
	p.held = keep
	return n
}

// returnIdle gives back what the class holds without need, or all of it.
func (l *Limiter) returnIdle(ctx context.Context, c *class, all bool) error {
	type due struct {
		p *pool
		n int64
	}
	var dues []due
	c.mu.Lock()
	for _, d := range c.days {
		for i := range d.pools {
			p := &d.pools[i]
			n := p.idle()
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
		value, err := l.store.Add(ctx, d.p.key, -d.n)
		c.mu.Lock()
		switch {
		case err == nil:
			d.p.value = value
		case errors.Is(err, ErrNotDone):
			d.p.held += d.n
			failed = err
		default: // perhaps given back, perhaps not: to repeat it could open units that somebody else was granted
			d.p.lost += d.n
			failed = err
		}
		c.mu.Unlock()
	}
	return failed
}
