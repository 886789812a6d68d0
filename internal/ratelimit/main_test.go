package ratelimit_test

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is far from any midnight of Asia/Shanghai.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, shanghai)

var shanghai = time.FixedZone("CST", 8*3600)

var private = vendors.Class{Name: "private"}

// limiter makes a limiter that closes with the test.
func limiter(t testing.TB, store ratelimit.Store, opts ratelimit.Options) *ratelimit.Limiter {
	t.Helper()
	if opts.Member == "" {
		opts.Member = "w1"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	l, err := ratelimit.New(store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// quota is a certificate "c" with a daily quota for private messages.
func quota(n vendors.Quota) ratelimit.Certificate {
	return ratelimit.Certificate{ID: "c", DailyQuota: map[string]vendors.Quota{"private": n}}
}

func certificates(c ...ratelimit.Certificate) ratelimit.Options {
	return ratelimit.Options{Certificates: c}
}

// request asks for n devices of certificate "c".
func request(n int, now time.Time) ratelimit.Request {
	return ratelimit.Request{Certificate: "c", Class: private, Devices: n, Now: now}
}

func take(t testing.TB, l *ratelimit.Limiter, r ratelimit.Request) ratelimit.Grant {
	t.Helper()
	g, err := l.Take(t.Context(), r)
	if err != nil {
		t.Fatalf("Take: %v", err)
	}
	if (g.Devices == 0) != (g.Reason != "") || (g.Devices == 0) != (g.Wait > 0) || g.Devices < 0 || g.Devices > r.Devices {
		t.Fatalf("Take(%d) = %d devices, %v, wait %v: nothing must come with a reason and a wait, and only nothing", r.Devices, g.Devices, g.Reason, g.Wait)
	}
	return g
}

// counted is the outcome of a call in which the vendor counted n devices.
func counted(n int, now time.Time) ratelimit.Outcome { return ratelimit.Outcome{Counted: n, Now: now} }
