package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/replay"
	"github.com/hongyan-im/hongyan/internal/standing"
)

func (t *tool) replayCommand() *cobra.Command {
	var opts replay.Options
	var yes bool
	c := &cobra.Command{
		Use:   "replay [flags]",
		Short: "Bring dead letters back",
		Long: `replay sends the dead letters that fit the flags on their way again, with their attempts forgotten, and removes each from the
dead letters once its job is stored. What could not be read, and an event that was taken a hundred times without an end, goes
back to the subject that it came on as the bytes it was, and is judged anew; where the letter was cut it stays.

Devices that registered anew are reached under their new token. What died of a dead token and has no registration any more
stays, and so does what is past its deadline; --include-expired gives that a fresh one. Before a push is made again the workers
look at the directory once more: who logged out, was removed or came to the front since is suppressed (publisher explain).

Letters of a certificate that no live worker serves stay and are counted: name the certificate in the workers' configuration
again, or purge them. Where no worker runs at all, nothing is brought back.

Interrupt it whenever you like, or kill it: "replay start" with its number goes on where it was, as does the same command, and each
letter comes back once. It looks first for what came back before the interruption, among the jobs and records stored since; a long
read shows its progress. Letters that die again meanwhile are left for the next run. With --user, a letter for several users is split.

Elsewhere, "replay status" shows how far it is and "replay cancel" stops it. "replay plan" makes no more than a plan, which counts
what would happen now and is carried out with "replay start", by whomever.

Look first with --dry-run, and put the cause right before: a wrong key or a wrong category fails again. Without any flag that
says which letters it asks first; where nobody can be asked it needs --yes.

JSON: {"dry_run","matched","replayed","already_back","expired","no_registration","unknown_certificate","unreadable",
"failed","split","devices","interrupted","id"}; all but devices count letters. The exit code is 1 when a letter failed or could not be
read, when no worker serves its certificate, or when the replay was interrupted.`,
		Example: `  # what would come back of what a vendor refused in the last eight hours?
  publisher replay --certificate 35001 --reason attempts_exhausted --since 8h --dry-run

  # bring it back, gently
  publisher replay --certificate 35001 --reason attempts_exhausted --since 8h --rate 500

  # one user's messages of yesterday, although it is late
  publisher replay --app demo --user bob --since 1d --include-expired`,
		Args: cobra.NoArgs,
	}
	read := t.replayFlags(c, &opts)
	f := c.Flags()
	f.BoolVarP(&opts.DryRun, "dry-run", "n", false, "change nothing, count what would happen")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := read(); err != nil {
			return err
		}
		return t.replay(cmd.Context(), opts, yes)
	}
	c.AddCommand(t.replayPlanCommand(), t.replayStartCommand(), t.replayStatusCommand(), t.replayCancelCommand())
	return c
}

// replayFlags defines the flags that say which letters come back and how. read checks them, once
// they are parsed.
func (t *tool) replayFlags(c *cobra.Command, opts *replay.Options) (read func() error) {
	filter := t.filterFlags(c)
	f := c.Flags()
	f.Float64Var(&opts.Rate, "rate", 0, "at most so many `letters` per second (default as fast as the streams take them)")
	f.IntVar(&opts.Limit, "limit", 0, "bring back at most so many, the oldest (default all)")
	f.BoolVar(&opts.IncludeExpired, "include-expired", false, "bring back what is past its deadline too, with a fresh one of the same length")
	return func() (err error) {
		if opts.Filter, err = filter(); err != nil {
			return err
		}
		if opts.Rate < 0 || opts.Limit < 0 {
			return cli.UsageError(errors.New("--rate and --limit must not be negative"))
		}
		return nil
	}
}

// replayAnswer is the answer of replay.
type replayAnswer struct {
	DryRun        bool `json:"dry_run"`
	replay.Counts `json:",inline"`
	Interrupted   bool `json:"interrupted"`
	// ID is the replay's, for status, cancel and start; empty for a dry run.
	ID string `json:"id,omitempty"`
}

