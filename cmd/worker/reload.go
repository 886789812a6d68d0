package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/config"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/send"
	"github.com/hongyan-im/hongyan/internal/instrument"
	"github.com/hongyan-im/hongyan/internal/parking"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// lookAtFiles is how often the files of the configuration are looked at. What changed is loaded
	// when it is the same at two looks, so that nothing half written is.
	lookAtFiles = 2 * time.Second
	// readFilesTimes is how often the files are read while they change under the reader.
	readFilesTimes = 5
	// newStreamsTimeout bounds making the streams of vendors that are new.
	newStreamsTimeout = 10 * time.Second
	// mostProblems is how many problems of a configuration are logged.
	mostProblems = 20
)

// triggers say where the configuration is, and when it is loaded anew: at each signal, and when the
// files that it was read from hold something else.
type triggers struct {
	file    string
	signals <-chan os.Signal
	every   time.Duration
}

// loader puts configurations in force. A reload has two halves: the first does all that can fail
// and changes nothing, the second cannot fail.
type loader struct {
	*service
	// ctx ends when nothing more is to be begun, hard when the calls under way are cut off.
	ctx, hard context.Context
	apps      *route.Apps
	board     *parking.Board
	holds     *parking.Watch
	// expect counts for apps and certificates from the start.
	expect  *dispatch.Metrics
	limiter *ratelimit.Limiter
	// sender makes a sender.
	sender func(c send.Certificate, counts bool, retries send.Retries) *send.Sender
	// serve serves the stored jobs of a vendor, in a goroutine of its own; it is called once for
	// each.
	serve func(vendor string)
	// tell tells the other workers what this one serves.
	tell func(ctx context.Context)

	retiring sync.WaitGroup
	reloads  metric.Int64Counter
	refused  metric.Int64Gauge

	mu     sync.Mutex
	served map[string]bool // vendors
}

func newLoader(s *service) (*loader, error) {
	reloads, err1 := instrument.ConfigReloads.Int64Counter(s.tel.Meter)
	refused, err2 := instrument.ConfigRefused.Int64Gauge(s.tel.Meter)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	refused.Record(context.Background(), 0)
	return &loader{service: s, reloads: reloads, refused: refused, served: map[string]bool{}}, nil
}

// serveVendors serves the stored jobs of vendors that are not served yet.
func (l *loader) serveVendors(vendors ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range vendors {
		if !l.served[v] {
			l.served[v] = true
			l.serve(v)
		}
	}
}

// install puts a configuration in force. Certificates that were changed or taken out finish what is
// under way, beside. Their successors begin before they retire, so that each job has a sender at
// any moment.
func (l *loader) install(next *loaded) {
	old := l.loaded.Load()
	for id, c := range next.serving {
		var former *serving
		if old != nil {
			former = old.serving[id]
		}
		if former == c {
			continue
		}
		if former != nil {
			former.sender.Silence()
		}
		l.begin(id, c)
	}
	expect(l.expect, next.conf)
	l.apps.Set(next.apps)
	l.loaded.Store(next)
	if old == nil {
		return
	}
	old.replace()
	for id, c := range old.serving {
		if next.serving[id] != c {
			l.retire(c.sender, next.serving[id])
		}
	}
}

// begin starts the sender of a certificate, and shares its breakers with the other workers.
func (l *loader) begin(id string, c *serving) {
	s := c.sender
	l.readings.token(id, c.token)
	s.Dated = l.readings.dated(s.Certificate.Vendor, id)
	l.holds.Add(s.Certificate.App, id, s.Hold)
	l.board.Forget(id)
	s.Parked = func(open bool, since time.Time, r vendors.Result) { l.board.Tell(id, open, since, r) }
	s.ParkedKind = func(kind vendors.Kind, open bool, since time.Time, r vendors.Result) {
		l.board.Tell(parking.KindKey(id, kind), open, since, r)
	}
	s.Start(l.ctx, l.hard)
	l.board.Add(id, s.Follow)
	for _, kind := range vendors.Kinds {
		l.board.Forget(parking.KindKey(id, kind))
		l.board.Add(parking.KindKey(id, kind), func(open bool, why vendors.Reason, since time.Time) { s.FollowKind(kind, open, why, since) })
	}
}

