package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// signals floods an app with recalls and read marks that nobody knows of, and times its chat before
// and meanwhile. The worker must count each once, and hold no more at the end than its memory of
// marks takes.
func (r *rig) signals(ctx context.Context) (figures []figure, err error) {
	const users, rate, warming, span = 500, 100, 10 * time.Second, 60 * time.Second
	n := r.opts.Signals
	r.say("chat, and %d signals for unknown messages and users in %v", n, span)
	chat := func(run string, d time.Duration) stream {
		return chats(sandbox.DemoApp, "signals-"+run, "u", users, rate, d)
	}
	return figures, r.with(ctx, r.apps(), func(w *worker) error {
		if _, err := r.latencies(ctx, chat("warm", warming)); err != nil {
			return err
		}
		before, err := r.latencies(ctx, chat("before", span/4))
		if err != nil {
			return err
		}
		resident, _, err := w.memory()
		if err != nil {
			return err
		}
		flooded := make(chan error, 1)
		go func() {
			at, err := r.steady(ctx, stream{run: "unknown", rate: float64(n) / span.Seconds(), n: n, message: unknownSignal})
			if err == nil && len(at) != n {
				err = fmt.Errorf("only %d of %d signals were published", len(at), n)
			}
			flooded <- err
		}()
		began := time.Now()
		while, err := r.latencies(ctx, chat("while", span))
		if err := errors.Join(err, <-flooded); err != nil {
			return err
		}
		if err := r.heeded(ctx); err != nil {
			return err
		}
		took := time.Since(began)
		now, peak, err := w.memory()
		if err != nil {
			return err
		}
		counted := 0.0
		if err := w.scrape(ctx, func(series string, value float64) {
			if strings.Contains(series, "_signals_total{") {
				counted += value
			}
		}); err != nil {
			return err
		}
		name := fmt.Sprintf("%d signals for unknown messages and users: ", n)
		figures = []figure{
			{Name: name + "from the first until none waited", Value: took.Seconds(), Unit: "s"},
			figure{Name: name + "counted", Value: counted}.target("each once", counted == float64(n)),
			{Name: name + "worker memory before", Value: mega(resident), Unit: "MB"},
			{Name: name + "worker memory at the end", Value: mega(now), Unit: "MB"},
			// A mark takes 64 bytes of memory, and the worker keeps 16 MiB of them at most.
			figure{Name: name + "worker memory, peak", Value: mega(peak), Unit: "MB"}.atMost(120),
		}
		figures = append(figures, compared(name+"c2c", before[0], while[0])...)
		return nil
	})
}

// unknownSignal is a recall of a message that nobody sent, or a read mark of nobody.
func unknownSignal(id string, i int) (dispatch.Outgoing, error) {
	s := hongyan.Signal{Type: hongyan.SignalRecall, MessageID: id}
	if i%2 == 1 {
		s = hongyan.Signal{Type: hongyan.SignalRead, User: id, Conversation: "c2c_" + strconv.Itoa(i), At: time.Now().UTC()}
	}
	data, err := json.Marshal(s)
	return dispatch.Outgoing{Subject: hongyan.Subjects{}.Signal(sandbox.DemoApp), Data: data}, err
}

// heeded waits until no signal waits.
func (r *rig) heeded(ctx context.Context) error {
	last, since := uint64(0), time.Now()
	for {
		left, err := r.bus.SignalBacklog(ctx)
		if err != nil || left == 0 {
			return err
		}
		if left != last {
			last, since = left, time.Now()
		}
		if time.Since(since) > stalled {
			return fmt.Errorf("%d signals wait, nothing moves for %v", left, stalled)
		}
		if !sleep.For(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}
