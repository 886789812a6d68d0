// Command lint runs the linters of the gate over the module in the working directory, and exits
// with 1 if one of them finds something that no nolint comment excuses.
//
// The linters are the tools of tools/go.mod, built into the folder where this program stands:
//
//	go -C tools build -o ../bin/tools/ tool ./lint && bin/tools/lint
//
// It also finds comments that are not wrapped.
//
// A finding is excused by a comment at the end of its line, or on a line of its own right above it:
//
//	//nolint:bodyclose // the caller closes it
//
// The comment names its linters (several with commas between them) and the reason. One without a
// reason, with a name that is no linter, or that excuses nothing is a finding itself. For one check
// of staticcheck in a whole file there is staticcheck's own
//
//	//lint:file-ignore SA1019 the reason
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// linter is one program.
type linter struct {
	name    string // in findings and in nolint comments
	program string
	args    []string
	why     string
}

// linters run over all Go packages. Each has a reason; one whose findings are mostly wrong has none
// any more and goes.
var linters = []linter{
	{"staticcheck", "staticcheck", []string{"-checks", "all,-ST1000,-ST1020,-ST1021,-ST1022", "./..."},
		"bugs, dead code (U1000 is what others call unused), deprecated calls, needless code and style; the checks left out are those of comments, which revive has"},
	{"errorlint", "go-errorlint", []string{"-errorf", "./..."},
		"an error is wrapped with %w and compared with errors.Is and errors.As, so that a cause is found through any number of wrappings"},
	{"unparam", "unparam", []string{"./..."},
		"a parameter that nobody reads or that is always the same, and a result that is always nil, promise what is not there"},
	{"revive", "revive", []string{"-config", filepath.Join("tools", "revive.toml"), "./..."},
		"every package and every exported name has a comment that begins with the name"},
	{"bodyclose", "bodyclose", []string{"./..."},
		"a response whose body is not closed keeps its connection, and a pusher has thousands"},
	{"sloglint", "sloglint", []string{"-static-msg", "-msg-style", "lowercased", "-key-naming-case", "snake", "-no-global", "all", "./..."},
		"log lines can be searched: constant lower-case messages, keys in snake_case; loggers are passed in"},
	{"misspell", "misspell", []string{"-i", "appareil"},
		"common misspellings in code, pages and scripts; the word left out is French, of the texts of notifications"},
}

func main() {
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	texts, err := textFiles(".")
	if err != nil {
		fail(err)
	}
	var found []finding
	for _, l := range linters {
		args := l.args
		if l.name == "misspell" {
			args = slices.Concat(l.args, texts)
		}
		out, err := output(filepath.Join(filepath.Dir(self), l.program), args)
		if err != nil {
			fail(err)
		}
		f, err := parse(l.name, out)
		if err != nil {
			fail(err)
		}
		found = append(found, f...)
	}
	var excuses []*excuse
	for _, name := range texts {
		if filepath.Ext(name) != ".go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			fail(err)
		}
		e, f := readExcuses(name, text)
		excuses, found = append(excuses, e...), append(found, f...)
		found = append(found, wide(name, string(text))...)
	}
	left := judge(found, excuses)
	for _, f := range left {
		fmt.Println(f)
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "lint: %d finding(s)\n", len(left))
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lint:", err)
	os.Exit(2)
}

// textFiles lists the files below root that people write, without those that tests record.
func textFiles(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "data", "sandbox-data", "testdata"}, d.Name()):
			return filepath.SkipDir
		case d.Type().IsRegular() && slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".sh", ".html", ".css", ".js"}, filepath.Ext(path)):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// output is what a linter printed. Linters exit with different codes when they find something, so
// the code says nothing if there is output; one that fails in silence is an error.
func output(program string, args []string) (string, error) {
	var out bytes.Buffer
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && out.Len() > 0 {
		err = nil
	}
	return out.String(), err
}

// finding is one line of a linter.
type finding struct {
	file         string
	line, column int
	linter, text string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s (%s)", f.file, f.line, f.column, f.text, f.linter)
}

var findingLine = regexp.MustCompile(`^(.+?):(\d+):(\d+): (.*)$`)

