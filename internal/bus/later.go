package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/sleep"
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
		dispatch.HeaderJob:     o.ID,
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

// tokenLen is the length of what token writes.
const tokenLen = 16

// token writes an id as a short subject token.
func token(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return fmt.Sprintf("%0*x", tokenLen, h.Sum64())
}

// laterRoom keeps PUSH_LATER bounded for each certificate, which the server cannot: a stream with
// schedules has no way to refuse.
type laterRoom struct {
	mu    sync.Mutex
	total laterCount
	of    map[string]*laterCount // by certificate
}

type laterCount struct {
	n    uint64
	next time.Time // when it is read anew
}

// A count holds for a second, and up to half a minute where reading it takes long: the server walks
// through all that it counts, a second for some two million. What this process adds meanwhile is
// counted with it.
const (
	countAge    = time.Second
	countAgeMax = 30 * time.Second
)

// refresh reads the count anew where it is too old. One that cannot be read stays as it was: the
// publish itself will say what is wrong.
func (c *laterCount) refresh(read func() (uint64, error)) uint64 {
	if begun := time.Now(); !begun.Before(c.next) {
		if n, err := read(); err == nil {
			c.n = n
		}
		took := time.Since(begun)
		c.next = begun.Add(took + min(max(countAge, 20*took), countAgeMax))
	}
	return c.n
}

// takeLater takes a place in PUSH_LATER for a message that goes there; others need none. It fails
// with dispatch.ErrFull where the certificate has none left.
func (b *Bus) takeLater(ctx context.Context, subject string) error {
	at, _ := b.topology.later()
	if !strings.HasPrefix(subject, at.Root()+".") {
		return nil
	}
	job, err := at.Parse(subject[:max(0, len(subject)-1-tokenLen)])
	if err != nil {
		return nil // the server says what is wrong with it
	}
	limit := uint64(cmp.Or(b.topology.MaxLater, laterPerCertificate))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r := &b.laterRoom
	r.mu.Lock()
	defer r.mu.Unlock()
	total := r.total.refresh(func() (uint64, error) {
		s, err := b.js.Stream(ctx, b.topology.Later())
		if err != nil {
			return 0, err
		}
		return s.CachedInfo().State.Msgs, nil
	})
	r.total.n++
	if total < limit { // then no certificate alone has as many
		clear(r.of)
		return nil
	}
	if r.of == nil {
		r.of = map[string]*laterCount{}
	}
	count := r.of[job.Certificate]
	if count == nil {
		count = &laterCount{}
		r.of[job.Certificate] = count
	}
	n := count.refresh(func() (uint64, error) {
		return b.countLater(ctx, job.Vendor, job.Certificate)
	})
	if n >= limit {
		return fmt.Errorf("%d jobs of certificate %s wait in %s already: %w", n, job.Certificate, b.topology.Later(), dispatch.ErrFull)
	}
	count.n++
	return nil
}

// countLater counts a certificate's jobs in PUSH_LATER.
func (b *Bus) countLater(ctx context.Context, vendor, certificate string) (uint64, error) {
	either := hongyan.Subjects{Prefix: b.topology.Subjects.Own("later.*")}
	return b.count(ctx, b.topology.Later(), strings.TrimSuffix(either.Job(vendor, certificate, "*"), "*")+">")
}

// count counts the messages of a stream that a filter covers. Asking for one message also tells how
// many follow it; a list of them by subject would be two million long.
func (b *Bus) count(ctx context.Context, stream, filter string) (uint64, error) {
	request := fmt.Sprintf(`{"seq":1,"batch":1,"next_by_subj":%q}`, filter)
	m, err := b.nc.RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"DIRECT.GET."+stream, []byte(request))
	if err != nil {
		return 0, fmt.Errorf("count what is stored in %s: %w", stream, err)
	}
	if m.Header.Get("Status") == "404" {
		return 0, nil
	}
	more, err := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("count what is stored in %s: the server answers without a number: %w", stream, err)
	}
	return more + 1, nil
}

