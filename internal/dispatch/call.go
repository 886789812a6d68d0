package dispatch

import (
	"context"
	"slices"

	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// call is one vendor call.
type call struct {
	batch vendors.Batch
	works []*work // for each device: its job,
	index []int   // and its place there
	probe bool
	class vendors.Class
	// tokens are those of the batch, where none may stand in it twice: in a call for different
	// notifications, and under a cap.
	tokens map[string]bool
	capped bool // the devices were counted under a cap
	grant  ratelimit.Grant
}

// assemble builds the next call from what is at hand, waiting while the certificate is parked or
// over its rate, and while what became of earlier calls cannot be stored. It returns nil when there
// is no call to make now.
func (l *lane) assemble(ctx context.Context) *call {
	cert := &l.s.Certificate
	if !l.s.Recorder.pause(ctx, &l.debts, func(paused bool) { l.s.Metrics.pause(cert.Vendor, cert.ID, l.name, paused) }) {
		return nil
	}
	probe, ok := l.gate(ctx)
	if !ok {
		return nil
	}
	c := l.gather(ctx, probe)
	if len(c.works) == 0 {
		if probe {
			l.s.forgetProbe()
		}
		return nil
	}
	if !l.capDevices(ctx, c) || !l.limit(ctx, c) {
		if probe {
			l.s.forgetProbe()
		}
		return nil
	}
	return c
}

// gather takes as many devices from what is at hand as one call carries: of one host and class, and
// with one notification unless the vendor takes different ones at once. It never waits for more.
func (l *lane) gather(ctx context.Context, probe bool) *call {
	now := l.s.Now()
	c := &call{batch: vendors.Batch{Now: now}, probe: probe}
	same, mixed := max(l.limits.Batch, 1), max(l.limits.Mixed, 1)
	if probe {
		same, mixed = 1, 1
	}
	var host string
	notes := 0
	for i := 0; ; i++ {
		if i >= len(l.queue) && (len(l.out) > 0 || len(l.looked) > 0) && len(c.works) < mixed {
			l.drain(ctx)
		}
		if i >= len(l.queue) {
			break
		}
		p := &l.queue[i]
		if !now.Before(p.w.job.Notification.Deadline) {
			l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.Expired})
			p.targets = nil
			continue
		}
		room := same
		if notes > 0 {
			room = mixed - len(c.works)
			if p.partition != host || p.w.class.Name != c.class.Name {
				continue
			}
			if notes == 1 && len(c.works) > mixed {
				break
			}
		}
		if room <= 0 {
			break
		}
		host, c.class = p.partition, p.w.class
		if c.tokens == nil && (mixed > 1 || l.caps(c.class)) {
			c.tokens = make(map[string]bool)
		}
		n := min(room, len(p.targets))
		notes++
		l.take(c, p, n)
		if mixed <= 1 {
			break
		}
	}
	l.compact()
	return c
}

// take moves n targets of a piece into the call, but no token a second time where that matters: it
// waits for the next call.
func (l *lane) take(c *call, p *piece, n int) {
	if p.w.began.IsZero() {
		p.w.began = c.batch.Now
	}
	rest := p.targets[n:]
	for _, i := range p.targets[:n] {
		if c.tokens != nil {
			token := p.w.job.Targets[i].Token
			if c.tokens[token] {
				rest = append(slices.Clone(rest), i)
				continue
			}
			c.tokens[token] = true
		}
		c.batch.Devices = append(c.batch.Devices, p.w.job.device(i))
		c.works = append(c.works, p.w)
		c.index = append(c.index, i)
	}
	p.targets = rest
}

// compact drops the pieces that are used up.
func (l *lane) compact() {
	used := 0
	for used < len(l.queue) && len(l.queue[used].targets) == 0 {
		used++
	}
	rest := l.queue[used:]
	for i := range rest {
		if len(rest[i].targets) == 0 {
			kept := rest[:0]
			for _, p := range rest {
				if len(p.targets) > 0 {
					kept = append(kept, p)
				}
			}
			rest = kept
			break
		}
	}
	if len(rest) == 0 {
		clear(l.queue)
		rest = l.queue[:0]
	}
	l.queue = rest
}

// putBack returns the devices of a call beyond the first n to the front of the queue.
func (l *lane) putBack(c *call, n int) {
	if n >= len(c.works) {
		return
	}
	var back []piece
	for k := n; k < len(c.works); k++ {
		host := ""
		if l.limits.Partition != nil {
			host = l.limits.Partition(c.batch.Devices[k])
		}
		if last := len(back) - 1; last >= 0 && back[last].w == c.works[k] {
			back[last].targets = append(back[last].targets, c.index[k])
			continue
		}
		back = append(back, piece{w: c.works[k], targets: []int{c.index[k]}, partition: host})
	}
	l.queue = append(back, l.queue...)
	c.batch.Devices, c.works, c.index = c.batch.Devices[:n], c.works[:n], c.index[:n]
}

// call makes the vendor call and ends the jobs that it completes. It frees its place before it
// waits for their verdicts to be stored.
func (l *lane) call(c *call) {
	s := l.s
	cert := &s.Certificate
	began := s.Now()
	s.mu.Lock()
	s.flying++
	s.mu.Unlock()
	ctx, span := l.span(c)
	results := cert.Driver.Push(ctx, c.batch)
	now := s.Now()
	span(results)
	l.settleLimits(c, results, now)
	s.mu.Lock()
	changed := s.breaker.Record(c.batch.Devices, results, c.probe, began, now)
	sick := s.breaker.Sick(began, s.flying)
	state, why, since := s.breaker.State()
	if slices.ContainsFunc(results, func(r vendors.Result) bool { return r.Reason == vendors.Accepted }) {
		s.drops.accepted()
	}
	s.flying--
	s.mu.Unlock()
	l.calls.leave(answered(results))
	switch {
	case changed:
		s.announce(state, why, since, results)
	case c.probe && state == parking.Open && s.Parked != nil:
		s.Parked(true, since, speaker(results, why))
	}
	s.Metrics.called(cert.Vendor, cert.ID, l.name, now.Sub(began))
	l.report(c, results, began, now.Sub(began))
	for k, w := range c.works {
		w.results[c.index[k]], w.sick[c.index[k]] = results[k], sick
		if w.left.Add(-1) == 0 {
			l.settle(w)
		}
	}
}
