package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
)

// Topology names and shapes the streams of one installation.
type Topology struct {
	Subjects hongyan.Subjects
	// StreamPrefix begins every stream's name; default "PUSH".
	StreamPrefix string
	// Replicas of every stream; default 1.
	Replicas int
	// MaxBytes bounds PUSH_MESSAGES, PUSH_PIECES and each PUSH_JOBS stream; 0 leaves it to the server's limits.
	// A full stream refuses new messages.
	MaxBytes int64
	// OutcomesMaxBytes bounds PUSH_OUTCOMES, which then drops its oldest records, so that it never
	// starves the other streams; 0 is 8 GiB, or less where the server has not that much.
	OutcomesMaxBytes int64
}

// outcomesBytes is the default bound of PUSH_OUTCOMES: some 25 million devices. Where the server
// has not as much it is quartered, down to leastOutcomesBytes.
const (
	outcomesBytes      = 8 << 30
	leastOutcomesBytes = 64 << 20
)

// dedupWindow is how long a Nats-Msg-Id is remembered. It covers several redeliveries of a message
// that is being fanned out, at about 150 bytes of the server's memory for each id.
const dedupWindow = 2 * time.Minute

func (t Topology) stream(name string) string {
	if t.StreamPrefix == "" {
		return "PUSH_" + name
	}
	return t.StreamPrefix + "_" + name
}

// Messages names the stream that holds message events and signals until a worker has planned them.
func (t Topology) Messages() string { return t.stream("MESSAGES") }

// Pieces names the stream that holds the pieces of large message events until a worker has planned
// them.
func (t Topology) Pieces() string { return t.stream("PIECES") }

// Directory names the stream that holds the last registration, presence, settings and lease of each
// subject.
func (t Topology) Directory() string { return t.stream("DIRECTORY") }

// Later names the stream that holds jobs with a time until it comes.
func (t Topology) Later() string { return t.stream("LATER") }

// Dead names the stream that holds dead letters.
func (t Topology) Dead() string { return t.stream("DEAD") }

// Outcomes names the stream that holds what became of each push.
func (t Topology) Outcomes() string { return t.stream("OUTCOMES") }

// Counters names the stream that holds the counters of daily quotas.
func (t Topology) Counters() string { return t.stream("COUNTERS") }

// Notes names the stream that holds what workers tell each other, with a lifetime.
func (t Topology) Notes() string { return t.stream("NOTES") }

// Jobs names the stream that holds a vendor's jobs.
func (t Topology) Jobs(vendor string) string { return t.stream("JOBS_" + strings.ToUpper(vendor)) }

func (t Topology) configs(vendors []string) []jetstream.StreamConfig {
	subjects, replicas := t.Subjects, max(t.Replicas, 1)
	maxBytes := t.MaxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	base := func(name string, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Subjects: subjects, Storage: jetstream.FileStorage, Replicas: replicas, Duplicates: dedupWindow, AllowDirect: true,
			MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
		}
	}
	messages := base(t.Messages(), subjects.All(hongyan.KindMessage), subjects.All(hongyan.KindUrgent), subjects.All(hongyan.KindSignal))
	messages.Retention, messages.Discard, messages.MaxBytes = jetstream.WorkQueuePolicy, jetstream.DiscardNew, maxBytes

	pieces := base(t.Pieces(), subjects.All(hongyan.KindPiece))
	pieces.Retention, pieces.Discard, pieces.MaxBytes = jetstream.WorkQueuePolicy, jetstream.DiscardNew, maxBytes

	directory := base(t.Directory(), subjects.All(hongyan.KindDevice), subjects.All(hongyan.KindPresence),
		subjects.All(hongyan.KindSettings), subjects.All(hongyan.KindGateway), t.probe())
	directory.MaxMsgsPerSubject, directory.AllowMsgTTL = 1, true
	directory.RePublish = &jetstream.RePublish{Source: subjects.Own(">"), Destination: t.changes(), HeadersOnly: true}

	later := base(t.Later(), subjects.Own("later.at.>"), subjects.Own("later.due.>"))
	later.Retention, later.AllowMsgSchedules, later.AllowMsgTTL = jetstream.WorkQueuePolicy, true, true

	dead := base(t.Dead(), subjects.All(hongyan.KindDead))
	dead.MaxAge = 30 * 24 * time.Hour

	outcomes := base(t.Outcomes(), subjects.All(hongyan.KindOutcome))
	outcomes.MaxAge, outcomes.MaxBytes = 72*time.Hour, cmp.Or(t.OutcomesMaxBytes, outcomesBytes)
	outcomes.Discard = jetstream.DiscardOld

	// The vendors' day is over after three, wherever it began.
	counters := base(t.Counters(), subjects.Own("count.>"))
	counters.MaxMsgsPerSubject, counters.AllowMsgCounter, counters.MaxAge = 1, true, 96*time.Hour

	notes := base(t.Notes(), subjects.Own("note.>"))
	notes.MaxMsgsPerSubject, notes.AllowMsgTTL = 1, true

	all := []jetstream.StreamConfig{messages, pieces, directory, later, dead, outcomes, counters, notes}
	for _, v := range vendors {
		jobs := base(t.Jobs(v), subjects.Job(v, "*", "*"))
		jobs.Retention, jobs.Discard, jobs.MaxBytes = jetstream.WorkQueuePolicy, jetstream.DiscardNew, maxBytes
		all = append(all, jobs)
	}
	return all
}

