package hongyan_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// This file holds the habits of words and pages; repo_test.go holds those of Go code.

// englishOnly are pages for those who work on the project; pages for users are in Chinese too.
var englishOnly = []string{"CONTRIBUTING.md", "SECURITY.md", "docs/decisions.md"}

// bannedWords are words for things that have another name here. A line that matches allow, or a
// path under except, may use them.
var bannedWords = []struct {
	word, allow *regexp.Regexp
	except      []string
	instead     string
}{
	{regexp.MustCompile(`(?i)provider`), regexp.MustCompile(`(?i)provider.?token|fileprovider|(Meter|Tracer|Logger)Provider|Provider\(|cloud provider`), []string{"deploy/grafana/provisioning/"}, "vendor"},
	{regexp.MustCompile(`(?i)push.service\b`), regexp.MustCompile(`(?i)web push service`), nil, "vendor"},
	{regexp.MustCompile(`(?i)\breg_?id|registration.?id\b`), nil, []string{"internal/vendors/xiaomi/", "internal/vendors/oppo/", "internal/vendors/vivo/", "internal/sandbox/", "docs/vendors"}, "token"},
}

// bannedNames are names that must not be declared, below the folder and everything in it, because
// the thing has another name there or the standard library has it already.
var bannedNames = []struct {
	folder  string
	name    *regexp.Regexp
	instead string
}{
	{"internal/vendors", regexp.MustCompile(`(?i)lane`), "conn; a lane is urgent or normal"},
	{"internal/vendors", regexp.MustCompile(`^(newW|[wW])ire$`), "protocol; the wire types are those of package hongyan"},
	{"internal/vendors", regexp.MustCompile(`^Settings$`), "Config; settings are a user's"},
	{"internal/vendors", regexp.MustCompile(`^(Sheet|Fact)$`), "Doc, Row"},
	{"internal/registry", regexp.MustCompile(`^(Settings|Sheet)$`), "Config, Doc"},
	{"internal/ratelimit", regexp.MustCompile(`(?i)latch`), "exhausted, resume"},
	{"internal/ratelimit", regexp.MustCompile(`(?i)unslow`), "ResumeRate"},
	{"internal/ratelimit", regexp.MustCompile(`(?i)^(board|notes?)$|Note$`), "KV, entry"},
	{"internal/ratelimit", regexp.MustCompile(`^Order$`), "Command"},
	{"internal/ratelimit", regexp.MustCompile(`(?i)^beats?$`), "heartbeat"},
	{"internal/ratelimit", regexp.MustCompile(`^(heard|shut|hot|dry.*|tidy|believe.*)$`), "a word of the field"},
	{"cmd/worker", regexp.MustCompile(`^(introduced?|advise|cast|play|watch)$`), "heartbeat, warnOfConfig, demoUsers, demo, measureBacklogs"},
	{"internal/vendors", regexp.MustCompile(`^([oO]rDefault|or|First)$`), "cmp.Or"},
	{"internal/vendors", regexp.MustCompile(`(?i)^hash31$`), "NotifyID"},
	{".", regexp.MustCompile(`(?i)^(fnv1a?|equalfold)$`), "hash/fnv, strings.EqualFold"},
}

// texts gives the lines of every file that people read or write.
func texts(t *testing.T, visit func(name string, number int, line string)) {
	t.Helper()
	for _, p := range listed(t) {
		known := slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".sh", ".mod", ".html", ".css", ".js", ".json"}, path.Ext(p))
		if !known && !slices.Contains([]string{"Makefile", "Dockerfile", "run"}, path.Base(p)) || strings.Contains(p, "testdata/") || p == "docs_test.go" {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			visit(p, i+1, line)
		}
	}
}

// TestWords: each thing has one name.
func TestWords(t *testing.T) {
	t.Parallel()
	texts(t, func(name string, number int, line string) {
		for _, b := range bannedWords {
			if b.word.MatchString(line) && (b.allow == nil || b.word.MatchString(b.allow.ReplaceAllString(line, ""))) &&
				!slices.ContainsFunc(b.except, func(p string) bool { return strings.HasPrefix(name, p) }) {
				t.Errorf("%s:%d: %q is called %s here", name, number, b.word.FindString(line), b.instead)
			}
		}
	})
}

// TestNames: no package declares a name that has another name there.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, id := range declared(s.file) {
			for _, b := range bannedNames {
				if (b.folder == "." || s.dir == b.folder || strings.HasPrefix(s.dir, b.folder+"/")) && b.name.MatchString(id.Name) {
					t.Errorf("%s declares %s; use %s", s.line(id), id.Name, b.instead)
				}
			}
		}
	}
}

// declared lists the names that a file declares: types, functions, methods, fields, parameters,
// variables and constants.
func declared(file *ast.File) []*ast.Ident {
	var names []*ast.Ident
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names = append(names, n.Name)
		case *ast.TypeSpec:
			names = append(names, n.Name)
		case *ast.ValueSpec:
			names = append(names, n.Names...)
		case *ast.Field:
			names = append(names, n.Names...)
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				return true
			}
			for _, e := range n.Lhs {
				if id, ok := e.(*ast.Ident); ok {
					names = append(names, id)
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					names = append(names, id)
				}
			}
		}
		return true
	})
	return names
}

