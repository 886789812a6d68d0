package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/cli"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/natsd"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/registry"
	"github.com/hongyan-im/hongyan/internal/telemetry"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// kinds are the vendors that a configuration may name.
var kinds = config.Kinds(registry.Kinds())

// service is a running worker.
type service struct {
	conf   *config.Config
	log    *slog.Logger
	tel    *telemetry.Telemetry
	health *health
	// embedded is nil when an outside server is used.
	embedded *natsd.Server
	bus      *bus.Bus
	senders  []*dispatch.Sender
	// ready, if it is set, is called once the service consumes.
	ready func(s *service)
}

// serve runs a worker until ctx ends, then lets it finish what is under way. It returns nil after a
// clean stop.
func serve(ctx context.Context, conf *config.Config, log *slog.Logger, ready func(*service)) (err error) {
	tel, err := telemetry.Start(ctx, "hongyan-worker", cli.Version())
	if err != nil {
		return err
	}
	s := &service{conf: conf, log: log, tel: tel, ready: ready, health: newHealth()}
	stopHTTP, err := s.health.serve(conf.HTTP.Listen, tel.Metrics, log)
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, tel.Stop(stop), stopHTTP(stop))
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
	s.warnOfConfig()
	return s.consume(ctx)
}

// stopped returns nil if the start was interrupted because ctx ended, else the error.
func (s *service) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, bus.ErrMisfit) {
		return nil
	}
	return err
}

func (s *service) topology() bus.Topology {
	n := s.conf.NATS
	return bus.Topology{Subjects: hongyan.Subjects{Prefix: n.SubjectPrefix}, StreamPrefix: n.StreamPrefix, Replicas: n.Replicas, MaxBytes: n.MaxBytes, OutcomesMaxBytes: n.OutcomesMaxBytes}
}

