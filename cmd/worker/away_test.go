package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// proxy stands between workers and NATS, and can fail.
type proxy struct {
	t        *testing.T
	listener net.Listener
	target   string
	serving  sync.WaitGroup

	mu    sync.Mutex
	state string         // "", "swallows" or "resets"
	goOn  chan struct{}  // closed when it works again
	conns []*net.TCPConn // of both sides
}

// startProxy starts a proxy to a server. It ends with the test.
func startProxy(t *testing.T, address string) *proxy {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, target: at.Host, goOn: make(chan struct{})}
	close(p.goOn)
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.serving.Go(p.serve)
	t.Cleanup(func() {
		p.set("")
		_ = p.listener.Close()
		p.reset()
		p.serving.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// set makes the proxy swallow what it is sent and accept connections without a word, or reset all
// connections, or work again.
func (p *proxy) set(state string) {
	p.mu.Lock()
	was := p.state
	p.state = state
	if state == "" && was != "" {
		close(p.goOn)
	}
	if state != "" && was == "" {
		p.goOn = make(chan struct{})
	}
	p.mu.Unlock()
	if state == "resets" || was == "swallows" {
		p.reset() // a route that was cut off for long knows nothing of its connections
	}
}

func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.SetLinger(0) // a reset, not an end; it may be closed
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) now() (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.goOn
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.connect(c.(*net.TCPConn)) })
	}
}

func (p *proxy) connect(client *net.TCPConn) {
	defer client.Close()
	state, goOn := p.now()
	switch state {
	case "resets":
		_ = client.SetLinger(0)
		return
	case "swallows":
		<-goOn
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns = append(p.conns, client, server.(*net.TCPConn))
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client); _ = server.Close(); _ = client.Close() })
	both.Go(func() { p.copy(client, server); _ = server.Close(); _ = client.Close() })
	both.Wait()
}

// copy passes on what comes; while the proxy swallows, it is gone.
func (p *proxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if state, _ := p.now(); n > 0 && state == "" {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// NATS stands still, or is cut off, in the middle of a flood over two workers: hardly a push is
// made twice.
func TestNATSIsAway(t *testing.T) {
	if testing.Short() {
		t.Skip("NATS is away for a while")
	}
	for _, how := range []string{"stands still", "swallows", "resets"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, dir: t.TempDir()}
			r.nats = startNATS(t, r.natsDir(), "127.0.0.1:0")
			r.url = r.nats.URL
			proxy := startProxy(t, r.url)
			r.setUp(proxy.url(), 1, "")
			crowd := r.crowd(90, allVendors...)
			for _, v := range crowd.vendors { // so that calls are under way
				r.box.Arm(sandbox.Fault{Vendor: v, Kind: sandbox.FaultSlow, Delay: 0.3})
			}
			workers := []*process{r.start(), r.start()}
			const messages = 8000
			flooded := make(chan []push)
			go func() { flooded <- crowd.flood(messages) }()
			r.until(time.Minute, "in the middle", func() bool { return crowd.accepted() >= messages/10 })
			var sent []push
			before := 0
			if how == "stands still" {
				sent = <-flooded // the backend's own connection would time out
				before = crowd.accepted()
				if err := r.nats.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			} else {
				before = crowd.accepted()
				proxy.set(how)
				sent = <-flooded
			}
			time.Sleep(*awayFor) // the outage
			during := crowd.accepted() - before
			if how == "stands still" {
				if err := r.nats.cmd.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			} else {
				proxy.set("")
			}
			back := time.Now()
			crowd.settle()
			all := crowd.tally(sent)
			report(t, "NATS "+how+" for "+awayFor.String(), all, fmt.Sprintf("%d accepted meanwhile", during), fmt.Sprintf("all settled %v later", time.Since(back).Round(time.Second)))
			if during == 0 || all.repeats > during/100 {
				t.Errorf("%d accepted while NATS was away; %v", during, all)
			}
			r.stopAll(workers...)
		})
	}
}

// Each server of a cluster of three is killed in turn and comes back, under load over two workers.
func TestNodesAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the servers of a cluster")
	}
	t.Parallel()
	r := &rig{t: t, dir: t.TempDir()}
	cluster := startCluster(t, r.natsDir())
	r.url = cluster.url()
	r.setUp(r.url, 3, "")
	crowd := r.crowd(90, allVendors...)
	workers := []*process{r.start(), r.start()}
	crowd.load("warm", 2*time.Second)
	crowd.settle()
	done := make(chan []push)
	lasts := 3*(*awayFor+4*time.Second) + 2*time.Second
	go func() { done <- crowd.load("kills", lasts) }()
	for i := range cluster.nodes {
		time.Sleep(2 * time.Second)
		cluster.kill(i)
		time.Sleep(*awayFor)
		cluster.start(i)
		time.Sleep(2 * time.Second)
	}
	sent := <-done
	crowd.settle()
	crowd.settleLater(4 * time.Minute)
	all := crowd.tally(sent)
	report(t, "each of three servers killed in turn, back after "+awayFor.String(), all)
	if all.repeats > all.pushes/100 {
		t.Errorf("%v", all)
	}
	r.stopAll(workers...)
}
