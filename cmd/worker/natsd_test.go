package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// natsProcess is a NATS server in a process of its own.
type natsProcess struct {
	URL   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startNATS starts a server on a folder of streams, with these flags. It ends with the test, if it
// was not closed before.
func startNATS(t *testing.T, dir, listen string, flags ...string) *natsProcess {
	t.Helper()
	n := &natsProcess{cmd: exec.Command(natsServer.binary(t, "../../internal/bus/bustest/natsd"), append(flags, dir, listen)...)}
	stderr := &output{}
	n.cmd.Stderr = stderr
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.stdin = stdin
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // it may be closed already
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("natsd: %v\n%s", err, stderr)
	}
	n.URL = strings.TrimSpace(line)
	return n
}

// Close stops the server and waits for its end.
func (n *natsProcess) Close() error {
	if err := n.stdin.Close(); err != nil {
		return err
	}
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("natsd: %w", err)
	}
	return nil
}

// natsCluster is three servers in processes of their own.
type natsCluster struct {
	t     *testing.T
	dir   string
	nodes [3]*natsProcess
	// at are the addresses for clients, routes those for the others.
	at, routes [3]string
}

// startCluster starts a cluster of three. It ends with the test.
func startCluster(t *testing.T, dir string) *natsCluster {
	t.Helper()
	c := &natsCluster{t: t, dir: dir}
	for i := range c.nodes {
		c.at[i], c.routes[i] = freePort(t), freePort(t)
	}
	for i := range c.nodes {
		c.start(i)
	}
	return c
}

// url names all three.
func (c *natsCluster) url() string { return "nats://" + strings.Join(c.at[:], ",nats://") }

func (c *natsCluster) start(i int) {
	c.t.Helper()
	c.nodes[i] = startNATS(c.t, fmt.Sprintf("%s/n%d", c.dir, i), c.at[i], "-name", fmt.Sprintf("n%d", i), "-cluster", c.routes[i],
		"-routes", "nats://"+strings.Join(c.routes[:], ",nats://"))
}

// kill kills a server: it tells nobody.
func (c *natsCluster) kill(i int) {
	c.t.Helper()
	if err := c.nodes[i].cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = c.nodes[i].cmd.Wait() // it was killed
}
