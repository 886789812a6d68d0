package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// LetterBox is the dead letters of an installation. It may be used by many goroutines.
type LetterBox struct {
	bus  *Bus
	dead jetstream.Stream

	mu    sync.Mutex
	marks jetstream.Stream // nil until it was needed
}

// LetterBox opens the dead letters; ErrNoStream says that no worker has run yet.
func (b *Bus) LetterBox(ctx context.Context) (*LetterBox, error) {
	name := b.topology.Dead()
	s, err := b.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("stream %s %w", name, ErrNoStream)
	}
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	return &LetterBox{bus: b, dead: s}, nil
}

// Letters reads up to n dead letters that a subject filter covers, oldest first, from a sequence
// on, or where that is 0 from a time on. It may return fewer; none is the end. It implements
// dispatch.LetterBox.
func (l *LetterBox) Letters(ctx context.Context, subject string, from uint64, since time.Time, n int) ([]dispatch.Letter, error) {
	msgs, err := l.bus.page(ctx, l.bus.topology.Dead(), subject, place{from, since}, min(n, pageMessages))
	if err != nil {
		return nil, err
	}
	letters := make([]dispatch.Letter, len(msgs))
	for i, m := range msgs {
		place, err := l.bus.topology.Subjects.Parse(m.Subject)
		if err != nil {
			return nil, fmt.Errorf("dead letter %d: %w", m.Sequence, err)
		}
		letters[i] = dispatch.Letter{Sequence: m.Sequence, Stored: m.Time, Subject: m.Subject, Vendor: place.Vendor,
			Certificate: place.Certificate, Reason: place.Reason, Header: ownHeaders(m), Data: m.Data}
	}
	return letters, nil
}

// ownHeaders leaves out what the server added for the way.
func ownHeaders(m *jetstream.RawStreamMsg) map[string]string {
	h := make(map[string]string, len(m.Header))
	for k, v := range m.Header {
		if strings.HasPrefix(k, "Push-") && len(v) > 0 {
			h[k] = v[0]
		}
	}
	return h
}

// Bounds returns the sequence of the newest dead letter and when the stream was created, which
// tells its sequences from those of an earlier stream of the same name. It implements
// dispatch.LetterBox.
func (l *LetterBox) Bounds(ctx context.Context) (last uint64, created time.Time, err error) {
	info, err := l.dead.Info(ctx)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read stream %s: %w", l.bus.topology.Dead(), err)
	}
	return info.State.LastSeq, info.Created, nil
}

// Count counts the dead letters that a subject filter covers.
func (l *LetterBox) Count(ctx context.Context, subject string) (uint64, error) {
	info, err := l.dead.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	var n uint64
	for _, count := range info.State.Subjects {
		n += count
	}
	return n, nil
}

// Delete removes a dead letter; it is no error when it is gone already. It implements
// dispatch.LetterBox.
func (l *LetterBox) Delete(ctx context.Context, sequence uint64) error {
	err := l.dead.DeleteMsg(ctx, sequence)
	if err == nil {
		return nil
	}
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, look := l.dead.GetMsg(ctx, sequence); errors.Is(look, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return fmt.Errorf("delete dead letter %d: %w", sequence, err)
}

// Purge removes all dead letters that a subject filter covers, up to and including a sequence, and
// returns about how many.
func (l *LetterBox) Purge(ctx context.Context, subject string, upTo uint64) (uint64, error) {
	before, err := l.Count(ctx, subject)
	if err != nil {
		return 0, err
	}
	if err := l.dead.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(upTo+1)); err != nil {
		return 0, fmt.Errorf("purge dead letters: %w", err)
	}
	after, err := l.Count(ctx, subject)
	return before - min(after, before), err
}

// markMemory is how long the marks of replays that were interrupted are kept: as long as the
// outcomes that tell what became of them.
const markMemory = 72 * time.Hour

// markStream names the stream that holds the marks of replays under way: PUSH_REPLAYS.
func (l *LetterBox) markStream() string { return l.bus.topology.stream("REPLAYS") }

// journal opens the marks' stream, which it makes when it is missing, replicated like the dead
// letters.
func (l *LetterBox) journal(ctx context.Context) (jetstream.Stream, string, error) {
	subject := l.bus.topology.Subjects.Own("replay.mark")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.marks != nil {
		return l.marks, subject, nil
	}
	s, err := l.bus.js.Stream(ctx, l.markStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = l.bus.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: l.markStream(), Subjects: []string{subject}, Storage: jetstream.FileStorage, AllowDirect: true,
			Replicas: l.dead.CachedInfo().Config.Replicas, MaxAge: markMemory,
		})
	}
	if err != nil {
		return nil, "", fmt.Errorf("open stream %s: %w", l.markStream(), err)
	}
	l.marks = s
	return s, subject, nil
}

// Mark stores a mark and returns its id. It implements dispatch.Journal.
func (l *LetterBox) Mark(ctx context.Context, data []byte) (uint64, error) {
	_, subject, err := l.journal(ctx)
	if err != nil {
		return 0, err
	}
	seq, _, err := l.bus.PublishSync(ctx, dispatch.Outgoing{Subject: subject, Data: data})
	return seq, err
}

// Unmark removes a mark. It implements dispatch.Journal.
func (l *LetterBox) Unmark(ctx context.Context, id uint64) error {
	s, _, err := l.journal(ctx)
	if err != nil {
		return err
	}
	if err := s.DeleteMsg(ctx, id); err != nil {
		return fmt.Errorf("remove mark %d: %w", id, err)
	}
	return nil
}

// Marks reads all marks, oldest first. It implements dispatch.Journal.
func (l *LetterBox) Marks(ctx context.Context) ([]dispatch.Mark, error) {
	var marks []dispatch.Mark
	err := l.bus.scan(ctx, l.markStream(), ">", place{}, func(m *jetstream.RawStreamMsg) bool {
		marks = append(marks, dispatch.Mark{ID: m.Sequence, Stored: m.Time, Data: m.Data})
		return true
	})
	if errors.Is(err, ErrNoStream) {
		return nil, nil // nothing was ever replayed
	}
	return marks, err
}
