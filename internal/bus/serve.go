package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Serving handles what one consumer hands out, in a goroutine of its own. It must run the source,
// once, and return after Run has returned and everything is settled. Run returns when ctx ends or,
// for a consumer that was made on demand, when nothing came for a while. One that returns before
// is called again at the next look at the stream, if messages wait there.
//
// where says what is served: the app, or the vendor, certificate and lane. Names are missing where
// a stream holds messages on a subject that no valid name makes.
type Serving func(ctx context.Context, where hongyan.Subject, source dispatch.Source)

const (
	// lookEvery is how often a stream is looked at for messages that nobody here consumes,
	// lookOften the same for chat.
	lookEvery = 2 * time.Second
	lookOften = time.Second
	// lookTimeout bounds one look.
	lookTimeout = 5 * time.Second
	// idleClose is when a consumer ends for which no message is stored.
	idleClose = 30 * time.Second
)

// ServeMessages serves the chat of the apps, each with a consumer of its own that is always there,
// and on demand, within two seconds, that of apps which are not among them. apps is asked every
// second. hold is how many deliveries of each are at hand at most. It returns when ctx ended and
// all serving returned, or with an error at once where this bus serves them already.
func (b *Bus) ServeMessages(ctx context.Context, apps func() []string, hold int, serve Serving) error {
	s := b.topology.Subjects
	w := &watcher{bus: b, stream: b.topology.Messages(), filter: s.All(hongyan.KindMessage), every: lookOften, serve: serve,
		target: func(subject string) (hongyan.Subject, string) {
			where, err := s.Parse(subject)
			if err != nil {
				return hongyan.Subject{Kind: hongyan.KindMessage}, subject
			}
			return where, subject
		},
		consumer: func(where hongyan.Subject, filter string) *Consumer {
			return b.newNormal(b.topology.Messages(), hold, durable("chat-"+nameOf(where.App, filter), "messages of app "+where.App+" that wait to be planned", ackWait, slices.Contains(apps(), where.App), filter))
		},
		always: func() (subjects []string) {
			for _, app := range apps() {
				subjects = append(subjects, s.Message(app))
			}
			return subjects
		},
	}
	return w.run(ctx, hongyan.Subject{Kind: hongyan.KindMessage})
}

// ServePieces serves the pieces of large message events, with one consumer for each app in which
// some wait. hold is how many deliveries of each are at hand at most. It returns as ServeMessages.
func (b *Bus) ServePieces(ctx context.Context, hold int, serve Serving) error {
	s := b.topology.Subjects
	w := &watcher{bus: b, stream: b.topology.Pieces(), filter: s.All(hongyan.KindPiece), every: lookEvery, serve: serve,
		target: func(subject string) (hongyan.Subject, string) {
			where, err := s.Parse(subject)
			if err != nil { // no worker writes such a one, and the app's own consumer may cover it
				return hongyan.Subject{}, ""
			}
			where.Partition = 0
			return where, s.PiecesOf(where.App)
		},
		consumer: func(where hongyan.Subject, filter string) *Consumer {
			return b.newNormal(b.topology.Pieces(), hold, durable("pieces-"+nameOf(where.App, filter), "pieces of large messages of app "+where.App+" that wait to be planned", ackWait, false, filter))
		},
	}
	return w.run(ctx, hongyan.Subject{Kind: hongyan.KindPiece})
}

// ServeJobs serves the jobs of a vendor, with one consumer for each certificate and lane in which
// some wait, whether or not the configuration has the certificate. hold is how many deliveries of
// each are at hand at most. It returns as ServeMessages.
func (b *Bus) ServeJobs(ctx context.Context, vendor string, hold func(where hongyan.Subject) int, serve Serving) error {
	s := b.topology.Subjects
	b.serves(vendor)
	w := &watcher{bus: b, stream: b.topology.Jobs(vendor), filter: s.Job(vendor, "*", "*"), every: lookEvery, serve: serve,
		target: func(subject string) (hongyan.Subject, string) {
			where, err := s.Parse(subject)
			if err != nil {
				return hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor}, subject
			}
			return where, subject
		},
		consumer: func(where hongyan.Subject, filter string) *Consumer {
			if where.Certificate == "" {
				return b.newNormal(b.topology.Jobs(vendor), hold(where), durable(nameOf("", filter), "jobs whose subject names no certificate", ackWait, false, filter))
			}
			return b.jobs(where, hold(where))
		},
	}
	return w.run(ctx, hongyan.Subject{Kind: hongyan.KindJob, Vendor: vendor})
}

// nameOf is a part of a durable consumer's name: the name that the subject holds, or where that is
// none, one that is made of the subject and cannot be another's.
func nameOf(name, subject string) string {
	if name != "" {
		return name
	}
	return "=" + token(subject)
}

// Hint says that something was stored on a subject that is served on demand, so that its consumer
// is opened at once. It costs little, and does not block.
func (b *Bus) Hint(where hongyan.Subject) {
	if w := b.watchers.of(where); w != nil {
		w.hint(b.topology.Subjects.Build(where))
	}
}

// watchers are those that run, by kind and vendor.
type watchers struct {
	mu  sync.RWMutex
	all map[hongyan.Subject]*watcher
}

