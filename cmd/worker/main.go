// Command worker is Hongyan's service: it reads message events from NATS, decides who must be
// notified, and delivers through the phone vendors. See `worker --help`.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/terminal"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	stdout, stderr = terminal.NewWriter(stdout), terminal.NewWriter(stderr)
	ctx, stop := cli.Signals(stderr, "worker: second signal, leaving at once; what was under way comes again")
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := cli.Execute(ctx, root)
	if err != nil && !errors.Is(err, errSaid) {
		fmt.Fprintln(stderr, "worker:", err)
	}
	return cli.ExitCode(err)
}

// vendorNames are the vendors by their names in the configuration.
func vendorNames() []string {
	var names []string
	for _, v := range registry.Vendors() {
		names = append(names, v.Doc().Vendor)
	}
	return names
}

// rootCommand is the program with all its commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "worker",
		Short: "Hongyan: offline push for instant messaging",
		Long: `worker takes message events from NATS JetStream, decides for each device of each recipient whether it
must be notified, and delivers through the phone vendors: ` + strings.Join(vendorNames(), ", ") + `.

The exit code is 0 when all is done, 1 when it is not, and 2 for a mistake in the command line or the configuration.

New here? Run "worker dev": it starts everything on this machine and shows pushes arriving.`,
		SilenceUsage: true, SilenceErrors: true,
		Version: cli.Version(),
	}
	root.AddCommand(runCommand(), checkCommand(), setupCommand(), schemaCommand(), devCommand(), healthCommand())
	return root
}

// errSaid is a failure whose explanation was printed already.
var errSaid = errors.New("said")
