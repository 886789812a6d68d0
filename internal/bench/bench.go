package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
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
	// Backlog is how many jobs wait in the memory run; Members the size of the large group, Groups
	// how many messages go to it.
	Backlog, Members, Groups int
	// Only names the runs to do; empty for all. See [parts].
	Only []string
	// Profile is where the worker leaves a CPU profile of the run without latency; empty for none.
	Profile string
	// Say is told what is being done.
	Say func(text string)
}

// parts are the parts of a run, in order.
var parts = []string{"cpu", "limits", "latency50", "half", "group", "mixed", "backlog"}

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

// measure runs the parts.
func measure(ctx context.Context, opts options) (figures []figure, err error) {
	for _, part := range []struct {
		name string
		run  func(*rig, context.Context) ([]figure, error)
	}{
		{"cpu", (*rig).cpu}, {"limits", (*rig).limits}, {"latency50", (*rig).latency50}, {"half", (*rig).half}, {"group", (*rig).group},
		{"mixed", (*rig).mixed}, {"backlog", (*rig).backlog},
	} {
		if len(opts.Only) > 0 && !slices.Contains(opts.Only, part.name) {
			continue
		}
		more, err := alone(ctx, opts, part.run)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", part.name, err)
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// alone runs a part with a server, a sandbox and users of its own, so that it does not carry what
// the parts before have left.
func alone(ctx context.Context, opts options, run func(*rig, context.Context) ([]figure, error)) (figures []figure, err error) {
	runtime.GC()
	r, err := newRig(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.register(ctx, "u", opts.Users, r.certificate()); err != nil {
		return nil, err
	}
	return run(r, ctx)
}

func target(f figure, text string, met bool) figure {
	f.Target, f.Met = text, &met
	return f
}

// drained is a backlog of n messages that a fresh worker works off.
type drained struct {
	perPush time.Duration // worker CPU
	rate    float64       // pushes a second
}

func (r *rig) drain(ctx context.Context, run string, n int) (d drained, err error) {
	w, err := r.start(ctx, r.apps())
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	// The first pushes pay for connections, tokens and caches.
	warm := r.accepted()
	if err := r.load(ctx, run+"-warm", 500, r.opts.Users); err != nil {
		return d, err
	}
	if err := r.wait(ctx, warm, 500); err != nil {
		return d, err
	}
	before, began := r.accepted(), time.Now()
	cpu, err := w.cpu()
	if err != nil {
		return d, err
	}
	if err := r.load(ctx, run, n, r.opts.Users); err != nil {
		return d, err
	}
	if err := r.wait(ctx, before, int64(n)); err != nil {
		return d, err
	}
	took := time.Since(began)
	// What follows from the last pushes belongs to them.
	if err := r.settled(ctx, r.vendor); err != nil {
		return d, err
	}
	after, err := w.cpu()
	if err != nil {
		return d, err
	}
	return drained{perPush: (after - cpu) / time.Duration(n), rate: float64(n) / took.Seconds()}, nil
}

// settled waits until no message or job of the vendors is left.
func (r *rig) settled(ctx context.Context, vendors ...string) error {
	for {
		b, err := r.bus.MessageBacklog(ctx)
		if err != nil {
			return err
		}
		left := b.Jobs
		for _, v := range vendors {
			b, err := r.bus.Backlog(ctx, v)
			if err != nil {
				return err
			}
			left += b.Jobs
		}
		if left == 0 {
			return nil
		}
		if !sleep(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (r *rig) cpu(ctx context.Context) ([]figure, error) {
	n := r.opts.Pushes
	// In turn, so that a machine that slows down slows both.
	var bare, ours []time.Duration
	var rate []float64
	for i := range 3 {
		r.opts.Say(fmt.Sprintf("bare loop and worker, %d of 3, %d pushes each", i+1, n))
		b, err := r.bare(ctx, n)
		if err != nil {
			return nil, err
		}
		d, err := r.drain(ctx, fmt.Sprintf("cpu%d", i), n)
		if err != nil {
			return nil, err
		}
		bare, ours, rate = append(bare, b), append(ours, d.perPush), append(rate, d.rate)
	}
	b, o := median(bare), median(ours)
	ratio := float64(o) / float64(b)
	return []figure{
		{Name: "bare loop, CPU per push", Value: micro(b), Unit: "µs"},
		{Name: "worker, CPU per push", Value: micro(o), Unit: "µs"},
		target(figure{Name: "worker / bare loop", Value: ratio, Unit: "×"}, "at most 1.6", ratio <= 1.6),
		{Name: "pushes a second, vendor latency 0 ms", Value: median(rate), Unit: "/s"},
	}, nil
}

func (r *rig) latency50(ctx context.Context) ([]figure, error) {
	r.opts.Say("vendor latency 50 ms")
	id := r.box.Arm(sandbox.Fault{Vendor: r.vendor, Kind: sandbox.FaultSlow, Delay: 0.05})
	defer r.box.Clear(r.vendor, id)
	d, err := r.drain(ctx, "l50", r.opts.Pushes)
	if err != nil {
		return nil, err
	}
	return []figure{target(figure{Name: "pushes a second, vendor latency 50 ms", Value: d.rate, Unit: "/s"}, "at least 15,000", d.rate >= 15_000)}, nil
}

// half publishes at half the full rate and measures from publish to the vendor's request.
func (r *rig) half(ctx context.Context) ([]figure, error) {
	r.opts.Say("half load")
	full, err := r.drain(ctx, "full", r.opts.Pushes)
	if err != nil {
		return nil, err
	}
	w, err := r.start(ctx, r.apps())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	if err := r.load(ctx, "half-warm", 500, r.opts.Users); err != nil {
		return nil, err
	}
	pushes := make(chan sandbox.Push, 1<<17)
	if err := r.settled(ctx, r.vendor); err != nil {
		return nil, err
	}
	stop := r.box.Watch(pushes)
	defer stop()
	n := min(int(full.rate/2*10), r.opts.Pushes*2)
	published := make([]time.Time, n)
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() { failed = r.trickle(ctx, n, full.rate/2, published) })
	latencies := make([]time.Duration, 0, n)
	for len(latencies) < n {
		select {
		case p := <-pushes:
			i := serial(p.Ext)
			if i < 0 || i >= n {
				continue
			}
			latencies = append(latencies, p.At.Sub(published[i]))
		case <-time.After(30 * time.Second):
			sending.Wait()
			return nil, errors.Join(fmt.Errorf("only %d of %d pushes arrived", len(latencies), n), failed)
		case <-ctx.Done():
			sending.Wait()
			return nil, ctx.Err()
		}
	}
	sending.Wait()
	slices.Sort(latencies)
	p50, p99 := latencies[n/2], latencies[n*99/100]
	return []figure{
		{Name: fmt.Sprintf("half load (%.0f/s): p50 from publish to vendor", full.rate/2), Value: milli(p50), Unit: "ms"},
		target(figure{Name: "half load: p99 from publish to vendor", Value: milli(p99), Unit: "ms"}, "under 25", p99 < 25*time.Millisecond),
	}, failed
}

// trickle publishes n messages evenly, and notes when each went out.
func (r *rig) trickle(ctx context.Context, n int, rate float64, published []time.Time) error {
	const beat = 5 * time.Millisecond
	began := time.Now()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for i := 0; i < n; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		due := min(int(time.Since(began).Seconds()*rate), n)
		var msgs []dispatch.Outgoing
		for ; i < due; i++ {
			m, err := r.message("half-"+strconv.Itoa(i), "u"+strconv.Itoa(i%r.opts.Users))
			if err != nil {
				return err
			}
			msgs = append(msgs, m)
			published[i] = time.Now()
		}
		if err := errors.Join(r.bus.Publish(ctx, msgs)...); err != nil {
			return err
		}
	}
	return nil
}

// serial finds the number of a half-load message in what the app gets on tap.
func serial(ext string) int {
	_, rest, ok := strings.Cut(ext, "half-")
	if !ok {
		return -1
	}
	end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return -1
	}
	return n
}

// group sends messages to a large group on the batch vendors.
func (r *rig) group(ctx context.Context) ([]figure, error) {
	r.opts.Say(fmt.Sprintf("%d messages to a group of %d on batch vendors", r.opts.Groups, r.opts.Members))
	ids, _ := certificates(func(f sandbox.Fake) bool { return f.Batch })
	return r.batches(ctx, "group", "group of "+strconv.Itoa(r.opts.Members)+" on batch vendors", ids,
		r.opts.Groups, func(run string, members []string, i int) ([]dispatch.Outgoing, error) {
			m, err := r.message(run+"-"+strconv.Itoa(i), members...)
			return []dispatch.Outgoing{m}, err
		}, "at least 100,000", 100_000)
}

// mixed sends a message of its own to each of many people on the vendors that take different ones
// in one call.
func (r *rig) mixed(ctx context.Context) ([]figure, error) {
	ids, names := certificates(func(f sandbox.Fake) bool { return f.Mixed })
	name := "different messages on " + strings.Join(names, " and ")
	r.opts.Say(name)
	return r.batches(ctx, "mixed", name, ids, 1,
		func(run string, members []string, _ int) (msgs []dispatch.Outgoing, err error) {
			for i, user := range members {
				m, err := r.message(run+"-"+strconv.Itoa(i), user)
				if err != nil {
					return nil, err
				}
				msgs = append(msgs, m)
			}
			return msgs, nil
		}, "", 0)
}

func (r *rig) batches(ctx context.Context, run, name string, certificates []string, rounds int,
	messages func(run string, members []string, i int) ([]dispatch.Outgoing, error), want string, atLeast float64) (figures []figure, err error) {
	n := r.opts.Members
	if err := r.register(ctx, run+"-", n, certificates...); err != nil {
		return nil, err
	}
	members := make([]string, n)
	for i := range members {
		members[i] = run + "-" + strconv.Itoa(i)
	}
	w, err := r.start(ctx, r.apps())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	push := func(run string, i int) error {
		msgs, err := messages(run, members, i)
		if err != nil {
			return err
		}
		return errors.Join(r.bus.Publish(ctx, msgs)...)
	}
	warm := r.accepted()
	if err := push(run+"-warm", 0); err != nil {
		return nil, err
	}
	if err := r.wait(ctx, warm, int64(n)); err != nil {
		return nil, err
	}
	before, began := r.accepted(), time.Now()
	cpu, err := w.cpu()
	if err != nil {
		return nil, err
	}
	for i := range rounds {
		if err := push(run, i); err != nil {
			return nil, err
		}
	}
	total := int64(n) * int64(rounds)
	if err := r.wait(ctx, before, total); err != nil {
		return nil, err
	}
	rate := float64(total) / time.Since(began).Seconds()
	after, err := w.cpu()
	if err != nil {
		return nil, err
	}
	f := figure{Name: name, Value: rate, Unit: "devices/s"}
	if want != "" {
		f = target(f, want, rate >= atLeast)
	}
	return []figure{f, {Name: name + ": worker CPU per device", Value: micro((after - cpu) / time.Duration(total)), Unit: "µs"}}, nil
}

// backlog fills the job stream of a vendor that hangs, and looks at the worker's memory.
func (r *rig) backlog(ctx context.Context) (figures []figure, err error) {
	n := r.opts.Backlog
	if n == 0 {
		return nil, nil
	}
	r.opts.Say(fmt.Sprintf("%d jobs waiting for a vendor that hangs", n))
	id := r.box.Arm(sandbox.Fault{Vendor: r.vendor, Kind: sandbox.FaultHang})
	defer r.box.Clear(r.vendor, id)
	w, err := r.start(ctx, r.apps())
	if err != nil {
		return nil, err
	}
	defer func() {
		r.box.Clear(r.vendor, id)
		err = errors.Join(err, w.stop())
	}()
	if err := r.load(ctx, "backlog", n, r.opts.Users); err != nil {
		return nil, err
	}
	for {
		m, err := r.bus.MessageBacklog(ctx)
		if err != nil {
			return nil, err
		}
		if m.Jobs == 0 {
			break
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
	b, err := r.bus.Backlog(ctx, r.vendor)
	if err != nil {
		return nil, err
	}
	now, peak, err := w.memory()
	if err != nil {
		return nil, err
	}
	return []figure{
		{Name: "backlog: jobs waiting", Value: float64(b.Jobs), Unit: "jobs"},
		{Name: "backlog: worker memory, resident", Value: float64(now) / 1e6, Unit: "MB"},
		target(figure{Name: "backlog: worker memory, peak", Value: float64(peak) / 1e6, Unit: "MB"}, "under 150 with a million", peak < 150e6),
	}, nil
}

func ready(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func milli(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
