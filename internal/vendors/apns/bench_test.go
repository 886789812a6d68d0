package apns

//lint:file-ignore SA1019 the yardstick is apns2 on the transport that it brings

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/payload"
	"golang.org/x/net/http2"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// BenchmarkPush compares the driver with a bare loop around apns2, each in front of the same server
// in the same process: the difference is the driver's. cpu-ns/op is the process' time, the server's
// included.
func BenchmarkPush(b *testing.B) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("apns-id", r.Header.Get("apns-id"))
	}))
	srv.EnableHTTP2 = true
	srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1000}
	srv.Config.ErrorLog = quiet()
	srv.StartTLS()
	b.Cleanup(srv.Close)
	ca := caFile(b, srv.Certificate().Raw)
	note := chat()
	note.Deadline = time.Now().Add(time.Hour)

	b.Run("driver", func(b *testing.B) {
		cfg := keyConfig(srv.URL, ca)
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
		cfg := keyConfig(srv.URL, ca)
		token, err := newToken(cfg)
		if err != nil {
			b.Fatal(err)
		}
		client := apns2.NewTokenClient(token.Token)
		client.Host = srv.URL
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
