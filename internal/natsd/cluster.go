package natsd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster is several servers in this process that replicate their streams.
type Cluster []*Server

// StartCluster starts n servers of one cluster on free ports of 127.0.0.1, each with a folder of
// its own below dir. They serve as soon as it returns, but streams can be made only after they have
// elected a leader, within seconds. It is for the benchmark: servers of one process share its fate.
func StartCluster(dir string, n int) (c Cluster, err error) {
	routes, err := freeAddresses(n)
	if err != nil {
		return nil, err
	}
	// A server waits for its clients' port only, so each may start before the next.
	for i, route := range routes {
		port, err := strconv.Atoi(route.Port())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("embedded NATS: %w", err), c.Close())
		}
		name := fmt.Sprintf("hongyan-embedded-%d", i+1)
		s, err := start(&server.Options{
			ServerName: name, Host: route.Hostname(), Port: server.RANDOM_PORT, StoreDir: filepath.Join(dir, name),
			Cluster: server.ClusterOpts{Name: "hongyan-embedded", Host: route.Hostname(), Port: port}, Routes: routes,
		}, nil)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c = append(c, s)
	}
	return c, nil
}

// URL names all servers.
func (c Cluster) URL() string {
	urls := make([]string, len(c))
	for i, s := range c {
		urls[i] = s.URL()
	}
	return strings.Join(urls, ",")
}

// Close stops the servers after their clients were closed, and frees the folders.
func (c Cluster) Close() error {
	var errs []error
	for _, s := range c {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// freeAddresses finds addresses to listen on for the routes between servers: unlike the clients'
// port they must be known before the first server starts.
func freeAddresses(n int) (addresses []*url.URL, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("embedded NATS: find a free port: %w", err)
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		addresses = append(addresses, &url.URL{Scheme: "nats", Host: l.Addr().String()})
	}
	return addresses, nil
}
