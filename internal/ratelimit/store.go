package ratelimit

import (
	"context"
	"errors"
	"strings"
	"time"
)

// ErrNotDone is wrapped by a [Store]'s error when the operation was certainly not carried out, such
// as without a connection. Any other error leaves the outcome unknown.
var ErrNotDone = errors.New("the store did not do it")

// ErrRepeated is wrapped by the error of an addition whose id was carried out before; it is not
// carried out again.
var ErrRepeated = errors.New("the store did it before")

// Counters are numbers that all workers share. A key is one or more tokens of [A-Za-z0-9_-], joined
// by dots, 250 bytes at most; it ends with a day, yyyymmdd, and a counter must be kept for at least
// 72 hours after its last change.
type Counters interface {
	// Add adds delta, which may be negative or 0, to the counter, and returns its value right after
	// that. A counter that was never added to is 0. It must apply delta at most once, and must
	// return an error when it cannot tell the value right after. An id, where it is not empty, lets
	// the caller ask again after an answer that was lost: an id that was carried out in the last
	// two minutes, on any counter, gives ErrRepeated.
	Add(ctx context.Context, key string, delta int64, id string) (int64, error)
	// Load returns the counters' values, in order. They may lag behind; they are only ever a hint.
	Load(ctx context.Context, keys ...string) ([]int64, error)
}

// Note is what a [Board] holds under a key.
type Note struct {
	Key   string
	Value []byte
}

// Board holds small notes with a lifetime: the leases of the workers, the vendors' words, the
// operators' orders. Keys are as those of [Counters], without a day. A value is at most 64 KiB.
type Board interface {
	// Put stores value under key for ttl, which is at least a second, instead of what was there. It
	// may keep it up to two seconds longer.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Remove removes the note; none there is no error.
	Remove(ctx context.Context, key string) error
	// List returns all notes, in any order. It may lag behind Put and Remove by at most half a
	// second.
	List(ctx context.Context) ([]Note, error)
}

// Store is what the workers share. It must be safe for concurrent use.
type Store interface {
	Counters
	Board
}

// The kinds of keys; each is the first token.
const (
	quotaCounter  = "quota"    // quota.<certificate>.<class>.<normal|urgent>.<yyyymmdd>
	deviceCounter = "device"   // device.<certificate>.<class>.<hash>.<yyyymmdd>
	memberNote    = "member"   // member.<worker>
	spentNote     = "spent"    // spent.<certificate>.<class>
	slowNote      = "slow"     // slow.<certificate>
	overrideNote  = "override" // override.<certificate>.<class>
	orderNote     = "order"    // order.<certificate>, or order.<certificate>.<class>
)

func key(tokens ...string) string { return strings.Join(tokens, ".") }

// token says whether s can stand between the dots of a key.
func token(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
