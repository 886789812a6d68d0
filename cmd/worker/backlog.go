package main

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan/internal/bus"
)

// measureBacklogs measures the backlogs every five seconds until ctx ends.
func (s *service) measureBacklogs(ctx context.Context) {
	var mu sync.Mutex
	backlogs := map[string]bus.Backlog{}
	waiting, err1 := s.tel.Meter.Int64ObservableGauge("push_backlog", metric.WithDescription("stored jobs that wait or are under way, by vendor, without those that come later; message events that are not done with as vendor none"))
	oldest, err2 := s.tel.Meter.Float64ObservableGauge("push_oldest", metric.WithUnit("s"), metric.WithDescription("age of the oldest stored job, by vendor; of the oldest message event that is not done with as vendor none"))
	if err1 != nil || err2 != nil {
		s.log.Error("cannot measure backlogs", "error", err1, "error2", err2)
		return
	}
	reg, err := s.tel.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		for vendor, b := range backlogs {
			label := metric.WithAttributes(attribute.String("vendor", vendor))
			age := 0.0
			if !b.Oldest.IsZero() {
				age = time.Since(b.Oldest).Seconds()
			}
			o.ObserveInt64(waiting, int64(b.Jobs), label)
			o.ObserveFloat64(oldest, age, label)
		}
		return nil
	}, waiting, oldest)
	if err != nil {
		s.log.Error("cannot measure backlogs", "error", err)
		return
	}
	defer func() { _ = reg.Unregister() }() // the process ends with it
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		read, cancel := context.WithTimeout(ctx, 4*time.Second)
		for _, vendor := range s.loaded.Load().conf.Vendors() {
			// if NATS does not answer, the gauge keeps its last value
			if b, err := s.bus.Backlog(read, vendor); err == nil {
				mu.Lock()
				backlogs[vendor] = b
				mu.Unlock()
			}
		}
		if b, err := s.bus.MessageBacklog(read); err == nil {
			mu.Lock()
			backlogs["none"] = b
			mu.Unlock()
		}
		cancel()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
