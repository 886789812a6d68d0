package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// key is a YAML key.
type key struct {
	name string
	kind vendors.Bilingual
	// secret says that the key may be given as <name>_file.
	secret bool
	// text is the field's comment, with YAML keys in the place of Go names.
	text string
	// list is "[]" where the keys below stand in each item of a list.
	list  string
	below []key
	// typ is the Go type of the value, of an item or of a mapping's value; empty where there are
	// keys below.
	typ string
	// mapping says that names stand before the values.
	mapping bool
}

// keys are all keys of the configuration.
type keys struct {
	config  []key            // of the file
	common  []key            // of a certificate of any vendor
	vendors map[string][]key // of a certificate, beside the common ones
}

func readKeys(root string) (*keys, error) {
	common, err := readFolder(filepath.Join(root, "internal", "vendors"))
	if err != nil {
		return nil, err
	}
	config, err := readFolder(filepath.Join(root, "internal", "config"))
	if err != nil {
		return nil, err
	}
	k := &keys{vendors: map[string][]key{}}
	if k.common, err = common.keys("Common", nil); err != nil {
		return nil, err
	}
	if k.config, err = config.keys("Config", nil); err != nil {
		return nil, err
	}
	for _, v := range registry.Vendors() {
		name := v.Doc().Vendor
		folder, err := readFolder(filepath.Join(root, "internal", "vendors", name))
		if err != nil {
			return nil, err
		}
		if k.vendors[name], err = folder.keys("Config", common.names("Common")); err != nil {
			return nil, fmt.Errorf("vendor %s: %w", name, err)
		}
	}
	return k, nil
}

// folder is a package's declared types.
type folder map[string]decl

type decl struct {
	spec *ast.TypeSpec
	doc  string
	fset *token.FileSet
}

func readFolder(dir string) (folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	f := folder{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("read sources: %w", err)
		}
		for _, d := range file.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			for _, s := range gen.Specs {
				spec := s.(*ast.TypeSpec)
				doc := spec.Doc
				if doc == nil {
					doc = gen.Doc
				}
				f[spec.Name.Name] = decl{spec, doc.Text(), fset}
			}
		}
	}
	if len(f) == 0 {
		return nil, &fs.PathError{Op: "read the types of", Path: dir, Err: fs.ErrNotExist}
	}
	return f, nil
}

// names maps the Go names of a struct's fields to their keys.
func (f folder) names(typ string) map[string]string {
	names := map[string]string{}
	if s, ok := f[typ].spec.Type.(*ast.StructType); ok {
		for _, field := range s.Fields.List {
			for _, n := range field.Names {
				if key, _ := tag(field); key != "" {
					names[n.Name] = key
				}
			}
		}
	}
	return names
}

func tag(field *ast.Field) (name string, inline bool) {
	if field.Tag == nil {
		return "", false
	}
	name, opts, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("yaml"), ",")
	return name, opts == "inline"
}

// keys lists the keys of a struct. more maps further Go names that its comments may use.
func (f folder) keys(typ string, more map[string]string) ([]key, error) {
	d, ok := f[typ]
	if !ok {
		return nil, fmt.Errorf("no type %s", typ)
	}
	s, ok := d.spec.Type.(*ast.StructType)
	if !ok {
		return nil, fmt.Errorf("type %s is no struct", typ)
	}
	names := f.names(typ)
	for n, k := range more {
		if names[n] == "" && n != strings.ToUpper(n) { // ID, URL and TTL are words of their own in a vendor's comments
			names[n] = k
		}
	}
	var list []key
	var last string // the comment of the line above
	var lastLine int
	for _, field := range s.Fields.List {
		name, inline := tag(field)
		if inline || name == "" || name == "-" {
			continue
		}
		k := key{name: name}
		doc, subject := "", field.Names[0].Name
		if err := f.typed(&k, field.Type, &doc); err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
		line := d.fset.Position(field.Pos()).Line
		switch own := field.Doc.Text() + field.Comment.Text(); {
		case own != "":
			doc = own
		case line == lastLine+1 && strings.Contains(last, subject):
			doc, subject = last, "" // which names its own subject
		}
		if doc == "" {
			return nil, fmt.Errorf("key %s has no comment", name)
		}
		k.text = translate(doc, subject, names)
		last, lastLine = doc, line
		list = append(list, k)
	}
	for i := range list {
		// A secret's file that is a key of its own, with its own comment, has its own row.
		list[i].secret = list[i].secret && !slices.ContainsFunc(list, func(k key) bool { return k.name == list[i].name+"_file" })
	}
	return list, nil
}

