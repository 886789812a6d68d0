package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// colleagues knows what the other live workers serve: while a configuration is rolled out, what
// this worker does not know may be known to them.
type colleagues struct {
	room *bus.Notes
	self string
	log  *slog.Logger

	mu     sync.Mutex
	asked  time.Time
	served served
}

// served is what workers serve.
type served struct {
	apps map[[2]string]bool // app and certificate, or an app and nothing
	jobs map[[2]string]bool // vendor and certificate
}

// colleaguesFor is how long the answer to a question is believed.
const colleaguesFor = time.Second

// serve says whether another live worker serves a certificate of an app, or the app where no
// certificate is given.
func (c *colleagues) serve(app, certificate string) bool {
	return c.known().apps[[2]string{app, certificate}]
}

// serveJobs says whether another live worker serves a vendor's certificate. One that names no
// vendor may.
func (c *colleagues) serveJobs(vendor, certificate string) bool {
	jobs := c.known().jobs
	return jobs[[2]string{vendor, certificate}] || jobs[[2]string{"", certificate}]
}

// known is what the others serve. While their notes cannot be read, what was known before counts.
func (c *colleagues) known() served {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) >= colleaguesFor {
		c.ask()
		c.asked = time.Now()
	}
	return c.served
}

// ask reads the workers' notes. The lock is held.
func (c *colleagues) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	notes, err := c.room.List(ctx)
	if err != nil {
		c.log.Debug("cannot read what the other workers serve", "error", err)
		return
	}
	c.served = servedBy(notes, c.self)
}

// servedBy is what workers serve by their notes, but for one of them. A note that cannot be read
// says nothing.
func servedBy(notes map[string][]byte, self string) served {
	s := served{apps: map[[2]string]bool{}, jobs: map[[2]string]bool{}}
	for key, value := range notes {
		var note dispatch.WorkerNote
		if key == self || json.Unmarshal(value, &note) != nil {
			continue
		}
		for _, cert := range note.Certificates {
			s.apps[[2]string{cert.App, cert.Limits.ID}] = true
			s.apps[[2]string{cert.App, ""}] = true
			s.jobs[[2]string{cert.Vendor, cert.Limits.ID}] = true
		}
	}
	return s
}
