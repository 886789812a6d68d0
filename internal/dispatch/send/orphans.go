package send

import (
	"cmp"
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

const (
	// orphanAfter is how long the jobs of a certificate that no live worker serves wait for one
	// that does: a worker that starts, or a configuration that is put right.
	orphanAfter = 10 * time.Minute
	// orphanGap is how long nobody may have asked for a certificate before what was found out of it
	// counts no more: another worker may have served it meanwhile.
	orphanGap = time.Minute
)

// Orphans sees to stored jobs of certificates that the configuration lacks. Those that another live
// worker serves are left to it; when nobody served a certificate for ten minutes, its jobs become
// dead letters, which say so.
type Orphans struct {
	Recorder *store.Recorder
	Subjects hongyan.Subjects
	// Elsewhere says whether another live worker serves a vendor's certificate.
	Elsewhere func(vendor, certificate string) bool
	// After is how long a certificate's jobs wait for somebody who serves it; default ten minutes.
	After   time.Duration
	Metrics *dispatch.Metrics
	Log     *slog.Logger
	Now     func() time.Time

	mu    sync.Mutex
	alone map[served]*orphanage
}

// served names a vendor's certificate: its id may be another vendor's by now.
type served struct{ vendor, certificate string }

// orphanage is a certificate that nobody serves.
type orphanage struct{ since, asked time.Time }

func (o *Orphans) after() time.Duration { return cmp.Or(o.After, orphanAfter) }

// Serve handles the stored jobs of one certificate and lane until ctx ends or nothing more comes,
// and returns when every delivery is settled.
func (o *Orphans) Serve(ctx context.Context, where hongyan.Subject, source dispatch.Source) {
	claims := store.NewClaims(o.Log)
	out := make(chan dispatch.Delivery, source.Hold())
	var pulling, owing sync.WaitGroup
	renew, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	source.Want(func() int {
		if o.forsaken(served{where.Vendor, where.Certificate}) {
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
		if ctx.Err() != nil || !o.forsaken(served{where.Vendor, where.Certificate}) { // somebody serves it since it was asked for
			c.Nak(0)
			continue
		}
		owing.Add(1)
		o.bury(d, where, store.NewDuty(c, len(d.Data()), owing.Done))
	}
	owing.Wait()
	stopRenewing()
	pulling.Wait()
}

// forsaken says whether nobody served the certificate for long enough.
func (o *Orphans) forsaken(c served) bool {
	elsewhere := o.Elsewhere(c.vendor, c.certificate)
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if elsewhere {
		delete(o.alone, c)
		return false
	}
	if o.alone == nil {
		o.alone = map[served]*orphanage{}
	}
	a := o.alone[c]
	if a == nil || now.Sub(a.asked) > orphanGap {
		a = &orphanage{since: now}
		o.alone[c] = a
		o.Log.Warn("jobs wait for a certificate that no worker serves, and become dead letters unless one does", "vendor", c.vendor, "certificate", c.certificate, "after", o.after())
	}
	a.asked = now
	return now.Sub(a.since) >= o.after()
}

// bury makes a dead letter of a job.
func (o *Orphans) bury(d dispatch.Delivery, where hongyan.Subject, duty *store.Duty) {
	id := ":orphan/" + d.Subject() + "/" + duty.Claim.Name()
	job, err := dispatch.DecodeJob(d.Data())
	if err == nil {
		err = belongs(job, job.App, where)
	}
	if err != nil {
		letter := dispatch.DeadMessage(o.Subjects, d, "", "", err, id)
		o.Recorder.Store(&store.Debt{Msgs: []dispatch.Outgoing{letter}, Duty: duty})
		return
	}
	if job.Withdraws {
		o.giveUp(job, duty)
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
		o.Metrics.Orphan(where.Vendor)
		debt.Then = append(debt.Then, store.Line{Duty: duty,
			Outcome: hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate,
				Status: hongyan.StatusDead, At: o.Now().UTC()},
			Device: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: hongyan.UnknownCertificate, Attempt: job.Attempts}})
	}
	o.Recorder.Store(debt)
}

// giveUp records that what was to be withdrawn stays as it is.
func (o *Orphans) giveUp(job *dispatch.Job, duty *store.Duty) {
	lines := make([]store.Line, len(job.Targets))
	for i := range job.Targets {
		t := &job.Targets[i]
		o.Metrics.Orphan(job.Vendor)
		lines[i] = store.Line{Duty: duty,
			Outcome: hongyan.Outcome{MessageID: job.Notification.MessageID, App: job.App, Vendor: job.Vendor, Certificate: job.Certificate,
				Status: hongyan.StatusWithdrawn, At: o.Now().UTC()},
			Device: hongyan.DeviceOutcome{User: t.User, Device: t.Device, Reason: hongyan.NotPossible, Attempt: job.Attempts}}
	}
	o.Recorder.Record(lines...)
	duty.Done(true)
}