const (
	// wakeTick is how often it is asked for which certificates jobs are due.
	wakeTick = time.Second
	// wakeWays is how many certificates and lanes of one vendor are moved at a time. Each vendor
	// has its own, so that a job stream that does not answer holds up no other.
	wakeWays = 2
	// wakePage is how many jobs are moved in one round, wakeBytes how large all of them are, or as
	// large as one can be where that is more.
	wakePage  = 2048
	wakeBytes = 1 << 20
	// Where less is due than wakeSteps such rounds, it is moved in wakeSteps smaller ones, not
	// below leastPage, that come wakeStep after each other: what is due in one second in most of
	// the next, and not at once.
	leastPage = 64
	wakeStep  = wakeTick / 16
	wakeSteps = 12
	// wakeIdle is when the server forgets the consumer of a certificate and lane for which nothing
	// has been due.
	wakeIdle = 5 * time.Minute
	// wakeStore bounds one round's publish. It ends well before the claims do (ackWait), so that
	// these need no renewal.
	wakeStore = 25 * time.Second
)

// waker moves jobs whose time has come.
type waker struct {
	bus   *Bus
	due   hongyan.Subjects
	later jetstream.Stream // nil until it was asked for first

	mu      sync.Mutex
	moving  map[string]bool          // by subject
	waits   map[string]*wakeWait     // by subject
	vendors map[string]chan struct{} // the ways of each vendor
}

// wakeWait is a subject whose jobs were refused.
type wakeWait struct {
	until time.Time
	delay time.Duration
}

// Wake moves the jobs whose time has come from PUSH_LATER to the job streams, until ctx ends: those
// of every certificate, also of one that no worker serves any more. All workers may do it at once
// and share the work. Where a job stream refuses a certificate's jobs, they alone wait.
//
// A job is taken away only after it is stored. What a worker that dies had in hand comes again, and
// is stored under the same id.
func (b *Bus) Wake(ctx context.Context) {
	_, due := b.topology.later()
	w := &waker{bus: b, due: due, moving: map[string]bool{}, waits: map[string]*wakeWait{}, vendors: map[string]chan struct{}{}}
	var movers sync.WaitGroup
	defer movers.Wait()
	for said := false; ; {
		subjects, err := w.subjects(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !said:
			b.log.Warn("cannot ask which waiting jobs are due, trying again", "error", err)
			said = true
		case err == nil && said:
			b.log.Info("jobs that are due are asked for again")
			said = false
		}
		for subject, due := range subjects {
			if place, ways, ok := w.begin(subject); ok {
				movers.Go(func() {
					defer w.end(subject)
					w.run(ctx, subject, due, place, ways)
				})
			}
		}
		if !sleep.For(ctx, wakeTick) {
			return
		}
	}
}

// subjects are the subjects on which jobs are due, with how many.
func (w *waker) subjects(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	name := w.bus.topology.Later()
	if w.later == nil {
		var err error
		if w.later, err = w.bus.js.Stream(ctx, name); err != nil {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
	}
	info, err := w.later.Info(ctx, jetstream.WithSubjectFilter(w.due.Own(">")))
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	return info.State.Subjects, nil
}

// begin says whether a subject's jobs are to be moved now, and by which ways.
func (w *waker) begin(subject string) (place hongyan.Subject, ways chan struct{}, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wait := w.waits[subject]; w.moving[subject] || wait != nil && time.Now().Before(wait.until) {
		return place, nil, false
	}
	place, err := w.due.Parse(subject)
	if err != nil || place.Kind != hongyan.KindJob {
		w.bus.log.Error("a job that waited has a subject that is none", "subject", subject, "error", err)
		w.waits[subject] = &wakeWait{until: time.Now().Add(time.Hour)}
		return place, nil, false
	}
	if ways = w.vendors[place.Vendor]; ways == nil {
		ways = make(chan struct{}, wakeWays)
		w.vendors[place.Vendor] = ways
	}
	w.moving[subject] = true
	return place, ways, true
}

func (w *waker) end(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.moving, subject)
}

// wait makes a subject wait after its jobs were refused, longer each time. first says that it did
// not wait before.
func (w *waker) wait(subject string) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := w.waits[subject]
	if first = wait == nil; first {
		wait = &wakeWait{delay: time.Second / 2}
		w.waits[subject] = wait
	}
	wait.delay = min(2*wait.delay, 30*time.Second)
	wait.until = time.Now().Add(wait.delay)
	return first
}

// moved ends a subject's wait.
func (w *waker) moved(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waits, subject)
}

// refused says whether the jobs of a subject were refused last.
func (w *waker) refused(subject string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waits[subject] != nil
}

