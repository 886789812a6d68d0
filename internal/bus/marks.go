package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/marks"
)

// PUSH_MARKS tells of each mark that it stores, body and all, on heardMarks. markProbe is to it
// what probe is to PUSH_DIRECTORY; no app has its name.
func (t Topology) heardMarks() string { return t.Subjects.Own("marked.>") }
func (t Topology) markProbe() string  { return t.Subjects.Own("mark.:probe") }

// LastMarks implements marks.Store.
func (b *Bus) LastMarks(ctx context.Context, filters []string) ([]marks.Value, uint64, error) {
	read, err := b.marks.values(ctx, filters)
	if err != nil {
		return nil, 0, err
	}
	values := make([]marks.Value, len(read.Values))
	for i, v := range read.Values {
		values[i] = marks.Value{Subject: v.Subject, Data: v.Data, Sequence: v.Revision, Stored: v.Time}
	}
	return values, read.UpTo, nil
}

// LastMark implements marks.Store.
func (b *Bus) LastMark(ctx context.Context) (uint64, error) { return b.lastSequence(ctx, &b.marks) }

// MarksSince implements marks.Store.
func (b *Bus) MarksSince(ctx context.Context, since time.Time, each func(marks.Value) (more bool)) error {
	probe := b.topology.markProbe()
	return b.scan(ctx, b.topology.Marks(), b.topology.Subjects.Own("mark.>"), place{since: since}, func(m *jetstream.RawStreamMsg) bool {
		return m.Subject == probe || each(marks.Value{Subject: m.Subject, Data: m.Data, Sequence: m.Sequence, Stored: m.Time})
	})
}

// FollowMarks tells of each mark as the server tells it, until ctx ends. Where it cannot be sure to
// have heard of every one, it says so and begins again. It implements marks.Feed.
func (b *Bus) FollowMarks(ctx context.Context, l marks.Listener) {
	f := feed{bus: b, changes: b.topology.heardMarks(), probe: b.topology.markProbe(), reader: &b.marks}
	f.run(ctx, marksEar{l})
}

type marksEar struct{ l marks.Listener }

func (e marksEar) live(sequence uint64, stored time.Time) { e.l.Live(sequence, stored) }
func (e marksEar) changed(subject string, sequence uint64, stored time.Time, m *nats.Msg) {
	e.l.Heard(marks.Value{Subject: subject, Data: m.Data, Sequence: sequence, Stored: stored})
}
func (e marksEar) lost(err error) { e.l.Lost(err) }
