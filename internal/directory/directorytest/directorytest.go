// Package directorytest is the directory's streams in memory, for tests in virtual time: last
// values that are written by compare-and-set, a feed of their changes, and the registrations as a
// queue that workers share. It promises what the real ones do and no more: a value that was
// replaced before it was handed out is never handed out, a registration that is not acked in time
// comes again, and a reader may be shown what a replica knew a while ago.
package directorytest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/erase"
)

// AckWait is how long a claim on a registration lasts.
const AckWait = time.Second

// ErrAway is what reads and writes fail with while they are told to.
var ErrAway = errors.New("the store is away")

// Store is the streams. New makes one.
type Store struct {
	subjects hongyan.Subjects

	mu       sync.Mutex
	records  stream // PUSH_DIRECTORY
	own      stream // all else
	changed  chan struct{}
	feeds    map[chan change]bool
	fault    func(operation string) error
	behind   func() uint64
	queue    []uint64           // sequences of registrations that were not handed out
	inFlight map[uint64]*flight // by sequence
}

type flight struct {
	until time.Time
	taken int
	claim int // which delivery may settle it
}

type change struct {
	subject  string
	sequence uint64
}

// stream is last values, and what they were before.
type stream struct {
	sequence uint64
	last     map[string]directory.Value
	log      []directory.Value
}

// New makes an empty store.
func New() *Store {
	return &Store{records: stream{last: map[string]directory.Value{}}, own: stream{last: map[string]directory.Value{}}, changed: make(chan struct{}),
		feeds: map[chan change]bool{}, inFlight: map[uint64]*flight{}}
}

// Fail asks f before each operation: "read", "write", "ack", and "lost" after a write that was
// made. An error fails it.
func (s *Store) Fail(f func(operation string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Behind makes batch reads lack so many of their stream's last changes as f says.
func (s *Store) Behind(f func() uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = f
}

// fails asks whether an operation fails. The lock is held.
func (s *Store) fails(operation string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(operation)
}

// of is the stream of a subject.
func (s *Store) of(subject string) *stream {
	if rest, ok := s.subjects.CutOwn(subject); ok && (strings.HasPrefix(rest, "user.") || strings.HasPrefix(rest, "gateway.")) {
		return &s.records
	}
	return &s.own
}

// Put writes a value, and returns its sequence.
func (s *Store) Put(subject, data string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(subject, []byte(data))
}

// put writes a value. The lock is held.
func (s *Store) put(subject string, data []byte) uint64 {
	st := s.of(subject)
	st.sequence++
	v := directory.Value{Subject: subject, Data: data, Revision: st.sequence, Time: time.Now()}
	st.last[subject] = v
	st.log = append(st.log, v)
	if st == &s.records {
		for feed := range s.feeds {
			feed <- change{subject, v.Revision}
		}
		if place, err := s.subjects.Parse(subject); err == nil && place.Kind == hongyan.KindDevice {
			s.queue = append(s.queue, v.Revision)
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return v.Revision
}

// Anew is the stream PUSH_DIRECTORY made anew: empty, with sequences from 1.
func (s *Store) Anew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.queue, s.inFlight = stream{last: map[string]directory.Value{}}, nil, map[uint64]*flight{}
}

// Value is what a subject holds, the zero value for nothing.
func (s *Store) Value(subject string) directory.Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(subject).last[subject]
}

// All are the values of subjects that begin with a prefix and hold something.
func (s *Store) All(prefix string) []directory.Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []directory.Value
	for subject, v := range s.of(prefix).last {
		if strings.HasPrefix(subject, prefix) && len(v.Data) > 0 {
			all = append(all, v)
		}
	}
	return all
}

// LastValues implements directory.Store.
func (s *Store) LastValues(_ context.Context, filters []string) (directory.Read, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails("read"); err != nil {
		return directory.Read{}, err
	}
	known, upTo := s.known(&s.records)
	r := directory.Read{UpTo: upTo}
	seen := map[string]bool{}
	for _, f := range filters {
		if !strings.ContainsAny(f, "*>") {
			if v, ok := known[f]; ok && !seen[f] {
				seen[f] = true
				r.Values = append(r.Values, v)
			}
			continue
		}
		for subject, v := range known {
			if covers(f, subject) && !seen[subject] {
				seen[subject] = true
				r.Values = append(r.Values, v)
			}
		}
	}
	return r, nil
}

// known is what a replica knows of a stream, and up to which sequence. The lock is held.
func (s *Store) known(st *stream) (values map[string]directory.Value, upTo uint64) {
	if s.behind == nil {
		return st.last, st.sequence
	}
	upTo = st.sequence - min(st.sequence, s.behind())
	values = map[string]directory.Value{}
	for _, v := range st.log[:upTo] {
		values[v.Subject] = v
	}
	return values, upTo
}

// LastSequence implements directory.Store.
func (s *Store) LastSequence(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.sequence, s.fails("read")
}

// PutIf implements directory.Store and owner.Store.
func (s *Store) PutIf(_ context.Context, subject string, data []byte, revision uint64) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails("write"); err != nil {
		return false, err
	}
	if s.of(subject).last[subject].Revision != revision {
		return true, nil
	}
	s.put(subject, data)
	if st := s.of(subject); len(data) == 0 {
		v := st.last[subject]
		v.Expires = v.Time.Add(time.Hour)
		st.last[subject] = v
	}
	return false, s.fails("lost")
}

