package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// conditionEvery is how often the streams are asked how they stand, conditionTimeout how long that
// may take.
const (
	conditionEvery   = 10 * time.Second
	conditionTimeout = 8 * time.Second
)

// measureReady makes the gauge of what /readyz says, from before there is a connection.
func (s *service) measureReady() error {
	_, err := s.tel.Meter.Int64ObservableGauge("hongyan.ready",
		metric.WithDescription("1 while the worker takes messages, as /readyz says"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			ready := int64(0)
			if s.health.notReady() == "" {
				ready = 1
			}
			o.Observe(ready)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

// expect makes the counters that alerts watch begin at zero, for every app and certificate, and for
// apps that no worker knows, which are counted as "unknown".
func (s *service) expect(metrics *dispatch.Metrics) {
	metrics.ExpectApp("unknown")
	for _, app := range s.conf.Apps {
		metrics.ExpectApp(app.ID)
		for _, c := range app.Certificates {
			metrics.ExpectCertificate(c.Base().Vendor, c.Base().ID)
		}
	}
}

// measureCondition measures, until ctx ends, what the streams tell of all workers and servers
// together: how many messages no worker has taken, and which copies of streams are missing. While
// they do not answer, the gauges keep their last value.
func (s *service) measureCondition(ctx context.Context) {
	var mu sync.Mutex
	var untaken *uint64
	var copies []bus.Copies
	waiting, err1 := s.tel.Meter.Int64ObservableGauge("hongyan.messages.untaken",
		metric.WithDescription("message events, signals and pieces of large events that no worker has taken yet; every worker says the same number, that of all"))
	missing, err2 := s.tel.Meter.Int64ObservableGauge("hongyan.stream.copies.missing",
		metric.WithDescription("copies of a stream whose NATS server is away or behind, and one more where nobody leads it, by stream"))
	if err1 != nil || err2 != nil {
		s.log.Error("cannot measure the streams", "error", err1, "error2", err2)
		return
	}
	reg, err := s.tel.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		if untaken != nil {
			o.ObserveInt64(waiting, int64(*untaken))
		}
		for _, c := range copies {
			o.ObserveInt64(missing, int64(c.Missing), metric.WithAttributes(attribute.String("stream", c.Stream)))
		}
		return nil
	}, waiting, missing)
	if err != nil {
		s.log.Error("cannot measure the streams", "error", err)
		return
	}
	defer func() { _ = reg.Unregister() }() // the process ends with it
	tick := time.NewTicker(conditionEvery)
	defer tick.Stop()
	for {
		read, cancel := context.WithTimeout(ctx, conditionTimeout)
		n, errUntaken := s.bus.Untaken(read)
		all, errCopies := s.bus.Copies(read, s.conf.Vendors())
		cancel()
		mu.Lock()
		if errUntaken == nil {
			untaken = &n
		}
		if errCopies == nil {
			copies = all
		}
		mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
