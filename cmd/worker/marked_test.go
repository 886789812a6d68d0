package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/instrument"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// collector is where a worker's traces and metrics go.
type collector struct {
	mu   sync.Mutex
	said map[string]*strings.Builder // by path
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said[r.URL.Path] == nil {
		c.said[r.URL.Path] = &strings.Builder{}
	}
	c.said[r.URL.Path].Write(data) // protobuf keeps texts as they are
}

func (c *collector) of(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.said[path]; b != nil {
		return b.String()
	}
	return ""
}

// secretTexts are the secrets of a configuration, as they would look wherever they stood.
func secretTexts(t *testing.T, file string) []string {
	t.Helper()
	conf, err := config.Load(file, kinds)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	material := regexp.MustCompile(`^[A-Za-z0-9+/=]{40,}$`)
	for _, a := range conf.Apps {
		for _, c := range a.Certificates {
			for secret := range strings.SplitSeq(string(secretsOf(c)), "\x00") {
				if !strings.Contains(secret, "\n") {
					if len(secret) >= 8 {
						all = append(all, secret)
					}
					continue
				}
				// a file: the lines of its key
				for line := range strings.FieldsFuncSeq(strings.ReplaceAll(secret, `\n`, "\n"), func(r rune) bool { return r == '\n' || r == '"' }) {
					if material.MatchString(line) {
						all = append(all, line)
					}
				}
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("the configuration has %d secrets: they are not read", len(all))
	}
	return all
}

// No secret, token or text stands in what a worker logs at debug, in its metrics, its traces, or
// the errors that it stores, whatever the vendors answer and whatever is published. Each vendor's
// calls are logged, counted and traced.
func TestNothingSecretIsTold(t *testing.T) {
	t.Parallel()
	const mark = "xq7Zitadelle"
	otlp := &collector{said: map[string]*strings.Builder{}}
	server := httptest.NewServer(otlp)
	defer server.Close()
	r := newRig(t, "log: {level: debug}\n")
	listen := freePort(t)
	written, err := os.ReadFile(r.config())
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.Replace(string(written), `"off"`, `"`+listen+`"`, 1)
	conf = regexp.MustCompile(`(?m)^( *)vendor: oppo$`).ReplaceAllString(conf, "$0\n${1}daily_quota: {private: 100000}")
	if err := os.WriteFile(r.config(), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	hidden := map[string]string{mark: "a text"}
	for _, k := range secretTexts(t, r.config()) {
		hidden[k] = "a secret"
	}
	r.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_METRIC_EXPORT_INTERVAL=500"}

	r.put("push.user.demo.eve.device.d", map[string]any{"certificate": mark, "token": 5, "locale": mark})
	r.put("push.user.demo.eve.settings", map[string]any{"quiet_hours": map[string]string{"from": mark, "timezone": mark}, "preview": mark})
	// each outage parks the certificate for a while, so each vendor has one
	outages := []string{sandbox.FaultServerError, sandbox.FaultGarbage, sandbox.FaultResetBefore, sandbox.FaultResetAfter}
	faults := func(i int) []string {
		return []string{"", sandbox.FaultDeadToken, sandbox.FaultExpiredAuth, outages[i%len(outages)]}
	}
	for i, v := range allVendors {
		for _, fault := range faults(i) {
			user := v + "-" + fault
			token := r.register(user, "phone", v)
			hidden[token] = "a token of " + v
			if fault != "" {
				r.box.Arm(sandbox.Fault{Vendor: v, Kind: fault, Times: 1})
			}
		}
	}
	w := r.start()
	until(t, "the worker is ready", func() bool {
		status, _, err := get("http://" + listen + "/readyz")
		return err == nil && status == 200
	})
	ends := 0
	for i, v := range allVendors {
		for _, fault := range faults(i) {
			m := chat(v+"-"+fault, v+"-"+fault)
			m.Conversation, m.Sender.Nickname, m.Content.Text = hongyan.Conversation{Type: hongyan.ConversationGroup, ID: "g-1", Name: mark}, mark, mark+" kommt um acht"
			m.OfflinePush = hongyan.OfflinePush{Title: mark, Desc: mark + "\U0001f600", Ext: `{"x":"` + mark + `"}`}
			r.send(m)
			ends++
		}
	}
	for i, data := range []string{mark, `{"id":"bad-1","recipients":"` + mark + `","content":{"type":"text","text":"` + mark + `"}}`,
		`{"id":"bad-2","conversation":{"type":"` + mark + `"},"sender":{"id":"a"},"recipients":["bob"],"content":{"type":"` + mark + `"},"sent_at":"` + mark + `"}`} {
		out := dispatch.Outgoing{Subject: "push.message.demo", ID: fmt.Sprint("bad/", i), Data: []byte(data), Header: map[string]string{"traceparent": mark}}
		if errs := r.bus.Publish(t.Context(), []dispatch.Outgoing{out}); errs != nil {
			t.Fatal(errs)
		}
	}
	until(t, "every message has its end", func() bool { return len(r.outcomes()) >= ends })
	r.settled(time.Minute, allVendors...)
	_, metrics, err := get("http://" + listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.stop(sigterm); err != nil {
		t.Errorf("the worker left with %v", err)
	}

	letters, err := r.bus.Read(t.Context(), r.bus.Topology().Dead(), "push.dead.>", 1, 1000)
	if err != nil || len(letters) < 3+len(allVendors) {
		t.Fatalf("%d letters, %v", len(letters), err)
	}
	var errors strings.Builder
	for _, l := range letters {
		fmt.Fprintln(&errors, l.Subject, l.Header)
	}
	records, err := r.bus.Read(t.Context(), r.bus.Topology().Outcomes(), "push.outcome.>", 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range records {
		fmt.Fprintf(&errors, "%s\n", o.Data)
	}
	told := map[string]string{"the log": w.log.String(), "/metrics": metrics, "the traces": otlp.of("/v1/traces"), "the exported metrics": otlp.of("/v1/metrics"), "the letters and outcomes": errors.String()}
	signed := regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}|[Bb]earer [A-Za-z0-9]`)
	for where, text := range told {
		for word, what := range hidden {
			if at := strings.Index(text, word); at >= 0 {
				t.Errorf("%s tells %s: …%s…", where, what, text[max(0, at-150):min(len(text), at+60)])
			}
		}
		if found := signed.FindString(text); found != "" {
			t.Errorf("%s tells a credential: %s", where, found)
		}
	}
	for _, v := range allVendors {
		for where, want := range map[string]string{"the log": `msg="push attempt" app=demo vendor=` + v, "/metrics": `hongyan_stage_duration_seconds_bucket{certificate="demo-` + v, "the traces": "send demo-" + v} {
			if !strings.Contains(told[where], want) {
				t.Errorf("%s does not have %s", where, want)
			}
		}
	}
	for _, want := range []string{"process push.message.demo", "http.request.method", "error.type", "messaging.message.id"} {
		if !strings.Contains(told["the traces"], want) {
			t.Errorf("the traces do not have %s", want)
		}
	}
	if !strings.Contains(told["the exported metrics"], "hongyan.attempts") {
		t.Error("no metrics are exported")
	}
	labelled(t, metrics)
}

// labelled holds that the series of a scrape have the labels that the list of metrics says.
func labelled(t *testing.T, scrape string) {
	t.Helper()
	listed := map[string][]string{}
	for _, m := range instrument.All() {
		listed[m.Exported()] = m.Labels
	}
	series, label := regexp.MustCompile(`(?m)^(hongyan_\w+?)(_bucket|_sum|_count)?(?:\{(.*)\})? `), regexp.MustCompile(`(\w+)="`)
	seen := map[string]bool{}
	for _, s := range series.FindAllStringSubmatch(scrape, -1) {
		var names []string
		for _, l := range label.FindAllStringSubmatch(s[3], -1) {
			if l[1] != "le" {
				names = append(names, l[1])
			}
		}
		want := slices.Sorted(slices.Values(listed[s[1]]))
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("%s has the labels %v, want %v", s[1], names, want)
		}
		seen[s[1]] = true
	}
	for _, name := range []string{"hongyan_batch_size", "hongyan_oldest_seconds", "hongyan_clock_skew_seconds", "hongyan_credential_expiry_seconds", "hongyan_quota_left"} {
		if !seen[name] {
			t.Errorf("/metrics does not have %s", name)
		}
	}
}
