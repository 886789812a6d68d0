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
	served map[[2]string]bool // app and certificate, each also with the other empty
}

// colleaguesFor is how long the answer to a question is believed.
const colleaguesFor = time.Second

// serve says whether another live worker serves an app, or a certificate, or where both are given a
// certificate of an app. While the workers' notes cannot be read, what was known before counts.
func (c *colleagues) serve(app, certificate string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.asked) >= colleaguesFor {
		c.ask()
		c.asked = time.Now()
	}
	return c.served[[2]string{app, certificate}]
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
	c.served = map[[2]string]bool{}
	for key, value := range notes {
		var note dispatch.WorkerNote
		if key == c.self || json.Unmarshal(value, &note) != nil {
			continue
		}
		for _, cert := range note.Certificates {
			c.served[[2]string{cert.App, cert.Limits.ID}] = true
			c.served[[2]string{cert.App, ""}] = true
			c.served[[2]string{"", cert.Limits.ID}] = true
		}
	}
}
