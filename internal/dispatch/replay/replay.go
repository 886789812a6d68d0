// Package replay brings dead letters back.
package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// LetterBox is where the dead letters are.
type LetterBox interface {
	// Letters reads up to n letters that a subject filter covers, oldest first, from a sequence on,
	// or where that is 0 from a time on. It may return fewer; none is the end.
	Letters(ctx context.Context, subject string, from uint64, since time.Time, n int) ([]dispatch.Letter, error)
	// Bounds returns the newest letter's sequence and when the stream was created.
	Bounds(ctx context.Context) (last uint64, created time.Time, err error)
	// Delete removes a letter; it is no error when it is gone already.
	Delete(ctx context.Context, sequence uint64) error
}

// Journal keeps the marks of replays under way, for at least as long as the outcomes are kept.
type Journal interface {
	Mark(ctx context.Context, data []byte) (id uint64, err error)
	Unmark(ctx context.Context, id uint64) error
	Marks(ctx context.Context) ([]dispatch.Mark, error)
}

// Trail tells what became of what was published.
type Trail interface {
	// Waiting calls each with what is stored on a subject since a time and not consumed yet, until
	// it returns false.
	Waiting(ctx context.Context, where hongyan.Subject, since time.Time, each func(dispatch.Waiting) (more bool)) error
	// Records does the same with the records of an app's users in a partition.
	Records(ctx context.Context, app string, partition int, since time.Time, each func(dispatch.Record) (more bool)) error
}

// Devices is what a replay needs of the directory; *directory.Directory implements it.
type Devices interface {
	// Lookup reads many users at once, each at the place of its Ref; nil where nothing is known.
	Lookup(ctx context.Context, refs []directory.Ref) ([]*directory.User, error)
}

// Served says whether a live worker serves a certificate of a vendor, of an app or, where app is
// empty, of any.
type Served func(app, vendor, certificate string) bool

// Replay brings dead letters back: a job to its job subject with its attempts forgotten, and what
// could not be read, or was taken too often, to where it was published.
//
// For each letter it publishes and waits until that is stored, then deletes the letter. So the
// deletion is the progress: a replay that was interrupted anywhere is run again and goes on where
// it was. Nothing is lost: a letter is gone only after its job was stored.
//
// Each letter comes back once, also when the replay was killed between a publication and its
// deletion:
//
//   - The job's Nats-Msg-Id is made of the letter's place, so within the stream's two minutes the server drops the second one. That also
//     holds for two replays that run side by side.
//   - Beyond, a mark says which letters a run had in hand: it is stored before the first of them is published, and removed when all are
//     done. A later run looks for the marked letters that still exist: a letter with a job that waits, or an outcome, for its message and
//     one of its devices, stored after the mark, did come back, and is only deleted.
//
// What remains open: a mark is kept three days, as long as the outcomes that answer it, so that a
// replay that is run again later than that may repeat the few hundred letters that were in hand. A
// job that moves between the streams at the moment of looking may be overlooked. Of an original
// message only its waiting in the stream is seen, not that it was taken from there. And where a
// letter is split, because only some of its devices are meant or still registered, a kill may leave
// a second letter for those that stay. A push that is repeated all the same carries the key of its
// (message, device) and replaces itself on the screen.
type Replay struct {
	Letters  LetterBox
	Journal  Journal
	Trail    Trail
	Queue    dispatch.Queue
	Devices  Devices
	Subjects hongyan.Subjects
	// Served says which certificates live workers serve, and is asked from time to time: a letter
	// of another one stays. An error ends the run.
	Served func(ctx context.Context) (Served, error)
	// Now is nil for time.Now.
	Now func() time.Time
	// Patience is how long one letter is tried; default 30s, three times what an election takes.
	Patience time.Duration
	// Progress, when it is set, is told of the counts from time to time, from several goroutines
	// but never at once.
	Progress func(Counts)
}

