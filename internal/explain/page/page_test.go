package page

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/explain"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const password = "correct horse battery"

// rig is a page on a real embedded server.
type rig struct {
	t    *testing.T
	bus  *bus.Bus
	page *Page
	url  string
	log  *strings.Builder
}

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	b := bustest.Start(t, "oppo")
	r := &rig{t: t, bus: b, log: &strings.Builder{}}
	o := Options{Password: password, PhoneCSS: ".card{}", Log: slog.New(slog.NewTextHandler(r.log, nil)), Now: time.Now,
		Phones: []Phone{{Vendor: "oppo", Name: explain.Say("OPPO", "OPPO 手机"), System: "ColorOS", Heading: "card", Calls: "keys"}}}
	if change != nil {
		change(&o)
	}
	r.page = New(o)
	r.page.Open(b)
	server := httptest.NewServer(r.page.Handler())
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// reply is the head of an answer.
type reply struct {
	StatusCode int
	Header     http.Header
}

// get asks as somebody who may, unless the headers say otherwise.
func (r *rig) get(path string, header http.Header) (reply, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if header == nil {
		req.SetBasicAuth("carol", password)
	} else {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(body)
}

func (r *rig) ok(path string) string {
	r.t.Helper()
	resp, body := r.get(path, nil)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: HTTP %d %s", path, resp.StatusCode, body)
	}
	return body
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

const (
	token = "CN_0123456789abcdef0123456789abcdef"
	// hostile is a name as an attacker writes it.
	hostile = `<script>alert(1)</script>"><img src=x onerror=alert(1)>` + "\u202e"
)

// seed registers bob's phone, and stores a push of m-1 that died and one of m-2 that waits.
func (r *rig) seed() {
	r.t.Helper()
	s := hongyan.Subjects{}
	put := func(subject string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.bus.Put(r.t.Context(), subject, data); err != nil {
			r.t.Fatal(err)
		}
	}
	put(s.Device("demo", "bob", "phone"), hongyan.Device{Certificate: "35001", Token: token, Model: hostile})
	job := func(message string) *dispatch.Job {
		return &dispatch.Job{ID: message, App: "demo", Vendor: "oppo", Certificate: "35001", Lane: hongyan.LaneNormal, Published: time.Now(), Attempts: 1,
			Notification: &vendors.Notification{Key: "k", MessageID: message, Title: "Alice", Body: "See you at eight " + hostile, Deadline: time.Now().Add(time.Hour)},
			Targets:      []dispatch.Target{{User: "bob", Device: "phone", Token: token}}}
	}
	encode := func(j *dispatch.Job) []byte {
		data, err := j.Encode()
		if err != nil {
			r.t.Fatal(err)
		}
		return data
	}
	outcome := func(message string, status hongyan.Status, reason hongyan.Reason, code string) dispatch.Outgoing {
		data, err := json.Marshal(hongyan.Outcome{MessageID: message, App: "demo", Vendor: "oppo", Certificate: "35001", Status: status, At: time.Now().UTC(),
			Devices: []hongyan.DeviceOutcome{{User: "bob", Device: "phone", Reason: reason, VendorCode: code, Attempt: 1}}})
		if err != nil {
			r.t.Fatal(err)
		}
		return dispatch.Outgoing{Subject: s.Outcome("demo", status, hongyan.Partition("bob")), Data: data}
	}
	if errs := r.bus.Publish(r.t.Context(), []dispatch.Outgoing{
		{Subject: s.Dead("oppo", "35001", vendors.BadPayload), Data: encode(job("m-1")), Header: map[string]string{dispatch.HeaderReason: "bad_payload",
			dispatch.HeaderVendorCode: "41", dispatch.HeaderError: "said " + hostile, dispatch.HeaderApp: "demo", dispatch.HeaderMessageID: "m-1"}},
		outcome("m-1", hongyan.StatusDead, vendors.BadPayload, "41"),
		{Subject: "push.job.oppo.35001.normal", Data: encode(job("m-2"))},
		outcome("m-2", hongyan.StatusWaiting, hongyan.Parked, ""),
	}); errs != nil {
		r.t.Fatal(errs)
	}
}

// Nobody is answered who does not show that they may ask.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	basic := func(secret string) http.Header {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.SetBasicAuth("x", secret)
		return req.Header
	}
	proxied := newRig(t, func(o *Options) { o.Password, o.TrustedHeader = "", "X-User" })
	for name, c := range map[string]struct {
		rig    *rig
		header http.Header
		status int
	}{
		"nobody":             {r, http.Header{}, http.StatusUnauthorized},
		"wrong_password":     {r, basic(password + "x"), http.StatusUnauthorized},
		"empty_password":     {r, basic(""), http.StatusUnauthorized},
		"another_header":     {r, http.Header{"X-User": {"carol"}}, http.StatusUnauthorized},
		"right_password":     {r, basic(password), http.StatusOK},
		"proxy_says_nobody":  {proxied, http.Header{}, http.StatusForbidden},
		"proxy_says_nothing": {proxied, http.Header{"X-User": {""}}, http.StatusForbidden},
		"two_names":          {proxied, http.Header{"X-User": {"carol", "mallory"}}, http.StatusForbidden},
		"endless_name":       {proxied, http.Header{"X-User": {strings.Repeat("x", 257)}}, http.StatusForbidden},
		"password_for_proxy": {proxied, basic(""), http.StatusForbidden},
		"proxy_says_carol":   {proxied, http.Header{"X-User": {"carol"}}, http.StatusOK},
	} {
		for _, path := range []string{"/explain", "/explain/style.css", "/api/explain?app=demo&user=bob"} {
			resp, body := c.rig.get(path, c.header)
			if resp.StatusCode != c.status {
				t.Errorf("%s: %s: HTTP %d, want %d", name, path, resp.StatusCode, c.status)
			}
			if c.status != http.StatusOK && strings.Contains(body, "demo") {
				t.Errorf("%s: %s tells %s", name, path, body)
			}
			if asks := resp.Header.Get("WWW-Authenticate") != ""; asks != (c.status == http.StatusUnauthorized) {
				t.Errorf("%s: it asks for a password: %v", name, asks)
			}
		}
	}
	says(t, proxied.log.String(), "explain was asked", "by=carol", "user=bob")
	if log := r.log.String() + proxied.log.String(); strings.Contains(log, "correct horse") {
		t.Errorf("the log holds the password:\n%s", log)
	}
}

