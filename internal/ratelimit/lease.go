package ratelimit

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

const (
	lookSoon = 500 * time.Millisecond // between looks while others may still return what they hold
	lookLate = 5 * time.Second        // and after that
	failMin  = 250 * time.Millisecond // pause after a store that failed, doubled each time
	failMax  = 5 * time.Second

	// askAgain is how long an addition without an answer is asked about. It leaves the other half
	// of the time for which a store knows an id to a request that is late.
	askAgain = time.Minute
	// refillFrom is the smallest lease of which the next one is asked for in advance.
	refillFrom = 32
)

// pool is the local side of one counter: what this worker leased and did not spend. Its class's
// mutex guards it.
type pool struct {
	key  string
	held int64 // leased, not spent
	low  int64 // when fewer are held, the next lease is asked for in advance
	lost int64 // leased or not given back, and nobody can use it: the outcome was never heard of

	unsure []addition // without an answer yet
	asked  bool       // the next lease is asked for

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

// addition is a change of a counter that was asked for at a time, by an id with which it can be
// asked for again.
type addition struct {
	id    string
	delta int64
	at    time.Time
}

// missing is what nobody can use at the moment, some of it for ever.
func (p *pool) missing() int64 {
	n := p.lost
	for _, a := range p.unsure {
		n += max(a.delta, -a.delta)
	}
	return n
}

// split says what a lease of ask gives when the counter's value right after it is value: what may
// be spent and what must be given back.
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

// ask is how much to lease when need are wanted and left are thought to be there: a block, smaller
// when little is left for all members.
func ask(need, block, left, limit int64, members int) int64 {
	left = max(1, left)
	return max(1, min(need, left), min(block, limit/128, left/int64(4*members)))
}

// pace makes the block follow the worker's speed: twice as large when the last one was used within
// a second, eight times when it was used at once, since each round trip holds the lane up; half
// when it lasted long.
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

// draw takes up to n units of the pool, leasing when it holds too few. Called with c.mu held, which
// it gives up while the store is asked. It costs one round trip at most, two at the limit.
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
	if p.held < p.low && !p.asked && p.flight == nil && p.dryAt.IsZero() {
		select {
		case l.refills <- refill{c, p, limit}:
			p.asked = true
		default: // the one who needs it will ask
		}
	}
	return n
}

// refill is a lease in advance, so that nobody waits for it.
type refill struct {
	class *class
	pool  *pool
	limit int64
}

// refill leases the next block.
func (l *Limiter) refill(ctx context.Context, r refill) {
	r.class.mu.Lock()
	defer r.class.mu.Unlock()
	r.pool.asked = false
	if now := l.opts.Now(); r.pool.flight == nil && r.pool.mayLease(now) {
		l.lease(ctx, r.class, r.pool, r.limit, 0, now)
	}
}

// lease asks the store for need units or a block. Called with c.mu held, which it gives up
// meanwhile. A lease that was begun is finished, whatever becomes of ctx: a shutdown must not lose
// it.
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
		got    int64
		unsure []addition
		err    error
	)
	// a look costs the others nothing, an addition might hide the last unit from them for a moment
	if looks {
		var values []int64
		if values, err = l.store.Load(ctx, p.key); err == nil {
			value = values[0]
		}
	}
	if err == nil && (!looks || value < limit) {
		value, got, unsure, err = l.add(ctx, p.key, ask(need, block, limit-value, limit, l.memberCount()), limit, now)
	}

	c.mu.Lock()
	p.flight = nil
	close(flight)
	p.unsure = append(p.unsure, unsure...)
	if err != nil {
		p.failures++
		p.failed = now.Add(min(failMax, failMin<<min(p.failures-1, 10)))
		l.storeFailed(err)
		return
	}
	p.failures, p.value = 0, value
	p.held += got
	if p.low = 0; got >= refillFrom {
		p.low = p.held / 2
	}
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

// add leases ask from the counter and gives back what is above the limit. Unsure is what was asked
// for without an answer.
func (l *Limiter) add(ctx context.Context, key string, ask, limit int64, now time.Time) (value, got int64, unsure []addition, err error) {
	a := addition{l.newID(), ask, now}
	value, err = l.store.Add(ctx, key, a.delta, a.id)
	if err != nil {
		if !errors.Is(err, ErrNotDone) {
			unsure = append(unsure, a)
		}
		return 0, 0, unsure, err
	}
	got, back := split(value, ask, limit)
	if back == 0 {
		return value, got, nil, nil
	}
	a = addition{l.newID(), -back, now}
	after, err := l.store.Add(ctx, key, a.delta, a.id)
	if err != nil { // what was got is ours all the same
		l.storeFailed(err)
		return value, got, append(unsure, a), nil
	}
	return after, got, nil, nil
}

// newID is an id that nobody else uses.
func (l *Limiter) newID() string { return l.ids + strconv.FormatUint(l.serial.Add(1), 36) }

// resolve asks again about a class's additions without an answer. What was leased and is within the
// limit can be spent then. An error means that the store is still away.
func (l *Limiter) resolve(ctx context.Context, c *class, now time.Time) error {
	type doubt struct {
		p     *pool
		limit int64
		addition
	}
	var doubts []doubt
	c.mu.Lock()
	for _, d := range c.days {
		for i := range d.pools {
			for _, a := range d.pools[i].unsure {
				doubts = append(doubts, doubt{&d.pools[i], c.limit(d, i), a})
			}
		}
	}
	c.mu.Unlock()
	for i := 0; i < len(doubts); i++ {
		d := doubts[i]
		if now.Sub(d.at) >= askAgain {
			c.mu.Lock()
			d.p.forget(d.id)
			d.p.lost += max(d.delta, -d.delta)
			c.mu.Unlock()
			continue
		}
		value, err := l.store.Add(ctx, d.p.key, d.delta, d.id)
		// it was done; how far the counter is now decides as well as how far it was then
		if errors.Is(err, ErrRepeated) {
			value, err = l.store.Add(ctx, d.p.key, 0, "")
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		d.p.forget(d.id)
		d.p.value = value
		if d.delta > 0 {
			got, back := split(value, d.delta, d.limit)
			d.p.held += got
			if back > 0 {
				a := addition{l.newID(), -back, now}
				d.p.unsure = append(d.p.unsure, a)
				doubts = append(doubts, doubt{d.p, d.limit, a})
			}
		}
		c.mu.Unlock()
	}
	return nil
}

// forget removes an addition that has its answer. Called with the class's mutex held.
func (p *pool) forget(id string) {
	p.unsure = slices.DeleteFunc(p.unsure, func(a addition) bool { return a.id == id })
}

// idle is what the pool holds beyond two beats of its own pace, taken out of it. Called with the
// class's mutex held, once a beat.
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
		a := addition{l.newID(), -d.n, now}
		value, err := l.store.Add(ctx, d.p.key, a.delta, a.id)
		c.mu.Lock()
		switch {
		case err == nil:
			d.p.value = value
		case errors.Is(err, ErrNotDone):
			d.p.held += d.n
			failed = err
		default: // perhaps given back, perhaps not
			d.p.unsure = append(d.p.unsure, a)
			failed = err
		}
		c.mu.Unlock()
	}
	return failed
}
