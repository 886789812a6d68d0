package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// unreachable is a vendor's address where nobody listens: a certificate that leads there is parked
// after its first calls.
const unreachable = "https://127.0.0.1:1"

// backlog lets jobs wait for certificates that are parked, and looks at the worker's memory.
func (r *rig) backlog(ctx context.Context) (figures []figure, err error) {
	// The server takes half a million for each certificate.
	const each = 400_000
	n := r.opts.Backlog
	r.say("%d jobs waiting for parked certificates", n)
	more := map[string]keys{}
	var ids []string
	for i := range (n + each - 1) / each {
		id := fmt.Sprintf("%s-parked%d", r.certificate(), i)
		ids, more[id] = append(ids, id), keys{"endpoint": unreachable}
	}
	if err := r.register(ctx, "waits-", r.opts.Users, ids...); err != nil {
		return nil, err
	}
	return figures, r.with(ctx, r.appsOf(append(ids, r.certificate()), more), func(w *worker) error {
		// What is stored before the worker knows of the app is looked up first: that is part
		// restart's.
		if _, err := r.latencies(ctx, chats(sandbox.DemoApp, "backlog-warm", "u", r.opts.Users, 10, 4*time.Second)); err != nil {
			return err
		}
		began := time.Now()
		if err := r.publish(ctx, n, func(i int) (dispatch.Outgoing, error) {
			return r.message("backlog-"+strconv.Itoa(i), "waits-"+strconv.Itoa(i%r.opts.Users))
		}); err != nil {
			return err
		}
		if err := r.planned(ctx); err != nil {
			return err
		}
		took := time.Since(began)
		// The certificates are tried again from time to time.
		if !sleep.For(ctx, 15*time.Second) {
			return ctx.Err()
		}
		jobs, err := r.jobs(ctx)
		if err != nil {
			return err
		}
		now, peak, err := w.memory()
		if err != nil {
			return err
		}
		figures = []figure{
			{Name: "backlog: jobs waiting", Value: float64(jobs), Unit: "jobs"},
			{Name: "backlog: jobs stored", Value: float64(n) / took.Seconds(), Unit: "/s"},
			{Name: "backlog: worker memory, resident", Value: mega(now), Unit: "MB"},
			figure{Name: "backlog: worker memory, peak", Value: mega(peak), Unit: "MB"}.target("at most 120 with a million", peak <= 120e6),
		}
		return nil
	})
}

// events lets large messages wait, and looks at the memory of the worker that works them off.
func (r *rig) events(ctx context.Context) (figures []figure, err error) {
	const largest = 4 << 20
	n := r.opts.Events
	r.say("%d messages to a group of %d and one of 4 MiB waiting", n, r.opts.Members)
	if err := r.register(ctx, "event-", r.opts.Members, certificates(vendors(batch))...); err != nil {
		return nil, err
	}
	all := members("event-", r.opts.Members)
	if err := r.publish(ctx, n+1, func(i int) (dispatch.Outgoing, error) {
		m, err := r.message("event-"+strconv.Itoa(i), all...)
		if err != nil || i != n/2 {
			return m, err
		}
		long := event("event-"+strconv.Itoa(i), all...)
		long.Content.Text = strings.Repeat("a", largest-len(m.Data))
		m.Data, err = json.Marshal(long)
		return m, err
	}); err != nil {
		return nil, err
	}
	before, began := r.accepted(), time.Now()
	return figures, r.with(ctx, r.apps(), func(w *worker) error {
		total := int64(n+1) * int64(r.opts.Members)
		waited := r.wait(ctx, before, total)
		took := time.Since(began)
		passed, err1 := r.traffic()
		now, peak, err2 := w.memory()
		if err := errors.Join(waited, err1, err2); err != nil {
			return err
		}
		figures = []figure{
			{Name: "events: devices a second of what waited", Value: float64(total) / took.Seconds(), Unit: "devices/s"},
			{Name: "events: worker memory, resident", Value: mega(now), Unit: "MB"},
			figure{Name: "events: worker memory, peak", Value: mega(peak), Unit: "MB"}.atMost(120),
			figure{Name: "events: clients that the server found too slow", Value: float64(passed.SlowConsumers)}.atMost(0),
			{Name: "events: connections of the worker that were lost", Value: float64(passed.Closed)},
		}
		return nil
	})
}

// Certificates of the parts about many of them.
const (
	manyApps   = 200
	perApp     = 25
	manyOfOne  = 3 // of each app's certificates are the yardstick's
	manyUsers  = 200
	idleSettle = 10 * time.Second
	idleFor    = 20 * time.Second
)