// Every answer, refusals too, is closed to other pages, runs nothing and stays in no cache.
func TestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, path := range []string{"/explain", "/explain?app=demo&user=bob", "/api/explain?app=demo&user=bob", "/explain/style.css", "/explain/nothing", "/api/explain?" + strings.Repeat("x", 5000)} {
		for _, header := range []http.Header{nil, {}} {
			resp, _ := r.get(path, header)
			policy := resp.Header.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%.40s: policy %q", path, policy)
			}
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%.40s: %s is %q", path, name, got)
				}
			}
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(method, "/explain?app=demo&user=bob", nil)
		req.SetBasicAuth("x", password)
		if r.page.Handler().ServeHTTP(w, req); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: HTTP %d", method, w.Code)
		}
	}
}

// The page answers without JavaScript: its form's query is the whole question. What others wrote is
// text, tokens are short and texts are hidden.
func TestPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.seed()
	empty := r.ok("/explain")
	says(t, empty, `<html lang="en">`, `<form action="/explain" method="get"`, `name="app"`, `name="user"`, `name="message"`, "Name a user, a message, or both.")
	inline := regexp.MustCompile(`(?i)<script|\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:|(?:src|href|action)="(?:https?:)?//`)
	for path, want := range map[string][]string{
		"/explain?app=demo&user=bob":                         {"m-1", "m-2", "dead", "waiting", "CN_012…cdef", "/explain?app=demo&amp;lang=en&amp;message=m-1&amp;user=bob"},
		"/explain?app=demo&user=bob&message=m-1":             {"bad_payload", "<code>41</code>", "invalid arguments", "The vendor calls the request wrong", "said &lt;script&gt;", "dead letter 1", hongyan.TraceID("demo", "m-1"), `data-vendor="oppo" data-heading="card"`, "ColorOS", "Text is not shown here"},
		"/explain?user=bob&message=demo/m-2":                 {"The certificate is parked", "waits for oppo certificate 35001", "No worker runs", `value="m-2"`, "▒▒"},
		"/explain?app=demo&user=*":                           {"* has no registered device now"},
		"/explain?app=demo&message=*":                        {"Nothing is known of message * since"},
		"/explain?app=demo&message=m-1":                      {"Everybody&#39;s devices", "bad_payload", `user=bob">`, "1</td>"},
		"/explain?app=demo&message=m-9":                      {"Nothing is known of message m-9 since"},
		"/explain?app=demo&user=nobody":                      {"nobody has no registered device now"},
		"/explain?app=demo&user=bob&lang=zh":                 {`<html lang="zh-CN">`, "经过", "等待中", "已死", "现在登记的设备", "厂商称请求不对"},
		"/explain?app=demo&user=" + url.QueryEscape(hostile): {"&lt;script&gt;"},
	} {
		body := r.ok(path)
		says(t, body, want...)
		visible := attribute.ReplaceAllStringFunc(body, func(a string) string {
			if strings.HasPrefix(a, "value=") {
				return "" // what was typed, as it was typed
			}
			return a
		})
		if found := inline.FindString(tags(visible)); found != "" {
			t.Errorf("%s: inline code or an address elsewhere: %s", path, found)
		}
		for _, secret := range []string{token, "0123456789", "See you at eight", "\u202e"} {
			if strings.Contains(visible, secret) {
				t.Errorf("%s shows %q", path, secret)
			}
		}
	}
	for path, want := range map[string]string{
		"/explain?app=de+mo&user=bob":                        "app is no name of an app",
		"/explain?user=bob":                                  "app is no name of an app",
		"/explain?app=demo&user=&message=":                   "give a user, a message, or both",
		"/explain?app=demo&user=bob&since=soon":              "since is neither a time",
		"/explain?app=demo&user=" + strings.Repeat("x", 257): "at most 256 bytes",
		"/explain?app=demo&user=%ff":                         "at most 256 bytes",
		"/explain?app=demo&user=bob&limit=1000":              "limit is no number",
		"/explain?app=demo&user=bob&limit=5x":                "limit is no number",
		"/explain?app=*&user=bob":                            "app is no name of an app",
		"/explain?message=*/m-1":                             "app is no name of an app",
	} {
		if resp, body := r.get(path, nil); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%.60s: HTTP %d", path, resp.StatusCode)
		}
	}
}

