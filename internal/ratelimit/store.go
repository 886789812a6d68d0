package ratelimit

import (
	"context"
	"errors"
	"strings"
	"time"
)

// ErrNotDone is wrapped by the error of a [Store] when the operation was certainly not carried out,
// for example because there was no connection. After any other error the outcome is unknown.
var ErrNotDone = errors.New("the store did not do it")

// ErrRepeated is wrapped by the error of an addition whose id was carried out before. It is not
// carried out again.
var ErrRepeated = errors.New("the store did it before")

// Counters are numbers that all workers share. A key is one or more tokens of [A-Za-z0-9_-], joined
// by dots, 250 bytes at most. It ends with a day, yyyymmdd. A counter must be kept for at least 72
// hours after its last change.
type Counters interface {
	// Add adds delta, which may be negative or 0, to the counter, and returns its value right after
	// that. A counter that was never added to is 0. It must apply delta at most once, and must
	// return an error when it cannot tell the value right after. An id, where it is not empty, lets
	// the caller ask again after an answer that was lost: an id that was carried out in the last
	// two minutes, on any counter, gives ErrRepeated.
	Add(ctx context.Context, key string, delta int64, id string) (int64, error)
	// Load returns the counters' values, in order. They may lag behind and are only used as a hint.
	Load(ctx context.Context, keys ...string) ([]int64, error)
}

// KV is a key-value store whose entries have a lifetime: the leases of the workers, what vendors
// reported, the operators' commands, the hours of a quota. Keys are like those of [Counters]. A
// value is at most 64 KiB.
type KV interface {
	// Put stores value under key for ttl, which is at least a second, and replaces the value that
	// was there. It may keep the entry for up to two seconds longer.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Remove removes the entry. It is no error if there is none.
	Remove(ctx context.Context, key string) error
	// List returns the values of all entries of a kind by their keys, however many there are. It
	// may lag behind Put and Remove by at most half a second.
	List(ctx context.Context, kind string) (map[string][]byte, error)
}

// Store is what all workers share. It must be safe for concurrent use.
type Store interface {
	Counters
	KV
}

// The kinds of entries of a [KV]. Each is the first token of its keys.
const (
	// Members are the workers' leases, a small one for each, which each worker reads at every
	// heartbeat.
	Members = "member"
	// Held is what each worker has leased of the quotas, for the operator's view alone.
	Held = "held"
	// State is what vendors and operators said of certificates. There may be thousands, and few
	// change between two heartbeats: a store does well to read only those.
	State = "state"
	// usageKey is how the quotas were used, hour by hour, for forecasts:
	// usage.<certificate>.<class>.<normal|urgent>.<yyyymmdd>.
	usageKey = "usage"
)

// What keys begin with.
const (
	quotaKey     = "quota"             // quota.<certificate>.<class>.<normal|urgent>.<yyyymmdd>
	deviceKey    = "device"            // device.<certificate>.<class>.<hash>.<yyyymmdd>
	exhaustedKey = State + ".spent"    // state.spent.<certificate>.<class>
	slowdownKey  = State + ".slow"     // state.slow.<certificate>
	overrideKey  = State + ".override" // state.override.<certificate>.<class>
	commandKey   = State + ".order"    // state.order.<certificate>, or state.order.<certificate>.<class>
)

func joinKey(tokens ...string) string { return strings.Join(tokens, ".") }

// validToken reports whether s can be a token of a key.
func validToken(s string) bool {
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
