package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// flood publishes an app's messages in masses, and times another app's chat and calls before and
// while they wait.
func (r *rig) flood(ctx context.Context) (figures []figure, err error) {
	const calm, users, warming, span = "calm", 500, 5 * time.Second, 15 * time.Second
	n, groups := r.opts.Flood, r.opts.FloodGroups
	r.say("one app with %d waiting messages and %d to a group of %d, another app's chat and calls", n, groups, r.opts.Members)
	large := certificates(vendors(batch))
	quiet := calm + "-" + r.vendor
	if err := errors.Join(r.register(ctx, "calm-", users, quiet), r.register(ctx, "loud-", r.opts.Members, large...)); err != nil {
		return nil, err
	}
	streams := func(run string, d time.Duration) []stream {
		return []stream{chats(calm, run+"-chat", "calm-", users, 100, d), calls(calm, run+"-call", "calm-", users, 20, d)}
	}
	// The fakes of all vendors share two cores with the rest: with a thousand calls of the loud app
	// under way, another app's call would wait behind them at the fake, whatever the worker does.
	more := map[string]keys{}
	for _, id := range append(large, r.certificate()) {
		more[id] = keys{"concurrency": 16}
	}
	return figures, r.with(ctx, r.appsOf(append(large, r.certificate(), quiet), more), func(*worker) error {
		if err := r.warm(ctx, "loud"); err != nil {
			return err
		}
		if _, err := r.latencies(ctx, streams("warm", warming)...); err != nil {
			return err
		}
		before, err := r.latencies(ctx, streams("before", span)...)
		if err != nil {
			return err
		}
		all, every := members("loud-", r.opts.Members), max(n/max(groups, 1), 1)
		if err := r.publish(ctx, n+groups, func(i int) (dispatch.Outgoing, error) {
			if i%(every+1) == every {
				return r.message("loud-"+strconv.Itoa(i), all...)
			}
			return r.message("loud-"+strconv.Itoa(i), "u"+strconv.Itoa(i%r.opts.Users))
		}); err != nil {
			return err
		}
		first, err := r.bus.MessageBacklog(ctx)
		if err != nil {
			return err
		}
		while, err := r.latencies(ctx, streams("while", span)...)
		if err != nil {
			return err
		}
		last, err := r.bus.MessageBacklog(ctx)
		figures = []figure{
			{Name: "one app's flood: its messages that waited when the measurement began", Value: float64(first.Jobs)},
			{Name: "one app's flood: its messages that waited when it ended", Value: float64(last.Jobs)},
		}
		figures = append(figures, compared("one app's flood: another's c2c", before[0], while[0])...)
		figures = append(figures, compared("one app's flood: another's calls", before[1], while[1])...)
		return err
	})
}

// restart has messages wait while no worker runs, and starts one.
func (r *rig) restart(ctx context.Context) (figures []figure, err error) {
	n := r.opts.Pushes
	r.say("%d messages that waited while no worker ran", n)
	if err := r.load(ctx, "waited", n, r.opts.Users); err != nil {
		return nil, err
	}
	before := r.accepted()
	return figures, r.with(ctx, r.apps(), func(w *worker) error {
		began := time.Now()
		if err := r.wait(ctx, before, int64(n)); err != nil {
			return err
		}
		took := time.Since(began)
		if err := r.settled(ctx); err != nil {
			return err
		}
		cpu, err := w.cpu()
		figures = []figure{
			{Name: "messages that waited while no worker ran: pushes a second", Value: float64(n) / took.Seconds(), Unit: "/s"},
			{Name: "… worker CPU per push, its start included", Value: micro(cpu / time.Duration(n)), Unit: "µs"},
		}
		return err
	})
}