func (s *service) connect(ctx context.Context) error {
	url := s.conf.NATS.URL
	if url == "" {
		e := s.conf.NATS.Embedded
		srv, err := natsd.Start(natsd.Options{Dir: e.Dir, Listen: e.Listen, Log: s.log})
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

// ensure makes the streams. It waits for a cluster that is not ready, but returns an error if a
// stream exists that does not fit, because only an operator can change that.
func (s *service) ensure(ctx context.Context) error {
	for logged := false; ; {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := s.bus.Ensure(attempt, s.conf.Vendors())
		cancel()
		if err == nil || errors.Is(err, bus.ErrMisfit) || ctx.Err() != nil {
			return err
		}
		if !logged {
			s.log.Warn("jetstream is not ready yet, trying until it is", "error", err)
			logged = true
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// warnOfConfig logs what is allowed but unwise in the configuration.
func (s *service) warnOfConfig() {
	for _, app := range s.conf.Apps {
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
	dir := directory.New(s.bus, s.topology().Subjects, directory.Options{
		Unreadable: func(subject, kind string, err error) {
			metrics.Ignore("directory_" + kind)
			s.log.Warn("a directory record cannot be read, it counts as absent: write it anew", "subject", subject, "kind", kind, "error", err)
		},
		Repaired: metrics.Repaired,
	})
	worker := "w" + rand.Text()
	limiter, err := s.limiter(worker)
	if err != nil {
		return err
	}
	recorder := &dispatch.Recorder{Queue: s.bus, Subjects: s.topology().Subjects, Metrics: metrics, Log: s.log, Now: time.Now}
	looker := &dispatch.Looker{Records: s.bus, Metrics: metrics, Log: s.log, Now: time.Now, Trouble: func() time.Time {
		if at := s.bus.Reconnected(); at.After(recorder.Trouble()) {
			return at
		}
		return recorder.Trouble()
	}}
	apps, err := s.apps(dir, metrics, limiter, recorder, looker)
	if err != nil {
		return err
	}
	defer s.closeDrivers()
	parking := newParking(s.bus.Notes(dispatch.ParkedRoom), worker, s.log, s.senders)

	router := &dispatch.Router{Recorder: recorder, Devices: dir, Subjects: s.topology().Subjects, Apps: apps, Metrics: metrics, Log: s.log, Now: time.Now}
	messages, err := s.bus.MessageConsumer(ctx, 2048)
	if err != nil {
		return s.stopped(ctx, err)
	}
	urgent, err := s.bus.UrgentConsumer(ctx, 512)
	if err != nil {
		return s.stopped(ctx, err)
	}
	type lanes struct {
		sender  *dispatch.Sender
		sources map[string]dispatch.Source
	}
	var all []lanes
	for _, sender := range s.senders {
		c := &sender.Certificate
		sources := map[string]dispatch.Source{}
		for _, lane := range []string{hongyan.LaneUrgent, hongyan.LaneNormal} {
			source, err := s.bus.JobConsumer(ctx, c.Vendor, c.ID, lane, c.Hold())
			if err != nil {
				return s.stopped(ctx, err)
			}
			sources[lane] = source
		}
		all = append(all, lanes{sender, sources})
	}
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() { l.sender.Run(ctx, hard, l.sources) })
	}
	wg.Go(func() { router.Run(ctx, hard, messages) })
	wg.Go(func() { router.Run(ctx, hard, urgent) })
	for _, v := range s.conf.Vendors() {
		wg.Go(func() {
			if err := s.bus.Waker(ctx, v); err != nil && ctx.Err() == nil {
				s.log.Error("jobs that wait for later cannot be woken", "vendor", v, "error", err)
			}
		})
	}
	wg.Go(func() { s.measureBacklogs(ctx) })
	wg.Go(func() { parking.run(ctx) })
	wg.Go(func() { s.heartbeat(ctx, worker, limiter) })
	// The limiter runs until the last vendor call is made.
	var limiting sync.WaitGroup
	limiting.Go(func() {
		if err := limiter.Run(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("limits are no longer shared", "error", err)
		}
	})
	s.health.run(s.bus.Connected)
	s.log.Info("worker runs", "apps", len(apps), "certificates", len(s.senders))
	if s.ready != nil {
		s.ready(s)
	}
	<-ctx.Done()
	s.health.stopping()
	s.log.Info("stopping: finishing what is under way", "at_most", s.conf.Shutdown)
	timer := time.AfterFunc(s.conf.Shutdown, cut)
	defer timer.Stop()
	wg.Wait()
	recorder.Wait()
	looker.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := limiter.Close(leave); err != nil {
		s.log.Warn("what was leased of today's quotas could not be given back", "error", err)
	}
	limiting.Wait()
	s.log.Info("stopped")
	return nil
}

// limiter makes the limiter of all certificates.
func (s *service) limiter(worker string) (*ratelimit.Limiter, error) {
	var certificates []ratelimit.Certificate
	for _, a := range s.conf.Apps {
		for _, c := range a.Certificates {
			l := ratelimit.CertificateOf(c.Base(), usualClasses(c)...)
			if own, ok := c.(interface{ CallTimeout() time.Duration }); ok {
				l.Timeout = own.CallTimeout()
			}
			certificates = append(certificates, l)
		}
	}
	return ratelimit.New(s.bus.LimitStore(), ratelimit.Options{Certificates: certificates, Member: worker, Logger: s.log})
}

// usualClasses are the classes of a plain chat message and of a call.
func usualClasses(c vendors.Config) []vendors.Class {
	return []vendors.Class{
		c.Class(&vendors.Notification{}),
		c.Class(&vendors.Notification{Urgent: true, Call: &hongyan.Call{Media: "audio", Action: hongyan.CallInvite}}),
	}
}

// apps makes the drivers and the senders, and what the router needs to know about each app.
func (s *service) apps(dir *directory.Directory, metrics *dispatch.Metrics, limiter *ratelimit.Limiter, recorder *dispatch.Recorder, looker *dispatch.Looker) (map[string]dispatch.App, error) {
	apps := map[string]dispatch.App{}
	for _, a := range s.conf.Apps {
		app := dispatch.App{Accounts: map[string]dispatch.Account{}, Policy: dispatch.Policy{
			ForegroundLease: a.Policy.ForegroundLease, StaleAfter: *a.Policy.StaleAfter, MaxPushGroup: a.Policy.MaxPushGroup,
			QuietWhenActiveElsewhere: a.Policy.QuietWhenActiveElsewhere,
		}}
		for _, c := range a.Certificates {
			base := c.Base()
			driver, err := c.Driver(vendors.Env{Tokens: s.tokens(c)})
			if err != nil {
				return nil, fmt.Errorf("certificate %s: %w", base.ID, err)
			}
			zone, err := time.LoadLocation(cmp.Or(base.Timezone, "Asia/Shanghai"))
			if err != nil {
				return nil, fmt.Errorf("certificate %s: timezone: %w", base.ID, err)
			}
			l := driver.Limits()
			chunk := max(l.Batch, 1)
			if chunk == 1 {
				// A job for several devices saves storing one for each; it is small, so that a lost
				// answer repeats little.
				chunk = 50
			}
			app.Accounts[base.ID] = dispatch.Account{App: a.ID, Vendor: base.Vendor, Certificate: base.ID, Chunk: chunk, Options: c.Options}
			s.senders = append(s.senders, &dispatch.Sender{
				Certificate: dispatch.Certificate{App: a.ID, Vendor: base.Vendor, ID: base.ID, Driver: driver, Class: c.Class, Concurrency: base.Concurrency, Zone: zone},
				Queue:       s.bus, Recorder: recorder, Looker: looker, Devices: dir, Subjects: s.topology().Subjects, Limiter: limiter,
				Retries: dispatch.Retries{Attempts: s.conf.Retry.Attempts, Base: s.conf.Retry.Base, Max: s.conf.Retry.Max},
				Metrics: metrics, Tracer: s.tel.Tracer, Log: s.log, Now: time.Now,
			})
		}
		apps[a.ID] = app
	}
	return apps, nil
}

func (s *service) closeDrivers() {
	for _, sender := range s.senders {
		sender.Certificate.Driver.Close()
	}
}
