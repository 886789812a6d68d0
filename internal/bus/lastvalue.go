package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/directory"
)

const (
	// readsAtOnce is how many requests of one connection may be under way.
	readsAtOnce = 8
	// readTimeout is how long a request may take.
	readTimeout = 10 * time.Second
	// recordsPerRead is what a request aims at. An answer holds at most 1,024 records; some users
	// have more than others.
	recordsPerRead = 700
	mostFilters    = 400
)

// pages learns how many filters a request may have. The zero value is useful.
type pages struct {
	mu        sync.Mutex
	perFilter float64 // records a filter covers, a moving average; 0 before the first answer
}

// size is how many filters the next request should have.
func (p *pages) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.perFilter == 0 {
		return recordsPerRead / 3 // a device, its presence, and settings
	}
	return max(1, min(mostFilters, int(recordsPerRead/p.perFilter)))
}

// read takes an answer into account: the more filters it was for, the more.
func (p *pages) read(filters, records int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, weight := float64(records)/float64(filters), min(0.25, float64(filters)/400)
	if p.perFilter == 0 {
		p.perFilter, weight = 3, max(weight, 0.01)
	}
	p.perFilter += weight * (found - p.perFilter)
}

// tooMany takes into account that there was no answer: there are more than 1,024 records, nobody
// knows how many more.
func (p *pages) tooMany(filters int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if filters > 1 { // one user with that many says nothing of the others
		p.perFilter = max(p.perFilter, 2*1024/float64(filters))
	}
}

// reader reads last values of a stream that has a probe in it.
type reader struct {
	bus *Bus
	// what it reads, for errors.
	what, stream string
	get          multiGet
	pages        pages
	reads        chan struct{} // holds a token for each request that is under way
}

func (r *reader) open(b *Bus, nc *nats.Conn, what, stream, probe string) {
	r.bus, r.what, r.stream = b, what, stream
	r.get.nc, r.get.subject, r.get.probe = nc, jetstream.DefaultAPIPrefix+"DIRECT.GET."+stream, probe
	r.reads = make(chan struct{}, readsAtOnce)
}

// LastValues reads the last value of every subject that one of the filters covers, in any order,
// with one request for many filters. Any error means that nothing is known. It implements
// directory.Store.
func (b *Bus) LastValues(ctx context.Context, filters []string) (directory.Read, error) {
	return b.directory.values(ctx, filters)
}

// values is as Bus.LastValues, of any stream.
func (r *reader) values(ctx context.Context, filters []string) (directory.Read, error) {
	size := r.pages.size()
	if len(filters) <= size {
		return r.some(ctx, filters)
	}
	parts := slices.Collect(slices.Chunk(filters, size))
	reads := make([]directory.Read, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce / 2)
	for i, part := range parts {
		g.Go(func() (err error) {
			reads[i], err = r.some(ctx, part)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return directory.Read{}, err
	}
	return joined(reads...), nil
}

// joined is several reads as one: as old as the oldest.
func joined(reads ...directory.Read) directory.Read {
	n := 0
	for i := range reads {
		n += len(reads[i].Values)
	}
	all := directory.Read{Values: make([]directory.Value, 0, n), UpTo: reads[0].UpTo}
	for i := range reads {
		all.Values = append(all.Values, reads[i].Values...)
		all.UpTo = min(all.UpTo, reads[i].UpTo)
	}
	return all
}

// some reads with one request, or with more where the answer would be too large.
func (r *reader) some(ctx context.Context, filters []string) (directory.Read, error) {
	values, upTo, err := r.last(ctx, filters)
	switch {
	case errors.Is(err, errTooMany) && len(filters) > 1:
		r.pages.tooMany(len(filters))
		half := len(filters) / 2
		first, err := r.some(ctx, filters[:half])
		if err != nil {
			return directory.Read{}, err
		}
		second, err := r.some(ctx, filters[half:])
		if err != nil {
			return directory.Read{}, err
		}
		return joined(first, second), nil
	case errors.Is(err, errTooMany) && len(filters) == 1:
		// A single user with more records than one answer holds must not hold up everybody else.
		return r.paged(ctx, filters[0])
	case err != nil:
		return directory.Read{}, fmt.Errorf("read %s: %w", r.what, err)
	}
	if len(filters) > 0 {
		r.pages.read(len(filters), len(values))
	}
	return directory.Read{Values: values, UpTo: upTo}, nil
}

// last asks once, when there is room for one more request.
func (r *reader) last(ctx context.Context, filters []string) ([]directory.Value, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case r.reads <- struct{}{}:
		defer func() { <-r.reads }()
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	for tries := 3; ; tries-- {
		values, upTo, err := r.get.read(ctx, filters)
		// A record may have ended its life between being found and being read.
		if !errors.Is(err, errTorn) || tries == 1 {
			return values, upTo, err
		}
	}
}

// paged reads what one filter covers page by page: in a last-value stream every stored
// message is a last value. It is as new as the stream was before the first page, if the same
// server, or one that knows more, answers all of them.
func (r *reader) paged(ctx context.Context, filter string) (directory.Read, error) {
	const page = 1000
	_, upTo, err := r.last(ctx, nil)
	if err != nil {
		return directory.Read{}, fmt.Errorf("read %s: %w", r.what, err)
	}
	all := directory.Read{UpTo: upTo}
	for from := uint64(1); ; {
		entries, err := r.bus.Read(ctx, r.stream, filter, from, page)
		if err != nil {
			return directory.Read{}, err
		}
		for _, e := range entries {
			v := directory.Value{Subject: e.Subject, Data: e.Data, Revision: e.Sequence, Time: e.Time}
			if ttl := lifetime(lastHeader(e.Header, jetstream.MsgTTLHeader)); ttl > 0 {
				v.Expires = v.Time.Add(ttl)
			}
			all.Values = append(all.Values, v)
			from = e.Sequence + 1
		}
		if len(entries) < page {
			return all, nil
		}
	}
}

// LastSequence asks the leader of PUSH_DIRECTORY for its last sequence: what was acknowledged
// before the call is at or below it. It implements directory.Store.
func (b *Bus) LastSequence(ctx context.Context) (uint64, error) {
	return b.lastSequence(ctx, &b.directory)
}

func (b *Bus) lastSequence(ctx context.Context, of *reader) (uint64, error) {
	stream, err := b.js.Stream(ctx, of.stream)
	if err != nil {
		return 0, fmt.Errorf("ask for the last sequence of the %s: %w", of.what, err)
	}
	return stream.CachedInfo().State.LastSeq, nil
}

// PutIf writes a last-value subject, unless it changed since revision was read. Empty data removes
// the value and leaves a marker that goes away by itself after an hour. It implements
// directory.Store and owner.Store.
func (b *Bus) PutIf(ctx context.Context, subject string, data []byte, revision uint64) (changed bool, err error) {
	opts := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(revision)}
	if len(data) == 0 {
		opts = append(opts, jetstream.WithMsgTTL(time.Hour))
	}
	_, err = b.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, opts...)
	if isConflict(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("write %s: %w", subject, err)
	}
	return false, nil
}

// Put writes a last-value subject.
func (b *Bus) Put(ctx context.Context, subject string, data []byte) error {
	_, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data})
	if err != nil {
		return fmt.Errorf("write %s: %w", subject, err)
	}
	return nil
}
