package sandbox

import (
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPageFiles(t *testing.T) {
	t.Parallel()
	s := New(Accounts{}, Options{})
	for path, contentType := range map[string]string{
		"": "text/html", "app.js": "javascript", "card.js": "javascript", "style.css": "text/css", "looks.css": "text/css", "goose.svg": "image/svg+xml",
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/sandbox/"+path, nil))
		if w.Code != 200 || !strings.Contains(w.Header().Get("Content-Type"), contentType) {
			t.Errorf("%q: HTTP %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%q: policy %q lets too much in", path, policy)
		}
	}
}

// The page must work without a network, and a title that is HTML must stay text: nothing is loaded
// from elsewhere, no script or style stands in the HTML (the policy would refuse it), and no text
// goes in as HTML.
func TestPageIsClosed(t *testing.T) {
	t.Parallel()
	address := regexp.MustCompile(`(?:https?:)?//[a-z]`)
	asHTML := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(|new Function|srcdoc`)
	inline := regexp.MustCompile(`(?i)<script(?:>|[^>]*[^>c]>\s*\S)|\son[a-z]+\s*=|style="|<style`)
	err := fs.WalkDir(pageFiles, "page", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(pageFiles, path)
		if err != nil {
			return err
		}
		// a name, not an address
		text := strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")
		if found := address.FindString(text); found != "" {
			t.Errorf("%s names an address: %s", path, found)
		}
		if found := asHTML.FindString(text); found != "" {
			t.Errorf("%s uses %s", path, found)
		}
		if strings.HasSuffix(path, ".html") {
			if found := inline.FindString(strings.ReplaceAll(text, `<script type="module" src="app.js"></script>`, "")); found != "" {
				t.Errorf("%s has inline code: %s", path, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every vendor has a look, every kind of fault and every label its words in both languages.
func TestPageIsComplete(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		data, err := fs.ReadFile(pageFiles, "page/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	looks, style, vendors, words := read("looks.css"), read("style.css"), read("vendors.js"), read("i18n.js")
	for _, v := range Vendors() {
		if !strings.Contains(looks, `[data-vendor="`+v+`"] .phone`) || !strings.Contains(style, `[data-vendor="`+v+`"]`) || !strings.Contains(vendors, v+": {") {
			t.Errorf("%s has no look, colour or name", v)
		}
	}
	for _, kind := range FaultKinds {
		if strings.Count(words, "    "+kind+": [") != 2 {
			t.Errorf("fault %s lacks words in a language", kind)
		}
	}
	for _, label := range regexp.MustCompile(`data-i18n(?:-label)?="([^"]+)"`).FindAllStringSubmatch(read("index.html"), -1) {
		if got := len(regexp.MustCompile(`\b`+label[1]+`: `).FindAllString(words, -1)); got < 2 {
			t.Errorf("label %s has words in %d languages, want 2", label[1], got)
		}
	}
}
