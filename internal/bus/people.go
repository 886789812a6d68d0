package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/erase"
	"github.com/hongyan-im/hongyan/internal/owner"
)

// KindBadge is the kind of the number on a user's icons.
const KindBadge = "badge"

// OfUser are the places of a user's records. A stream that holds records under users' names is one
// line here. It implements erase.Places.
func (t Topology) OfUser(app, user string) []erase.Place {
	s := t.Subjects
	return []erase.Place{
		{Kind: "directory", Stream: t.Directory(), Filter: s.User(app, user)},
		{Kind: KindBadge, Stream: t.Badges(), Filter: s.Badge(app, user)},
		{Kind: "read mark", Stream: t.Marks(), Filter: s.ReadMarksOf(app, user)},
	}
}

// OfToken are the places of what is kept by a token's hash, beside its owner. It implements
// erase.Places.
func (t Topology) OfToken(hash string) []erase.Place {
	return []erase.Place{
		{Kind: "count of a day", Stream: t.Counters(), Filter: t.Subjects.Own("count.device.*.*." + hash + ".*")},
	}
}

// Owners is the place of the owners of an app's tokens. It implements erase.Places.
func (t Topology) Owners(app string) erase.Place {
	return erase.Place{Kind: "token", Stream: t.Tokens(), Filter: owner.Of(t.Subjects, app)}
}

// Values calls each with the values of a place, oldest first, until it returns false. It implements
// erase.Store.
func (b *Bus) Values(ctx context.Context, of erase.Place, each func(directory.Value) (more bool)) error {
	err := b.scan(ctx, of.Stream, of.Filter, place{}, func(m *jetstream.RawStreamMsg) bool {
		return each(directory.Value{Subject: m.Subject, Data: m.Data, Revision: m.Sequence, Time: m.Time})
	})
	if errors.Is(err, ErrNoStream) {
		return nil
	}
	return err
}

// Erase removes a message of a stream and overwrites its bytes on the disk; none there is no error.
// It implements erase.Store.
func (b *Bus) Erase(ctx context.Context, stream string, sequence uint64) error {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("erase from stream %s: %w", stream, err)
	}
	if err = s.SecureDeleteMsg(ctx, sequence); err == nil {
		return nil
	}
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, look := s.GetMsg(ctx, sequence); errors.Is(look, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return fmt.Errorf("erase message %d of stream %s: %w", sequence, stream, err)
}

// OutcomesAge is how long records of what became of pushes are kept; 0 for as long as there is
// room.
func (b *Bus) OutcomesAge(ctx context.Context) (time.Duration, error) {
	s, err := b.js.Stream(ctx, b.topology.Outcomes())
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", b.topology.Outcomes(), err)
	}
	return s.CachedInfo().Config.MaxAge, nil
}
