package owner

import (
	"slices"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
)

// step is what is to be done about a claim.
type step struct {
	do     action
	remove *removal // before that; nil for nothing
}

type action int

const (
	// leave leaves the owner as it is.
	leave action = iota
	// take makes the claim's registration the owner.
	take
	// compare reads both registrations first.
	compare
)

// removal is a registration that is removed as it was read, with the device's presence.
type removal struct{ registration, presence directory.Value }

// first decides on a claim by the owner of its token alone.
func first(c *claim) step {
	switch {
	case c.owner.Registration == "":
		return step{do: take}
	case c.owner.Registration != c.by.subject:
		return step{do: compare}
	case c.owner.Sequence >= c.by.sequence:
		return step{do: leave} // it was settled before
	}
	// Even here the owner is written: that fails where it is another's by now.
	return step{do: take}
}

// second decides between a claim's registration and the one of the token's owner, by what is
// stored: the later of the two stays.
func second(c *claim, stored map[string]directory.Value, presence func(registration string) string) step {
	own, other := stored[c.by.subject], stored[c.owner.Registration]
	switch {
	case own.Revision != c.by.sequence:
		return step{do: leave} // it changed, and comes again as it is now
	case !Holds(other, c.hash):
		return step{do: take}
	case other.Revision < own.Revision:
		return step{do: take, remove: newRemoval(other, stored[presence(other.Subject)], own.Revision)}
	}
	return step{do: leave, remove: newRemoval(own, stored[presence(own.Subject)], other.Revision)}
}

// newRemoval removes a registration, and the presence of its device where that was said before
// the later registration was stored.
func newRemoval(registration, presence directory.Value, later uint64) *removal {
	if len(presence.Data) == 0 || presence.Revision > later {
		presence = directory.Value{}
	}
	return &removal{registration, presence}
}

// Holds says whether a stored registration holds the token of a hash.
func Holds(v directory.Value, hash string) bool {
	if len(v.Data) == 0 {
		return false
	}
	reg, _, err := hongyan.ParseDevice(v.Data, v.Time)
	return err == nil && slices.ContainsFunc(Tokens(&reg), func(token string) bool { return Hash(token) == hash })
}
