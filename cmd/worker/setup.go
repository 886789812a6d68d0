package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/sleep"
	"github.com/hongyan-im/hongyan/internal/telemetry"
)

// setupPatience is how long setup waits for a server that answers but is not ready.
const setupPatience = time.Minute

func setupCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "setup --config FILE",
		Short: "Make the streams, for workers whose NATS user may not",
		Long: `setup makes the streams that the configuration needs and are missing, and gives those that exist the bounds that it sets. It
does what "worker run" does when it starts, so that the workers' own NATS user needs no right to make or change streams: give it a
configuration whose nats section names a user who has it. Run it before the workers, and again before a configuration with another
vendor or other bounds.

A stream that exists and does not fit is named with each difference and the remedy; the exit code is 1 then.`,
		Example: `  # with "user: ${NATS_USER}" and "password: ${NATS_PASSWORD}" in the file
  NATS_USER=operator NATS_PASSWORD=… worker setup --config hongyan.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := load(cmd, file)
			if err != nil {
				return err
			}
			if conf.NATS.URL == "" {
				return cli.UsageError(errors.New("the configuration has no nats.url; a worker makes the streams of the server inside it by itself"))
			}
			log, err := telemetry.Logger(cmd.ErrOrStderr(), conf.Log.Level, conf.Log.Format)
			if err != nil {
				return err
			}
			host, _ := os.Hostname() // only a name for operators
			b, err := bus.Connect(cmd.Context(), bus.Options{
				URL: conf.NATS.URL, Credentials: conf.NATS.Credentials(), Name: "hongyan setup " + host, Topology: topology(conf), Log: log, Once: true,
			})
			if err != nil {
				return err
			}
			defer b.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), setupPatience)
			defer cancel()
			if err := ensureStreams(ctx, b, conf.Vendors(), func(err error) bool { return !errors.Is(err, bus.ErrNotAllowed) }); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "all streams are there")
			return err
		},
	}
	configFlag(c, &file)
	return c
}

// ensureTimeout bounds one attempt to make and check the streams.
const ensureTimeout = 5 * time.Second

// ensureStreams makes and checks the streams. Where that fails for another reason than a stream
// that does not fit, it asks whether to wait, and tries again each second until ctx ends.
func ensureStreams(ctx context.Context, b *bus.Bus, vendors []string, wait func(error) bool) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, ensureTimeout)
		err := b.Ensure(attempt, vendors)
		cancel()
		if err == nil || errors.Is(err, bus.ErrMisfit) || ctx.Err() != nil || !wait(err) || !sleep.For(ctx, time.Second) {
			return err
		}
	}
}
