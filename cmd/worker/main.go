// Command worker is Hongyan's service: it reads message events from NATS, decides who must be
// notified, and delivers through the phone vendors. See `worker --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signalled(stderr)
	defer stop()
	root := &cobra.Command{
		Use:   "worker",
		Short: "Hongyan: offline push for instant messaging",
		Long: `worker takes message events from NATS JetStream, decides for each device of each recipient whether it
must be notified, and delivers through APNs, FCM, Huawei, HarmonyOS, Honor, Xiaomi, OPPO, vivo and Meizu.

New here? Run "worker dev": it starts everything on this machine and shows pushes arriving.`,
		SilenceUsage: true, SilenceErrors: true,
		Version: version(),
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(runCommand(), checkCommand(), schemaCommand(), devCommand(), healthCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(stderr, "worker:", err)
		}
		return 1
	}
	return 0
}

// errSaid is a failure whose explanation was printed already.
var errSaid = errors.New("said")

// signalled ends the context at the first SIGINT or SIGTERM; the second ends the process at once.
func signalled(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		// timeout(1) and some supervisors send a signal twice in one breath; a person does not.
		for first := time.Now(); ; {
			select {
			case <-signals:
				if time.Since(first) < 100*time.Millisecond {
					continue
				}
			case <-done:
				return
			}
			fmt.Fprintln(stderr, "worker: second signal, leaving at once; what was under way comes again")
			os.Exit(130)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