func (w *watchers) of(where hongyan.Subject) *watcher {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.all[hongyan.Subject{Kind: where.Kind, Vendor: where.Vendor}]
}

func (w *watchers) add(place hongyan.Subject, one *watcher) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[place] != nil {
		return fmt.Errorf("stream %s is served already", one.stream)
	}
	if w.all == nil {
		w.all = map[hongyan.Subject]*watcher{}
	}
	w.all[place] = one
	return nil
}

func (w *watchers) remove(place hongyan.Subject) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, place)
}

// watcher opens a consumer for each subject of a stream on which messages wait, and closes those on
// whose subject none is stored any more. It asks the server once for all of them, so that a subject
// without messages costs nothing.
type watcher struct {
	bus            *Bus
	stream, filter string
	every          time.Duration
	always         func() []string // subjects that are served whatever they hold; nil for none
	// target says what is served together with a subject, and with which filter; none where nobody
	// is to serve it.
	target   func(subject string) (where hongyan.Subject, filter string)
	consumer func(where hongyan.Subject, filter string) *Consumer
	serve    Serving

	pulse   *pulse
	handle  jetstream.Stream
	serving sync.WaitGroup

	mu     sync.Mutex
	open   map[string]*served         // by filter
	hints  map[string]hongyan.Subject // by filter
	hinted chan struct{}
}

// served is a consumer that is open.
type served struct {
	consumer *Consumer
	since    time.Time
	always   bool
	closing  bool
}

func (w *watcher) run(ctx context.Context, place hongyan.Subject) error {
	w.pulse = &pulse{name: "stream " + w.stream, bus: w.bus}
	w.open, w.hints, w.hinted = map[string]*served{}, map[string]hongyan.Subject{}, make(chan struct{}, 1)
	if err := w.bus.watchers.add(place, w); err != nil {
		return err
	}
	defer w.bus.watchers.remove(place)
	for ctx.Err() == nil {
		w.keep(ctx)
		if err := w.look(ctx); err == nil {
			w.pulse.beat()
		} else if ctx.Err() == nil {
			w.pulse.fail(err)
		}
		w.wait(ctx)
	}
	w.serving.Wait()
	w.pulse.stop()
	return nil
}

// keep serves what is served whatever it holds.
func (w *watcher) keep(ctx context.Context) {
	if w.always == nil {
		return
	}
	kept := map[string]bool{}
	for _, subject := range w.always() {
		where, filter := w.target(subject)
		kept[filter] = true
		w.start(ctx, where, filter)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for filter, s := range w.open {
		s.always = kept[filter]
	}
}

// wait follows hints until it is time to look again.
func (w *watcher) wait(ctx context.Context) {
	timer := time.NewTimer(w.every)
	defer timer.Stop()
	for {
		select {
		case <-w.hinted:
			w.follow(ctx)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) hint(subject string) {
	where, filter := w.target(subject)
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.open[filter]; s != nil && !s.closing {
		return
	}
	w.hints[filter] = where
	w.wake()
}

func (w *watcher) wake() {
	select {
	case w.hinted <- struct{}{}:
	default:
	}
}

// follow opens consumers where a hint says so. One that is closing at the moment is opened again
// when it has ended.
func (w *watcher) follow(ctx context.Context) {
	w.mu.Lock()
	now := map[string]hongyan.Subject{}
	for filter, where := range w.hints {
		if w.open[filter] == nil {
			delete(w.hints, filter)
			now[filter] = where
		}
	}
	w.mu.Unlock()
	for filter, where := range now {
		w.start(ctx, where, filter)
	}
}

// look opens and closes consumers by what is stored.
func (w *watcher) look(ctx context.Context) error {
	stored, err := w.stored(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err = w.bus.restore(ctx); err == nil {
			stored, err = w.stored(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("look at the stream: %w", err)
	}
	there := map[string]hongyan.Subject{}
	for subject, n := range stored {
		if where, filter := w.target(subject); n > 0 && filter != "" {
			there[filter] = where
		}
	}
	for filter, where := range there {
		w.start(ctx, where, filter)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for filter, s := range w.open {
		if _, ok := there[filter]; !ok && !s.always && !s.closing && s.consumer.idle(s.since, now) >= w.bus.idleClose {
			s.closing = true
			s.consumer.close()
		}
	}
	return nil
}

// stored are the numbers of messages by subject; the library asks for as many pages as there are.
func (w *watcher) stored(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if w.handle == nil {
		var err error
		if w.handle, err = w.bus.js.Stream(ctx, w.stream); err != nil {
			w.handle = nil
			return nil, err
		}
	}
	info, err := w.handle.Info(ctx, jetstream.WithSubjectFilter(w.filter))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// start serves what is not served yet.
func (w *watcher) start(ctx context.Context, where hongyan.Subject, filter string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[filter] != nil {
		return
	}
	s := &served{consumer: w.consumer(where, filter), since: time.Now()}
	w.open[filter] = s
	w.serving.Go(func() {
		w.serve(ctx, where, s.consumer)
		s.consumer.close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, filter)
		w.wake()
	})
}