// retire lets a sender finish whose certificate was changed or, where next is nil, taken out.
func (l *loader) retire(s *send.Sender, next *serving) {
	c := &s.Certificate
	switch {
	case next == nil:
		s.Retire(nil)
		l.readings.forget(c.ID)
		l.holds.Remove(c.ID)
		l.board.Remove(c.ID)
		for _, kind := range vendors.Kinds {
			l.board.Remove(parking.KindKey(c.ID, kind))
		}
		l.expect.Fresh(c.Vendor, c.ID)
	case next.sender.Certificate.Vendor != c.Vendor: // the name alone is the same
		s.Retire(nil)
		l.expect.Fresh(c.Vendor, c.ID)
	case next.form.app != c.App:
		s.Retire(nil)
	default:
		s.Retire(next.sender)
	}
	l.retiring.Go(func() {
		s.Stop()
		c.Driver.Close()
		l.log.Debug("a certificate's former sender has finished", "vendor", c.Vendor, "certificate", c.ID)
	})
}

// stop finishes what is under way, after ctx ended. No configuration may be loaded any more.
func (l *loader) stop() {
	for _, c := range l.loaded.Load().serving {
		l.retiring.Go(c.sender.Stop)
	}
	l.retiring.Wait()
}

// close closes the drivers, after stop.
func (l *loader) close() {
	now := l.loaded.Load()
	now.replace()
	now.closeNew(nil)
}

// run loads the configuration anew when its time has come, until ctx ends.
func (l *loader) run(ctx context.Context, t *triggers) {
	if t == nil {
		<-ctx.Done()
		return
	}
	files := l.conf.Files()
	last := files
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.signals:
		case <-tick.C:
			now := files.Now()
			settled := now.Equal(last)
			if last = now; !settled || now.Equal(files) {
				continue
			}
		}
		if read, again := l.reload(ctx, t.file); !again {
			files = read
		}
	}
}

// reload loads the configuration anew, or says why it does not. It returns what it read, and
// whether it is to be tried again although that does not change.
func (l *loader) reload(ctx context.Context, file string) (files config.Files, again bool) {
	conf, files, err := open(file)
	if err == nil {
		again, err = l.prepare(ctx, conf)
	}
	if ctx.Err() != nil {
		return files, false
	}
	if err != nil {
		l.refuse(ctx, file, err)
		return files, again
	}
	l.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("result", "loaded")))
	l.refused.Record(ctx, 0)
	return files, false
}

// open reads the configuration, once more while its files change meanwhile.
func open(file string) (conf *config.Config, files config.Files, err error) {
	for range readFilesTimes {
		conf, files, err = config.Open(file, kinds)
		if files.Now().Equal(files) {
			break
		}
	}
	return conf, files, err
}

// prepare does what can fail, and puts the configuration in force if nothing did. again says that
// the failure is not the configuration's.
func (l *loader) prepare(ctx context.Context, conf *config.Config) (again bool, err error) {
	old := l.loaded.Load()
	served := old.conf.Vendors()
	if slices.ContainsFunc(conf.Vendors(), func(v string) bool { return !slices.Contains(served, v) }) {
		bounded, cancel := context.WithTimeout(ctx, newStreamsTimeout)
		defer cancel()
		if err := ensureStreams(bounded, l.bus, conf.Vendors(), func(err error) bool { return !errors.Is(err, bus.ErrNotAllowed) }); err != nil {
			return true, err
		}
	}
	next, err := l.load(conf)
	if err != nil {
		return false, err
	}
	if err := l.limiter.Replace(limitsOf(conf)); err != nil {
		next.replace()
		next.closeNew(old)
		return false, err
	}
	l.install(next)
	l.serveVendors(conf.Vendors()...)
	l.tell(ctx)
	l.report(old, next)
	return false, nil
}

// report logs what a configuration that was loaded changed.
func (l *loader) report(old, next *loaded) {
	added, changed, removed := 0, 0, 0
	for id, c := range next.serving {
		switch was := old.serving[id]; {
		case was == nil:
			added++
		case was != c:
			changed++
		}
	}
	for id := range old.serving {
		if next.serving[id] == nil {
			removed++
		}
	}
	l.log.Info("the configuration is loaded anew", "apps", len(next.apps), "certificates", len(next.serving), "added", added, "changed", changed, "removed", removed)
	if kept := l.conf.Restart(next.conf); len(kept) > 0 {
		l.log.Warn("what takes a restart stays as it was", "keys", kept)
	}
	l.warnOfConfig(next.conf)
}

// refuse says why a configuration was not loaded.
func (l *loader) refuse(ctx context.Context, file string, err error) {
	l.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("result", "refused")))
	l.refused.Record(ctx, 1)
	problems, ok := errors.AsType[config.Errors](err)
	if !ok {
		l.log.Error("the configuration is refused, nothing changed", "file", file, "error", err)
		return
	}
	l.log.Error("the configuration is refused, nothing changed", "file", file, "problems", len(problems))
	for _, p := range problems[:min(len(problems), mostProblems)] {
		l.log.Error("the configuration has a problem", "problem", p.String())
	}
}
