// Package dispatchtest is a queue in memory that fails on request, so that what the pipeline does
// when NATS fails can be tested in virtual time (testing/synctest).
//
// A Queue promises what the real one does: what Publish returned nil for is stored, an id is stored
// once, a delivery that is not settled comes again after AckWait, a settled one does not. It fails
// only as it was told to.
package dispatchtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// AckWait is how long a claim lasts that is not renewed.
const AckWait = 60 * time.Second

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
	mu       sync.Mutex
	sequence uint64
	faults   map[string]Fault
	stored   map[string][]*Message
	ids      map[string]bool
	tries    map[string]int
	reads    int
	changed  chan struct{}
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
	return &Queue{faults: map[string]Fault{}, stored: map[string][]*Message{}, ids: map[string]bool{}, tries: map[string]int{}, changed: make(chan struct{})}
}

// Fail makes a stream fail from now on.
func (q *Queue) Fail(stream string, f Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults[stream] = f
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
	if f.Refuse != nil {
		return fmt.Errorf("publish on %s: %w", o.Subject, f.Refuse)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if id := stream + " " + o.ID; o.ID == "" || !q.ids[id] {
		q.ids[id] = true
		q.sequence++
		q.stored[stream] = append(q.stored[stream], &Message{Outgoing: o, Sequence: q.sequence, Stored: time.Now()})
		close(q.changed)
		q.changed = make(chan struct{})
	}
	if f.LosePubAcks {
		return errTimeout
	}
	return nil
}

// Later implements dispatch.Queue. What is stored for later stays where it is.
func (q *Queue) Later(o dispatch.Outgoing, due time.Time) dispatch.Outgoing {
	header := map[string]string{"Due": due.UTC().Format(time.RFC3339Nano)}
	for k, v := range o.Header {
		header[k] = v
	}
	return dispatch.Outgoing{Subject: "push.later.at." + o.Subject, ID: o.ID, Data: o.Data, Header: header}
}

// Records implements store.Records.
func (q *Queue) Records(_ context.Context, app string, partition int, since time.Time, each func(dispatch.Record) bool) error {
	q.mu.Lock()
	q.reads++
	q.mu.Unlock()
	for _, m := range q.Stored("outcome") {
		tokens := strings.Split(m.Subject, ".")
		if m.Stored.Before(since) || tokens[2] != app || tokens[4] != strconv.Itoa(partition) {
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

// Source hands out a stream's messages on one subject. Several sources of one subject share it, as
// several workers do.
func (q *Queue) Source(subject string, hold int) *Source {
	return &Source{q: q, stream: streamOf(subject), subject: subject, hold: hold, held: map[*delivery]bool{}}
}

// Source implements dispatch.Source.
type Source struct {
	q               *Queue
	stream, subject string
	hold            int
	held            map[*delivery]bool // the queue's lock guards it
	more            func() int         // nil for any number
}

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
		var d *delivery
		changed := s.q.news()
		if s.more == nil || s.more() > 0 {
			d, changed = s.next()
		}
		if d != nil {
			out <- d
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// news is closed when something changes.
func (q *Queue) news() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.changed
}

func (s *Source) next() (*delivery, <-chan struct{}) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	atHand := 0
	for d := range s.held {
		if !d.kept {
			atHand++
		}
	}
	if atHand >= s.hold {
		return nil, s.q.changed
	}
	now := time.Now()
	for _, m := range s.q.stored[s.stream] {
		if m.Subject != s.subject || m.Done || now.Before(m.notBefore) {
			continue
		}
		m.Taken++
		m.claim++
		m.notBefore = now.Add(AckWait)
		d := &delivery{source: s, m: m, claim: m.claim, taken: m.Taken}
		s.held[d] = true
		return d, nil
	}
	return nil, s.q.changed
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
			if d.m.claim == d.claim && !s.q.faults[s.stream].LoseAcks {
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
}

// end ends the delivery; settle is what the stream hears of it, if it does.
func (d *delivery) end(settle func()) {
	q := d.source.q
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(d.source.held, d)
	if settle != nil && !q.faults[d.source.stream].LoseAcks {
		settle()
	}
	close(q.changed)
	q.changed = make(chan struct{})
}
