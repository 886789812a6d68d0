package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/replay"
	"github.com/hongyan-im/hongyan/internal/explain"
)

// desk keeps the replays where every tool sees them.
func (t *tool) desk(b *bus.Bus) *replay.Desk {
	host, _ := os.Hostname() // only a name for operators
	return &replay.Desk{Notes: b.Notes(replay.Room), Host: host, PID: os.Getpid(), Now: t.now}
}

func (t *tool) replayPlanCommand() *cobra.Command {
	var opts replay.Options
	c := &cobra.Command{
		Use:   "plan [flags]",
		Short: "Count what would come back, and keep that as a plan",
		Long: `plan looks at the dead letters as "replay --dry-run" does, says what would become of them, and keeps the plan under a number: which
letters, up to the newest of now or as many as --limit says, and how fast. "replay start" carries it out, also from another machine.
A plan is kept for three days.

JSON: as "replay --dry-run", and the id.`,
		Example: `  publisher replay plan --certificate 35001 --reason attempts_exhausted --since 8h --rate 500
  publisher replay start x3k9d2pq`,
		Args: cobra.NoArgs,
	}
	read := t.replayFlags(c, &opts)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := read(); err != nil {
			return err
		}
		b, box, err := t.letters(cmd.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		task, err := t.planReplay(cmd.Context(), b, box, opts, true)
		if err != nil {
			return err
		}
		if err := t.sayReplay(replayAnswer{DryRun: true, Counts: task.Expected, ID: task.ID}); err != nil || t.json() {
			return err
		}
		if task.Rate > 0 {
			t.printf("At %s letters a second that takes about %s.", number(task.Rate), explain.Span(time.Duration(float64(task.Expected.Replayed)/task.Rate*float64(time.Second)), explain.English))
		}
		t.printf("It is kept for three days; \"publisher replay start %s\" carries it out.", task.ID)
		return nil
	}
	return c
}

// planReplay makes a task and keeps it. count says whether its letters are looked at before.
func (t *tool) planReplay(ctx context.Context, b *bus.Bus, box *bus.LetterBox, opts replay.Options, count bool) (*replay.Task, error) {
	var expected replay.Counts
	var err error
	if count {
		total, err := t.countLetters(ctx, box, opts.Filter)
		if err != nil {
			return nil, err
		}
		expected, err = t.watchReplay(b, box, atMost(total, opts.Limit), func(r *replay.Replay) (n replay.Counts, err error) {
			opts, n, err = r.Plan(ctx, opts)
			return n, err
		})
		if err != nil {
			return nil, err
		}
	}
	step, cancel := t.step(ctx)
	defer cancel()
	if opts.Bound == (replay.Bound{}) {
		if opts.Bound.Sequence, opts.Bound.Created, err = box.Bounds(step); err != nil {
			return nil, err
		}
	}
	task := replay.NewTask(opts, t.getenv("USER"), t.now())
	task.Expected = expected
	return task, t.desk(b).Save(step, task)
}

func (t *tool) replayStartCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "start ID",
		Short: "Carry out a plan, or go on with a replay that was interrupted, killed or cancelled",
		Long: `start carries out what "replay plan" planned, and goes on with a replay that ended before its end, whatever ended it. Each letter
comes back once. A replay is run by one process at a time; of one that was killed this is known after ten seconds.

JSON and exit code: as "replay"; the counts are those of all runs of this replay together.`,
		Example: `  publisher replay start x3k9d2pq`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, box, err := t.letters(cmd.Context())
			if err != nil {
				return err
			}
			defer b.Close()
			step, cancel := t.step(cmd.Context())
			task, err := t.desk(b).Task(step, args[0])
			cancel()
			if err != nil {
				return err
			}
			return t.runReplay(cmd.Context(), b, box, task)
		},
	}
}

// runReplay carries out what is left of a task.
func (t *tool) runReplay(ctx context.Context, b *bus.Bus, box *bus.LetterBox, task *replay.Task) error {
	total, err := t.countLetters(ctx, box, dispatch.LetterFilter(task.Filter))
	if err != nil {
		return err
	}
	done := task.Counts.Replayed + task.Counts.AlreadyBack
	counts, err := t.watchReplay(b, box, atMost(total+int64(done), task.Limit), func(r *replay.Replay) (replay.Counts, error) {
		ended, err := t.desk(b).Run(ctx, r, task.ID)
		if ended == nil {
			return replay.Counts{}, errors.Join(errNotBegun, err)
		}
		return ended.Counts, err
	})
	if errors.Is(err, errNotBegun) || errors.Is(err, replay.ErrDone) {
		return fmt.Errorf("replay %s: %w", task.ID, err)
	}
	return t.endReplay(replayAnswer{Counts: counts, ID: task.ID}, err)
}

// errNotBegun marks the errors of a run that did nothing.
var errNotBegun = errors.New("nothing was done")

