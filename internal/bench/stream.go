package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// stream is messages at a steady rate, of which each one's way from its publication to the vendor
// is timed.
type stream struct {
	// run begins the messages' ids: message i is called run-i.
	run  string
	rate float64 // a second
	// n is how many there are at most. Until, when it is not nil, ends the stream earlier.
	n       int
	until   <-chan struct{}
	message func(id string, i int) (dispatch.Outgoing, error)
}

// chats is a stream of chat messages to an app's users.
func chats(app, run, prefix string, users int, rate float64, d time.Duration) stream {
	return stream{run: run, rate: rate, n: int(rate * d.Seconds()), message: func(id string, i int) (dispatch.Outgoing, error) {
		return chat(app, id, prefix+strconv.Itoa(i%users))
	}}
}

// calls is a stream of invitations to calls.
func calls(app, run, prefix string, users int, rate float64, d time.Duration) stream {
	return stream{run: run, rate: rate, n: int(rate * d.Seconds()), message: func(id string, i int) (dispatch.Outgoing, error) {
		return call(app, id, prefix+strconv.Itoa(i%users))
	}}
}

// latencies publishes the streams at the same time, and returns for each how long its messages took
// from their publication until the vendor accepted the push, sorted. One that does not arrive is an
// error.
func (r *rig) latencies(ctx context.Context, streams ...stream) ([][]time.Duration, error) {
	runtime.GC() // see main
	pushes := make(chan sandbox.Push, 1<<14)
	defer r.box.Watch(pushes)()
	type sending struct {
		stream int
		at     []time.Time
		err    error
	}
	sent := make(chan sending, len(streams))
	publishing, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for k, s := range streams {
		all.Go(func() {
			at, err := r.steady(publishing, s)
			sent <- sending{k, at, err}
		})
	}
	published, arrived := make([][]time.Time, len(streams)), make([]map[int]time.Time, len(streams))
	for k := range streams {
		arrived[k] = map[int]time.Time{}
	}
	quiet := time.NewTimer(stalled)
	defer quiet.Stop()
	complete := func() bool {
		for k := range streams {
			if published[k] == nil || len(arrived[k]) < len(published[k]) {
				return false
			}
		}
		return true
	}
	for !complete() {
		select {
		case p := <-pushes:
			for k, s := range streams {
				if i := serial(p.Ext, s.run); i >= 0 {
					if _, twice := arrived[k][i]; !twice {
						arrived[k][i] = p.At
						quiet.Reset(stalled)
					}
				}
			}
		case s := <-sent:
			if s.err != nil {
				return nil, fmt.Errorf("publish %s: %w", streams[s.stream].run, s.err)
			}
			published[s.stream] = s.at
			quiet.Reset(stalled)
		case <-quiet.C:
			var missing []string
			for k, s := range streams {
				missing = append(missing, fmt.Sprintf("%d of %d of %s arrived", len(arrived[k]), len(published[k]), s.run))
			}
			return nil, fmt.Errorf("%s, none for %v; %s; broken rules: %v", strings.Join(missing, ", "), stalled, r.waiting(ctx), r.box.Violations())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	took := make([][]time.Duration, len(streams))
	for k := range streams {
		for i, at := range published[k] {
			took[k] = append(took[k], arrived[k][i].Sub(at))
		}
		slices.Sort(took[k])
	}
	return took, nil
}

const (
	// beat is how often a stream publishes what is due.
	beat = time.Millisecond
	// mostPublishing is how many beats may wait for the server's answers.
	mostPublishing = 64
)

// steady publishes a stream and returns when each message went out.
func (r *rig) steady(ctx context.Context, s stream) (at []time.Time, err error) {
	began := time.Now()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var under sync.WaitGroup
	defer under.Wait()
	slots, failed := make(chan struct{}, mostPublishing), make(chan error, 1)
	at = make([]time.Time, 0, s.n)
	for len(at) < s.n {
		select {
		case <-tick.C:
		case <-s.until:
			return at, nil
		case err := <-failed:
			return at, err
		case <-ctx.Done():
			return at, ctx.Err()
		}
		var msgs []dispatch.Outgoing
		for due := min(int(time.Since(began).Seconds()*s.rate), s.n); len(at) < due; {
			m, err := s.message(s.run+"-"+strconv.Itoa(len(at)), len(at))
			if err != nil {
				return at, err
			}
			msgs, at = append(msgs, m), append(at, time.Now())
		}
		if len(msgs) == 0 {
			continue
		}
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			if err := errors.Join(r.bus.Publish(ctx, msgs)...); err != nil {
				select {
				case failed <- err:
				default: // one is enough
				}
			}
		})
	}
	under.Wait()
	select {
	case err := <-failed:
		return at, err
	default:
		return at, nil
	}
}

// serial finds the number of a stream's message in what the app gets on tap; -1 where it is none of
// the stream's.
func serial(ext, run string) int {
	_, rest, ok := strings.Cut(ext, `"`+run+"-")
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

// percentile of sorted durations.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
