package vendortest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

var update = flag.Bool("update", false, "rewrite the golden requests in testdata")

// Recorder keeps every request in a readable form and passes it on.
type Recorder struct {
	next  http.Handler
	scrub func(string) string

	mu   sync.Mutex
	seen []string
	from map[string]bool // the addresses that it was called from
}

// callers are the addresses from which it was called.
func (r *Recorder) callers() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.from)
}

// ServeHTTP records and passes on.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client left
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	text := dump(req, body)
	if r.scrub != nil {
		text = r.scrub(text)
	}
	r.mu.Lock()
	r.seen = append(r.seen, text)
	if r.from == nil {
		r.from = map[string]bool{}
	}
	r.from[req.RemoteAddr] = true
	r.mu.Unlock()
	r.next.ServeHTTP(w, req)
}

// Take returns what was recorded and forgets it.
func (r *Recorder) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// Headers that the HTTP library adds, or that name its version.
var boring = []string{"Accept-Encoding", "Content-Length", "User-Agent", "X-Goog-Api-Client", "X-Firebase-Client", "Traceparent"}

func dump(req *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.URL.RequestURI())
	var names []string
	for name := range req.Header {
		if !slices.Contains(boring, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		value := strings.Join(req.Header[name], " | ")
		if name == "Authorization" {
			scheme, _, _ := strings.Cut(value, " ")
			if k, _, ok := strings.Cut(value, "="); ok && !strings.Contains(k, " ") {
				scheme = k + "="
			}
			value = scheme + " <secret>"
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	b.WriteString("\n")
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil {
			var keys []string
			for k := range form {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				fmt.Fprintf(&b, "%s = %s\n", k, strings.Join(form[k], " | "))
			}
			return b.String()
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = pretty.Bytes()
	}
	b.Write(body)
	b.WriteString("\n")
	return b.String()
}

// golden compares the requests of the corpus with testdata/<case>.http, and has the strict fake
// accept them all.
func golden(t *testing.T, s Subject) {
	for name, note := range Corpus() {
		t.Run(name, func(t *testing.T) {
			r := NewRig(t, s, nil)
			n := min(2, max(r.Driver.Limits().Batch, r.Driver.Limits().Mixed))
			wantAll(t, r, push(r, r.Batch(n, note)), n, vendors.Accepted)
			if broken := r.Sandbox.Violations(); len(broken) > 0 {
				t.Errorf("broken rules: %v", broken)
			}
			got := strings.Join(r.Requests.Take(), "\n--\n\n")
			file := filepath.Join("testdata", name+".http")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (run with -update to write it, then read it)", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("request differs from %s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// repeat pushes the same batch twice and wants the same bytes and, on the phone, a replacement.
func repeat(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	n := max(r.Driver.Limits().Batch, r.Driver.Limits().Mixed)
	b := r.Batch(min(n, 3), Chat())
	push(r, r.Batch(1, Corpus()["ascii"])) // the access token is fetched here
	r.Requests.Take()
	warm := len(r.Sandbox.Pushes())
	wantAll(t, r, push(r, b), len(b.Devices), vendors.Accepted)
	first := r.Requests.Take()
	wantAll(t, r, push(r, b), len(b.Devices), vendors.Accepted)
	if diff := cmp.Diff(first, r.Requests.Take()); diff != "" {
		t.Errorf("the same batch was sent in another form (-first +second):\n%s", diff)
	}
	repeats := 0
	for _, p := range r.Sandbox.Pushes()[warm+len(b.Devices):] {
		if p.Key == "" {
			t.Errorf("a push to %s carried no key that collapses a repeat", p.Token)
		}
		if p.Repeat {
			repeats++
		}
	}
	if repeats != len(b.Devices) {
		t.Errorf("%d of %d repeats replace their first push on the screen", repeats, len(b.Devices))
	}
}