// run moves what is due on a subject, until so much is moved, nothing is due any more, or it is
// refused.
func (w *waker) run(ctx context.Context, subject string, due uint64, place hongyan.Subject, ways chan struct{}) {
	select {
	case ways <- struct{}{}:
		defer func() { <-ways }()
	case <-ctx.Done():
		return
	}
	n, refused := pageOf(due), w.refused(subject)
	for all, began := 0, time.Now(); ; {
		page := n
		if refused {
			page = 1 // try whether there is room before more are taken in vain
		}
		moved, err := w.page(ctx, subject, place, page)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if w.wait(subject) {
				w.bus.log.Warn("jobs that are due cannot be moved, trying again", "vendor", place.Vendor, "certificate", place.Certificate, "lane", place.Lane, "error", err)
			}
			return
		case refused && moved > 0:
			refused = false
			continue
		}
		w.moved(subject)
		all += moved
		if moved == 0 || n < wakePage && uint64(all) >= due {
			return
		}
		if !sleep.For(ctx, time.Until(began.Add(paceOf(all, n)))) {
			return
		}
	}
}

// pageOf is how many jobs are moved in one round where so many are due.
func pageOf(due uint64) int {
	return int(min(max((due+wakeSteps-1)/wakeSteps, leastPage), wakePage))
}

// paceOf is how long after the first round the next one comes, when so many jobs are moved, and n
// at a time: a round of few large jobs takes as much less.
func paceOf(moved, n int) time.Duration {
	if n == wakePage {
		return 0
	}
	return time.Duration(moved) * wakeStep / time.Duration(n)
}

// page moves up to n jobs that are due on a subject. It returns how many it had in hand, and an
// error if one of them was not moved.
func (w *waker) page(ctx context.Context, subject string, place hongyan.Subject, n int) (int, error) {
	b := w.bus
	consumer, stream := strings.Join([]string{"due", place.Vendor, place.Certificate, place.Lane}, "-"), b.topology.Later()
	msgs, err := b.pullNow(ctx, stream, consumer, n, max(wakeBytes, int(b.nc.MaxPayload())+pullOverhead))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = b.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
			Durable: consumer, Description: "Hongyan: jobs of certificate " + place.Certificate + " whose time has come", FilterSubject: subject,
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 100_000, InactiveThreshold: wakeIdle,
		})
		if err == nil || errors.Is(err, jetstream.ErrConsumerExists) {
			msgs, err = b.pullNow(ctx, stream, consumer, n, max(wakeBytes, int(b.nc.MaxPayload())+pullOverhead))
		}
	}
	if isCode(err, 10099, 10100) { // a work queue gives each message to one consumer
		return 0, fmt.Errorf("stream %s has a consumer of an older version: remove it with `nats consumer rm %s %s`: %w", stream, stream, place.Vendor, err)
	}
	if err != nil {
		return 0, fmt.Errorf("consumer %s of stream %s: %w", consumer, stream, err)
	}
	jobs := make([]dispatch.Outgoing, len(msgs))
	for i, m := range msgs {
		jobs[i] = awake(b.topology.Subjects.Build(place), m)
	}
	storing, cancel := context.WithTimeout(ctx, wakeStore)
	errs := b.Publish(storing, jobs)
	cancel()
	var failed error
	for i, m := range msgs {
		answer := ack
		if errs != nil && errs[i] != nil {
			if answer = nak; errors.Is(errs[i], dispatch.ErrPermanent) {
				b.log.Error("a job that is due cannot be stored among the jobs", "subject", jobs[i].Subject, "id", jobs[i].ID, "error", errs[i])
				answer = nakLong // it must not stand in the others' way
			} else if failed == nil {
				failed = errs[i]
			}
		}
		// A lost answer brings the job again, which is stored under the same id.
		_ = b.nc.Publish(m.Reply, []byte(answer))
	}
	if errors.Is(failed, jetstream.ErrNoStreamResponse) {
		failed = errors.Join(failed, b.Ensure(ctx, []string{place.Vendor}))
	}
	return len(msgs), failed
}

// awake is a job whose time has come, as it goes among the jobs: with the headers that it was
// stored with, less those of its way here.
func awake(subject string, m *nats.Msg) dispatch.Outgoing {
	// Under its own id a job that did reach its stream, when nobody knew, is not stored again.
	job := dispatch.Outgoing{Subject: subject, ID: m.Header.Get(dispatch.HeaderJob), Data: m.Data}
	for k, v := range m.Header {
		if k != dispatch.HeaderJob && !strings.HasPrefix(k, "Nats-") && len(v) > 0 {
			if job.Header == nil {
				job.Header = map[string]string{}
			}
			job.Header[k] = v[0]
		}
	}
	return job
}
