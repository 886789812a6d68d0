package ratelimit_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// apply gives a command as another program does, which has the same configuration and does not run.
func (p *pair) apply(cert ratelimit.Certificate, o ratelimit.Command) {
	p.t.Helper()
	tool := limiter(p.t, p.store, ratelimit.Options{Member: "tool", Certificates: []ratelimit.Certificate{cert}})
	o.Certificate, o.Reason, o.By, o.Now = "c", "a test", "op", p.now
	if err := tool.Apply(p.t.Context(), o); err != nil {
		p.t.Fatalf("%s: %v", o.Action, err)
	}
	p.pass(2 * time.Second)
}

// all takes until nothing is left and says how much it was.
func (p *pair) all() (n int) {
	p.t.Helper()
	for range 12 {
		for _, l := range []*ratelimit.Limiter{p.a, p.b} {
			g := take(p.t, l, request(100, p.now))
			l.Settle(g, counted(g.Devices, p.now))
			n += g.Devices
		}
		p.pass(time.Second)
	}
	return n
}

func TestCommands(t *testing.T) {
	t.Parallel()
	cert := quota(100)
	p := newPair(t, cert)
	expect := func(what string, want int) {
		t.Helper()
		if got := p.all(); got != want {
			t.Errorf("%s: %d were granted, want %d", what, got, want)
		}
	}
	expect("configured", 100)
	p.apply(cert, ratelimit.Command{Action: ratelimit.SetQuota, Class: "private", Quota: 150})
	expect("set to 150", 50)
	p.apply(cert, ratelimit.Command{Action: ratelimit.ResetQuota, Class: "private"})
	expect("reset at 150", 150)
	p.apply(cert, ratelimit.Command{Action: ratelimit.SetQuota, Class: "private", Quota: 120})
	expect("lowered", 0)
	p.apply(cert, ratelimit.Command{Action: ratelimit.SetQuota, Class: "private", Quota: vendors.Unlimited})
	if got := p.all(); got != 2400 {
		t.Errorf("unlimited: %d, want all that was asked for", got)
	}
	p.apply(cert, ratelimit.Command{Action: ratelimit.DropOverride, Class: "private"})
	expect("dropped", 0)

	p.now = time.Date(2026, 11, 24, 8, 0, 0, 0, shanghai)
	p.apply(cert, ratelimit.Command{Action: ratelimit.ResetQuota, Class: "private"}) // of nothing
	expect("the next day", 100)
	p.apply(cert, ratelimit.Command{Action: ratelimit.SetQuota, Class: "private", Quota: 130})
	expect("set to 130", 30)
	p.now = time.Date(2026, 11, 25, 8, 0, 0, 0, shanghai)
	p.pass(2 * time.Second)
	expect("an override ends with its day", 100)
}

// Every worker logs a command once, with who gave it and why.
func TestCommandsAreLogged(t *testing.T) {
	t.Parallel()
	p := newPair(t, quota(100))
	var log bytes.Buffer
	p.b = limiter(t, p.store, ratelimit.Options{Member: "w9", Certificates: []ratelimit.Certificate{quota(100)}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p.pass(time.Second)
	p.apply(quota(100), ratelimit.Command{Action: ratelimit.SetQuota, Class: "private", Quota: 150})
	p.apply(quota(100), ratelimit.Command{Action: ratelimit.ResumeRate})
	p.pass(5 * time.Second)
	for _, want := range []string{
		`msg="operator changes a limit" action=set_quota certificate=c class=private quota=150 reason="a test" by=op`,
		`msg="operator changes a limit" action=resume_rate certificate=c class="" quota=0 reason="a test" by=op`,
	} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%d lines say %s:\n%s", n, want, log.String())
		}
	}
}

