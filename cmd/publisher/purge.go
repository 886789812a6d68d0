package main

import (
	"context"
	"errors"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

func (t *tool) deadPurgeCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "purge [SEQ...] [flags]",
		Short: "Remove dead letters for good",
		Long: `purge removes the dead letters with these numbers, or all that fit the flags. It cannot be undone, so it asks first; where
nobody can be asked it needs --yes.

JSON: {"purged"}.`,
		Example: `  publisher dead purge 4711 4712 --yes
  publisher dead purge --reason expired --until 7d`,
	}
	read := t.filterFlags(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		filter, err := read()
		if err != nil {
			return err
		}
		seqs, err := sequences(args)
		if err != nil {
			return err
		}
		if len(seqs) > 0 && !filter.Empty() {
			return cli.UsageError(errors.New("give numbers or flags, not both"))
		}
		b, box, err := t.letters(cmd.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		n, err := t.purge(cmd.Context(), box, &filter, seqs, yes)
		if n > 0 || err == nil {
			err = errors.Join(err, t.say(struct {
				Purged int `json:"purged"`
			}{n}, "purged %d dead letter(s)", n))
		}
		return err
	}
	return c
}

func (t *tool) purge(ctx context.Context, box *bus.LetterBox, filter *dispatch.LetterFilter, seqs []uint64, yes bool) (n int, err error) {
	step, cancel := t.step(ctx)
	last, _, err := box.Bounds(step)
	cancel()
	if err != nil {
		return 0, err
	}
	every := ""
	if len(seqs) == 0 && filter.Empty() {
		every = ", ALL there are,"
	}
	for _, seq := range seqs {
		if _, err := t.letter(ctx, box, seq); err != nil {
			return 0, err
		}
	}
	if len(seqs) == 0 {
		err := t.eachLetter(ctx, box, filter, func(l *dispatch.Letter) error {
			seqs = append(seqs, l.Sequence)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	if len(seqs) == 0 {
		return 0, nil
	}
	if err := t.confirm(ctx, yes, "This removes %d dead letter(s)%s for good.", len(seqs), every); err != nil {
		return 0, err
	}
	step, cancel = t.step(ctx)
	defer cancel()
	if every != "" || !filter.Empty() && filter.BySubject() && len(seqs) > 1000 {
		gone, err := box.Purge(step, filter.Subject(t.topology().Subjects), last)
		return int(gone), err
	}
	bar := t.bar("purging", int64(len(seqs)), progress.UnitsDefault)
	defer func() { bar.stop(err != nil) }()
	for _, seq := range seqs {
		step, cancel := t.step(ctx)
		err := box.Delete(step, seq)
		cancel()
		if err != nil {
			return n, err
		}
		n++
		bar.set(int64(n))
	}
	return n, nil
}
