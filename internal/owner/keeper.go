package owner

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

const (
	// mostTogether is how many registrations are worked on together.
	mostTogether = 128
	// writesAtOnce is how many writes of them are under way at the same time.
	writesAtOnce = 64
	// mostRounds is how often a registration is looked at anew because something changed meanwhile,
	// before it is given back.
	mostRounds = 50
	// patience is how long a read waits for a replica that knows what it must.
	patience = 5 * time.Second
	// tryAgain is when a registration that was given back comes again, leaveToNewer the same for
	// one that a newer worker knows more of.
	tryAgain, leaveToNewer = 500 * time.Millisecond, 5 * time.Second
)

// Keeper works on registrations as they are stored. Several may share a source's queue.
type Keeper struct {
	Store    Store
	Subjects hongyan.Subjects
	// Metrics is nil for none.
	Metrics *dispatch.Metrics
	Log     *slog.Logger
}

// Run works on registrations until ctx ends, and returns when every delivery is settled.
func (k *Keeper) Run(ctx context.Context, source dispatch.Source) {
	out := make(chan dispatch.Delivery, source.Hold())
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	var pulling sync.WaitGroup
	pulling.Go(func() { source.Renew(renew) })
	pulling.Go(func() {
		defer close(out)
		source.Run(ctx, out)
	})
	said := false
	for d := range out {
		err := k.work(ctx, dispatch.Together(d, out, mostTogether))
		if err != nil && ctx.Err() == nil && !said {
			k.Log.Warn("registrations cannot be compared with earlier ones of the same token, trying again", "error", err)
		}
		said = err != nil
	}
	stopRenewing()
	pulling.Wait()
}

// registration is one that is worked on.
type registration struct {
	delivery dispatch.Delivery
	place    hongyan.Subject
	subject  string
	sequence uint64
	open     int // claims that are not settled
}

// claim is a registration's claim on a token.
type claim struct {
	by   *registration
	hash string // the token's
	key  string // the subject of the token's owner
	// owner as it was read, and its revision; 0 for none. newer says that only newer workers can
	// read it.
	owner    Owner
	revision uint64
	newer    bool
}

// work settles deliveries. An error is one for which some of them come again.
func (k *Keeper) work(ctx context.Context, deliveries []dispatch.Delivery) error {
	var claims []*claim
	for _, d := range deliveries {
		mine := k.claims(d)
		if len(mine) == 0 {
			k.settle(d.Ack())
		}
		claims = append(claims, mine...)
	}
	var err, newer error
	for rounds := 0; len(claims) > 0 && err == nil; rounds++ {
		if rounds == mostRounds {
			err = errors.New("they keep changing")
			break
		}
		first, later := firstOfEach(claims)
		if err = k.readOwners(ctx, first); err != nil {
			break
		}
		left := slices.DeleteFunc(first, func(c *claim) bool { return c.newer && k.giveBack(c, leaveToNewer) })
		if len(left) < len(first) {
			newer = errNewer
		}
		var again []*claim
		again, err = k.round(ctx, left)
		claims = slices.DeleteFunc(append(again, later...), func(c *claim) bool { return c.by.open == 0 })
	}
	delay := tryAgain
	if ctx.Err() != nil {
		delay = 0 // for another worker
	}
	for _, c := range claims {
		k.giveBack(c, delay)
	}
	return errors.Join(err, newer)
}

// giveBack gives back the registration of a claim, unless it was settled before. It returns true.
func (k *Keeper) giveBack(c *claim, delay time.Duration) bool {
	if c.by.open > 0 {
		c.by.open = 0
		k.settle(c.by.delivery.Nak(delay))
	}
	return true
}

// settle is told what came of settling a delivery: one that is lost comes again.
func (k *Keeper) settle(err error) {
	if err != nil {
		k.Log.Debug("a registration comes again", "error", err)
	}
}

// claims are those of a registration, one for each token.
func (k *Keeper) claims(d dispatch.Delivery) []*claim {
	place, err := k.Subjects.Parse(d.Subject())
	sequence, stored, _ := d.Meta()
	if err != nil || place.Kind != hongyan.KindDevice || len(d.Data()) == 0 {
		return nil
	}
	r := &registration{delivery: d, place: place, subject: d.Subject(), sequence: sequence}
	reg, _, err := hongyan.ParseDevice(d.Data(), stored)
	if err != nil {
		return nil // it counts as absent
	}
	var all []*claim
	for _, token := range Tokens(&reg) {
		all = append(all, &claim{by: r, hash: Hash(token), key: Subject(k.Subjects, place.App, token)})
	}
	r.open = len(all)
	return all
}

// Tokens are those of a registration, each once.
func Tokens(reg *hongyan.Device) []string {
	var all []string
	if reg.Token != "" {
		all = append(all, reg.Token)
	}
	if reg.VoIP != nil && reg.VoIP.Token != "" && reg.VoIP.Token != reg.Token {
		all = append(all, reg.VoIP.Token)
	}
	return all
}

