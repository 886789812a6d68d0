package marks

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/instrument"
)

// Run hears of each new mark as feed tells it, until ctx ends.
func (m *Marks) Run(ctx context.Context, feed Feed) {
	l := &listener{m: m, ctx: ctx}
	feed.FollowMarks(ctx, l)
	l.quiet()
}

// listener is Marks as the feed sees it.
type listener struct {
	m       *Marks
	ctx     context.Context
	stop    context.CancelFunc // ends the read of what was stored before
	reading sync.WaitGroup
}

// readBefore bounds the read of what was stored in the ten minutes before.
const readBefore = time.Minute

// Live begins to know all. What was stored in the ten minutes before is read meanwhile.
func (l *listener) Live(sequence uint64, stored time.Time) {
	m := l.m
	m.heard.Store(sequence)
	forgot := m.memory.begin(stored)
	var ctx context.Context
	ctx, l.stop = context.WithTimeout(l.ctx, readBefore)
	l.reading.Go(func() {
		since := stored.Add(-keep)
		err := m.store.MarksSince(ctx, since, func(v Value) bool {
			if x := m.parse(v); x != nil {
				m.memory.learn(x, v.Stored)
			}
			return ctx.Err() == nil
		})
		switch {
		case ctx.Err() == nil && err == nil:
			m.memory.extend(since, forgot)
		case l.ctx.Err() == nil:
			m.opts.Log.Warn("marks of the last ten minutes cannot be read, messages of that time are compared with the stream", "error", errors.Join(err, context.Cause(ctx)))
		}
	})
}

// Heard takes a mark into account.
func (l *listener) Heard(v Value) {
	m := l.m
	if v.Subject != "" {
		if x := m.parse(v); x != nil {
			m.memory.learn(x, v.Stored)
			if x.What == Read && m.opts.Read != nil {
				m.opts.Read(x)
			}
		}
	}
	m.heard.Store(max(v.Sequence, m.heard.Load()))
	m.met(v.Subject)
}

// Lost ends the time in which all is known. What was heard stays true.
func (l *listener) Lost(err error) {
	m := l.m
	l.quiet()
	if m.say(&m.said) {
		m.opts.Log.Warn("marks may have been missed: messages are compared with the stream until each is heard of again", "error", err)
	}
}

func (l *listener) quiet() {
	l.m.heard.Store(0)
	l.m.memory.stop()
	if l.stop != nil {
		l.stop()
		l.reading.Wait()
	}
	l.m.met("")
}

// Learn takes a mark into account that this worker stored itself, before it is heard of.
func (m *Marks) Learn(x *Mark) { m.memory.learn(x, m.opts.Now()) }

// Changes grows with each mark that says something new.
func (m *Marks) Changes() uint64 { return m.memory.changes.Load() }

// Recalled says whether a message was recalled, as far as the memory knows.
func (m *Marks) Recalled(app, message string) bool {
	m.memory.mu.RLock()
	defer m.memory.mu.RUnlock()
	return m.memory.recalled(app, message)
}

// Suppressed says why a target of a job is not pushed to, by what was heard; empty where nothing
// speaks against it. It costs no read.
func (m *Marks) Suppressed(job *dispatch.Job, t *dispatch.Target) hongyan.Reason {
	n, sent := job.Notification, job.Sent()
	m.memory.mu.RLock()
	defer m.memory.mu.RUnlock()
	switch {
	case m.memory.recalled(job.App, n.MessageID):
		return hongyan.Recalled
	case m.memory.hasRead(job.App, t.User, n.Conversation, sent):
		return hongyan.Read
	case n.Call != nil && n.Call.Action == hongyan.CallInvite && m.memory.over(job.App, n.Call.ID, t.User):
		return hongyan.CallOver
	}
	return ""
}

