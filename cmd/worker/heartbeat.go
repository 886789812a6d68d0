package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
)

// A worker that crashes stays listed for up to heartbeatTTL.
const (
	heartbeatTTL   = time.Minute
	heartbeatEvery = 20 * time.Second
)

// heartbeat stores an entry about this worker and renews it until ctx ends: who it is, and which
// limits its certificates have. From these entries the operators' tool knows the live workers and
// their certificates, so that it needs neither the configuration nor a secret.
func (s *service) heartbeat(ctx context.Context, worker string, limiter *ratelimit.Limiter) {
	workers := s.bus.Notes(dispatch.WorkerRoom)
	host, _ := os.Hostname() // only a name for operators
	note := dispatch.WorkerNote{Host: host, PID: os.Getpid(), Version: cli.Version(), Since: time.Now().UTC()}
	renew := time.NewTicker(heartbeatEvery)
	defer renew.Stop()
	for {
		note.Certificates = s.certificateNotes(limiter)
		if data, err := json.Marshal(note); err != nil {
			s.log.Error("operators cannot see this worker", "error", err)
			return
		} else if err := putHeartbeat(ctx, workers, worker, data); err != nil && ctx.Err() == nil {
			s.log.Debug("operators cannot see this worker, trying again", "error", err)
		}
		select {
		case <-renew.C:
			continue
		case <-ctx.Done():
		}
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = workers.Remove(leave, worker) // otherwise it expires
		return
	}
}

func putHeartbeat(ctx context.Context, workers *bus.Notes, worker string, note []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return workers.Put(ctx, worker, note, heartbeatTTL)
}

// certificateNotes lists the certificates with the message classes that are known so far.
func (s *service) certificateNotes(limiter *ratelimit.Limiter) (notes []dispatch.CertificateNote) {
	limits := map[string]ratelimit.Certificate{}
	for _, l := range limiter.Certificates() {
		limits[l.ID] = l
	}
	for _, a := range s.conf.Apps {
		for _, c := range a.Certificates {
			base := c.Base()
			notes = append(notes, dispatch.CertificateNote{App: a.ID, Vendor: base.Vendor, Limits: limits[base.ID]})
		}
	}
	return notes
}
