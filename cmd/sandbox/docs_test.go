package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
)

// Each fault in the manual, in either language, must be one that the sandbox arms, and each kind
// must have its example.
func TestManualFaults(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sandbox.md", "sandbox.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		server := sandbox.New(sandbox.Options{}, all.Fakes()...)
		for _, example := range regexp.MustCompile(`curl -d '(.*)' \$S`).FindAllStringSubmatch(string(text), -1) {
			w := httptest.NewRecorder()
			server.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/sandbox/api/faults", strings.NewReader(example[1])))
			if w.Code != http.StatusCreated {
				t.Errorf("%s: %s: HTTP %d %s", name, example[1], w.Code, w.Body)
			}
		}
		armed := map[string]bool{}
		for _, f := range server.Faults() {
			armed[f.Kind] = true
		}
		for _, kind := range sandbox.FaultKinds {
			if !armed[kind] {
				t.Errorf("%s has no example of %s", name, kind)
			}
		}
	}
}
