package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// limitRounds is how often the two sides race each way; the difference is small, and a shared
// machine's noise is not.
const limitRounds = 12

// limits measures what a rate and a quota cost. One worker serves two certificates that are alike
// but for limits too high to matter on one of them, and works off as many waiting messages of each
// at the same time: whatever slows the machine down slows both, and a side that waits or computes
// more falls behind. The certificates then change sides, so that what else may be different between
// them cancels out.
func (r *rig) limits(ctx context.Context) (figures []figure, err error) {
	if err := r.register(ctx, "twin-", r.opts.Users, r.twin()); err != nil {
		return nil, err
	}
	var ratios [2][]float64
	for k, limited := range []string{r.certificate(), r.twin()} {
		r.say("limits on and off side by side, %d rounds of %d pushes each, %d of 2", limitRounds, r.opts.Pushes/4, k+1)
		if ratios[k], err = r.race(ctx, limited); err != nil {
			return nil, err
		}
	}
	lost := make([]float64, limitRounds)
	for i := range lost {
		lost[i] = (1 - math.Sqrt(ratios[0][i]*ratios[1][i])) * 100
	}
	cost, reach := mean(lost)
	low, high := cost-reach, cost+reach
	f := figure{Name: "rate and quota on: throughput lost", Value: cost, Unit: "%", Target: "less than 2"}
	if high < 2 || low >= 2 {
		f = f.target(f.Target, high < 2)
	}
	return []figure{
		f,
		{Name: "… 95 % sure to be at least", Value: low, Unit: "%"},
		{Name: "… and at most", Value: high, Unit: "%"},
	}, nil
}

// race runs the rounds with the limits on one certificate, and returns how fast it was beside the
// other in each.
func (r *rig) race(ctx context.Context, limited string) (ratios []float64, err error) {
	// Calls may hang for as long as a round is prepared.
	more := map[string]keys{r.certificate(): {"timeout": "60s"}, r.twin(): {"timeout": "60s"}}
	more[limited]["rate"], more[limited]["daily_quota"] = "{devices_per_second: 10000000}", "{all: 1000000000}"
	w, err := r.start(ctx, r.appsOf([]string{r.certificate(), r.twin()}, more))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	// A worker takes its share of a rate only after the others had time to see it.
	if !sleep.For(ctx, 3*time.Second) {
		return nil, ctx.Err()
	}
	for i := -1; i < limitRounds; i++ { // the first pays for connections, tokens and caches
		counts, err := r.round(ctx, fmt.Sprintf("race-%s-%d", limited, i), r.opts.Pushes/4)
		if err != nil {
			return nil, err
		}
		on, off := counts[0], counts[1]
		if limited == r.twin() {
			on, off = off, on
		}
		if i >= 0 {
			ratios = append(ratios, float64(on)/float64(off))
		}
	}
	return ratios, nil
}

// round has n messages wait for each of the two certificates, lets both go at once, and returns how
// many pushes of each arrive between the time when each has come to a quarter and the time when the
// first has all.
func (r *rig) round(ctx context.Context, run string, n int) (counts [2]int, err error) {
	pushes := make(chan sandbox.Push, 2*n)
	stop := r.box.Watch(pushes)
	defer stop()
	id := r.box.Arm(sandbox.Fault{Vendor: r.vendor, Kind: sandbox.FaultHang})
	defer r.box.Clear(r.vendor, id)
	prefixes := [2]string{"u", "twin-"}
	for from := 0; from < n; from += 1000 {
		var msgs []dispatch.Outgoing
		for i := from; i < min(from+1000, n); i++ {
			for side, prefix := range prefixes {
				m, err := r.message(fmt.Sprintf("%s-%d-side%d", run, i, side), prefix+strconv.Itoa(i%r.opts.Users))
				if err != nil {
					return counts, err
				}
				msgs = append(msgs, m)
			}
		}
		if err := errors.Join(r.bus.Publish(ctx, msgs)...); err != nil {
			return counts, err
		}
	}
	r.box.Clear(r.vendor, id)
	var all, start [2]int
	for all[0] < n && all[1] < n {
		select {
		case p := <-pushes:
			side := 0
			if strings.Contains(p.Ext, "-side1") {
				side = 1
			}
			all[side]++
			if start[0]+start[1] == 0 && min(all[0], all[1]) >= n/4 {
				start = all
			}
		case <-time.After(time.Minute):
			return counts, fmt.Errorf("only %v of %d pushes of each side arrived; broken rules: %v", all, n, r.box.Violations())
		case <-ctx.Done():
			return counts, ctx.Err()
		}
	}
	if start[0]+start[1] == 0 {
		return counts, fmt.Errorf("one side had all of its %d pushes before the other had a quarter: %v", n, all)
	}
	return [2]int{all[0] - start[0], all[1] - start[1]}, r.settled(ctx)
}

// twin is a second certificate of the vendor.
func (r *rig) twin() string { return r.certificate() + "-twin" }

// mean is the mean of independent values and how far from it the true one may be, with 95 %
// certainty: 2.2 standard errors, which is Student's t for the dozen of rounds.
func mean(values []float64) (mean, reach float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, 2.2 * math.Sqrt(squares/(n-1)/n)
}