// What a newer worker says in words of its own is shown in them.
func TestPageOfANewerWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	data := []byte(`{"message_id":"m-1","app":"demo","vendor":"oppo","certificate":"35001","status":"displayed","at":"2026-11-23T08:00:00Z","devices":[{"user":"bob","device":"phone","reason":"seen"}]}`)
	if errs := r.bus.Publish(r.t.Context(), []dispatch.Outgoing{{Subject: hongyan.Subjects{}.Outcome("demo", "displayed", hongyan.Partition("bob")), Data: data}}); errs != nil {
		t.Fatal(errs)
	}
	for _, path := range []string{"/explain?app=demo&user=bob", "/explain?app=demo&user=bob&message=m-1&lang=zh", "/explain?app=demo&message=m-1"} {
		says(t, r.ok(path), "displayed</span>", "<code>seen")
	}
}

var attribute = regexp.MustCompile(`[a-z]+="[^"]*"`)

// tags leaves of a page the tags alone.
func tags(html string) string {
	return strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(html, -1), "\n")
}

// Where the configuration says so, what waits or is dead is shown as the phone does.
func TestPageShowsText(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.ShowText = true })
	r.seed()
	says(t, r.ok("/explain?app=demo&user=bob&message=m-2"), `<p class="title" dir="auto">Alice</p>`, "See you at eight &lt;script&gt;")
	if body := r.ok("/explain?app=demo&user=bob"); strings.Contains(body, "See you") {
		t.Error("a list of decisions shows texts")
	}
}

