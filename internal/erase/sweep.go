package erase

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/owner"
)

const (
	// usersTogether is how many users are looked up with one read, ownersTogether the same for
	// owners' registrations.
	usersTogether, ownersTogether = 100, 250
	// mostSeen bounds how many users are remembered of whom it is known that they are heard of.
	mostSeen = 200_000
	// youngOwner is how old an owner must be that names a registration which is gone: one that is
	// younger may be about to be written.
	youngOwner = time.Hour
	// mostFailures is how many users or owners in a row cannot be erased until a sweep ends: then
	// the store is at fault and not one of them.
	mostFailures = 20
)

// Sweep erases the records of people of whom nothing is heard, and the owners of tokens that nobody
// holds any more.
type Sweep struct {
	Eraser
	// PerSecond bounds how many users and owners are looked at; default 500.
	PerSecond int
	Now       func() time.Time
}

// Swept is what a sweep erased.
type Swept struct {
	Users, Records, Owners int
	// Failed is how many users and owners could not be erased, Err why the first could not.
	Failed int
	Err    error

	failing int // in a row
}

// erased notes that a user or owner was erased, or why not. The error is that the sweep must end.
func (d *Swept) erased(err error) error {
	if err == nil {
		d.failing = 0
		return nil
	}
	d.Failed++
	if d.Err == nil {
		d.Err = err
	}
	if d.failing++; d.failing == mostFailures {
		return err
	}
	return nil
}

// Run erases the records of users of whom nothing was stored since a time, of every app, and then
// goes through the owners. The time zero erases no user. Whoever cannot be erased keeps nobody else
// from it. What is left, also after an error, is erased by the next sweep.
func (s *Sweep) Run(ctx context.Context, since time.Time) (done Swept, err error) {
	pace := rate.NewLimiter(rate.Limit(max(s.PerSecond, 0)), ownersTogether)
	if s.PerSecond <= 0 {
		pace.SetLimit(500)
	}
	if !since.IsZero() {
		err = s.users(ctx, pace, since, &done)
	}
	return done, errors.Join(err, s.owners(ctx, pace, &done))
}

// users reads the directory from its oldest record on: whoever has none from before since was heard
// of.
func (s *Sweep) users(ctx context.Context, pace *rate.Limiter, since time.Time, done *Swept) error {
	seen := map[directory.Ref]bool{}
	var some []directory.Ref
	var failed error
	look := func() bool {
		failed = s.silent(ctx, pace, some, since, done)
		some = some[:0]
		return failed == nil
	}
	place := Place{Stream: s.Places.Directory(), Filter: s.Subjects.Own("user.>")}
	err := s.Store.Values(ctx, place, func(v directory.Value) bool {
		if !v.Time.Before(since) {
			return false
		}
		x, err := s.Subjects.Parse(v.Subject)
		ref := directory.Ref{App: x.App, User: x.User}
		if err != nil || seen[ref] {
			return true
		}
		if len(seen) >= mostSeen {
			clear(seen)
		}
		seen[ref] = true
		some = append(some, ref)
		return len(some) < usersTogether || look()
	})
	if err == nil && failed == nil && len(some) > 0 {
		look()
	}
	return errors.Join(err, failed)
}

// silent erases those of some users of whom nothing was stored since a time.
func (s *Sweep) silent(ctx context.Context, pace *rate.Limiter, users []directory.Ref, since time.Time, done *Swept) error {
	if err := pace.WaitN(ctx, len(users)); err != nil {
		return err
	}
	filters := make([]string, len(users))
	for i, u := range users {
		filters[i] = s.Subjects.User(u.App, u.User)
	}
	// A read that is behind lacks what was stored just now: whoever is heard of this moment after
	// half a year of silence registers again.
	read, err := s.Store.LastValues(ctx, filters)
	if err != nil {
		return err
	}
	heard := map[directory.Ref]bool{}
	for _, v := range read.Values {
		if x, err := s.Subjects.Parse(v.Subject); err == nil && hears(v, since) {
			heard[directory.Ref{App: x.App, User: x.User}] = true
		}
	}
	for _, u := range users {
		if heard[u] {
			continue
		}
		if err := done.erased(s.one(ctx, u, since, done)); err != nil {
			return err
		}
	}
	return nil
}

// hears says whether a record of a user was stored since a time by somebody who speaks for the
// user. An empty record that ends by itself says that something was removed, by a worker, or by an
// erasure that may have failed halfway.
func hears(v directory.Value, since time.Time) bool {
	return !v.Time.Before(since) && (len(v.Data) > 0 || v.Expires.IsZero())
}

// one erases a user of whom nothing was heard since a time, unless something is by now.
func (s *Sweep) one(ctx context.Context, u directory.Ref, since time.Time, done *Swept) error {
	records, err := s.FindKnown(ctx, u.App, u.User)
	if err != nil {
		return fmt.Errorf("erase a user: %w", err)
	}
	for _, r := range records {
		if r.Stream == s.Places.Directory() && hears(r.Value, since) {
			return nil
		}
	}
	n, err := s.Remove(ctx, u.App, u.User, records)
	done.Records += n
	if err != nil {
		return fmt.Errorf("erase a user: %w", err)
	}
	done.Users++
	return nil
}

// owners goes through the owners of all tokens, and erases those whose registration does not hold
// the token any more.
func (s *Sweep) owners(ctx context.Context, pace *rate.Limiter, done *Swept) error {
	var some []directory.Value
	var failed error
	place := s.Places.Owners("*")
	look := func() bool {
		failed = s.forsaken(ctx, pace, place.Stream, some, done)
		some = some[:0]
		return failed == nil
	}
	err := s.Store.Values(ctx, place, func(v directory.Value) bool {
		if len(v.Data) == 0 || s.Now().Sub(v.Time) < youngOwner {
			return true
		}
		some = append(some, v)
		return len(some) < ownersTogether || look()
	})
	if err == nil && failed == nil && len(some) > 0 {
		look()
	}
	return errors.Join(err, failed)
}

// forsaken erases those of some owners that name a registration without the token.
func (s *Sweep) forsaken(ctx context.Context, pace *rate.Limiter, stream string, owners []directory.Value, done *Swept) error {
	if err := pace.WaitN(ctx, len(owners)); err != nil {
		return err
	}
	var filters []string
	named := make([]string, len(owners))
	for i, v := range owners {
		if o, err := owner.Read(v.Data); err == nil && o.Registration != "" {
			named[i] = o.Registration
			filters = append(filters, o.Registration)
		}
	}
	read, err := s.Store.LastValues(ctx, filters)
	if err != nil {
		return err
	}
	stored := make(map[string]directory.Value, len(read.Values))
	for _, v := range read.Values {
		stored[v.Subject] = v
	}
	for i, v := range owners {
		hash := v.Subject[strings.LastIndexByte(v.Subject, '.')+1:]
		if named[i] == "" || owner.Holds(stored[named[i]], hash) {
			continue // one that cannot be read may be a newer worker's
		}
		err := s.Store.Erase(ctx, stream, v.Revision)
		if err == nil {
			done.Owners++
		}
		if err := done.erased(err); err != nil {
			return err
		}
	}
	return nil
}
