package bus

import (
	"cmp"
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
	// MaxBytes bounds PUSH_MESSAGES, PUSH_PIECES and each PUSH_JOBS stream; 0 leaves it to the
	// server's limits. A full stream refuses new messages.
	MaxBytes int64
	// MaxMessagesPerApp bounds what waits for an app in PUSH_MESSAGES, apart for chat, urgent
	// messages and signals. What is beyond is refused. Default 200,000.
	MaxMessagesPerApp int64
	// MaxPieces bounds PUSH_PIECES for each app and partition, MaxJobs each PUSH_JOBS stream for
	// each certificate and lane. Defaults 20,000 and 500,000.
	MaxPieces, MaxJobs int64
	// MaxLater bounds PUSH_LATER for each certificate: [Bus.Publish] adds no more. Default two
	// million.
	MaxLater int64
	// MaxMarks bounds PUSH_MARKS for each app, where the oldest go when there are more. Default a
	// million.
	MaxMarks int64
	// OutcomesMaxBytes bounds PUSH_OUTCOMES, which then drops its oldest records, so that it never
	// starves the other streams; 0 is 8 GiB, or less where the server has not that much.
	OutcomesMaxBytes int64
	// DeadMaxAge is how long PUSH_DEAD keeps dead letters; 0 is 30 days, or what an existing stream
	// has.
	DeadMaxAge time.Duration
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

// Messages names the stream that holds message events and signals until a worker is done with them:
// each device has its end or a stored job.
func (t Topology) Messages() string { return t.stream("MESSAGES") }

// Pieces names the stream that holds the pieces of large message events until a worker has planned
// them.
func (t Topology) Pieces() string { return t.stream("PIECES") }

// Directory names the stream that holds the last registration, presence, settings and lease of each
// subject.
func (t Topology) Directory() string { return t.stream("DIRECTORY") }

// Tokens names the stream that holds which registration was the last to bring each token.
func (t Topology) Tokens() string { return t.stream("TOKENS") }

// Later names the stream that holds jobs with a time until it comes.
func (t Topology) Later() string { return t.stream("LATER") }

// Marks names the stream that holds what was said of messages after they were sent.
func (t Topology) Marks() string { return t.stream("MARKS") }

// Dead names the stream that holds dead letters.
func (t Topology) Dead() string { return t.stream("DEAD") }

// Outcomes names the stream that holds what became of each push.
func (t Topology) Outcomes() string { return t.stream("OUTCOMES") }

// Counters names the stream that holds the counters of daily quotas.
func (t Topology) Counters() string { return t.stream("COUNTERS") }

// Notes names the stream that holds what workers tell each other, with a lifetime.
func (t Topology) Notes() string { return t.stream("NOTES") }

// Badges names the stream that holds what is known of the number on each user's icons.
func (t Topology) Badges() string { return t.stream("BADGES") }

// Jobs names the stream that holds a vendor's jobs.
func (t Topology) Jobs(vendor string) string { return t.stream("JOBS_" + strings.ToUpper(vendor)) }

// Bounds for each subject, apart from the others: full means full for that app or certificate
// alone.
const (
	messagesPerApp     = 200_000
	piecesPerPartition = 20_000
	jobsPerLane        = 500_000
	// laterPerCertificate is held by the workers, since a stream with schedules cannot refuse.
	laterPerCertificate = 2_000_000
	// marksPerApp is held by the workers as well: the server's bounds know no apps.
	marksPerApp = 1_000_000
)

// manyConsumers is above the server's default of a thousand for each stream.
const manyConsumers = 100_000

func (t Topology) configs(vendors []string) []jetstream.StreamConfig {
	subjects, replicas := t.Subjects, max(t.Replicas, 1)
	maxBytes := t.MaxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	base := func(name, description string, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: description, Subjects: subjects, Storage: jetstream.FileStorage, Replicas: replicas, Duplicates: dedupWindow, AllowDirect: true,
			MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
		}
	}
	queue := func(perSubject int64, name, description string, subjects ...string) jetstream.StreamConfig {
		s := base(name, description, subjects...)
		s.Retention, s.Discard, s.MaxBytes = jetstream.WorkQueuePolicy, jetstream.DiscardNew, maxBytes
		s.DiscardNewPerSubject, s.MaxMsgsPerSubject = true, perSubject
		return s
	}
	messages := queue(cmp.Or(t.MaxMessagesPerApp, messagesPerApp), t.Messages(), "Hongyan: message events and signals that no worker is done with yet",
		subjects.All(hongyan.KindMessage), subjects.All(hongyan.KindUrgent), subjects.All(hongyan.KindSignal))
	pieces := queue(cmp.Or(t.MaxPieces, piecesPerPartition), t.Pieces(), "Hongyan: pieces of large message events that no worker is done with yet",
		subjects.All(hongyan.KindPiece))

	directory := base(t.Directory(), "Hongyan: the last registration, presence, settings and gateway lease of each subject",
		subjects.All(hongyan.KindDevice), subjects.All(hongyan.KindPresence), subjects.All(hongyan.KindSettings), subjects.All(hongyan.KindGateway), t.probe())
	directory.MaxMsgsPerSubject, directory.AllowMsgTTL = 1, true
	directory.RePublish = &jetstream.RePublish{Source: subjects.Own(">"), Destination: t.changes(), HeadersOnly: true}

	tokens := base(t.Tokens(), "Hongyan: which registration was the last to bring each token", subjects.Own("token.>"))
	tokens.MaxMsgsPerSubject, tokens.AllowMsgTTL = 1, true

	at, due := t.later()
	later := base(t.Later(), "Hongyan: jobs that wait for a time", at.Own(">"), due.Own(">"))
	later.Retention, later.AllowMsgSchedules, later.AllowMsgTTL, later.MaxConsumers = jetstream.WorkQueuePolicy, true, true, manyConsumers

	dead := base(t.Dead(), "Hongyan: dead letters, to be looked at and replayed", subjects.All(hongyan.KindDead))
	dead.MaxAge = cmp.Or(t.DeadMaxAge, 30*24*time.Hour)

	outcomes := base(t.Outcomes(), "Hongyan: what became of each push", subjects.All(hongyan.KindOutcome))
	outcomes.MaxAge, outcomes.MaxBytes = 72*time.Hour, cmp.Or(t.OutcomesMaxBytes, outcomesBytes)
	outcomes.Discard = jetstream.DiscardOld

	// The vendors' day is over after three, wherever it began.
	counters := base(t.Counters(), "Hongyan: the counters of daily quotas", subjects.Own("count.>"))
	counters.MaxMsgsPerSubject, counters.AllowMsgCounter, counters.MaxAge = 1, true, 96*time.Hour

	notes := base(t.Notes(), "Hongyan: what workers tell each other, with a lifetime", subjects.Own("note.>"))
	notes.MaxMsgsPerSubject, notes.AllowMsgTTL = 1, true

	marks := base(t.Marks(), "Hongyan: recalls, read marks and what became of calls, with a lifetime", subjects.Own("mark.>"))
	marks.MaxMsgsPerSubject, marks.AllowMsgTTL = 1, true
	marks.RePublish = &jetstream.RePublish{Source: subjects.Own("mark.>"), Destination: t.heardMarks()}

	// What was counted is of no use once a user was away for so long: devices that were not heard
	// of for a week are left alone, and the next report says the number anew.
	badges := base(t.Badges(), "Hongyan: the number on the icons of each user, and what was counted for it", subjects.Own("badge.>"))
	badges.MaxMsgsPerSubject, badges.MaxAge = 1, 30*24*time.Hour

	all := []jetstream.StreamConfig{messages, pieces, directory, tokens, marks, later, dead, outcomes, counters, notes, badges}
	for _, v := range vendors {
		jobs := queue(cmp.Or(t.MaxJobs, jobsPerLane), t.Jobs(v), "Hongyan: notifications for "+v+" that wait to be sent", subjects.Job(v, "*", "*"))
		jobs.MaxConsumers = manyConsumers
		all = append(all, jobs)
	}
	return all
}