// The API's form is what docs/explain.md says.
func TestAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.seed()
	var e struct {
		App, User, Message, Trace string
		Devices                   []struct{ Device, Token, Certificate string }
		Decisions                 []struct {
			Status, Reason, Error, Meaning, Advice string
			Code                                   string `json:"vendor_code"`
			Letter                                 uint64
		}
		Waiting  []struct{ Device, Reason string }
		Previews []struct {
			Device, Vendor, Title, Body string
			Hidden                      bool
		}
		Notes []string
	}
	if err := json.Unmarshal([]byte(r.ok("/api/explain?app=demo&user=bob&message=m-1")), &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Devices) != 1 || e.Devices[0].Token != "CN_012…cdef" || len(e.Decisions) != 1 || e.Decisions[0].Code != "41" || e.Decisions[0].Letter != 1 ||
		!strings.Contains(e.Decisions[0].Advice, "calls the request wrong") || len(e.Previews) != 1 || !e.Previews[0].Hidden || e.Previews[0].Body != "" || e.Trace != hongyan.TraceID("demo", "m-1") || e.Waiting == nil || e.Notes == nil {
		t.Errorf("%+v", e)
	}
	says(t, r.ok("/api/explain?app=demo&user=bob&message=m-1&lang=zh"), "厂商称请求不对")
	var to struct {
		Counts []struct {
			Status, Reason, Advice string
			Devices                int
		}
		Devices []struct{ User, Device, Status string }
	}
	if err := json.Unmarshal([]byte(r.ok("/api/explain?app=demo&message=m-1")), &to); err != nil {
		t.Fatal(err)
	}
	if len(to.Counts) != 1 || to.Counts[0].Devices != 1 || to.Counts[0].Reason != "bad_payload" || len(to.Devices) != 1 || to.Devices[0].User != "bob" {
		t.Errorf("%+v", to)
	}
	resp, body := r.get("/api/explain?app=demo", nil)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, `{"error":"give a user`) || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
}

// While all turns are taken a question is asked to come again, and so it is before there is
// anything to read.
func TestComeAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for range atOnce {
		r.page.turns <- struct{}{}
	}
	if resp, body := r.get("/api/explain?app=demo&user=bob", nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "other questions") {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
	<-r.page.turns
	r.ok("/api/explain?app=demo&user=bob")
	r.page.Open(nil)
	if resp, body := r.get("/explain?app=demo&user=bob", nil); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "not connected to NATS yet") {
		t.Errorf("HTTP %d %s", resp.StatusCode, body)
	}
}

// Each word has both languages; a word that the template asks for and nobody wrote fails TestPage.
func TestWords(t *testing.T) {
	t.Parallel()
	template, err := files.ReadFile("files/page.html")
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range words {
		if text.EN == "" || text.ZH == "" {
			t.Errorf("%s lacks a language", key)
		}
		if !hongyan.Status(key).Known() && key != "waited" && !strings.Contains(string(template), `.Say "`+key+`"`) {
			t.Errorf("%s is on no page", key)
		}
	}
	for _, asked := range regexp.MustCompile(`\.Say "(\w+)"`).FindAllStringSubmatch(string(template), -1) {
		if _, known := words[asked[1]]; !known {
			t.Errorf("the page says %s, which is no word", asked[1])
		}
	}
	for _, status := range hongyan.Statuses {
		if _, known := words[string(status)]; !known {
			t.Errorf("status %s has no word", status)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]explain.Language{"": "en", "en-US,zh;q=0.8": "en", "zh-CN,zh;q=0.9": "zh", "zh": "zh", "fr": "en", "zho": "en"} {
		r := httptest.NewRequest(http.MethodGet, "/explain", nil)
		r.Header.Set("Accept-Language", accept)
		if got := language(r); got != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
}
