// Package dispatchtest is a queue in memory that fails on request, so that what the pipeline does
// when NATS fails can be tested in virtual time (testing/synctest).
//
// A Queue promises what the real one does: what Publish returned nil for is stored, an id is stored
// once, a delivery that is not settled comes again after AckWait, a settled one does not. It fails
// only as it was told to. RunQueue holds both to the same promises.
package dispatchtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// AckWait is how long a claim lasts that is not renewed.
const AckWait = 60 * time.Second

// maxPayload is the most bytes that a message may have.
const maxPayload = 8 << 20

// Fault says how a stream fails; the zero value is health.
type Fault struct {
	// Refuse stores nothing and says so, with this error.
	Refuse error
	// LosePubAcks stores, and answers after Delay that nobody knows.
	LosePubAcks bool
	// LoseAcks makes what the receivers settle come again.
	LoseAcks bool
	// Delay is how long a publish takes.
	Delay time.Duration
}

// errTimeout is what a publish without an answer ends with.
var errTimeout = errors.New("no answer")

// Queue is streams in memory, named by what stands before the second dot of a subject after the
// prefix: "job.apns", "outcome", "dead", "later", "message".
type Queue struct {
	// MarkLag is how long it takes until followers hear of a mark. It is set before the first is.
	MarkLag time.Duration

	mu       sync.Mutex
	sequence uint64
	faults   map[string]Fault
	stored   map[string][]*Message
	open     map[string][]*Message // those of stored that are not done, and some that are
	ids      map[string]bool
	tries    map[string]int
	reads    int
	changed  chan struct{}

	markReads int
	deaf      bool
}

// Message is one that is stored.
type Message struct {
	dispatch.Outgoing
	Sequence uint64
	Stored   time.Time
	// Taken is how often it was delivered, Done whether it was acked.
	Taken int
	Done  bool

	notBefore time.Time
	claim     int // which delivery may renew and settle it
}

// New makes an empty queue.
func New() *Queue {
	return &Queue{faults: map[string]Fault{}, stored: map[string][]*Message{}, open: map[string][]*Message{}, ids: map[string]bool{}, tries: map[string]int{}, changed: make(chan struct{})}
}

// Fail makes a stream fail from now on.
func (q *Queue) Fail(stream string, f Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults[stream] = f
	q.tell()
}

// tell wakes those who wait for a change. The lock is held.
func (q *Queue) tell() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Stored are a stream's messages, done ones too, in order.
func (q *Queue) Stored(stream string) []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []Message
	for _, m := range q.stored[stream] {
		all = append(all, *m)
	}
	return all
}

// Tries is how many messages were offered to a stream.
func (q *Queue) Tries(stream string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tries[stream]
}

// Reads is how often the records were read.
func (q *Queue) Reads() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reads
}

// streamOf names the stream of a subject.
func streamOf(subject string) string {
	tokens := strings.Split(subject, ".")
	if tokens[1] == string(hongyan.KindJob) {
		return tokens[1] + "." + tokens[2]
	}
	return tokens[1]
}