// firstOfEach takes the first claim on each token; those after it would only get in its way.
func firstOfEach(claims []*claim) (first, later []*claim) {
	seen := make(map[string]bool, len(claims))
	for _, c := range claims {
		if seen[c.key] {
			later = append(later, c)
			continue
		}
		seen[c.key] = true
		first = append(first, c)
	}
	return first, later
}

// round settles claims on different tokens whose owners were read, and returns those for which
// something changed meanwhile. With an error those are all that are not settled.
func (k *Keeper) round(ctx context.Context, claims []*claim) (again []*claim, err error) {
	var contested []*claim
	steps := make([]step, len(claims))
	for i, c := range claims {
		if steps[i] = first(c); steps[i].do == compare {
			contested = append(contested, c)
		}
	}
	if len(contested) > 0 {
		stored, err := k.readRegistrations(ctx, contested)
		if err != nil {
			return claims, err
		}
		for i, c := range claims {
			if steps[i].do == compare {
				steps[i] = second(c, stored, func(registration string) string { return presenceOf(k.Subjects, registration) })
			}
		}
	}
	return k.carryOut(ctx, claims, steps)
}

// carryOut follows the steps, and returns the claims that are not settled by that.
func (k *Keeper) carryOut(ctx context.Context, claims []*claim, steps []step) (again []*claim, err error) {
	settled := make([]bool, len(claims))
	var g errgroup.Group
	g.SetLimit(writesAtOnce)
	for i, c := range claims {
		g.Go(func() (err error) {
			settled[i], err = k.follow(ctx, c, &steps[i])
			return err
		})
	}
	err = g.Wait()
	for i, c := range claims {
		if !settled[i] {
			again = append(again, c)
			continue
		}
		if c.by.open == 0 {
			continue // it was given back for another of its tokens
		}
		if c.by.open--; c.by.open == 0 {
			k.settle(c.by.delivery.Ack())
		}
	}
	return again, err
}

// follow follows one step; settled is false where something changed meanwhile.
func (k *Keeper) follow(ctx context.Context, c *claim, s *step) (settled bool, err error) {
	if s.remove != nil {
		removed, err := directory.Remove(ctx, k.Store, s.remove.registration, s.remove.presence)
		if removed {
			k.Metrics.Moved()
			place, _ := k.Subjects.Parse(s.remove.registration.Subject) // it was read under this name
			k.Log.Debug("a token was registered again, the earlier registration is removed", "app", place.App, "user", place.User, "device", place.Device)
		}
		if err != nil || !removed {
			return false, err
		}
	}
	if s.do == leave {
		return true, nil
	}
	data, err := json.Marshal(Owner{Version: version, Registration: c.by.subject, Sequence: c.by.sequence})
	if err != nil {
		return false, err
	}
	changed, err := k.Store.PutIf(ctx, c.key, data, c.revision)
	return err == nil && !changed, err
}

// readOwners reads who owns the tokens.
func (k *Keeper) readOwners(ctx context.Context, claims []*claim) error {
	keys := make([]string, len(claims))
	byKey := make(map[string]*claim, len(claims))
	for i, c := range claims {
		keys[i], byKey[c.key] = c.key, c
		c.owner, c.revision, c.newer = Owner{}, 0, false
	}
	values, err := k.Store.Owners(ctx, keys)
	if err != nil {
		return err
	}
	for _, v := range values {
		c := byKey[v.Subject]
		if c == nil {
			continue
		}
		c.revision = v.Revision
		// One that cannot be read tells nothing, and is written anew.
		c.owner, err = Read(v.Data)
		c.newer = errors.Is(err, errNewer)
	}
	return nil
}

// readRegistrations reads the registrations of claims and of those who own the tokens, with the
// devices' presences, by subject. The answer takes into account what each of them was told of.
func (k *Keeper) readRegistrations(ctx context.Context, claims []*claim) (map[string]directory.Value, error) {
	var filters []string
	var target, told uint64
	for _, c := range claims {
		target, told = max(target, c.by.sequence), max(told, c.owner.Sequence)
		for _, subject := range [...]string{c.by.subject, c.owner.Registration} {
			filters = append(filters, subject)
			if presence := presenceOf(k.Subjects, subject); presence != "" {
				filters = append(filters, presence)
			}
		}
	}
	if told > target {
		// Where the stream was made anew its sequences are lower than what was told before.
		last, err := k.Store.LastSequence(ctx)
		if err != nil {
			return nil, err
		}
		target = max(target, min(told, last))
	}
	read, err := directory.ReadUntil(ctx, k.Store, filters, target, patience)
	if err != nil {
		return nil, err
	}
	stored := make(map[string]directory.Value, len(read.Values))
	for _, v := range read.Values {
		stored[v.Subject] = v
	}
	return stored, nil
}

// presenceOf is the subject of the presence of a registration's device; empty where that is none.
func presenceOf(s hongyan.Subjects, registration string) string {
	place, err := s.Parse(registration)
	if err != nil || place.Kind != hongyan.KindDevice {
		return ""
	}
	return s.Presence(place.App, place.User, place.Device)
}
