package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// The health check of an image says what /readyz says, through all of a worker's life.
func TestHealthCommand(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ask := func() (out string, err error) {
		var b bytes.Buffer
		c := healthCommand()
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetArgs([]string{"--url", "http://" + address + "/"})
		c.SetOut(&b)
		err = c.ExecuteContext(t.Context())
		return b.String(), err
	}
	if _, err := ask(); err == nil {
		t.Error("nobody listens, and it is healthy")
	}
	h := newHealth()
	stop, err := h.serve(address, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	var trouble error
	for _, step := range []struct {
		name string
		do   func()
		want string // in the error; empty for ready
	}{
		{"starting", func() {}, "starting"},
		{"waits", func() { h.starting("waiting for NATS") }, "waiting for NATS"},
		{"runs", func() { h.run(func() error { return trouble }) }, ""},
		{"NATS_away", func() { trouble = errors.New("no connection to NATS") }, "no connection to NATS"},
		{"NATS_back", func() { trouble = nil }, ""},
		{"stopping", func() { h.stopping() }, "stopping"},
	} {
		step.do()
		out, err := ask()
		switch {
		case step.want == "" && (err != nil || out != "ready\n"):
			t.Errorf("%s: %q, %v, want ready", step.name, out, err)
		case step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want)):
			t.Errorf("%s: %v, want %q", step.name, err, step.want)
		}
	}
}
