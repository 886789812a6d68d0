package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/telemetry"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/meizu"
)

// idleReadings are readings of a configuration with a certificate c, which nothing reads, and what
// the metrics show of them.
func idleReadings(t *testing.T) (r *readings, conf *config.Config, show func() string) {
	t.Helper()
	tel, err := telemetry.Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	conf = &config.Config{Apps: []config.App{{Certificates: []vendors.Config{&meizu.Config{Common: vendors.Common{ID: "c", Vendor: "meizu"}}}}}}
	r, err = newReadings(tel.Meter, nil, func() *config.Config { return conf }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r, conf, func() string {
		w := httptest.NewRecorder()
		tel.Metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
}

// What a configuration takes out is shown no longer.
func TestReadingsForget(t *testing.T) {
	t.Parallel()
	r, conf, show := idleReadings(t)
	r.backlogs["meizu"], r.oldest["meizu"] = bus.Backlog{Jobs: 1}, map[string]time.Time{"c": time.Now()}
	r.quotas = []ratelimit.CertificateState{{ID: "c", Classes: []ratelimit.ClassState{{Name: "public", Normal: &ratelimit.PoolState{Limit: 100}}}}}
	r.dated("meizu", "c")(time.Now().UTC().Format(http.TimeFormat))
	shown := func() int { return strings.Count(show(), `"meizu"`) }
	if n := shown(); n != 5 { // backlog, oldest, limit, left, skew
		t.Errorf("%d series before, want 5", n)
	}
	conf.Apps = nil
	r.forget("c")
	if n := shown(); n != 0 {
		t.Errorf("%d series of what is gone", n)
	}
}
