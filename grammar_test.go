package hongyan_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// subjectPart is a piece of a subject in a string literal.
var subjectPart = regexp.MustCompile(`^"[\w-]*\.(message|urgent|signal|user|gateway|job|dead|outcome|piece|mark)\.|^"\.(message|urgent|signal|user|gateway|job|dead|outcome|piece|mark)"`)

// takeApart are the functions that take strings apart.
var takeApart = []string{
	"strings.Split", "strings.SplitN", "strings.SplitSeq", "strings.Cut", "strings.CutPrefix", "strings.CutSuffix", "strings.TrimPrefix",
	"strings.TrimSuffix", "strings.LastIndexByte", "strings.IndexByte", "strings.LastIndex", "strings.Index",
}

// TestOneGrammar: subjects are built and taken apart in one place.
func TestOneGrammar(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		inside := s.dir == "." || strings.HasPrefix(s.dir, "cmd/") || s.dir == "internal/bus" || strings.HasPrefix(s.dir, "internal/dispatch") || s.dir == "internal/directory" || s.dir == "internal/bench"
		if s.test || !inside || s.path == "subject.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); !ok || !slices.Contains(takeApart, selector(f)) {
				return true
			}
			if lit, ok := call.Args[1].(*ast.BasicLit); ok && s.dir != "." && (lit.Value == `"."` || lit.Value == "'.'") {
				t.Errorf("%s takes a dotted name apart; subjects are parsed by hongyan.Subjects", s.line(n))
			}
			if strings.Contains(s.code(call.Args[0]), "ubject") {
				t.Errorf("%s takes a subject apart; subjects are parsed by hongyan.Subjects", s.line(n))
			}
			return true
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && subjectPart.MatchString(lit.Value) {
				t.Errorf("%s writes a part of a subject; subjects are built by hongyan.Subjects", s.line(n))
			}
			return true
		})
	}
}

// wireType is an input that has a judge.
var wireType = regexp.MustCompile(`hongyan\.(Message|Device|Presence|Settings|Lease|Signal)\b`)

// TestOneJudge: nobody else compares an input with the contract's bounds, or reads a wire type past
// the judge. The reference writes the bounds down, in pages and schemas; its tests ask the judge
// whether they are so.
func TestOneJudge(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || s.dir == "." || s.dir == "internal/reference" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(selector(sel), "hongyan.Max") {
				t.Errorf("%s compares with %s; inputs are judged by package hongyan", s.line(n), selector(sel))
			}
			return true
		})
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.Contains(s.code(f), "json.Unmarshal(") {
				continue
			}
			if wire := wireType.FindString(s.code(f)); wire != "" {
				t.Errorf("%s: %s reads a %s by itself; package hongyan parses and judges it", s.line(f), f.Name.Name, wire)
			}
		}
	}
}
