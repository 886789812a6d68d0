package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Waiting calls each with what is stored on a subject and not consumed yet, since a time, until it
// returns false: of message events, their pieces and signals, or of jobs, which are looked for
// among those that come later too. Certificate and lane of a job may be "*". A stream that does not
// exist holds nothing. It takes nothing away from the consumers. It implements replay.Trail.
func (b *Bus) Waiting(ctx context.Context, where hongyan.Subject, since time.Time, each func(dispatch.Waiting) (more bool)) error {
	more := true
	visit := func(m *jetstream.RawStreamMsg) bool {
		more = each(dispatch.Waiting{ID: m.Header.Get(jetstream.MsgIDHeader), Data: m.Data, Stored: m.Time})
		return more
	}
	stream := b.topology.Messages()
	switch where.Kind {
	case hongyan.KindPiece:
		stream = b.topology.Pieces()
	case hongyan.KindJob:
		stream = b.topology.Jobs(where.Vendor)
		at, due := b.topology.later()
		for _, s := range []string{at.Build(where) + ".*", due.Build(where)} {
			// Those that come later first: they move into the job stream, never out of it unseen
			// but after another try.
			if err := b.scan(ctx, b.topology.Later(), s, place{since: since}, visit); err != nil && !errors.Is(err, ErrNoStream) || !more {
				return err
			}
		}
	}
	if err := b.scan(ctx, stream, b.topology.Subjects.Build(where), place{since: since}, visit); err != nil && !errors.Is(err, ErrNoStream) {
		return err
	}
	return nil
}

// Outcomes calls each with the records of an app and status since a time, as they are stored,
// oldest first, until it returns false. All that was stored before the call is among them. It
// implements recall.Outcomes.
func (b *Bus) Outcomes(ctx context.Context, app string, status hongyan.Status, since time.Time, each func(dispatch.Records) (more bool)) error {
	subject := b.topology.Subjects.OutcomesWith(app, status)
	return b.scan(ctx, b.topology.Outcomes(), subject, place{since: since}, func(m *jetstream.RawStreamMsg) bool {
		return each(dispatch.Records{Data: m.Data, Shown: m.Header.Get(dispatch.HeaderShown), Stored: m.Time})
	})
}

// Records calls each with the records of an app's users in a partition since a time, oldest first,
// until it returns false. Records that cannot be read are left out. It implements store.Records and
// replay.Trail.
func (b *Bus) Records(ctx context.Context, app string, partition int, since time.Time, each func(dispatch.Record) (more bool)) error {
	s := b.topology.Subjects
	return b.scan(ctx, b.topology.Outcomes(), s.OutcomesIn(app, partition), place{since: since}, func(m *jetstream.RawStreamMsg) bool {
		outcomes, err := hongyan.ParseOutcomes(m.Data)
		if err != nil {
			b.log.Warn("an outcome cannot be read", "sequence", m.Sequence, "error", err)
		}
		jobs := strings.Fields(m.Header.Get(dispatch.HeaderJob)) // one for each line
		for i, o := range outcomes {
			r := dispatch.Record{Outcome: o, Stored: m.Time}
			if i < len(jobs) {
				r.Job = jobs[i]
			}
			if !each(r) {
				return false
			}
		}
		return true
	})
}
