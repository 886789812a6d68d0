package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
)

// Errors of [Bus.Ensure], for errors.Is. Both need a person.
var (
	// ErrMisfit is a stream or consumer that exists in a shape the worker cannot work with. The
	// text names each difference and the remedy.
	ErrMisfit = errors.New("exists in another shape")
	// ErrNotAllowed is a stream that is missing, or whose bounds are not those of the
	// configuration, while the NATS user may not make or change it.
	ErrNotAllowed = errors.New("the NATS user may not make or change streams: run `worker setup` with the same configuration as a user who may")
)

// Ensure creates the streams that are missing, changes the bounds that the configuration sets where
// they differ, and checks the rest, for these vendors. Where all is well it asks the server once
// for each stream, all at a time, so it may be called whenever a stream turns out to be missing.
func (b *Bus) Ensure(ctx context.Context, vendors []string) error {
	wants := b.topology.configs(vendors)
	states, errs := make([]streamState, len(wants)), make([]error, len(wants))
	var all sync.WaitGroup
	for i, want := range wants {
		all.Go(func() {
			states[i], errs[i] = b.ensure(ctx, want)
		})
	}
	all.Wait()
	if slices.Contains(states, firstEdition) {
		var old []string
		for i, want := range wants {
			switch want.Name {
			case b.topology.Directory(), b.topology.Tokens(), b.topology.Dead(), b.topology.Counters(), b.topology.Notes(), b.topology.Badges():
			default:
				if states[i] != missing {
					old = append(old, want.Name)
				}
			}
		}
		return fmt.Errorf("a stream of an installation of Hongyan's first edition %w: stop its workers, remove %s, each with `nats stream rm -f NAME`, and start again; "+
			"what waits in them is lost, %s keeps the registrations and stays (docs/operations.md, From the first edition)", ErrMisfit, strings.Join(old, ", "), b.topology.Directory())
	}
	return errors.Join(errs...)
}

// streamState is what was found of a stream.
type streamState int

const (
	missing streamState = iota
	present
	firstEdition
)

