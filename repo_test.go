package hongyan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// This file holds the habits of the repository that a test can hold. It reads the files itself: the
// test cache does not see what a subprocess read, and would answer "ok (cached)" over a broken
// tree.

const module = "github.com/hongyan-im/hongyan"

type arrow struct {
	from string // a folder; "*" stands for one that no other line names
	to   []string
	why  string
}

// arrows says which of our packages each package may import, and why no more. Tests and the *test
// packages may import anything, save where never says otherwise. A package that is in no line is a
// question of design: add a line, with its why.
var arrows = []arrow{
	{".", []string{"internal/jsonerror", "internal/natsaddr", "internal/natsauth"}, "an IM backend imports this package, and shall get nothing else with it"},
	{"internal/natsaddr", nil, "how an address is printed, for all who print one"},
	{"internal/natsauth", []string{"internal/natsaddr", "internal/secretfile"}, "who connects, for all who connect"},
	{"internal/secretfile", nil, "how a secret is read, for all who read one"},
	{"internal/cli", nil, "what the programs share as programs"},
	{"internal/natsd", nil, "a NATS server, which knows nothing of what it carries"},
	{"cmd/*", []string{"*"}, "a program wires everything together"},
	{"internal/dispatch", []string{".", "internal/instrument", "internal/jsonerror", "internal/ratelimit", "internal/vendors"}, "the pipeline's words know neither NATS nor any one vendor"},
	{"internal/dispatch/store", []string{".", "internal/dispatch", "internal/sleep", "internal/vendors"}, "what is owed is stored through the interfaces of dispatch, whoever owes it"},
	{"internal/dispatch/route", []string{".", "internal/badge", "internal/directory", "internal/dispatch", "internal/dispatch/store", "internal/marks", "internal/sleep", "internal/texts", "internal/tracing", "internal/turns", "internal/vendors"}, "who plans knows no sender but by an interface"},
	{"internal/dispatch/recall", []string{".", "internal/badge", "internal/directory", "internal/dispatch", "internal/dispatch/route", "internal/dispatch/store", "internal/sleep", "internal/texts", "internal/vendors"}, "what was accepted is withdrawn by jobs that it hands to senders, whom it knows by route's interface"},
	{"internal/dispatch/send", []string{".", "internal/badge", "internal/directory", "internal/dispatch", "internal/dispatch/store", "internal/parking", "internal/ratelimit", "internal/sleep", "internal/tracing", "internal/turns", "internal/vendors"}, "who sends knows no plan"},
	{"internal/dispatch/replay", []string{".", "internal/directory", "internal/dispatch", "internal/sleep", "internal/vendors"}, "a replay runs in a tool, which links no pipeline"},
	{"internal/bus/bustest/natsd", []string{"internal/natsd"}, "the embedded server as a process, for tests"},
	{"internal/schema", nil, "generated files that programs print"},
	{"internal/jsonerror", nil, "how an error of JSON is said"},
	{"internal/turns", nil, "who may use the processors, whatever for"},
	{"internal/sleep", nil, "a wait that a context can end, for all who wait"},
	{"internal/directory", []string{".", "internal/instrument", "internal/sleep"}, "what is known of users is read through small interfaces, and knows no NATS"},
	{"internal/marks", []string{".", "internal/dispatch", "internal/instrument", "internal/sleep"}, "what was said of messages is read through small interfaces, and knows no NATS"},
	{"internal/erase", []string{".", "internal/directory", "internal/dispatch", "internal/owner"}, "what is kept of a person is found through small interfaces, by a tool and by the workers"},
	{"internal/tencent", []string{"internal/jsonerror"}, "it turns one JSON into another, and the result is judged as any other event"},
	{"internal/owner", []string{".", "internal/directory", "internal/dispatch"}, "it compares registrations through the directory's store, and takes them from a queue like the pipeline's"},
	{"internal/ratelimit", []string{"internal/vendors"}, "limits count classes of vendors, and know nothing of jobs"},
	{"internal/accepted", nil, "it remembers a time for each certificate, and reads notes through an interface of two methods"},
	{"internal/parking", []string{"internal/vendors", "internal/sleep"}, "it hears what vendors say of a certificate, and knows nothing of jobs"},
	{"internal/badge", []string{"internal/sleep"}, "numbers are counted whoever asks, and stored through an interface of two methods"},
	{"internal/bus", []string{".", "internal/badge", "internal/directory", "internal/dispatch", "internal/erase", "internal/marks", "internal/natsaddr", "internal/natsauth", "internal/owner", "internal/ratelimit", "internal/sleep", "internal/vendors"}, "it implements the interfaces of those who call it, and knows no one vendor"},
	{"internal/vendors", []string{".", "internal/turns"}, "the frame of all drivers knows the wire types and no driver"},
	{"internal/vendors/accesstoken", []string{"internal/vendors"}, "one token source serves all vendors"},
	{"internal/vendors/pushkit", []string{"internal/vendors"}, "what two generations of one service share"},
	{"internal/vendors/*", []string{".", "internal/h2conn", "internal/vendors", "internal/vendors/pushkit"}, "a driver is one wire format: it sees the frame and no other driver, no pipeline, no bus"},
	{"internal/sandbox", []string{"internal/sleep"}, "a fake that shared code with the drivers would share their mistakes"},
	{"internal/sandbox/all", []string{"internal/sandbox", "internal/sandbox/*"}, "the one list of all fakes"},
	{"internal/sandbox/pushkit", []string{"internal/sandbox"}, "what the fakes of two generations of one service share"},
	{"internal/sandbox/*", []string{"internal/sandbox", "internal/sandbox/pushkit"}, "a fake is one vendor: it sees the core and no other fake"},
	{"internal/config", []string{"internal/natsaddr", "internal/natsauth", "internal/secretfile", "internal/texts", "internal/vendors"}, "each vendor's keys live beside its driver"},
	{"internal/docstest", nil, "it holds pages to programs, and knows no program"},
	{"internal/terminal", nil, "what a terminal is shown, whoever wrote it"},
	{"internal/h2conn", nil, "it carries requests to a host, and knows neither vendors nor what a push is"},
	{"tools/lint", nil, "the linters' runner is a program of another module"},
	{"internal/explain", []string{"."}, "words about reasons and codes; the codes come in a table, not from the drivers"},
	{"internal/explain/page", []string{".", "internal/bus", "internal/explain", "internal/terminal", "internal/trail"}, "a page shows what is found out, and finds out nothing by itself"},
	{"internal/standing", []string{".", "internal/bus", "internal/dispatch", "internal/explain", "internal/parking", "internal/ratelimit", "internal/vendors"}, "how certificates stand is read from the streams by a tool and by the worker's page, and knows no pipeline"},
	{"internal/trail", []string{".", "internal/bus", "internal/directory", "internal/dispatch", "internal/explain", "internal/standing", "internal/vendors"}, "what became of pushes is read from the streams by a tool and by the worker's page, and knows no pipeline"},
	{"internal/texts", nil, "words in languages, whoever shows them"},
	{"internal/telemetry", []string{".", "internal/tracing"}, "counters are made by those who count"},
	{"internal/tracing", []string{"."}, "which trace a message has, for all who begin spans"},
	{"internal/instrument", nil, "the one list of all metrics, for those who count and for the page"},
	{"internal/registry", []string{"internal/vendors", "internal/vendors/*"}, "the one list of all vendors"},
	{"internal/bench", []string{".", "internal/bus", "internal/cli", "internal/dispatch", "internal/natsd", "internal/sandbox", "internal/sandbox/all", "internal/sleep"}, "it drives programs from outside, and links no driver"},
	{"internal/reference", []string{".", "internal/explain", "internal/instrument", "internal/registry", "internal/sandbox", "internal/sandbox/all", "internal/texts", "internal/vendors"}, "the documentation is made from the vendors' Docs, the wire types and sources; the containers' demo from the fakes"},
	{"internal/reference/generate", []string{"internal/reference"}, "a thin main"},
}

