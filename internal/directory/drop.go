package directory

import (
	"context"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/hongyan-im/hongyan"
)

// Dead is a token of a registration, its own or the one for VoIP, that a vendor called dead.
type Dead struct {
	Ref    Ref
	Device string
	// Token is the dead one.
	Token string
	// Revision is the registration's as it was read before the push.
	Revision uint64
}

// Dropped is what became of a [Dead].
type Dropped struct {
	// Removed says that the token is gone by this call. It was not where the registration had
	// changed before.
	Removed bool
	// Err may come with Removed: then only the device's presence is left.
	Err error
}

// dropsAtOnce is how many removals of one DropAll are under way at the same time.
const dropsAtOnce = 32

// Drop is [Directory.DropAll] of one.
func (d *Directory) Drop(ctx context.Context, ref Ref, device, token string, revision uint64) (dropped bool, err error) {
	r := d.DropAll(ctx, []Dead{{ref, device, token, revision}})[0]
	return r.Removed, r.Err
}

// DropAll removes tokens that a vendor called dead from their registrations, and registrations that
// have no other, one read for all of them. It does nothing where a registration changed since its
// revision was read. With a registration goes the device's presence, unless it changes meanwhile.
// The answer is in the order of dead.
func (d *Directory) DropAll(ctx context.Context, dead []Dead) []Dropped {
	results := make([]Dropped, len(dead))
	filters := make([]string, 0, 2*len(dead))
	for _, x := range dead {
		filters = append(filters, d.subjects.Device(x.Ref.App, x.Ref.User, x.Device), d.subjects.Presence(x.Ref.App, x.Ref.User, x.Device))
	}
	r, err := d.store.LastValues(ctx, filters)
	if err != nil {
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	stored := make(map[string]Value, len(r.Values))
	for _, v := range r.Values {
		if len(v.Data) > 0 {
			stored[v.Subject] = v
		}
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, dropsAtOnce)
	for i := range dead {
		registration, presence := stored[filters[2*i]], stored[filters[2*i+1]]
		if registration.Revision != dead[i].Revision {
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			results[i] = d.drop(ctx, &dead[i], registration, presence)
		})
	}
	wg.Wait()
	return results
}

// drop removes one as it was read.
func (d *Directory) drop(ctx context.Context, dead *Dead, registration, presence Value) Dropped {
	reg, _, err := hongyan.ParseDevice(registration.Data, registration.Time)
	if err != nil {
		return Dropped{} // unreadable by now: changed
	}
	var rest []byte
	switch {
	case reg.Token == dead.Token:
		reg.Token = ""
	case reg.VoIP != nil && reg.VoIP.Token == dead.Token:
		reg.VoIP = nil
	default:
		return Dropped{}
	}
	if reg.Token != "" || reg.VoIP != nil {
		if rest, err = json.Marshal(reg); err != nil {
			return Dropped{Err: err}
		}
	}
	if rest == nil {
		removed, err := Remove(ctx, d.store, registration, presence)
		return Dropped{Removed: removed, Err: err}
	}
	changed, err := d.store.PutIf(ctx, registration.Subject, rest, dead.Revision)
	return Dropped{Removed: err == nil && !changed, Err: err}
}

// Remove removes a registration as it was read, unless it changed since then, and the device's
// presence, the zero value for none, likewise. It returns whether the registration is gone by this
// call; an error may come with it, and then only the presence is left.
func Remove(ctx context.Context, store Store, registration, presence Value) (removed bool, err error) {
	changed, err := store.PutIf(ctx, registration.Subject, nil, registration.Revision)
	if err != nil || changed {
		return false, err
	}
	if presence.Revision != 0 {
		_, err = store.PutIf(ctx, presence.Subject, nil, presence.Revision)
	}
	return true, err
}
