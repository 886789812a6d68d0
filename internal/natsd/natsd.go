// Package natsd is a NATS server with JetStream inside this process: the worker's, where no address
// is given, and that of tests and of the benchmark. It is apart from package bus so that a program
// which only connects does not link a server.
//
// What it acknowledged is on disk within a second, and outlasts a killed process at once. It fails
// by saying why: an address that is taken, or a folder that another process uses.
package natsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is a NATS server in this process.
type Server struct {
	srv  *server.Server
	lock *os.File
}

// Options of [Start].
type Options struct {
	// Dir holds the streams; it is made if it is missing.
	Dir string
	// Listen is where publishers and tools reach the server; default 127.0.0.1:4222. Port 0 takes
	// any free one.
	Listen string
	// MaxStore bounds the disk, in bytes; 0 is three quarters of what is free.
	MaxStore int64
	// Cipher encrypts the streams with Key: "chacha" or "aes"; empty for none.
	Cipher, Key string
	// Log is nil for no log.
	Log *slog.Logger
}

// maxPayload lets a message event with its megabyte of recipients through, with room for the rest
// of it.
const maxPayload = 8 << 20

// Start starts a server with file storage, synced every second. Two servers on one
// directory would destroy it, so the directory is locked; the error says who is there.
func Start(opts Options) (*Server, error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:4222"
	}
	host, portText, err := net.SplitHostPort(opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: listen address %q: %w", opts.Listen, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: port %q is no number", portText)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	o := &server.Options{ServerName: "hongyan-embedded", Host: host, Port: port, StoreDir: opts.Dir, JetStreamMaxStore: opts.MaxStore}
	switch opts.Cipher {
	case "":
	case "chacha":
		o.JetStreamCipher, o.JetStreamKey = server.ChaCha, opts.Key
	case "aes":
		o.JetStreamCipher, o.JetStreamKey = server.AES, opts.Key
	default:
		return nil, fmt.Errorf("embedded NATS: %q is no cipher", opts.Cipher)
	}
	return start(o, opts.Log)
}

// start starts a server with a folder, an address and a name, and gives it what all servers have in
// common.
func start(o *server.Options, log *slog.Logger) (*Server, error) {
	lock, err := lockDir(o.StoreDir)
	if err != nil {
		return nil, err
	}
	o.JetStream, o.SyncInterval, o.MaxPayload, o.WriteDeadline = true, time.Second, maxPayload, 10*time.Second
	o.NoSigs, o.DisableJetStreamBanner = true, true
	if err := checkKey(o); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	logger := &serverLog{log: log}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded NATS: %w", err), lock.Close())
	}
	srv.SetLoggerV2(logger, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		srv.Shutdown()
		return nil, errors.Join(fmt.Errorf("embedded NATS did not start: %s", logger.lastFatal()), lock.Close())
	}
	return &Server{srv: srv, lock: lock}, nil
}

// URL is the server's address.
func (s *Server) URL() string { return s.srv.ClientURL() }

// Close stops the server after its clients were closed, and frees the directory.
func (s *Server) Close() error {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
	return s.lock.Close()
}

// lockDir takes the directory for this process; the lock ends with the file.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	path := filepath.Join(dir, "hongyan.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner := make([]byte, 32)
		n, _ := f.Read(owner) // only for the message
		return nil, errors.Join(fmt.Errorf("embedded NATS: %s is in use by another worker (pid %s); stop it, give this one its own nats.embedded.dir, or point both at one server with nats.url",
			dir, strings.TrimSpace(string(owner[:n]))), f.Close())
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0) // only for the message above
	}
	return f, nil
}

// serverLog passes the server's warnings on and keeps its last word, the only statement of why a
// start failed.
type serverLog struct {
	log   *slog.Logger
	mu    sync.Mutex
	fatal string
}

func (l *serverLog) lastFatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		return "it was not ready within 10s"
	}
	return l.fatal
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	l.fatal = fmt.Sprintf(format, v...)
	l.mu.Unlock()
	l.say(slog.LevelError, format, v)
}
func (l *serverLog) Errorf(format string, v ...any) { l.say(slog.LevelError, format, v) }
func (l *serverLog) Warnf(format string, v ...any)  { l.say(slog.LevelWarn, format, v) }
func (l *serverLog) Noticef(string, ...any)         {}
func (l *serverLog) Debugf(string, ...any)          {}
func (l *serverLog) Tracef(string, ...any)          {}

func (l *serverLog) say(level slog.Level, format string, v []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, "embedded nats server", "says", fmt.Sprintf(format, v...))
	}
}
