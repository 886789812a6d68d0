package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/telemetry"
)

// devOptions are the flags of `worker dev`.
type devOptions struct {
	dir, nats, page, tls, http, level string
	members                           int
}

func devCommand() *cobra.Command {
	var o devOptions
	c := &cobra.Command{
		Use:   "dev",
		Short: "Start everything on this machine and watch pushes arrive",
		Long: `dev starts an embedded NATS server, a sandbox that plays all vendors, and a worker with a demo app; registers sample
devices; sends a short group conversation, a call, ten messages of one chat, a message to a large group, and a thousand messages of which a
vendor refuses one, through the real pipeline; prints what arrives; and keeps running so that you can go on with the publisher, the nats tool, or your own IM backend.

Nothing leaves this machine, and nothing but Go is needed.`,
		Example: `  go run ./cmd/worker dev

  # other ports, and keep the data
  worker dev --nats 127.0.0.1:4300 --page 127.0.0.1:9000 --dir ./dev-data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return dev(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", "", "keep streams and demo keys in this `folder`; default: a temporary one that is removed at the end")
	f.StringVar(&o.nats, "nats", "127.0.0.1:4222", "`address` of the embedded NATS server")
	f.StringVar(&o.page, "page", "127.0.0.1:8240", "`address` of the sandbox's page and control API")
	f.StringVar(&o.tls, "tls", "127.0.0.1:8241", "`address` of the sandbox's vendor APIs, over TLS")
	f.StringVar(&o.http, "http", "127.0.0.1:8230", "`address` of the worker's /explain, /healthz, /readyz and /metrics")
	f.StringVar(&o.level, "log", "warn", "log `level`: debug, info, warn or error")
	f.IntVar(&o.members, "members", 1000, "members of the large `group`; 0 leaves out that step and the thousand messages")
	return c
}

func dev(ctx context.Context, o devOptions, stdout, stderr io.Writer) (err error) {
	log, err := telemetry.Logger(stderr, o.level, "text")
	if err != nil {
		return err
	}
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "hongyan-dev-"); err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	keys := filepath.Join(dir, "sandbox")
	demo, err := sandbox.OpenDemo(keys, time.Now(), all.Fakes())
	if err != nil {
		return err
	}
	box := sandbox.New(sandbox.Options{}, demo.Fakes()...)
	listener, err := box.Start(sandbox.ListenOptions{HTTP: o.page, TLS: o.tls, Authority: demo.Authority(), Log: log})
	if err != nil {
		return fmt.Errorf("%w; is another worker dev running? --page and --tls choose other addresses", err)
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, listener.Stop(stop))
	}()
	address := sandbox.Place{URL: listener.TLSURL(), Dir: keys, Private: true}
	if err := demo.WriteFiles(keys, address); err != nil {
		return err
	}
	password := rand.Text()
	secret := filepath.Join(dir, "explain.password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return fmt.Errorf("write the password of /explain: %w", err)
	}
	file := filepath.Join(dir, "hongyan.yaml")
	yaml := fmt.Appendf(nil, "nats: {embedded: {dir: %q, listen: %q}}\nhttp: {listen: %q, explain: {password_file: %q, show_text: true}}\n%s", filepath.Join(dir, "nats"), o.nats, o.http, secret, demo.DevApps(address))
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	conf, err := config.Load(file, kinds)
	if err != nil {
		return fmt.Errorf("the demo's own configuration: %w", err)
	}
	fmt.Fprintln(stdout, "Starting NATS, the sandbox of all vendors and a worker …")
	var showing sync.WaitGroup
	defer showing.Wait()
	ended, end := context.WithCancel(ctx)
	defer end()
	showing.Go(func() {
		if <-ended.Done(); ctx.Err() != nil {
			fmt.Fprintf(stdout, "\nStopping: what is under way has %v to end; Ctrl-C again leaves at once\n", conf.Shutdown)
		}
	})
	return serve(ctx, conf, log, func(s *service) {
		shown := &show{s: s, box: box, fakes: demo.Fakes(), out: stdout, options: o, pageURL: listener.URL(), password: password}
		names := &phoneNames{store: s.bus, subjects: s.topology().Subjects, vendors: vendorsOf(conf), box: box}
		showing.Go(func() { names.run(ctx, s.bus) })
		showing.Go(func() {
			if err := shown.run(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(stderr, "worker dev:", err)
			}
		})
	})
}