// Options say what to bring back, and how.
type Options struct {
	Filter dispatch.LetterFilter
	// DryRun changes nothing and counts what would happen.
	DryRun bool
	// Rate is the most letters per second; 0 is as fast as the streams take them.
	Rate float64
	// Limit is the most letters to bring back; 0 for all.
	Limit int
	// Bound ends what is meant; the zero value is all that exists when the run begins.
	Bound Bound
	// IncludeExpired brings back letters that are past their deadline too, with a fresh deadline:
	// as long from now as the first one was from the message's publication. Without it they stay.
	IncludeExpired bool
}

// Bound is a place among the dead letters: a sequence in the stream that was created then.
type Bound struct {
	Sequence uint64
	Created  time.Time
}

// ErrOtherStream is a bound in a stream of dead letters that exists no more.
var ErrOtherStream = errors.New("the stream of dead letters was made anew since the replay was planned; plan it again")

// Counts count letters, but for Devices.
type Counts struct {
	// Matched is how many the filter means; each is counted in one of the next seven as well.
	Matched int `json:"matched"`
	// Replayed came back, or would in a dry run; Devices is how many devices they are for.
	Replayed int `json:"replayed"`
	// AlreadyBack had been brought back by a run that was interrupted before it could delete them;
	// they are deleted now.
	AlreadyBack int `json:"already_back"`
	// Expired are past their deadline and stay.
	Expired int `json:"expired"`
	// NoRegistration died of a dead token, and the device has no registration with their
	// certificate any more; they stay.
	NoRegistration int `json:"no_registration"`
	// UnknownCertificate are of a certificate that no live worker serves, which their pushes would
	// never leave again; they stay.
	UnknownCertificate int `json:"unknown_certificate"`
	// Unreadable hold no job that can be read, or no subject to go back to, or were cut; they stay.
	Unreadable int `json:"unreadable"`
	// Failed could not be brought back; they stay, or the next run finds out that they came back.
	Failed int `json:"failed"`
	// Split of the replayed ones went back for some of their devices only; a new letter holds the
	// others.
	Split   int `json:"split"`
	Devices int `json:"devices"`
}

const (
	// pageLetters is how many letters are in hand at once, and flight how many of them are being
	// published.
	pageLetters = 512
	flight      = 256
	// lookupUsers is how many users one read of the directory asks for.
	lookupUsers = 1000
	// servedFor is how long it is believed which certificates are served.
	servedFor = 5 * time.Second
)

// markBody is what a mark says: the letters in hand, of the stream created then.
type markBody struct {
	Created   int64    `json:"created"`
	Sequences []uint64 `json:"sequences"`
}

// Run brings back the letters that exist when it begins; those that die again meanwhile are for
// another run. When ctx ends, it finishes what is in hand and returns the counts with ctx's error.
// At the first letter that cannot be stored it stops in the same way.
func (r *Replay) Run(ctx context.Context, opts Options) (Counts, error) {
	run, err := r.run(ctx, opts)
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.counts, err
}

// Plan counts what a run would do, and returns the options of that run: for the letters that exist
// now and, where there is a limit, for none beyond those that it allows.
func (r *Replay) Plan(ctx context.Context, opts Options) (Options, Counts, error) {
	dry := opts
	dry.DryRun = true
	run, err := r.run(ctx, dry)
	if opts.Bound == (Bound{}) {
		opts.Bound = Bound{run.last, run.created}
	}
	if opts.Limit > 0 && run.counts.Replayed >= opts.Limit {
		opts.Bound.Sequence = run.seen
	}
	return opts, run.counts, err
}

// run makes a run.
func (r *Replay) run(ctx context.Context, opts Options) (*run, error) {
	set := *r
	if set.Now == nil {
		set.Now = time.Now
	}
	if set.Patience <= 0 {
		set.Patience = 30 * time.Second
	}
	run := &run{Replay: &set, opts: opts, subject: opts.Filter.Subject(r.Subjects)}
	return run, run.all(ctx)
}

