package ratelimit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
)

// pendingPut is an entry that is still to be stored.
type pendingPut struct {
	value []byte
	ttl   time.Duration
}

// maxListedCounters bounds how many counters a worker's entry lists, so that it stays small.
const maxListedCounters = 500

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
	loops.Go(func() { // a loop of its own: the heartbeat must not be late
		l.eachHeartbeat(ctx, nil, func() { l.reconcile(ctx, l.opts.Now()) })
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
	l.heartbeat(ctx, l.opts.Now())
	l.eachHeartbeat(ctx, l.wake, func() { l.heartbeat(ctx, l.opts.Now()) })
	cancel()
	loops.Wait()
	return nil
}

// eachHeartbeat calls f at each heartbeat until ctx ends or Close is called. wake stores at once
// what is waiting.
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
			if err := l.flush(ctx); err != nil { // the next heartbeat tries again
				l.storeFailed(err)
			}
		case <-ticker.C:
			f()
		}
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
	var failed []error
	failed = append(failed, l.flush(ctx))
	now := l.opts.Now()
	for c := range l.allClasses() {
		failed = append(failed, l.confirm(ctx, c, now), l.returnIdle(ctx, c, true, now))
	}
	if !l.opts.Alone {
		failed = append(failed, l.store.Remove(ctx, joinKey(memberKey, l.opts.Member)))
	}
	return errors.Join(failed...)
}

// allClasses iterates over every class of every certificate.
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

// reconcile repeats additions that got no answer, and returns units that are leased but not needed.
// If it fails, the next heartbeat tries again.
func (l *Limiter) reconcile(ctx context.Context, now time.Time) {
	for c := range l.allClasses() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
		err := l.confirm(ctx, c, now)
		if err == nil {
			err = l.returnIdle(ctx, c, false, now)
		}
		cancel()
		if err != nil {
			l.storeFailed(err)
		}
	}
}

// heartbeat stores what is waiting, reads the KV, and renews the lease.
func (l *Limiter) heartbeat(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.StoreTimeout)
	defer cancel()
	err := l.flush(ctx)
	var entries map[string][]byte
	if err == nil {
		entries, err = l.store.List(ctx)
	}
	if err != nil {
		l.storeFailed(err)
		l.applyShare(now)
		return
	}
	l.applyEntries(entries, now)
	if l.opts.Alone {
		l.applyShare(now)
		l.storeRecovered()
		return
	}
	publish := l.nextClaim(entries, now)
	l.applyShare(now) // before renew: a claim that is lowered in the KV must no longer be in use
	began := l.opts.Now()
	if err := l.renew(ctx, publish); err != nil {
		l.storeFailed(err)
		return
	}
	now = l.opts.Now()
	l.mu.Lock()
	l.claim.renewed(began, now, l.opts.MemberTTL-l.maxLag())
	l.mu.Unlock()
	l.applyShare(now)
	l.storeRecovered()
}

// nextClaim computes this worker's claim from those of the others.
func (l *Limiter) nextClaim(entries map[string][]byte, now time.Time) (publish float64) {
	var others []float64
	for k, value := range entries {
		name, ok := strings.CutPrefix(k, memberKey+".")
		if !ok || name == l.opts.Member {
			continue
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
	return l.claim.next(others, now, l.maxLag())
}

// maxLag is how old the KV's answer may be.
func (l *Limiter) maxLag() time.Duration { return l.opts.Heartbeat / 2 }

// applyShare sets the share of every certificate's bucket.
func (l *Limiter) applyShare(now time.Time) {
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
	m := memberEntry{Claim: claim, Held: map[string]int64{}, Lost: map[string]int64{}, Since: l.since}
	l.mu.Unlock()
	for c := range l.allClasses() {
		c.mu.Lock()
		for _, d := range c.days {
			for i := range d.pools {
				p := &d.pools[i]
				if p.held > 0 && len(m.Held) < maxListedCounters {
					m.Held[p.key] = p.held
				}
				if n := p.unusable(); n > 0 && len(m.Lost) < maxListedCounters {
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
	return l.store.Put(ctx, joinKey(memberKey, l.opts.Member), value, l.opts.MemberTTL)
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
		if !strings.HasPrefix(k, memberKey+".") {
			current[k] = string(value)
		}
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
	for _, cert := range l.certs {
		if cert.throttle.applyEntry(current[joinKey(slowdownKey, cert.config.ID)], now) {
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
	for _, change := range c.applyEntries(l.entries[joinKey(exhaustedKey, id, c.name)], l.entries[joinKey(overrideKey, id, c.name)], now) {
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

// flush stores the entries that are waiting.
func (l *Limiter) flush(ctx context.Context) error {
	l.mu.Lock()
	waiting := make(map[string]pendingPut, len(l.outbox))
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
