package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// batched is what it took to push to many devices of vendors that take several a call.
type batched struct {
	rate, oneByOne float64       // devices a second; where each message waits for the one before
	perDevice      time.Duration // worker CPU
	requests       float64       // vendor calls for each message
}

// large sends messages to a large group through some workers.
func (r *rig) large(ctx context.Context, run string, workers int) (batched, error) {
	return r.batches(ctx, run+"-", certificates(vendors(batch)), workers, r.opts.Groups,
		func(i string, members []string) ([]dispatch.Outgoing, error) {
			m, err := r.message(run+"-"+i, members...)
			return []dispatch.Outgoing{m}, err
		})
}

func (r *rig) group(ctx context.Context) ([]figure, error) {
	r.say("%d messages to a group of %d on batch vendors, twice, and while somebody chats", r.opts.Groups, r.opts.Members)
	b, err := r.large(ctx, "group", 1)
	if err != nil {
		return nil, err
	}
	var amid batched
	if err := r.amid(ctx, func() (err error) {
		amid, err = r.large(ctx, "amid", 1)
		return err
	}); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("group of %d on %d batch vendors", r.opts.Members, len(vendors(batch)))
	return []figure{
		figure{Name: name + ", messages one after the other", Value: b.oneByOne, Unit: "devices/s"}.atLeast(100_000),
		figure{Name: name + ", all messages at once", Value: b.rate, Unit: "devices/s"}.atLeast(100_000),
		{Name: name + ", all messages at once, while somebody chats", Value: amid.rate, Unit: "devices/s"},
		{Name: name + ": worker CPU per device", Value: micro(b.perDevice), Unit: "µs"},
		{Name: name + ": vendor requests for each message, one worker", Value: b.requests},
	}, nil
}

// amid does something while somebody without a device is sent twenty messages a second.
func (r *rig) amid(ctx context.Context, do func() error) error {
	const rate, most = 20, time.Hour
	until, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		s := chats(sandbox.DemoApp, "small", "nobody", 1, rate, most)
		s.until = until
		_, err := r.steady(ctx, s)
		ended <- err
	}()
	err := do()
	close(until)
	return errors.Join(err, <-ended)
}

// counted is a large group whose app counts what icons show: each member's record is changed for
// each message, and read for each push. The vendors are those whose calls carry a number, so that a
// call is for one number.
func (r *rig) counted(ctx context.Context) ([]figure, error) {
	r.say("%d messages to a group of %d whose icons are counted", r.opts.Groups, r.opts.Members)
	const run = "counted"
	b, err := r.batchesOf(ctx, run+"-", certificates(vendors(batch)), strings.Replace(r.apps(), "    certificates:", "    policy: {badge: counted}\n    certificates:", 1), 1, r.opts.Groups,
		func(i string, members []string) ([]dispatch.Outgoing, error) {
			m, err := r.message(run+"-"+i, members...)
			return []dispatch.Outgoing{m}, err
		})
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("group of %d, counted", r.opts.Members)
	return []figure{
		{Name: name + ", messages one after the other", Value: b.oneByOne, Unit: "devices/s"},
		{Name: name + ", all messages at once", Value: b.rate, Unit: "devices/s"},
		{Name: name + ": worker CPU per device", Value: micro(b.perDevice), Unit: "µs"},
		{Name: name + ": vendor requests for each message", Value: b.requests},
	}, nil
}

// workers sends the same messages through several workers, over which the pieces of a message are
// spread.
func (r *rig) workers(ctx context.Context) ([]figure, error) {
	const workers = 3
	r.say("%d messages to a group of %d through %d workers", r.opts.Groups, r.opts.Members, workers)
	b, err := r.large(ctx, "workers", workers)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("group of %d, %d workers", r.opts.Members, workers)
	return []figure{
		{Name: name, Value: b.rate, Unit: "devices/s"},
		{Name: name + ": vendor requests for each message", Value: b.requests},
	}, nil
}

