package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// ErrNoStream is a stream that does not exist: no worker has run yet, or it runs with other
// prefixes.
var ErrNoStream = errors.New("does not exist")

// Require says which of the streams are missing, with ErrNoStream; nil when all are there.
func (b *Bus) Require(ctx context.Context, streams ...string) error {
	for _, name := range streams {
		_, err := b.js.Stream(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("stream %s %w", name, ErrNoStream)
		case err != nil:
			return fmt.Errorf("look for stream %s: %w", name, err)
		}
	}
	return nil
}

// place is where a scan begins: at a sequence, or at a time where the sequence is 0, or at the
// beginning where both are zero.
type place struct {
	sequence uint64
	since    time.Time
}

// Pages of a scan. A page ends at whichever comes first; a stream's reader keeps no more than one
// in memory.
const (
	pageMessages = 1000
	pageBytes    = 8 << 20
)

// page reads up to n messages of a stream that a subject filter covers, oldest first, without
// consuming them. An empty page is the end of what the replica has that answered.
func (b *Bus) page(ctx context.Context, stream, subject string, from place, n int) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	opts := []jetstreamext.GetBatchOpt{jetstreamext.GetBatchSubject(subject), jetstreamext.GetBatchMaxBytes(pageBytes)}
	switch {
	case from.sequence > 0:
		opts = append(opts, jetstreamext.GetBatchSeq(from.sequence))
	case !from.since.IsZero():
		opts = append(opts, jetstreamext.GetBatchStartTime(from.since.UTC()))
	}
	seq, err := jetstreamext.GetBatch(ctx, b.js, stream, n, opts...)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	var msgs []*jetstream.RawStreamMsg
	for msg, err := range seq {
		switch {
		case errors.Is(err, jetstreamext.ErrNoMessages):
			return msgs, nil
		case errors.Is(err, jetstreamext.ErrBatchUnsupported), errors.Is(err, nats.ErrNoResponders):
			// Nobody answers for the stream: it is missing, or its replicas are between two
			// leaders.
			if missing := b.Require(ctx, stream); missing != nil {
				return nil, missing
			}
			return nil, fmt.Errorf("read stream %s: nobody answers for it at the moment", stream)
		case err != nil:
			return nil, fmt.Errorf("read stream %s: %w", stream, err)
		}
		msgs = append(msgs, msg)
	}
	if err := ctx.Err(); err != nil {
		// The library ends a read that timed out as if it were complete.
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return msgs, nil
}

// scan calls each with the messages of a stream that a subject filter covers, oldest first, until
// it returns false, the end, or the last message that was there when it began. All that was stored
// before the call is among them: pages come from any replica, which may be behind, so that the
// leader has the word on where they end.
func (b *Bus) scan(ctx context.Context, stream, subject string, from place, each func(*jetstream.RawStreamMsg) (more bool)) error {
	s, err := b.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s %w", stream, ErrNoStream)
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	last, replicated := s.CachedInfo().State.LastSeq, s.CachedInfo().Config.Replicas > 1
	for from.sequence <= last {
		msgs, err := b.page(ctx, stream, subject, from, pageMessages)
		if err == nil && len(msgs) == 0 && replicated {
			msgs, err = b.leaders(ctx, stream, subject, from)
		}
		if err != nil {
			return err
		}
		if len(msgs) == 0 {
			return nil
		}
		for _, m := range msgs {
			if m.Sequence > last || !each(m) {
				return nil
			}
		}
		from = place{sequence: msgs[len(msgs)-1].Sequence + 1}
	}
	return nil
}

// leaders reads the first message that a subject filter covers from the stream's leader; none
// where there is none. It is for what a replica lacks: one message costs the leader more than a
// page costs a replica.
func (b *Bus) leaders(ctx context.Context, stream, subject string, from place) ([]*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	request := struct {
		Sequence uint64     `json:"seq,omitzero"`
		Since    *time.Time `json:"start_time,omitzero"`
		Subject  string     `json:"next_by_subj"`
	}{Sequence: from.sequence, Subject: subject}
	if from.sequence == 0 && !from.since.IsZero() {
		since := from.since.UTC()
		request.Since = &since
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	m, err := b.nc.RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, fmt.Errorf("read stream %s at its leader: %w", stream, err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return nil, fmt.Errorf("read stream %s at its leader: %w", stream, err)
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, nil
	case answer.Error != nil:
		return nil, fmt.Errorf("read stream %s at its leader: %w", stream, answer.Error)
	case answer.Message == nil:
		return nil, fmt.Errorf("read stream %s at its leader: the answer holds neither a message nor an error", stream)
	}
	found := &jetstream.RawStreamMsg{Subject: answer.Message.Subject, Sequence: answer.Message.Sequence, Data: answer.Message.Data, Time: answer.Message.Time}
	if len(answer.Message.Header) > 0 {
		if found.Header, err = nats.DecodeHeadersMsg(answer.Message.Header); err != nil {
			return nil, fmt.Errorf("read stream %s at its leader: message %d: %w", stream, found.Sequence, err)
		}
	}
	return []*jetstream.RawStreamMsg{found}, nil
}
