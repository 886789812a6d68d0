package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
)

// tokens makes the source of a certificate's access token, shared with the other workers.
func (s *service) tokens(settings vendors.Config) func(string, vendors.TokenFetch) vendors.TokenSource {
	return func(name string, fetch vendors.TokenFetch) vendors.TokenSource {
		share, err := s.bus.TokenShare(name, secretsOf(settings))
		if err != nil {
			// Only a cipher that this build lacks; each worker then fetches its own.
			s.log.Error("access tokens are not shared", "certificate", name, "error", err)
			return accesstoken.New(fetch, accesstoken.Options{})
		}
		return accesstoken.New(fetch, accesstoken.Options{Share: share})
	}
}

// secretsOf joins everything secret in a certificate's settings.
func secretsOf(settings vendors.Config) []byte {
	var all []byte
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				walk(v.Field(i))
			}
			return
		}
		if v.Type() == reflect.TypeFor[vendors.Secret]() {
			all = append(append(all, v.String()...), 0)
		}
	}
	walk(reflect.ValueOf(settings).Elem())
	return all
}

// parking shares the senders' breakers: what one worker found out parks the certificate on all, and
// the first whose probe gets through wakes the others.
type parking struct {
	room    *bus.Notes
	worker  string
	log     *slog.Logger
	senders map[string]*dispatch.Sender

	mu   sync.Mutex
	mine map[string]dispatch.Parked // what this worker announced and keeps alive
	told chan struct{}              // wakes run
	over map[string]bool            // to be removed
}

// A note outlives its last renewal by a minute, so that a worker that dies leaves its word to the
// others' probes.
const (
	parkedTTL   = time.Minute
	parkedRenew = 15 * time.Second
	parkedLook  = time.Second
)

func newParking(room *bus.Notes, worker string, log *slog.Logger, senders []*dispatch.Sender) *parking {
	p := &parking{room: room, worker: worker, log: log, senders: map[string]*dispatch.Sender{}, mine: map[string]dispatch.Parked{}, over: map[string]bool{}, told: make(chan struct{}, 1)}
	for _, s := range senders {
		id := s.Certificate.ID
		p.senders[id] = s
		s.Parked = func(open bool, r vendors.Result) { p.tell(id, open, r) }
	}
	return p
}

// tell notes a change of one of our breakers; run carries it out.
func (p *parking) tell(certificate string, open bool, r vendors.Result) {
	p.mu.Lock()
	if open {
		_, _, since := p.senders[certificate].State()
		note := dispatch.Parked{Reason: r.Reason.String(), Code: r.Code, Since: since.UTC(), Worker: p.worker}
		if r.Err != nil {
			note.Error = r.Err.Error()
		}
		p.mine[certificate] = note
		delete(p.over, certificate)
	} else {
		delete(p.mine, certificate)
		p.over[certificate] = true
	}
	p.mu.Unlock()
	select {
	case p.told <- struct{}{}:
	default:
	}
}

// run shares until ctx ends.
func (p *parking) run(ctx context.Context) {
	look := time.NewTicker(parkedLook)
	defer look.Stop()
	seen := map[string]bool{}
	written := map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			p.leave(ctx)
			return
		case <-p.told:
		case <-look.C:
		}
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := p.round(call, seen, written)
		cancel()
		if err != nil && ctx.Err() == nil {
			p.log.Debug("cannot share the state of certificates, trying again", "error", err)
		}
	}
}

// leave takes our words back: those who followed them find out for themselves, and a worker that
// starts with better credentials in our place is not held up.
func (p *parking) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	p.mu.Lock()
	ours := slices.Collect(maps.Keys(p.mine))
	p.mu.Unlock()
	for _, id := range ours {
		_ = p.room.Remove(ctx, id) // it ends by itself
	}
}

// round writes our words and reads the others'. seen are the certificates that had a note last
// time, written when ours were renewed.
func (p *parking) round(ctx context.Context, seen map[string]bool, written map[string]time.Time) error {
	p.mu.Lock()
	mine, over := make(map[string]dispatch.Parked, len(p.mine)), p.over
	for k, v := range p.mine {
		mine[k] = v
	}
	p.over = map[string]bool{}
	p.mu.Unlock()
	for id := range over {
		delete(written, id)
		if err := p.room.Remove(ctx, id); err != nil {
			return err
		}
	}
	for id, note := range mine {
		if time.Since(written[id]) < parkedRenew {
			continue
		}
		data, err := json.Marshal(note)
		if err != nil {
			return fmt.Errorf("share a parked certificate: %w", err)
		}
		if err := p.room.Put(ctx, id, data, parkedTTL); err != nil {
			return err
		}
		written[id] = time.Now()
		seen[id] = true
	}
	notes, err := p.room.List(ctx)
	if err != nil {
		return err
	}
	now := map[string]bool{}
	for _, n := range notes {
		s := p.senders[n.Key]
		var note dispatch.Parked
		if s == nil || json.Unmarshal(n.Value, &note) != nil {
			continue
		}
		now[n.Key] = true
		if !over[n.Key] {
			s.Follow(true, vendors.Reason(note.Reason), note.Since)
		}
	}
	for id := range seen {
		if !now[id] && !over[id] {
			// Another worker got through: no more renewals, and our next push is a probe.
			p.mu.Lock()
			delete(p.mine, id)
			p.mu.Unlock()
			delete(written, id)
			if s := p.senders[id]; s != nil {
				s.Follow(false, vendors.Accepted, time.Time{})
			}
		}
	}
	clear(seen)
	for id := range now {
		seen[id] = true
	}
	return nil
}
