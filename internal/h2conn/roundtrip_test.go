package h2conn

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"
)

// serve starts net/http's HTTP/2 server, which is another implementation of the protocol.
func serve(t *testing.T, h http.Handler, change func(*httptest.Server, *Options)) *Transport {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	var opts Options
	if change != nil {
		change(srv, &opts)
	}
	srv.StartTLS()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	opts.TLS = &tls.Config{RootCAs: pool}
	tr, err := New(srv.URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tr.Close()
		srv.Close()
	})
	return tr
}

func (t *Transport) url(path string) string { return t.scheme + "://" + t.authority + path }

// TestRoundTrip: what goes in comes out at the other end, and back.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	tr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch {
		case r.Proto != "HTTP/2.0" || r.Method != "POST" || r.URL.Path != "/3/device/a b" || r.URL.RawQuery != "q=1" || r.Host != r.Header.Get("Want-Host"):
			t.Errorf("got %s %s %s of %s", r.Proto, r.Method, r.URL, r.Host)
		case string(body) != "a body" || r.ContentLength != 6:
			t.Errorf("got the body %q of length %d", body, r.ContentLength)
		case !slices.Equal(r.Header["Twice"], []string{"one", "two"}) || r.Header.Get("Authorization") != "bearer x" || r.Header.Get("Cookie") != "a=b" || r.Header.Get("User-Agent") != defaultUserAgent:
			t.Errorf("got %v", r.Header)
		case r.Header.Get("Connection") != "" || r.Header.Get("Accept-Encoding") != "":
			t.Errorf("got %v", r.Header)
		}
		w.Header()["Twice"] = []string{"1", "2"}
		w.Header().Set("Apns-Id", "id")
		w.Header().Set("Trailer", "Late")
		w.WriteHeader(410)
		io.WriteString(w, `{"reason":"Unregistered"}`)
		w.Header().Set("Late", "yes")
	}), nil)
	for range 5 {
		req, err := http.NewRequestWithContext(t.Context(), "POST", tr.url("/3/device/a%20b?q=1"), strings.NewReader("a body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Twice": {"one", "two"}, "Authorization": {"bearer x"}, "Cookie": {"a=b"}, "Connection": {"close"}, "Keep-Alive": {"1"}, "Want-Host": {tr.authority}}
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.Status != "410 Gone" || resp.ProtoMajor != 2 || string(body) != `{"reason":"Unregistered"}` || int(resp.ContentLength) != len(body) {
			t.Errorf("got %v %s %q", err, resp.Status, body)
		}
		if !slices.Equal(resp.Header["Twice"], []string{"1", "2"}) || resp.Header.Get("apns-id") != "id" || resp.Trailer.Get("late") != "yes" {
			t.Errorf("got %v, trailer %v", resp.Header, resp.Trailer)
		}
	}
	if s := tr.Stats(); s.Dials != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRoundTripForms: methods, statuses and bodies of all kinds.
func TestRoundTripForms(t *testing.T) {
	t.Parallel()
	tr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/hints":
			w.Header().Set("Link", "</x>")
			w.WriteHeader(http.StatusEarlyHints)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/same":
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(http.StatusNotModified)
			return
		case "/chunks":
			for range 100 {
				io.WriteString(w, strings.Repeat("x", 100))
				w.(http.Flusher).Flush()
			}
			return
		}
		fmt.Fprint(w, n)
	}), nil)
	for _, c := range []struct {
		method, path string
		body         io.Reader
		status       int
		want         string
	}{
		{"GET", "/", nil, 200, "0"},
		{"", "/", nil, 200, "0"},
		{"HEAD", "/", nil, 200, ""},
		{"DELETE", "/", strings.NewReader("x"), 200, "1"},
		{"POST", "/", http.NoBody, 200, "0"},
		{"POST", "/hints", strings.NewReader("abc"), 200, "3"},
		{"POST", "/empty", strings.NewReader("abc"), 204, ""},
		{"POST", "/same", strings.NewReader("abc"), 304, ""},
		{"POST", "/chunks", strings.NewReader("abc"), 200, strings.Repeat("x", 10_000)},
		{"POST", "/", bytes.NewReader(make([]byte, 1<<20)), 200, fmt.Sprint(1 << 20)},
		{"POST", "/", iotest.OneByteReader(strings.NewReader("slow")), 200, "4"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, tr.url(c.path), c.body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || string(body) != c.want {
			t.Errorf("%s %s: %d %.20q", c.method, c.path, resp.StatusCode, body)
		}
	}
}

