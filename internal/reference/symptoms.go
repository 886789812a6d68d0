package reference

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/hongyan-im/hongyan/internal/explain"
)

// command is one that stands in quotes in an advice, and is code on a page.
var command = regexp.MustCompile(`["「](publisher [^"」]*)["」]`)

// symptomGaps fills the page that leads from a symptom to its causes.
func symptomGaps(l language) map[string]string {
	in := explain.English
	if l.suffix != "" {
		in = explain.Chinese
	}
	var tree, index strings.Builder
	for _, s := range explain.Symptoms() {
		fmt.Fprintf(&index, "- [%s](#%s)\n", s.Sees.In(in), anchor(s.Sees.In(in)))
		fmt.Fprintf(&tree, "\n### %s\n\n", s.Sees.In(in))
		for _, look := range s.Look {
			fmt.Fprintf(&tree, "- %s\n", look.In(in))
		}
		var rows [][]string
		for _, c := range s.Causes {
			advice := command.ReplaceAllString(explain.Advice(c.Status, c.Reason).In(in), "`$1`")
			rows = append(rows, []string{code(string(c.Status) + " " + string(c.Reason)), cell(advice)})
		}
		tree.WriteString("\n" + table([]string{l.pick(text("it says", "它说")), l.pick(text("what that means, and what to do", "意思和办法"))}, rows))
	}
	return map[string]string{"Index": strings.TrimSpace(index.String()), "Tree": strings.TrimSpace(tree.String())}
}

// anchor is what a heading is linked by.
func anchor(heading string) string {
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
