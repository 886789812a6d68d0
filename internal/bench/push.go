package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// drained is what it took to push messages that were published as fast as they were stored.
type drained struct {
	perPush  time.Duration // worker CPU
	rate     float64       // pushes a second
	messages float64       // between NATS and the worker, for each push
}

// drain pushes n messages through a fresh worker.
func (r *rig) drain(ctx context.Context, run string, n int) (d drained, err error) {
	return d, r.with(ctx, r.apps(), func(w *worker) error {
		if err := r.warm(ctx, run); err != nil {
			return err
		}
		d, err = r.bulk(ctx, w, run, n)
		return err
	})
}

// warm sends a message to each user: the first pushes pay for connections, tokens and caches.
func (r *rig) warm(ctx context.Context, run string) error {
	before := r.accepted()
	if err := r.load(ctx, run+"-warm", r.opts.Users, r.opts.Users); err != nil {
		return err
	}
	if err := r.wait(ctx, before, int64(r.opts.Users)); err != nil {
		return err
	}
	return r.settled(ctx)
}

// bulk pushes n messages through a worker that is warm.
func (r *rig) bulk(ctx context.Context, w *worker, run string, n int) (d drained, err error) {
	passed, err := r.traffic()
	if err != nil {
		return d, err
	}
	cpu, err := w.cpu()
	if err != nil {
		return d, err
	}
	before, began := r.accepted(), time.Now()
	if err := r.load(ctx, run, n, r.opts.Users); err != nil {
		return d, err
	}
	if err := r.wait(ctx, before, int64(n)); err != nil {
		return d, err
	}
	took := time.Since(began)
	// What follows from the last pushes belongs to them.
	if err := r.settled(ctx); err != nil {
		return d, err
	}
	after, err := w.cpu()
	if err != nil {
		return d, err
	}
	all, err := r.traffic()
	if err != nil {
		return d, err
	}
	return drained{
		perPush: (after - cpu) / time.Duration(n), rate: float64(n) / took.Seconds(),
		messages: float64(all.Messages-passed.Messages) / float64(n),
	}, nil
}