// TestRoundTripRefuses: what is not tried, with the body closed all the same.
func TestRoundTripRefuses(t *testing.T) {
	t.Parallel()
	tr, err := New("https://push.example", Options{MaxBody: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for name, change := range map[string]func(*http.Request){
		"another host":   func(r *http.Request) { r.URL.Host = "other.example" },
		"another port":   func(r *http.Request) { r.URL.Host = "push.example:444" },
		"another scheme": func(r *http.Request) { r.URL.Scheme = "http" },
		"a Host":         func(r *http.Request) { r.Host = "other.example" },
		"a method":       func(r *http.Request) { r.Method = "PO ST" },
		"CONNECT":        func(r *http.Request) { r.Method = "CONNECT" },
		"a name":         func(r *http.Request) { r.Header["a b"] = []string{"x"} },
		"a value":        func(r *http.Request) { r.Header["A"] = []string{"x\n"} },
		"a long body":    func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("12345678901")) },
		"a broken body":  func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(errors.New("broken"))) },
		"a wrong length": func(r *http.Request) { r.ContentLength = 7 },
		"an ended call": func(r *http.Request) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			*r = *r.WithContext(ctx)
		},
		"an invalid path": func(r *http.Request) { r.URL.Opaque = "/a b" },
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", tr.url("/"), strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		closed := false
		req.Body = closer{req.Body, &closed}
		if resp, err := tr.RoundTrip(req); err == nil {
			resp.Body.Close()
			t.Errorf("%s: no error", name)
		}
		if !closed {
			t.Errorf("%s: the body is not closed", name)
		}
	}
	if s := tr.Stats(); s.Dials != 0 {
		t.Errorf("%+v", s)
	}
}

type closer struct {
	io.ReadCloser
	closed *bool
}

func (c closer) Close() error {
	*c.closed = true
	return c.ReadCloser.Close()
}

// TestNetHTTPServer: a storm on another implementation, with a limit of streams, answers out of
// order, cancellations, and connections that are closed in peace all the time: nobody notices that.
func TestNetHTTPServer(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	tr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("For", r.URL.Path)
		if n.Add(1)%200 == 0 {
			w.Header().Set("Connection", "close") // a GOAWAY
		}
		if len(body)%7 == 3 {
			time.Sleep(time.Duration(len(body)%5) * time.Millisecond)
		}
		w.Write(body)
	}), func(srv *httptest.Server, _ *Options) {
		srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 30}
	})
	var wg sync.WaitGroup
	var bad atomic.Int32
	for g := range 60 {
		wg.Go(func() {
			for i := range 40 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				hasty := i%13 == 12
				if hasty {
					ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
				}
				body := strings.Repeat("x", (g*40+i)*7%5000)
				resp, err := push(ctx, tr, fmt.Sprintf("/%d/%d", g, i), body)
				switch {
				case err == nil && string(resp.Body) != body:
					t.Errorf("%d bytes came back of %d", len(resp.Body), len(body))
				case err != nil && !hasty:
					t.Error(err)
					bad.Add(1)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

// TestUnderApns2: the library works on it as it is.
func TestUnderApns2(t *testing.T) {
	t.Parallel()
	tr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("apns-id", r.Header.Get("apns-id"))
		if r.URL.Path == "/3/device/00ff" && r.Header.Get("apns-topic") == "com.example.im" && strings.HasPrefix(r.Header.Get("authorization"), "bearer ") {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		io.WriteString(w, `{"reason":"BadDeviceToken"}`)
	}), nil)
	c := apns2.NewTokenClient(&token.Token{AuthKey: testKey(t), KeyID: "ABC123DEFG", TeamID: "DEF123GHIJ"})
	c.Host = tr.url("")
	c.HTTPClient.Transport = tr
	n := &apns2.Notification{DeviceToken: "00ff", Topic: "com.example.im", ApnsID: "123e4567-e89b-12d3-a456-4266554400a0", Payload: `{"aps":{}}`}
	resp, err := c.PushWithContext(t.Context(), n)
	if err != nil || !resp.Sent() || resp.ApnsID != n.ApnsID {
		t.Errorf("got %v %v", resp, err)
	}
	n.DeviceToken = "11"
	if resp, err = c.PushWithContext(t.Context(), n); err != nil || resp.StatusCode != 400 || resp.Reason != apns2.ReasonBadDeviceToken {
		t.Errorf("got %v %v", resp, err)
	}
	c.CloseIdleConnections()
}

// TestAllocations: Do allocates next to nothing: what the Framer needs for a frame, on both sides
// here, and a string for a field that is not in the answer's table.
func TestAllocations(t *testing.T) {
	ours, theirs := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() {
		if _, err := io.ReadFull(theirs, make([]byte, len(http2.ClientPreface))); err != nil {
			t.Error(err)
		}
		fr := http2.NewFramer(theirs, theirs)
		fr.SetReuseFrames()
		fr.WriteSettings()
		fr.WriteSettingsAck()
		block := []byte{0x88} // :status 200
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				return
			}
			if d, ok := f.(*http2.DataFrame); ok {
				fr.WriteHeaders(http2.HeadersFrameParam{StreamID: d.StreamID, BlockFragment: block, EndHeaders: true, EndStream: true})
				if d.StreamID%1000 == 1 {
					fr.WriteWindowUpdate(0, 2000)
				}
			}
		}
	})
	tr, err := New("http://push.example", Options{Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
	if err != nil {
		t.Fatal(err)
	}
	req := &Request{Preset: post, Path: "/3/device/00ff", Fields: []Field{{Name: "apns-id", Value: "x"}}, Body: []byte("{}")}
	var resp Response
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	allocations := testing.AllocsPerRun(2000, func() {
		if err := tr.Do(ctx, req, &resp); err != nil || resp.Status != 200 {
			t.Fatal(err)
		}
	})
	if allocations > 3 {
		t.Errorf("%v allocations for each request", allocations)
	}
	tr.Close()
	theirs.Close()
	serving.Wait()
}
