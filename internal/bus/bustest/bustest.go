// Package bustest starts real NATS servers for tests: one, or a cluster of three.
package bustest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/natsd"
)

// Start starts an embedded server on a free port and returns a bus to it, with the streams of the
// vendors. Both end with the test.
func Start(t testing.TB, vendors ...string) *bus.Bus {
	t.Helper()
	srv, err := natsd.Start(natsd.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return Connect(t, srv.URL(), bus.Topology{}, vendors...)
}

// Connect connects to a server and makes the streams of the vendors.
func Connect(t testing.TB, url string, topology bus.Topology, vendors ...string) *bus.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := bus.Connect(ctx, bus.Options{URL: url, Name: "test", Topology: topology})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for {
		// a cluster without a leader does not answer
		attempt, stop := context.WithTimeout(ctx, 2*time.Second)
		err = b.Ensure(attempt, vendors)
		stop()
		if err == nil {
			return b
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// Cluster is three servers in this process.
type Cluster struct {
	Servers []*server.Server
	// URL names all three.
	URL string
}

// StartCluster starts a cluster of three. It ends with the test.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	const n = 3
	ports := freePorts(t, n)
	var routes []*url.URL
	for _, p := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: "127.0.0.1:" + strconv.Itoa(p)})
	}
	c := &Cluster{}
	for i, p := range ports {
		srv, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), SyncInterval: time.Second, MaxPayload: 8 << 20,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: p}, Routes: routes,
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		c.Servers = append(c.Servers, srv)
	}
	for i, srv := range c.Servers {
		if !srv.ReadyForConnections(20 * time.Second) {
			t.Fatalf("server %d of the cluster did not start", i)
		}
		if i > 0 {
			c.URL += ","
		}
		c.URL += srv.ClientURL()
	}
	return c
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