// typed fills in what follows from a field's type; doc is the type's own comment.
func (f folder) typed(k *key, typ ast.Expr, doc *string) error {
	switch t := typ.(type) {
	case *ast.StarExpr:
		return f.typed(k, t.X, doc)
	case *ast.ArrayType:
		if err := f.typed(k, t.Elt, doc); err != nil {
			return err
		}
		k.kind = text("list of "+k.kind.EN, k.kind.ZH+"列表")
		k.list = "[]"
		return nil
	case *ast.MapType:
		if err := f.typed(k, t.Value, doc); err != nil {
			return err
		}
		k.kind = text("mapping to "+k.kind.EN, "映射，值为"+k.kind.ZH)
		k.mapping = true
		return nil
	case *ast.SelectorExpr:
		return k.known(t.Sel.Name)
	case *ast.Ident:
		d, local := f[t.Name]
		if !local {
			return k.known(t.Name)
		}
		if _, ok := d.spec.Type.(*ast.StructType); !ok {
			return k.known(t.Name)
		}
		k.kind, *doc = text("keys", "子键"), d.doc
		var err error
		k.below, err = f.keys(t.Name, nil)
		return err
	}
	return fmt.Errorf("a type that has no name in the reference")
}

func (k *key) known(typ string) error {
	kinds := map[string]vendors.Bilingual{
		"string": text("text", "文本"), "bool": text("true or false", "true 或 false"), "int": text("whole number", "整数"), "int64": text("whole number", "整数"),
		"float64": text("number", "数字"), "Duration": text("duration", "时长"), "Secret": text("secret", "密钥"), "Reason": text("reason", "原因"),
		"Quota": text("whole number or unlimited", "整数或 unlimited"), "Config": text("certificates, see below", "证书，见下文"),
	}
	kind, ok := kinds[typ]
	if !ok {
		return fmt.Errorf("type %s has no name in the reference", typ)
	}
	k.kind, k.secret, k.typ = kind, typ == "Secret", typ
	return nil
}

var (
	word = regexp.MustCompile(`\b[A-Z][A-Za-z]+\b`)
	// opening begins a sentence that the verb was cut from; what is no such word is a value, and
	// stays as it is.
	opening = regexp.MustCompile(`^(the|a|an|its|how|what|where|one|used|played|for) `)
)

// translate makes a reader's text of a Go comment on a field or its type: "Topic is the app's
// bundle id" becomes "The app's bundle id", and other fields' names become keys. The field's own
// name, further on, is taken for the vendor's word.
func translate(doc, field string, names map[string]string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	for _, subject := range []string{field, strings.TrimSuffix(field, "s")} {
		for _, verb := range []string{" is ", " are "} {
			if rest, ok := strings.CutPrefix(doc, subject+verb); ok {
				doc = rest
				if opening.MatchString(doc) {
					doc = strings.ToUpper(doc[:1]) + doc[1:]
				}
			}
		}
	}
	first := true
	return word.ReplaceAllStringFunc(doc, func(w string) string {
		start := first && strings.HasPrefix(doc, w)
		first = false
		if k, ok := names[w]; ok && (w != field || start) {
			return "`" + k + "`"
		}
		return w
	})
}
