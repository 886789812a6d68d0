package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// options of a run.
type options struct {
	// Worker is the worker's program; Bare is a command line that runs the bare loop of
	// [yardstick] in a process of its own.
	Worker string
	Bare   []string
	// Pushes of the runs without latency; those with 50 ms take as many.
	Pushes int
	// Users that the pushes go to.
	Users int
	// Members is the size of the large group, Groups how many messages go to it.
	Members, Groups int
	// Backlog is how many jobs wait in the memory run, Events how many large messages in the other
	// one.
	Backlog, Events int
	// Flood is how many messages of one app, and FloodGroups how many of its group messages, wait
	// while another app's pushes are timed.
	Flood, FloodGroups int
	// Signals is how many recalls and read marks that concern nobody come in a minute.
	Signals int
	// Midnight is how many jobs wait for the same midnight.
	Midnight int
	// Connected is how many users say that they are in the foreground at some gateway.
	Connected int
	// Soak is how long a worker runs under load with failing vendors.
	Soak time.Duration
	// Only names the parts to do; empty for all of a full run. See [parts].
	Only []string
	// Profile is where a worker leaves a CPU profile when it stops; empty for none.
	Profile string
	// Say is told what is being done.
	Say func(text string)
}

// part is something that is measured by itself, with a server, a sandbox and users of its own, so
// that it does not carry what others have left.
type part struct {
	name string
	run  func(*rig, context.Context) ([]figure, error)
	// nodes is the number of NATS servers.
	nodes int
	// only says that a full run leaves it out.
	only bool
}

// parts are the parts of a run, in order.
var parts = []part{
	{name: "cpu", run: (*rig).cpu},
	{name: "latency50", run: (*rig).latency50},
	{name: "half", run: (*rig).half},
	{name: "messages", run: (*rig).messages},
	{name: "group", run: (*rig).group},
	{name: "counted", run: (*rig).counted},
	{name: "workers", run: (*rig).workers},
	{name: "mixed", run: (*rig).mixed},
	{name: "foreground", run: (*rig).foreground},
	{name: "cluster", run: (*rig).cluster, nodes: 3},
	{name: "backlog", run: (*rig).backlog},
	{name: "events", run: (*rig).events},
	{name: "idle", run: (*rig).idle},
	{name: "parked", run: (*rig).parked},
	{name: "restart", run: (*rig).restart},
	{name: "flood", run: (*rig).flood},
	{name: "signals", run: (*rig).signals},
	{name: "midnight", run: (*rig).midnight},
	{name: "gateways", run: (*rig).gateways},
	{name: "limits", run: (*rig).limits, only: true},
	{name: "soak", run: (*rig).soak, only: true},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// figure is one result.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Target is design's, empty where there is none; Met says whether it was met, and is nil where
	// the run could not tell.
	Target string `json:"target,omitempty"`
	Met    *bool  `json:"met,omitempty"`
}

// measure runs the parts. One that fails does not keep the others from being measured.
func measure(ctx context.Context, opts options) (figures []figure, err error) {
	for _, p := range parts {
		if len(opts.Only) > 0 && !slices.Contains(opts.Only, p.name) || len(opts.Only) == 0 && p.only {
			continue
		}
		if ctx.Err() != nil {
			return figures, errors.Join(err, ctx.Err())
		}
		more, failed := alone(ctx, opts, p)
		figures = append(figures, more...)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, failed))
		}
	}
	return figures, err
}

func alone(ctx context.Context, opts options, p part) (figures []figure, err error) {
	runtime.GC()
	r, err := newRig(ctx, opts, max(p.nodes, 1))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.register(ctx, "u", opts.Users, r.certificate()); err != nil {
		return nil, err
	}
	return p.run(r, ctx)
}

// say tells what is being done.
func (r *rig) say(format string, args ...any) { r.opts.Say(fmt.Sprintf(format, args...)) }

// atMost and atLeast give a figure a target.
func (f figure) atMost(limit float64) figure {
	return f.target(fmt.Sprintf("at most %g", limit), f.Value <= limit)
}

func (f figure) atLeast(limit float64) figure {
	return f.target(fmt.Sprintf("at least %g", limit), f.Value >= limit)
}

func (f figure) target(text string, met bool) figure {
	f.Target, f.Met = text, &met
	return f
}

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func milli(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func mega(bytes int64) float64      { return float64(bytes) / 1e6 }
