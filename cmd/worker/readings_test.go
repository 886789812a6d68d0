package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus/bustest"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/telemetry"
	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/accesstoken"
	"github.com/hongyan-im/hongyan/internal/vendors/meizu"
)

// What waits is read for each certificate, those without a job and those that the configuration
// lacks included; with it the quotas, the end of a token, and the clocks.
func TestReadings(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, "meizu")
	app := config.App{ID: "demo"}
	for _, id := range []string{"idle", "busy"} {
		app.Certificates = append(app.Certificates, &meizu.Config{Common: vendors.Common{ID: id, Vendor: "meizu", DailyQuota: map[string]vendors.Quota{"public": 1000}}})
	}
	conf := &config.Config{Apps: []config.App{app}}
	tel, err := telemetry.Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	r, err := newReadings(tel.Meter, b, func() *config.Config { return conf }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, certificate := range []string{"busy", "gone"} {
		out := dispatch.Outgoing{Subject: hongyan.Subjects{}.Job("meizu", certificate, hongyan.LaneNormal), ID: certificate, Data: []byte("{}")}
		if errs := b.Publish(t.Context(), []dispatch.Outgoing{out}); errs != nil {
			t.Fatal(errs)
		}
	}
	ends := time.Now().Add(time.Hour)
	source := accesstoken.New(func(context.Context, time.Time) (vendors.AccessToken, error) {
		return vendors.AccessToken{Value: "x", Expires: ends}, nil
	}, accesstoken.Options{})
	r.token("busy", source)
	if _, err := source.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.dated("meizu", "busy")(time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))
	var limits []ratelimit.Certificate
	for _, c := range app.Certificates {
		limits = append(limits, ratelimit.CertificateOf(c.Base()))
	}
	limiter, err := ratelimit.New(b.LimitStore(), ratelimit.Options{Certificates: limits, Member: "w"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.run(ctx, limiter) })
	defer wg.Wait()
	defer stop()

	value := func(series string) (float64, bool) {
		w := httptest.NewRecorder()
		tel.Metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(w.Body.String())
		if found == nil {
			return 0, false
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(found[1]), 64)
		return n, err == nil
	}
	for series, c := range map[string]struct{ least, most float64 }{
		`hongyan_backlog{vendor="meizu"}`:                                                         {2, 2},
		`hongyan_backlog{vendor="none"}`:                                                          {0, 0},
		`hongyan_oldest_seconds{certificate="idle",vendor="meizu"}`:                               {0, 0},
		`hongyan_oldest_seconds{certificate="busy",vendor="meizu"}`:                               {1e-9, 300},
		`hongyan_oldest_seconds{certificate="gone",vendor="meizu"}`:                               {1e-9, 300},
		`hongyan_oldest_seconds{certificate="none",vendor="none"}`:                                {0, 0},
		`hongyan_quota_limit{certificate="busy",class="public",pool="normal",vendor="meizu"}`:     {1000, 1000},
		`hongyan_quota_left{certificate="busy",class="public",pool="normal",vendor="meizu"}`:      {1000, 1000},
		`hongyan_credential_expiry_seconds{certificate="busy",credential="token",vendor="meizu"}`: {float64(ends.Unix()), float64(ends.Unix())},
		`hongyan_clock_skew_seconds{against="meizu",certificate="busy"}`:                          {58, 61},
		`hongyan_clock_skew_seconds{against="nats",certificate="none"}`:                           {-2, 2},
	} {
		var got float64
		until(t, series, func() (ok bool) {
			got, ok = value(series)
			return ok
		})
		if got < c.least || got > c.most {
			t.Errorf("%s is %v, want %v to %v", series, got, c.least, c.most)
		}
	}
}

// Where a quota is going is told for each of its pools, where that is known.
func TestQuotaForecastIsShown(t *testing.T) {
	t.Parallel()
	r, _, show := idleReadings(t)
	ends := time.Date(2026, 11, 27, 16, 40, 0, 0, time.UTC)
	r.quotas = []ratelimit.CertificateState{{ID: "c", Classes: []ratelimit.ClassState{
		{Name: "public", Normal: &ratelimit.PoolState{Limit: 100, Left: 7, Forecast: &ratelimit.Forecast{EndsAt: ends}}, Urgent: &ratelimit.PoolState{Forecast: &ratelimit.Forecast{}}}}}}
	want := `hongyan_quota_forecast_seconds{certificate="c",class="public",pool="normal",vendor="meizu"} ` + strconv.FormatFloat(float64(ends.Unix()), 'g', -1, 64) + "\n"
	if got := show(); !strings.Contains(got, want) || strings.Count(got, "hongyan_quota_forecast_seconds{") != 1 {
		t.Errorf("it shows\n%s\nwant %s", got, want)
	}
}

// The date of an answer is looked at once in a while.
func TestDatesAreLookedAtNowAndThen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	d := &dated{}
	say := func(ahead time.Duration) { d.hear(now.Add(ahead).Format(http.TimeFormat), now) }
	say(-time.Hour)
	say(time.Hour) // too soon
	if got := time.Duration(d.ahead.Load()); got != -time.Hour+time.Second/2 {
		t.Errorf("the vendor is %v ahead", got)
	}
	now = now.Add(datesEvery)
	d.hear("yesterday", now)
	now = now.Add(datesEvery)
	say(0)
	if got := time.Duration(d.ahead.Load()); got != time.Second/2 {
		t.Errorf("the vendor is %v ahead", got)
	}
}