// many names 5,000 certificates of 200 apps, 600 of them of one vendor.
func many(vendor string) (ids []string) {
	others := vendors(func(f sandbox.Fake) bool { return f.Vendor != vendor })
	for a := range manyApps {
		for i := range perApp {
			v := vendor
			if i >= manyOfOne {
				v = others[(a*perApp+i)%len(others)]
			}
			ids = append(ids, fmt.Sprintf("app%d-%s-%d", a, v, i))
		}
	}
	return ids
}

// idle starts a worker with many certificates and lets it be.
func (r *rig) idle(ctx context.Context) (figures []figure, err error) {
	ids := many(r.vendor)
	r.say("a worker with %d certificates of %d apps, %d of one vendor, that has nothing to do", len(ids), manyApps, manyApps*manyOfOne)
	return figures, r.with(ctx, r.appsOf(ids, nil), func(w *worker) error {
		started, err := w.cpu()
		if err != nil {
			return err
		}
		if !sleep.For(ctx, idleSettle) {
			return ctx.Err()
		}
		before, err1 := w.cpu()
		passed, err2 := r.traffic()
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if !sleep.For(ctx, idleFor) {
			return ctx.Err()
		}
		after, err1 := w.cpu()
		later, err2 := r.traffic()
		now, peak, err3 := w.memory()
		figures = []figure{
			{Name: fmt.Sprintf("%d certificates: time from start until ready", len(ids)), Value: w.ready.Seconds(), Unit: "s"},
			{Name: "… CPU until ready", Value: started.Seconds(), Unit: "s"},
			figure{Name: "… CPU of the idle worker", Value: 100 * (after - before).Seconds() / idleFor.Seconds(), Unit: "% of a core"}.atMost(5),
			{Name: "… NATS messages of the idle worker", Value: float64(later.Messages-passed.Messages) / idleFor.Seconds(), Unit: "/s"},
			{Name: "… memory, resident", Value: mega(now), Unit: "MB"},
			{Name: "… memory, peak", Value: mega(peak), Unit: "MB"},
		}
		return errors.Join(err1, err2, err3)
	})
}

// parked parks one of many certificates, and times the pushes of others of its vendor.
func (r *rig) parked(ctx context.Context) (figures []figure, err error) {
	const jobs, rate, span = 10_000, 200, 10 * time.Second
	ids := many(r.vendor)
	r.say("one of %d certificates parked with %d waiting jobs", len(ids), jobs)
	var others []string
	sick := ids[0]
	for _, id := range ids[perApp:] {
		if _, vendor := named(id); vendor == r.vendor {
			others = append(others, id)
		}
	}
	if err := errors.Join(r.register(ctx, "sick-", manyUsers, sick), r.register(ctx, "well-", manyUsers, others...)); err != nil {
		return nil, err
	}
	well := func(run string, d time.Duration) stream {
		return stream{run: run, rate: rate, n: int(rate * d.Seconds()), message: func(id string, i int) (dispatch.Outgoing, error) {
			app, _ := named(others[i%manyUsers])
			return chat(app, id, "well-"+strconv.Itoa(i%manyUsers))
		}}
	}
	return figures, r.with(ctx, r.appsOf(ids, map[string]keys{sick: {"endpoint": unreachable}}), func(*worker) error {
		if _, err := r.latencies(ctx, well("well-warm", 4*time.Second)); err != nil {
			return err
		}
		before, err := r.latencies(ctx, well("well-before", span))
		if err != nil {
			return err
		}
		app, _ := named(sick)
		if err := r.publish(ctx, jobs, func(i int) (dispatch.Outgoing, error) {
			return chat(app, "sick-"+strconv.Itoa(i), "sick-"+strconv.Itoa(i%manyUsers))
		}); err != nil {
			return err
		}
		if err := r.planned(ctx); err != nil {
			return err
		}
		while, err := r.latencies(ctx, well("well-while", span))
		if err != nil {
			return err
		}
		waiting, err := r.jobs(ctx)
		figures = compared(fmt.Sprintf("%d certificates, one parked with %d waiting jobs: the others", len(ids), waiting), before[0], while[0])
		return err
	})
}

// compared shows the p99 before and while something happens; it may double. One below a few
// milliseconds says more about the machine than about the worker.
func compared(name string, before, while []time.Duration) []figure {
	const floor = 5 * time.Millisecond
	b, w := percentile(before, 99), percentile(while, 99)
	ratio := float64(w) / float64(b)
	return []figure{
		{Name: name + ", p99 before", Value: milli(b), Unit: "ms"},
		{Name: name + ", p99 meanwhile", Value: milli(w), Unit: "ms"},
		figure{Name: name + ", p99 meanwhile / before", Value: ratio, Unit: "×"}.target("at most 2, or 10 ms", w <= 2*max(b, floor)),
	}
}
