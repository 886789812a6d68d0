package terminal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/terminal"
)

// attacks are values as an attacker writes them, and what is left of them in a line.
var attacks = map[string]struct{ value, line string }{
	"plain":              {"m-1 周六 🏔️ é", "m-1 周六 🏔️ é"},
	"osc_52_clipboard":   {"a\x1b]52;c;cm0gLXJm\x07b", "a]52;c;cm0gLXJmb"},
	"osc_0_title":        {"a\x1b]0;root@prod\x1b\\b", "a]0;root@prod\\b"},
	"csi_clear":          {"a\x1b[2J\x1b[1;31mb", "a[2J[1;31mb"},
	"c1_csi":             {"a\u009b2Jb", "a2Jb"},
	"c1_csi_one_byte":    {"a\x9b2Jb", "a\uFFFD2Jb"},
	"c1_osc":             {"a\u009d52;c;x\u009cb", "a52;c;xb"},
	"del_and_backspace":  {"safe\x08\x08\x7fb", "safeb"},
	"carriage_return":    {"all went well\rfailed", "all went wellfailed"},
	"forged_line":        {"m-1\nreason: accepted", "m-1 reason: accepted"},
	"line_separators":    {"a\u2028b\u2029c\u0085d\vE\f", "a b cdE"},
	"tab":                {"a\tb", "a b"},
	"bidi_override":      {"user\u202egnp.exe", "usergnp.exe"},
	"bidi_isolates":      {"\u2066a\u2067b\u2068c\u2069", "abc"},
	"bidi_embeddings":    {"\u202aa\u202bb\u202cc\u202dd", "abcd"},
	"bidi_marks":         {"\u200ea\u200fb\u061cc", "abc"},
	"joiners_are_needed": {"👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"},
	"nul":                {"a\x00b", "ab"},
}

func TestLine(t *testing.T) {
	t.Parallel()
	for name, c := range attacks {
		if got := terminal.Line(c.value); got != c.line {
			t.Errorf("%s: %q, want %q", name, got, c.line)
		}
	}
}

// Unicode's own list of bidi controls, and all of category Cc, are covered.
func TestLineKnowsAllControls(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Bidi_Control, r) && !unicode.IsControl(r) && !unicode.In(r, unicode.Zl, unicode.Zp) {
			continue
		}
		if got := terminal.Line("a" + string(r) + "b"); got != "ab" && got != "a b" {
			t.Errorf("%U stays: %q", r, got)
		}
	}
}

type word string

func TestValues(t *testing.T) {
	t.Parallel()
	got := terminal.Values([]any{"a\x1b", word("b\u202e"), errors.New("c\nd"), []byte("e\x9b"), 7, uint64(8), true, 1.5, time.Second, nil, terminal.Text("f\ng"),
		[]string{"h\x1b"}, &struct{ S string }{"i\x07"}})
	want := []any{"a", "b", "c d", "e\uFFFD", 7, uint64(8), true, 1.5, "1s", nil, terminal.Text("f\ng"), "[h]", "&{i}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The writer keeps line breaks, drops the rest, and sees characters that come in two writes.
func TestWriter(t *testing.T) {
	t.Parallel()
	for name, c := range attacks {
		for _, step := range []int{1, 2, 3, 100} {
			var out bytes.Buffer
			w := terminal.NewWriter(&out)
			for data := []byte(c.value + "\n"); len(data) > 0; {
				n, err := w.Write(data[:min(step, len(data))])
				if err != nil || n != min(step, len(data)) {
					t.Fatalf("%s: %d, %v", name, n, err)
				}
				data = data[n:]
			}
			if got, want := terminal.Line(strings.TrimSuffix(out.String(), "\n")), c.line; got != want {
				t.Errorf("%s in steps of %d: %q, want %q", name, step, got, want)
			}
			if !strings.HasSuffix(out.String(), "\n") || strings.ContainsFunc(out.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
				t.Errorf("%s in steps of %d: %q", name, step, out.String())
			}
		}
	}
	var out bytes.Buffer
	if w := terminal.NewWriter(&out); terminal.NewWriter(w) != w || w.Unwrap() != &out {
		t.Error("a writer is wrapped twice")
	}
}

// What was escaped is the same value, and nothing in it is more than printable.
func TestEscapeJSON(t *testing.T) {
	t.Parallel()
	for name, c := range attacks {
		value := strings.ToValidUTF8(c.value, "\uFFFD")
		data, err := json.Marshal(map[string]string{value: value})
		if err != nil {
			t.Fatal(err)
		}
		escaped := terminal.EscapeJSON(data)
		if terminal.Line(string(escaped)) != string(escaped) {
			t.Errorf("%s: %q", name, escaped)
		}
		var back map[string]string
		if err := json.Unmarshal(escaped, &back); err != nil || back[value] != value {
			t.Errorf("%s: %q becomes %q, %v", name, value, back, err)
		}
	}
}

func FuzzWriter(f *testing.F) {
	for _, c := range attacks {
		f.Add(c.value, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		var out bytes.Buffer
		w := terminal.NewWriter(&out)
		cut = min(max(cut, 0), len(s))
		for _, part := range []string{s[:cut], s[cut:]} {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		got := out.String()
		if !utf8.ValidString(got) || terminal.Line(strings.NewReplacer("\n", "", "\t", "").Replace(got)) != strings.NewReplacer("\n", "", "\t", "").Replace(got) {
			t.Fatalf("%q passes as %q", s, got)
		}
	})
}
