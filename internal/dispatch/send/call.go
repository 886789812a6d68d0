package send

import (
	"slices"
	"time"

	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// call is one vendor call.
type call struct {
	lane  *lane
	batch vendors.Batch
	works []*work // for each device: its job,
	index []int   // and its place there
	probe bool
	// trial says that the call probes whether pushes of the kind of its device get through again.
	trial bool
	kind  vendors.Kind
	class vendors.Class
	with  *company
	// tokens finds the devices of the batch by their tokens, while it is gathered; nil where none
	// can stand in it twice but next to one another.
	tokens *tokens
	// twins are the targets that get the result of a device of the batch with the same token: their
	// phone gets one push.
	twins []twin
	// counted is when the devices were counted under a cap, and so in which day; zero where they
	// were not.
	counted time.Time
	heard   uint64 // how much had been said of messages when it was gathered
	grant   ratelimit.Grant

	// room for one device, which most calls are for
	oneDevice [1]vendors.Device
	oneWork   [1]*work
	oneIndex  [1]int
}

// twin is a target whose phone the at-th device of a call is.
type twin struct {
	at    int
	w     *work
	index int
}

// mergeScan is how many pieces a call looks through for others of the same message.
const mergeScan = 64

// assemble builds the next call from what is at hand, waiting while the certificate is parked or
// over its rate, and while what became of earlier calls cannot be stored. It returns nil when there
// is no call to make now.
func (l *lane) assemble() *call {
	cert := &l.s.Certificate
	if !l.s.Recorder.Pause(l.s.ctx, l.debts, func(paused bool) { l.s.Metrics.Pause(cert.Vendor, cert.ID, l.name, paused) }) {
		return nil
	}
	probe, ok := l.gate()
	if !ok {
		return nil
	}
	c := l.gather(probe)
	if len(c.works) == 0 || !l.capDevices(c) || !l.limit(c) {
		if probe {
			l.s.forgetProbe()
		}
		if c.trial {
			l.s.kinds.forget(c.kind)
		}
		return nil
	}
	return c
}

// gather takes as many devices from what is at hand as one call carries: of one host and class, and
// with one notification unless the vendor takes different ones at once. It never waits for more.
func (l *lane) gather(probe bool) *call {
	now := l.s.Now()
	c := &call{lane: l, probe: probe, heard: l.changes()}
	c.batch.Devices, c.works, c.index = c.oneDevice[:0], c.oneWork[:0], c.oneIndex[:0]
	same, mixed := max(l.limits.Batch, 1), max(l.limits.Mixed, 1)
	if probe {
		same, mixed = 1, 1
	}
	var out leftOut
	l.mu.Lock()
	if !l.hand.empty() {
		out = l.fill(c, l.hand.next(), same, mixed, now)
	}
	l.mu.Unlock()
	for _, o := range out.stopped {
		l.suppress(o)
	}
	l.decideAgain(out.old)
	for _, p := range out.expired {
		l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.Expired}, false)
	}
	for _, p := range out.parked {
		l.resolve(p.w, p.targets, vendors.Result{Reason: vendors.BadCredentials, Scope: vendors.ScopeKind}, true)
	}
	return c
}

// leftOut is what gather takes from the hand for no call: pieces past their deadline, those that
// were decided on too long ago, those of a kind that is parked, and targets that are not to be
// pushed to by what was said meanwhile.
type leftOut struct {
	expired, old, parked []piece
	stopped              []stopped
}

// fill moves devices from a queue into a call. The lock is held.
func (l *lane) fill(c *call, q *line, same, mixed int, now time.Time) (out leftOut) {
	var host string
	var lead *work
	notes := 0 // pieces in the call
	if q == &l.hand.bulk && same > 1 {
		mixed = 1 // a call for one notification is smaller by its content for each device
	}
	var room callBytes
	holes := false
	for i := 0; i < q.len(); i++ {
		p := q.at(i)
		if len(p.targets) == 0 {
			continue
		}
		trial := l.exclude(c, p, now, &out)
		if len(p.targets) == 0 {
			holes = holes || i > 0
			continue
		}
		note := p.w.job.Notification
		if trial {
			c.trial, c.kind = true, note.Kind
			same, mixed = 1, 1
		}
		n := same
		if notes > 0 {
			if mixed > 1 {
				n = mixed - len(c.works)
			} else {
				n = same - len(c.works)
			}
			if n <= 0 || mixed <= 1 && i > mergeScan {
				break
			}
			if p.with != c.with || p.host != host || p.w.class.Name != c.class.Name || p.w.job.Withdraws != lead.job.Withdraws || mixed <= 1 && !lead.alike(p.w) {
				continue
			}
			if mixed > 1 && notes == 1 && len(c.works) > mixed {
				break
			}
		}
		if lead != nil && lead.alike(p.w) {
			note = lead.job.Notification
		}
		if n = min(n, room.fits(&l.limits, note)); n <= 0 {
			break
		}
		host, c.class, c.with = p.host, p.w.class, p.with
		if lead == nil {
			lead = p.w
		}
		notes++
		if c.tokens == nil && (notes > 1 || len(p.targets) > 1 && (mixed > 1 || p.with != nil || l.caps(c.class))) {
			c.tokens = &l.tokens
			c.tokens.index(c.batch.Devices, max(l.limits.Batch, l.limits.Mixed))
		}
		before := len(p.targets)
		c.move(p, n, note)
		l.hand.used(p, before-len(p.targets))
		room.add(before - len(p.targets))
		holes = holes || i > 0
		if same <= 1 && mixed <= 1 {
			break
		}
	}
	q.tidy(holes)
	c.tokens = nil // the next call's from here on
	return out
}

