package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ackWait is how long the server waits for a delivery to be settled before it gives it to another
// worker: what a killed worker held comes back after this. A live worker renews its claim (see
// Delivery) as long as it needs, so it must outlast a moment without NATS. A call cannot wait long.
// A registration takes milliseconds, and to settle it twice is harmless.
const (
	ackWait             = 60 * time.Second
	urgentAckWait       = 15 * time.Second
	registrationAckWait = time.Second
)

// inactive is when the server removes a consumer that was made on demand and that nobody pulls
// from.
const inactive = 10 * time.Minute

// createTimeout bounds one attempt to make a durable consumer.
const createTimeout = 5 * time.Second

// durable is the configuration of a durable consumer. One that is not kept goes when nobody has
// pulled from it for a while.
func durable(name, description string, wait time.Duration, kept bool, filters ...string) jetstream.ConsumerConfig {
	want := jetstream.ConsumerConfig{
		Durable: name, Description: "Hongyan: " + description, FilterSubjects: filters, AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait,
		MaxDeliver: -1, MaxAckPending: 50_000, MaxWaiting: 4096,
	}
	if !kept {
		want.InactiveThreshold = inactive
	}
	return want
}

// make makes a stream's durable consumer, or changes the one that is there, and returns when it was
// made. It makes the streams anew where this one is missing. An error that is ErrMisfit needs a
// person.
func (b *Bus) make(ctx context.Context, stream string, want jetstream.ConsumerConfig) (made time.Time, err error) {
	select {
	case b.making <- struct{}{}:
		defer func() { <-b.making }()
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	made, err = b.makeIn(ctx, stream, want)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err = b.restore(ctx); err == nil {
			made, err = b.makeIn(ctx, stream, want)
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("consumer %s of stream %s: %w", want.Durable, stream, err)
	}
	return made, nil
}

func (b *Bus) makeIn(ctx context.Context, stream string, want jetstream.ConsumerConfig) (time.Time, error) {
	c, err := b.js.CreateConsumer(ctx, stream, want)
	if errors.Is(err, jetstream.ErrConsumerExists) { // with other settings
		if c, err = b.js.Consumer(ctx, stream, want.Durable); err == nil {
			if changed, need := adapt(c.CachedInfo().Config, want); need {
				c, err = b.change(ctx, stream, changed, want)
			}
		}
	}
	if isCode(err, 10100, 10099) {
		return time.Time{}, fmt.Errorf("%w: another consumer takes the same messages; `nats consumer ls %s` names it, delete it with `nats consumer rm`", ErrMisfit, stream)
	}
	if err != nil {
		return time.Time{}, err
	}
	return c.CachedInfo().Created, nil
}

// change gives an existing consumer its new settings, or makes it anew where the server cannot
// change them: what was out is then delivered again.
func (b *Bus) change(ctx context.Context, stream string, changed, want jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	c, err := b.js.UpdateConsumer(ctx, stream, changed)
	if !isCode(err, 10012) {
		return c, err
	}
	b.log.Warn("a consumer has settings that cannot be changed, making it anew", "stream", stream, "consumer", want.Durable, "error", err)
	if err := b.js.DeleteConsumer(ctx, stream, want.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, err
	}
	return b.js.CreateConsumer(ctx, stream, want)
}

// adapt is the configuration that an existing consumer should get, and whether it differs. A
// consumer that is kept stays so: another worker may have it in its configuration.
func adapt(got, want jetstream.ConsumerConfig) (changed jetstream.ConsumerConfig, need bool) {
	changed = got
	filters := got.FilterSubjects
	if len(filters) == 0 && got.FilterSubject != "" {
		filters = []string{got.FilterSubject}
	}
	if !slices.Equal(filters, want.FilterSubjects) {
		changed.FilterSubject, changed.FilterSubjects, need = "", want.FilterSubjects, true
	}
	if got.AckPolicy != want.AckPolicy || got.AckWait != want.AckWait || len(got.BackOff) > 0 {
		changed.AckPolicy, changed.AckWait, changed.BackOff, need = want.AckPolicy, want.AckWait, nil, true
	}
	if got.MaxDeliver != want.MaxDeliver || got.MaxAckPending != want.MaxAckPending {
		changed.MaxDeliver, changed.MaxAckPending, need = want.MaxDeliver, want.MaxAckPending, true
	}
	if got.MaxRequestBatch != 0 || got.MaxRequestExpires != 0 || got.MaxRequestMaxBytes != 0 || got.HeadersOnly {
		changed.MaxRequestBatch, changed.MaxRequestExpires, changed.MaxRequestMaxBytes, changed.HeadersOnly, need = 0, 0, 0, false, true
	}
	if got.Description != want.Description {
		changed.Description, need = want.Description, true
	}
	if got.InactiveThreshold != want.InactiveThreshold && got.InactiveThreshold != 0 {
		changed.InactiveThreshold, need = want.InactiveThreshold, true
	}
	return changed, need
}

// restoring makes streams that went missing, once for all who miss one.
type restoring struct {
	mu      sync.Mutex
	vendors []string // whose jobs are served
	last    time.Time
	err     error
}

// restoreEvery is how often missing streams are made at most.
const restoreEvery = time.Second

// restore makes all streams that are missing. Those who come within a second of an attempt get its
// result.
func (b *Bus) restore(ctx context.Context) error {
	r := &b.restoring
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.last) < restoreEvery {
		return r.err
	}
	b.log.Warn("a stream is missing, making the streams anew")
	r.err = b.Ensure(ctx, r.vendors)
	r.last = time.Now()
	return r.err
}

// serves notes a vendor whose stream is made anew when it is missing.
func (b *Bus) serves(vendor string) {
	b.restoring.mu.Lock()
	defer b.restoring.mu.Unlock()
	if !slices.Contains(b.restoring.vendors, vendor) {
		b.restoring.vendors = append(b.restoring.vendors, vendor)
	}
}