// Owners implements owner.Store.
func (s *Store) Owners(_ context.Context, subjects []string) ([]directory.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails("read"); err != nil {
		return nil, err
	}
	known, _ := s.known(&s.own)
	var values []directory.Value
	for _, subject := range subjects {
		if v, ok := known[subject]; ok {
			values = append(values, v)
		}
	}
	return values, nil
}

// Values implements erase.Store: of the directory's stream, or of all others where it is another's
// name.
func (s *Store) Values(_ context.Context, place erase.Place, each func(directory.Value) bool) error {
	s.mu.Lock()
	if err := s.fails("read"); err != nil {
		s.mu.Unlock()
		return err
	}
	var values []directory.Value
	for subject, v := range s.named(place.Stream).last {
		if covers(place.Filter, subject) {
			values = append(values, v)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(values, func(a, b directory.Value) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, v := range values {
		if !each(v) {
			break
		}
	}
	return nil
}

// Erase implements erase.Store. Like the real one it tells nobody.
func (s *Store) Erase(_ context.Context, stream string, sequence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails("write"); err != nil {
		return err
	}
	last := s.named(stream).last
	for subject, v := range last {
		if v.Revision == sequence {
			delete(last, subject)
		}
	}
	return s.fails("lost")
}

func (s *Store) named(name string) *stream {
	if strings.HasSuffix(name, "_DIRECTORY") {
		return &s.records
	}
	return &s.own
}

// covers says whether a filter covers a subject.
func covers(filter, subject string) bool {
	f, s := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range f {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(f) == len(s)
}

// Follow implements directory.Feed.
func (s *Store) Follow(ctx context.Context, l directory.Listener) {
	feed := make(chan change, 1<<16)
	s.mu.Lock()
	s.feeds[feed] = true
	last := s.records.sequence
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.feeds, feed)
	}()
	l.Live(last)
	for {
		select {
		case c := <-feed:
			l.Changed(c.subject, c.sequence)
		case <-ctx.Done():
			return
		}
	}
}

// Registrations hands out the registrations. Several share them, as several workers do.
func (s *Store) Registrations(hold int) dispatch.Source { return &source{s, hold} }

type source struct {
	s    *Store
	hold int
}

// Want implements dispatch.Source.
func (o *source) Want(func() int) {}

// Hold implements dispatch.Source.
func (o *source) Hold() int { return o.hold }

// Waiting implements dispatch.Source.
func (o *source) Waiting() (n int, asOf time.Time) { return 0, time.Now() }

// Renew implements dispatch.Source; claims are never renewed.
func (o *source) Renew(ctx context.Context) { <-ctx.Done() }

// Run implements dispatch.Source.
func (o *source) Run(ctx context.Context, out chan<- dispatch.Delivery) {
	for ctx.Err() == nil {
		d, changed := o.s.next(time.Now())
		if d != nil {
			select {
			case out <- d:
			case <-ctx.Done():
				d.Forget()
			}
			continue
		}
		again := time.NewTimer(AckWait / 8)
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// next hands out the next registration, or says where to wait for one.
func (s *Store) next(now time.Time) (*delivery, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sequence, f := range s.inFlight {
		if now.Before(f.until) {
			continue
		}
		if d := s.take(sequence, f, now); d != nil {
			return d, nil
		}
		delete(s.inFlight, sequence)
	}
	for len(s.queue) > 0 {
		sequence := s.queue[0]
		s.queue = s.queue[1:]
		f := &flight{}
		if d := s.take(sequence, f, now); d != nil {
			s.inFlight[sequence] = f
			return d, nil
		}
	}
	return nil, s.changed
}

// take claims a registration; nil where it was replaced. The lock is held.
func (s *Store) take(sequence uint64, f *flight, now time.Time) *delivery {
	v := s.records.log[sequence-1]
	if s.records.last[v.Subject].Revision != sequence {
		return nil
	}
	f.until, f.taken, f.claim = now.Add(AckWait), f.taken+1, f.claim+1
	return &delivery{s: s, value: v, taken: f.taken, claim: f.claim}
}

// delivery implements dispatch.Delivery.
type delivery struct {
	s            *Store
	value        directory.Value
	taken, claim int
}

// Data implements dispatch.Delivery.
func (d *delivery) Data() []byte { return d.value.Data }

// Subject implements dispatch.Delivery.
func (d *delivery) Subject() string { return d.value.Subject }

// Header implements dispatch.Delivery; there is none.
func (d *delivery) Header(string) string { return "" }

// Meta implements dispatch.Delivery.
func (d *delivery) Meta() (sequence uint64, stored time.Time, deliveries int) {
	return d.value.Revision, d.value.Time, d.taken
}

// Ack implements dispatch.Delivery.
func (d *delivery) Ack() error {
	return d.settle(func(*flight) { delete(d.s.inFlight, d.value.Revision) })
}

// Nak implements dispatch.Delivery.
func (d *delivery) Nak(delay time.Duration) error {
	return d.settle(func(f *flight) { f.until = time.Now().Add(delay) })
}

// Forget implements dispatch.Delivery.
func (d *delivery) Forget() {}

// Keep implements dispatch.Delivery.
func (d *delivery) Keep() {}

func (d *delivery) settle(how func(*flight)) error {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if err := d.s.fails("ack"); err != nil {
		return err
	}
	if f := d.s.inFlight[d.value.Revision]; f != nil && f.claim == d.claim {
		how(f)
	}
	return nil
}
