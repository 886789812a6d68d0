package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// Exit codes of the programs.
const (
	exitDone    = 0
	exitNotDone = 1
	exitUsage   = 2
)

// usageError is a mistake in how a program was called or configured.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// UsageError marks a mistake in how a program was called or configured; nil stays nil.
func UsageError(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// Execute runs the command that the arguments name. An error from before it began, such as an
// unknown flag or a missing argument, is a [UsageError].
func Execute(ctx context.Context, root *cobra.Command) error {
	began := false
	var watch func(*cobra.Command)
	watch = func(c *cobra.Command) {
		if run := c.RunE; run != nil {
			c.RunE = func(c *cobra.Command, args []string) error {
				began = true
				return run(c, args)
			}
		}
		for _, sub := range c.Commands() {
			watch(sub)
		}
	}
	watch(root)
	err := root.ExecuteContext(ctx)
	if !began {
		return UsageError(err)
	}
	return err
}

// ExitCode is the exit code of a program that ends with err: 0 done, 1 not all done, 2 usage or
// configuration.
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitNotDone
}
