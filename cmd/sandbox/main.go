// Command sandbox plays the nine push vendors on this machine: strict fakes of their server APIs,
// faults to order, and a page that shows each notification as its phone would. It reaches no phone.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// from the first signal on nobody listens, so that the second ends the process at once
	context.AfterFunc(ctx, stop)
	if err := command().ExecuteContext(ctx); err != nil {
		os.Exit(1) // cobra has printed it
	}
}