func (r *rig) cpu(ctx context.Context) ([]figure, error) {
	n := r.opts.Pushes
	// In turn, so that a machine that slows down slows both.
	var bare, ours []time.Duration
	var rate []float64
	for i := range 3 {
		r.say("bare loop and worker, %d of 3, %d pushes each", i+1, n)
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
	return []figure{
		{Name: "bare loop, CPU per push", Value: micro(b), Unit: "µs"},
		{Name: "worker, CPU per push", Value: micro(o), Unit: "µs"},
		figure{Name: "worker / bare loop", Value: float64(o) / float64(b), Unit: "×"}.atMost(1.8),
		figure{Name: "pushes a second, vendor latency 0 ms", Value: median(rate), Unit: "/s"}.atLeast(14_000),
	}, nil
}

func (r *rig) latency50(ctx context.Context) ([]figure, error) {
	r.say("vendor latency 50 ms, three times %d pushes", r.opts.Pushes)
	id := r.box.Arm(sandbox.Fault{Vendor: r.vendor, Kind: sandbox.FaultSlow, Delay: 0.05})
	defer r.box.Clear(r.vendor, id)
	var rate []float64
	for i := range 3 {
		d, err := r.drain(ctx, fmt.Sprintf("l50-%d", i), r.opts.Pushes)
		if err != nil {
			return nil, err
		}
		rate = append(rate, d.rate)
	}
	return []figure{figure{Name: "pushes a second, vendor latency 50 ms", Value: median(rate), Unit: "/s"}.atLeast(14_000)}, nil
}

// half publishes at half the full rate and measures from publish to the vendor's request.
func (r *rig) half(ctx context.Context) (figures []figure, err error) {
	r.say("half load")
	full, err := r.drain(ctx, "full", r.opts.Pushes)
	if err != nil {
		return nil, err
	}
	return figures, r.with(ctx, r.apps(), func(*worker) error {
		if err := r.warm(ctx, "half"); err != nil {
			return err
		}
		// A machine that stands still for 40 ms makes a p99 of 10 s; medians say what is usual.
		var half, most []time.Duration
		for i := range 3 {
			took, err := r.latencies(ctx, chats(sandbox.DemoApp, fmt.Sprintf("half%d", i), "u", r.opts.Users, full.rate/2, 10*time.Second))
			if err != nil {
				return err
			}
			half, most = append(half, percentile(took[0], 50)), append(most, percentile(took[0], 99))
		}
		figures = []figure{
			{Name: fmt.Sprintf("half load (%.0f/s): p50 from publish to vendor", full.rate/2), Value: milli(median(half)), Unit: "ms"},
			figure{Name: "half load: p99 from publish to vendor", Value: milli(median(most)), Unit: "ms"}.atMost(10),
			{Name: "… the slowest of three times ten seconds", Value: milli(slices.Max(most)), Unit: "ms"},
		}
		return nil
	})
}

// messages counts what passes between NATS and a worker whose directory cache is warm.
func (r *rig) messages(ctx context.Context) (figures []figure, err error) {
	const slow, idle = 10 * time.Second, 5 * time.Second
	r.say("NATS messages for each push")
	return figures, r.with(ctx, r.apps(), func(w *worker) error {
		if err := r.warm(ctx, "messages"); err != nil {
			return err
		}
		bulk, err := r.bulk(ctx, w, "bulk", r.opts.Pushes)
		if err != nil {
			return err
		}
		before, err := r.traffic()
		if err != nil {
			return err
		}
		steady := chats(sandbox.DemoApp, "slow", "u", r.opts.Users, 300, slow)
		if _, err := r.latencies(ctx, steady); err != nil {
			return err
		}
		if err := r.settled(ctx); err != nil {
			return err
		}
		after, err := r.traffic()
		if err != nil {
			return err
		}
		if !sleep.For(ctx, idle) {
			return ctx.Err()
		}
		later, err := r.traffic()
		figures = []figure{
			figure{Name: "NATS messages for each push, both directions, in bulk", Value: bulk.messages, Unit: ""}.atMost(3.2),
			figure{Name: "NATS messages for each push, both directions, at 300 a second", Value: float64(after.Messages-before.Messages) / float64(steady.n)}.atMost(5),
			{Name: "NATS messages of a worker with nothing to do", Value: float64(later.Messages-after.Messages) / idle.Seconds(), Unit: "/s"},
		}
		return err
	})
}

// foreground sends messages whose recipients are all in the foreground.
func (r *rig) foreground(ctx context.Context) (figures []figure, err error) {
	n := r.opts.Pushes
	r.say("%d messages whose recipients are all in the foreground", n)
	if err := r.populate(ctx, "here-", r.opts.Users, []string{r.certificate()}, func(int) hongyan.Presence {
		return hongyan.Presence{State: hongyan.StateForeground}
	}); err != nil {
		return nil, err
	}
	send := func(run string, n int) error {
		if err := r.publish(ctx, n, func(i int) (dispatch.Outgoing, error) {
			return r.message(run+"-"+strconv.Itoa(i), "here-"+strconv.Itoa(i%r.opts.Users))
		}); err != nil {
			return err
		}
		return r.planned(ctx)
	}
	return figures, r.with(ctx, r.apps(), func(w *worker) error {
		if err := send("here-warm", r.opts.Users); err != nil {
			return err
		}
		pushed := r.accepted()
		cpu, err := w.cpu()
		if err != nil {
			return err
		}
		began := time.Now()
		if err := send("here", n); err != nil {
			return err
		}
		took := time.Since(began)
		after, err := w.cpu()
		if err != nil {
			return err
		}
		if wrong := r.accepted() - pushed; wrong > 0 {
			return fmt.Errorf("%d pushes to users who are in the foreground", wrong)
		}
		figures = []figure{
			figure{Name: "messages a second whose recipients are all in the foreground", Value: float64(n) / took.Seconds(), Unit: "/s"}.atLeast(20_000),
			{Name: "… worker CPU per message", Value: micro((after - cpu) / time.Duration(n)), Unit: "µs"},
		}
		return nil
	})
}

// cluster measures pushes and a large group once more on a cluster that replicates every stream.
func (r *rig) cluster(ctx context.Context) ([]figure, error) {
	r.say("three nodes, replicas 3: %d pushes and %d messages to a group", r.opts.Pushes, r.opts.Groups)
	d, err := r.drain(ctx, "three", r.opts.Pushes)
	if err != nil {
		return nil, err
	}
	figures := []figure{{Name: "three nodes, replicas 3: pushes a second", Value: d.rate, Unit: "/s"}}
	b, err := r.large(ctx, "cluster", 1)
	return append(figures, figure{Name: "three nodes, replicas 3: group of " + strconv.Itoa(r.opts.Members), Value: b.rate, Unit: "devices/s"}), errors.Join(err)
}
