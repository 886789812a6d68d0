package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
)

// post is a note on its way to the board.
type post struct {
	value []byte
	ttl   time.Duration
}

// maxHeld bounds how many counters a worker's note lists, so that it stays small.
const maxHeld = 500

// Run renews the worker's lease, follows the others' leases and the notes, and returns what is
// leased without need. It returns nil after ctx or Close. It must go on for as long as calls are
// made: a worker that stops it first is taken for gone while it still sends. So stop the calls,
// then Close.
func (l *Limiter) Run(ctx context.Context) error {
	l.mu.Lock()
	if l.closed.Load() {
		l.mu.Unlock()
		return nil
	}
	l.runs.Add(1)
	l.since = l.opts.Now()
	l.mu.Unlock()
	defer l.runs.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var loops sync.WaitGroup
	loops.Go(func() { // apart from the beat, which must not be late
		l.every(ctx, nil, func() { l.tidy(ctx, l.opts.Now()) })
	})
	loops.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.done:
				return
			case r := <-l.refills:
				l.refill(ctx, r)
			}
		}
	})
	l.beat(ctx, l.opts.Now())
	l.every(ctx, l.wake, func() { l.beat(ctx, l.opts.Now()) })
	cancel()
	loops.Wait()
	return nil
}

// every calls f each beat until ctx or Close. wake publishes what is waiting, at once.
func (l *Limiter) every(ctx context.Context, wake <-chan struct{}, f func()) {
	ticker := time.NewTicker(l.opts.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.done:
			return
		case <-wake:
			if err := l.flush(ctx); err != nil { // the next beat tries again
				l.storeFailed(err)
			}
		case <-ticker.C:
			f()
		}
	}
}

// Close gives back what is leased and the worker's place among the workers, and ends Run. Calls
// must have been settled before; what a later Settle returns is lost for the day. Close may be
// called again.
func (l *Limiter) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed.Swap(true) {
		close(l.done)
	}
	l.mu.Unlock()
	l.runs.Wait()
	var failed []error
	failed = append(failed, l.flush(ctx))
	now := l.opts.Now()
	for c := range l.allClasses() {
		failed = append(failed, l.resolve(ctx, c, now), l.returnIdle(ctx, c, true, now))
	}
	if !l.opts.Alone {
		failed = append(failed, l.store.Remove(ctx, key(memberNote, l.opts.Member)))
	}
	return errors.Join(failed...)
}

