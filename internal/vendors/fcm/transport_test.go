package fcm

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
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
	b.driver = bareDriver(t, srv.URL, certificate(t, srv))
	t.Cleanup(func() {
		b.driver.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return b
}

// certificate is the file of a server's certificate.
func certificate(t testing.TB, srv *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
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

// TestHTTP1: an https endpoint without HTTP/2 is served by net/http, without a failed push, and
// HTTP/2 is used once the endpoint has it.
func TestHTTP1(t *testing.T) {
	t.Parallel()
	var protocols sync.Map
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols.Store(r.Proto, true)
		if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 {
			t.Errorf("a request without its body: %v", err)
		}
		answerAfter(0)(w, r)
	})
	var modern atomic.Bool
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{}
	srv.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := srv.TLS.Clone()
		if !modern.Load() {
			c.NextProtos = []string{"http/1.1"}
		}
		return c, nil
	}
	srv.StartTLS()
	b := &bare{driver: bareDriver(t, srv.URL, certificate(t, srv))}
	t.Cleanup(func() {
		b.driver.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	for range 2 {
		if failed := b.burst(t, 20); failed > 0 {
			t.Errorf("%d calls failed", failed)
		}
	}
	if _, ok := protocols.Load("HTTP/2.0"); ok {
		t.Error("the endpoint has HTTP/2 already")
	}
	modern.Store(true)
	srv.CloseClientConnections()
	for range 3 {
		b.burst(t, 1) // one may meet a connection that is just being closed
	}
	if _, ok := protocols.Load("HTTP/2.0"); !ok {
		t.Error("HTTP/2 is not used though the endpoint has it now")
	}
	if b.driver.(*driver).transport.old.Load() {
		t.Error("the endpoint still counts as one without HTTP/2")
	}
	if failed := b.burst(t, 20); failed > 0 {
		t.Errorf("%d calls failed", failed)
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
