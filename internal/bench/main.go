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
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

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
		Long: `bench starts a NATS server, the sandbox and a worker on this machine, measures, and tears everything down. It uses no server
of yours. Each part has a server, a sandbox and users of its own:

  cpu         worker CPU per push beside that of a bare loop around a vendor's library, and pushes a second
  latency50   pushes a second with 50 ms vendor latency
  half        latency from publish to vendor at half of the full rate
  messages    NATS messages for each push, in bulk and at 300 a second
  group       messages to a large group on the vendors that take many devices a call
  counted     the same for an app that counts the numbers on icons
  workers     the same through three workers
  mixed       different messages on the vendors that take these in one call
  foreground  messages whose recipients are all in the foreground
  cluster     pushes and a large group once more on three nodes, replicas 3
  backlog     worker memory while jobs wait for parked certificates
  events      worker memory while messages to large groups wait, and one of 4 MiB
  idle        start and idle CPU of a worker with 5,000 certificates
  parked      latency of the others while one of 5,000 certificates is parked
  restart     pushes a second of what waited while no worker ran
  flood       latency of an app's chat and calls while another app's messages wait
  signals     latency of chat and worker memory while recalls and read marks come that concern nobody
  midnight    jobs that wait for one midnight, and the others' latency when it comes
  gateways    users on fifty gateways, of which one dies
  limits      what a rate and a quota cost; takes long, and is not part of a full run
  soak        what a worker holds at the beginning and the end of an hour in which vendors fail; not part of a full run either

It needs Linux, and is run in the source tree, where it builds the worker that it measures; --worker names another one.
Everything shares the machine's cores, so compare ratios, not machines. A part that fails is reported at the end, after the
figures of the others.`,
		Example: `  go run ./internal/bench
  go run ./internal/bench --only cpu,latency50 --pushes 100000
  go run ./internal/bench --only backlog,midnight,gateways --backlog 1000000 --midnight 1000000 --connected 1000000
  go run ./internal/bench --only limits --pushes 120000
  go run ./internal/bench --only soak --soak 1h`,
		Args:         cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, part := range o.Only {
				if !slices.Contains(partNames(), part) {
					return fmt.Errorf("--only names %q; write some of %s", part, strings.Join(partNames(), ", "))
				}
			}
			if o.Worker == "" {
				var remove func() error
				if o.Worker, remove, err = buildWorker(); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, remove()) }()
			}
			// This process shares the cores with the worker, and has the heap of a server and of
			// all fakes, which takes it a quarter of a second to mark: it collects its garbage
			// before latencies are measured and hardly meanwhile, or that would be measured as
			// the worker's. The limit is for small machines.
			debug.SetGCPercent(2500)
			debug.SetMemoryLimit(4 << 30)
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Bare = []string{self, "bare"}
			o.Say = func(text string) { fmt.Fprintf(cmd.ErrOrStderr(), "bench: %s\n", text) }
			figures, err := measure(cmd.Context(), o)
			return errors.Join(show(cmd.OutOrStdout(), figures, asJSON), err)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Worker, "worker", "", "the worker's `program`; default: built from the source tree")
	f.IntVar(&o.Pushes, "pushes", 60_000, "`pushes` of each run")
	f.IntVar(&o.Users, "users", 5_000, "`users` they go to")
	f.IntVar(&o.Members, "members", 10_000, "`members` of the large group")
	f.IntVar(&o.Groups, "groups", 20, "`messages` to the large group")
	f.IntVar(&o.Backlog, "backlog", 100_000, "`jobs` that wait for parked certificates")
	f.IntVar(&o.Events, "events", 90, "`messages` to the large group that wait")
	f.IntVar(&o.Flood, "flood", 200_000, "`messages` of one app that are published beside another one's")
	f.IntVar(&o.FloodGroups, "flood-groups", 100, "`messages` to the large group among them")
	f.IntVar(&o.Signals, "signals", 100_000, "recalls and read `marks` that concern nobody, in a minute")
	f.IntVar(&o.Midnight, "midnight", 50_000, "`jobs` that wait for one midnight")
	f.IntVar(&o.Connected, "connected", 100_000, "`users` on fifty gateways")
	f.DurationVar(&o.Soak, "soak", time.Hour, "how `long` the worker runs in that part")
	f.StringSliceVar(&o.Only, "only", nil, "`parts` to run, default all but limits and soak: "+strings.Join(partNames(), ", "))
	f.StringVar(&o.Profile, "cpuprofile", "", "`file` for the CPU profile of the last worker")
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
