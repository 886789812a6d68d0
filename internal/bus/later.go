package bus

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Later turns a job into one that is stored now and appears among the jobs at due, for waits too
// long for a delayed redelivery. The id must be unique to the job and attempt. It implements
// dispatch.Queue.
func (b *Bus) Later(o dispatch.Outgoing, due time.Time) dispatch.Outgoing {
	at, target := b.topology.later()
	job, err := b.topology.Subjects.Parse(o.Subject)
	if err != nil || job.Kind != hongyan.KindJob {
		return o // the server says what is wrong with it
	}
	header := map[string]string{
		"Nats-Schedule":        "@at " + due.UTC().Format(time.RFC3339Nano),
		"Nats-Schedule-Target": target.Build(job),
	}
	for k, v := range o.Header {
		header[k] = v
	}
	// The schedule's own subject must be unique, and a republished one replaces its earlier self.
	return dispatch.Outgoing{Subject: at.Build(job) + "." + token(o.ID), ID: o.ID, Data: o.Data, Header: header}
}

// later gives the grammars of the subjects of jobs that wait: of their schedules, and of those
// whose time has come.
func (t Topology) later() (at, due hongyan.Subjects) {
	root := t.Subjects.Own("later.")
	return hongyan.Subjects{Prefix: root + "at"}, hongyan.Subjects{Prefix: root + "due"}
}

// token writes an id as a short subject token.
func token(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return fmt.Sprintf("%016x", h.Sum64())
}

// Waker moves one vendor's jobs whose time has come from PUSH_LATER to its job stream, until ctx
// ends. One for each vendor keeps a full job stream from holding up the others.
func (b *Bus) Waker(ctx context.Context, vendor string) error {
	_, due := b.topology.later()
	c, err := b.newConsumer(ctx, b.topology.Later(), vendor, 256, due.Job(vendor, "*", "*"))
	if err != nil {
		return err
	}
	out := make(chan dispatch.Delivery, c.Hold())
	var moving sync.WaitGroup
	moving.Go(func() {
		for d := range out {
			b.wake(ctx, d, due)
		}
	})
	c.Run(ctx, out)
	close(out)
	moving.Wait()
	return nil
}

func (b *Bus) wake(ctx context.Context, d dispatch.Delivery, due hongyan.Subjects) {
	seq, stored, _ := d.Meta()
	place, err := due.Parse(d.Subject())
	if err != nil {
		// The consumer's filter covers job subjects alone, so only their names can be wrong.
		b.log.Error("a job that waited has a subject that is none", "sequence", seq, "error", err)
		_ = d.Nak(time.Minute)
		return
	}
	job := dispatch.Outgoing{Subject: b.topology.Subjects.Build(place), ID: fmt.Sprintf(":later/%d/%d", seq, stored.UnixNano()), Data: d.Data()}
	if trace := d.Header(dispatch.HeaderTrace); trace != "" {
		job.Header = map[string]string{dispatch.HeaderTrace: trace}
	}
	if ctx.Err() != nil {
		_ = d.Nak(0) // another worker's turn
		return
	}
	err = errors.Join(b.Publish(ctx, []dispatch.Outgoing{job})...)
	if err == nil {
		_ = d.Ack() // a lost ack brings a duplicate that the stream recognises
		return
	}
	if ctx.Err() == nil {
		b.log.Warn("cannot wake a waiting job, trying again", "subject", job.Subject, "error", err)
	}
	_ = d.Nak(2 * time.Second)
}
