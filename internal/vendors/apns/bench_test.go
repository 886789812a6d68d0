package apns

//lint:file-ignore SA1019 the yardstick is apns2 on the transport that it brings

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/payload"
	"golang.org/x/net/http2"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// BenchmarkPush compares the driver with a bare loop around apns2, each in front of the same
// server, which runs in a process of its own: cpu-ns/op is the client's alone, user and system.
func BenchmarkPush(b *testing.B) {
	url, ca := startServer(b)
	note := chat()
	note.Deadline = time.Now().Add(time.Hour)

	b.Run("driver", func(b *testing.B) {
		cfg := keyConfig(url, ca)
		driver, err := cfg.Driver(vendors.Env{})
		if err != nil {
			b.Fatal(err)
		}
		defer driver.Close()
		dev := device(0, note)
		measure(b, func() bool {
			got := driver.Push(context.Background(), vendors.Batch{Devices: []vendors.Device{dev}, Now: note.Deadline.Add(-time.Hour)})
			return got[0].Reason == vendors.Accepted
		})
	})
	b.Run("bare", func(b *testing.B) {
		cfg := keyConfig(url, ca)
		token, err := newToken(cfg)
		if err != nil {
			b.Fatal(err)
		}
		client := apns2.NewTokenClient(token.Token)
		client.Host = url
		tlsConfig, err := cfg.TLS()
		if err != nil {
			b.Fatal(err)
		}
		client.HTTPClient.Transport.(*http2.Transport).TLSClientConfig = tlsConfig
		defer client.CloseIdleConnections()
		measure(b, func() bool {
			p := payload.NewPayload().AlertTitle(note.Title).AlertBody(note.Body).Sound("default").ThreadID(note.Conversation).Custom("ext", note.Ext)
			resp, err := client.Push(&apns2.Notification{
				ApnsID: uuid(note.Key), CollapseID: note.Key, DeviceToken: testToken(0), Topic: testTopic,
				Expiration: note.Deadline, Priority: 10, PushType: apns2.PushTypeAlert, Payload: p,
			})
			return err == nil && resp.Sent()
		})
	})
}

// serveEnv makes the test's program the server.
const serveEnv = "APNS_BENCH_SERVER"

// startServer returns the server's address and the file of its certificate.
func startServer(b *testing.B) (url, ca string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close() // it ends with this
		cmd.Wait()
	})
	var der []byte
	if _, err := fmt.Fscanf(out, "%s %x\n", &url, &der); err != nil {
		b.Fatal(err)
	}
	return url, caFile(b, der)
}

// serveBench is the server: it answers every push at once.
func serveBench() {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("apns-id", r.Header.Get("apns-id"))
	}))
	srv.EnableHTTP2 = true
	srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1000}
	srv.Config.ErrorLog = quiet()
	srv.StartTLS()
	defer srv.Close()
	fmt.Printf("%s %x\n", srv.URL, srv.Certificate().Raw)
	io.Copy(io.Discard, os.Stdin)
}

// measure pushes from 200 goroutines, after one push that warms the connection.
func measure(b *testing.B, push func() bool) {
	for range 8 {
		if !push() {
			b.Fatal("the first push failed")
		}
	}
	b.SetParallelism(100)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !push() {
				b.Error("a push failed")
				return
			}
		}
	})
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
