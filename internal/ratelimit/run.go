package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// pendingPut is an entry that is still to be stored.
type pendingPut struct {
	value []byte
	ttl   time.Duration
}

const (
	// maxListedCounters bounds how many counters a worker's entry lists, so that it stays under 64
	// KiB.
	maxListedCounters = 500
	// storeCalls is how many entries are stored, and counters corrected, at once.
	storeCalls = 16
	// refillers is how many leases are requested in advance at once.
	refillers = 8
)

// each calls f for each item, some at once, and returns when all are done.
func each[T any](items []T, f func(T)) {
	if len(items) == 1 {
		f(items[0])
		return
	}
	var group errgroup.Group
	group.SetLimit(storeCalls)
	for _, item := range items {
		group.Go(func() error { f(item); return nil })
	}
	_ = group.Wait() // f says what failed
}

// Run renews the worker's lease, follows the leases of the others and the other entries of the KV,
// and returns units that are leased but not needed. It returns nil when ctx ends or after Close. It
// must run for as long as calls are made: otherwise the other workers take this one for gone while
// it still sends. So stop the calls first, then Close.
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
	// Loops of their own: the heartbeat must not be late, however much there is to store.
	loops.Go(func() { l.eachHeartbeat(ctx, nil, func() { l.reconcile(ctx, l.opts.Now()) }) })
	loops.Go(func() { l.eachHeartbeat(ctx, l.wake, func() { _ = l.flush(ctx) }) })
	loops.Go(func() { l.recordUsages(ctx) })
	for range refillers {
		loops.Go(func() { l.refillAll(ctx) })
	}
	l.heartbeat(ctx, l.opts.Now())
	l.eachHeartbeat(ctx, nil, func() { l.heartbeat(ctx, l.opts.Now()) })
	cancel()
	loops.Wait()
	return nil
}

// refillAll leases in advance until ctx ends or Close is called.
func (l *Limiter) refillAll(ctx context.Context) {
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
}

// eachHeartbeat calls f at each heartbeat, and whenever wake says so, until ctx ends or Close is
// called.
func (l *Limiter) eachHeartbeat(ctx context.Context, wake <-chan struct{}, f func()) {
	ticker := time.NewTicker(l.opts.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.done:
			return
		case <-wake:
		case <-ticker.C:
		}
		f()
	}
}

// Close ends Run, gives back what is leased and removes the worker's own lease. All calls must have
// been settled before: what a later Settle returns is lost for the day. Close may be called again.
func (l *Limiter) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed.Swap(true) {
		close(l.done)
	}
	l.mu.Unlock()
	l.runs.Wait()
	var mu sync.Mutex
	failed := l.flush(ctx)
	now := l.opts.Now()
	each(l.activeClasses(), func(c *class) {
		err := errors.Join(l.confirm(ctx, c, now), l.returnIdle(ctx, c, true, now))
		mu.Lock()
		defer mu.Unlock()
		failed = errors.Join(failed, err)
	})
	if !l.opts.Alone {
		failed = errors.Join(failed, l.store.Remove(ctx, joinKey(Members, l.opts.Member)))
	}
	l.mu.Lock()
	told := l.heldAs != ""
	l.mu.Unlock()
	if told {
		failed = errors.Join(failed, l.store.Remove(ctx, joinKey(Held, l.opts.Member)))
	}
	return failed
}

