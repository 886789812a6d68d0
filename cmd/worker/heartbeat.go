package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"
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

// heart tells operators and the other workers of this one: who it is, which certificates it serves
// and which limits they have. So the operators' tool needs neither the configuration nor a secret,
// and another worker leaves to this one what only this one knows.
type heart struct {
	service *service
	notes   *bus.Notes
	limiter *ratelimit.Limiter
	worker  string
	mu      sync.Mutex
	note    dispatch.WorkerNote
}

func (s *service) heart(worker string, limiter *ratelimit.Limiter) *heart {
	host, _ := os.Hostname() // only a name for operators
	return &heart{service: s, notes: s.bus.Notes(dispatch.WorkerRoom), limiter: limiter, worker: worker,
		note: dispatch.WorkerNote{Host: host, PID: os.Getpid(), Version: cli.Version(), Since: time.Now().UTC()}}
}

// beat stores the worker's note. It may be called at any time.
func (h *heart) beat(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note.Certificates = h.service.certificateNotes(h.limiter)
	data, err := json.Marshal(h.note)
	if err == nil {
		err = putHeartbeat(ctx, h.notes, h.worker, data)
	}
	if err != nil && ctx.Err() == nil {
		h.service.log.Warn("operators and the other workers cannot see this worker, trying again", "error", err)
	}
}

// run beats until ctx ends, and takes the note away.
func (h *heart) run(ctx context.Context) {
	renew := time.NewTicker(heartbeatEvery)
	defer renew.Stop()
	for {
		select {
		case <-renew.C:
			h.beat(ctx)
			continue
		case <-ctx.Done():
		}
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = h.notes.Remove(leave, h.worker) // otherwise it expires
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
	for _, a := range s.loaded.Load().conf.Apps {
		for _, c := range a.Certificates {
			base := c.Base()
			notes = append(notes, dispatch.CertificateNote{App: a.ID, Vendor: base.Vendor, Limits: limits[base.ID]})
		}
	}
	return notes
}
