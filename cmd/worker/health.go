package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// health answers /healthz, /readyz and /metrics truthfully: healthy while the process works, ready
// only while it consumes.
type health struct {
	mu      sync.Mutex
	why     string       // why it is not ready, empty when it may be
	trouble func() error // why it does not work, nil when it does
}

func newHealth() *health { return &health{why: "starting"} }

func (h *health) set(why string, trouble func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.why, h.trouble = why, trouble
}

func (h *health) starting(why string)      { h.set(why, nil) }
func (h *health) run(trouble func() error) { h.set("", trouble) }
func (h *health) stopping()                { h.set("stopping", nil) }

// notReady says why the worker does not consume, or "".
func (h *health) notReady() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why != "" {
		return h.why
	}
	if err := h.trouble(); err != nil {
		return err.Error()
	}
	return ""
}

// maxHeader bounds a request's line and headers, in bytes.
const maxHeader = 16 << 10

// serve listens on the address and serves until the returned function is called; "off" serves
// nothing. explain, unless it is nil, answers /explain and /api/explain. Clients that are slow to
// ask or to listen are cut.
func (h *health) serve(listen string, metrics, explain http.Handler, log *slog.Logger) (stop func(context.Context) error, err error) {
	if listen == "off" {
		return func(context.Context) error { return nil }, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w; give another address, or off", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := h.notReady(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", metrics)
	if explain != nil {
		for _, pattern := range []string{"/explain", "/explain/", "/api/explain"} {
			mux.Handle(pattern, explain)
		}
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health server stopped", "error", err)
		}
	}()
	return func(ctx context.Context) error {
		err := srv.Shutdown(ctx)
		<-done
		return err
	}, nil
}