// run is one run's state.
type run struct {
	*Replay
	opts    Options
	subject string
	created time.Time
	last    uint64
	limiter *rate.Limiter
	// served was asked for last then.
	served Served
	asked  time.Time
	// seen is the last letter that was looked at.
	seen uint64
	// back are the letters that an earlier run brought back without deleting them.
	back map[uint64]bool

	mu     sync.Mutex
	counts Counts
}

func (r *run) count(change func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.counts)
	if r.Progress != nil {
		r.Progress(r.counts)
	}
}

func (r *run) all(ctx context.Context) (err error) {
	if r.last, r.created, err = r.Letters.Bounds(ctx); err != nil {
		return err
	}
	if b := r.opts.Bound; b != (Bound{}) {
		if !b.Created.Equal(r.created) {
			return ErrOtherStream
		}
		r.last = min(r.last, b.Sequence)
	}
	if r.back, err = r.recover(ctx); err != nil {
		return fmt.Errorf("find out what an interrupted replay did: %w", err)
	}
	size := pageLetters
	if r.opts.Rate > 0 {
		// A page lasts a few seconds, so that what a mark means stays young.
		size = min(size, max(1, int(r.opts.Rate*5)))
		r.limiter = rate.NewLimiter(rate.Limit(r.opts.Rate), max(1, int(r.opts.Rate/50)))
	}
	from, since := uint64(0), r.opts.Filter.Since
	for ctx.Err() == nil {
		letters, err := r.Letters.Letters(ctx, r.subject, from, since, size)
		if err != nil {
			return err
		}
		if len(letters) == 0 {
			return nil
		}
		from = letters[len(letters)-1].Sequence + 1
		end := false
		some := letters[:0]
		for i := range letters {
			l := &letters[i]
			if end = l.Sequence > r.last || r.opts.Filter.Past(l); end {
				break
			}
			if r.opts.Filter.Match(l) {
				some = append(some, *l)
			}
		}
		full, err := r.page(ctx, some)
		if err != nil || full || end {
			return err
		}
	}
	return context.Cause(ctx)
}

// page brings back some letters. full says that the limit is reached.
func (r *run) page(ctx context.Context, letters []dispatch.Letter) (full bool, err error) {
	jobs := make([]*dispatch.Job, len(letters))
	var refs []directory.Ref
	for i := range letters {
		if r.back[letters[i].Sequence] || letters[i].Original() {
			continue
		}
		job, err := letters[i].Job()
		if err != nil {
			continue // it is counted below
		}
		jobs[i] = job
		for _, t := range job.Targets {
			refs = append(refs, directory.Ref{App: job.App, User: t.User})
		}
	}
	users, err := r.lookup(ctx, refs)
	if err != nil {
		return false, err
	}
	now := r.Now()
	if r.served == nil || now.Sub(r.asked) >= servedFor {
		if r.served, err = r.Served(ctx); err != nil {
			return false, err
		}
		r.asked = now
	}
	opts := comebackOptions{subjects: r.Subjects, filter: &r.opts.Filter, created: r.created, includeExpired: r.opts.IncludeExpired, served: r.served}
	var ready []comeback
	for i := range letters {
		l := &letters[i]
		if r.back[l.Sequence] {
			r.seen = l.Sequence
			if !r.opts.DryRun {
				if err := r.Letters.Delete(ctx, l.Sequence); err != nil {
					return false, err
				}
			}
			r.count(func(c *Counts) { c.Matched++; c.AlreadyBack++ })
			continue
		}
		if r.opts.Limit > 0 && r.replayed()+len(ready) >= r.opts.Limit {
			full = true
			break
		}
		r.seen = l.Sequence
		c, err := comeBack(l, jobs[i], func(ref directory.Ref) *directory.User { return users[ref] }, opts, now)
		if err != nil {
			return false, fmt.Errorf("letter %d: %w", l.Sequence, err)
		}
		if r.stays(&c) {
			continue
		}
		ready = append(ready, c)
	}
	if r.opts.DryRun {
		for i := range ready {
			r.came(&ready[i])
		}
		return full, nil
	}
	return full, r.bring(ctx, ready)
}

