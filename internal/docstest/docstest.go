// Package docstest holds the pages to the programs: what a page tells its reader to type, a program
// takes.
package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	fence  = regexp.MustCompile("(?ms)^[ \t]*```\\w*\n(.*?)^[ \t]*```")
	inline = regexp.MustCompile("`([^`\n]+)`")
	flag   = regexp.MustCompile(`^--?[a-z][a-z-]*`)
)

// Commands fails the test for each command line of the program in the pages under repo, or in a
// command's own help, whose sub-command or flag the program does not know.
func Commands(t *testing.T, repo string, root *cobra.Command) {
	t.Helper()
	root.InitDefaultVersionFlag()
	found := 0
	check := func(where, text string) {
		t.Helper()
		for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
			for _, words := range calls(line, root.Name()) {
				found++
				if wrong := unknown(root, words); wrong != "" {
					t.Errorf("%s: %s knows no %s: %s", where, root.Name(), wrong, strings.TrimSpace(line))
				}
			}
		}
	}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/vendors/*.md", "deploy/*.yaml", "docker-compose.yml"} {
		paths, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			page := string(data)
			if filepath.Ext(path) != ".md" {
				check(path, strings.ReplaceAll(page, "#", ""))
				continue
			}
			for _, block := range fence.FindAllStringSubmatch(page, -1) {
				check(path, block[1])
			}
			for _, code := range inline.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
				check(path, code[1])
			}
		}
	}
	if found == 0 {
		t.Errorf("no page has a command line of %s", root.Name())
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		check(c.CommandPath()+" --help", c.Example)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// calls lists the words behind each call of a program in a line of shell.
func calls(line, program string) (all [][]string) {
	var words []string
	inCall, begins := false, true
	for _, w := range strings.Fields(line) {
		switch {
		case strings.HasPrefix(w, "#"):
			inCall = false
			begins = true // a comment may be a command line
			continue
		case w == "|" || w == "&&" || w == ";":
			if inCall {
				all = append(all, words)
			}
			inCall, begins = false, true
			continue
		case !inCall && (begins && w == program || w == "./cmd/"+program && strings.Contains(line, "go run ")):
			inCall, words = true, nil
			continue
		case inCall:
			words = append(words, strings.TrimRight(w, ";,."))
		}
		begins = w == "$"
	}
	if inCall {
		all = append(all, words)
	}
	return all
}

// unknown is the first sub-command or flag in words that the program does not know.
func unknown(c *cobra.Command, words []string) string {
	quoted := false
	for i, w := range words {
		// What stands in quotes is a value.
		odd := strings.Count(w, `"`)%2 == 1 || strings.Count(w, "'")%2 == 1
		if quoted || odd {
			quoted = quoted != odd
			continue
		}
		name := flag.FindString(w)
		switch {
		case strings.HasPrefix(name, "--"):
			if name = name[2:]; name != "help" && c.Flag(name) == nil && c.InheritedFlags().Lookup(name) == nil {
				return "flag --" + name
			}
		case name != "" && len(name) == 2:
			if s := name[1:]; s != "h" && c.Flags().ShorthandLookup(s) == nil && c.InheritedFlags().ShorthandLookup(s) == nil {
				return "flag -" + s
			}
		case c.HasSubCommands():
			sub, _, err := c.Find(words[i : i+1])
			if err == nil && sub != c {
				c = sub
			} else if !c.Runnable() && regexp.MustCompile(`^[a-z-]+$`).MatchString(w) {
				return "command " + w
			}
		}
	}
	return ""
}