// ErrMisfit is a stream or consumer that exists in a shape the worker cannot work with. The text
// names each difference.
var ErrMisfit = errors.New("exists in another shape")

// Ensure creates the streams that are missing and checks those that exist, for these vendors.
// Errors that are ErrMisfit need a person.
func (b *Bus) Ensure(ctx context.Context, vendors []string) error {
	var errs []error
	for _, want := range b.topology.configs(vendors) {
		stream, err := b.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			// Another worker may create it at the same moment, in the same shape: then this call
			// finds it.
			stream, err = b.js.CreateStream(ctx, want)
			for isTooMuch(err) && want.Name == b.topology.Outcomes() && b.topology.OutcomesMaxBytes == 0 && want.MaxBytes > leastOutcomesBytes {
				want.MaxBytes /= 4
				stream, err = b.js.CreateStream(ctx, want)
			}
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				stream, err = b.js.Stream(ctx, want.Name)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("stream %s: %w", want.Name, err))
			continue
		}
		if diffs := streamDiff(want, stream.CachedInfo().Config); len(diffs) > 0 {
			errs = append(errs, fmt.Errorf("stream %s %w: %s; change it with `nats stream edit`, or set nats.stream_prefix to use streams of our own",
				want.Name, ErrMisfit, strings.Join(diffs, "; ")))
		}
	}
	return errors.Join(errs...)
}

// isTooMuch says whether the server has not the storage that a stream wants for itself.
func isTooMuch(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == 10047 || api.ErrorCode == 10023)
}

// streamDiff names what in an existing stream would break a promise. Sizes, ages and descriptions
// are the operator's.
func streamDiff(want, got jetstream.StreamConfig) []string {
	var diffs []string
	check := func(what string, want, got any) {
		if want != got {
			diffs = append(diffs, fmt.Sprintf("%s is %v, need %v", what, got, want))
		}
	}
	for _, s := range want.Subjects {
		if !slices.Contains(got.Subjects, s) {
			diffs = append(diffs, fmt.Sprintf("subject %s is missing", s))
		}
	}
	check("retention", want.Retention, got.Retention)
	if want.Discard == jetstream.DiscardNew {
		check("discard", want.Discard, got.Discard)
	}
	check("storage", want.Storage, got.Storage)
	check("replicas", want.Replicas, got.Replicas)
	check("allow direct", want.AllowDirect, got.AllowDirect)
	check("max messages per subject", want.MaxMsgsPerSubject, got.MaxMsgsPerSubject)
	if want.RePublish != nil && (got.RePublish == nil || *got.RePublish != *want.RePublish) {
		diffs = append(diffs, fmt.Sprintf("republish is not headers only from %s to %s", want.RePublish.Source, want.RePublish.Destination))
	}
	if want.AllowMsgTTL {
		check("allow message TTL", true, got.AllowMsgTTL)
	}
	if want.AllowMsgCounter {
		check("allow message counter", true, got.AllowMsgCounter)
	}
	if want.AllowMsgSchedules {
		check("allow message schedules", true, got.AllowMsgSchedules)
	}
	return diffs
}
