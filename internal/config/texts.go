package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/hongyan-im/hongyan/internal/texts"
)

// maxTextsFile bounds a file of texts, in bytes: every text of a thousand languages.
const maxTextsFile = 16 << 20

// Texts are the words of notifications: the built-in ones with the changes of texts_file.
func (c *Config) Texts() *texts.Catalogue { return c.texts }

// readTexts reads the file that texts_file names. Its problems come behind those of the
// configuration.
func (b *binder) readTexts(root ast.Node, c *Config) (problems Errors) {
	c.texts = texts.BuiltIn()
	if c.TextsFile == "" {
		return nil
	}
	path := c.TextsFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.dir, path)
	}
	data, err := b.readTextsFile(path)
	if err != nil {
		b.problem(b.find(root, "texts_file"), "texts_file", "names a file that cannot be read: "+err.Error(), "name a YAML file of texts by language")
		return nil
	}
	t := &binder{path: path, env: b.env, anchors: map[string]ast.Node{}}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return Errors{syntaxProblem(path, err)}
	}
	var body ast.Node
	if len(file.Docs) > 0 {
		body = file.Docs[0].Body
	}
	if len(file.Docs) > 1 {
		t.problem(file.Docs[1].Body, "", "the file holds several documents", "keep one")
	}
	if changes := t.changes(body); len(t.errs) == 0 {
		c.texts = texts.BuiltIn().With(changes)
	}
	return t.errs
}

func (b *binder) readTextsFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxTextsFile {
		return nil, errors.New("it is longer than 16 MiB")
	}
	data, err := b.files.read(path)
	var p *fs.PathError
	if errors.As(err, &p) { // the key stands beside the path already
		return nil, errors.New(path + ": " + p.Err.Error())
	}
	return data, err
}

// changes reads a mapping of languages to texts.
func (b *binder) changes(node ast.Node) texts.Changes {
	languages, ok := b.entries(node)
	if !ok {
		b.problem(node, "", "must be a mapping of languages to texts", "begin with a language such as \"en:\"")
		return nil
	}
	changes, given := texts.Changes{}, map[string]string{}
	for _, e := range languages {
		tag, err := texts.BuiltIn().Canonical(e.name)
		switch {
		case err != nil:
			b.problem(e.key, e.name, err.Error(), "write a tag such as en, pt-BR or zh-Hant")
		case given[tag] != "":
			b.problem(e.key, e.name, "is the same language as "+given[tag], "keep one of the two")
		}
		given[tag] = e.name
		changes[tag] = b.language(e)
	}
	return changes
}

// language reads a mapping of names to texts.
func (b *binder) language(l entry) map[texts.Name]string {
	entries, ok := b.entries(l.value)
	if !ok {
		b.problem(l.value, l.name, "must be a mapping of names to texts", "indent them below it, such as \"image: '[Photo]'\"")
		return nil
	}
	changed := map[texts.Name]string{}
	for _, e := range entries {
		key := join(l.name, e.name)
		name, ok := texts.ParseName(e.name)
		if !ok {
			b.problem(e.key, key, "is no text that is known", suggest(e.name, textNames()))
			continue
		}
		text, ok := b.text(e.value, key)
		if !ok {
			continue
		}
		if err := name.Check(text); err != nil {
			b.problem(e.value, key, err.Error(), remedyOf(name))
		}
		changed[name] = text
	}
	return changed
}

// remedyOf says what a text may be.
func remedyOf(name texts.Name) string {
	remedy := "write one line of plain text"
	if len(name.Placeholders()) > 0 {
		remedy += ", which may hold " + texts.Sender + " once"
	}
	if name.MayBeEmpty() {
		remedy += ", or '' for nothing"
	}
	return remedy
}

func textNames() []string {
	names := make([]string, texts.Names)
	for n := range names {
		names[n] = texts.Name(n).String()
	}
	return names
}
