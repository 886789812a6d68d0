// Command sandbox plays the nine push vendors on this machine: strict fakes of their server APIs,
// faults to order, and a page that shows each notification as its phone would. It reaches no phone.
package main

import (
	"os"

	"github.com/hongyan-im/hongyan/internal/cli"
)

func main() {
	ctx, stop := cli.Signals(os.Stderr, "sandbox: second signal, leaving at once")
	err := cli.Execute(ctx, command()) // cobra prints it
	stop()
	os.Exit(cli.ExitCode(err))
}
