package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// Notes is a room of PUSH_NOTES: small last values with a lifetime, which all workers read. It
// implements parking.Store and accepted.Store.
type Notes struct {
	bus  *Bus
	room string
}

// Notes opens a room; its name is one subject token.
func (b *Bus) Notes(room string) *Notes { return &Notes{bus: b, room: room} }

// subjects is the grammar of the room's own subjects.
func (n *Notes) subjects() hongyan.Subjects {
	return hongyan.Subjects{Prefix: n.bus.topology.Subjects.Own("note." + n.room)}
}

func (n *Notes) subject(key string) string { return n.subjects().Own(key) }

// Put stores value under key for ttl, in whole seconds rounded up, or for good where that is 0,
// instead of what was there.
func (n *Notes) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	var opts []jetstream.PublishOpt
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(wholeSeconds(ttl)))
	}
	_, err := n.bus.js.PublishMsg(ctx, &nats.Msg{Subject: n.subject(key), Data: value}, opts...)
	return storeError("put note", err)
}

// Create is Put that fails with taken when there is a note already.
func (n *Notes) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (taken bool, err error) {
	_, err = n.bus.js.PublishMsg(ctx, &nats.Msg{Subject: n.subject(key), Data: value}, jetstream.WithMsgTTL(wholeSeconds(ttl)),
		jetstream.WithExpectLastSequencePerSubject(0))
	if isConflict(err) {
		return true, nil
	}
	return false, storeError("create note", err)
}

// Remove removes the note; none there is no error.
func (n *Notes) Remove(ctx context.Context, key string) error {
	s, err := n.bus.js.Stream(ctx, n.bus.topology.Notes())
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(n.subject(key)))
	}
	return storeError("remove note", err)
}

// List returns all notes of the room by their keys, however many there are; a cluster's followers
// may lag a little.
func (n *Notes) List(ctx context.Context) (map[string][]byte, error) { return n.list(ctx, "") }

// Get returns a note's value, nil when there is none.
func (n *Notes) Get(ctx context.Context, key string) ([]byte, error) {
	for m, err := range n.bus.lastOf(ctx, n.bus.topology.Notes(), n.subject(key)) {
		if err != nil {
			return nil, storeError("get note", err)
		}
		return m.Data, nil
	}
	return nil, nil
}

// LimitStore is what the limiters of all workers share. It implements ratelimit.Store.
type LimitStore struct {
	bus   *Bus
	notes *Notes
	state *FollowedNotes
}

// LimitStore opens the store.
func (b *Bus) LimitStore() *LimitStore {
	notes := b.Notes("limits")
	return &LimitStore{bus: b, notes: notes, state: notes.Follow(ratelimit.State + ".")}
}

// Put is as in [ratelimit.KV].
func (s *LimitStore) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.notes.Put(ctx, key, value, ttl)
}

// Remove is as in [ratelimit.KV].
func (s *LimitStore) Remove(ctx context.Context, key string) error {
	if strings.HasPrefix(key, ratelimit.State+".") {
		return s.state.Remove(ctx, key)
	}
	return s.notes.Remove(ctx, key)
}

// List is as in [ratelimit.KV].
func (s *LimitStore) List(ctx context.Context, kind string) (map[string][]byte, error) {
	if kind == ratelimit.State {
		return s.state.List(ctx)
	}
	return s.notes.list(ctx, kind+".")
}

func (s *LimitStore) counter(key string) string { return s.bus.topology.Subjects.Own("count." + key) }

// Add adds delta to a counter and returns its value right after. It is sent once: an answer that is
// lost leaves the outcome unknown. The stream knows an id for its deduplication window, and answers
// a repeated one without a value.
func (s *LimitStore) Add(ctx context.Context, key string, delta int64, id string) (int64, error) {
	m := &nats.Msg{Subject: s.counter(key), Header: nats.Header{"Nats-Incr": []string{fmt.Sprintf("%+d", delta)}}}
	if id != "" {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	// Only "no responders" is tried again by the library, and then nothing was done.
	ack, err := s.bus.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, storeError("count", err)
	}
	if ack.Duplicate {
		return 0, fmt.Errorf("count: %w", ratelimit.ErrRepeated)
	}
	value, ok := new(big.Int).SetString(ack.Value, 10)
	if !ok || !value.IsInt64() {
		return 0, fmt.Errorf("count: the server answered %q, not a number", ack.Value)
	}
	return value.Int64(), nil
}

// Load returns the counters' values, in order.
func (s *LimitStore) Load(ctx context.Context, keys ...string) ([]int64, error) {
	values := make([]int64, len(keys))
	subjects := make([]string, len(keys))
	at := make(map[string][]int, len(keys))
	for i, k := range keys {
		subjects[i] = s.counter(k)
		at[subjects[i]] = append(at[subjects[i]], i)
	}
	for len(subjects) > 0 {
		some := subjects[:min(len(subjects), 500)]
		subjects = subjects[len(some):]
		for m, err := range s.bus.lastOf(ctx, s.bus.topology.Counters(), some...) {
			if err != nil {
				return nil, storeError("read counters", err)
			}
			var body struct {
				Val json.Number `json:"val"`
			}
			if err := json.Unmarshal(m.Data, &body); err != nil {
				return nil, fmt.Errorf("read counters: %w", err)
			}
			v, err := body.Val.Int64()
			if err != nil {
				return nil, fmt.Errorf("read counters: %w", err)
			}
			for _, i := range at[m.Subject] {
				values[i] = v
			}
		}
	}
	return values, nil
}

// lastOf reads the last values that match the filters; no more than 1,024 may.
func (b *Bus) lastOf(ctx context.Context, stream string, filters ...string) iter.Seq2[*jetstream.RawStreamMsg, error] {
	return func(yield func(*jetstream.RawStreamMsg, error) bool) {
		if len(filters) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		seq, err := jetstreamext.GetLastMsgsFor(ctx, b.js, stream, filters)
		if err != nil {
			yield(nil, err)
			return
		}
		for m, err := range seq {
			if errors.Is(err, jetstreamext.ErrNoMessages) {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
		// The library ends without a word when the time is over.
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// storeError marks the failures after which nothing was done for certain.
func storeError(what string, err error) error {
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse), errors.As(err, &api):
		return fmt.Errorf("%s: %w: %w", what, ratelimit.ErrNotDone, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func isConflict(err error) bool {
	var api *jetstream.APIError
	// 10164: two writers at once, on a cluster
	return errors.As(err, &api) && (api.ErrorCode == 10071 || api.ErrorCode == 10164)
}

func wholeSeconds(d time.Duration) time.Duration {
	return max((d+time.Second-1)/time.Second, 1) * time.Second
}
