package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// birds is a sandbox of made-up vendors that have no API.
func birds() *Server {
	var fakes []Fake
	for _, vendor := range []string{"acme", "bolt", "crane", "delta", "egret", "finch", "gull", "heron", "ibis"} {
		fakes = append(fakes, Fake{Vendor: vendor, Name: strings.ToUpper(vendor), NameZH: vendor + "鸟", Look: `[data-vendor="` + vendor + "\"] { --mark: #fff; }\n"})
	}
	return New(Options{}, fakes...)
}

// ask calls the control API and decodes the answer.
func ask(t *testing.T, s *Server, method, path, body string, into any) int {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s: HTTP %d %q: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

func TestPushesQuery(t *testing.T) {
	t.Parallel()
	s := birds()
	s.NamePhone("acme", "t3", "dora/phone")
	s.NamePhone("gull", "t4", "dora/phone")
	for i, vendor := range []string{"acme", "bolt", "acme", "gull", "acme"} {
		s.Accept(Push{Vendor: vendor, Token: fmt.Sprint("t", i+1), Title: "鸿雁"})
	}
	for _, test := range []struct {
		query string
		want  []int64
	}{
		{"", []int64{1, 2, 3, 4, 5}},
		{"?after=3", []int64{4, 5}},
		{"?vendor=acme", []int64{1, 3, 5}},
		{"?vendor=acme&after=1", []int64{3, 5}},
		{"?vendor=acme&limit=1", []int64{5}},
		{"?limit=2", []int64{4, 5}},
		{"?phone=dora%2Fphone", []int64{3, 4}},
		{"?phone=dora%2Fphone&vendor=gull", []int64{4}},
		{"?phone=t5", []int64{5}},
		{"?vendor=ibis", []int64{}},
		{"?after=99", []int64{}},
	} {
		var pushes []Push
		if code := ask(t, s, "GET", "/sandbox/api/pushes"+test.query, "", &pushes); code != 200 {
			t.Errorf("%s: HTTP %d", test.query, code)
		}
		got := []int64{}
		for _, p := range pushes {
			got = append(got, p.Seq)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || pushes == nil {
			t.Errorf("%s: a list, never null; got %s", test.query, diff)
		}
	}
}

func TestCountsAndViolations(t *testing.T) {
	t.Parallel()
	s := birds()
	s.Accept(Push{Vendor: "heron"})
	s.Refuse("heron", 2)
	s.Violate("gull", "10000", "channel_id is unknown")
	var counts map[string]map[string]int64
	ask(t, s, "GET", "/sandbox/api/counts", "", &counts)
	if len(counts) != len(s.vendors()) {
		t.Errorf("counts of %d vendors, want all", len(counts))
	}
	if diff := cmp.Diff(map[string]int64{"requests": 0, "logins": 0, "accepted": 1, "only_badge": 0, "repeats": 0, "refused": 2, "violations": 0}, counts["heron"]); diff != "" {
		t.Error(diff)
	}
	var broken []Violation
	ask(t, s, "GET", "/sandbox/api/violations?vendor=gull", "", &broken)
	if len(broken) != 1 || broken[0].Rule != "channel_id is unknown" || broken[0].Code != "10000" {
		t.Errorf("violations of gull: %+v", broken)
	}
	ask(t, s, "GET", "/sandbox/api/violations?vendor=heron", "", &broken)
	if len(broken) != 0 {
		t.Errorf("violations of heron: %+v", broken)
	}
}

func TestFaultsLifecycle(t *testing.T) {
	t.Parallel()
	s := birds()
	var made, got Fault
	if code := ask(t, s, "POST", "/sandbox/api/faults", `{"vendor":"crane","kind":"throttle","retry_after":5,"times":3}`, &made); code != 201 {
		t.Fatalf("HTTP %d", code)
	}
	if made.ID == 0 || made.Kind != FaultThrottle || made.RetryAfter != 5 || made.Times != 3 {
		t.Errorf("armed %+v", made)
	}
	ask(t, s, "POST", "/sandbox/api/faults", `{"vendor":"heron","kind":"hang"}`, nil)
	ask(t, s, "POST", "/sandbox/api/faults", `{"vendor":"heron","kind":"slow","delay":1.5}`, nil)
	if code := ask(t, s, "GET", "/sandbox/api/faults/1", "", &got); code != 200 || got.ID != 1 {
		t.Errorf("HTTP %d %+v, want fault 1", code, got)
	}
	if _, struck := s.Strike("crane", "any", FaultThrottle); !struck {
		t.Error("the armed fault does not strike")
	}
	if code := ask(t, s, "DELETE", "/sandbox/api/faults/1", "", nil); code != 200 {
		t.Errorf("delete fault 1: HTTP %d", code)
	}
	for _, gone := range []string{"1", "0", "-1", "99", "x"} {
		for _, method := range []string{"GET", "DELETE"} {
			if code := ask(t, s, method, "/sandbox/api/faults/"+gone, "", nil); code != 404 {
				t.Errorf("%s fault %s: HTTP %d, want 404", method, gone, code)
			}
		}
	}
	var cleared map[string]int
	ask(t, s, "DELETE", "/sandbox/api/faults?vendor=heron", "", &cleared)
	if cleared["cleared"] != 2 {
		t.Errorf("cleared %v, want 2", cleared)
	}
	var left []Fault
	ask(t, s, "GET", "/sandbox/api/faults", "", &left)
	if left == nil || len(left) != 0 {
		t.Errorf("left: %v, want an empty list", left)
	}
}

func TestFaultKindsCanBeArmed(t *testing.T) {
	t.Parallel()
	s := birds()
	for _, kind := range FaultKinds {
		fault := map[string]any{"vendor": "acme", "kind": kind}
		switch kind {
		case FaultSlow:
			fault["delay"] = 1
		case FaultCode:
			fault["code"] = "BadTopic"
		case FaultPartial:
			fault["times"] = 1
		}
		body, err := json.Marshal(fault)
		if err != nil {
			t.Fatal(err)
		}
		if code := ask(t, s, "POST", "/sandbox/api/faults", string(body), nil); code != 201 {
			t.Errorf("%s: HTTP %d", kind, code)
		}
	}
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := birds()
	for _, test := range []struct {
		method, path, body string
		code               int
		says               []string
	}{
		{"POST", "faults", `{"vendor":"nokia","kind":"hang"}`, 400, []string{`vendor "nokia" is unknown`, "acme, bolt, crane"}},
		{"POST", "faults", `{"vendor":"acme","kind":"sulk"}`, 400, []string{`kind "sulk" is unknown`, "dead_token"}},
		// all at once
		{"POST", "faults", `{"vendor":"nokia","kind":"sulk"}`, 400, []string{"nokia", "sulk"}},
		{"POST", "faults", `{"vendor":"acme","kind":"slow","delay":-1}`, 400, []string{"delay is -1"}},
		{"POST", "faults", `{"vendor":"acme","kind":"slow"}`, 400, []string{"delay is required"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","delay":1}`, 400, []string{"delay means nothing to kind hang"}},
		{"POST", "faults", `{"vendor":"acme","kind":"slow","delay":1e9}`, 400, []string{"delay is 1e+09"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","times":-2}`, 400, []string{"times is -2"}},
		{"POST", "faults", `{"vendor":"acme","kind":"throttle","retry_after":-3}`, 400, []string{"retry_after is -3"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","retry_after":3}`, 400, []string{"retry_after means nothing"}},
		{"POST", "faults", `{"vendor":"acme","kind":"server_error","status":200}`, 400, []string{"status is 200"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","status":500}`, 400, []string{"status means nothing"}},
		{"POST", "faults", `{"vendor":"acme","kind":"code"}`, 400, []string{"code is required"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","code":"X"}`, 400, []string{"code means nothing"}},
		{"POST", "faults", `{"vendor":"acme","kind":"partial"}`, 400, []string{"partial needs a token"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","id":7}`, 400, []string{"id is the sandbox's"}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang","tokn":"x"}`, 400, []string{`unknown field "tokn"`}},
		{"POST", "faults", `{"vendor":"acme","kind":"hang"} {}`, 400, []string{"more behind it"}},
		{"POST", "faults", `[]`, 400, []string{"one JSON object"}},
		{"POST", "faults", ``, 400, []string{"one JSON object"}},
		{"POST", "faults", `{"vendor":"` + strings.Repeat("x", 1<<20) + `"}`, 400, []string{"one JSON object"}},
		{"POST", "dead", `{"vendor":"acme"}`, 400, []string{"token is required"}},
		{"DELETE", "dead", `{"vendor":"x","token":"t"}`, 400, []string{`vendor "x" is unknown`}},
		{"GET", "pushes?after=-1", "", 400, []string{"after", "-1"}},
		{"GET", "pushes?after=x&vendor=y", "", 400, []string{"after", `vendor "y"`}},
		{"GET", "events?vendor=y", "", 400, []string{`vendor "y"`}},
		{"GET", "events?after=x", "", 400, []string{"after"}},
		{"GET", "violations?vendor=y", "", 400, []string{`vendor "y"`}},
		{"DELETE", "faults?vendor=y", "", 400, []string{`vendor "y"`}},
		{"GET", "nothing", "", 404, []string{"no such call", "docs/sandbox.md"}},
		{"POST", "pushes", "", 404, []string{"no such call"}},
	} {
		var answer map[string]string
		code := ask(t, s, test.method, "/sandbox/api/"+test.path, test.body, &answer)
		if code != test.code {
			t.Errorf("%s %s %.60s: HTTP %d, want %d", test.method, test.path, test.body, code, test.code)
		}
		for _, words := range test.says {
			if !strings.Contains(answer["error"], words) {
				t.Errorf("%s %s %.60s: %q does not say %q", test.method, test.path, test.body, answer["error"], words)
			}
		}
	}
	if faults, dead := s.Faults(), s.DeadTokens(); len(faults)+len(dead) > 0 {
		t.Errorf("a refused call changed something: %v %v", faults, dead)
	}
}

func TestDeadCalls(t *testing.T) {
	t.Parallel()
	s := birds()
	device := `{"vendor":"finch","token":"a/b+c="}`
	if code := ask(t, s, "POST", "/sandbox/api/dead", device, nil); code != 200 {
		t.Errorf("kill: HTTP %d", code)
	}
	var dead map[string][]string
	ask(t, s, "GET", "/sandbox/api/dead", "", &dead)
	if diff := cmp.Diff(map[string][]string{"finch": {"a/b+c="}}, dead); diff != "" {
		t.Error(diff)
	}
	ask(t, s, "DELETE", "/sandbox/api/dead", device, nil)
	if _, dead := s.Dead("finch", "a/b+c="); dead {
		t.Error("still dead")
	}
}

// A web page of another origin must not arm faults through the browser of whoever runs a sandbox.
func TestControlRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	s := birds()
	for _, test := range []struct {
		name    string
		headers map[string]string
		want    int
	}{
		{"curl", nil, 201},
		{"own_page", map[string]string{"Sec-Fetch-Site": "same-origin"}, 201},
		{"other_page", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"other_page_in_old_browser", map[string]string{"Origin": "https://evil.example"}, 403},
	} {
		r := httptest.NewRequest("POST", "/sandbox/api/faults", strings.NewReader(`{"vendor":"acme","kind":"hang"}`))
		for k, v := range test.headers {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: HTTP %d, want %d", test.name, w.Code, test.want)
		}
	}
}

func TestRootLeadsToPage(t *testing.T) {
	t.Parallel()
	s := birds()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusFound || w.Header().Get("Location") != "/sandbox/" {
		t.Errorf("HTTP %d to %q, want 302 to /sandbox/", w.Code, w.Header().Get("Location"))
	}
	_, _ = io.Copy(io.Discard, w.Result().Body)
}