func (t *tool) replay(ctx context.Context, opts replay.Options, yes bool) error {
	b, box, err := t.letters(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	total, err := t.countLetters(ctx, box, opts.Filter)
	if err != nil {
		return err
	}
	if opts.Filter.Empty() && !opts.DryRun && total > 0 {
		if err := t.confirm(ctx, yes, "This brings back ALL %d dead letter(s); each is pushed to phones again.", total); err != nil {
			return err
		}
	}
	if opts.DryRun {
		counts, err := t.watchReplay(b, box, atMost(total, opts.Limit), func(r *replay.Replay) (replay.Counts, error) { return r.Run(ctx, opts) })
		return t.endReplay(replayAnswer{DryRun: true, Counts: counts}, err)
	}
	task, err := t.planReplay(ctx, b, box, opts, opts.Limit > 0)
	if err != nil {
		return err
	}
	return t.runReplay(ctx, b, box, task)
}

// countLetters counts the letters that a filter's subject covers.
func (t *tool) countLetters(ctx context.Context, box *bus.LetterBox, filter dispatch.LetterFilter) (int64, error) {
	step, cancel := t.step(ctx)
	defer cancel()
	n, err := box.Count(step, filter.Subject(t.topology().Subjects))
	return int64(n), err
}

// atMost is a total under a limit, where there is one.
func atMost(total int64, limit int) int64 {
	if limit > 0 {
		return min(total, int64(limit))
	}
	return total
}

// watchReplay lets do make a run, whose progress is shown. What an interrupted run did is read
// first; the letters' own bar begins with the first of them.
func (t *tool) watchReplay(b *bus.Bus, box *bus.LetterBox, total int64, do func(*replay.Replay) (replay.Counts, error)) (replay.Counts, error) {
	read := t.reading("looking for what came back")
	var bar *bar
	counts, err := do(t.replayer(b, box, watchedTrail{b, read.one}, func(n replay.Counts) {
		if bar == nil {
			read.stop(false)
			bar = t.bar("replaying", total, progress.UnitsDefault)
		}
		bar.set(int64(n.Matched))
	}))
	read.stop(err != nil)
	bar.stop(err != nil)
	return counts, err
}

// endReplay says what a run did, and how it ended.
func (t *tool) endReplay(a replayAnswer, err error) error {
	a.Interrupted = errors.Is(err, context.Canceled) || errors.Is(err, replay.ErrCancelled)
	if sayErr := t.sayReplay(a); sayErr != nil {
		return errors.Join(err, sayErr)
	}
	again := "run the same command again"
	if a.ID != "" {
		again = fmt.Sprintf("\"publisher replay start %s\"", a.ID)
	}
	switch {
	case errors.Is(err, replay.ErrCancelled):
		return fmt.Errorf("cancelled; %s goes on with it", again)
	case a.Interrupted:
		return fmt.Errorf("interrupted; %s goes on with it", again)
	case err != nil:
		return fmt.Errorf("%w\nWhat is not replayed is still there; %s when the cause is gone", err, again)
	case a.Failed+a.Unreadable+a.UnknownCertificate > 0:
		return errSaid
	}
	return nil
}

// watchedTrail tells of each record, job and message that is read.
type watchedTrail struct {
	replay.Trail
	read func()
}

func (w watchedTrail) Waiting(ctx context.Context, where hongyan.Subject, since time.Time, each func(dispatch.Waiting) (more bool)) error {
	return w.Trail.Waiting(ctx, where, since, func(m dispatch.Waiting) bool {
		w.read()
		return each(m)
	})
}

func (w watchedTrail) Records(ctx context.Context, app string, partition int, since time.Time, each func(dispatch.Record) (more bool)) error {
	return w.Trail.Records(ctx, app, partition, since, func(r dispatch.Record) bool {
		w.read()
		return each(r)
	})
}

func (t *tool) replayer(b *bus.Bus, box *bus.LetterBox, trail replay.Trail, progress func(replay.Counts)) *replay.Replay {
	return &replay.Replay{
		Letters: box, Journal: box, Trail: trail, Queue: b, Subjects: t.topology().Subjects, Now: t.now, Patience: t.timeout, Progress: progress,
		Devices: directory.New(b, t.topology().Subjects, directory.Options{Now: t.now}),
		Served:  func(ctx context.Context) (replay.Served, error) { return t.served(ctx, b) },
	}
}

// served is what the live workers say they serve.
func (t *tool) served(ctx context.Context, b *bus.Bus) (replay.Served, error) {
	ctx, cancel := t.step(ctx)
	defer cancel()
	r, err := standing.Workers(ctx, b)
	switch {
	case errors.Is(err, standing.ErrNoWorker):
		return nil, fmt.Errorf("%w; start the workers, so that it is known which certificates they serve, and run it again", err)
	case err != nil:
		return nil, err
	}
	served := map[[3]string]bool{}
	for _, w := range r.Workers {
		for _, c := range w.Certificates {
			served[[3]string{c.App, c.Vendor, c.Limits.ID}] = true
			served[[3]string{"", c.Vendor, c.Limits.ID}] = true
		}
	}
	return func(app, vendor, certificate string) bool { return served[[3]string{app, vendor, certificate}] }, nil
}

func (t *tool) sayReplay(a replayAnswer) error {
	if t.json() {
		return t.emit(a)
	}
	back := "came back"
	if a.DryRun {
		back = "would come back"
	}
	w := t.table("letters", "what became of them")
	row := func(n int, what string) {
		if n > 0 {
			w.AppendRow(table.Row{n, what})
		}
	}
	w.AppendRow(table.Row{a.Replayed, fmt.Sprintf("%s, for %d device(s)", back, a.Devices)})
	row(a.Split, "of these for some of their devices only; a new letter keeps the others")
	row(a.AlreadyBack, "had come back in a run that was interrupted; removed")
	row(a.Expired, "are past their deadline and stay (--include-expired brings them back)")
	row(a.NoRegistration, "died of a dead token whose device is not registered any more, and stay")
	row(a.UnknownCertificate, "are of a certificate that no live worker serves, and stay (name it in the configuration again, or purge them)")
	row(a.Unreadable, "cannot be read and stay (publisher dead show)")
	row(a.Failed, "failed and stay")
	w.Render()
	return nil
}
