package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ListenOptions say where a sandbox listens. The zero value listens on free ports of 127.0.0.1.
type ListenOptions struct {
	// HTTP and TLS are addresses to listen on, such as "127.0.0.1:8240"; empty is a free port of
	// 127.0.0.1.
	HTTP, TLS string
	// Hosts are names and addresses that the TLS certificate is good for, besides 127.0.0.1, ::1
	// and localhost.
	Hosts []string
	// Authority signs the certificate; nil is a new one.
	Authority *Authority
	// Log hears of broken connections, at debug level; nil is silence.
	Log *slog.Logger
}

// Listener is a sandbox that serves: everything over plain HTTP on one port, and over TLS with
// HTTP/2 on another.
type Listener struct {
	authority *Authority
	http, tls net.Listener
	servers   [2]*http.Server
	cancel    context.CancelFunc // of all requests
	serving   sync.WaitGroup
	failed    chan error // holds what ended a server that nobody stopped

	stop    sync.Once
	stopped error
}

// Start serves until Stop. It is [Server.Listen] and [Listener.Serve] in one.
func (s *Server) Start(opts ListenOptions) (*Listener, error) {
	l, err := s.Listen(opts)
	if err == nil {
		l.Serve()
	}
	return l, err
}

// Listen takes both addresses. Calls wait until Serve; so a caller can write down where the sandbox
// is before anybody gets an answer. The listener must be stopped even when it never served.
func (s *Server) Listen(opts ListenOptions) (*Listener, error) {
	l := &Listener{authority: opts.Authority, failed: make(chan error, 2)}
	now := time.Now()
	if l.authority == nil {
		var err error
		if l.authority, err = NewAuthority(now); err != nil {
			return nil, err
		}
	}
	leaf, err := l.authority.Leaf(now, opts.Hosts...)
	if err != nil {
		return nil, err
	}
	if l.http, err = listen(opts.HTTP); err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	if l.tls, err = listen(opts.TLS); err != nil {
		_ = l.http.Close()
		return nil, fmt.Errorf("listen for TLS: %w", err)
	}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	for i := range l.servers {
		l.servers[i] = s.server(ctx, opts.Log)
	}
	l.servers[1].TLSConfig = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{leaf},
		ClientAuth:   tls.RequestClientCert, // APNs knows clients by certificate, too
	}
	return l, nil
}

// Serve answers calls from now on, in goroutines that Stop waits for. It must be called at most
// once, and not after Stop.
func (l *Listener) Serve() {
	l.serve(func() error { return l.servers[0].Serve(l.http) })
	l.serve(func() error { return l.servers[1].ServeTLS(l.tls, "", "") })
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return net.Listen("tcp", addr)
}

// server has no limit on the time of a whole request: a hanging fault and the page's events last as
// long as they last.
func (s *Server) server(ctx context.Context, logger *slog.Logger) *http.Server {
	errorLog := log.New(nothing{}, "", 0)
	if logger != nil {
		errorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	}
	return &http.Server{
		Handler:           s.Handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          errorLog,
		// Apple: "APNs allows multiple concurrent streams for each connection", in practice 1,000
		// once a token was seen.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000},
	}
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }

func (l *Listener) serve(run func() error) {
	l.serving.Go(func() {
		if err := run(); !errors.Is(err, http.ErrServerClosed) {
			l.failed <- fmt.Errorf("serve: %w", err)
		}
	})
}

// Authority is what the TLS certificate is signed by.
func (l *Listener) Authority() *Authority { return l.authority }

// URL is the base address of plain HTTP, TLSURL that of TLS, without a slash at the end.
func (l *Listener) URL() string { return "http://" + reachable(l.http.Addr()) }

// TLSURL is the base address of TLS.
func (l *Listener) TLSURL() string { return "https://" + reachable(l.tls.Addr()) }

// reachable is the address to call: a listener on all addresses is called on 127.0.0.1.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return addr.String()
}

// Failed receives an error when a server ended by itself.
func (l *Listener) Failed() <-chan error { return l.failed }

// Stop stops listening, ends hanging calls and event streams without an answer, and lets other
// calls finish until ctx is done; then it closes their connections. It returns when all goroutines
// of the listener are over, and may be called more than once.
func (l *Listener) Stop(ctx context.Context) error {
	l.stop.Do(func() {
		l.cancel()
		var stopping sync.WaitGroup
		var errs [2]error
		for i, server := range l.servers {
			stopping.Go(func() {
				if errs[i] = server.Shutdown(ctx); errs[i] != nil {
					_ = server.Close()
				}
			})
		}
		stopping.Wait()
		_, _ = l.http.Close(), l.tls.Close() // those that never served
		l.serving.Wait()
		l.stopped = errors.Join(errs[:]...)
	})
	return l.stopped
}
