package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := parse("staticcheck", "a/b.go:3:7: func f is unused (U1000)\n")
	if err != nil || len(got) != 1 || got[0] != (finding{"a/b.go", 3, 7, "staticcheck", "func f is unused (U1000)"}) {
		t.Errorf("parse gives %v, %v", got, err)
	}
	if _, err := parse("staticcheck", "-: cannot load\n"); err == nil || !strings.Contains(err.Error(), "staticcheck says:\n-: cannot load") {
		t.Errorf("a linter that could not work gives %v", err)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	finding := finding{"a.go", 3, 5, "bodyclose", "response body must be closed"}
	for _, c := range []struct {
		name, comment string
		line          int // where the comment stands
		want          []string
	}{
		{"none", "", 1, []string{"a.go:3:5: response body must be closed (bodyclose)"}},
		{"end_of_line", "resp := get() //nolint:bodyclose // the caller closes it", 3, nil},
		{"line_above", "\t//nolint:bodyclose // the caller closes it", 2, nil},
		{"several", "resp := get() //nolint:bodyclose,unparam // a reason", 3, []string{
			"a.go:3:1: unparam finds nothing here; remove the comment (nolint)",
		}},
		{"other_line", "\t//nolint:bodyclose // the caller closes it", 1, []string{
			"a.go:1:1: bodyclose finds nothing here; remove the comment (nolint)",
			"a.go:3:5: response body must be closed (bodyclose)",
		}},
		{"other_linter", "resp := get() //nolint:unparam // a reason", 3, []string{
			"a.go:3:1: unparam finds nothing here; remove the comment (nolint)",
			"a.go:3:5: response body must be closed (bodyclose)",
		}},
		{"no_reason", "resp := get() //nolint:bodyclose", 3, []string{
			"a.go:3:5: response body must be closed (bodyclose)",
			"a.go:3:15: write //nolint:LINTER // REASON (nolint)",
		}},
		{"no_linter", "resp := get() //nolint // because", 3, []string{
			"a.go:3:5: response body must be closed (bodyclose)",
			"a.go:3:15: write //nolint:LINTER // REASON (nolint)",
		}},
		{"unknown_linter", "resp := get() //nolint:nilerr // because", 3, []string{
			"a.go:3:5: response body must be closed (bodyclose)",
			"a.go:3:15: no linter is called nilerr (nolint)",
		}},
		{"spaced", "resp := get() // nolint:bodyclose // the caller closes it", 3, []string{
			"a.go:3:5: response body must be closed (bodyclose)",
			"a.go:3:15: write //nolint:LINTER // REASON (nolint)",
		}},
		{"prose", "// A finding is excused by a //nolint comment.", 2, []string{"a.go:3:5: response body must be closed (bodyclose)"}},
		{"string", "resp := get(\"//nolint:bodyclose // the caller closes it\")", 3, []string{"a.go:3:5: response body must be closed (bodyclose)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			excuses, found := readExcuses("a.go", []byte(strings.Repeat("\n", c.line-1)+c.comment+"\n"))
			var got []string
			for _, f := range judge(append(found, finding), excuses) {
				got = append(got, f.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("left are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestWide(t *testing.T) {
	t.Parallel()
	word := strings.Repeat("鸿", 96)
	for _, c := range []struct {
		name, line string
		want       int
	}{
		{"fits", "\t// " + word[:93*3], 0},
		{"too_wide", "\t// " + word[:93*3] + "x", 1},
		{"fits_without_tab", "// " + word + "x", 0},
		{"code", "x := \"" + word + word + "\"", 0},
		{"drawing", "//\t" + word + word, 0},
		{"link", "// https://example.com/" + word, 0},
		{"output", "// Output: " + word, 0},
	} {
		if got := wide("a.go", "package a\n"+c.line+"\n"); len(got) != c.want {
			t.Errorf("%s: %v, want %d findings", c.name, got, c.want)
		}
	}
}
