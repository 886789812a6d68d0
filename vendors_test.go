package hongyan_test

import (
	"go/ast"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// This file holds that a vendor is two folders, internal/vendors/<x> and internal/sandbox/<x>, and
// a line in each of two lists.

// vendorLists are the two lists.
var vendorLists = []string{"internal/registry/registry.go", "internal/sandbox/all/all.go"}

// contractFiles hold what the contract fixes about vendors: the closed lists of vendors and
// platforms, and the fields of offline_push that are named after a vendor, with their bounds, as a
// driver gets them, and in an example that has every field. They change only with the contract.
var contractFiles = []string{"vendor.go", "message.go", "check.go", "internal/vendors/options.go", "internal/reference/schema_test.go"}

// sharedFolders serve several vendors of one maker, and are as much theirs as their own folders.
var sharedFolders = []string{"internal/vendors/pushkit", "internal/sandbox/pushkit"}

// vendorFolders are the folders of the vendors in the registry.
func vendorFolders() []string {
	var dirs []string
	for _, v := range registry.Vendors() {
		dirs = append(dirs, "internal/vendors/"+v.Doc().Vendor)
	}
	return dirs
}

// ofVendor says whether a folder is a vendor's.
func ofVendor(dir string) bool {
	for _, v := range hongyan.Vendors {
		for _, folder := range []string{"internal/vendors/", "internal/sandbox/"} {
			if dir == folder+v || strings.HasPrefix(dir, folder+v+"/") {
				return true
			}
		}
	}
	return slices.Contains(sharedFolders, dir)
}

// english are words that have a vendor's name in them by chance.
var english = regexp.MustCompile(`(?i)oppos|opport|honou?r(s|ed|ing)`)

// vendorsIn are the vendors that a source names in an identifier, a string or an import.
func vendorsIn(s source) map[string]token.Pos {
	named := map[string]token.Pos{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		text := ""
		switch n := n.(type) {
		case *ast.Ident:
			text = n.Name
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				text = n.Value
			}
		}
		text = strings.ToLower(english.ReplaceAllString(text, ""))
		for _, v := range hongyan.Vendors {
			if _, seen := named[v]; !seen && strings.Contains(text, v) {
				named[v] = n.Pos()
			}
		}
		return true
	})
	return named
}

// TestOnlyFoldersNameVendors: what a vendor needs stands in its folders, and everything else ranges
// over the lists. A test may take one vendor as an example, as long as it does not list them.
func TestOnlyFoldersNameVendors(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if ofVendor(s.dir) || slices.Contains(vendorLists, s.path) || slices.Contains(contractFiles, s.path) {
			continue
		}
		named := vendorsIn(s)
		if s.test && len(named) <= maxExamples {
			continue
		}
		for v, pos := range named {
			t.Errorf("%s:%d names %s: only the vendor's folders and the two lists may", s.path, s.fset.Position(pos).Line, v)
		}
	}
	for _, file := range slices.Concat(vendorLists, contractFiles) {
		if !slices.Contains(listed(t), file) {
			t.Errorf("%s is gone: correct the list", file)
		}
	}
}

// maxExamples is how many vendors a test may name as examples.
const maxExamples = 4

// TestVendorsAreComplete: each vendor has a folder with a Doc, a strict fake, golden requests,
// and runs the conformance suite; it is in both lists and in the contract's; and nothing but the
// list imports a vendor.
func TestVendorsAreComplete(t *testing.T) {
	t.Parallel()
	folders := vendorFolders()
	var names []string
	for _, v := range registry.Vendors() {
		names = append(names, v.Doc().Vendor)
	}
	if diff := cmp.Diff(names, all.Vendors()); diff != "" {
		t.Errorf("the lists of drivers and of fakes differ (-drivers +fakes):\n%s", diff)
	}
	if diff := cmp.Diff(names, hongyan.Vendors[:]); diff != "" {
		t.Errorf("the lists of drivers and of the contract differ (-drivers +contract):\n%s", diff)
	}
	for _, dir := range folders {
		runs := false
		for _, s := range sources(t) {
			switch {
			case s.dir == dir && s.test:
				runs = runs || len(s.calls("vendortest", "Run")) > 0 && strings.Contains(string(s.text), "func TestConformance(")
			}
		}
		if !runs {
			t.Errorf("no TestConformance in %s calls vendortest.Run; make golden wants that name", dir)
		}
		if golden, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "testdata", "*.http")); err != nil || len(golden) < 5 {
			t.Errorf("%s has %d golden requests", dir, len(golden))
		}
	}
	for _, s := range sources(t) {
		if s.test || path.Dir(s.dir) != "internal/vendors" {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "Doc" && !slices.Contains(folders, s.dir) {
				t.Errorf("%s has a Doc and is not in the registry", s.dir)
			}
		}
	}
	for _, s := range sources(t) {
		if s.test || s.dir == "internal/registry" {
			continue
		}
		for _, to := range s.ours() {
			if slices.Contains(folders, to) {
				t.Errorf("%s imports %s: the registry is the one list of vendors, use it", s.path, to)
			}
		}
	}
}
