package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
)

// Untaken counts the message events, signals and pieces that no worker has taken yet, all workers
// together. It asks only for apps of which something is stored.
func (b *Bus) Untaken(ctx context.Context) (uint64, error) {
	s := b.topology.Subjects
	var all uint64
	for _, of := range []struct {
		stream, filter string
		// durable names the consumer of a subject, and the filter of that consumer.
		durable func(where hongyan.Subject, subject string) string
	}{
		{b.topology.Messages(), s.All(hongyan.KindMessage), func(where hongyan.Subject, subject string) string {
			return "chat-" + nameOf(where.App, subject)
		}},
		{b.topology.Messages(), s.All(hongyan.KindUrgent), func(hongyan.Subject, string) string { return "urgent" }},
		{b.topology.Messages(), s.All(hongyan.KindSignal), func(hongyan.Subject, string) string { return "signal" }},
		{b.topology.Pieces(), s.All(hongyan.KindPiece), func(where hongyan.Subject, subject string) string {
			return "pieces-" + nameOf(where.App, subject)
		}},
	} {
		stream, err := b.js.Stream(ctx, of.stream)
		if err != nil {
			return 0, fmt.Errorf("read stream %s: %w", of.stream, err)
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(of.filter))
		if err != nil {
			return 0, fmt.Errorf("read stream %s: %w", of.stream, err)
		}
		stored := map[string]uint64{} // by consumer
		for subject, n := range info.State.Subjects {
			where, err := s.Parse(subject)
			if err != nil {
				where = hongyan.Subject{}
			}
			stored[of.durable(where, subject)] += n
		}
		for name, n := range stored {
			consumer, err := stream.Consumer(ctx, name)
			switch {
			case errors.Is(err, jetstream.ErrConsumerNotFound): // nobody serves them
				all += n
			case err != nil:
				return 0, fmt.Errorf("read consumer %s of stream %s: %w", name, of.stream, err)
			default:
				all += consumer.CachedInfo().NumPending
			}
		}
	}
	return all, nil
}

// Copies is how a stream stands on the servers of a cluster.
type Copies struct {
	Stream string
	// Missing counts the copies whose server is away or far behind, and one more where nobody
	// leads the stream.
	Missing int
}

const (
	// silent is how long nothing is heard of a copy that is away; the server itself thinks of
	// another leader then.
	silent = 10 * time.Second
	// farBehind is how many writes a copy lacks that does not just write what the leader has
	// written this moment.
	farBehind = 1000
)

// Copies says how many copies of each stream are missing. The vendors are those whose jobs are
// asked for.
func (b *Bus) Copies(ctx context.Context, vendors []string) ([]Copies, error) {
	var all []Copies
	for _, config := range b.topology.configs(vendors) {
		stream, err := b.js.Stream(ctx, config.Name)
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", config.Name, err)
		}
		info := stream.CachedInfo()
		c := Copies{Stream: config.Name}
		if info.Cluster != nil {
			if info.Cluster.Leader == "" {
				c.Missing++
			}
			for _, peer := range info.Cluster.Replicas {
				if peer.Offline || peer.Active > silent || peer.Lag > farBehind {
					c.Missing++
				}
			}
		}
		all = append(all, c)
	}
	return all, nil
}