// midnight lets jobs wait for the day's end of a vendor whose quota is used up. The day ends soon
// after: the worker runs with a time zone of its own.
func (r *rig) midnight(ctx context.Context) (figures []figure, err error) {
	// loading is the slowest rate at which the jobs are expected to be stored.
	const zone, loading, settle, span = "Bench/Soon", 4000, 20 * time.Second, 8 * time.Second
	n, quotaVendor := r.opts.Midnight, vendors(mixed)[0]
	at := time.Now().Add(settle + 2*span + time.Duration(float64(n)/loading*float64(time.Second))).Truncate(time.Second)
	r.say("%d jobs that wait for midnight, which is in %v", n, time.Until(at).Round(time.Second))
	info := filepath.Join(r.dir, "zones")
	if err := writeZone(filepath.Join(info, zone), at); err != nil {
		return nil, err
	}
	spent := sandbox.DemoApp + "-" + quotaVendor
	if err := r.register(ctx, "late-", r.opts.Users, spent); err != nil {
		return nil, err
	}
	w, err := r.start(ctx, r.appsOf([]string{r.certificate(), spent}, map[string]keys{spent: {"timezone": zone}}), "ZONEINFO="+info)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	id := r.box.Arm(sandbox.Fault{Vendor: quotaVendor, Kind: sandbox.FaultQuota})
	defer r.box.Clear(quotaVendor, id)
	accepted := func() int64 { return r.box.Counts()[quotaVendor].Accepted }
	if err := r.publish(ctx, n, func(i int) (dispatch.Outgoing, error) {
		return r.message("late-"+strconv.Itoa(i), "late-"+strconv.Itoa(i%r.opts.Users))
	}); err != nil {
		return nil, err
	}
	if err := r.settled(ctx); err != nil {
		return nil, err
	}
	early := time.Until(at)
	if early < span+4*time.Second {
		return nil, fmt.Errorf("the jobs were stored only %v before midnight: this machine needs more time", early.Round(time.Millisecond))
	}
	if _, err := r.latencies(ctx, chats(sandbox.DemoApp, "awake-warm", "u", r.opts.Users, 100, 2*time.Second)); err != nil {
		return nil, err
	}
	before, err := r.latencies(ctx, chats(sandbox.DemoApp, "awake-before", "u", r.opts.Users, 100, span))
	if err != nil {
		return nil, err
	}
	r.box.Clear(quotaVendor, id)
	if sent := accepted(); sent > 0 {
		return nil, fmt.Errorf("%d were sent before midnight", sent)
	}
	_, peak, err := w.memory()
	if err != nil {
		return nil, err
	}
	if !sleep.For(ctx, time.Until(at)) {
		return nil, ctx.Err()
	}
	const patience = 20 * time.Minute
	awake := chats(sandbox.DemoApp, "awake-while", "u", r.opts.Users, 100, patience)
	done, first, took := make(chan struct{}), time.Duration(0), time.Duration(0)
	awake.until = done
	var waited error
	go func() {
		defer close(done)
		last, since := int64(0), time.Now()
		for sleep.For(ctx, 10*time.Millisecond) {
			now := accepted()
			if now > 0 && first == 0 {
				first = time.Since(at)
			}
			if now != last {
				last, since, took = now, time.Now(), time.Since(at)
			}
			if now >= int64(n) {
				return
			}
			if time.Since(since) > 2*stalled {
				waited = fmt.Errorf("only %d of %d jobs were sent after midnight, none for %v; %s", now, n, 2*stalled, r.waiting(ctx))
				return
			}
		}
	}()
	while, err := r.latencies(ctx, awake)
	<-done
	if err := errors.Join(err, waited); err != nil {
		return nil, err
	}
	_, later, err := w.memory()
	name := fmt.Sprintf("midnight of %d jobs: ", n)
	figures = []figure{
		{Name: name + "stored before it", Value: early.Seconds(), Unit: "s"},
		{Name: name + "from midnight to the first push", Value: first.Seconds(), Unit: "s"},
		figure{Name: name + "from midnight until all were sent", Value: took.Seconds(), Unit: "s"}.atMost(300),
		{Name: name + "worker memory, peak before it", Value: mega(peak), Unit: "MB"},
		{Name: name + "worker memory, peak after it", Value: mega(later), Unit: "MB"},
	}
	return append(figures, compared(name+"the others", before[0], while[0])...), err
}

// writeZone writes a time zone whose next midnight is at the given time (RFC 9636, version 1: no
// transitions, one type of local time, and its name).
func writeZone(file string, midnight time.Time) error {
	const day = 24 * time.Hour
	offset := day - midnight.UTC().Sub(midnight.UTC().Truncate(day))
	if offset > day/2 {
		offset -= day
	}
	var zone bytes.Buffer
	zone.WriteString("TZif")
	zone.Write(make([]byte, 16))
	for _, n := range []int32{0, 0, 0, 0, 1, 4, int32(offset / time.Second)} {
		zone.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
	zone.WriteString("\x00\x00TST\x00")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, zone.Bytes(), 0o600)
}