func (t *tool) replayStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [ID]",
		Short: "Show replays: what was planned, what runs and how far it is",
		Long: `status lists the replays of the last three days, the newest first: planned, running, interrupted (also by a kill), cancelled or done.
A letter that has come back is gone from the dead letters, whoever brought it back.

JSON: one object a line, the replay as it is kept: id, filter, up_to, created, rate, limit, include_expired, by, at, expected, state, host,
pid, started, updated, counts, before, error.`,
		Example: `  publisher replay status
  publisher replay status x3k9d2pq -o json | jq .counts`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := t.connect(cmd.Context(), t.topology().Notes())
			if err != nil {
				return err
			}
			defer b.Close()
			step, cancel := t.step(cmd.Context())
			defer cancel()
			desk := t.desk(b)
			var tasks []replay.Task
			if len(args) == 1 {
				task, err := desk.Task(step, args[0])
				if err != nil {
					return err
				}
				tasks = append(tasks, *task)
			} else if tasks, err = desk.Tasks(step); err != nil {
				return err
			}
			return t.sayTasks(tasks)
		},
	}
}

func (t *tool) sayTasks(tasks []replay.Task) error {
	if t.json() {
		for i := range tasks {
			if err := t.emit(&tasks[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(tasks) == 0 {
		t.printf("There was no replay within the last three days.")
		return nil
	}
	w := t.table("replay", "state", "came back", "of", "stay", "planned", "by", "letters")
	for i := range tasks {
		x := &tasks[i]
		of := "-"
		if x.Expected.Matched > 0 {
			of = strconv.Itoa(x.Expected.Replayed)
		}
		n := &x.Counts
		w.AppendRow(table.Row{x.ID, string(x.State), n.Replayed + n.AlreadyBack, of,
			n.Expired + n.NoRegistration + n.UnknownCertificate + n.Unreadable + n.Failed, t.ago(x.At), dash(x.By), lettersOf(x)})
	}
	w.Render()
	for i := range tasks {
		switch x := &tasks[i]; x.State {
		case replay.Running:
			t.printf("\n%s runs on %s as process %d since %s (%s)%s. \"publisher replay cancel %s\" stops it.", x.ID, dash(x.Host), x.PID, when(x.Started), t.ago(x.Started), t.left(x), x.ID)
		case replay.Interrupted:
			t.printf("\n%s was interrupted: %s. \"publisher replay start %s\" goes on with it.", x.ID, x.Error, x.ID)
		case replay.Planned:
			t.printf("\n%s was not started; \"publisher replay start %s\" does that.", x.ID, x.ID)
		}
	}
	return nil
}

// left is how long a running replay still needs at the speed of this run, where that can be said.
func (t *tool) left(x *replay.Task) string {
	took, back := x.Updated.Sub(x.Started), x.Counts.Replayed+x.Counts.AlreadyBack
	more := x.Expected.Replayed - back
	if back -= x.Before; took < time.Second || back <= 0 || more <= 0 {
		return ""
	}
	return ", about " + explain.Span(time.Duration(float64(took)/float64(back)*float64(more)), explain.English) + " are left"
}

// lettersOf says which letters a replay means, as the flags do.
func lettersOf(x *replay.Task) string {
	var flags []string
	add := func(name, value string) {
		if value != "" {
			flags = append(flags, "--"+name+" "+value)
		}
	}
	moment := func(name string, at time.Time) {
		if !at.IsZero() {
			add(name, at.UTC().Format(time.RFC3339))
		}
	}
	f := &x.Filter
	add("vendor", f.Vendor)
	add("certificate", f.Certificate)
	add("reason", string(f.Reason))
	add("app", f.App)
	add("user", f.User)
	add("message", f.Message)
	moment("since", f.Since)
	moment("until", f.Until)
	if x.IncludeExpired {
		flags = append(flags, "--include-expired")
	}
	if x.Limit > 0 {
		add("limit", strconv.Itoa(x.Limit))
	}
	if x.Rate > 0 {
		add("rate", number(x.Rate))
	}
	if len(flags) == 0 {
		return "all"
	}
	return strings.Join(flags, " ")
}

func (t *tool) replayCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Stop a replay, wherever it runs",
		Long: `cancel stops a replay within about a second, wherever it runs, and waits for that: what is in hand is finished. What came back stays
back; "replay start" goes on with the rest. Of a plan that was not started it says that it is not wanted.

JSON: the replay, as "replay status" has it.`,
		Example: `  publisher replay cancel x3k9d2pq`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := t.connect(cmd.Context(), t.topology().Notes())
			if err != nil {
				return err
			}
			defer b.Close()
			step, cancel := t.step(cmd.Context())
			defer cancel()
			task, err := t.desk(b).Cancel(step, args[0])
			if err != nil {
				return fmt.Errorf("replay %s: %w", args[0], err)
			}
			n := &task.Counts
			return t.say(task, "replay %s is cancelled; %d letter(s) came back. \"publisher replay start %s\" goes on with it.", task.ID, n.Replayed+n.AlreadyBack, task.ID)
		},
	}
}