func TestCertificatesWithTheirClasses(t *testing.T) {
	t.Parallel()
	l := limiter(t, newPair(t, quota(1)).store, certificates(quota(7)))
	take(t, l, request(1, noon))
	cap2 := request(1, noon)
	cap2.Class = vendors.Class{Name: "public", Capped: true, DailyQuota: 30, DeviceCap: 2}
	take(t, l, cap2)
	data, err := json.Marshal(l.Certificates())
	if err != nil {
		t.Fatal(err)
	}
	var got []ratelimit.Certificate
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := quota(7)
	want.Timezone, want.Timeout = "Asia/Shanghai", 10*time.Second
	want.Classes = []vendors.Class{{Name: "private"}, cap2.Class}
	if diff := cmp.Diff([]ratelimit.Certificate{want}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	cert := ratelimit.Certificate{ID: "c", Rate: vendors.Rate{DevicesPerSecond: 1000}}
	p := newPair(t, cert)
	p.pass(time.Second)
	p.now = p.now.Add(500 * time.Millisecond)
	p.a.Settle(take(t, p.a, request(1, p.now)), ratelimit.Outcome{QuotaSpent: 1, Now: p.now})
	g := take(t, p.b, request(1, p.now))
	p.b.Settle(g, ratelimit.Outcome{RateLimited: 1, RetryAfter: 30 * time.Minute, Now: p.now})
	p.pass(2 * time.Second)
	for _, l := range []*ratelimit.Limiter{p.a, p.b} {
		if g := take(t, l, request(1, p.now)); g.Devices != 0 {
			t.Fatal("exhausted and paused, and still granted")
		}
	}
	p.apply(cert, ratelimit.Command{Action: ratelimit.ResumeRate})
	for _, l := range []*ratelimit.Limiter{p.a, p.b} {
		if g := take(t, l, request(1, p.now)); g.Reason != vendors.QuotaSpent {
			t.Errorf("after ResumeRate: %d, %v, want quota_spent", g.Devices, g.Reason)
		}
	}
	p.apply(cert, ratelimit.Command{Action: ratelimit.ResumeQuota, Class: "private"})
	for _, l := range []*ratelimit.Limiter{p.a, p.b} {
		if g := take(t, l, request(20, p.now)); g.Devices != 20 {
			t.Errorf("after ResumeQuota: %d, %v, want 20", g.Devices, g.Reason)
		}
	}
}

func TestCommandProblems(t *testing.T) {
	t.Parallel()
	p := newPair(t, quota(100))
	good := ratelimit.Command{Action: ratelimit.ResumeQuota, Certificate: "c", Class: "private", Reason: "x", Now: p.now}
	tests := []struct {
		name  string
		spoil func(*ratelimit.Command)
	}{
		{"no-reason", func(o *ratelimit.Command) { o.Reason = "" }},
		{"no-certificate", func(o *ratelimit.Command) { o.Certificate = "x" }},
		{"no-class", func(o *ratelimit.Command) { o.Class = "" }},
		{"no-action", func(o *ratelimit.Command) { o.Action = "explode" }},
		{"past", func(o *ratelimit.Command) { o.Action, o.Until = ratelimit.SetQuota, p.now.Add(-time.Hour) }},
	}
	for _, tt := range tests {
		o := good
		tt.spoil(&o)
		if err := p.a.Apply(t.Context(), o); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	cert := quota(100)
	cert.UrgentReserve = 0.1
	cert.Rate = vendors.Rate{DevicesPerSecond: 1000}
	p := newPair(t, cert)
	p.now = p.now.Add(500 * time.Millisecond)
	g := take(t, p.a, request(30, p.now))
	p.a.Settle(g, counted(20, p.now))
	// Two lost returns, and entries: exhausted for a class that nobody configured.
	p.b.Settle(take(t, p.b, ratelimit.Request{Certificate: "c", Class: public, Devices: 1, Now: p.now}), ratelimit.Outcome{QuotaSpent: 1, Now: p.now})
	p.pass(time.Second)
	tool := limiter(t, p.store, ratelimit.Options{Member: "tool", Certificates: []ratelimit.Certificate{cert}})
	got, err := tool.Snapshot(t.Context(), p.now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Workers {
		got.Workers[i].Since = time.Time{}
	}
	midnight := time.Date(2026, 11, 24, 0, 0, 5, 0, shanghai)
	want := ratelimit.Snapshot{
		At:      p.now,
		Workers: []ratelimit.Worker{{Name: "a", Share: 0.5}, {Name: "b", Share: 0.5}},
		Certificates: []ratelimit.CertificateState{{
			ID: "c", Unit: "devices", Rate: 1000, Current: 1000,
			Classes: []ratelimit.ClassState{
				{
					Name: "private", Day: "20261123", Ends: midnight, Quota: 100, Configured: 100,
					Normal: &ratelimit.PoolState{Limit: 90, Used: 20, Leased: 10, Left: 60},
					Urgent: &ratelimit.PoolState{Limit: 10, Left: 10},
				},
				{Name: "public", Day: "20261123", Ends: midnight, Quota: vendors.Unlimited, Configured: vendors.Unlimited, SpentUntil: midnight},
			},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Snapshot (-want +got):\n%s", diff)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}
