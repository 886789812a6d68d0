// Package terminal keeps values that others wrote from acting on the terminal that shows them.
//
// A message id, a body or an error may hold an escape sequence that sets the window's title or
// writes the clipboard, or a bidi control that shows a line in another order than it has. There are
// two walls. [Line] makes a value one harmless line; whoever prints values in sentences and tables
// uses it, mostly through [Values]. A [Writer] lies below everything that a program prints: nothing
// that a terminal obeys passes it, whoever forgot what.
//
//	values ── Values, Line ── sentences, tables ── Writer ── terminal
//	objects ── JSON encoder ── EscapeJSON ───────────┘
package terminal

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

const lineSeparator, paragraphSeparator = '\u2028', '\u2029'

// harmful says whether a terminal may act on r instead of showing it: C0, DEL and C1 controls, the
// line separators, and all characters of Unicode's property Bidi_Control.
func harmful(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f, r == 0x61c, r == 0x200e, r == 0x200f:
		return true
	}
	return r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Line makes a value one line that a terminal only shows: line breaks and tabs become spaces, what
// a terminal would act on is gone, and a byte that is not UTF-8 becomes U+FFFD.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == lineSeparator, r == paragraphSeparator:
			return ' '
		case harmful(r):
			return -1
		}
		return r
	}, s)
}

// Text is text of several lines that was put together from constants and from values that went
// through [Line]. [Values] leaves its line breaks alone.
type Text string

// Values makes every string among values a [Line]: strings of any type, and what errors and
// Stringers say. The rest, such as numbers, is returned as it is.
func Values(values []any) []any {
	safe := make([]any, len(values))
	for i, v := range values {
		safe[i] = value(v)
	}
	return safe
}

func value(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case Text:
		return v
	case error:
		return Line(v.Error())
	case fmt.Stringer:
		return Line(v.String())
	case []byte:
		return Line(string(v))
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return Line(r.String())
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return v
	}
	return Line(fmt.Sprint(v))
}

// EscapeJSON writes what a terminal would act on in escapes (\u009b). An encoder of JSON does so
// with C0 controls only. data is JSON without line breaks in its strings, so the value stays the
// same; line breaks between its tokens stay too.
func EscapeJSON(data []byte) []byte {
	escape := func(r rune) bool { return r >= 0x7f && harmful(r) }
	if !strings.ContainsFunc(string(data), escape) {
		return data
	}
	out := make([]byte, 0, len(data)+16)
	for _, r := range string(data) {
		if escape(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// Writer passes on what a terminal only shows, with line breaks and tabs, and drops the rest; a
// byte that is not UTF-8 becomes U+FFFD. It may be used by many goroutines at once.
type Writer struct {
	mu   sync.Mutex
	to   io.Writer
	rest []byte // the beginning of a character that the next Write ends
}

// NewWriter returns a Writer before to, or to itself where it is one.
func NewWriter(to io.Writer) *Writer {
	if w, ok := to.(*Writer); ok {
		return w
	}
	return &Writer{to: to}
}

// Unwrap returns what the Writer writes to.
func (w *Writer) Unwrap() io.Writer { return w.to }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) == 0 && plain(p) {
		return w.to.Write(p)
	}
	data := append(w.rest, p...)
	w.rest = nil
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		if !utf8.FullRune(data) {
			w.rest = append(w.rest, data...)
			break
		}
		r, size := utf8.DecodeRune(data)
		switch {
		case r == lineSeparator, r == paragraphSeparator:
			out = append(out, ' ')
		case r == '\n', r == '\t', !harmful(r):
			out = utf8.AppendRune(out, r)
		}
		data = data[size:]
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// plain says whether p is all printable ASCII, with line breaks.
func plain(p []byte) bool {
	for _, c := range p {
		if (c < 0x20 || c > 0x7e) && c != '\n' {
			return false
		}
	}
	return true
}