// parse reads the output of a linter. A line that is no finding is an error, for then the linter
// could not do its work.
func parse(linter, out string) ([]finding, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var found []finding
	for text := range strings.Lines(out) {
		m := findingLine.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			return nil, fmt.Errorf("%s says:\n%s", linter, out)
		}
		f := finding{file: m[1], text: m[4], linter: linter}
		if rel, err := filepath.Rel(dir, f.file); err == nil && filepath.IsAbs(f.file) {
			f.file = rel
		}
		f.line, _ = strconv.Atoi(m[2]) // the expression takes digits only
		f.column, _ = strconv.Atoi(m[3])
		found = append(found, f)
	}
	return found, nil
}

// excuse is what a nolint comment says of one linter.
type excuse struct {
	file   string
	line   int // of the code that it is about
	at     int // of the comment
	linter string
	used   bool
}

var (
	nolint = regexp.MustCompile(`^//(?:nolint\b|\s+nolint:)`)
	form   = regexp.MustCompile(`^//nolint:([a-z-]+(?:,[a-z-]+)*)\s+//\s*\S`)
)

// readExcuses reads the nolint comments of a Go file, and tells of those that it cannot take.
func readExcuses(name string, text []byte) ([]*excuse, []finding) {
	var excuses []*excuse
	var found []finding
	file := token.NewFileSet().AddFile(name, -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments) // the compiler complains of what is no Go
	code := 0                                     // the line where the last token before ends
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return excuses, found
		}
		at := file.Position(pos)
		if tok != token.COMMENT {
			if lit != "\n" { // the semicolon that a line's end stands for
				code = at.Line + strings.Count(lit, "\n")
			}
			continue
		}
		if !nolint.MatchString(lit) {
			continue
		}
		bad := func(format string, args ...any) {
			found = append(found, finding{name, at.Line, at.Column, "nolint", fmt.Sprintf(format, args...)})
		}
		m := form.FindStringSubmatch(lit)
		if m == nil {
			bad("write //nolint:LINTER // REASON")
			continue
		}
		about := at.Line
		if code != at.Line {
			about++
		}
		for l := range strings.SplitSeq(m[1], ",") {
			if !slices.ContainsFunc(linters, func(known linter) bool { return known.name == l }) {
				bad("no linter is called %s", l)
				continue
			}
			excuses = append(excuses, &excuse{file: name, line: about, at: at.Line, linter: l})
		}
	}
}

// maxWidth is how many columns a line may have that is only a comment; a tab counts as four.
const maxWidth = 100

// asWide are comments that cannot be wrapped: drawings and code, directives, what an example
// prints, and links.
var asWide = regexp.MustCompile(`^//(?:\t|   |[a-z]+:| Output:|.*://)`)

// wide finds the comments of a Go file that are not wrapped.
func wide(file, text string) []finding {
	var found []finding
	for i, line := range strings.Split(text, "\n") {
		comment := strings.TrimLeft(line, "\t")
		n := utf8.RuneCountInString(comment) + 4*(len(line)-len(comment))
		if n > maxWidth && strings.HasPrefix(comment, "//") && !asWide.MatchString(comment) {
			found = append(found, finding{file, i + 1, 1, "width", fmt.Sprintf("the comment is %d columns wide; wrap it at %d", n, maxWidth)})
		}
	}
	return found
}

// judge is what remains of the findings when the excused ones are gone and the excuses that nobody
// needs have joined, in the order of files and lines.
func judge(found []finding, excuses []*excuse) []finding {
	left := slices.DeleteFunc(found, func(f finding) bool {
		excused := false
		for _, e := range excuses {
			if e.file == f.file && e.line == f.line && e.linter == f.linter {
				e.used, excused = true, true
			}
		}
		return excused
	})
	for _, e := range excuses {
		if !e.used {
			left = append(left, finding{e.file, e.at, 1, "nolint", e.linter + " finds nothing here; remove the comment"})
		}
	}
	slices.SortFunc(left, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column), cmp.Compare(a.text, b.text))
	})
	return slices.Compact(left)
}
