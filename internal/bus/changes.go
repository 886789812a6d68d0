package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// The server says on changes which record of PUSH_DIRECTORY was stored, and as which number. The
// probe is a record of the workers' own in that stream: each writes it when it begins to listen, so
// that it hears of a change of its own, and every batch read asks for it, so that there is one.
func (t Topology) changes() string { return t.Subjects.Own("change.>") }
func (t Topology) probe() string   { return t.Subjects.Own("probe") }

const (
	// changesRoom is how many changes may wait to be taken, some 500 bytes each.
	changesRoom = 16384
	// probePeriod is how often it is looked whether changes still arrive.
	probePeriod = time.Second
	// probePatience is how long the server's word on a probe may take.
	probePatience = 5 * time.Second
	// beginPatience is how long the change that a probe makes may take to arrive.
	beginPatience = 5 * time.Second
	// changesPause is how long it takes to listen again, at first and where it does not help.
	changesPause, changesPauseMost = 250 * time.Millisecond, 30 * time.Second
)

var (
	errMissed = errors.New("changes were missed")
	errAnew   = errors.New("the stream was made anew")
	errSlow   = errors.New("more changes arrived than were taken")
	errUnsure = errors.New("the connection was lost")
	errSilent = errors.New("no change arrives: may the NATS user subscribe to the changes?")
)

// feed is a stream that tells of what it stores.
type feed struct {
	bus *Bus
	// changes is the filter of the subjects on which it tells, probe a record in it.
	changes, probe string
	reader         *reader
}

// ear hears of changes.
type ear interface {
	// live says that each change after a sequence is told, which was stored at a time.
	live(sequence uint64, stored time.Time)
	// changed tells of one: the message has the headers of the record, and its body unless only
	// headers are told. An empty subject is a change that concerns nobody.
	changed(subject string, sequence uint64, stored time.Time, m *nats.Msg)
	lost(err error)
}

// Follow tells of each change of PUSH_DIRECTORY as the server tells it, until ctx ends. Where it
// cannot be sure to have heard of every one, it says so and begins again. It implements
// directory.Feed.
func (b *Bus) Follow(ctx context.Context, l directory.Listener) {
	f := feed{bus: b, changes: b.topology.changes(), probe: b.topology.probe(), reader: &b.directory}
	f.run(ctx, directoryEar{l})
}

type directoryEar struct{ l directory.Listener }

func (e directoryEar) live(sequence uint64, _ time.Time) { e.l.Live(sequence) }
func (e directoryEar) changed(subject string, sequence uint64, _ time.Time, _ *nats.Msg) {
	e.l.Changed(subject, sequence)
}
func (e directoryEar) lost(err error) { e.l.Lost(err) }

// run tells of changes until ctx ends.
func (f *feed) run(ctx context.Context, l ear) {
	for delay := changesPause; ; {
		live, err := f.follow(ctx, l)
		if ctx.Err() != nil {
			return
		}
		l.lost(err)
		if live || errors.Is(err, errUnsure) {
			delay = changesPause
		}
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			_ = f.bus.restore(ctx) // where it fails, the next try says so
		}
		sleep.For(ctx, delay)
		delay = min(2*delay, changesPauseMost)
	}
}

// follow returns when a change may have been missed, or ctx ended. live says that changes were told
// until then.
func (f *feed) follow(ctx context.Context, l ear) (live bool, err error) {
	b := f.bus
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	status := b.nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer b.nc.RemoveStatusListener(status)
	if !b.nc.IsConnected() {
		return false, errUnsure
	}
	changes := make(chan *nats.Msg, changesRoom)
	sub, err := b.nc.ChanSubscribe(f.changes, changes)
	if err != nil {
		return false, fmt.Errorf("listen for changes: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only where the connection is gone
	slow := sub.StatusChanged(nats.SubscriptionSlowConsumer)
	began := make(chan answered, 1)
	asking.Go(func() {
		ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: f.probe})
		if err != nil {
			began <- answered{err: err}
			return
		}
		began <- answered{sequence: ack.Sequence}
	})
	probed := make(chan answered, 1)
	waiting := false // for an answer in probed
	ticker := time.NewTicker(probePeriod)
	defer ticker.Stop()
	late := time.NewTimer(beginPatience)
	defer late.Stop()
	var h hearing
	for {
		var err error
		select {
		case <-ctx.Done():
			return h.live, context.Cause(ctx)
		case <-status:
			return h.live, errUnsure
		case <-slow:
			return h.live, errSlow
		case <-late.C:
			if !h.live {
				return false, errSilent
			}
		case a := <-began:
			if err = a.err; err == nil {
				h.probe = a.sequence
			}
		case m := <-changes:
			err = h.take(m, f.probe, l)
		case a := <-probed:
			waiting = false
			if err = a.err; err == nil {
				err = h.compare(a.sequence)
			}
		case <-ticker.C:
			if waiting || !h.live {
				continue
			}
			waiting, h.asked = true, h.last
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, probePatience)
				defer cancel()
				_, upTo, err := f.reader.get.read(ctx, nil) // before all reads that wait for their turn
				probed <- answered{upTo, err}
			})
		}
		if err != nil {
			return h.live, err
		}
		if h.begins() {
			l.live(h.last, h.at)
		}
	}
}

// answered is what came of a question to the server.
type answered struct {
	sequence uint64
	err      error
}

// hearing is what was heard of the changes. Sequences have no holes, because the server tells of
// every record that it stores.
type hearing struct {
	live  bool
	probe uint64 // our own record's sequence; 0 before it is known
	last  uint64 // the newest change's sequence
	at    time.Time
	// before is the stream's last sequence as the server had it at the probe before.
	before uint64
	asked  uint64 // last, when the probe under way was asked for
	behind int    // probes in a row whose answer was older than asked
}

// begins turns the hearing live once our own change was heard: from then on none is missed unseen.
func (h *hearing) begins() bool {
	if h.live || h.probe == 0 || h.last < h.probe {
		return false
	}
	h.live = true
	return true
}

func (h *hearing) take(m *nats.Msg, probe string, l ear) error {
	sequence, err := strconv.ParseUint(lastHeader(m.Header, jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return fmt.Errorf("a change's sequence: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, lastHeader(m.Header, jetstream.TimeStampHeaer))
	if err != nil {
		return fmt.Errorf("a change's time: %w", err)
	}
	if err := h.change(sequence, stored); err != nil {
		return err
	}
	if !h.live {
		return nil
	}
	subject := lastHeader(m.Header, jetstream.SubjectHeader)
	if subject == probe {
		subject = "" // it concerns nobody
	}
	l.changed(subject, sequence, stored, m)
	return nil
}

// change takes one into account.
func (h *hearing) change(sequence uint64, stored time.Time) error {
	switch {
	case h.last == 0 || sequence == h.last+1:
	case sequence > h.last:
		return errMissed
	case stored.After(h.at):
		return errAnew
	default:
		return nil // an old leader's last word, after the new one's
	}
	h.last, h.at = sequence, stored
	return nil
}

// compare takes the stream's last sequence into account, as a batch read had it.
func (h *hearing) compare(upTo uint64) error {
	before := h.before
	h.before = upTo
	if before > h.last { // a change that was stored a probe ago did not arrive
		return errMissed
	}
	if upTo >= h.asked {
		h.behind = 0
		return nil
	}
	// A replica that is behind, or a stream that was made anew.
	if h.behind++; h.behind >= 3 {
		return errAnew
	}
	return nil
}
