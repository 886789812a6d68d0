package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sandbox"
	"github.com/hongyan-im/hongyan/internal/sandbox/all"
	"github.com/hongyan-im/hongyan/internal/sleep"
)

// soaked are what must not grow while a worker runs for long.
var soaked = []struct{ name, metric, unit string }{
	{"goroutines", "go_goroutines", ""},
	{"descriptors", "process_open_fds", ""},
	{"memory, resident", "process_resident_memory_bytes", "MB"},
	{"heap in use", "go_memstats_heap_alloc_bytes", "MB"},
}

// soak sends chats to all vendors for long, while the vendors reset connections, answer late and
// fail in turn, and compares what the worker holds at the beginning and at the end.
func (r *rig) soak(ctx context.Context) ([]figure, error) {
	const rate, sample, settle = 300, 5 * time.Second, 30 * time.Second
	names := all.Vendors()
	r.say("%d pushes a second to all vendors for %v, with connections reset and late answers", rate, r.opts.Soak)
	if err := r.register(ctx, "soak-", r.opts.Users, certificates(names)...); err != nil {
		return nil, err
	}
	var samples [][]float64
	err := r.with(ctx, r.apps(), func(w *worker) error {
		until := make(chan struct{})
		published := make(chan error, 1)
		go func() {
			at, err := r.steady(ctx, stream{run: "soak", rate: rate, n: int(rate * r.opts.Soak.Seconds()), until: until, message: func(id string, i int) (dispatch.Outgoing, error) {
				return chat(sandbox.DemoApp, id, "soak-"+strconv.Itoa(i%r.opts.Users))
			}})
			if err == nil && len(at) == 0 {
				err = errors.New("nothing was published")
			}
			published <- err
		}()
		tick := time.NewTicker(sample)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case err := <-published:
				if err != nil {
					return err
				}
				if !sleep.For(ctx, settle) {
					return ctx.Err()
				}
				return r.settled(ctx)
			case <-ctx.Done():
				close(until)
				return errors.Join(ctx.Err(), <-published)
			case <-tick.C:
			}
			values, err := w.metrics(ctx)
			if err != nil {
				close(until)
				return errors.Join(err, <-published)
			}
			samples = append(samples, values)
			// Each vendor is in trouble in turn, and has time to recover.
			vendor := names[n%len(names)]
			for _, f := range []sandbox.Fault{
				{Vendor: vendor, Kind: sandbox.FaultResetBefore, Times: 2}, {Vendor: vendor, Kind: sandbox.FaultResetAfter, Times: 1},
				{Vendor: vendor, Kind: sandbox.FaultServerError, Times: 2}, {Vendor: vendor, Kind: sandbox.FaultSlow, Delay: 1, Times: 20},
			} {
				r.box.Arm(f)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	part := len(samples) / 5
	if part == 0 {
		return nil, fmt.Errorf("%v are too short for a comparison", r.opts.Soak)
	}
	var figures []figure
	for k, s := range soaked {
		// The first fifth is left to pools and caches to fill.
		early, late := middle(samples[part:2*part], k), middle(samples[len(samples)-part:], k)
		if s.unit == "MB" {
			early, late = early/1e6, late/1e6
		}
		figures = append(figures,
			figure{Name: fmt.Sprintf("soak of %v: %s, in the second fifth", r.opts.Soak, s.name), Value: early, Unit: s.unit},
			figure{Name: fmt.Sprintf("soak of %v: %s, in the last fifth", r.opts.Soak, s.name), Value: late, Unit: s.unit}.atMost(math.Ceil(1.2*early)))
	}
	if broken := r.box.Violations(); len(broken) > 0 {
		return figures, fmt.Errorf("%d rules of vendors were broken, first %v", len(broken), broken[0])
	}
	return figures, nil
}

func middle(samples [][]float64, k int) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, s[k])
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// metrics reads what must not grow from the worker's own metrics.
func (w *worker) metrics(ctx context.Context) ([]float64, error) {
	values, found := make([]float64, len(soaked)), 0
	err := w.scrape(ctx, func(series string, value float64) {
		for k, s := range soaked {
			if series == s.metric {
				values[k] = value
				found++
			}
		}
	})
	if err == nil && found != len(soaked) {
		err = fmt.Errorf("the worker shows %d of the %d metrics that must not grow", found, len(soaked))
	}
	return values, err
}

// scrape calls each with every series of the worker's own metrics, labels and all, and its value.
func (w *worker) scrape(ctx context.Context, each func(series string, value float64)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/metrics", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("read the worker's metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("read the worker's metrics: it answered %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return fmt.Errorf("read the worker's metric %s: %w", line[:at], err)
		}
		each(line[:at], value)
	}
	return lines.Err()
}
