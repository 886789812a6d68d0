package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that does not finish its question is cut, and one whose headers are endless is refused;
// neither reaches a handler, and others are answered meanwhile.
func TestSlowAndEndlessClientsAreCut(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	reached := func(http.ResponseWriter, *http.Request) { t.Error("a handler was reached") }
	stop, err := newHealth().serve(address, http.NotFoundHandler(), http.HandlerFunc(reached), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	dial := func(question string) net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, question); err != nil {
			t.Fatal(err)
		}
		return c
	}
	slow := dial("GET /explain HTTP/1.1\r\nHost: x\r\nX-User: ca")
	defer slow.Close()
	endless := dial(fmt.Sprintf("GET /explain HTTP/1.1\r\nHost: x\r\nX-User: %s\r\n\r\n", strings.Repeat("x", 2*maxHeader)))
	defer endless.Close()
	refused, err := bufio.NewReader(endless).ReadString('\n')
	if err != nil || !strings.Contains(refused, " 431 ") {
		t.Errorf("endless headers: %q, %v", refused, err)
	}
	if status, _, err := get("http://" + address + "/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("healthz: %d, %v", status, err)
	}
	// It is told that it was too slow, or nothing; then the connection ends.
	if _, err := io.Copy(io.Discard, slow); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("a slow client is not cut within a minute")
	}
}
