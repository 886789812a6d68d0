package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// A worker that dies is listed for up to a minute more.
const (
	introducedTTL   = time.Minute
	introducedRenew = 20 * time.Second
)

// introduce keeps a note of this worker among the live ones until ctx ends: who it is, and how its
// certificates are limited. The operators' tool knows the certificates from it and needs neither
// the configuration nor a secret.
func (s *service) introduce(ctx context.Context, worker string, limiter *ratelimit.Limiter) {
	room := s.bus.Notes(dispatch.WorkerRoom)
	host, _ := os.Hostname() // only a name for operators
	note := dispatch.WorkerNote{Host: host, PID: os.Getpid(), Version: cli.Version(), Since: time.Now().UTC()}
	renew := time.NewTicker(introducedRenew)
	defer renew.Stop()
	for {
		note.Certificates = s.certificateNotes(limiter)
		if data, err := json.Marshal(note); err != nil {
			s.log.Error("operators cannot see this worker", "error", err)
			return
		} else if err := put(ctx, room, worker, data); err != nil && ctx.Err() == nil {
			s.log.Debug("operators cannot see this worker, trying again", "error", err)
		}
		select {
		case <-renew.C:
			continue
		case <-ctx.Done():
		}
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = room.Remove(leave, worker) // it ends by itself
		return
	}
}

func put(ctx context.Context, room *bus.Notes, worker string, note []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return room.Put(ctx, worker, note, introducedTTL)
}

// certificateNotes lists the certificates with the classes that are known by now.
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

// usualClasses are the classes of a plain chat message and of a call.
func usualClasses(c vendors.Settings) []vendors.Class {
	return []vendors.Class{
		c.Class(&vendors.Notification{}),
		c.Class(&vendors.Notification{Urgent: true, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite}}),
	}
}