// exclude takes out of a piece what is not to be pushed to now, and says whether the rest shall
// probe for its kind, as the first of the call. The lock is held.
func (l *lane) exclude(c *call, p *piece, now time.Time, out *leftOut) (trial bool) {
	all, note, kinds := *p, p.w.job.Notification, &l.s.kinds
	shut := kinds.parked(note.Kind)
	trial = shut && len(c.works) == 0 && kinds.try(note.Kind, now)
	switch {
	case !now.Before(note.Deadline):
		out.expired, p.targets = append(out.expired, all), nil
	case shut && !trial:
		out.parked, p.targets = append(out.parked, all), nil
	case l.old(p.w, p.targets, now):
		out.old, p.targets = append(out.old, all), nil
		if p.w.stored {
			l.away++
		}
	default:
		if o, some := l.sift(p, c.heard); some {
			out.stopped = append(out.stopped, o)
		}
	}
	l.hand.used(p, len(all.targets)-len(p.targets))
	if trial && len(p.targets) == 0 {
		kinds.forget(note.Kind)
		trial = false
	}
	return trial
}

// move puts up to n devices of a piece into the call, with a notification that is the piece's own
// or says the same. No token stands in it twice: what says the same to a phone of the call becomes
// a twin, and what says something else waits for the next call.
func (c *call) move(p *piece, n int, note *vendors.Notification) {
	var held []int
	next := 0
	for ; next < len(p.targets); next++ {
		i := p.targets[next]
		token := p.w.job.Targets[i].Token
		at := c.find(token)
		if at >= 0 && c.works[at].samePush(p.w) {
			c.twins = append(c.twins, twin{at, p.w, i})
			continue
		}
		if n == 0 {
			break
		}
		n--
		if at >= 0 {
			held = append(held, i)
			continue
		}
		d := p.w.job.Device(i)
		d.Notification = note
		c.batch.Devices = append(c.batch.Devices, d)
		if c.tokens != nil {
			*c.tokens.slot(c.batch.Devices, token) = int32(len(c.batch.Devices))
		}
		c.works = append(c.works, p.w)
		c.index = append(c.index, i)
	}
	p.targets = p.targets[next:]
	if len(held) > 0 {
		p.targets = append(held, p.targets...)
	}
}

// find is the place of a token in the batch, or -1. Where the call keeps no tokens it is the last
// device's or nobody's.
func (c *call) find(token string) int {
	if c.tokens != nil {
		return int(*c.tokens.slot(c.batch.Devices, token)) - 1
	}
	if last := len(c.batch.Devices) - 1; last >= 0 && c.batch.Devices[last].Token == token {
		return last
	}
	return -1
}

// shed gives devices of the call, with their twins, a result without a call, and keeps the others.
func (c *call) shed(result vendors.Result, gone func(k int) bool) {
	of := map[*work][]int{}
	var works []*work
	add := func(w *work, target int) {
		if of[w] == nil {
			works = append(works, w)
		}
		of[w] = append(of[w], target)
	}
	for k, w := range c.works {
		if gone(k) {
			add(w, c.index[k])
		}
	}
	for _, t := range c.twins {
		if gone(t.at) {
			add(t.w, t.index)
		}
	}
	for _, w := range works {
		c.lane.resolve(w, of[w], result, false)
	}
	c.compact(gone)
}

// everyone chooses all devices of a call.
func everyone(int) bool { return true }

// compact takes devices out of the call, with their twins.
func (c *call) compact(gone func(k int) bool) {
	moved := make([]int, len(c.works)) // where a device is now, or -1
	kept := 0
	for k, w := range c.works {
		if moved[k] = -1; gone(k) {
			continue
		}
		moved[k] = kept
		c.works[kept], c.index[kept], c.batch.Devices[kept] = w, c.index[k], c.batch.Devices[k]
		kept++
	}
	var twins []twin
	for _, t := range c.twins {
		if t.at = moved[t.at]; t.at >= 0 {
			twins = append(twins, t)
		}
	}
	c.works, c.index, c.batch.Devices, c.twins = c.works[:kept], c.index[:kept], c.batch.Devices[:kept], twins
}

