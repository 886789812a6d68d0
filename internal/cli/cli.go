// Package cli is what the programs share as programs: how they end at a signal, and what version
// they say they are.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// Signals returns a context that ends at the first SIGINT or SIGTERM. At the second the process
// says farewell on stderr and exits with 130. The function that is returned ends the watch.
func Signals(stderr io.Writer, farewell string) (context.Context, func()) {
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
			_, _ = fmt.Fprintln(stderr, farewell) // nobody is left to tell
			os.Exit(130)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// version is set by the linker in a release and in an image:
// -X github.com/hongyan-im/hongyan/internal/cli.version=v1.2.3.
var version string

// Version is what the program was built as: the version that the linker was told, else that of the
// module, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