// never are imports that not even tests have.
var never = []struct{ from, to, why string }{
	{"internal/sandbox", "internal/vendors", "a fake that shared code with the drivers would share their mistakes"},
	{"internal/vendors", "internal/dispatch", "a driver's tests need no pipeline"},
	{"internal/vendors", "internal/bus", "a driver's tests need no NATS"},
}

// natsUsers may import NATS libraries outside tests; with one place that knows NATS, another
// transport is one package.
var natsUsers = []string{".", "internal/bus", "internal/bus/bustest/natsd", "internal/natsauth", "internal/natsd"}

// light are the packages that stay small, with the libraries that they may import and the packages
// of ours that they must not, both itself and through packages of ours. A library that is new here
// is a decision: what it brings along in turn is not seen by this test, so look with go list -deps.
var light = []struct {
	dir       string
	libraries []string
	never     []string
	why       string
}{
	{".", []string{
		"github.com/go-json-experiment/json", "github.com/nats-io/nats.go", "github.com/nats-io/nuid", "go.opentelemetry.io/otel/propagation",
	}, nil, "an IM backend gets nothing else with the client; docs/decisions.md says what it weighs"},
	{"cmd/publisher", []string{
		"github.com/go-json-experiment/json", "github.com/jedib0t/go-pretty/v6", "github.com/nats-io/nats.go", "github.com/nats-io/nuid",
		"github.com/rivo/uniseg", "github.com/spf13/cobra", "github.com/synadia-io/orbit.go/jetstreamext", "github.com/synadia-io/orbit.go/natscontext",
		"go.opentelemetry.io/otel", "golang.org/x/sync", "golang.org/x/term", "golang.org/x/time",
	}, []string{
		"internal/natsd", "internal/sandbox", "internal/sandbox/*", "internal/registry", "internal/vendors/*", "internal/config", "internal/telemetry",
	}, "the tool links no server, no fake and no driver"},
}