// TestNoMachinePaths: nothing in the tree knows the machine that it was written on.
func TestNoMachinePaths(t *testing.T) {
	t.Parallel()
	machine := regexp.MustCompile(`(^|[^\w./<>-])/(work|home|Users|root)/\w`)
	texts(t, func(name string, number int, line string) {
		if machine.MatchString(strings.ReplaceAll(line, "/home/nonroot", "")) {
			t.Errorf("%s:%d names a folder of one machine: %s", name, number, strings.TrimSpace(line))
		}
	})
}

func TestGoMod(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word == "replace" || word == "exclude" || strings.Contains(line, "=>") {
			t.Errorf("go.mod: %s; go install of a tagged version would not honour it", strings.TrimSpace(line))
		}
	}
}

// pages are the Markdown pages.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range listed(t) {
		if path.Ext(p) == ".md" && !strings.Contains(p, "testdata/") && !strings.HasPrefix(p, "internal/reference/text/") {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			all[p] = string(text)
		}
	}
	return all
}

// TestTwins: pages for users are in English and in Chinese, and lead to each other.
func TestTwins(t *testing.T) {
	t.Parallel()
	all := pages(t)
	if _, ok := all["README.md"]; !ok {
		t.Error("there is no README.md")
	}
	for p, text := range all {
		twin := strings.TrimSuffix(p, ".md") + ".zh-CN.md"
		if english, ok := strings.CutSuffix(p, ".zh-CN.md"); ok {
			twin = english + ".md"
		} else if slices.Contains(englishOnly, p) || strings.HasPrefix(path.Base(p), "CHANGELOG") {
			continue
		}
		if _, ok := all[twin]; !ok {
			t.Errorf("%s has no twin %s", p, twin)
			continue
		}
		if !strings.Contains(text, "("+path.Base(twin)+")") {
			t.Errorf("%s does not link to %s", p, path.Base(twin))
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fence   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")
)

// TestLinks: every link between pages leads somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for p, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") {
				continue // another host
			}
			to := p
			if target != "" {
				to = path.Join(path.Dir(p), target)
			}
			if _, err := os.Stat(filepath.FromSlash(to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", p, m[1])
				continue
			}
			if anchor == "" || all[to] == "" {
				continue
			}
			if !slices.ContainsFunc(heading.FindAllStringSubmatch(fence.ReplaceAllString(all[to], ""), -1), func(h []string) bool { return slug(h[1]) == anchor }) {
				t.Errorf("%s: %s has no heading for #%s", p, to, anchor)
			}
		}
	}
}

// slug is the anchor that GitHub gives a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// TestCodeOfPages: Go code in a page stands, up to its indent, in a Go file of the tree too, so
// that it compiles.
func TestCodeOfPages(t *testing.T) {
	t.Parallel()
	squeeze := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
		return "\n" + strings.Join(lines, "\n") + "\n"
	}
	for p, text := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] != "go" {
				continue
			}
			if !slices.ContainsFunc(sources(t), func(s source) bool { return strings.Contains(squeeze(string(s.text)), squeeze(m[2])) }) {
				first, _, _ := strings.Cut(strings.TrimSpace(m[2]), "\n")
				t.Errorf("%s: the Go code that begins with %q stands in no file that is compiled", p, first)
			}
		}
	}
}

// notOurs are names on our pages that are no words of ours: metrics, which have a test of their
// own, ids of conversations in examples, and a value of OpenTelemetry's variables.
var notOurs = regexp.MustCompile(`^hongyan_|^c2c_|^parentbased_traceidratio$`)

// TestNamesOfPages: each key, field or reason with an underscore that a page names is in the
// sources too.
func TestNamesOfPages(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+`)
	named := regexp.MustCompile(`(?:^|[^\w./%$-])([a-z0-9]+(?:_[a-z0-9]+)+)(?:$|[^\w/.])`)
	known := map[string]bool{}
	for _, p := range listed(t) {
		if path.Ext(p) == ".md" || strings.HasSuffix(p, "_test.go") || strings.Contains(p, "testdata/") {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(strings.TrimSpace(line), "//") {
				continue
			}
			for _, w := range word.FindAllString(line, -1) {
				known[w] = true
			}
		}
	}
	found := 0
	inCode := regexp.MustCompile("(?ms)^```yaml\n.*?^```|`[^`\n]+`")
	for p, text := range pages(t) {
		for _, code := range inCode.FindAllString(text, -1) {
			for _, m := range named.FindAllStringSubmatch(code, -1) {
				found++
				if name := m[1]; !known[name] && !known[strings.TrimSuffix(name, "_file")] && !notOurs.MatchString(name) {
					t.Errorf("%s names %s, which is in no source", p, name)
				}
			}
		}
	}
	if found < 1000 {
		t.Errorf("%d names found, so they are looked for in the wrong place", found)
	}
}