// allClasses walks every class of every certificate.
func (l *Limiter) allClasses() func(yield func(*class) bool) {
	return func(yield func(*class) bool) {
		for _, cert := range l.certs {
			for _, c := range *cert.classes.Load() {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// tidy asks again about what had no answer, and returns what is leased without need. A failure is
// tried again at the next beat.
func (l *Limiter) tidy(ctx context.Context, now time.Time) {
	for c := range l.allClasses() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
		err := l.resolve(ctx, c, now)
		if err == nil {
			err = l.returnIdle(ctx, c, false, now)
		}
		cancel()
		if err != nil {
			l.storeFailed(err)
		}
	}
}

// beat publishes what is waiting, looks at the board, and renews the lease.
func (l *Limiter) beat(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	err := l.flush(ctx)
	var notes []Note
	if err == nil {
		notes, err = l.store.List(ctx)
	}
	if err != nil {
		l.storeFailed(err)
		l.share(now)
		return
	}
	l.apply(notes, now)
	if l.opts.Alone {
		l.share(now)
		l.storeWell()
		return
	}
	publish := l.step(notes, now)
	l.share(now) // first: a claim that is lowered on the board must not be in use any more
	began := l.opts.Now()
	if err := l.renew(ctx, publish); err != nil {
		l.storeFailed(err)
		return
	}
	now = l.opts.Now()
	l.mu.Lock()
	l.claim.renewed(began, now, l.opts.MemberTTL-l.lag())
	l.mu.Unlock()
	l.share(now)
	l.storeWell()
}

// step works out this worker's claim from the others'.
func (l *Limiter) step(notes []Note, now time.Time) (publish float64) {
	var others []float64
	for _, n := range notes {
		name, ok := strings.CutPrefix(n.Key, memberNote+".")
		if !ok || name == l.opts.Member {
			continue
		}
		var m member
		if json.Unmarshal(n.Value, &m) != nil || !(m.Claim >= 0) {
			m.Claim = 1 // it lives, and nobody knows what it takes
		}
		others = append(others, m.Claim)
	}
	l.members.Store(int64(len(others) + 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claim.step(others, now, l.lag())
}

// lag is how old a look at the board may be.
func (l *Limiter) lag() time.Duration { return l.opts.Beat / 2 }

// share hands the share to every certificate's bucket.
func (l *Limiter) share(now time.Time) {
	l.mu.Lock()
	share, until := l.claim.share, l.claim.until
	l.mu.Unlock()
	if l.opts.Alone {
		share = 1
	}
	for _, cert := range l.certs {
		cert.throttle.setShare(share, until, now)
	}
}

func (l *Limiter) renew(ctx context.Context, claim float64) error {
	l.mu.Lock()
	m := member{Claim: claim, Held: map[string]int64{}, Lost: map[string]int64{}, Since: l.since}
	l.mu.Unlock()
	for c := range l.allClasses() {
		c.mu.Lock()
		for _, d := range c.days {
			for i := range d.pools {
				p := &d.pools[i]
				if p.held > 0 && len(m.Held) < maxHeld {
					m.Held[p.key] = p.held
				}
				if n := p.missing(); n > 0 && len(m.Lost) < maxHeld {
					m.Lost[p.key] = n
				}
			}
		}
		c.mu.Unlock()
	}
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return l.store.Put(ctx, key(memberNote, l.opts.Member), value, l.opts.MemberTTL)
}

func (l *Limiter) storeFailed(err error) {
	if !errors.Is(err, context.Canceled) && !l.failing.Swap(true) {
		l.log.Warn("limits store is lost: sending goes on with what is leased", "err", err)
	}
}

func (l *Limiter) storeWell() {
	if l.failing.Swap(false) {
		l.log.Info("limits store is back")
	}
}

// apply takes the board's notes: latches, slowdowns and overrides.
func (l *Limiter) apply(notes []Note, now time.Time) {
	board := make(map[string]string, len(notes))
	for _, n := range notes {
		if !strings.HasPrefix(n.Key, memberNote+".") {
			board[n.Key] = string(n.Value)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.outbox { // ours is newer
		delete(board, k)
		if old, ok := l.board[k]; ok {
			board[k] = old
		}
	}
	for k, value := range board {
		if l.board[k] != value {
			l.heard(k, value)
		}
	}
	l.board = board
	for _, cert := range l.certs {
		if cert.throttle.apply(board[key(slowNote, cert.config.ID)], now) {
			l.log.Info("rate changed by another worker or an operator", "certificate", cert.config.ID)
		}
		for _, c := range *cert.classes.Load() {
			l.applyClass(c, now)
		}
	}
}

// applyClass brings a class up to date with the board as last seen. Called with l.mu held.
func (l *Limiter) applyClass(c *class, now time.Time) {
	id := c.cert.config.ID
	for _, change := range c.apply(l.board[key(spentNote, id, c.name)], l.board[key(overrideNote, id, c.name)], now) {
		l.log.Info("quota changed by another worker or an operator", "certificate", id, "class", c.name, "change", change)
	}
}

// post puts a note on its way to the board.
func (l *Limiter) post(key string, value []byte, ttl time.Duration) {
	l.mu.Lock()
	l.outbox[key] = post{value, ttl}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Limiter) postSpent(c *class, until, now time.Time) {
	value, err := json.Marshal(spent{Until: until, By: l.opts.Member})
	if err != nil {
		return // a time beyond the year 9999
	}
	l.post(key(spentNote, c.cert.config.ID, c.name), value, until.Sub(now)+10*time.Second)
	l.log.Warn("vendor says quota spent", "certificate", c.cert.config.ID, "class", c.name, "until", until)
}

// flush publishes the notes that are waiting.
func (l *Limiter) flush(ctx context.Context) error {
	l.mu.Lock()
	waiting := make(map[string]post, len(l.outbox))
	for k, p := range l.outbox {
		waiting[k] = p
	}
	l.mu.Unlock()
	for k, p := range waiting {
		if err := l.put(ctx, k, p); err != nil {
			return err
		}
		l.mu.Lock()
		if string(l.outbox[k].value) == string(p.value) {
			delete(l.outbox, k)
		}
		l.mu.Unlock()
	}
	return nil
}

func (l *Limiter) put(ctx context.Context, k string, p post) error {
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	return l.store.Put(ctx, k, p.value, max(time.Second, p.ttl))
}

// warn says once that a pool has come to 80 or 95 percent. The worker whose lease crossed the mark
// says it, so one line is enough for all.
func (l *Limiter) warn(c *class, p *pool, got, limit int64) {
	for _, percent := range []int64{95, 80} {
		mark := limit * percent / 100
		if got > 0 && p.value >= mark && p.value-got < mark {
			l.log.Warn("quota is running out", "certificate", c.cert.config.ID, "class", c.name, "percent", percent,
				"taken", p.value, "quota", limit)
			return
		}
	}
}
