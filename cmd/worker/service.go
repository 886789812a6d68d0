package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/accepted"
	"github.com/hongyan-im/hongyan/internal/badge"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/recall"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/explain/page"
	"github.com/hongyan-im/hongyan/internal/marks"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/owner"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/telemetry"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// kinds are the vendors that a configuration may name.
var kinds = config.Kinds(registry.Kinds())

// service is a running worker.
type service struct {
	// conf is the configuration that the worker began with; what is in force now is loaded.
	conf   *config.Config
	loaded atomic.Pointer[loaded]
	log    *slog.Logger
	tel    *telemetry.Telemetry
	health *health
	// explain is nil where the configuration opens no page.
	explain *page.Page
	// embedded is nil when an outside server is used.
	embedded  *natsd.Server
	bus       *bus.Bus
	readings  *readings
	condition *condition
	// triggers say when the configuration is loaded anew; nil for never.
	triggers *triggers
	// orphanAfter is how long jobs of certificates that no worker serves wait; 0 for the usual
	// time.
	orphanAfter time.Duration
	turns       *turns.Turns
	// ready, if it is set, is called once the service consumes.
	ready func(s *service)
}

// serve runs a worker until ctx ends, then lets it finish what is under way. It returns nil after a
// clean stop.
func serve(ctx context.Context, conf *config.Config, log *slog.Logger, ready func(*service)) error {
	return (&service{conf: conf, log: log, ready: ready}).serve(ctx)
}

func (s *service) serve(ctx context.Context) (err error) {
	tel, err := telemetry.Start(ctx, "hongyan-worker", cli.Version())
	if err != nil {
		return err
	}
	telemetry.Report(s.log)
	s.tel, s.health = tel, newHealth()
	if err := measureReady(tel.Meter, s.health); err != nil {
		return errors.Join(err, tel.Stop(context.WithoutCancel(ctx)))
	}
	var answers http.Handler
	if s.explain = explainPage(s.conf.HTTP.Explain, s.log); s.explain != nil {
		answers = s.explain.Handler()
	}
	stopHTTP, err := s.health.serve(s.conf.HTTP.Listen, tel.Metrics, answers, s.log)
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if unsent := tel.Stop(stop); unsent != nil { // a collector that is away is no failure of the worker
			s.log.Warn("telemetry is not sent", "error", unsent)
		}
		err = errors.Join(err, stopHTTP(stop))
	}()
	return s.run(ctx)
}

func (s *service) run(ctx context.Context) (err error) {
	s.health.starting("starting")
	if err := s.connect(ctx); err != nil {
		return s.stopped(ctx, err)
	}
	defer func() {
		s.bus.Close()
		if s.embedded != nil {
			err = errors.Join(err, s.embedded.Close())
		}
	}()
	if err := s.ensure(ctx); err != nil {
		return s.stopped(ctx, err)
	}
	s.warnOfConfig(s.conf)
	if s.explain != nil {
		s.explain.Open(s.bus)
		defer s.explain.Open(nil)
	}
	return s.consume(ctx)
}

// stopped returns nil if the start was interrupted because ctx ended, else the error.
func (s *service) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, bus.ErrMisfit) {
		return nil
	}
	return err
}

func (s *service) topology() bus.Topology { return topology(s.conf) }

func topology(conf *config.Config) bus.Topology {
	n := conf.NATS
	return bus.Topology{Subjects: hongyan.Subjects{Prefix: n.SubjectPrefix}, StreamPrefix: n.StreamPrefix, Replicas: n.Replicas,
		MaxBytes: n.MaxBytes, MaxMessagesPerApp: n.MaxMessagesPerApp, OutcomesMaxBytes: n.OutcomesMaxBytes, DeadMaxAge: n.DeadMaxAge}
}

