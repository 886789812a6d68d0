package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/ratelimit/ratelimittest"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A quota that is raised goes on from what was used, and a call that began under the former one
// settles.
func TestReplaceQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &ratelimittest.Store{}
		l := limiter(t, store, certificates(quota(10)))
		ended := make(chan error, 1)
		go func() { ended <- l.Run(t.Context()) }()
		time.Sleep(2 * time.Second)
		underWay := take(t, l, request(10, time.Now()))
		if underWay.Devices != 10 {
			t.Fatalf("%d devices were granted, want 10", underWay.Devices)
		}
		if err := l.Replace([]ratelimit.Certificate{quota(15)}); err != nil {
			t.Fatal(err)
		}
		l.Settle(underWay, counted(8, time.Now()))
		time.Sleep(10 * time.Second) // the two that were not counted go back
		sent := 0
		for range 4 {
			g := take(t, l, request(3, time.Now()))
			sent += g.Devices
			l.Settle(g, counted(g.Devices, time.Now()))
		}
		if sent != 7 {
			t.Errorf("after 8 of 15, %d devices more were granted, want 7", sent)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What a vendor said of a spent quota holds under the new limits, and one whose limits are the same
// is left alone; a rate that changed holds at once.
func TestReplaceKeepsWhatVendorsSaid(t *testing.T) {
	t.Parallel()
	l := limiter(t, &ratelimittest.Store{}, ratelimit.Options{Alone: true, Now: func() time.Time { return noon },
		Certificates: []ratelimit.Certificate{quota(10), {ID: "same"}}})
	g := take(t, l, request(1, noon))
	l.Settle(g, ratelimit.Outcome{QuotaSpent: 1, Now: noon})
	fast := quota(1000)
	fast.Rate = vendors.Rate{DevicesPerSecond: 50}
	if err := l.Replace([]ratelimit.Certificate{fast, {ID: "same"}}); err != nil {
		t.Fatal(err)
	}
	if g := take(t, l, request(1, noon)); g.Reason != vendors.QuotaSpent && g.Reason != vendors.RateLimited {
		t.Errorf("a quota that the vendor called spent grants %d devices", g.Devices)
	}
	if pace := l.Pace("c", 1); pace != 50 {
		t.Errorf("the pace is %v, want 50", pace)
	}
}

// A certificate that is taken out still answers for calls that had begun; one that is invalid
// changes nothing.
func TestReplaceTakesOut(t *testing.T) {
	t.Parallel()
	l := limiter(t, &ratelimittest.Store{}, certificates(quota(10)))
	if err := l.Replace([]ratelimit.Certificate{{ID: "new"}, {ID: "bad id"}}); err == nil {
		t.Error("a certificate with a bad id is taken")
	}
	if err := l.Replace([]ratelimit.Certificate{{ID: "new"}}); err != nil {
		t.Fatal(err)
	}
	if g := take(t, l, request(1, noon)); g.Devices != 1 {
		t.Errorf("%d devices were granted of what was taken out, want 1", g.Devices)
	}
	if all := l.Certificates(); len(all) != 1 || all[0].ID != "new" {
		t.Errorf("the certificates are %v", all)
	}
	if _, err := l.Take(t.Context(), ratelimit.Request{Certificate: "never", Now: noon}); err == nil {
		t.Error("a certificate that never was is granted something")
	}
}
