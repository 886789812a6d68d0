// Command natsd is the embedded server as a process of its own, for tests that run many processes:
// in a test with the race detector it would be the slowest of all, and the test is about the
// others.
//
//	natsd [-max-store bytes] [-cluster listen -routes urls -name name] <dir> <listen>
//
// It prints its address when clients can connect, and ends with its standard input, so that it does
// not outlive the test. With -cluster it is one of several that know each other by their routes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hongyan-im/hongyan/internal/natsd"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "natsd:", err)
		os.Exit(1)
	}
}

func run() error {
	maxStore := flag.Int64("max-store", 0, "bound of the disk, in bytes")
	cluster := flag.String("cluster", "", "where the other servers of the cluster reach this one")
	routes := flag.String("routes", "", "addresses of all servers of the cluster, comma-separated")
	name := flag.String("name", "", "the server's name in the cluster")
	flag.Parse()
	if flag.NArg() != 2 {
		return errors.New("want a folder and an address to listen on")
	}
	dir, listen := flag.Arg(0), flag.Arg(1)
	if *cluster != "" {
		return member(dir, listen, *name, *cluster, *routes)
	}
	srv, err := natsd.Start(natsd.Options{Dir: dir, Listen: listen, MaxStore: *maxStore})
	if err != nil {
		return err
	}
	fmt.Println(srv.URL())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, srv.Close())
}

// member runs one server of a cluster.
func member(dir, listen, name, cluster, routes string) error {
	host, port, err := split(listen)
	if err != nil {
		return err
	}
	clusterHost, clusterPort, err := split(cluster)
	if err != nil {
		return err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: name, Host: host, Port: port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncInterval: time.Second, MaxPayload: 8 << 20,
		Cluster: server.ClusterOpts{Name: "test", Host: clusterHost, Port: clusterPort}, Routes: server.RoutesFromStr(routes),
	})
	if err != nil {
		return err
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		return errors.New("the server did not start")
	}
	fmt.Println(srv.ClientURL())
	_, err = io.Copy(io.Discard, os.Stdin)
	srv.Shutdown()
	srv.WaitForShutdown()
	return err
}

func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
