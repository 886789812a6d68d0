package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

// stopTimeout is how long calls under way may take to finish after the first signal.
const stopTimeout = 10 * time.Second

// flags of the program.
type flags struct {
	listen, listenTLS string
	dir, mountedAt    string
	hosts             []string
	url               string
	keep              int
}

// names lists the vendors for which choose says so, as people know them.
func names(choose func(sandbox.Fake) bool) string {
	var list []string
	for _, f := range all.Fakes() {
		if choose(f) {
			list = append(list, f.Name)
		}
	}
	return strings.Join(list, ", ")
}

func tlsOnly(f sandbox.Fake) bool { return f.TLSOnly }

func command() *cobra.Command {
	var f flags
	fakes := all.Fakes()
	last := fakes[len(fakes)-1] // any will do for an example
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Play the push vendors on this machine",
		Long: `Play the push vendors on this machine:
` + names(func(sandbox.Fake) bool { return true }) + `.

Each is a strict fake of the vendor's server API on its real paths: it checks signatures, fields and limits
as the vendor does, and records every broken rule. Faults can be armed to see how a worker behaves when a
vendor is slow, throws, hangs or lies. A page shows each accepted notification as its phone would. Nothing
reaches a phone, nothing leaves this machine, and nothing is kept but the demo credentials.

At start it writes the credentials of its demo accounts into --dir (and reuses those it finds there), with
demo.yaml, the certificates to put into a worker's configuration.`,
		Example: `  # On this machine; then open http://127.0.0.1:8240/sandbox/
  sandbox

  # In a container that the worker calls "sandbox"; both mount the folder at /sandbox-data
  sandbox --listen 0.0.0.0:8240 --listen-tls 0.0.0.0:8241 --host sandbox --dir /sandbox-data

  # The worker sees the folder elsewhere
  sandbox --dir ./sandbox-data --mounted-at /run/sandbox

  # Let a vendor ask for a slower pace, three times
  curl -d '{"vendor":"` + last.Vendor + `","kind":"throttle","retry_after":5,"times":3}' http://127.0.0.1:8240/sandbox/api/faults

  # What was accepted, what was broken
  curl http://127.0.0.1:8240/sandbox/api/counts
  curl http://127.0.0.1:8240/sandbox/api/violations`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: false,
		Version:       cli.Version(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), f, terminal.NewWriter(cmd.OutOrStdout()))
		},
	}
	cmd.SetErr(terminal.NewWriter(os.Stderr))
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8240", "`address` for plain HTTP: the page, the control API, all vendors but "+names(tlsOnly))
	cmd.Flags().StringVar(&f.listenTLS, "listen-tls", "127.0.0.1:8241", "`address` for TLS with HTTP/2: the same, and "+names(tlsOnly))
	cmd.Flags().StringVar(&f.dir, "dir", "./sandbox-data", "`folder` for the demo accounts' credentials and demo.yaml")
	cmd.Flags().StringVar(&f.mountedAt, "mounted-at", "", "`folder` that demo.yaml names, where the worker sees --dir elsewhere (default: --dir); other users may then read the files")
	cmd.Flags().StringSliceVar(&f.hosts, "host", nil, "extra `name` or address that the worker calls; the TLS certificate is good for it, and the first is named in demo.yaml")
	cmd.Flags().StringVar(&f.url, "url", "", "TLS `address` that demo.yaml names (default: https://, the first --host, and the port of --listen-tls)")
	cmd.Flags().IntVar(&f.keep, "keep", 1000, "how many of the newest notifications to remember; -1 for all")
	cmd.AddCommand(healthCommand())
	return cmd
}

// run serves until ctx is done. It says where on out once all is ready.
func run(ctx context.Context, f flags, out io.Writer) error {
	for _, host := range f.hosts {
		if net.ParseIP(host) == nil && (host == "" || strings.ContainsAny(host, ":/ ")) {
			return fmt.Errorf("--host %q must be a name or an address, without scheme and port", host)
		}
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return fmt.Errorf("find --dir: %w", err)
	}
	demo, err := sandbox.OpenDemo(dir, time.Now(), all.Fakes())
	if err != nil {
		return err
	}
	server := sandbox.New(sandbox.Options{Keep: f.keep}, demo.Fakes()...)
	listener, err := server.Listen(sandbox.ListenOptions{HTTP: f.listen, TLS: f.listenTLS, Hosts: f.hosts, Authority: demo.Authority()})
	if err != nil {
		return err
	}
	place := sandbox.Place{URL: f.url, Dir: f.mountedAt, Private: f.mountedAt == ""}
	if place.URL == "" {
		place.URL = listener.TLSURL()
		if len(f.hosts) > 0 {
			place.URL = "https://" + net.JoinHostPort(f.hosts[0], place.URL[strings.LastIndexByte(place.URL, ':')+1:])
		}
	}
	place.URL = strings.TrimSuffix(place.URL, "/")
	if place.Dir == "" {
		place.Dir = dir
	}
	if err = demo.WriteFiles(dir, place); err == nil {
		listener.Serve() // who gets an answer finds the files
		tell(out, listener, place, dir)
		select {
		case <-ctx.Done():
		case err = <-listener.Failed():
		}
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, listener.Stop(stopping))
}

func tell(out io.Writer, listener *sandbox.Listener, place sandbox.Place, dir string) {
	_, _ = fmt.Fprintf(out, `The sandbox is ready.

  page           %s/sandbox/
  vendors        %s  (TLS, HTTP/2)
                 %s  (plain, all but %s)
  credentials    %s
  certificates   %s  (for the worker: endpoint %s)

Ctrl-C stops it; a second Ctrl-C at once.
`, terminal.Values([]any{listener.URL(), listener.TLSURL(), listener.URL(), names(tlsOnly), dir, filepath.Join(dir, "demo.yaml"), place.URL})...)
}
