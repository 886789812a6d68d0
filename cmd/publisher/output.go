package main

import (
	"bufio"
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
)

// json says whether answers are for programs.
func (t *tool) json() bool { return t.output == "json" }

// emit prints one JSON object on one line.
func (t *tool) emit(v any) error {
	data, err := json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(false))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s\n", data)
	return err
}

// say prints a single answer: the object for programs, the text for people.
func (t *tool) say(v any, text string, args ...any) error {
	if t.json() {
		return t.emit(v)
	}
	_, err := fmt.Fprintf(t.out, text+"\n", args...)
	return err
}

// printf prints a line for people.
func (t *tool) printf(text string, args ...any) { _, _ = fmt.Fprintf(t.out, text+"\n", args...) }

// warn prints a line on standard error.
func (t *tool) warn(text string, args ...any) { _, _ = fmt.Fprintf(t.err, text+"\n", args...) }

// table starts a table; render prints it.
func (t *tool) table(columns ...string) table.Writer {
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
	return w
}

// shorten makes a token or text fit a column.
func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if text.StringWidthWithoutEscSequences(s) <= most {
		return s
	}
	return text.Trim(s, most-1) + "…"
}

// token shows enough of a token to tell it from others.
func token(s string, whole bool) string {
	switch {
	case whole || s == "":
		return s
	case len(s) <= 12:
		return s[:min(len(s), 3)] + "…"
	}
	return strings.ToValidUTF8(s[:6]+"…"+s[len(s)-4:], "?")
}

// when shows a time in the reader's zone.
func when(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// ago shows how long something is past, roughly.
func (t *tool) ago(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := t.now().Sub(at)
	switch {
	case d < 0:
		return "in " + strings.TrimPrefix(span(-d), "-")
	case d < time.Second:
		return "now"
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

func dash(s string) string { return or(s, "-") }

// terminal says whether a stream is one that a person looks at or types into.
func terminal(stream any) bool {
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
	if !terminal(t.err) {
		return nil
	}
	b := &bar{writer: progress.NewWriter(), tracker: &progress.Tracker{Message: what, Total: total, Units: units, AutoStopDisabled: true}, done: make(chan struct{})}
	b.writer.SetOutputWriter(t.err)
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

// confirm asks before something that cannot be undone. Where nobody can be asked, --yes must have
// been given.
func (t *tool) confirm(yes bool, question string, args ...any) error {
	if yes {
		return nil
	}
	question = fmt.Sprintf(question, args...)
	if !terminal(t.in) {
		return fmt.Errorf("%s Nobody can be asked here: repeat it with --yes", question)
	}
	_, _ = fmt.Fprintf(t.err, "%s Type \"yes\" to go on: ", question)
	answer, err := bufio.NewReader(t.in).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return fmt.Errorf("nothing was done")
	}
	return nil
}