// Publish implements dispatch.Queue.
func (q *Queue) Publish(ctx context.Context, msgs []dispatch.Outgoing) []error {
	errs := make([]error, len(msgs))
	failed := false
	for i, o := range msgs {
		errs[i] = q.publish(ctx, o)
		failed = failed || errs[i] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

func (q *Queue) publish(ctx context.Context, o dispatch.Outgoing) error {
	stream := streamOf(o.Subject)
	q.mu.Lock()
	f := q.faults[stream]
	q.tries[stream]++
	q.mu.Unlock()
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(o.Data) > maxPayload {
		return fmt.Errorf("publish on %s: %w", o.Subject, dispatch.ErrPermanent)
	}
	if f.Refuse != nil {
		return fmt.Errorf("publish on %s: %w", o.Subject, f.Refuse)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.store(stream, o)
	if f.LosePubAcks {
		return errTimeout
	}
	return nil
}

// store adds a message, unless its id is there. The lock is held.
func (q *Queue) store(stream string, o dispatch.Outgoing) {
	id := stream + " " + o.ID
	if o.ID != "" && q.ids[id] {
		return
	}
	q.ids[id] = true
	q.sequence++
	m := &Message{Outgoing: o, Sequence: q.sequence, Stored: time.Now()}
	q.stored[stream], q.open[stream] = append(q.stored[stream], m), append(q.open[stream], m)
	q.tell()
}

const (
	laterPrefix = "push.later.at."
	dueHeader   = "Due"
)

// Later implements dispatch.Queue.
func (q *Queue) Later(o dispatch.Outgoing, due time.Time) dispatch.Outgoing {
	header := map[string]string{dueHeader: due.UTC().Format(time.RFC3339Nano)}
	maps.Copy(header, o.Header)
	return dispatch.Outgoing{Subject: laterPrefix + o.Subject, ID: o.ID, Data: o.Data, Header: header}
}

// wake moves the jobs of a subject whose time has come to where they are handed out, and says when
// the next one's comes; zero for none. A job stream that refuses leaves them where they are. The
// lock is held.
func (q *Queue) wake(subject string, now time.Time) (next time.Time) {
	stream := streamOf(subject)
	if q.faults[stream].Refuse != nil {
		return time.Time{}
	}
	for _, m := range q.stored["later"] {
		if m.Done || m.Subject != laterPrefix+subject {
			continue
		}
		due, err := time.Parse(time.RFC3339Nano, m.Header[dueHeader])
		switch {
		case err != nil:
		case now.Before(due):
			if next.IsZero() || due.Before(next) {
				next = due
			}
		default:
			m.Done = true
			header := maps.Clone(m.Header)
			delete(header, dueHeader)
			q.store(stream, dispatch.Outgoing{Subject: subject, ID: m.ID, Data: m.Data, Header: header})
		}
	}
	return next
}

// Records implements store.Records.
func (q *Queue) Records(_ context.Context, app string, partition int, since time.Time, each func(dispatch.Record) bool) error {
	q.mu.Lock()
	q.reads++
	records := q.stored["outcome"]
	first, _ := slices.BinarySearchFunc(records, since, func(m *Message, since time.Time) int { return m.Stored.Compare(since) })
	records = slices.Clone(records[first:])
	q.mu.Unlock()
	begin, end := "push.outcome."+app+".", "."+strconv.Itoa(partition)
	for _, m := range records {
		if !strings.HasPrefix(m.Subject, begin) || !strings.HasSuffix(m.Subject, end) {
			continue
		}
		outcomes, err := hongyan.ParseOutcomes(m.Data)
		if err != nil {
			return err
		}
		jobs := strings.Fields(m.Header[dispatch.HeaderJob]) // one for each line
		for i, o := range outcomes {
			r := dispatch.Record{Outcome: o, Stored: m.Stored}
			if i < len(jobs) {
				r.Job = jobs[i]
			}
			if !each(r) {
				return nil
			}
		}
	}
	return nil
}

// Outcomes implements recall.Outcomes.
func (q *Queue) Outcomes(_ context.Context, app string, status hongyan.Status, since time.Time, each func(dispatch.Records) bool) error {
	q.mu.Lock()
	q.reads++
	q.mu.Unlock()
	for _, m := range q.Stored("outcome") {
		tokens := strings.Split(m.Subject, ".")
		if m.Stored.Before(since) || tokens[2] != app || tokens[3] != string(status) {
			continue
		}
		if !each(dispatch.Records{Data: m.Data, Shown: m.Header[dispatch.HeaderShown], Stored: m.Stored}) {
			return nil
		}
	}
	return nil
}

// Source hands out a stream's messages on one subject. Several sources of one subject share it, as
// several workers do.
func (q *Queue) Source(subject string, hold int) *Source {
	return &Source{q: q, stream: streamOf(subject), subject: subject, hold: hold, held: map[*delivery]bool{}}
}

// Connection is a worker's way to the queue, which can be cut: then nothing gets through any more,
// as when the worker's process is killed.
type Connection struct {
	*Queue
	cut atomic.Bool
}

// Connect makes a connection.
func (q *Queue) Connect() *Connection { return &Connection{Queue: q} }

// Cut cuts it for good.
func (c *Connection) Cut() { c.cut.Store(true) }

// Publish implements dispatch.Queue.
func (c *Connection) Publish(ctx context.Context, msgs []dispatch.Outgoing) []error {
	if !c.cut.Load() {
		return c.Queue.Publish(ctx, msgs)
	}
	errs := make([]error, len(msgs))
	for i := range errs {
		errs[i] = dispatch.ErrAway
	}
	return errs
}

// Records implements store.Records.
func (c *Connection) Records(ctx context.Context, app string, partition int, since time.Time, each func(dispatch.Record) bool) error {
	if c.cut.Load() {
		return dispatch.ErrAway
	}
	return c.Queue.Records(ctx, app, partition, since, each)
}

// Outcomes implements recall.Outcomes.
func (c *Connection) Outcomes(ctx context.Context, app string, status hongyan.Status, since time.Time, each func(dispatch.Records) bool) error {
	if c.cut.Load() {
		return dispatch.ErrAway
	}
	return c.Queue.Outcomes(ctx, app, status, since, each)
}

// Source is Queue.Source through the connection.
func (c *Connection) Source(subject string, hold int) *Source {
	s := c.Queue.Source(subject, hold)
	s.cut = &c.cut
	return s
}

// Source implements dispatch.Source.
type Source struct {
	q               *Queue
	stream, subject string
	hold            int
	held            map[*delivery]bool // the queue's lock guards it
	more            func() int         // nil for any number
	cut             *atomic.Bool       // nil for a way that is never cut
}

func (s *Source) gone() bool { return s.cut != nil && s.cut.Load() }

// Want implements dispatch.Source. What is of use is asked before each delivery.
func (s *Source) Want(more func() int) { s.more = more }

// Hold implements dispatch.Source.
func (s *Source) Hold() int { return s.hold }

// Waiting implements dispatch.Source.
func (s *Source) Waiting() (n int, asOf time.Time) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	for _, m := range s.q.stored[s.stream] {
		if m.Subject == s.subject && m.Taken == 0 {
			n++
		}
	}
	return n, time.Now()
}

// Run implements dispatch.Source.
func (s *Source) Run(ctx context.Context, out chan<- dispatch.Delivery) {
	for {
		if s.more != nil && s.more() <= 0 {
			if !pause(ctx, nil, 100*time.Millisecond) { // nobody says when there is a use for more
				return
			}
			continue
		}
		d, changed, wait := s.next()
		if d != nil {
			out <- d
			continue
		}
		if !pause(ctx, changed, wait) {
			return
		}
	}
}

// pause waits for a change, or for a time that is not zero. It returns false when ctx ends.
func pause(ctx context.Context, changed <-chan struct{}, wait time.Duration) bool {
	var over <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-over:
	}
	return ctx.Err() == nil
}

// next takes the next delivery, or says what changes when there may be one, and when there will be
// one at the earliest if nothing does, 0 for never.
func (s *Source) next() (d *delivery, changed <-chan struct{}, wait time.Duration) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	changed = s.q.changed
	atHand := 0
	for d := range s.held {
		if !d.kept {
			atHand++
		}
	}
	if atHand >= s.hold || s.gone() {
		return nil, changed, 0
	}
	now := time.Now()
	soon := func(at time.Time) {
		if left := at.Sub(now); wait == 0 || left < wait {
			wait = left
		}
	}
	if due := s.q.wake(s.subject, now); !due.IsZero() {
		soon(due)
	}
	for _, m := range s.q.left(s.stream) {
		if m.Subject != s.subject || m.Done {
			continue
		}
		if now.Before(m.notBefore) {
			soon(m.notBefore)
			continue
		}
		m.Taken++
		m.claim++
		m.notBefore = now.Add(AckWait)
		d := &delivery{source: s, m: m, claim: m.claim, taken: m.Taken}
		s.held[d] = true
		return d, nil, 0
	}
	return nil, changed, wait
}

