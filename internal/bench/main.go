// Command bench measures the whole installation in one run: a worker process between a NATS server
// and a sandbox that live in this process, beside a bare loop around a vendor's library as the
// yardstick.
//
//	this process: NATS server, sandbox, publisher        worker process: router, senders
//	another process: that bare loop at the same sandbox
//
// CPU is what the kernel accounts to the worker's process (user and system), less what it used
// before the load. Everything shares the machine's cores, so rates are those of the machine as a
// whole; the ratio of CPU per push is the steadier figure.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
)

func main() {
	ctx, stop := cli.Signals(os.Stderr, "bench: second signal, leaving at once; a worker may be left over")
	err := cli.Execute(ctx, command())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(cli.ExitCode(err))
}

func command() *cobra.Command {
	var o options
	var asJSON bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure a worker on this machine, beside a bare loop around a vendor's library",
		Long: `bench starts a NATS server, the sandbox and a worker on this machine, measures, and tears everything down: worker CPU per
push beside that of a bare loop around a vendor's library, pushes a second with 0 and 50 ms vendor latency, the latency from publish to vendor at half
load, what limits cost, group messages and mixed batches, and memory with a large backlog. It uses no server of yours.

It needs Linux, and is run in the source tree, where it builds the worker that it measures; --worker names another one.
Everything shares the machine's cores, so compare ratios, not machines.`,
		Example: `  go run ./internal/bench
  go run ./internal/bench --only cpu,latency50 --pushes 100000
  go run ./internal/bench --only backlog --backlog 1000000`,
		Args:         cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, part := range o.Only {
				if !slices.Contains(parts, part) {
					return fmt.Errorf("--only names %q; write some of %s", part, strings.Join(parts, ", "))
				}
			}
			if o.Worker == "" {
				var remove func() error
				if o.Worker, remove, err = buildWorker(); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, remove()) }()
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Bare = []string{self, "bare"}
			o.Say = func(text string) { fmt.Fprintf(cmd.ErrOrStderr(), "bench: %s …\n", text) }
			figures, err := measure(cmd.Context(), o)
			return errors.Join(show(cmd.OutOrStdout(), figures, asJSON), err)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Worker, "worker", "", "the worker's `program`; default: built from the source tree")
	f.IntVar(&o.Pushes, "pushes", 60_000, "`pushes` of each run")
	f.IntVar(&o.Users, "users", 5_000, "`users` they go to")
	f.IntVar(&o.Backlog, "backlog", 100_000, "`jobs` that wait in the memory run")
	f.IntVar(&o.Members, "members", 10_000, "`members` of the large group")
	f.IntVar(&o.Groups, "groups", 20, "`messages` to the large group")
	f.StringSliceVar(&o.Only, "only", nil, "`parts` to run: "+strings.Join(parts, ", "))
	f.StringVar(&o.Profile, "cpuprofile", "", "`file` for the worker's CPU profile")
	f.BoolVar(&asJSON, "json", false, "print a JSON object for each figure instead of a table")
	c.AddCommand(bareCommand())
	return c
}

// bareCommand is the bare loop in a process of its own, for bench alone.
func bareCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bare URL DIR N", Hidden: true, Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[2])
			if err != nil {
				return err
			}
			return yardstick().Bare(args[0], args[1], n)
		},
	}
}

// buildWorker builds the worker as "make build" does, into a folder that remove deletes.
func buildWorker() (path string, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "hongyan-worker-")
	if err != nil {
		return "", nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	path = filepath.Join(dir, "worker")
	build := exec.Command("go", "build", "-trimpath", "-tags", "disable_grpc_modules", "-ldflags", "-s -w", "-o", path,
		"github.com/hongyan-im/hongyan/cmd/worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", nil, errors.Join(fmt.Errorf("build the worker, which only the source tree can (--worker names one that is built): %w\n%s", err, out),
			os.RemoveAll(dir))
	}
	return path, func() error { return os.RemoveAll(dir) }, nil
}

// show prints the figures as a table, or as a JSON object each.
func show(w io.Writer, figures []figure, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		for _, f := range figures {
			if err := e.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tVALUE\tUNIT\tTARGET\t")
	for _, f := range figures {
		met := ""
		switch {
		case f.Met == nil && f.Target != "":
			met = "too noisy to tell, try more --pushes"
		case f.Met != nil && *f.Met:
			met = "met"
		case f.Met != nil:
			met = "missed"
		}
		digits := 1
		if f.Value >= 1000 {
			digits = 0
		} else if f.Value < 10 {
			digits = 2
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Name, strconv.FormatFloat(f.Value, 'f', digits, 64), f.Unit, f.Target, met)
	}
	return table.Flush()
}