// Known says whether marks of signals say no more than what is remembered already. Where the memory
// cannot know whether a read mark is later than the stored one, it reads; the error is that of the
// read.
func (m *Marks) Known(ctx context.Context, all []*Mark) ([]bool, error) {
	known := make([]bool, len(all))
	subjects := map[string][]int{}
	var filters []string
	m.memory.mu.RLock()
	for i, x := range all {
		if x.What == Recall {
			known[i] = m.memory.recalled(x.App, x.Message)
			continue
		}
		at, ok := m.memory.find(m.memory.key(readUpTo, x.App, x.User, x.Conversation))
		known[i] = ok && at >= x.At.UnixNano()
		if !known[i] && !m.memory.complete(x.At) { // a later one was stored since
			s := m.subjects.ReadMark(x.App, x.User, x.Conversation)
			if subjects[s] == nil {
				filters = append(filters, s)
			}
			subjects[s] = append(subjects[s], i)
		}
	}
	m.memory.mu.RUnlock()
	if len(filters) == 0 {
		return known, nil
	}
	values, err := m.readUntil(ctx, filters, m.heard.Load())
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if x := m.parse(v); x != nil {
			for _, i := range subjects[v.Subject] {
				known[i] = !x.At.Before(all[i].At)
			}
		}
	}
	return known, nil
}

// Later is the latest read mark heard of for the user and conversation of one, where it is later
// than that one; else nil. Its Unread is not known.
func (m *Marks) Later(x *Mark) *Mark {
	m.memory.mu.RLock()
	defer m.memory.mu.RUnlock()
	at, ok := m.memory.find(m.memory.key(readUpTo, x.App, x.User, x.Conversation))
	if !ok || at <= x.At.UnixNano() {
		return nil
	}
	later := *x
	later.At, later.Unread = time.Unix(0, at).UTC(), nil
	return &later
}

// Expectation waits for marks to be heard of.
type Expectation struct {
	m        *Marks
	subjects map[string]bool
	done     chan struct{}
}

// Expect waits from now on for marks on subjects to be heard of: once they are, so is all that was
// stored before them.
func (m *Marks) Expect(subjects ...string) *Expectation {
	e := &Expectation{m: m, subjects: map[string]bool{}, done: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range subjects {
		e.subjects[s] = true
		m.expected[s] = e
	}
	return e
}

// Wait waits until the marks were heard of, for some time at most. It must be called once.
func (e *Expectation) Wait(ctx context.Context, most time.Duration) {
	defer e.forget()
	if e.m.heard.Load() == 0 {
		return // nobody hears
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-e.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

func (e *Expectation) forget() {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	for s := range e.subjects {
		if e.m.expected[s] == e {
			delete(e.m.expected, s)
		}
	}
}

// met ends the wait for a mark, or all waits for an empty subject.
func (m *Marks) met(subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if subject == "" {
		for _, e := range m.expected {
			e.end()
		}
		return
	}
	if e := m.expected[subject]; e != nil {
		delete(e.subjects, subject)
		delete(m.expected, subject)
		if len(e.subjects) == 0 {
			e.end()
		}
	}
}

// end ends the wait. The lock is held.
func (e *Expectation) end() {
	select {
	case <-e.done:
	default:
		close(e.done)
	}
}

// Measure makes the instruments of the marks.
func (m *Marks) Measure(meter metric.Meter) error {
	asked, err := instrument.MarksAsked.Int64ObservableCounter(meter)
	held, err2 := instrument.MarksRemembered.Int64ObservableGauge(meter)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	memory, read := metric.WithAttributeSet(attribute.NewSet(attribute.String("result", "memory"))), metric.WithAttributeSet(attribute.NewSet(attribute.String("result", "read")))
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		n := m.read.Load()
		o.ObserveInt64(asked, m.asked.Load()-n, memory)
		o.ObserveInt64(asked, n, read)
		o.ObserveInt64(held, int64(m.memory.size()))
		return nil
	}, asked, held)
	return err
}
