// Package erase finds and erases what is kept of a person: the directory's records, the workers'
// own records of a user (the number on the icons), the owners and counters of the user's tokens,
// and the user's part of dead letters.
//
//	a person asks ─────────────▶ Eraser.Find ──▶ records ──▶ Eraser.Remove: each as it was found
//	                  dead letters ──▶ Letter ──▶ what stays of each
//	                                   Part   ──▶ what one says of the user, to be shown
//	a night begins ─▶ Nightly ─▶ Sweep ─▶ people of whom nothing is heard ──▶ Eraser.Remove
//	                                    └─▶ owners of tokens that nobody holds ──▶ erased
//
// A record that changed since it was found stays, and is found again. What is removed is
// overwritten on the disk. What waits to be sent is left to the workers: without a registration it
// ends as no_device. Records of what became of pushes, recalls and read marks end with their age.
//
// Of all workers one sweeps, once a night. Where it fails, is killed or cannot say for too long
// that it lives, another one, or itself, begins anew: what is erased is not found again.
package erase

import (
	"context"
	"errors"
	"strings"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/owner"
)

// Place is where records of one kind are kept.
type Place struct {
	// Kind says in a word or two what they are, for people.
	Kind   string
	Stream string
	// Filter covers the subjects of a user's records.
	Filter string
}

// Places are where an installation keeps records of people.
type Places interface {
	// Directory names the directory's stream.
	Directory() string
	// OfUser are the places of a user's records.
	OfUser(app, user string) []Place
	// OfToken are the places of what is kept by a token's hash.
	OfToken(hash string) []Place
	// Owners is the place of the owners of an app's tokens.
	Owners(app string) Place
}

// Store is where records are.
type Store interface {
	owner.Store
	// Values calls each with the values of a place, oldest first, until it returns false. A stream
	// that does not exist holds none.
	Values(ctx context.Context, place Place, each func(directory.Value) (more bool)) error
	// Erase removes a stored value so that its bytes are gone from the disk; none there is no
	// error.
	Erase(ctx context.Context, stream string, sequence uint64) error
}

// Record is one that is kept of a person.
type Record struct {
	Place
	directory.Value
}

// Eraser finds and erases records of people.
type Eraser struct {
	Store    Store
	Places   Places
	Subjects hongyan.Subjects
	// Read is called for each record that is looked at; nil for nobody.
	Read func()
}

// Find finds all records of a user, those about tokens that the user has no more included: for
// these it reads the owners of all tokens of the app.
func (e *Eraser) Find(ctx context.Context, app, user string) ([]Record, error) {
	records, hashes, err := e.records(ctx, app, user)
	if err != nil {
		return nil, err
	}
	own := strings.TrimSuffix(e.Subjects.User(app, user), ">")
	place := e.Places.Owners(app)
	err = e.Store.Values(ctx, place, func(v directory.Value) bool {
		e.looked()
		if o, err := owner.Read(v.Data); err == nil && strings.HasPrefix(o.Registration, own) {
			records = append(records, Record{place, v})
			hashes[v.Subject[strings.LastIndexByte(v.Subject, '.')+1:]] = true
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return e.ofTokens(ctx, records, hashes)
}

// FindKnown is Find without reading more than the user's own records: owners of tokens that the
// user had once are not among them.
func (e *Eraser) FindKnown(ctx context.Context, app, user string) ([]Record, error) {
	records, hashes, err := e.records(ctx, app, user)
	if err != nil || len(hashes) == 0 {
		return records, err
	}
	own := strings.TrimSuffix(e.Subjects.User(app, user), ">")
	place := e.Places.Owners(app)
	var keys []string
	for hash := range hashes {
		keys = append(keys, strings.TrimSuffix(owner.Of(e.Subjects, app), "*")+hash)
	}
	values, err := e.Store.Owners(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if o, err := owner.Read(v.Data); err == nil && strings.HasPrefix(o.Registration, own) {
			records = append(records, Record{place, v})
		}
	}
	return e.ofTokens(ctx, records, hashes)
}

// records finds the records under the user's name, and the hashes of the tokens in them.
func (e *Eraser) records(ctx context.Context, app, user string) (records []Record, hashes map[string]bool, err error) {
	hashes = map[string]bool{}
	for _, place := range e.Places.OfUser(app, user) {
		err := e.Store.Values(ctx, place, func(v directory.Value) bool {
			e.looked()
			records = append(records, Record{place, v})
			x, err := e.Subjects.Parse(v.Subject)
			if err != nil || x.Kind != hongyan.KindDevice || len(v.Data) == 0 {
				return true
			}
			reg, _, err := hongyan.ParseDevice(v.Data, v.Time)
			if err != nil {
				return true
			}
			for _, token := range owner.Tokens(&reg) {
				hashes[owner.Hash(token)] = true
			}
			return true
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return records, hashes, nil
}

// ofTokens adds what is kept by the tokens' hashes.
func (e *Eraser) ofTokens(ctx context.Context, records []Record, hashes map[string]bool) ([]Record, error) {
	for hash := range hashes {
		for _, place := range e.Places.OfToken(hash) {
			err := e.Store.Values(ctx, place, func(v directory.Value) bool {
				e.looked()
				records = append(records, Record{place, v})
				return true
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}

func (e *Eraser) looked() {
	if e.Read != nil {
		e.Read()
	}
}

// Remove erases records of a user as they were found, and makes workers forget the user. It goes on
// after an error; n is how many are gone.
func (e *Eraser) Remove(ctx context.Context, app, user string, records []Record) (n int, err error) {
	var errs []error
	for _, r := range records {
		if err := e.Store.Erase(ctx, r.Stream, r.Revision); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	// Workers hear only of what is stored. An empty record goes away by itself.
	if _, err := e.Store.PutIf(ctx, e.Subjects.Settings(app, user), nil, 0); err != nil {
		errs = append(errs, err)
	}
	return n, errors.Join(errs...)
}
