// Package owner keeps one token to one phone: of two registrations of an app that hold the same
// token, the one that was stored later stays, and the other is removed.
//
//	a registration is stored ──▶ Keeper ──▶ who owned its token? ──▶ remove the earlier of the two
//	                                │                                          │
//	                                └──────────── the token's owner ◀──────────┘
//
// The owner of a token is a record of the workers' own, changed only by compare-and-set, so that
// workers may work on registrations side by side, in any order and more than once. Who stays is
// decided by what the directory holds, as new as both registrations; the record only says where to
// look. So a worker that is killed, a lost ack and a repeated delivery change nothing, and records
// that outlived their stream harm nobody.
//
// What is removed is the whole registration, its other token included: both belong to the app on
// the phone that has changed hands. It is removed only as it was read; one that changed meanwhile
// comes by itself. A registration that was replaced before any worker saw it counts as never made.
//
// While the store cannot be read or written the registrations wait. The push path reads none of
// this.
package owner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
)

// Subject is where the owner of an app's token is kept. It holds the token only as a hash.
func Subject(s hongyan.Subjects, app, token string) string {
	return s.Own("token." + app + "." + Hash(token))
}

// Hash names a token by 32 hex digits.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

// Of is the filter that covers the owners of all tokens of an app.
func Of(s hongyan.Subjects, app string) string { return s.Own("token." + app + ".*") }

// version is the form in which owners are stored.
const version = 1

// errNewer is an owner that a newer worker stored, in a form that this one does not know.
var errNewer = errors.New("a newer worker wrote it")

// Owner is the registration that was the last to bring a token.
type Owner struct {
	Version int `json:"v"`
	// Registration is its subject, and Sequence its place in the stream.
	Registration string `json:"registration"`
	Sequence     uint64 `json:"sequence"`
}

// Read reads an owner; none for an empty record.
func Read(data []byte) (o Owner, err error) {
	if len(data) == 0 {
		return Owner{}, nil
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return Owner{}, fmt.Errorf("read a token's owner: %w", err)
	}
	if o.Version > version {
		return Owner{}, fmt.Errorf("read a token's owner of form %d: %w", o.Version, errNewer)
	}
	return o, nil
}

// Store is where registrations and owners are.
type Store interface {
	directory.Store
	// Owners reads the last values of owners' subjects, in any order. Those that were never written
	// are missing.
	Owners(ctx context.Context, subjects []string) ([]directory.Value, error)
}
