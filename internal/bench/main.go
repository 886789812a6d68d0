package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/bench"
)

func (t *tool) benchCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure a worker on this machine, beside a bare apns2 loop",
		Long: `bench starts a NATS server, the sandbox and a worker on this machine, measures, and tears everything down: worker CPU per
push beside a bare apns2 loop's, pushes a second with 0 and 50 ms vendor latency, the latency from publish to vendor at half
load, what limits cost, group messages and mixed batches, and memory with a large backlog. It uses no server of yours.

It needs Linux, and the worker's program: --worker, or one called worker beside this one or on the PATH, or the source tree.
Everything shares the machine's cores, so compare ratios, not machines.`,
		Example: `  publisher bench
  publisher bench --only cpu,latency50 --pushes 100000
  publisher bench --only backlog --backlog 1000000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, part := range o.Only {
				if !contains(bench.Runs, part) {
					return fmt.Errorf("--only names %q; write some of %s", part, strings.Join(bench.Runs, ", "))
				}
			}
			var remove func() error
			if o.Worker, remove, err = findWorker(o.Worker); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, remove()) }()
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.Bare = []string{self, "bench-bare"}
			o.Say = func(text string) { t.warn("bench: %s …", text) }
			figures, err := bench.Run(cmd.Context(), o)
			return errors.Join(t.showFigures(figures), err)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Worker, "worker", "", "the worker's `program`")
	f.IntVar(&o.Pushes, "pushes", 60_000, "`pushes` of each run")
	f.IntVar(&o.Users, "users", 5_000, "`users` they go to")
	f.IntVar(&o.Backlog, "backlog", 100_000, "`jobs` that wait in the memory run")
	f.IntVar(&o.Members, "members", 10_000, "`members` of the large group")
	f.IntVar(&o.Groups, "groups", 20, "`messages` to the large group")
	f.StringSliceVar(&o.Only, "only", nil, "`parts` to run: "+strings.Join(bench.Runs, ", "))
	f.StringVar(&o.Profile, "cpuprofile", "", "`file` for the worker's CPU profile")
	return c
}

// benchBareCommand is the bare loop in a process of its own, for bench alone.
func benchBareCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bench-bare URL DIR N", Hidden: true, Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[2])
			if err != nil {
				return err
			}
			return bench.Bare(args[0], args[1], n)
		},
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// findWorker finds the worker's program, or builds it where the source tree is at hand.
func findWorker(given string) (path string, remove func() error, err error) {
	nothing := func() error { return nil }
	if given != "" {
		return given, nothing, nil
	}
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), "worker"); executable(beside) {
			return beside, nothing, nil
		}
	}
	if _, err := os.Stat("cmd/worker/main.go"); err == nil {
		dir, err := os.MkdirTemp("", "hongyan-worker-")
		if err != nil {
			return "", nothing, fmt.Errorf("make a temporary folder: %w", err)
		}
		path = filepath.Join(dir, "worker")
		build := exec.Command("go", "build", "-tags", "disable_grpc_modules", "-ldflags", "-s -w", "-o", path, "./cmd/worker")
		if out, err := build.CombinedOutput(); err != nil {
			return "", nothing, errors.Join(fmt.Errorf("build the worker: %w\n%s", err, out), os.RemoveAll(dir))
		}
		return path, func() error { return os.RemoveAll(dir) }, nil
	}
	if path, err = exec.LookPath("worker"); err != nil {
		return "", nothing, errors.New("no worker program found; name it with --worker")
	}
	return path, nothing, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func (t *tool) showFigures(figures []bench.Figure) error {
	if t.json() {
		for _, f := range figures {
			if err := t.emit(f); err != nil {
				return err
			}
		}
		return nil
	}
	w := t.table("figure", "value", "unit", "target", "")
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
		w.AppendRow([]any{f.Name, strconv.FormatFloat(f.Value, 'f', digits, 64), f.Unit, f.Target, met})
	}
	w.Render()
	return nil
}
