package sandbox

import (
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPageFiles(t *testing.T) {
	t.Parallel()
	s := birds()
	for path, contentType := range map[string]string{
		"": "text/html", "app.js": "javascript", "card.js": "javascript", "style.css": "text/css", "looks.css": "text/css", "calls.css": "text/css", "goose.svg": "image/svg+xml",
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

// Every kind of fault and every label its words in both languages.
func TestPageIsComplete(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		data, err := fs.ReadFile(pageFiles, "page/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	words := read("i18n.js")
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

// Each count stands above, as a total, and in the table of the vendors.
func TestPageCounts(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		data, err := fs.ReadFile(pageFiles, "page/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	page, script := read("index.html"), read("app.js")
	for _, count := range []string{"accepted", "repeats", "withdrawn", "refused", "violations"} {
		if !strings.Contains(page, `data-total="`+count+`"`) || !strings.Contains(page, `<th scope="col" data-i18n="`+count) || !strings.Contains(script, "count(c."+count) {
			t.Errorf("%s is not shown as a total and for each vendor", count)
		}
	}
}

// The page learns of the vendors from the sandbox alone.
func TestPageVendors(t *testing.T) {
	t.Parallel()
	s := birds()
	var cards []map[string]string
	if code := ask(t, s, "GET", "/sandbox/api/vendors", "", &cards); code != 200 || len(cards) != len(s.vendors()) {
		t.Fatalf("HTTP %d, %d vendors", code, len(cards))
	}
	if diff := cmp.Diff(map[string]string{"vendor": "bolt", "name": "BOLT", "name_zh": "bolt鸟", "system": "", "heading": "", "calls": ""}, cards[1]); diff != "" {
		t.Error(diff)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/sandbox/looks.css", nil))
	for _, v := range s.vendors() {
		if !strings.Contains(w.Body.String(), `[data-vendor="`+v+`"]`) {
			t.Errorf("the style sheet of the phones lacks %s", v)
		}
	}
}
