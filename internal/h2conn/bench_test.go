package h2conn

//lint:file-ignore SA1019 the yardstick is apns2 on the transport that it brings

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// BenchmarkPush compares ways of sending the same push to the same server, which runs in a process
// of its own: cpu-ns/op is the client's alone, user and system. writes/op and sent-B/op are system
// calls and bytes below TLS, read-ns the same for what comes back.
//
//	go test -run '^$' -bench Push -benchmem ./internal/h2conn
func BenchmarkPush(b *testing.B) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		srv := startServer(b, delay)
		for _, inFlight := range []int{1, 100, 1000} {
			for _, way := range ways {
				b.Run(fmt.Sprintf("delay=%v/inflight=%d/%s", delay, inFlight, way.name), func(b *testing.B) {
					way.run(b, srv, inFlight)
				})
			}
		}
	}
}

const benchTopic = "com.example.im"

// ids are the values that are different in every push. They are made beforehand.
type ids struct{ token, id, collapse string }

var benchIDs = func() []ids {
	all := make([]ids, 1<<12)
	for i := range all {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		h := hex.EncodeToString(sum[:])
		all[i] = ids{h, h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32], h[32:]}
	}
	return all
}()

var benchBody = []byte(`{"aps":{"alert":{"title":"Alice","body":"Shall we meet at the station at seven? I bring the tickets."},"badge":3,"sound":"default","thread-id":"c2c_alice_bob","mutable-content":1},"ext":"{\"conversation\":\"c2c_alice_bob\",\"sequence\":184467}","message":"01890a5d-ac96-774b-bcce-b302099a8057"}`)

var ways = []struct {
	name string
	run  func(b *testing.B, srv *benchServer, inFlight int)
}{
	{"apns2", func(b *testing.B, srv *benchServer, inFlight int) {
		c := newApns2(b, srv)
		c.HTTPClient.Transport = &http2.Transport{DialTLSContext: func(ctx context.Context, network, addr string, cfg *tls.Config) (net.Conn, error) {
			nc, err := srv.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(nc, cfg), nil
		}, TLSClientConfig: srv.tls, ReadIdleTimeout: 15 * time.Second}
		defer c.CloseIdleConnections()
		measure(b, srv, inFlight, pushApns2(c))
	}},
	{"apns2+h2conn", func(b *testing.B, srv *benchServer, inFlight int) {
		c := newApns2(b, srv)
		c.HTTPClient.Transport = srv.transport(b)
		measure(b, srv, inFlight, pushApns2(c))
	}},
	{"nethttp", func(b *testing.B, srv *benchServer, inFlight int) {
		h := &http.Transport{DialContext: srv.dial, TLSClientConfig: srv.tls, ForceAttemptHTTP2: true, DisableCompression: true}
		defer h.CloseIdleConnections()
		measure(b, srv, inFlight, pushHTTP(b, srv, h))
	}},
	{"h2conn-roundtrip", func(b *testing.B, srv *benchServer, inFlight int) {
		measure(b, srv, inFlight, pushHTTP(b, srv, srv.transport(b)))
	}},
	{"h2conn-do", func(b *testing.B, srv *benchServer, inFlight int) {
		measure(b, srv, inFlight, pushDo(b, srv.transport(b)))
	}},
}

func testKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newApns2(b *testing.B, srv *benchServer) *apns2.Client {
	c := apns2.NewTokenClient(&token.Token{AuthKey: testKey(b), KeyID: "ABC123DEFG", TeamID: "DEF123GHIJ"})
	c.Host = srv.url
	return c
}

