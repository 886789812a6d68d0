package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

// json says whether answers are for programs.
func (t *tool) json() bool { return t.output == "json" }

// emit prints one JSON object on one line. It is exact: what a terminal would act on is escaped.
func (t *tool) emit(v any) error {
	data, err := json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(false))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s\n", terminal.EscapeJSON(data))
	return err
}

// say prints a single answer: the object for programs, the text for people.
func (t *tool) say(v any, text string, args ...any) error {
	if t.json() {
		return t.emit(v)
	}
	_, err := fmt.Fprintf(t.out, text+"\n", terminal.Values(args)...)
	return err
}

// printf prints a line for people. A value in it never breaks the line, unless it is a
// terminal.Text.
func (t *tool) printf(text string, args ...any) {
	_, _ = fmt.Fprintf(t.out, text+"\n", terminal.Values(args)...)
}

// warn prints a line on standard error, as printf does.
func (t *tool) warn(text string, args ...any) {
	_, _ = fmt.Fprintf(t.err, text+"\n", terminal.Values(args)...)
}

// rows is a table for people, one line a row.
type rows struct{ to table.Writer }

// AppendRow adds a row; its cells are values as in printf.
func (r rows) AppendRow(cells table.Row) { r.to.AppendRow(terminal.Values(cells)) }

// ResetHeaders takes the line with the columns' names away.
func (r rows) ResetHeaders() { r.to.ResetHeaders() }

// Render prints the table.
func (r rows) Render() { r.to.Render() }

// table starts a table; Render prints it.
func (t *tool) table(columns ...string) rows {
	w := table.NewWriter()
	w.SetOutputMirror(t.out)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatUpper
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	w.SetStyle(style)
	row := make(table.Row, len(columns))
	for i, c := range columns {
		row[i] = c
	}
	w.AppendHeader(row)
	w.SuppressTrailingSpaces()
	return rows{w}
}

// shorten makes a token or text fit a column.
func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(terminal.Line(s)), " ")
	if text.StringWidthWithoutEscSequences(s) <= most {
		return s
	}
	return text.Trim(s, most-1) + "…"
}

// when shows a time in the reader's zone.
func when(at time.Time) string { return explain.When(at) }

// ago shows how long something is past, roughly.
func (t *tool) ago(at time.Time) string { return explain.Ago(t.now(), at, explain.English) }

func dash(s string) string { return or(s, "-") }

// attended says whether a stream is a terminal, one that a person looks at or types into.
func attended(stream any) bool {
	if w, ok := stream.(*terminal.Writer); ok {
		stream = w.Unwrap()
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// bar is a progress bar on standard error, or nothing where that is no terminal. A nil bar shows
// nothing.
type bar struct {
	writer  progress.Writer
	tracker *progress.Tracker
	done    chan struct{}
}

// bar starts a bar; total 0 is for a number that is not known.
func (t *tool) bar(what string, total int64, units progress.Units) *bar {
	if !attended(t.err) {
		return nil
	}
	b := &bar{writer: progress.NewWriter(), tracker: &progress.Tracker{Message: what, Total: total, Units: units, AutoStopDisabled: true}, done: make(chan struct{})}
	// it draws with control sequences of its own
	b.writer.SetOutputWriter(t.err.(*terminal.Writer).Unwrap())
	b.writer.SetStyle(progress.StyleBlocks)
	b.writer.SetTrackerLength(30)
	b.writer.SetUpdateFrequency(100 * time.Millisecond)
	b.writer.Style().Visibility.ETA = total > 0
	b.writer.Style().Visibility.TrackerOverall = false
	b.writer.AppendTracker(b.tracker)
	go func() {
		defer close(b.done)
		b.writer.Render()
	}()
	return b
}

func (b *bar) set(value int64) {
	if b != nil {
		b.tracker.SetValue(value)
	}
}

// stop ends the bar, as a failure or not, and waits until it is drawn.
func (b *bar) stop(failed bool) {
	if b == nil {
		return
	}
	if failed {
		b.tracker.MarkAsErrored()
	} else {
		b.tracker.MarkAsDone()
	}
	b.writer.Stop()
	<-b.done
}

// longRead is how long something is read before that is shown: shorter reads are over before
// anybody could look.
const longRead = time.Second

// reading counts what is read and shows it on a bar once it takes long.
type reading struct {
	now   func() time.Time
	show  func() *bar
	began time.Time
	n     int64
	shown bool
	bar   *bar
}

func (t *tool) reading(what string) *reading {
	return &reading{now: t.now, show: func() *bar { return t.bar(what, 0, progress.UnitsDefault) }, began: t.now()}
}

// one counts one thing more that was read.
func (r *reading) one() {
	r.n++
	if !r.shown && r.now().Sub(r.began) >= longRead {
		r.shown, r.bar = true, r.show()
	}
	r.bar.set(r.n)
}

// stop ends the bar, where there is one, as a failure or not. It may be called again.
func (r *reading) stop(failed bool) {
	r.bar.stop(failed)
	r.bar = nil
}

// confirm asks before something that cannot be undone. Where nobody can be asked, --yes must have
// been given.
func (t *tool) confirm(ctx context.Context, yes bool, question string, args ...any) error {
	if yes {
		return nil
	}
	question = fmt.Sprintf(question, terminal.Values(args)...)
	if !attended(t.in) {
		return fmt.Errorf("%s Nobody can be asked here: repeat it with --yes", question)
	}
	_, _ = fmt.Fprintf(t.err, "%s Type \"yes\" to go on: ", question)
	answer, err := bufio.NewReader(&interruptible{ctx: ctx, in: t.in}).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return fmt.Errorf("nothing was done")
	}
	return nil
}
