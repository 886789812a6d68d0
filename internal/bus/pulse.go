package bus

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// pullingGrace is how long a consumer may fail to pull before the worker does not count as ready.
const pullingGrace = 15 * time.Second

// pulse is whether a consumer, or one that looks for them, works.
type pulse struct {
	name string
	bus  *Bus

	mu    sync.Mutex
	since time.Time // of the first failure without a success after it
	err   error
}

// pulses are those that fail.
type pulses struct {
	mu  sync.Mutex
	all map[*pulse]struct{}
}

// beat is a success.
func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.bus.log.Info("pulls again", "what", p.name)
		p.clear()
	}
}

// stop is the end, working or not.
func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *pulse) clear() {
	p.err, p.since = nil, time.Time{}
	p.bus.failing.mu.Lock()
	defer p.bus.failing.mu.Unlock()
	delete(p.bus.failing.all, p)
}

// fail is a failure. The first of a row is logged; what needs a person is reported too.
func (p *pulse) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case needsPerson(err) && !needsPerson(p.err):
		p.bus.log.Error("cannot pull until a person changes something", "what", p.name, "error", err)
		if p.bus.misfit != nil {
			p.bus.misfit(err)
		}
	case p.err == nil:
		p.bus.log.Warn("cannot pull, trying again", "what", p.name, "error", err)
	}
	if p.err == nil {
		p.since = time.Now()
	}
	p.err = err
	p.bus.failing.mu.Lock()
	defer p.bus.failing.mu.Unlock()
	if p.bus.failing.all == nil {
		p.bus.failing.all = map[*pulse]struct{}{}
	}
	p.bus.failing.all[p] = struct{}{}
}

func needsPerson(err error) bool { return errors.Is(err, ErrMisfit) || errors.Is(err, ErrNotAllowed) }

// failed is the error that counts against the worker at a time, or nil.
func (p *pulse) failed(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil || !needsPerson(p.err) && now.Sub(p.since) < pullingGrace {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, p.err)
}

// errNoConnection is what Pulling answers without one.
var errNoConnection = errors.New("no connection to NATS")

// Pulling is nil while the connections stand, every consumer pulls, and every stream that is served
// on demand can be looked at: none has failed for 15 s, or needs a person (ErrMisfit,
// ErrNotAllowed). A consumer that waits for room, or for messages, works.
func (b *Bus) Pulling() error {
	if !b.Connected() {
		return errNoConnection
	}
	b.failing.mu.Lock()
	var all []*pulse
	for p := range b.failing.all {
		all = append(all, p)
	}
	b.failing.mu.Unlock()
	now := time.Now()
	slices.SortFunc(all, func(a, b *pulse) int { return strings.Compare(a.name, b.name) })
	var first error
	failed := 0
	for _, p := range all {
		if err := p.failed(now); err != nil {
			failed++
			first = cmp.Or(first, err)
		}
	}
	if failed > 1 {
		return fmt.Errorf("%w (and %d more)", first, failed-1)
	}
	return first
}
