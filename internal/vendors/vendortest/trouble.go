package vendortest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// fullBatch fills one call as far as the driver says it goes, with one notification and with
// different ones.
func fullBatch(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	l := r.Driver.Limits()
	if l.Batch < 1 {
		t.Fatalf("Limits.Batch is %d", l.Batch)
	}
	wantAll(t, r, push(r, r.Batch(l.Batch, Chat())), l.Batch, vendors.Accepted)
	if l.Mixed > 1 {
		wantAll(t, r, push(r, r.Mixed(l.Mixed)), l.Mixed, vendors.Accepted)
	}
	want := l.Batch
	if l.Mixed > 1 {
		want += l.Mixed
	}
	if got := len(r.Sandbox.Pushes()); got != want {
		t.Errorf("the fake accepted %d pushes, want %d", got, want)
	}
	for _, v := range r.Sandbox.Violations() {
		t.Errorf("broken rule: %s (%s)", v.Rule, v.Code)
	}
}

// deadAmongLive wants exactly the dead device of a batch to be called dead.
func deadAmongLive(t *testing.T, s Subject) {
	sizes := map[string]vendors.Batch{}
	r := NewRig(t, s, nil)
	l := r.Driver.Limits()
	sizes["single"] = r.Batch(1, Chat())
	if l.Batch > 1 {
		sizes["batch"] = r.Batch(3, Chat())
	}
	if l.Mixed > 1 {
		sizes["mixed"] = r.Mixed(3)
	}
	for name, b := range sizes {
		t.Run(name, func(t *testing.T) {
			r := NewRig(t, s, nil)
			dead := len(b.Devices) - 1
			r.Sandbox.Kill(s.Fake.Vendor, b.Devices[dead].Token)
			got := push(r, b)
			if len(got) != len(b.Devices) {
				t.Fatalf("got %d results for %d devices", len(got), len(b.Devices))
			}
			for i, res := range got {
				want := vendors.Accepted
				if i == dead {
					want = vendors.BadToken
				}
				if res.Reason != want {
					t.Errorf("device %d: got %v (code %q, err %v), want %v", i, res.Reason, res.Code, res.Err, want)
				}
				if want != vendors.Accepted && res.Err == nil {
					t.Errorf("device %d: a dead token without a word why: a dead letter would say nothing", i)
				}
				noLeak(t, r, res)
			}
		})
	}
}

// trouble arms each fault once and wants its reason, and then a healthy push.
func trouble(t *testing.T, s Subject) {
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
		want  vendors.Reason
		// kept is whether the vendor accepted the push although we heard nothing.
		kept bool
	}{
		{name: "server_error", fault: sandbox.Fault{Kind: sandbox.FaultServerError}, want: vendors.Unavailable},
		{name: "bad_gateway", fault: sandbox.Fault{Kind: sandbox.FaultServerError, Status: 502}, want: vendors.Unavailable},
		{name: "garbage", fault: sandbox.Fault{Kind: sandbox.FaultGarbage}, want: vendors.Unavailable},
		{name: "reset_before", fault: sandbox.Fault{Kind: sandbox.FaultResetBefore}, want: vendors.Unavailable},
		{name: "reset_after", fault: sandbox.Fault{Kind: sandbox.FaultResetAfter}, want: vendors.Unavailable, kept: true},
		{name: "throttle", fault: sandbox.Fault{Kind: sandbox.FaultThrottle}, want: vendors.RateLimited},
		// One expiry is met by one fresh token, unseen by the caller.
		{name: "expired_auth", fault: sandbox.Fault{Kind: sandbox.FaultExpiredAuth}, want: vendors.Accepted, kept: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRig(t, s, nil)
			// The first push opens the connection and fetches the token, so that the fault meets a
			// warm driver.
			wantAll(t, r, push(r, r.Batch(1, Corpus()["ascii"])), 1, vendors.Accepted)
			before := len(r.Sandbox.Pushes())
			c.fault.Vendor, c.fault.Times = s.Fake.Vendor, 1
			r.Sandbox.Arm(c.fault)
			got := push(r, r.Batch(1, Chat()))
			if len(got) != 1 {
				t.Fatalf("got %d results for one device", len(got))
			}
			noLeak(t, r, got[0])
			if len(r.Sandbox.Faults()) != 0 {
				if c.name == "throttle" || c.name == "expired_auth" {
					return // this vendor has no such answer, and its fake therefore no such fault
				}
				t.Fatal("the fault did not strike")
			}
			want := c.want
			if got[0].Reason == vendors.Accepted && c.fault.Kind == sandbox.FaultResetBefore {
				// the HTTP library may repeat a request that no byte of was answered
				want = vendors.Accepted
			}
			if got[0].Reason != want {
				t.Errorf("got %v (code %q, err %v), want %v", got[0].Reason, got[0].Code, got[0].Err, want)
			}
			if after := len(r.Sandbox.Pushes()); c.kept && after <= before {
				t.Error("the fake did not accept the push")
			}
			wantAll(t, r, push(r, r.Batch(1, Chat())), 1, vendors.Accepted)
		})
	}
}

// hang wants a Timeout result within the certificate's timeout.
func hang(t *testing.T, s Subject) {
	r := NewRig(t, s, func(c *vendors.Common) { c.Timeout = 500 * time.Millisecond })
	wantAll(t, r, push(r, r.Batch(1, Corpus()["ascii"])), 1, vendors.Accepted)
	r.Sandbox.Arm(sandbox.Fault{Vendor: s.Fake.Vendor, Kind: sandbox.FaultHang})
	began := time.Now()
	wantAll(t, r, push(r, r.Batch(1, Chat())), 1, vendors.Timeout)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a hanging vendor held the call for %v with a timeout of 500ms", took)
	}
}

// cancelled wants our own shutdown not to look like the vendor's failure.
func cancelled(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	wantAll(t, r, push(r, r.Batch(1, Corpus()["ascii"])), 1, vendors.Accepted)
	r.Sandbox.Arm(sandbox.Fault{Vendor: s.Fake.Vendor, Kind: sandbox.FaultHang})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan []vendors.Result, 1)
	go func() { done <- r.Driver.Push(ctx, r.Batch(1, Chat())) }()
	for len(r.Requests.Take()) == 0 { // until the request has reached the fake
		time.Sleep(time.Millisecond)
	}
	cancel()
	wantAll(t, r, <-done, 1, vendors.Interrupted)
}

// concurrent uses the driver from many goroutines; the race detector watches.
func concurrent(t *testing.T, s Subject) {
	r := NewRig(t, s, nil)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			b := r.Batch(1, Chat())
			b.Devices[0].Token = s.Token(i)
			if got := push(r, b); got[0].Reason != vendors.Accepted {
				t.Errorf("goroutine %d: got %v (code %q, err %v)", i, got[0].Reason, got[0].Code, got[0].Err)
			}
		})
	}
	wg.Wait()
}

// refusedConnection wants a vendor that is not there to be Unavailable.
func refusedConnection(t *testing.T, s Subject) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "https://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewRig(t, s, func(c *vendors.Common) { c.Endpoint = gone })
	for _, res := range push(r, r.Batch(1, Chat())) {
		if res.Reason != vendors.Unavailable && res.Reason != vendors.Timeout {
			t.Errorf("got %v (err %v), want unavailable", res.Reason, res.Err)
		}
		noLeak(t, r, res)
	}
}