func pushApns2(c *apns2.Client) func(*ids) error {
	return func(x *ids) error {
		resp, err := c.Push(&apns2.Notification{
			ApnsID: x.id, CollapseID: x.collapse, DeviceToken: x.token, Topic: benchTopic, Expiration: time.Unix(1795737600, 0),
			Priority: 10, PushType: apns2.PushTypeAlert, Payload: benchBody,
		})
		if err == nil && !resp.Sent() {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		return err
	}
}

func bearer(b *testing.B) string {
	c := newApns2(b, &benchServer{})
	return "bearer " + c.Token.GenerateIfExpired()
}

func pushHTTP(b *testing.B, srv *benchServer, rt http.RoundTripper) func(*ids) error {
	auth := bearer(b)
	return func(x *ids) error {
		req, err := http.NewRequest(http.MethodPost, srv.url+"/3/device/"+x.token, bytes.NewReader(benchBody))
		if err != nil {
			return err
		}
		req.Header = http.Header{
			"Authorization": {auth}, "Apns-Topic": {benchTopic}, "Apns-Push-Type": {"alert"}, "Apns-Priority": {"10"},
			"Apns-Id": {x.id}, "Apns-Expiration": {"1795737600"}, "Apns-Collapse-Id": {x.collapse},
			"Content-Type": {"application/json; charset=utf-8"},
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != 200 || resp.Header.Get("apns-id") != x.id {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	}
}

func pushDo(b *testing.B, t *Transport) func(*ids) error {
	auth, err := NewLiteral("authorization", bearer(b))
	if err != nil {
		b.Fatal(err)
	}
	preset, err := NewPreset("POST", Field{Name: "apns-topic", Value: benchTopic}, Field{Name: "apns-push-type", Value: "alert"}, Field{Name: "apns-priority", Value: "10"})
	if err != nil {
		b.Fatal(err)
	}
	type buffers struct {
		req  Request
		resp Response
	}
	pool := sync.Pool{New: func() any { return &buffers{req: Request{Preset: preset, Literal: auth}} }}
	return func(x *ids) error {
		u := pool.Get().(*buffers)
		defer pool.Put(u)
		u.req.Path = "/3/device/" + x.token
		u.req.Fields = append(u.req.Fields[:0], Field{Name: "apns-id", Value: x.id}, Field{Name: "apns-expiration", Value: "1795737600"}, Field{Name: "apns-collapse-id", Value: x.collapse})
		u.req.Body = benchBody
		if err := t.Do(context.Background(), &u.req, &u.resp); err != nil {
			return err
		}
		if u.resp.Status != 200 || u.resp.Get("apns-id") != x.id {
			return fmt.Errorf("status %d", u.resp.Status)
		}
		return nil
	}
}

// measure pushes from as many goroutines as pushes shall be in flight.
func measure(b *testing.B, srv *benchServer, inFlight int, push func(*ids) error) {
	if err := push(&benchIDs[0]); err != nil { // alone, to open the connection
		b.Fatal(err)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	sent, written, read := srv.sent.Load(), srv.writes.Load(), srv.reads.Load()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for range min(inFlight, b.N) {
		wg.Go(func() {
			for {
				n := left.Add(-1)
				if n < 0 {
					return
				}
				if err := push(&benchIDs[n%int64(len(benchIDs))]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	n := float64(b.N)
	b.ReportMetric(float64(cpu(b)-before)/n, "cpu-ns/op")
	b.ReportMetric(float64(srv.sent.Load()-sent)/n, "sent-B/op")
	b.ReportMetric(float64(srv.writes.Load()-written)/n, "writes/op")
	b.ReportMetric(float64(srv.reads.Load()-read)/n, "reads/op")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchServer is the server's process as the client sees it.
type benchServer struct {
	url                 string
	tls                 *tls.Config
	sent, writes, reads atomic.Int64
}

// countedConn counts what goes over the network.
type countedConn struct {
	net.Conn
	srv *benchServer
}

func (c countedConn) Write(p []byte) (int, error) {
	c.srv.writes.Add(1)
	c.srv.sent.Add(int64(len(p)))
	return c.Conn.Write(p)
}

func (c countedConn) Read(p []byte) (int, error) {
	c.srv.reads.Add(1)
	return c.Conn.Read(p)
}

func (s *benchServer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return countedConn{nc, s}, nil
}

func (s *benchServer) transport(b *testing.B) *Transport {
	opts := Options{TLS: s.tls, Dial: s.dial, Literals: []string{"apns-id", "apns-expiration", "apns-collapse-id"}}
	if n, err := strconv.Atoi(os.Getenv("H2CONN_CONNS")); err == nil {
		opts.MaxConns = n
	}
	t, err := New(s.url, opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(t.Close)
	return t
}

// serveEnv makes the test's program the server; its value is the delay of an answer.
const serveEnv = "H2CONN_BENCH_SERVER"

func startServer(b *testing.B, delay time.Duration) *benchServer {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+delay.String())
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
	br := bufio.NewReader(out)
	addr, err := br.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	var cert []byte
	for {
		line, err := br.ReadBytes('\n')
		if err != nil {
			b.Fatal(err)
		}
		if cert = append(cert, line...); bytes.Contains(line, []byte("END CERTIFICATE")) {
			break
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &benchServer{url: "https://" + addr[:len(addr)-1], tls: &tls.Config{RootCAs: pool}}
}

// serveBench is the server: a fake of APNs that allows a thousand streams and checks that a request
// has what a push needs. It batches its frames, so that little of the machine goes to it.
func serveBench() {
	delay, err := time.ParseDuration(os.Getenv(serveEnv))
	if err != nil {
		panic(err)
	}
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	defer cert.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate().Raw})
	go func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			go serveConn(nc, delay)
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

type benchAnswer struct {
	due    time.Time
	stream uint32
	id     string
}

func serveConn(nc net.Conn, delay time.Duration) {
	defer nc.Close()
	br := bufio.NewReaderSize(nc, 64<<10)
	if _, err := io.ReadFull(br, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	var mu sync.Mutex // of the writing side
	bw := bufio.NewWriterSize(nc, 64<<10)
	fr := http2.NewFramer(bw, br)
	fr.SetReuseFrames()
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	answer := func(stream uint32, id string) {
		block.Reset()
		enc.WriteField(Field{Name: ":status", Value: "200"})
		enc.WriteField(Field{Name: "apns-id", Value: id, Sensitive: true})
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	}
	later := make(chan benchAnswer, 10_000)
	defer close(later)
	if delay > 0 {
		go func() {
			for a := range later {
				if wait := time.Until(a.due); wait > 0 {
					mu.Lock()
					bw.Flush()
					mu.Unlock()
					time.Sleep(wait)
				}
				mu.Lock()
				answer(a.stream, a.id)
				if len(later) == 0 {
					bw.Flush()
				}
				mu.Unlock()
			}
		}()
	}
	mu.Lock()
	fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1000})
	bw.Flush()
	mu.Unlock()
	ids := map[uint32]string{}
	credit := 0
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				fr.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			have := 0
			for _, h := range f.Fields {
				switch h.Name {
				case "apns-id":
					ids[f.StreamID] = h.Value
					have++
				case "authorization", "apns-topic", "apns-push-type", "apns-priority", "apns-expiration", "apns-collapse-id", ":path":
					have++
				}
			}
			if have != 8 {
				fmt.Fprintln(os.Stderr, "a push without a field")
				return
			}
		case *http2.DataFrame:
			if credit += int(f.Length); credit >= 16<<10 {
				fr.WriteWindowUpdate(0, uint32(credit))
				credit = 0
			}
			if f.StreamEnded() {
				id := ids[f.StreamID]
				delete(ids, f.StreamID)
				if delay > 0 {
					later <- benchAnswer{time.Now().Add(delay), f.StreamID, id}
				} else {
					answer(f.StreamID, id)
				}
			}
		}
		if br.Buffered() == 0 {
			bw.Flush()
		}
		mu.Unlock()
	}
}