// pureFiles decide, with the time passed in.
var pureFiles = []string{"internal/dispatch/route/plan.go", "internal/dispatch/route/compose.go", "internal/dispatch/route/words.go", "internal/dispatch/route/badge.go", "internal/badge/record.go", "internal/marks/call.go", "internal/marks/memory.go", "internal/dispatch/send/verdict.go", "internal/dispatch/recall/compose.go", "internal/dispatch/recall/window.go", "internal/dispatch/recall/find.go", "internal/parking/breaker.go", "internal/ratelimit/forecast.go"}

// longFiles may be longer than a file should be, each for a reason.
var longFiles = map[string]string{}

const (
	maxLines     = 500
	maxTestLines = 700
)

// source is one Go file.
type source struct {
	path, dir string
	test      bool // a _test.go file, or one of a *test package
	text      []byte
	file      *ast.File
	fset      *token.FileSet
}

func (s source) line(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// ours are the folders of our packages that a file imports.
func (s source) ours() []string {
	var dirs []string
	for _, i := range s.file.Imports {
		if p := importPath(i); p == module {
			dirs = append(dirs, ".")
		} else if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			dirs = append(dirs, rest)
		}
	}
	return dirs
}

func importPath(i *ast.ImportSpec) string {
	p, _ := strconv.Unquote(i.Path.Value) // the parser took it
	return p
}

// calls lists the uses of functions of a package of the standard library.
func (s source) calls(pkg string, names ...string) []ast.Node {
	var found []ast.Node
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, sel.Sel.Name) {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

// code is the text of a node.
func (s source) code(n ast.Node) string {
	file := s.fset.File(n.Pos())
	return string(s.text[file.Offset(n.Pos()):file.Offset(n.End())])
}

func isTestPackage(dir string) bool { return strings.HasSuffix(dir, "test") }

// files lists the repository's files, with slashes.
var files = sync.OnceValues(func() ([]string, error) {
	var all []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "data", "sandbox-data"}, d.Name()):
			return filepath.SkipDir
		case d.Type().IsRegular():
			all = append(all, filepath.ToSlash(p))
		}
		return nil
	})
	return all, err
})

var parsed = sync.OnceValues(func() ([]source, error) {
	names, err := files()
	if err != nil {
		return nil, err
	}
	var all []source
	for _, p := range names {
		if path.Ext(p) != ".go" || strings.Contains(p, "testdata/") {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		dir := path.Dir(p)
		all = append(all, source{path: p, dir: dir, test: strings.HasSuffix(p, "_test.go") || isTestPackage(dir), text: text, file: file, fset: fset})
	}
	return all, nil
})

func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func listed(t *testing.T) []string {
	t.Helper()
	all, err := files()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// covers says whether a line of the arrows is about a folder.
func covers(pattern, dir string) bool {
	if base, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(dir, base)
	}
	return pattern == dir
}

func TestArrows(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, to := range s.ours() {
			for _, n := range never {
				if strings.HasPrefix(s.dir, n.from) && strings.HasPrefix(to, n.to) {
					t.Errorf("%s imports %s: %s", s.path, to, n.why)
				}
			}
			if !s.test && isTestPackage(to) {
				t.Errorf("%s imports %s, which is for tests", s.path, to)
			}
		}
		if s.test {
			continue
		}
		// An exact line wins over one with a star.
		i := slices.IndexFunc(arrows, func(a arrow) bool { return a.from == s.dir })
		if i < 0 {
			for j, a := range arrows {
				if covers(a.from, s.dir) {
					i = j
				}
			}
		}
		if i < 0 {
			t.Errorf("%s: package %s stands in no line of the arrows", s.path, s.dir)
			continue
		}
		for _, to := range s.ours() {
			if !slices.ContainsFunc(arrows[i].to, func(p string) bool { return covers(p, to) }) {
				t.Errorf("%s must not import %s: %s", s.path, to, arrows[i].why)
			}
		}
	}
}

