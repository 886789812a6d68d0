// Package standing tells how certificates stand: which live workers serve them, what they may
// still send, and what is in the way of their pushes, in the vendor's own words. It reads what
// workers say of themselves, so it needs neither a configuration nor a secret.
//
// It reads only, and reads the streams each time it is asked. What a newer worker says in a form
// that this version does not know is left out, with a warning.
package standing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// View is how certificates stand at a moment.
type View struct {
	At           time.Time     `json:"at"`
	Workers      []Worker      `json:"workers"`
	Certificates []Certificate `json:"certificates"`
	// Holds are all that are in force, also of what no live worker serves.
	Holds    []Held   `json:"holds"`
	Warnings []string `json:"warnings,omitempty"`
}

// Worker is a live worker.
type Worker struct {
	Name    string `json:"name"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Version string `json:"version"`
	// Share is the part of every rate that it claims, 0 to 1.
	Share        float64   `json:"share"`
	Certificates int       `json:"certificates"`
	Since        time.Time `json:"since"`
}

// Certificate is how a certificate stands.
type Certificate struct {
	ID     string `json:"id"`
	App    string `json:"app"`
	Vendor string `json:"vendor"`
	// Parked is nil while it is not.
	Parked *Parked `json:"parked,omitempty"`
	// Held is nil while nobody holds it or its app.
	Held *Held `json:"held,omitempty"`
	// ParkedKinds are the kinds of pushes that are parked.
	ParkedKinds map[vendors.Kind]*Parked `json:"parked_kinds,omitempty"`
	// Unit, Rate, Current and PausedUntil are the rate's, Classes the quotas.
	Unit        string                 `json:"unit,omitempty"`
	Rate        float64                `json:"rate"`
	Current     float64                `json:"current"`
	PausedUntil time.Time              `json:"paused_until,omitzero"`
	Classes     []ratelimit.ClassState `json:"classes"`
	// Facts are what is in the certificate's way, in words.
	Facts []Fact `json:"facts,omitempty"`
}

// Parked says why a certificate is parked.
type Parked struct {
	parking.Note `json:",inline"`
	Host         string `json:"host,omitempty"`
	// Meaning is what the vendor means by its code, where that is known.
	Meaning string `json:"meaning,omitempty"`
	Advice  string `json:"advice"`
}

// Roster is what the live workers say of themselves.
type Roster struct {
	Workers map[string]dispatch.WorkerNote
	// Certificates are those that are served, each as the newest worker that serves it says, in the
	// workers' order.
	Certificates []dispatch.CertificateNote
	Warnings     []string
}

// ErrNoWorker says that nobody serves: how certificates stand is known from those who do.
var ErrNoWorker = errors.New("no worker runs: none has said a word within the last minute")

// Workers reads the roster. The error is ErrNoWorker where nobody serves, and [bus.ErrNoStream]
// where no worker ever ran.
func Workers(ctx context.Context, b *bus.Bus) (*Roster, error) {
	notes, err := b.Notes(dispatch.WorkerRoom).List(ctx)
	if err != nil {
		return nil, err
	}
	return rosterOf(notes)
}

// rosterOf is the roster by the workers' notes.
func rosterOf(notes map[string][]byte) (*Roster, error) {
	r := &Roster{Workers: map[string]dispatch.WorkerNote{}}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		value := notes[name]
		var w dispatch.WorkerNote
		if err := json.Unmarshal(value, &w); err != nil {
			r.Warnings = append(r.Warnings, fmt.Sprintf("worker %s says something that this version cannot read: %v", name, err))
			continue
		}
		r.Workers[name] = w
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, ErrNoWorker
	}
	slices.SortStableFunc(names, func(a, b string) int { return r.Workers[a].Since.Compare(r.Workers[b].Since) })
	at := map[string]int{}
	from := map[string]string{}
	for _, name := range names {
		for _, c := range r.Workers[name].Certificates {
			i, known := at[c.Limits.ID]
			if !known {
				at[c.Limits.ID], from[c.Limits.ID] = len(r.Certificates), name
				r.Certificates = append(r.Certificates, c)
				continue
			}
			old := r.Certificates[i]
			if !sameLimits(old, c) {
				r.Warnings = append(r.Warnings, fmt.Sprintf("workers %s and %s are configured with different limits for %s; shown are those of %s, the newest",
					from[c.Limits.ID], name, c.Limits.ID, name))
			}
			c.Limits.Classes = mergeClasses(c.Limits.Classes, old.Limits.Classes)
			r.Certificates[i], from[c.Limits.ID] = c, name
		}
	}
	return r, nil
}

// sameLimits compares two workers' configurations; which classes they have met does not matter.
func sameLimits(a, b dispatch.CertificateNote) bool {
	a.Limits.Classes, b.Limits.Classes = nil, nil
	return reflect.DeepEqual(a, b)
}

// mergeClasses adds those of more that are not there yet.
func mergeClasses(classes, more []vendors.Class) []vendors.Class {
	for _, m := range more {
		if !slices.ContainsFunc(classes, func(c vendors.Class) bool { return c.Name == m.Name }) {
			classes = append(classes, m)
		}
	}
	return classes
}

// Limiter has the workers' view of the limits without being one of them.
func (r *Roster) Limiter(b *bus.Bus, now func() time.Time) (*ratelimit.Limiter, error) {
	var limits []ratelimit.Certificate
	for _, c := range r.Certificates {
		limits = append(limits, c.Limits)
	}
	return ratelimit.New(b.LimitStore(), ratelimit.Options{Certificates: limits, Member: "publisher", Now: now})
}

// Read tells how those certificates stand that are wanted, with advice in a language. Its errors
// are those of [Workers], and what reading the streams may meet.
func Read(ctx context.Context, b *bus.Bus, now func() time.Time, l explain.Language, want func(*Certificate) bool) (*View, error) {
	r, err := Workers(ctx, b)
	if err != nil {
		return nil, err
	}
	limiter, err := r.Limiter(b, now)
	if err != nil {
		return nil, err
	}
	snapshot, err := limiter.Snapshot(ctx, now())
	if err != nil {
		return nil, err
	}
	parked, err := b.Notes(parking.Room).List(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := Holds(ctx, b)
	if err != nil {
		return nil, err
	}
	v := &View{At: snapshot.At.UTC(), Workers: r.listed(snapshot.Workers), Holds: allHeld(holds), Warnings: r.Warnings}
	states := map[string]ratelimit.CertificateState{}
	for _, s := range snapshot.Certificates {
		states[s.ID] = s
	}
	for _, c := range r.Certificates {
		s := states[c.Limits.ID]
		lc := Certificate{ID: s.ID, App: c.App, Vendor: c.Vendor, Unit: s.Unit, Rate: s.Rate, Current: s.Current, PausedUntil: s.PausedUntil, Classes: s.Classes}
		if !want(&lc) {
			continue
		}
		note := func(key string) *Parked {
			p, err := r.parked(parked[key], c.Vendor, l)
			if err != nil {
				v.Warnings = append(v.Warnings, fmt.Sprintf("whether %s is parked is said in a form that this version cannot read: %v", key, err))
			}
			return p
		}
		lc.Parked = note(s.ID)
		if h, key, held := holds.Of(c.App, s.ID); held {
			lc.Held = heldBy(key, h)
		}
		for _, kind := range vendors.Kinds {
			if p := note(parking.KindKey(s.ID, kind)); p != nil {
				if lc.ParkedKinds == nil {
					lc.ParkedKinds = map[vendors.Kind]*Parked{}
				}
				p.Advice = textMendKind.In(l)
				lc.ParkedKinds[kind] = p
			}
		}
		lc.Facts = lc.facts(now(), l)
		v.Certificates = append(v.Certificates, lc)
	}
	return v, nil
}

// parked is what a note says, nil where there is none or the certificate is parked no more.
func (r *Roster) parked(note []byte, vendor string, l explain.Language) (*Parked, error) {
	if note == nil {
		return nil, nil
	}
	var p parking.Note
	if err := json.Unmarshal(note, &p); err != nil || !p.Over.IsZero() {
		return nil, err
	}
	meaning, _ := explain.Meaning(vendor, p.Code, hongyan.Reason(p.Reason))
	return &Parked{p, r.Workers[p.Worker].Host, meaning.In(l), explain.Result(hongyan.Reason(p.Reason)).In(l)}, nil
}

// listed joins what workers say of themselves with their shares, oldest first.
func (r *Roster) listed(shares []ratelimit.Worker) (workers []Worker) {
	for name, w := range r.Workers {
		lw := Worker{Name: name, Host: w.Host, PID: w.PID, Version: w.Version, Certificates: len(w.Certificates), Since: w.Since}
		for _, s := range shares {
			if s.Name == name {
				lw.Share = s.Share
			}
		}
		workers = append(workers, lw)
	}
	slices.SortFunc(workers, func(a, b Worker) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Name, b.Name))
	})
	return workers
}

// Kinds are the kinds that are parked, in order.
func (c *Certificate) Kinds() (list []vendors.Kind) {
	for _, kind := range vendors.Kinds {
		if c.ParkedKinds[kind] != nil {
			list = append(list, kind)
		}
	}
	return list
}

// Slowed says whether the vendor slowed the certificate down.
func (c *Certificate) Slowed() bool { return c.Current > 0 && (c.Rate == 0 || c.Current < c.Rate) }
