package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// bare runs the bare loop in a process of its own and returns its CPU per push.
func (r *rig) bare(ctx context.Context, n int) (time.Duration, error) {
	run := func(n int) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, r.opts.Bare[0], append(r.opts.Bare[1:], r.place.URL, r.place.Dir, strconv.Itoa(n))...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("bare loop: %w", err)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
	}
	// Two lengths, so that the process's start and the warm-up fall out.
	short, err := run(500)
	if err != nil {
		return 0, err
	}
	long, err := run(500 + n)
	if err != nil {
		return 0, err
	}
	return (long - short) / time.Duration(n), nil
}