// reach lists what a package imports, itself or through packages of ours, outside tests: each
// import path with the chain of folders that leads to it.
func reach(t *testing.T, dir string) map[string]string {
	t.Helper()
	imports := map[string][]string{}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		for _, i := range s.file.Imports {
			imports[s.dir] = append(imports[s.dir], importPath(i))
		}
	}
	if len(imports[dir]) == 0 {
		t.Fatalf("%s imports nothing: is it gone?", dir)
	}
	chains := map[string]string{}
	var walk func(dir, chain string)
	walk = func(dir, chain string) {
		for _, p := range imports[dir] {
			if _, seen := chains[p]; seen {
				continue
			}
			chains[p] = chain
			if p == module {
				walk(".", chain+" → .")
			} else if ours, ok := strings.CutPrefix(p, module+"/"); ok {
				walk(ours, chain+" → "+ours)
			}
		}
	}
	walk(dir, dir)
	return chains
}

// TestLight: what only connects does not link a server, and an IM backend gets with the client what
// the list says.
func TestLight(t *testing.T) {
	t.Parallel()
	for _, l := range light {
		used := map[string]bool{}
		for p, chain := range reach(t, l.dir) {
			if ours, ok := strings.CutPrefix(p, module+"/"); ok || p == module {
				if slices.ContainsFunc(l.never, func(n string) bool { return covers(n, ours) }) {
					t.Errorf("%s → %s: %s", chain, ours, l.why)
				}
				continue
			}
			if first, _, _ := strings.Cut(p, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			i := slices.IndexFunc(l.libraries, func(lib string) bool { return p == lib || strings.HasPrefix(p, lib+"/") })
			if i < 0 {
				t.Errorf("%s → %s: %s", chain, p, l.why)
				continue
			}
			used[l.libraries[i]] = true
		}
		for _, lib := range l.libraries {
			if !used[lib] {
				t.Errorf("%s no longer imports %s: take it from the list", l.dir, lib)
			}
		}
		for _, n := range l.never {
			if !slices.ContainsFunc(sources(t), func(s source) bool { return covers(n, s.dir) }) {
				t.Errorf("%s is gone: correct the list of what %s must not import", n, l.dir)
			}
		}
	}
}

// TestPublisherPrintsInOnePlace: what others wrote reaches the terminal through output.go, which
// makes it harmless. Elsewhere nobody writes to a stream.
func TestPublisherPrintsInOnePlace(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.dir != "cmd/publisher" || s.test || s.path == "cmd/publisher/output.go" {
			continue
		}
		for _, n := range s.calls("fmt", "Print", "Printf", "Println", "Fprint", "Fprintf", "Fprintln") {
			t.Errorf("%s prints by itself; use printf, warn, say, emit or table of output.go", s.line(n))
		}
		for _, n := range s.calls("os", "Stdout", "Stderr") {
			if s.path != "cmd/publisher/main.go" {
				t.Errorf("%s writes around output.go", s.line(n))
			}
		}
	}
}

func TestNATSStaysInBus(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			p := importPath(i)
			if (strings.HasPrefix(p, "github.com/nats-io/") || strings.HasPrefix(p, "github.com/synadia-io/")) && !s.test && !slices.Contains(natsUsers, s.dir) {
				t.Errorf("%s imports %s: only %v know NATS", s.path, p, natsUsers)
			}
			if strings.HasPrefix(p, "github.com/nats-io/nats-server/") && !s.test && !strings.HasSuffix(s.dir, "/natsd") {
				t.Errorf("%s imports %s: what connects does not link a server", s.path, p)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		want := "Package " + s.file.Name.Name + " "
		if s.file.Name.Name == "main" {
			want = "Command " + path.Base(s.dir) + " "
		}
		told[s.dir] = told[s.dir] || strings.HasPrefix(s.file.Doc.Text(), want)
	}
	for dir, ok := range told {
		if !ok {
			t.Errorf("the package in %s has no comment that begins with its name", dir)
		}
	}
}

func TestPackageNames(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		name := strings.TrimSuffix(s.file.Name.Name, "_test")
		if regexp.MustCompile(`^(utils?|common|helpers?|base|managers?|misc|shared|types)$`).MatchString(name) || !regexp.MustCompile(`^[a-z][a-z0-9]*$`).MatchString(name) {
			t.Errorf("%s: package %s is named for nothing that it does", s.path, name)
		}
	}
}

