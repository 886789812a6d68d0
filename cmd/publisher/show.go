package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

func (t *tool) deadShowCommand() *cobra.Command {
	var showTokens bool
	c := &cobra.Command{
		Use:   "show SEQ...",
		Short: "Show dead letters whole: why they died, and what they hold",
		Long: `show prints everything that a dead letter says and holds, the notification's text included, and what to do about it. Tokens
are shortened unless --show-tokens is given.

JSON: as "dead list", with the job, or the body in base64 where a message could not be read.`,
		Example: `  publisher dead show 4711
  publisher dead show 4711 -o json | jq .job.notification`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := sequences(args)
			if err != nil {
				return err
			}
			b, box, err := t.letters(cmd.Context())
			if err != nil {
				return err
			}
			defer b.Close()
			for _, seq := range seqs {
				l, err := t.letter(cmd.Context(), box, seq)
				if err != nil {
					return err
				}
				if err := t.showLetter(l, showTokens); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&showTokens, "show-tokens", false, "show tokens whole")
	return c
}

func (t *tool) showLetter(l *dispatch.Letter, showTokens bool) error {
	v := viewLetter(l, true, showTokens)
	if t.json() {
		return t.emit(v)
	}
	t.printf("dead letter %d", v.Sequence)
	w := t.table("what", "value")
	w.ResetHeaders()
	for _, row := range [][2]string{
		{"died", when(v.Died) + " (" + t.ago(v.Died) + ")"}, {"reason", v.Reason}, {"vendor", v.Vendor}, {"certificate", v.Certificate},
		{"vendor's code", v.Code}, {"error", v.Error}, {"app", v.App}, {"message", v.Message}, {"came on", v.Subject},
		{"attempts", strconv.Itoa(v.Attempts)}, {"first attempt", v.FirstAttempt}, {"last attempt", v.LastAttempt},
	} {
		if row[1] != "" {
			w.AppendRow(table.Row{"  " + row[0], row[1]})
		}
	}
	if !v.Deadline.IsZero() {
		w.AppendRow(table.Row{"  deadline", when(v.Deadline) + " (" + t.ago(v.Deadline) + ")"})
	}
	w.Render()
	switch {
	case v.Job != nil:
		job := v.Job
		if err := job.Indent(jsontext.WithIndentPrefix("  "), jsontext.WithIndent("  ")); err == nil {
			t.printf("  job %s", terminal.Text(terminal.EscapeJSON(job)))
		}
	case utf8.Valid(v.Body):
		t.printf("  body %s", shorten(string(v.Body), 4000))
	default:
		t.printf("  body %d bytes that are no text; -o json shows them in base64", len(v.Body))
	}
	t.printf("  what to do: %s\n", explain.Result(hongyan.Reason(v.Reason)).EN)
	return nil
}

func (t *tool) deadExportCommand() *cobra.Command {
	var file string
	var showTokens bool
	c := &cobra.Command{
		Use:   "export [flags]",
		Short: "Write dead letters as JSON lines",
		Long: `export writes all dead letters that fit the flags, oldest first, one JSON object a line as "dead show -o json" prints it, to a file
or to standard output. Nothing is removed. Tokens are shortened unless --show-tokens is given; the notification's text is in it.`,
		Example: `  publisher dead export --since 1d --file letters.jsonl
  publisher dead export --reason bad_payload | jq -r '[.certificate, .error] | @tsv' | sort | uniq -c`,
		Args: cobra.NoArgs,
	}
	read := t.filterFlags(c)
	c.Flags().StringVarP(&file, "file", "f", "-", "where to write, - for standard output; an existing `file` is not overwritten")
	c.Flags().BoolVar(&showTokens, "show-tokens", false, "write tokens whole")
	c.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		filter, err := read()
		if err != nil {
			return err
		}
		b, box, err := t.letters(cmd.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		to := t.out
		if file != "-" {
			f, err2 := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err2 != nil {
				return err2
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			to = f
		}
		n, err := t.export(cmd.Context(), box, &filter, to, showTokens)
		if err == nil && file != "-" {
			t.warn("%d letter(s) written to %s", n, file)
		}
		return err
	}
	return c
}

func (t *tool) export(ctx context.Context, box *bus.LetterBox, filter *dispatch.LetterFilter, to io.Writer, showTokens bool) (n int, err error) {
	step, cancel := t.step(ctx)
	total, err := box.Count(step, filter.Subject(t.topology().Subjects))
	cancel()
	if err != nil {
		return 0, err
	}
	bar := t.bar("exporting", int64(total), progress.UnitsDefault)
	defer func() { bar.stop(err != nil) }()
	buffer := bufio.NewWriter(to)
	out := *t
	out.out = buffer
	err = t.eachLetter(ctx, box, filter, func(l *dispatch.Letter) error {
		n++
		bar.set(int64(n))
		return out.emit(viewLetter(l, true, showTokens))
	})
	return n, errors.Join(err, buffer.Flush())
}