// mixed sends a message of its own to each of many people on the vendors that take different ones
// in one call.
func (r *rig) mixed(ctx context.Context) ([]figure, error) {
	name := "different messages, " + strings.Join(vendors(mixed), " and ")
	r.say("%s, %d of them", name, 3*r.opts.Members)
	b, err := r.batches(ctx, "mixed-", certificates(vendors(mixed)), 1, 3, func(round string, members []string) (msgs []dispatch.Outgoing, err error) {
		for i, user := range members {
			m, err := r.message("mixed-"+round+"-"+strconv.Itoa(i), user)
			if err != nil {
				return nil, err
			}
			msgs = append(msgs, m)
		}
		return msgs, nil
	})
	if err != nil {
		return nil, err
	}
	return []figure{
		figure{Name: name, Value: b.rate, Unit: "devices/s"}.atLeast(12_000),
		{Name: name + ": worker CPU per device", Value: micro(b.perDevice), Unit: "µs"},
		{Name: name + ": devices in a vendor request", Value: float64(r.opts.Members) / b.requests},
	}, nil
}

// batches sends to opts.Members users who are spread over the certificates: a round for warming up,
// then all rounds at once, then each after the one before.
func (r *rig) batches(ctx context.Context, prefix string, certificates []string, workers, rounds int,
	messages func(round string, members []string) ([]dispatch.Outgoing, error)) (batched, error) {
	return r.batchesOf(ctx, prefix, certificates, r.apps(), workers, rounds, messages)
}

// batchesOf is batches with apps of another configuration.
func (r *rig) batchesOf(ctx context.Context, prefix string, certificates []string, apps string, workers, rounds int,
	messages func(round string, members []string) ([]dispatch.Outgoing, error)) (b batched, err error) {
	n := int64(r.opts.Members)
	if err := r.register(ctx, prefix, r.opts.Members, certificates...); err != nil {
		return b, err
	}
	all := members(prefix, r.opts.Members)
	var running []*worker
	defer func() {
		for _, w := range running {
			err = errors.Join(err, w.stop())
		}
	}()
	for range workers {
		w, err := r.start(ctx, apps)
		if err != nil {
			return b, err
		}
		running = append(running, w)
	}
	push := func(round string) error {
		msgs, err := messages(round, all)
		if err != nil {
			return err
		}
		return r.publish(ctx, len(msgs), func(i int) (dispatch.Outgoing, error) { return msgs[i], nil })
	}
	cpu := func() (sum time.Duration, err error) {
		for _, w := range running {
			c, err := w.cpu()
			if err != nil {
				return sum, err
			}
			sum += c
		}
		return sum, nil
	}
	for i := range workers { // so that each of them has read the directory
		warm := r.accepted()
		if err := push(fmt.Sprintf("warm%d", i)); err != nil {
			return b, err
		}
		if err := r.wait(ctx, warm, n); err != nil {
			return b, err
		}
	}
	if err := r.settled(ctx); err != nil {
		return b, err
	}
	used, err := cpu()
	if err != nil {
		return b, err
	}
	before, asked, began := r.accepted(), r.requests(), time.Now()
	for i := range rounds {
		if err := push(strconv.Itoa(i)); err != nil {
			return b, err
		}
	}
	total := n * int64(rounds)
	if err := r.wait(ctx, before, total); err != nil {
		return b, err
	}
	b.rate = float64(total) / time.Since(began).Seconds()
	b.requests = float64(r.requests()-asked) / float64(rounds)
	if err := r.settled(ctx); err != nil {
		return b, err
	}
	after, err := cpu()
	if err != nil {
		return b, err
	}
	b.perDevice = (after - used) / time.Duration(total)
	before, began = r.accepted(), time.Now()
	for i := range rounds {
		if err := push("next" + strconv.Itoa(i)); err != nil {
			return b, err
		}
		if err := r.wait(ctx, before, n*int64(i+1)); err != nil {
			return b, err
		}
	}
	b.oneByOne = float64(total) / time.Since(began).Seconds()
	return b, nil
}
