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

// startNATS starts a server on a folder of streams. It ends with the test, if it was not closed
// before.
func startNATS(t *testing.T, dir, listen string) *natsProcess {
	t.Helper()
	n := &natsProcess{cmd: exec.Command(natsServer.binary(t, "../../internal/bus/bustest/natsd"), dir, listen)}
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
