package send

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// orphanAfter is how long the jobs of a certificate that no live worker serves wait for one that
// does: a worker that starts, or a configuration that is put right.
const orphanAfter = 10 * time.Minute

// Orphans sees to stored jobs of certificates that the configuration lacks. Those that another live
// worker serves are left to it; when nobody served a certificate for ten minutes, its jobs become
// dead letters, which say so.
type Orphans struct {
	Recorder *store.Recorder
	Subjects hongyan.Subjects
	// Elsewhere says whether another live worker serves a certificate of an app.
	Elsewhere func(app, certificate string) bool
	Metrics   *dispatch.Metrics
	Log       *slog.Logger
	Now       func() time.Time

	mu    sync.Mutex
	since map[string]time.Time // by certificate: when it was found that nobody serves it
}

// Serve handles the stored jobs of one certificate and lane until ctx ends or nothing more comes,
// and returns when every delivery is settled.
func (o *Orphans) Serve(ctx context.Context, where hongyan.Subject, source dispatch.Source) {
	claims := store.NewClaims(o.Log)
	out := make(chan dispatch.Delivery, source.Hold())
	var pulling, owing sync.WaitGroup
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	source.Want(func() int {
		if o.forsaken(where.Certificate) {
			return source.Hold()
		}
		return 0
	})
	pulling.Go(func() { source.Renew(renew) })
	pulling.Go(func() {
		defer close(out)
		source.Run(ctx, out)
	})
	for d := range out {
		c := claims.Take(d)
		if c == nil {
			continue
		}
		owing.Add(1)
		o.open(d, where, store.NewDuty(c, len(d.Data()), owing.Done))
	}
	owing.Wait()
	stopRenewing()
	pulling.Wait()
}

// forsaken says whether nobody served the certificate for long enough. Which app it belongs to only
// its jobs say.
func (o *Orphans) forsaken(certificate string) bool {
	served := o.Elsewhere("", certificate)
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	since, known := o.since[certificate]
	switch {
	case served:
		delete(o.since, certificate)
		return false
	case !known:
		if o.since == nil {
			o.since = map[string]time.Time{}
		}
		o.since[certificate] = now
		o.Log.Warn("jobs wait for a certificate that no worker serves; they are dead in ten minutes unless one does", "certificate", certificate)
		return false
	}
	return now.Sub(since) >= orphanAfter
}

// open buries a job.
func (o *Orphans) open(d dispatch.Delivery, where hongyan.Subject, duty *store.Duty) {
	id := ":orphan/" + d.Subject() + "/" + duty.Claim.Name()
	job, err := dispatch.DecodeJob(d.Data())
	if err != nil {
		letter := dispatch.DeadMessage(o.Subjects, d, "", "", err, id)
		o.Recorder.Store(&store.Debt{Msgs: []dispatch.Outgoing{letter}, Duty: duty})
		return
	}
	cause := vendors.Result{Reason: hongyan.UnknownCertificate, Err: fmt.Errorf("no worker serves certificate %s", where.Certificate)}
	letter, err := dispatch.DeadJob(o.Subjects, job, hongyan.UnknownCertificate, cause, id)
	if err != nil {
		letter = store.Stranded(o.Subjects, dispatch.Outgoing{Subject: d.Subject(), ID: id, Data: d.Data()}, err)
	}
	debt := &store.Debt{Msgs: []dispatch.Outgoing{letter}, Duty: duty}
	for i := range job.Targets {
		t := &job.Targets[i]
		o.Metrics.Outcome(job, hongyan.UnknownCertificate)
		debt.Then = append(debt.Then, store.Line{Duty: duty,
			Outcome: hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate,
				Status: hongyan.StatusDead, At: o.Now().UTC()},
			Device: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: hongyan.UnknownCertificate, Attempt: job.Attempts}})
	}
	o.Recorder.Store(debt)
}