// gateways lets users be in the foreground at gateways, of which one dies.
func (r *rig) gateways(ctx context.Context) (figures []figure, err error) {
	const gateways, dying, lease, renewal, rate = 50, 7, 10 * time.Second, 3 * time.Second, 50
	n := r.opts.Connected
	r.say("%d users on %d gateways, of which one dies", n, gateways)
	name := func(g int) string { return "gw-" + strconv.Itoa(g) }
	body, err := json.Marshal(hongyan.Lease{Since: time.Now().UTC().Add(-time.Minute)})
	if err != nil {
		return nil, err
	}
	renew := func(alive func(g int) bool) error {
		var msgs []dispatch.Outgoing
		for g := range gateways {
			if alive(g) {
				msgs = append(msgs, dispatch.Outgoing{Subject: hongyan.Subjects{}.Gateway(sandbox.DemoApp, name(g)), Data: body,
					Header: map[string]string{"Nats-TTL": lease.String()}})
			}
		}
		return errors.Join(r.bus.Publish(ctx, msgs)...)
	}
	if err := r.populate(ctx, "on-", n, []string{r.certificate()}, func(i int) hongyan.Presence {
		return hongyan.Presence{State: hongyan.StateForeground, Gateway: name(i % gateways)}
	}); err != nil {
		return nil, err
	}
	w, err := r.start(ctx, r.apps())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	everyone := func(int) bool { return true }
	if err := renew(everyone); err != nil {
		return nil, err
	}
	// The worker knows some of the users and that all gateways live when one dies.
	wrong := r.accepted()
	if err := r.publish(ctx, min(n, 20_000), func(i int) (dispatch.Outgoing, error) {
		return r.message("on-warm-"+strconv.Itoa(i), "on-"+strconv.Itoa(i))
	}); err != nil {
		return nil, err
	}
	if err := r.planned(ctx); err != nil {
		return nil, err
	}
	if got := r.accepted() - wrong; got > 0 {
		return nil, fmt.Errorf("%d pushes to users whose gateways live", got)
	}
	if err := renew(everyone); err != nil {
		return nil, err
	}
	died := time.Now()
	pushes := make(chan sandbox.Push, 1<<14)
	defer r.box.Watch(pushes)()
	tick, renewals := time.NewTicker(time.Second/rate), time.NewTicker(renewal)
	defer tick.Stop()
	defer renewals.Stop()
	const after = 5 * time.Second // messages go on after the lease's end
	first, total, lost := time.Duration(0), 0, 0
	sent := map[int]time.Time{}
	for i := 0; time.Since(died) < lease+after; {
		select {
		case <-tick.C:
			// one to a user of the dead gateway, one to a user of another
			of := dying + i%(n/gateways)*gateways
			dead, err1 := r.message("dead-"+strconv.Itoa(i), "on-"+strconv.Itoa(of))
			alive, err2 := r.message("alive-"+strconv.Itoa(i), "on-"+strconv.Itoa(of+1))
			sent[i] = time.Now()
			i++
			if err := errors.Join(append(r.bus.Publish(ctx, []dispatch.Outgoing{dead, alive}), err1, err2)...); err != nil {
				return nil, err
			}
		case <-renewals.C:
			if err := renew(func(g int) bool { return g != dying }); err != nil {
				return nil, err
			}
		case p := <-pushes:
			switch {
			case serial(p.Ext, "alive") >= 0:
				lost++
			case serial(p.Ext, "dead") >= 0:
				if total++; total == 1 {
					first = p.At.Sub(died)
				}
				delete(sent, serial(p.Ext, "dead"))
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	// The last message that was kept back although its gateway was dead.
	kept := time.Duration(0)
	for _, at := range sent {
		if d := at.Sub(died); d < lease+after-time.Second {
			kept = max(kept, d)
		}
	}
	what := fmt.Sprintf("%d users on %d gateways, one dies: ", n, gateways)
	return []figure{
		figure{Name: what + "from its last sign of life to the first push to its users", Value: first.Seconds(), Unit: "s"}.target(
			"above 0 and at most 11: the lease of 10 and the second for which it is believed", first > 0 && first <= lease+time.Second),
		{Name: what + "… to the last message that was held back", Value: kept.Seconds(), Unit: "s"},
		{Name: what + "pushes to its users", Value: float64(total)},
		figure{Name: what + "pushes to users of the other gateways", Value: float64(lost)}.atMost(0),
	}, nil
}
