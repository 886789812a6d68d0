package reference

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fenced = regexp.MustCompile("(?ms)^[ \t]*```\\w*\n.*?^[ \t]*```")
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// dotted is a path of keys or fields, such as http.explain.
	dotted = regexp.MustCompile(`(?:^|[\s{(])([a-z_]+(?:\.[a-z_]+)+)(?:$|[\s:,})=])`)
	// attribute is a name of OpenTelemetry's, and a file is none of ours to know.
	attribute = regexp.MustCompile(`^http\.(request|response)\.|\.(go|json|md|yaml)$`)
)

// readPages reads the pages of the repository that are called as pattern says, by their paths.
func readPages(t *testing.T, pattern string) map[string]string {
	t.Helper()
	root, pages := filepath.Join("..", ".."), map[string]string{}
	for _, folder := range []string{"", "docs", filepath.Join("docs", "vendors")} {
		paths, err := filepath.Glob(filepath.Join(root, folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			page, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			pages[filepath.Join(folder, filepath.Base(path))] = string(page)
		}
	}
	return pages
}

// tree holds names and what may stand below each of them.
type tree map[string]tree

// add takes in what a schema allows. A mapping to names that the user chooses allows any.
func (t tree) add(n *node, defs map[string]*node) {
	if n == nil {
		return
	}
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok && defs[name] != nil {
		t.add(defs[name], defs)
	}
	t.add(n.Items, defs)
	t.add(n.Then, defs)
	for _, one := range n.AllOf {
		t.add(one, defs)
	}
	if value, ok := n.Additional.(*node); ok {
		t["*"] = tree{}
		t["*"].add(value, defs)
	}
	for name, below := range n.Properties {
		if t[name] == nil {
			t[name] = tree{}
		}
		t[name].add(below, defs)
	}
}

// has says whether the path leads somewhere from here.
func (t tree) has(path []string) bool {
	if len(path) == 0 {
		return true
	}
	return t[path[0]] != nil && t[path[0]].has(path[1:]) || t["*"] != nil && t["*"].has(path[1:])
}

// find looks for the path at any depth; known says that its first name has something below
// somewhere, so that the path means ours.
func (t tree) find(path []string) (known, found bool) {
	known, found = len(t[path[0]]) > 0, t[path[0]] != nil && t.has(path)
	for _, below := range t {
		k, f := below.find(path)
		known, found = known || k, found || f
	}
	return known, found
}

// TestKeysOfPages: each key of the configuration and each field of what is published that a page
// names with what it stands in, such as `policy.badge`, exists.
func TestKeysOfPages(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	k, err := readKeys(root)
	if err != nil {
		t.Fatal(err)
	}
	w, err := readWire(root)
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := wireSchemas(w)
	if err != nil {
		t.Fatal(err)
	}
	schemas["config"] = configSchema(k)
	all := tree{}
	for kind, s := range schemas {
		all[kind+" "] = tree{}
		all[kind+" "].add(s, s.Defs)
	}
	found := map[string]bool{}
	for name, page := range readPages(t, "*.md") {
		for _, code := range quoted.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			for _, m := range dotted.FindAllStringSubmatch(code[1], -1) {
				if attribute.MatchString(m[1]) {
					continue
				}
				switch known, exists := all.find(strings.Split(m[1], ".")); {
				case exists:
					found[m[1]] = true
				case known:
					t.Errorf("%s names %s, which is no key and no field", name, m[1])
				}
			}
		}
	}
	for _, name := range []string{"policy.badge", "http.explain.show_text", "channels.call", "offline_push.android.oppo_channel_id", "voip.token"} {
		if !found[name] {
			t.Errorf("%s is not found on any page, so they are read in the wrong way", name)
		}
	}
	for _, wrong := range []string{"policy.bagde", "http.explain.text", "offline_push.android.category", "nats.streams"} {
		if known, exists := all.find(strings.Split(wrong, ".")); !known || exists {
			t.Errorf("%s passes for a key or a field", wrong)
		}
	}
}
