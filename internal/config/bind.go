package config

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// binder fills structs from a YAML tree. The YAML library decodes too, but stops at the first
// mistake; an operator wants them all.
type binder struct {
	path, dir string
	env       func(string) (string, bool)
	kinds     Kinds
	anchors   map[string]ast.Node
	errs      Errors
	warnings  []Problem
	files     Files
	// places remembers where each certificate stands.
	places []place
	// inline is the first secret that stands in the file itself.
	inline struct {
		node ast.Node
		key  string
	}
}

type place struct {
	settings vendors.Config
	node     ast.Node
	key      string
}

func (b *binder) problem(node ast.Node, key, text, remedy string) {
	b.errs = append(b.errs, b.at(node, key, text, remedy))
}

// at is a problem that stands at a node.
func (b *binder) at(node ast.Node, key, text, remedy string) Problem {
	p := Problem{Path: b.path, Line: 1, Column: 1, Key: key, Text: text, Remedy: remedy}
	if node != nil {
		if t := node.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}

// syntaxProblem is what the YAML library says of a file that is no YAML.
func syntaxProblem(path string, err error) Problem {
	p := Problem{Path: path, Line: 1, Column: 1, Text: "is not valid YAML", Remedy: "see https://yaml.org/spec/1.2.2/"}
	var y yaml.Error
	if errors.As(err, &y) {
		p.Text = "is not valid YAML: " + y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}

// entry is a key of a mapping.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// entries lists a mapping's keys; ok is false when the node is no mapping.
func (b *binder) entries(node ast.Node) (list []entry, ok bool) {
	switch n := b.follow(node).(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			list = append(list, b.entry(v)...)
		}
		return list, true
	case *ast.MappingValueNode:
		return b.entry(n), true
	case nil, *ast.NullNode:
		return nil, true
	}
	return nil, false
}

func (b *binder) entry(v *ast.MappingValueNode) []entry {
	if v.Key.IsMergeKey() {
		merged, _ := b.entries(v.Value)
		return merged
	}
	name := v.Key.GetToken().Value
	return []entry{{name: name, key: v.Key, value: v.Value}}
}

// follow resolves anchors, aliases and tags.
func (b *binder) follow(node ast.Node) ast.Node {
	for range 100 {
		switch n := node.(type) {
		case *ast.AnchorNode:
			b.anchors[n.Name.GetToken().Value] = n.Value
			node = n.Value
		case *ast.AliasNode:
			node = b.anchors[n.Value.GetToken().Value]
		case *ast.TagNode:
			node = n.Value
		default:
			return node
		}
	}
	return nil
}

func (b *binder) root(node ast.Node, c *Config) {
	b.structure(node, reflect.ValueOf(c).Elem(), "")
}

// field is a struct's field for a YAML key.
type field struct {
	value  reflect.Value
	secret bool
	// document says that a secret's file has a form of its own, such as PEM: the tag
	// secret:"document".
	document bool
}

// fields lists the YAML keys of a struct, embedded ones included.
func fields(v reflect.Value) map[string]field {
	found := map[string]field{}
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case f.Anonymous || opts == "inline":
			for k, inner := range fields(v.Field(i)) {
				found[k] = inner
			}
		case name != "":
			found[name] = field{v.Field(i), f.Type == reflect.TypeFor[vendors.Secret](), f.Tag.Get("secret") == "document"}
		}
	}
	return found
}

// structure fills a struct from a mapping.
func (b *binder) structure(node ast.Node, v reflect.Value, path string) {
	entries, ok := b.entries(node)
	if !ok {
		b.problem(node, path, "must be a mapping of keys to values", "indent its keys below it")
		return
	}
	known := fields(v)
	given := map[string]bool{}
	for _, e := range entries {
		key := join(path, e.name)
		if given[e.name] {
			b.problem(e.key, key, "is given twice", "keep one")
			continue
		}
		given[e.name] = true
		if f, ok := known[e.name]; ok {
			if f.secret && b.inline.node == nil && isInline(b.follow(e.value)) {
				b.inline.node, b.inline.key = e.key, key
			}
			b.value(e.value, f.value, key)
			continue
		}
		if base, isFile := strings.CutSuffix(e.name, "_file"); isFile {
			if f, ok := known[base]; ok && f.secret {
				if given[base] {
					b.problem(e.key, key, "is given beside "+base, "keep one of the two")
				}
				given[base] = true
				b.secretFile(e.value, f.value, key, f.document)
				continue
			}
		}
		b.problem(e.key, key, "is no key that is known here", suggest(e.name, slices.Collect(maps.Keys(known))))
	}
}

// isInline says whether a value stands in the file itself, not in the environment.
func isInline(node ast.Node) bool {
	s, ok := node.(ast.ScalarNode)
	return ok && !strings.Contains(s.GetToken().Value, "${")
}

