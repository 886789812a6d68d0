package bus

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/badge"
)

// badgeProbe is asked for with each read. It is never written.
func (t Topology) badgeProbe() string { return t.Subjects.Own("badge.probe") }

// ReadBadges implements badge.Store.
func (b *Bus) ReadBadges(ctx context.Context, refs []badge.Ref) (stored []badge.Stored, upTo uint64, err error) {
	of := make(map[string]badge.Ref, len(refs))
	subjects := make([]string, len(refs))
	for i, ref := range refs {
		subjects[i] = b.topology.Subjects.Badge(ref.App, ref.User)
		of[subjects[i]] = ref
	}
	read, err := b.badges.values(ctx, subjects)
	if err != nil {
		return nil, 0, err
	}
	stored = make([]badge.Stored, len(read.Values))
	for i, v := range read.Values {
		stored[i] = badge.Stored{Ref: of[v.Subject], Data: v.Data, Revision: v.Revision}
	}
	return stored, read.UpTo, nil
}

// WriteBadges implements badge.Store.
func (b *Bus) WriteBadges(ctx context.Context, records []badge.Stored) []badge.Written {
	written := make([]badge.Written, len(records))
	window, err := b.windows.named(badgeWindow)
	futures := make([]jetstream.PubAckFuture, len(records))
	for i, r := range records {
		if err == nil {
			futures[i], err = window.PublishMsgAsync(&nats.Msg{
				Subject: b.topology.Subjects.Badge(r.App, r.User), Data: r.Data,
				Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(r.Revision, 10)}},
			}, jetstream.WithStallWait(stallWait))
		}
		if err != nil {
			written[i].Err = classify(err)
		}
	}
	for i, f := range futures {
		if f == nil {
			continue
		}
		select {
		case ack := <-f.Ok():
			written[i].Revision = ack.Sequence
		case err := <-f.Err():
			if isConflict(err) {
				written[i].Changed = true
			} else {
				written[i].Err = classify(err)
			}
		case <-ctx.Done():
			written[i].Err = context.Cause(ctx)
		}
	}
	return written
}
