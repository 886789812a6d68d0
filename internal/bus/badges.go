package bus

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/directory"
)

const (
	// badgesPerRead is how many records a request asks for, at most 1,024.
	badgesPerRead = 700
	// badgeReads is how many requests for records may be under way at once.
	badgeReads = 4
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
	var pages [][]string
	for page := range slices.Chunk(subjects, badgesPerRead) {
		pages = append(pages, page)
	}
	answers, upTos := make([][]directory.Value, len(pages)), make([]uint64, len(pages))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(badgeReads)
	for i, page := range pages {
		g.Go(func() (err error) {
			answers[i], upTos[i], err = b.readBadges(ctx, page)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	for i, values := range answers {
		if upTos[i] > 0 && (upTo == 0 || upTos[i] < upTo) {
			upTo = upTos[i]
		}
		for _, v := range values {
			stored = append(stored, badge.Stored{Ref: of[v.Subject], Data: v.Data, Revision: v.Revision})
		}
	}
	return stored, upTo, nil
}

// readBadges reads a page, with more requests where one answer would be too large.
func (b *Bus) readBadges(ctx context.Context, subjects []string) (values []directory.Value, upTo uint64, err error) {
	values, upTo, err = b.askBadges(ctx, subjects)
	if !errors.Is(err, errTooMany) || len(subjects) < 2 {
		return values, upTo, err
	}
	for half := range slices.Chunk(subjects, (len(subjects)+1)/2) {
		more, to, err := b.readBadges(ctx, half)
		if err != nil {
			return nil, 0, err
		}
		values = append(values, more...)
		if to > 0 && (upTo == 0 || to < upTo) {
			upTo = to
		}
	}
	return values, upTo, nil
}

// askBadges asks once, when there is room for one more request.
func (b *Bus) askBadges(ctx context.Context, subjects []string) (values []directory.Value, upTo uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case b.badgeReads <- struct{}{}:
		defer func() { <-b.badgeReads }()
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	for tries := 3; ; tries-- {
		// A record may have ended its life, or been replaced, between being found and being read.
		if values, upTo, err = b.badges.read(ctx, subjects); !errors.Is(err, errTorn) || tries == 1 {
			return values, upTo, err
		}
	}
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