// replace puts a twin in the place of a device that it has the token of, and says whether there is
// one.
func (c *call) replace(k int) bool {
	for j, t := range c.twins {
		if t.at == k {
			d := t.w.job.Device(t.index)
			d.Notification = c.batch.Devices[k].Notification
			c.works[k], c.index[k], c.batch.Devices[k] = t.w, t.index, d
			c.twins = slices.Delete(c.twins, j, j+1)
			return true
		}
	}
	return false
}

// unfold gives the twins of a call's devices places of their own behind them, with the results of
// those whose phones they are.
func (c *call) unfold(results []vendors.Result) []vendors.Result {
	for _, t := range c.twins {
		c.works, c.index = append(c.works, t.w), append(c.index, t.index)
		c.batch.Devices = append(c.batch.Devices, c.batch.Devices[t.at])
		results = append(results, results[t.at])
	}
	return results
}

// putBack returns the devices of a call beyond the first n to the front of the queue.
func (l *lane) putBack(c *call, n int) {
	if n >= len(c.works) {
		return
	}
	var rest []int
	for k := n; k < len(c.works); k++ {
		rest = append(rest, k)
	}
	back := l.piecesOf(c, rest, c.with)
	l.mu.Lock()
	l.hand.back(back)
	l.mu.Unlock()
	c.batch.Devices, c.works, c.index = c.batch.Devices[:n], c.works[:n], c.index[:n]
	c.twins = slices.DeleteFunc(c.twins, func(t twin) bool { return t.at >= n })
}

// piecesOf makes pieces of some devices of a call again, with their twins.
func (l *lane) piecesOf(c *call, some []int, with *company) []piece {
	var ps []piece
	add := func(k int, w *work, target int) {
		host := ""
		if l.limits.Partition != nil {
			host = l.limits.Partition(c.batch.Devices[k])
		}
		if last := len(ps) - 1; last >= 0 && ps[last].w == w && ps[last].host == host {
			ps[last].targets = append(ps[last].targets, target)
			return
		}
		ps = append(ps, piece{w: w, targets: []int{target}, host: host, with: with})
	}
	for _, k := range some {
		add(k, c.works[k], c.index[k])
		for _, t := range c.twins {
			if t.at == k {
				add(k, t.w, t.index)
			}
		}
	}
	return ps
}

// takeApart puts devices of a call that the vendor refused as a whole before all others, in two
// calls of half the size. So one bad message among a thousand is alone after ten rounds, and the
// others were accepted beside; none of that is an attempt.
func (l *lane) takeApart(c *call, some []int) {
	some = slices.DeleteFunc(some, func(k int) bool { return k >= len(c.works)-len(c.twins) }) // they go with theirs
	half := (len(some) + 1) / 2
	back := append(l.piecesOf(c, some[:half], new(company)), l.piecesOf(c, some[half:], new(company))...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hand.back(back)
	l.run()
}

// call makes the vendor call and carries out the verdicts. It frees its place before it waits for
// them to be stored.
func (l *lane) call(c *call) {
	s := l.s
	cert := &s.Certificate
	numbered := l.number(c)
	began := s.Now()
	c.begin(began)
	s.mu.Lock()
	s.flying++
	s.mu.Unlock()
	ctx, span := l.span(c)
	results := l.push(ctx, c, numbered && !s.held.Load())
	splits(results)
	now := s.Now()
	span(results)
	l.settleLimits(c, results, now)
	s.mu.Lock()
	changed := s.breaker.Record(c.batch.Devices, results, c.probe, began, now)
	sick := s.breaker.Sick(began, s.flying)
	state, why, since := s.breaker.State()
	if changed {
		s.parked.Store(state == parking.Open)
	}
	s.flying--
	s.mu.Unlock()
	l.pushed(c, results)
	l.learnKinds(c, results, began, now)
	l.calls.leave(answered(results))
	switch {
	case changed:
		s.say(func() { s.announce(state, why, since, results) })
	case c.probe && state == parking.Open && s.Parked != nil:
		s.say(func() { s.Parked(true, since, speaker(results, why)) })
	}
	s.Metrics.Called(cert.Vendor, cert.ID, l.name, began.Sub(c.works[0].since), now.Sub(began))
	if max(l.limits.Batch, l.limits.Mixed) > 1 {
		s.Metrics.Batch(cert.Vendor, cert.ID, l.name, len(c.batch.Devices))
	}
	s.doubt(results, now)
	l.report(c, results, began, now.Sub(began))
	l.carryOut(c, c.unfold(results), sick, now)
}

// begin notes that the call begins.
func (c *call) begin(now time.Time) {
	c.batch.Now = now
	for k, w := range c.works {
		if k == 0 || w != c.works[k-1] {
			w.begin(now)
		}
	}
	for _, t := range c.twins {
		t.w.begin(now)
	}
}

// splits leaves [vendors.Result.Split] to calls for several devices. Of such a result only that is
// believed: the vendor answered, and took nothing.
func splits(results []vendors.Result) {
	for i := range results {
		if r := &results[i]; r.Split {
			r.Split = len(results) > 1
			if r.Split {
				r.Reason, r.Scope = vendors.BadPayload, vendors.ScopeCall
			}
		}
	}
}