func (r *run) replayed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts.Replayed
}

// stays counts a letter that is not brought back.
func (r *run) stays(c *comeback) bool {
	if c.kind == bringBack {
		return false
	}
	r.count(func(n *Counts) {
		n.Matched++
		switch c.kind {
		case tooLate:
			n.Expired++
		case noRegistration:
			n.NoRegistration++
		case unserved:
			n.UnknownCertificate++
		default:
			n.Unreadable++
		}
	})
	return true
}

// came counts a letter that is back.
func (r *run) came(c *comeback) {
	r.count(func(n *Counts) {
		n.Matched++
		n.Replayed++
		n.Devices += c.devices
		if c.rest != nil {
			n.Split++
		}
	})
}

// lookup reads the directory in rounds, each user once.
func (r *run) lookup(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.User, error) {
	users := make(map[directory.Ref]*directory.User, len(refs))
	seen := make(map[directory.Ref]bool, len(refs))
	var round []directory.Ref
	flush := func() error {
		if len(round) == 0 {
			return nil
		}
		some, err := r.Devices.Lookup(ctx, round)
		for i, u := range some {
			users[round[i]] = u
		}
		round = round[:0]
		return err
	}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		if round = append(round, ref); len(round) == lookupUsers {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	return users, flush()
}

// bring marks letters, publishes them side by side, deletes each that is stored, and removes the
// mark when all are.
func (r *run) bring(ctx context.Context, ready []comeback) error {
	if len(ready) == 0 {
		return nil
	}
	body := markBody{Created: r.created.UnixNano()}
	for i := range ready {
		body.Sequences = append(body.Sequences, ready[i].letter.Sequence)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	mark, err := r.Journal.Mark(ctx, data)
	if err != nil {
		return fmt.Errorf("mark the letters in hand: %w", err)
	}
	group, flying := errgroup.WithContext(ctx)
	group.SetLimit(flight)
	for i := range ready {
		if r.limiter != nil && r.limiter.Wait(flying) != nil || flying.Err() != nil {
			break
		}
		group.Go(func() error {
			// What has begun is finished, also when the run is to stop.
			one, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Patience)
			defer cancel()
			err := r.one(one, &ready[i])
			if err != nil {
				r.count(func(n *Counts) { n.Matched++; n.Failed++ })
				return fmt.Errorf("letter %d: %w", ready[i].letter.Sequence, err)
			}
			r.came(&ready[i])
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err // the mark stays: some of the letters may be back
	}
	// Also when ctx ended: what was begun is done, what was not begun needs no mark.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Patience)
	defer cancel()
	if err := r.Journal.Unmark(last, mark); err != nil {
		return fmt.Errorf("the letters in hand are done, but not their mark, which does no harm: %w", err)
	}
	return context.Cause(ctx)
}

// one brings back one letter.
func (r *run) one(ctx context.Context, c *comeback) error {
	if c.rest != nil {
		if err := r.insist(ctx, func() error { return errors.Join(r.Queue.Publish(ctx, []dispatch.Outgoing{*c.rest})...) }); err != nil {
			return err
		}
	}
	if err := r.insist(ctx, func() error { return errors.Join(r.Queue.Publish(ctx, []dispatch.Outgoing{c.out})...) }); err != nil {
		return err
	}
	return r.insist(ctx, func() error { return r.Letters.Delete(ctx, c.letter.Sequence) })
}

// insist repeats what fails until it succeeds or ctx ends; a full stream is not waited for.
func (r *run) insist(ctx context.Context, do func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := do()
		if err == nil || errors.Is(err, dispatch.ErrFull) {
			return err
		}
		if !sleep.For(ctx, wait) {
			return err
		}
	}
}
