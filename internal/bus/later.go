package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Later turns a job into one that is stored now and appears among the jobs at due, for waits too
// long for a delayed redelivery. The id must be unique to the job and attempt. It implements
// dispatch.Queue.
func (b *Bus) Later(o dispatch.Outgoing, due time.Time) dispatch.Outgoing {
	p := b.topology.prefix()
	place := strings.TrimPrefix(o.Subject, p+".job.")
	header := map[string]string{
		"Nats-Schedule":        "@at " + due.UTC().Format(time.RFC3339Nano),
		"Nats-Schedule-Target": p + ".later.due." + place,
	}
	for k, v := range o.Header {
		header[k] = v
	}
	// The schedule's own subject must be unique, and a republished one replaces its earlier self.
	return dispatch.Outgoing{Subject: p + ".later.at." + place + "." + token(o.ID), ID: o.ID, Data: o.Data, Header: header}
}

// token writes an id as a short subject token.
func token(id string) string {
	var h uint64 = 14695981039346656037 // FNV-1a, 64 bits
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return fmt.Sprintf("%016x", h)
}

// Waker moves one vendor's jobs whose time has come from PUSH_LATER to its job stream, until ctx
// ends. One for each vendor keeps a full job stream from holding up the others.
func (b *Bus) Waker(ctx context.Context, vendor string) error {
	p := b.topology.prefix()
	c, err := b.newConsumer(ctx, b.topology.Later(), vendor, 256, p+".later.due."+vendor+".>")
	if err != nil {
		return err
	}
	out := make(chan dispatch.Delivery, c.Hold())
	var moving sync.WaitGroup
	moving.Go(func() {
		for d := range out {
			b.wake(ctx, d, p)
		}
	})
	c.Run(ctx, out)
	close(out)
	moving.Wait()
	return nil
}

func (b *Bus) wake(ctx context.Context, d dispatch.Delivery, prefix string) {
	seq, _, _ := d.Meta()
	job := dispatch.Outgoing{
		Subject: prefix + ".job." + strings.TrimPrefix(d.Subject(), prefix+".later.due."),
		ID:      fmt.Sprintf("later/%d", seq), Data: d.Data(),
	}
	if trace := d.Header(dispatch.HeaderTrace); trace != "" {
		job.Header = map[string]string{dispatch.HeaderTrace: trace}
	}
	if ctx.Err() != nil {
		_ = d.Nak(0) // another worker's turn
		return
	}
	err := errors.Join(b.Publish(ctx, []dispatch.Outgoing{job})...)
	if err == nil {
		_ = d.Ack() // a lost ack brings a duplicate that the stream recognises
		return
	}
	if ctx.Err() == nil {
		b.log.Warn("cannot wake a waiting job, trying again", "subject", job.Subject, "error", err)
	}
	_ = d.Nak(2 * time.Second)
}