// value fills any field.
func (b *binder) value(node ast.Node, v reflect.Value, key string) {
	node = b.follow(node)
	if _, null := node.(*ast.NullNode); node == nil || null {
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[[]vendors.Config]():
		b.certificates(node, v, key)
		return
	case v.Kind() == reflect.Pointer:
		inner := reflect.New(v.Type().Elem())
		b.value(node, inner.Elem(), key)
		v.Set(inner)
		return
	case isScalar(v):
		if text, ok := b.text(node, key); ok {
			b.scalar(node, v, key, text)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.structure(node, v, key)
	case reflect.Slice:
		seq, ok := node.(*ast.SequenceNode)
		if !ok {
			b.problem(node, key, "must be a list", "begin each item with \"- \"")
			return
		}
		list := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
		for i, item := range seq.Values {
			b.value(item, list.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
		v.Set(list)
	case reflect.Map:
		entries, ok := b.entries(node)
		if !ok {
			b.problem(node, key, "must be a mapping of keys to values", "indent its keys below it")
			return
		}
		m := reflect.MakeMap(v.Type())
		for _, e := range entries {
			item := reflect.New(v.Type().Elem()).Elem()
			b.value(e.value, item, join(key, e.name))
			m.SetMapIndex(reflect.ValueOf(e.name).Convert(v.Type().Key()), item)
		}
		v.Set(m)
	default:
		b.problem(node, key, "cannot be configured", "")
	}
}

func isScalar(v reflect.Value) bool {
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}

// text is a scalar's text with the environment filled in.
func (b *binder) text(node ast.Node, key string) (string, bool) {
	var raw string
	switch n := b.follow(node).(type) {
	case *ast.StringNode:
		raw = n.Value
	case *ast.LiteralNode:
		raw = n.Value.Value
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		b.problem(node, key, "must be a single value", "")
		return "", false
	case nil, *ast.NullNode:
		return "", true
	default:
		raw = n.GetToken().Value
	}
	if !strings.Contains(raw, "${") {
		return raw, true
	}
	ok := true
	text := variable.ReplaceAllStringFunc(raw, func(ref string) string {
		if ref == "$${" {
			return "${"
		}
		name := strings.TrimSuffix(strings.TrimPrefix(ref, "${"), "}")
		value, set := b.env(name)
		if !set {
			b.problem(node, key, "needs the environment variable "+name+", which is not set", "export "+name+", or write $${ for a plain ${")
			ok = false
		}
		return value
	})
	return text, ok
}

var variable = regexp.MustCompile(`\$\$\{|\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

func (b *binder) scalar(node ast.Node, v reflect.Value, key, text string) {
	var err error
	remedy := ""
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err = u.UnmarshalText([]byte(text)); err != nil {
			b.problem(node, key, err.Error(), "")
		}
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		var d time.Duration
		if text == "0" {
			text = "0s"
		}
		d, err = time.ParseDuration(text)
		if err == nil && d < 0 {
			b.problem(node, key, "is negative", "write a duration such as 30s, 5m or 24h")
			return
		}
		v.SetInt(int64(d))
		remedy = "write a duration such as 30s, 5m or 24h"
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		var x bool
		x, err = strconv.ParseBool(text)
		v.SetBool(x)
		remedy = "write true or false"
	case v.Kind() == reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(text, 64)
		if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			err = strconv.ErrRange
		}
		v.SetFloat(x)
		remedy = "write a number"
	default:
		var x int64
		x, err = strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		v.SetInt(x)
		remedy = "write a whole number"
	}
	if err != nil {
		b.problem(node, key, "has a value of the wrong kind", remedy)
	}
}

// certificates fills a list of vendor accounts, each in the shape of its vendor.
func (b *binder) certificates(node ast.Node, v reflect.Value, key string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		b.problem(node, key, "must be a list", "begin each certificate with \"- \"")
		return
	}
	list := make([]vendors.Config, 0, len(seq.Values))
	for i, item := range seq.Values {
		at := fmt.Sprintf("%s[%d]", key, i)
		entries, ok := b.entries(item)
		if !ok {
			b.problem(item, at, "must be a mapping of keys to values", "give it id, vendor and the vendor's own keys")
			continue
		}
		var vendor string
		var where = item
		for _, e := range entries {
			if e.name == "vendor" {
				vendor, _ = b.text(e.value, at+".vendor")
				where = e.value
			}
		}
		make := b.kinds[vendor]
		if make == nil {
			text := "is required"
			if vendor != "" {
				text = fmt.Sprintf("%q is no vendor that is known", vendor)
			}
			b.problem(where, at+".vendor", text, "write one of "+strings.Join(sorted(b.kinds), ", "))
			continue
		}
		s := make()
		b.structure(item, reflect.ValueOf(s).Elem(), at)
		list = append(list, s)
		b.places = append(b.places, place{settings: s, node: item, key: at})
	}
	v.Set(reflect.ValueOf(list))
}

func sorted(kinds Kinds) []string {
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// suggest names the known word that is nearest to a mistyped one, or all of them.
func suggest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(name, k); d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
