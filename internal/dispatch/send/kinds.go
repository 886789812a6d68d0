package send

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// kindSuspects is how many messages of a kind the vendor must refuse for the certificate's channel
// or template, with none accepted in between or lately, until the kind is parked. One alone may
// have a text that the vendor does not take.
const kindSuspects = 2

// kinds parks pushes of one kind, such as those of groups, where the vendor refuses the channel or
// template that the certificate has for them, while the other kinds go on. As long as the vendor
// never did, it costs a look. The zero value is ready. It may be used by many goroutines.
type kinds struct {
	any atomic.Bool // whether there is a gate
	mu  sync.Mutex
	of  map[vendors.Kind]*kindGate
}

type kindGate struct {
	breaker  *parking.Breaker
	accepted time.Time // when a push of the kind was accepted last
}

// kindChange is a gate that opened or closed.
type kindChange struct {
	kind  vendors.Kind
	open  bool
	since time.Time
	why   vendors.Result
	news  bool // false where a probe failed once more
}

// gate finds the gate of a kind, and makes one where there is none. The lock is held.
func (ks *kinds) gate(kind vendors.Kind, opts parking.Options) *kindGate {
	if ks.of == nil {
		ks.of = map[vendors.Kind]*kindGate{}
	}
	g := ks.of[kind]
	if g == nil {
		opts.Suspects = kindSuspects
		g = &kindGate{breaker: parking.New(opts)}
		ks.of[kind] = g
		ks.any.Store(true)
	}
	return g
}

// parked says whether pushes of a kind are parked.
func (ks *kinds) parked(kind vendors.Kind) bool {
	if !ks.any.Load() {
		return false
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return ks.of[kind].open()
}

func (g *kindGate) open() bool {
	if g == nil {
		return false
	}
	state, _, _ := g.breaker.State()
	return state == parking.Open
}

// try says whether one push of a parked kind may probe now; it must then be told to learn, or to
// forget.
func (ks *kinds) try(kind vendors.Kind, now time.Time) bool {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ok, _, _ := ks.of[kind].breaker.Allow(now)
	return ok
}

// forget takes back a probe that was not made.
func (ks *kinds) forget(kind vendors.Kind) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.of[kind].breaker.Forget()
}

// sick says whether a refusal of a push is the kind's trouble rather than its own: the kind is
// parked, or none of its pushes was accepted since the message was published.
func (ks *kinds) sick(kind vendors.Kind, published time.Time) bool {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	g := ks.of[kind]
	return g == nil || g.open() || !g.accepted.After(published)
}

// follow learns from another worker, as [parking.Breaker.Follow] does.
func (ks *kinds) follow(kind vendors.Kind, opts parking.Options, open bool, why vendors.Reason, since, now time.Time) (changed bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if !open && ks.of[kind] == nil {
		return false
	}
	return ks.gate(kind, opts).breaker.Follow(open, why, since, now)
}

// learn learns from the results of a call that began at began. trial says that it was the probe of
// its only device's kind.
func (ks *kinds) learn(devices []vendors.Device, results []vendors.Result, trial bool, began, now time.Time, opts parking.Options) (changes []kindChange) {
	refused := func(r *vendors.Result) bool {
		return r.Scope == vendors.ScopeKind && vendors.Sick(r.Reason) && !r.Split
	}
	if !ks.any.Load() {
		news := false
		for k := range results {
			news = news || refused(&results[k])
		}
		if !news {
			return nil
		}
	}
	// What is neither an acceptance nor a refusal of the kind says nothing of the kind.
	type heard struct {
		devices  []vendors.Device
		results  []vendors.Result
		why      vendors.Result
		accepted bool
	}
	of := map[vendors.Kind]*heard{}
	for k := range results {
		kind := devices[k].Notification.Kind
		h := of[kind]
		if h == nil {
			h = new(heard)
			of[kind] = h
		}
		switch r := &results[k]; {
		case refused(r):
			h.why = *r
			h.devices, h.results = append(h.devices, devices[k]), append(h.results, vendors.Result{Reason: r.Reason, Scope: vendors.ScopeNotification})
		case r.Reason == vendors.Accepted && !h.accepted:
			h.accepted = true
			h.devices, h.results = append(h.devices, devices[k]), append(h.results, vendors.Result{Reason: r.Reason})
		}
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for kind, h := range of {
		if ks.of[kind] == nil && h.why.Scope != vendors.ScopeKind {
			continue
		}
		g := ks.gate(kind, opts)
		if h.accepted {
			g.accepted = now
		}
		changed := g.breaker.Record(h.devices, h.results, trial, began, now)
		if !changed && !(trial && g.open()) {
			continue
		}
		_, _, since := g.breaker.State()
		changes = append(changes, kindChange{kind, g.open(), since, h.why, changed})
	}
	return changes
}

// learnKinds lets the gates of kinds learn from a call, and tells of their changes.
func (l *lane) learnKinds(c *call, results []vendors.Result, began, now time.Time) {
	s := l.s
	for _, change := range s.kinds.learn(c.batch.Devices, results, c.trial, began, now, s.Breaker) {
		s.say(func() {
			if change.news {
				s.announceKind(&change)
			}
			if s.ParkedKind != nil {
				s.ParkedKind(change.kind, change.open, change.since, change.why)
			}
		})
	}
}

// announceKind says that a kind is parked or goes on.
func (s *Sender) announceKind(c *kindChange) {
	cert := &s.Certificate
	s.Metrics.ParkKind(cert.Vendor, cert.ID, string(c.kind), c.open)
	if c.open {
		s.Log.Error("pushes of one kind are parked: the vendor refuses the certificate's channel or template for them; they wait, and one probes from time to time",
			"vendor", cert.Vendor, "certificate", cert.ID, "kind", string(c.kind), "code", c.why.Code, "error", c.why.Err)
		return
	}
	s.Log.Info("pushes of the kind are no longer parked", "vendor", cert.Vendor, "certificate", cert.ID, "kind", string(c.kind))
}

// FollowKind is Follow for the pushes of one kind.
func (s *Sender) FollowKind(kind vendors.Kind, open bool, why vendors.Reason, since time.Time) {
	if !s.kinds.follow(kind, s.Breaker, open, why, since, s.Now()) {
		return
	}
	s.say(func() {
		cert := &s.Certificate
		s.Metrics.ParkKind(cert.Vendor, cert.ID, string(kind), open)
		if open {
			s.Log.Info("pushes of one kind are parked by another worker", "vendor", cert.Vendor, "certificate", cert.ID, "kind", string(kind), "reason", why.String())
		}
	})
}