// TestNoHiddenWiring: whatever a program does begins in its main.
func TestNoHiddenWiring(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init; make a constructor and call it", s.line(f))
			}
		}
		for _, i := range s.file.Imports {
			if i.Name != nil && i.Name.Name == "_" && !s.test && importPath(i) != "embed" && !(importPath(i) == "time/tzdata" && strings.HasPrefix(s.dir, "cmd/")) {
				t.Errorf("%s: blank import of %s", s.line(i), importPath(i))
			}
			if i.Name != nil && i.Name.Name == "." {
				t.Errorf("%s: import of %s without a name", s.line(i), importPath(i))
			}
		}
	}
}

// TestNoStateInDrivers: a package-level variable of a driver is a constant that Go has no word for:
// never assigned, and made of a literal, an error or a regular expression.
func TestNoStateInDrivers(t *testing.T) {
	t.Parallel()
	constant := regexp.MustCompile(`^(regexp\.MustCompile|errors\.New|strings\.NewReplacer|time\.Date)$`)
	for _, dir := range vendorFolders() {
		vars := map[string]bool{}
		for _, s := range sources(t) {
			if s.dir != dir || s.test {
				continue
			}
			for _, d := range s.file.Decls {
				gen, ok := d.(*ast.GenDecl)
				if !ok || gen.Tok != token.VAR {
					continue
				}
				for _, spec := range gen.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						vars[name.Name] = true
						if len(v.Values) <= i {
							t.Errorf("%s: variable %s of a driver has no value, so something sets it", s.line(name), name.Name)
							continue
						}
						if call, ok := v.Values[i].(*ast.CallExpr); ok && name.Name != "_" {
							if fun, ok := call.Fun.(*ast.SelectorExpr); !ok || !constant.MatchString(selector(fun)) {
								t.Errorf("%s: variable %s of a driver is made by a call; keep it in the driver", s.line(name), name.Name)
							}
						}
					}
				}
			}
		}
		for _, s := range sources(t) {
			if s.dir != dir || s.test {
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				var changed []ast.Expr
				switch n := n.(type) {
				case *ast.AssignStmt:
					if n.Tok != token.DEFINE {
						changed = n.Lhs
					}
				case *ast.IncDecStmt:
					changed = []ast.Expr{n.X}
				}
				for _, e := range changed {
					id := root(e)
					if id != nil && vars[id.Name] {
						t.Errorf("%s: %s, a variable of a driver's package, is changed (or a local variable hides it)", s.line(n), id.Name)
					}
				}
				return true
			})
		}
	}
}

func selector(s *ast.SelectorExpr) string {
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Name + "." + s.Sel.Name
	}
	return s.Sel.Name
}

// root is the variable that an expression such as a.b[c] changes.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// TestTime: what waits, waits in the queue; what decides is told the time.
func TestTime(t *testing.T) {
	t.Parallel()
	drivers := slices.Concat(vendorFolders(), sharedFolders)
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, n := range s.calls("time", "Sleep") {
			t.Errorf("%s: time.Sleep; wait for a timer and the context", s.line(n))
		}
		pure := slices.Contains(pureFiles, s.path)
		if pure || slices.Contains(drivers, s.dir) {
			for _, n := range s.calls("time", "Now", "Since", "Until") {
				t.Errorf("%s reads the clock; the time is passed in", s.line(n))
			}
		}
	}
	for _, name := range pureFiles {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("a file that must be pure is gone, correct the list: %v", err)
		}
	}
}

// TestDriversAreSilent: only the pipeline logs attempts, one line each.
func TestDriversAreSilent(t *testing.T) {
	t.Parallel()
	drivers := slices.Concat(vendorFolders(), sharedFolders)
	for _, s := range sources(t) {
		if s.test || !slices.Contains(drivers, s.dir) {
			continue
		}
		for _, i := range s.file.Imports {
			if p := importPath(i); p == "log" || p == "log/slog" {
				t.Errorf("%s: a driver imports %s", s.path, p)
			}
		}
		for _, n := range s.calls("fmt", "Print", "Printf", "Println") {
			t.Errorf("%s: a driver prints", s.line(n))
		}
	}
}

func TestFileSizes(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		limit := maxLines
		if strings.HasSuffix(s.path, "_test.go") {
			limit = maxTestLines
		}
		if n := strings.Count(string(s.text), "\n"); n > limit && longFiles[s.path] == "" {
			t.Errorf("%s has %d lines, more than %d: it holds more than one idea", s.path, n, limit)
		}
	}
}