func (s *service) connect(ctx context.Context) error {
	url := s.conf.NATS.URL
	if url == "" {
		e := s.conf.NATS.Embedded
		srv, err := natsd.Start(natsd.Options{Dir: e.Dir, Listen: e.Listen, Cipher: e.Cipher, Key: string(e.Key), Log: s.log})
		if err != nil {
			return err
		}
		s.embedded, url = srv, srv.URL()
		s.log.Info("embedded nats server runs", "url", url, "dir", e.Dir)
	}
	s.health.starting("waiting for NATS")
	host, _ := os.Hostname() // only a name for operators
	b, err := bus.Connect(ctx, bus.Options{URL: url, Credentials: s.conf.NATS.Credentials(), Name: "hongyan worker " + host, Topology: s.topology(), Log: s.log})
	if err != nil {
		if s.embedded != nil {
			err = errors.Join(err, s.embedded.Close())
		}
		return err
	}
	s.bus = b
	return nil
}

// ensure makes the streams. It waits for a cluster that is not ready, and for somebody who makes
// the streams where the worker's NATS user may not; /readyz says which. It returns an error if a
// stream exists that does not fit, because only an operator can change that.
func (s *service) ensure(ctx context.Context) error {
	var said string
	return ensureStreams(ctx, s.bus, s.conf.Vendors(), func(err error) bool {
		why := "jetstream is not ready yet"
		if errors.Is(err, bus.ErrNotAllowed) {
			why = bus.ErrNotAllowed.Error()
		}
		if why != said {
			s.log.Warn("the streams cannot be made or checked yet, trying until they can", "reason", why, "error", err)
			s.health.starting(why)
			said = why
		}
		return true
	})
}

// warnOfConfig logs what is allowed but unwise in a configuration.
func (s *service) warnOfConfig(conf *config.Config) {
	for _, text := range endings(conf, time.Now()) {
		s.log.Warn("credentials end soon, or have ended", "advice", text)
	}
	for _, w := range conf.Warnings() {
		s.log.Warn("the configuration can be better", "advice", w)
	}
	for _, app := range conf.Apps {
		for _, c := range app.Certificates {
			for _, text := range c.Advice() {
				s.log.Warn("the configuration can be better", "app", app.ID, "vendor", c.Base().Vendor, "certificate", c.Base().ID, "advice", text)
			}
		}
	}
}

