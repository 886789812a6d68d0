package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/telemetry"
)

func runCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Run the service",
		Long: `run is the service. It makes the streams that are missing, consumes until SIGTERM or SIGINT, then stops pulling,
finishes what is under way (at most the configuration's "shutdown", 20s), gives the rest back and exits with 0.
A second signal exits at once; what was under way then comes again, on this worker or another.

The configuration is loaded anew at SIGHUP, and within seconds after the file, or a secret's or other file that it names, holds
something else: certificates, limits, policies and texts change while pushes go on. A configuration that is not valid changes
nothing, and is reported. What takes a restart (nats, http, log) is named in the log and kept.

GET /healthz, /readyz and /metrics (Prometheus) are served at http.listen, by default 127.0.0.1:8230.`,
		Example: `  worker check --config hongyan.yaml && worker run --config hongyan.yaml

  # ten workers on one cluster: the same file on each
  worker run --config /etc/hongyan/hongyan.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := load(cmd, file)
			if err != nil {
				return err
			}
			log, err := telemetry.Logger(cmd.ErrOrStderr(), conf.Log.Level, conf.Log.Format)
			if err != nil {
				return err
			}
			stop, err := profile(os.Getenv("HONGYAN_CPUPROFILE"))
			if err != nil {
				return err
			}
			defer paceGC()()
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			s := &service{conf: conf, log: log, triggers: &triggers{file: file, signals: hangup, every: lookAtFiles}}
			return errors.Join(s.serve(cmd.Context()), stop())
		},
	}
	configFlag(c, &file)
	return c
}

// profile writes a CPU profile until stop is called; an empty file name writes none. It is for
// the benchmark (internal/bench, --cpuprofile).
func profile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("write the CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("write the CPU profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "the configuration, a YAML `file`")
	if err := c.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag stands a line above
	}
	if err := c.MarkFlagFilename("config", "yaml", "yml"); err != nil {
		panic(err)
	}
}

// load reads the configuration and prints all that is wrong with it.
func load(cmd *cobra.Command, file string) (*config.Config, error) {
	conf, err := config.Load(file, kinds)
	if err == nil {
		return conf, nil
	}
	if errs, ok := errors.AsType[config.Errors](err); ok {
		for _, p := range errs {
			fmt.Fprintln(cmd.ErrOrStderr(), p)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "worker: %s has %d problem(s), nothing was started\n", file, len(errs))
		return nil, cli.UsageError(errSaid)
	}
	return nil, cli.UsageError(err)
}
