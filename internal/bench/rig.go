package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// rig is a NATS server, or a cluster, and a sandbox in this process, and a folder for the worker's
// configuration.
type rig struct {
	opts     options
	dir      string
	nats     natsd.Cluster
	bus      *bus.Bus
	demo     *sandbox.Demo
	box      *sandbox.Server
	listener *sandbox.Listener
	place    sandbox.Place
	serial   int
	// vendor is the name of the one that most parts push to.
	vendor string
}

// certificate is the demo's certificate of the vendor.
func (r *rig) certificate() string { return "demo-" + r.vendor }

// messagesPerApp bounds what waits for an app: a part may publish more than an installation should
// take.
const messagesPerApp = 10_000_000

func newRig(ctx context.Context, opts options, nodes int) (r *rig, err error) {
	r = &rig{opts: opts, vendor: yardstick().Vendor}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.dir, err = os.MkdirTemp("", "hongyan-bench-"); err != nil {
		return r, fmt.Errorf("make a temporary folder: %w", err)
	}
	if dir := filepath.Join(r.dir, "nats"); nodes > 1 {
		r.nats, err = natsd.StartCluster(dir, nodes)
	} else {
		r.nats = make(natsd.Cluster, 1)
		if r.nats[0], err = natsd.Start(natsd.Options{Dir: dir, Listen: "127.0.0.1:0"}); err != nil {
			r.nats = nil
		}
	}
	if err != nil {
		return r, err
	}
	topology := bus.Topology{Replicas: nodes, MaxMessagesPerApp: messagesPerApp}
	if r.bus, err = bus.Connect(ctx, bus.Options{URL: r.nats.URL(), Name: "bench", Topology: topology, Once: true}); err != nil {
		return r, err
	}
	if err = r.ensure(ctx); err != nil {
		return r, err
	}
	if r.demo, err = sandbox.NewDemo(time.Now(), all.Fakes()); err != nil {
		return r, err
	}
	r.box = sandbox.New(sandbox.Options{Keep: 100, Unpaced: true}, r.demo.Fakes()...)
	if r.listener, err = r.box.Start(sandbox.ListenOptions{Authority: r.demo.Authority()}); err != nil {
		return r, err
	}
	r.place = sandbox.Place{URL: r.listener.TLSURL(), Dir: filepath.Join(r.dir, "sandbox")}
	return r, r.demo.WriteFiles(r.place.Dir, r.place)
}

// ensure makes the streams. A cluster does not answer before it has a leader.
func (r *rig) ensure(ctx context.Context) error {
	var err error
	for range 15 {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err = r.bus.Ensure(attempt, all.Vendors())
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (r *rig) close() error {
	var errs []error
	if r.listener != nil {
		r.box.Clear("", 0)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, r.listener.Stop(ctx))
	}
	if r.bus != nil {
		r.bus.Close()
	}
	return errors.Join(append(errs, r.nats.Close(), os.RemoveAll(r.dir))...)
}

// accepted is how many devices all vendors took so far.
func (r *rig) accepted() (n int64) {
	for _, c := range r.box.Counts() {
		n += c.Accepted
	}
	return n
}

// requests is how many calls of their push APIs all vendors had so far.
func (r *rig) requests() (n int64) {
	for _, c := range r.box.Counts() {
		n += c.Requests
	}
	return n
}

// traffic is what passed between NATS and all workers.
func (r *rig) traffic() (natsd.Traffic, error) { return r.nats.Traffic("hongyan worker") }

// stalled is for how long nothing may happen in what a part waits for.
const stalled = 60 * time.Second

// wait waits until n more than before were accepted.
func (r *rig) wait(ctx context.Context, before, n int64) error {
	last, since := int64(-1), time.Now()
	for {
		now := r.accepted() - before
		if now >= n {
			return nil
		}
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > stalled {
			return fmt.Errorf("only %d of %d pushes arrived, nothing for %v; %s; broken rules: %v", now, n, stalled, r.waiting(ctx), r.box.Violations())
		}
		if !sleep.For(ctx, 2*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// waiting says in words what is stored, for errors.
func (r *rig) waiting(ctx context.Context) string {
	messages, err1 := r.bus.MessageBacklog(ctx)
	pieces, err2 := r.bus.PieceBacklog(ctx)
	jobs, err3 := r.jobs(ctx)
	return fmt.Sprintf("%d messages, %d pieces and %d jobs wait (%v)", messages.Jobs, pieces.Jobs, jobs, errors.Join(err1, err2, err3))
}

// jobs is how many jobs wait to be sent.
func (r *rig) jobs(ctx context.Context) (n int64, err error) {
	for _, vendor := range all.Vendors() {
		b, err := r.bus.Backlog(ctx, vendor)
		if err != nil {
			return n, err
		}
		n += int64(b.Jobs)
	}
	return n, nil
}

// planned waits until no message and no piece of one waits to be planned.
func (r *rig) planned(ctx context.Context) error { return r.empty(ctx, false) }

// settled waits until no message, piece or job is left.
func (r *rig) settled(ctx context.Context) error { return r.empty(ctx, true) }

// empty asks for one stream after another, and for the next only once there is nothing left before.
func (r *rig) empty(ctx context.Context, jobs bool) error {
	last, since := int64(0), time.Now()
	for {
		left, err := r.left(ctx, jobs)
		if err != nil || left == 0 {
			return err
		}
		if left != last {
			last, since = left, time.Now()
		}
		if time.Since(since) > stalled {
			return fmt.Errorf("nothing moves for %v: %s", stalled, r.waiting(ctx))
		}
		if !sleep.For(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (r *rig) left(ctx context.Context, jobs bool) (int64, error) {
	messages, err := r.bus.MessageBacklog(ctx)
	if err != nil || messages.Jobs > 0 {
		return int64(messages.Jobs), err
	}
	pieces, err := r.bus.PieceBacklog(ctx)
	if err != nil || pieces.Jobs > 0 || !jobs {
		return int64(pieces.Jobs), err
	}
	return r.jobs(ctx)
}