// Renew implements dispatch.Source.
func (s *Source) Renew(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(AckWait / 3):
		}
		s.q.mu.Lock()
		for d := range s.held {
			if d.m.claim == d.claim && !s.gone() && !s.q.faults[s.stream].LoseAcks {
				d.m.notBefore = time.Now().Add(AckWait)
			}
		}
		s.q.mu.Unlock()
	}
}

type delivery struct {
	source *Source
	m      *Message
	claim  int
	taken  int
	kept   bool
}

func (d *delivery) Data() []byte             { return d.m.Data }
func (d *delivery) Subject() string          { return d.m.Subject }
func (d *delivery) Header(key string) string { return d.m.Header[key] }
func (d *delivery) Meta() (uint64, time.Time, int) {
	return d.m.Sequence, d.m.Stored, d.taken
}

func (d *delivery) Ack() error { d.end(func() { d.m.Done = true }); return nil }

func (d *delivery) Nak(delay time.Duration) error {
	d.end(func() { d.m.notBefore = time.Now().Add(delay) })
	return nil
}

func (d *delivery) Forget() { d.end(nil) }

func (d *delivery) Keep() {
	d.source.q.mu.Lock()
	defer d.source.q.mu.Unlock()
	d.kept = true
	d.source.q.tell()
}

// end ends the delivery; settle is what the stream hears of it, if it does.
func (d *delivery) end(settle func()) {
	q := d.source.q
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(d.source.held, d)
	if settle != nil && !d.source.gone() && !q.faults[d.source.stream].LoseAcks {
		settle()
	}
	q.tell()
}