func (b *Bus) ensure(ctx context.Context, want jetstream.StreamConfig) (streamState, error) {
	var stream jetstream.Stream
	info := func(ctx context.Context) (err error) {
		stream, err = b.js.Stream(ctx, want.Name)
		return err
	}
	create := func(ctx context.Context) (err error) {
		stream, err = b.js.CreateStream(ctx, want)
		return err
	}
	err := b.ask(ctx, "INFO", want.Name, info)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = b.ask(ctx, "CREATE", want.Name, create)
		for isTooMuch(err) && want.Name == b.topology.Outcomes() && b.topology.OutcomesMaxBytes == 0 && want.MaxBytes > leastOutcomesBytes {
			want.MaxBytes /= 4
			err = b.ask(ctx, "CREATE", want.Name, create)
		}
		if isCode(err, 10026) { // the account allows fewer consumers
			want.MaxConsumers = -1
			err = b.ask(ctx, "CREATE", want.Name, create)
		}
		if err == nil {
			b.log.Info("stream made", "stream", want.Name)
			return present, nil
		}
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another worker was faster
			err = b.ask(ctx, "INFO", want.Name, info)
		}
	}
	if err != nil {
		return missing, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	got := stream.CachedInfo().Config
	diffs := streamDiff(want, got)
	if want.DiscardNewPerSubject && got.Retention == want.Retention && !got.DiscardNewPerSubject && got.MaxMsgsPerSubject <= 0 {
		return firstEdition, nil
	}
	if len(diffs) > 0 {
		return present, fmt.Errorf("stream %s %w: %s; %s", want.Name, ErrMisfit, texts(diffs), remedy(want.Name, diffs))
	}
	if err := b.mend(ctx, stream, want); err != nil {
		return present, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	return present, nil
}

// mend changes what may be changed in a stream that exists.
func (b *Bus) mend(ctx context.Context, stream jetstream.Stream, want jetstream.StreamConfig) error {
	got := stream.CachedInfo().Config
	next, changes := b.topology.mended(want, got)
	if len(changes) == 0 {
		return nil
	}
	if want.DiscardNewPerSubject && (got.MaxMsgsPerSubject > next.MaxMsgsPerSubject || !got.DiscardNewPerSubject) {
		// The server drops the oldest of what is above a bound that is lowered.
		var state *jetstream.StreamInfo
		if err := b.ask(ctx, "INFO", want.Name, func(ctx context.Context) (err error) {
			state, err = stream.Info(ctx, jetstream.WithSubjectFilter(">"))
			return err
		}); err != nil {
			return err
		}
		for subject, n := range state.State.Subjects {
			if n > uint64(next.MaxMsgsPerSubject)/2 {
				b.log.Warn("a stream's bound cannot be lowered while so much waits, it stays until the next start", "stream", want.Name, "subject", subject,
					"waiting", n, "bound", got.MaxMsgsPerSubject, "wanted", next.MaxMsgsPerSubject)
				return nil
			}
		}
	}
	if err := b.ask(ctx, "UPDATE", want.Name, func(ctx context.Context) error {
		_, err := b.js.UpdateStream(ctx, next)
		return err
	}); err != nil {
		return fmt.Errorf("change %s: %w", strings.Join(changes, ", "), err)
	}
	b.log.Info("stream changed", "stream", want.Name, "changes", strings.Join(changes, ", "))
	return nil
}

// mended is a stream with the bounds that the configuration sets and with what the workers' memory
// of the directory needs, and what is changed by that. Sizes that the configuration leaves open are
// the operator's.
func (t Topology) mended(want, got jetstream.StreamConfig) (next jetstream.StreamConfig, changes []string) {
	next = got
	set := func(what string, field *int64, value int64) {
		if *field != value {
			changes = append(changes, fmt.Sprintf("%s from %d to %d", what, *field, value))
			*field = value
		}
	}
	if want.DiscardNewPerSubject {
		set("max messages per subject", &next.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
		if !got.DiscardNewPerSubject {
			next.DiscardNewPerSubject = true
			changes = append(changes, "discard new per subject to true")
		}
	}
	if want.MaxBytes > 0 && (want.Name != t.Outcomes() || t.OutcomesMaxBytes > 0) {
		set("max bytes", &next.MaxBytes, want.MaxBytes)
	}
	if want.Name == t.Dead() && t.DeadMaxAge > 0 && got.MaxAge != t.DeadMaxAge {
		changes = append(changes, fmt.Sprintf("max age from %v to %v", got.MaxAge, t.DeadMaxAge))
		next.MaxAge = t.DeadMaxAge
	}
	if r := want.RePublish; r != nil {
		if got.RePublish == nil || *got.RePublish != *r {
			next.RePublish = r
			changes = append(changes, fmt.Sprintf("the headers of %s are republished on %s", r.Source, r.Destination))
		}
		next.Subjects = slices.Clone(got.Subjects)
		for _, s := range want.Subjects {
			if !slices.Contains(got.Subjects, s) {
				next.Subjects = append(next.Subjects, s)
				changes = append(changes, "subject "+s)
			}
		}
	}
	if len(changes) > 0 && got.Description == "" {
		next.Description = want.Description
	}
	return next, changes
}

// isTooMuch says whether the server has not the storage that a stream wants for itself.
func isTooMuch(err error) bool { return isCode(err, 10047, 10023) }

func isCode(err error, codes ...jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode)
}

// difference is something in an existing stream that would break a promise.
type difference struct {
	text string
	// flag of `nats stream edit` that mends it; empty where it has none.
	flag string
	// fixed says that it cannot be changed.
	fixed bool
}

// streamDiff names what in an existing stream would break a promise: its kind, and bounds by which
// it would drop what must not be lost. Other sizes and ages are the operator's, those of dead
// letters and outcomes for instance.
func streamDiff(want, got jetstream.StreamConfig) []difference {
	var diffs []difference
	check := func(what string, want, got any, d difference) {
		if want != got {
			d.text = fmt.Sprintf("%s is %v, need %v", what, got, want)
			diffs = append(diffs, d)
		}
	}
	for _, s := range want.Subjects {
		if !slices.Contains(got.Subjects, s) && want.RePublish == nil { // else it is added
			diffs = append(diffs, difference{text: fmt.Sprintf("subject %s is missing", s), flag: "--subjects=" + strings.Join(want.Subjects, ",")})
		}
	}
	check("retention", want.Retention, got.Retention, difference{fixed: true})
	if want.Discard == jetstream.DiscardNew {
		check("discard", want.Discard, got.Discard, difference{flag: "--discard=new"})
	}
	check("storage", want.Storage, got.Storage, difference{fixed: true})
	check("replicas", want.Replicas, got.Replicas, difference{flag: fmt.Sprintf("--replicas=%d", want.Replicas)})
	check("allow direct", want.AllowDirect, got.AllowDirect, difference{flag: "--allow-direct"})
	if !want.DiscardNewPerSubject { // else the configuration sets it
		check("max messages per subject", want.MaxMsgsPerSubject, got.MaxMsgsPerSubject, difference{flag: fmt.Sprintf("--max-msgs-per-subject=%d", want.MaxMsgsPerSubject)})
	}
	if want.AllowMsgTTL {
		check("allow message TTL", true, got.AllowMsgTTL, difference{flag: "--allow-msg-ttl"})
	}
	if want.AllowMsgCounter {
		check("allow message counter", true, got.AllowMsgCounter, difference{fixed: true})
	}
	if want.AllowMsgSchedules {
		check("allow message schedules", true, got.AllowMsgSchedules, difference{fixed: true})
	}
	check("no ack", false, got.NoAck, difference{flag: "--ack"})
	check("sealed", false, got.Sealed, difference{fixed: true})
	if got.Duplicates < want.Duplicates {
		diffs = append(diffs, difference{text: fmt.Sprintf("duplicate window is %v, need %v", got.Duplicates, want.Duplicates), flag: fmt.Sprintf("--dupe-window=%v", want.Duplicates)})
	}
	drops := func(what, flag string) {
		diffs = append(diffs, difference{text: what + ", by which it would drop what must not be lost, need none", flag: flag})
	}
	if want.MaxAge == 0 && got.MaxAge > 0 {
		drops(fmt.Sprintf("max age is %v", got.MaxAge), "--max-age=0s")
	}
	if got.Discard == jetstream.DiscardOld && want.Discard == jetstream.DiscardOld && want.MaxBytes <= 0 {
		if got.MaxMsgs > 0 {
			drops(fmt.Sprintf("max messages is %d", got.MaxMsgs), "--max-msgs=-1")
		}
		if got.MaxBytes > 0 {
			drops(fmt.Sprintf("max bytes is %d", got.MaxBytes), "--max-bytes=-1")
		}
	}
	return diffs
}

func texts(diffs []difference) string {
	var all []string
	for _, d := range diffs {
		all = append(all, d.text)
	}
	return strings.Join(all, "; ")
}

func remedy(name string, diffs []difference) string {
	var flags []string
	for _, d := range diffs {
		if d.fixed {
			return fmt.Sprintf("this cannot be changed: remove the stream with `nats stream rm %s` if nothing in it is needed, or set nats.stream_prefix to use streams of our own", name)
		}
		if !slices.Contains(flags, d.flag) {
			flags = append(flags, d.flag)
		}
	}
	return fmt.Sprintf("change it with `nats stream edit %s %s`, or set nats.stream_prefix to use streams of our own", name, strings.Join(flags, " "))
}

// ask makes a request about a stream and marks the one that the NATS user may not make. The server
// says that apart from any answer, so that the request alone would wait until its time is over.
func (b *Bus) ask(ctx context.Context, verb, stream string, request func(context.Context) error) error {
	guarded, release := b.refusals.guard(ctx, jetstream.DefaultAPIPrefix+"STREAM."+verb+"."+stream)
	defer release()
	err := request(guarded)
	var refused *hongyan.PermissionError
	if err != nil && errors.As(context.Cause(guarded), &refused) {
		return fmt.Errorf("%w (%w)", ErrNotAllowed, refused)
	}
	return err
}

// refusals ends the requests that the server refuses for want of a right.
type refusals struct {
	mu      sync.Mutex
	waiting map[*guard]struct{}
}

type guard struct {
	subject string
	cancel  context.CancelCauseFunc
}

// guard returns a context that ends when the server refuses a publish on the subject, or to deliver
// its answers; the cause is then a *hongyan.PermissionError. release must be called.
func (r *refusals) guard(ctx context.Context, subject string) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &guard{subject, cancel}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = map[*guard]struct{}{}
	}
	r.waiting[g] = struct{}{}
	return ctx, func() {
		cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.waiting, g)
	}
}

// refuse ends the requests that wait for what the server refused.
func (r *refusals) refuse(refused *hongyan.PermissionError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g := range r.waiting {
		if refused.Right == "subscribe" || refused.Subject == g.subject {
			g.cancel(refused)
		}
	}
}
