package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// trusting is a client that trusts the listener's authority and speaks HTTP/2.
func trusting(t *testing.T, l *Listener) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.Authority().PEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func start(t *testing.T, s *Server, opts ListenOptions) *Listener {
	t.Helper()
	l, err := s.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return l
}

func TestStartServesBoth(t *testing.T) {
	t.Parallel()
	l := start(t, birds(), ListenOptions{TLS: "0.0.0.0:0"})
	for url, proto := range map[string]int{l.URL(): 1, l.TLSURL(): 2, strings.Replace(l.TLSURL(), "127.0.0.1", "localhost", 1): 2} {
		resp, err := trusting(t, l).Get(url + "/sandbox/api/counts")
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != proto {
			t.Errorf("%s: HTTP/%d %d, want HTTP/%d 200", url, resp.ProtoMajor, resp.StatusCode, proto)
		}
	}
}

// A hanging fault on hundreds of streams of one connection must hold none of the others back: APNs
// lets 1,000 run at once.
func TestThousandStreams(t *testing.T) {
	t.Parallel()
	s := birds()
	var mu sync.Mutex
	under, most := 0, 0
	release := make(chan struct{})
	s.mux.HandleFunc("POST /hang", func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		under++
		most = max(most, under)
		if under == 600 {
			close(release)
		}
		mu.Unlock()
		<-release
	})
	l := start(t, s, ListenOptions{})
	client := trusting(t, l)
	warm, err := client.Get(l.TLSURL() + "/sandbox/api/counts") // one connection, before the storm
	if err != nil {
		t.Fatal(err)
	}
	_ = warm.Body.Close()
	var calls sync.WaitGroup
	for range 600 {
		calls.Go(func() {
			resp, err := client.Post(l.TLSURL()+"/hang", "text/plain", nil)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	calls.Wait()
	if most != 600 {
		t.Errorf("%d calls at once, want 600", most)
	}
}

// Stop must not wait for what never ends by itself: a hanging fault, the page's events.
func TestStopEndsHangsAndStreams(t *testing.T) {
	t.Parallel()
	s := birds()
	s.Arm(Fault{Vendor: "heron", Kind: FaultHang})
	s.mux.Handle("POST /hang", s.general("heron", http.NotFoundHandler()))
	l := start(t, s, ListenOptions{})
	ended := make(chan error, 4)
	for _, base := range []string{l.URL(), l.TLSURL()} {
		client := trusting(t, l)
		go func() {
			resp, err := client.Post(base+"/hang", "text/plain", strings.NewReader("x"))
			if err == nil {
				_ = resp.Body.Close()
				t.Errorf("%s: a hanging call got HTTP %d, want no answer", base, resp.StatusCode)
			}
			ended <- nil
		}()
		//nolint:bodyclose // the goroutine below closes it
		resp, err := client.Get(base + "/sandbox/api/events")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.Copy(io.Discard, resp.Body)
			ended <- resp.Body.Close()
		}()
	}
	for s.Counts()["heron"].Requests < 2 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	for range 4 {
		<-ended
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Errorf("stop again: %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(l.URL(), "http://")); err == nil {
		t.Error("still listening")
	}
}

func TestListenWithoutServe(t *testing.T) {
	t.Parallel()
	l, err := birds().Listen(ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(l.URL(), "http://")); err == nil {
		t.Error("still listening")
	}
}

func TestStartAddressTaken(t *testing.T) {
	t.Parallel()
	taken := start(t, birds(), ListenOptions{})
	addr := strings.TrimPrefix(taken.URL(), "http://")
	for _, opts := range []ListenOptions{{HTTP: addr}, {TLS: addr}} {
		if l, err := birds().Start(opts); err == nil {
			_ = l.Stop(t.Context())
			t.Errorf("%+v: started on a taken address", opts)
		}
	}
}
