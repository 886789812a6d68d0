package fcm

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
	"github.com/hongyan-im/hongyan/internal/vendors/vendortest"
)

// bare is a driver before a server that does nothing but what a test wants, with HTTP/2 and 100
// streams as at Google.
type bare struct {
	driver vendors.Driver
	opened atomic.Int64 // connections
}

type fixedToken struct{}

func (fixedToken) Token(context.Context) (string, error) { return "t", nil }
func (fixedToken) Invalidate(string)                     {}

func bareServer(t testing.TB, handler http.HandlerFunc) *bare {
	t.Helper()
	b := &bare{}
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = true
	srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			b.opened.Add(1)
		}
	}
	srv.StartTLS()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	b.driver = bareDriver(t, srv.URL, ca)
	t.Cleanup(func() {
		b.driver.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return b
}

func bareDriver(t testing.TB, endpoint, ca string) vendors.Driver {
	t.Helper()
	c := subject().Config(endpoint, ca).(*Config)
	driver, err := c.Driver(vendors.Env{Tokens: func(string, vendors.TokenFetch) vendors.TokenSource { return fixedToken{} }})
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func (b *bare) push(t testing.TB, i int) vendors.Result {
	d := vendors.Device{Token: token(i), Key: "k", Notification: vendortest.Chat()}
	return b.driver.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{d}, Now: vendortest.Now})[0]
}

func (b *bare) burst(t *testing.T, n int) (failed int) {
	var bad atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if got := b.push(t, i); got.Reason != vendors.Accepted {
				bad.Add(1)
			}
		})
	}
	wg.Wait()
	return int(bad.Load())
}

func answerAfter(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(d)
		_, _ = w.Write([]byte(`{"name":"projects/p/messages/1"}`))
	}
}

// TestColdBurst: a burst on a cold driver opens as many connections as the calls need and not one a
// call. An http.Transport alone opened 50 for 50 calls, and 179 for 400 where a connection takes
// 250.
func TestColdBurst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		calls int
		most  int64
	}{{80, 1}, {350, 4}} {
		b := bareServer(t, answerAfter(50*time.Millisecond))
		if failed := b.burst(t, c.calls); failed > 0 {
			t.Errorf("%d of %d calls failed", failed, c.calls)
		}
		if got := b.opened.Load(); got > c.most {
			t.Errorf("%d cold calls opened %d connections, want at most %d", c.calls, got, c.most)
		}
		if failed := b.burst(t, c.calls); failed > 0 {
			t.Errorf("%d of %d warm calls failed", failed, c.calls)
		}
		if got := b.opened.Load(); got > c.most {
			t.Errorf("%d warm calls opened connections anew: %d", c.calls, got)
		}
	}
}

// TestPlainHTTP: an endpoint without HTTP/2, such as a sandbox in clear text, gets a connection a
// call and keeps them.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	srv := httptest.NewUnstartedServer(answerAfter(20 * time.Millisecond))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	b := &bare{driver: bareDriver(t, srv.URL, "")}
	t.Cleanup(func() {
		b.driver.Close()
		srv.Close()
	})
	for range 3 {
		if failed := b.burst(t, 90); failed > 0 {
			t.Errorf("%d calls failed", failed)
		}
	}
	if got := opened.Load(); got > 100 {
		t.Errorf("%d connections for 90 calls at once, three times", got)
	}
}

// TestFirstCallGoesAlone: nothing is sent beside the first call of a cold connection.
func TestFirstCallGoesAlone(t *testing.T) {
	t.Parallel()
	var under, most, seen atomic.Int64
	release := make(chan struct{})
	b := bareServer(t, func(w http.ResponseWriter, r *http.Request) {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer under.Add(-1)
		if seen.Add(1) == 1 {
			<-release
			if got := most.Load(); got != 1 {
				t.Errorf("%d calls beside the first", got-1)
			}
		}
		answerAfter(0)(w, r)
	})
	done := make(chan int)
	go func() { done <- b.burst(t, 20) }()
	for seen.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the others have had their chance
	close(release)
	if failed := <-done; failed > 0 {
		t.Errorf("%d calls failed", failed)
	}
	if seen.Load() != 20 {
		t.Errorf("%d calls arrived, want 20", seen.Load())
	}
}

// TestFailedDialIsShared: calls that wait for a connection that does not come fail with it, and do
// not dial one after the other.
func TestFailedDialIsShared(t *testing.T) {
	t.Parallel()
	var dials atomic.Int64
	waiting := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		<-waiting
		return nil, &net.OpError{Op: "dial", Err: os.ErrPermission}
	}}}
	p, err := newConnPool(client, 10)
	if err != nil {
		t.Fatal(err)
	}
	do := func() error {
		req, err := http.NewRequest(http.MethodPost, "http://192.0.2.1/", nil)
		if err != nil {
			return err
		}
		_, err = p.do(req)
		return err
	}
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if do() != nil {
				failed.Add(1)
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // all ten wait for the connection
	close(waiting)
	wg.Wait()
	if dials.Load() != 1 || failed.Load() != 10 {
		t.Errorf("%d dials and %d failures for ten calls, want 1 and 10", dials.Load(), failed.Load())
	}
	if do() == nil || dials.Load() != 2 {
		t.Errorf("a later call did not try anew: %d dials", dials.Load())
	}
}

// TestWaitingCallKeepsItsDeadline: behind a first call that hangs, another one still ends in time.
func TestWaitingCallKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := bareServer(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	batch := vendors.Batch{Now: vendortest.Now, Devices: []vendors.Device{{Token: token(0), Key: "k", Notification: vendortest.Chat()}}}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if got := b.driver.Push(ctx, batch)[0]; got.Reason != vendors.Timeout {
				t.Errorf("got %v (err %v), want timeout", got.Reason, got.Err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkPush(b *testing.B) {
	s := bareServer(b, answerAfter(0))
	s.push(b, 0)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if got := s.push(b, 1); got.Reason != vendors.Accepted {
				b.Error(got.Reason, got.Err)
			}
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	c := &Config{ChannelID: "im_messages"}
	d := vendors.Device{Token: token(0), Key: "0123456789abcdef0123456789abcdef", Notification: vendortest.Chat()}
	b.ReportAllocs()
	for b.Loop() {
		c.message(d, vendortest.Now)
	}
}
