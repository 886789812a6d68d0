// Package reference writes the generated pages of the documentation: docs/vendors from the Doc of
// each vendor, docs/config.md from the comments of the structs that the configuration is read
// into, docs/messages.md from those of the wire types, docs/texts.md from the catalogue of texts,
// docs/metrics.md from the list of metrics, and docs/explain.md from the advice of package explain,
// all in English and in Chinese. It writes JSON Schemas of the configuration and of the wire types
// from the same source, and what the containers of docker-compose.yml know of the demo from the
// list of fakes.
//
//	vendors' Doc() ───────────────────────────┐
//	                                          ├─▶ tables ─▶ text/*.md, a page with gaps ─▶ docs/*.md
//	comments of Config structs, from source ──┤
//	                                          ├─▶ JSON Schemas ─▶ internal/schema/*.json
//	wire types, and their comments ───────────┤
//	the catalogue of texts, the metrics ──────┤
//	advice, by symptom ───────────────────────┘
//
//	codes of the vendors' Docs ─▶ internal/explain/codes.tsv, for tools that link no driver
//
//	fakes of the sandbox ─▶ the demo's certificates and phones ─▶ deploy/compose/*
//
// A key or field without a comment is an error, because the comments are the manual. A test checks
// that the files are up to date.
package reference

import (
	"embed"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

//go:embed text
var texts embed.FS

// language chooses between the two languages of the documentation.
type language struct {
	// suffix is what a page's name has before ".md".
	suffix string
	pick   func(vendors.Bilingual) string
}

func languages() []language {
	return []language{
		{"", func(t vendors.Bilingual) string { return t.EN }},
		{".zh-CN", func(t vendors.Bilingual) string { return t.ZH }},
	}
}

// Pages writes every page, schema and file of the demo. root is the repository's folder, whose
// sources are read. The keys are paths below root.
func Pages(root string) (map[string][]byte, error) {
	keys, err := readKeys(root)
	if err != nil {
		return nil, err
	}
	var docs []vendors.Doc
	for _, v := range registry.Vendors() {
		docs = append(docs, v.Doc())
	}
	wire, err := readWire(root)
	if err != nil {
		return nil, err
	}
	words, err := readDictionary()
	if err != nil {
		return nil, err
	}
	pages, err := schemaFiles(wire, keys)
	if err != nil {
		return nil, err
	}
	compose, err := composeFiles()
	if err != nil {
		return nil, err
	}
	maps.Copy(pages, compose)
	pages["internal/explain/codes.tsv"] = codeTable(docs)
	for _, l := range languages() {
		messages, err := messageGaps(l, wire, words)
		if err != nil {
			return nil, err
		}
		messages["Recalls"], messages["Reads"] = recalls(l, docs), reads(l, docs)
		config, err := configGaps(l, docs, keys, words)
		if err != nil {
			return nil, err
		}
		inTexts, err := textGaps(l)
		if err != nil {
			return nil, err
		}
		for name, gaps := range map[string]map[string]string{
			"config": config, "messages": messages, "texts": inTexts, "metrics": metricGaps(l), "explain": symptomGaps(l),
		} {
			page, err := fill(name+l.suffix+".md", gaps)
			if err != nil {
				return nil, err
			}
			pages[filepath.Join("docs", name+l.suffix+".md")] = page
		}
		about, err := vendorPages(l, docs, keys, words)
		if err != nil {
			return nil, err
		}
		maps.Copy(pages, about)
	}
	return pages, nil
}

// Write writes every page, schema and file into its place.
func Write(root string) error {
	pages, err := Pages(root)
	if err != nil {
		return err
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(root, name), page, 0o644); err != nil {
			return fmt.Errorf("write a page: %w", err)
		}
	}
	return nil
}

// fill puts the generated parts into the gaps of a page.
func fill(name string, gaps map[string]string) ([]byte, error) {
	t, err := template.New(path.Base(name)).Option("missingkey=error").ParseFS(texts, "text/"+name)
	if err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, gaps); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n"), nil
}

// table writes a Markdown table. Cells are escaped by the caller, see [cell].
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	b.WriteString("|" + strings.Repeat("---|", len(head)) + "\n")
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

// cell makes a text safe in a table: one line, no bars, no HTML.
func cell(s string) string { return strings.ReplaceAll(escape(s), "|", `\|`) }

// escape writes a text on one line, and without HTML or emphasis outside of code spans, where
// everything stays as it is.
func escape(s string) string {
	parts := strings.Split(strings.Join(strings.Fields(s), " "), "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", `\*`).Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

func code(s string) string { return "`" + s + "`" }
