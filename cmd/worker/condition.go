package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/instrument"
)

// conditionEvery is how often the streams are asked how they stand, conditionTimeout how long that
// may take.
const (
	conditionEvery   = 10 * time.Second
	conditionTimeout = 8 * time.Second
)

// measureReady makes the gauge of what /readyz says, which is there before there is a connection.
func measureReady(meter metric.Meter, h *health) error {
	gauge, err := instrument.Ready.Int64ObservableGauge(meter)
	if err == nil {
		_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
			ready := int64(0)
			if h.notReady() == "" {
				ready = 1
			}
			o.ObserveInt64(gauge, ready)
			return nil
		}, gauge)
	}
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

// condition is what the streams tell of all workers and servers together: how many messages no
// worker has taken, and which copies of streams are missing. While they do not answer, the last
// word stays.
type condition struct {
	bus  *bus.Bus
	conf func() *config.Config

	mu      sync.Mutex
	untaken *uint64
	copies  []bus.Copies
}

// newCondition makes its instruments. conf is the configuration in force.
func newCondition(meter metric.Meter, b *bus.Bus, conf func() *config.Config) (*condition, error) {
	c := &condition{bus: b, conf: conf}
	untaken, err1 := instrument.Untaken.Int64ObservableGauge(meter)
	missing, err2 := instrument.CopiesMissing.Int64ObservableGauge(meter)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.untaken != nil {
			o.ObserveInt64(untaken, int64(*c.untaken))
		}
		for _, of := range c.copies {
			o.ObserveInt64(missing, int64(of.Missing), labels("stream", of.Stream))
		}
		return nil
	}, untaken, missing)
	return c, err
}

// run asks the streams, until ctx ends.
func (c *condition) run(ctx context.Context) {
	tick := time.NewTicker(conditionEvery)
	defer tick.Stop()
	for {
		read, cancel := context.WithTimeout(ctx, conditionTimeout)
		untaken, err1 := c.bus.Untaken(read)
		copies, err2 := c.bus.Copies(read, c.conf().Vendors())
		cancel()
		c.mu.Lock()
		if err1 == nil {
			c.untaken = &untaken
		}
		if err2 == nil {
			c.copies = copies
		}
		c.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// expect makes the counters that alerts watch begin at zero, for every app and certificate, and for
// apps that no worker knows, which are counted as "unknown".
func expect(metrics *dispatch.Metrics, conf *config.Config) {
	metrics.ExpectApp("unknown")
	for _, app := range conf.Apps {
		metrics.ExpectApp(app.ID)
		for _, c := range app.Certificates {
			metrics.ExpectCertificate(c.Base().Vendor, c.Base().ID)
		}
	}
}