// allClasses iterates over every class of every certificate.
func (l *Limiter) allClasses() func(yield func(*class) bool) {
	return func(yield func(*class) bool) {
		for _, cert := range l.allCertificates() {
			for _, c := range *cert.classes.Load() {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// activeClasses are those that hold something, spent something lately, or wait for an answer of the
// store.
func (l *Limiter) activeClasses() (active []*class) {
	for c := range l.allClasses() {
		if c.active() {
			active = append(active, c)
		}
	}
	return active
}

// reconcile repeats additions that got no answer, returns units that are leased but not needed, and
// tells the operators what is leased. If it fails, the next heartbeat tries again.
func (l *Limiter) reconcile(ctx context.Context, now time.Time) {
	each(l.activeClasses(), func(c *class) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
		defer cancel()
		err := l.confirm(ctx, c, now)
		if err == nil {
			err = l.returnIdle(ctx, c, l.isRetired(c.cert), now)
		}
		if err != nil {
			l.storeFailed(err)
		}
	})
	l.forgetRetired(now)
	if l.opts.Alone {
		return
	}
	if err := l.tellHeld(ctx, now); err != nil {
		l.storeFailed(err)
	}
}

// heartbeat renews the lease, and then applies what vendors and operators said.
func (l *Limiter) heartbeat(ctx context.Context, now time.Time) {
	if err := errors.Join(l.renewShare(ctx, now), l.readState(ctx)); err != nil {
		l.storeFailed(err)
		return
	}
	l.storeRecovered()
}

// readState applies what vendors and operators said of certificates.
func (l *Limiter) readState(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	entries, err := l.store.List(ctx, State)
	if err != nil {
		return err
	}
	l.applyEntries(entries, l.opts.Now())
	return nil
}

// renewShare follows the other workers' leases and renews this worker's own.
func (l *Limiter) renewShare(ctx context.Context, now time.Time) error {
	if l.opts.Alone {
		l.applyShare(now)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	entries, err := l.store.List(ctx, Members)
	if err != nil {
		l.applyShare(now)
		return err
	}
	publish := l.nextClaim(entries, now)
	l.applyShare(now) // before renew: a claim that is lowered in the KV must no longer be in use
	began := l.opts.Now()
	if err := l.renew(ctx, publish); err != nil {
		return err
	}
	now = l.opts.Now()
	l.mu.Lock()
	l.claim.renewed(began, now, l.opts.MemberTTL-l.maxLag())
	l.mu.Unlock()
	l.applyShare(now)
	return nil
}

// nextClaim computes this worker's claim from those of the others.
func (l *Limiter) nextClaim(entries map[string][]byte, now time.Time) (publish float64) {
	var others []float64
	before := 0
	for k, value := range entries {
		name := strings.TrimPrefix(k, Members+".")
		if name == l.opts.Member {
			continue
		}
		if name < l.opts.Member {
			before++
		}
		var m memberEntry
		if json.Unmarshal(value, &m) != nil || !(m.Claim >= 0) {
			m.Claim = 1 // the worker is alive, and its claim is unknown
		}
		others = append(others, m.Claim)
	}
	l.members.Store(int64(len(others) + 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = float64(before) / float64(len(others)+1)
	return l.claim.next(others, now, l.maxLag())
}

// maxLag is how old the KV's answer may be.
func (l *Limiter) maxLag() time.Duration { return l.opts.Heartbeat / 2 }

// applyShare sets the share of every certificate's bucket.
func (l *Limiter) applyShare(now time.Time) {
	l.mu.Lock()
	share, until, phase := l.claim.share, l.claim.until, l.phase
	l.mu.Unlock()
	if l.opts.Alone {
		share = 1
	}
	for _, cert := range l.allCertificates() {
		cert.throttle.setShare(share, phase, until, now)
	}
}

func (l *Limiter) renew(ctx context.Context, claim float64) error {
	l.mu.Lock()
	m := memberEntry{Claim: claim, Since: l.since}
	l.mu.Unlock()
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return l.store.Put(ctx, joinKey(Members, l.opts.Member), value, l.opts.MemberTTL)
}

// tellHeld stores for the operators what this worker holds, when it changed or its entry would end.
func (l *Limiter) tellHeld(ctx context.Context, now time.Time) error {
	h := heldEntry{Held: map[string]int64{}, Lost: map[string]int64{}}
	for _, c := range l.activeClasses() {
		c.mu.Lock()
		for _, d := range c.days {
			for i := range d.pools {
				p := &d.pools[i]
				if p.held > 0 && len(h.Held) < maxListedCounters {
					h.Held[p.key] = p.held
				}
				if n := p.unusable(); n > 0 && len(h.Lost) < maxListedCounters {
					h.Lost[p.key] = n
				}
			}
		}
		c.mu.Unlock()
	}
	value, err := json.Marshal(h)
	if err != nil {
		return err
	}
	l.mu.Lock()
	was, at := l.heldAs, l.heldAt
	l.mu.Unlock()
	nothing := len(h.Held)+len(h.Lost) == 0
	if string(value) == was && (nothing || now.Sub(at) < l.opts.MemberTTL/2) || nothing && was == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	if err := l.store.Put(ctx, joinKey(Held, l.opts.Member), value, l.opts.MemberTTL); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heldAs, l.heldAt = string(value), now
	return nil
}

func (l *Limiter) storeFailed(err error) {
	if !errors.Is(err, context.Canceled) && !l.failing.Swap(true) {
		l.log.Warn("limits store is lost: sending goes on with what is leased", "err", err)
	}
}

func (l *Limiter) storeRecovered() {
	if l.failing.Swap(false) {
		l.log.Info("limits store is back")
	}
}

// applyEntries applies the entries of the KV: exhausted classes, slowdowns, overrides and commands.
func (l *Limiter) applyEntries(entries map[string][]byte, now time.Time) {
	current := make(map[string]string, len(entries))
	for k, value := range entries {
		current[k] = string(value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.outbox { // ours is newer
		delete(current, k)
		if old, ok := l.entries[k]; ok {
			current[k] = old
		}
	}
	for k, value := range current {
		if l.entries[k] != value {
			l.logCommand(k, value)
		}
	}
	l.entries = current
	for _, cert := range *l.certs.Load() {
		if cert.throttle.applyEntry(current[cert.slowKey], now) {
			l.log.Info("rate changed by another worker or an operator", "certificate", cert.config.ID)
		}
		for _, c := range *cert.classes.Load() {
			l.applyClass(c, now)
		}
	}
}

// applyClass brings a class up to date with the entries as last read. Called with l.mu held.
func (l *Limiter) applyClass(c *class, now time.Time) {
	id := c.cert.config.ID
	for _, change := range c.applyEntries(l.entries[c.exhaustedKey], l.entries[c.overrideKey], now) {
		l.log.Info("quota changed by another worker or an operator", "certificate", id, "class", c.name, "change", change)
	}
}

// enqueue makes flush store an entry soon.
func (l *Limiter) enqueue(key string, value []byte, ttl time.Duration) {
	l.mu.Lock()
	l.outbox[key] = pendingPut{value, ttl}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Limiter) publishExhausted(c *class, until, now time.Time) {
	value, err := json.Marshal(exhaustedEntry{Until: until, By: l.opts.Member})
	if err != nil {
		return // a time beyond the year 9999
	}
	l.enqueue(joinKey(exhaustedKey, c.cert.config.ID, c.name), value, until.Sub(now)+10*time.Second)
	l.log.Warn("vendor says quota spent", "certificate", c.cert.config.ID, "class", c.name, "until", until)
}

// flush stores the entries that are waiting. What fails is noted, and tried again at the next
// heartbeat.
func (l *Limiter) flush(ctx context.Context) error {
	type waiting struct {
		key string
		put pendingPut
	}
	var all []waiting
	l.mu.Lock()
	for k, p := range l.outbox {
		all = append(all, waiting{k, p})
	}
	l.mu.Unlock()
	var failed error
	each(all, func(w waiting) {
		err := l.put(ctx, w.key, w.put)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			failed = err
		} else if string(l.outbox[w.key].value) == string(w.put.value) {
			delete(l.outbox, w.key)
		}
	})
	if failed != nil {
		l.storeFailed(failed)
	}
	return failed
}

func (l *Limiter) put(ctx context.Context, k string, p pendingPut) error {
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	return l.store.Put(ctx, k, p.value, max(time.Second, p.ttl))
}

// warnOfQuota logs once that 80 or 95 percent of a pool are taken. The worker whose lease crossed
// the mark logs it, so that there is one line for all workers.
func (l *Limiter) warnOfQuota(c *class, p *pool, got, limit int64) {
	for _, percent := range []int64{95, 80} {
		mark := limit * percent / 100
		if got > 0 && p.value >= mark && p.value-got < mark {
			l.log.Warn("quota is running out", "certificate", c.cert.config.ID, "class", c.name, "percent", percent,
				"taken", p.value, "quota", limit)
			return
		}
	}
}
