package route

import (
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/turns"
)

// follow sees to what follows from decisions: jobs go to their senders, suppressions are recorded.
func (r *routing) follow(m *routed, decisions []Decision) {
	now := r.Now()
	r.suppress(m, decisions, now)
	turn := r.Turns.Begin(len(decisions) >= turns.Large && !m.message.Rings())
	jobs := Compose(m.message, m.app, m.conf, decisions, m.stored, m.conf.Texts)
	turn.End()
	for _, job := range jobs {
		job.Trace, job.Bulk, job.Decided = m.trace, m.bulk, now
		r.Metrics.Job(job)
		m.duty.Add(1)
		m.conf.Accounts[job.Certificate].Sender.Send(job, m.duty, m.look)
	}
}

// without leaves out the devices that have an end or a job of their own.
func without(decisions []Decision, a *store.Answer) []Decision {
	return slices.DeleteFunc(decisions, func(d Decision) bool { return ended(&d, a) })
}

// ended says whether a device has an end or a job of its own by an answer, which may be nil.
func ended(d *Decision, a *store.Answer) bool {
	device := ""
	if d.Device != nil {
		device = d.Device.ID
	}
	return a != nil && a.Has(d.User, device)
}

// suppress records the devices that are not pushed to.
func (r *routing) suppress(m *routed, decisions []Decision, now time.Time) {
	var lines []store.Line
	for i := range decisions {
		d := &decisions[i]
		if d.Suppressed == "" {
			continue
		}
		r.Metrics.Suppress(m.app, d.Suppressed)
		l := store.Line{Outcome: hongyan.Outcome{MessageID: m.message.ID, App: m.app, Status: hongyan.StatusSuppressed, At: now.UTC()},
			Device: hongyan.DeviceOutcome{User: d.User, Reason: d.Suppressed}, Duty: m.duty}
		if d.Device != nil {
			l.Device.Device = d.Device.ID
			if l.Certificate = d.Certificate; l.Certificate == "" {
				l.Certificate = d.Device.Registration.Certificate
			}
			l.Vendor = m.conf.Accounts[l.Certificate].Vendor
		}
		if d.Suppressed == hongyan.UnknownCertificate {
			r.Log.Warn("registration names a certificate that the configuration lacks", "app", m.app, "user", d.User, "device", l.Device.Device, "certificate", l.Certificate)
		}
		lines = append(lines, l)
	}
	r.Recorder.Record(lines...)
}
