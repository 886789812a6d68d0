package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// sendCounts is the answer of send --file.
type sendCounts struct {
	App string `json:"app"`
	// Sent are stored, Duplicates of them were before; Bad lines were left out.
	Sent       int `json:"sent"`
	Duplicates int `json:"duplicates"`
	Bad        int `json:"bad"`
}

// maxLine is the longest line: twice the longest message that a worker takes.
const maxLine = 8 << 20

// sendLines sends the message on each line. A bad line is reported and left out; an error that the
// next line would meet as well ends it, and so does ctx: what is under way is finished then, so
// that the counts and the line that the error names are exact.
func (t *tool) sendLines(ctx context.Context, c *hongyan.Client, d *draft, in *input) (counts sendCounts, err error) {
	counts.App = d.app
	units := progress.UnitsBytes
	if in.size == 0 {
		units = progress.UnitsDefault
	}
	bar := t.bar("sending", in.size, units)
	defer func() { bar.stop(err != nil) }()
	var mu sync.Mutex // guards counts and standard error
	bad := func(line int, format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		counts.Bad++
		t.warn("%s:%d: %s", in.name, line, fmt.Sprintf(format, args...))
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(max(d.parallel, 1))
	lines := readLines(in, maxLine)
	var unread error
	for running.Err() == nil {
		data, tooLong, err := lines.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				unread = fmt.Errorf("%s:%d: %w", in.name, lines.line+1, err)
			}
			break
		}
		line := lines.line
		if tooLong {
			bad(line, "it is longer than %d bytes", maxLine)
			continue
		}
		if len(data) == 0 {
			continue
		}
		m, repairs, err := hongyan.ParseMessage(data, t.now())
		if err != nil {
			bad(line, "%v", err)
			continue
		}
		for _, repair := range repairs {
			mu.Lock()
			t.warn("%s:%d: %s", in.name, line, repairText(repair))
			mu.Unlock()
		}
		group.Go(func() error {
			r, err := t.sendPatiently(running, c, d.app, m)
			if errors.Is(err, hongyan.ErrInvalid) {
				bad(line, "%v", err)
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s:%d: %w", in.name, line, err)
			}
			mu.Lock()
			defer mu.Unlock()
			counts.Sent++
			if r.Duplicate {
				counts.Duplicates++
			}
			if in.size == 0 {
				bar.set(int64(counts.Sent))
			}
			return nil
		})
		if in.size > 0 {
			bar.set(lines.read)
		}
	}
	err = group.Wait()
	if err == nil {
		err = unread
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("%s:%d: %w", in.name, lines.line+1, ctx.Err())
	}
	return counts, err
}

// repairText says what was not as the contract writes it, and what was made of it.
func repairText(r hongyan.Repair) string {
	field := or(r.Field, "it")
	switch r.Kind {
	case hongyan.RepairUnknownField:
		return field + " is no field that Hongyan knows, it is ignored"
	case hongyan.RepairRecipient:
		return field + " holds what is no user id, which is left out"
	case hongyan.RepairFuture:
		return field + " is ahead of the clock, it counts as now"
	}
	return fmt.Sprintf("%s is taken, although it is not as the contract writes it (%s)", field, r.Kind)
}

// sendPatiently waits, up to the timeout, while the stream is full: the workers are behind, and
// that passes.
func (t *tool) sendPatiently(ctx context.Context, c *hongyan.Client, app string, m *hongyan.Message) (hongyan.Receipt, error) {
	patience, cancel := t.step(ctx)
	defer cancel()
	for {
		send, cancel := t.step(context.WithoutCancel(ctx))
		r, err := c.Send(send, app, m)
		cancel()
		if !errors.Is(err, hongyan.ErrFull) {
			return r, err
		}
		if !sleep.For(patience, time.Second) {
			return r, err
		}
	}
}