// consume runs the pipeline until ctx ends.
func (s *service) consume(ctx context.Context) error {
	metrics, err := dispatch.NewMetrics(s.tel.Meter)
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	if s.readings, err = newReadings(s.tel.Meter, s.bus, s.inForce, s.log); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	if s.condition, err = newCondition(s.tel.Meter, s.bus, s.inForce); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	dir := directory.New(s.bus, s.topology().Subjects, directory.Options{
		Replicas:   s.conf.NATS.Replicas,
		Unreadable: func(_, kind string, _ error) { metrics.Ignore("directory_" + kind) },
		Repaired:   metrics.Repaired,
		Log:        s.log,
	})
	if err := dir.Measure(s.tel.Meter); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	said := marks.New(s.bus, s.topology().Subjects, marks.Options{Unreadable: func(error) { metrics.Ignore("mark") }, Log: s.log})
	if err := said.Measure(s.tel.Meter); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	worker := "w" + rand.Text()
	limiter, err := ratelimit.New(s.bus.LimitStore(), ratelimit.Options{Certificates: limitsOf(s.conf), Member: worker, Logger: s.log})
	if err != nil {
		return err
	}
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	subjects := s.topology().Subjects
	recorder := store.NewRecorder(hard, store.Options{Queue: s.bus, Subjects: subjects, Metrics: metrics, Log: s.log, Now: time.Now})
	looker := &store.Looker{Records: s.bus, Log: s.log, Now: time.Now, Trouble: func() time.Time {
		if at := s.bus.Reconnected(); at.After(recorder.Trouble()) {
			return at
		}
		return recorder.Trouble()
	}}
	others := &colleagues{room: s.bus.Notes(dispatch.WorkerRoom), self: worker, log: s.log}
	load := new(send.Load)
	s.turns = turns.New(runtime.GOMAXPROCS(0))
	acceptances := accepted.New(s.bus.Notes(accepted.Room), s.log)
	if err := acceptances.Load(ctx); err != nil {
		s.log.Warn("it is not known which certificates had pushes accepted lately", "error", err)
	}
	apps := route.NewApps(nil) // they follow
	recaller := &recall.Recaller{
		Outcomes: s.bus, Devices: dir, Marks: said, Recorder: recorder, Apps: apps, Trouble: looker.Trouble, Metrics: metrics, Log: s.log, Now: time.Now,
	}
	decider := &route.Decider{Devices: dir, Marks: said, Apps: apps, Log: s.log, Now: time.Now}
	book := badge.New(s.bus, badge.Options{Unreadable: func() { metrics.Ignore("badge_record") }, Log: s.log})
	decider.Badges = book
	refresher := &route.Refresher{Badges: book, Devices: dir, Apps: apps, Metrics: metrics, Log: s.log, Now: time.Now}
	recaller.Badges, recaller.Moved = book, refresher.Moved
	heart := s.heart(worker, limiter)
	loader, err := newLoader(s)
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	loader.ctx, loader.hard, loader.apps, loader.limiter, loader.tell = ctx, hard, apps, limiter, heart.beat
	loader.board = parking.NewBoard(s.bus.Notes(parking.Room), worker, s.log)
	loader.holds = parking.NewWatch(s.bus.Notes(parking.HoldRoom).Follow(""), s.log)
	loader.expect = metrics
	// Nothing is sent before it is known what is held.
	if err := loader.holds.Load(ctx, func(err error) {
		s.log.Warn("cannot read what operators hold, trying until it can", "error", err)
		s.health.starting("waiting for what operators hold")
	}); err != nil {
		return s.stopped(ctx, err)
	}
	loader.sender = func(certificate send.Certificate, counts bool, retries send.Retries) *send.Sender {
		sender := &send.Sender{
			Certificate: certificate, Recorder: recorder, Looker: looker, Decider: decider, Marks: said, Devices: dir, Subjects: subjects, Limiter: limiter,
			Accepted: acceptances, Turns: s.turns, Load: load, Recalls: recaller,
			Retries: retries, Metrics: metrics, Tracer: s.tel.Tracer, Log: s.log, Now: time.Now, Stored: s.bus.Hint,
		}
		if counts {
			sender.Badges, sender.Refresher = book, refresher
		}
		return sender
	}
	recaller.Start(ctx)
	first, err := loader.load(s.conf)
	if err != nil {
		return err
	}
	loader.install(first)
	defer loader.close()
	orphans := &send.Orphans{Recorder: recorder, Subjects: subjects, Elsewhere: others.serveJobs, After: s.orphanAfter, Metrics: metrics, Log: s.log, Now: time.Now}
	router := &route.Router{
		Recorder: recorder, Looker: looker, Devices: dir, Marks: said, Badges: book, Moved: refresher.Moved, Subjects: subjects, Apps: apps,
		Withdrawals: recaller, Elsewhere: others.serve, Turns: s.turns, Stored: s.bus.Hint, Metrics: metrics, Tracer: s.tel.Tracer, Log: s.log, Now: time.Now,
	}
	urgent, err := s.bus.UrgentConsumer(ctx, 512)
	if err != nil {
		return s.stopped(ctx, err)
	}
	signals, err := s.bus.SignalConsumer(ctx, 512)
	if err != nil {
		return s.stopped(ctx, err)
	}
	heart.beat(ctx) // the others must know what it serves before it takes what they do not know
	var wg sync.WaitGroup
	serving := func(what string, serve func() error) {
		wg.Go(func() {
			if err := serve(); err != nil {
				s.log.Error("the worker no longer serves something", "what", what, "error", err)
			}
		})
	}
	wg.Go(func() { said.Run(ctx, s.bus) })
	wg.Go(func() { router.Run(ctx, hard, signals) })
	signalsFirst(ctx, s.bus, s.log)
	patient := *router // what is urgent waits for no room
	patient.Room = load.Wait
	yielding := patient // pieces are large themselves
	yielding.Yields = true
	routes := func(r *route.Router) bus.Serving {
		return func(ctx context.Context, _ hongyan.Subject, source dispatch.Source) { r.Run(ctx, hard, source) }
	}
	serving("messages", func() error { return s.bus.ServeMessages(ctx, s.appNames, holdMessages, routes(&yielding)) })
	serving("pieces", func() error { return s.bus.ServePieces(ctx, holdPieces, routes(&patient)) })
	wg.Go(func() { router.Run(ctx, hard, urgent) })
	hold := func(where hongyan.Subject) int {
		if sender := s.loaded.Load().sender(where); sender != nil {
			return sender.Certificate.Hold()
		}
		return holdOrphans
	}
	loader.serve = func(vendor string) {
		serving("jobs of "+vendor, func() error {
			return s.bus.ServeJobs(ctx, vendor, hold, func(ctx context.Context, where hongyan.Subject, source dispatch.Source) {
				now := s.loaded.Load()
				if sender := now.sender(where); sender != nil {
					sender.Serve(ctx, where.Lane, source)
					return
				}
				orphans.Serve(now.inForce, where, source) // until somebody may serve it
			})
		})
	}
	loader.serveVendors(s.conf.Vendors()...)
	wg.Go(func() {
		serveForsaken(ctx, s.bus, s.conf.Vendors(), func(vendor string) { loader.serveVendors(vendor) })
	})
	wg.Go(func() {
		loader.run(ctx, s.triggers)
		loader.stop()
	})
	wg.Go(func() { s.bus.Wake(ctx) })
	wg.Go(func() { s.readings.run(ctx, limiter) })
	wg.Go(func() { s.condition.run(ctx) })
	wg.Go(func() { loader.board.Run(ctx) })
	wg.Go(func() { loader.holds.Run(ctx) })
	wg.Go(func() { acceptances.Run(ctx) })
	wg.Go(func() { refresher.Run(ctx) })
	wg.Go(func() { dir.Run(ctx, s.bus) })
	keeper := &owner.Keeper{Store: s.bus, Subjects: subjects, Metrics: metrics, Log: s.log}
	wg.Go(func() { keeper.Run(ctx, s.bus.RegistrationConsumer(holdRegistrations)) })
	wg.Go(func() { heart.run(ctx) })
	wg.Go(func() { s.sweepNightly(ctx, worker) })
	// The limiter runs until the last vendor call is made.
	var limiting sync.WaitGroup
	limiting.Go(func() {
		if err := limiter.Run(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("limits are no longer shared", "error", err)
		}
	})
	s.health.run(s.bus.Pulling)
	s.log.Info("worker runs", "apps", len(s.conf.Apps), "certificates", len(first.serving))
	if s.ready != nil {
		s.ready(s)
	}
	<-ctx.Done()
	s.health.stopping()
	patience := s.loaded.Load().conf.Shutdown
	s.log.Info("stopping: finishing what is under way", "at_most", patience)
	timer := time.AfterFunc(patience, cut)
	defer timer.Stop()
	wg.Wait()
	recaller.Wait()
	recorder.Wait()
	looker.Wait()
	decider.Wait()
	book.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := limiter.Close(leave); err != nil {
		s.log.Warn("what was leased of today's quotas could not be given back", "error", err)
	}
	limiting.Wait()
	s.log.Info("stopped")
	return nil
}

// What one consumer may have at hand: messages, pieces of large ones, jobs of certificates that the
// configuration lacks, and registrations.
const (
	holdMessages      = 2048
	holdPieces        = 64
	holdOrphans       = 256
	holdRegistrations = 512
)
