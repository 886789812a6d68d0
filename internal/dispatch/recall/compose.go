package recall

import (
	"cmp"
	"slices"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/dispatch/route"
	"github.com/hongyan-im/hongyan/internal/dispatch/store"
	"github.com/hongyan-im/hongyan/internal/texts"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// outlives is for how long after a push was accepted the vendor keeps what overwrites it: as
	// long as it keeps a message whose sender names no lifetime.
	outlives = 24 * time.Hour
	// manyDevices is from how many devices on a withdrawal must not hold up the pushes of messages
	// to few.
	manyDevices = 500
)

// withdraw makes the jobs that overwrite a message, and records where that is not possible or not
// needed.
func (c *Recaller) withdraw(q *question, users map[directory.Ref]*directory.User) {
	app, _ := c.Apps.Of(q.app)
	jobs, lines := Compose(q.plan(users, app.Policy), app, app.Texts, c.Now())
	claim := q.duties[0] // one is claim enough on all that follows
	for i := range lines {
		lines[i].Duty = claim
	}
	c.Recorder.Record(lines...)
	for _, job := range jobs {
		claim.Add(1)
		c.Metrics.Job(job)
		app.Accounts[job.Certificate].Sender.Send(job, claim, time.Time{})
	}
}

// Withdrawal is what to withdraw of a recalled message.
type Withdrawal struct {
	Recall route.Recall
	Pushes []Push
}

// Push is a device on which the message was accepted.
type Push struct {
	User, Device, Certificate string
	Shown                     dispatch.Shown
	At                        time.Time
	// Displaced says that a newer message has taken its place on the screen.
	Displaced bool
	// Preview is how much of a message the user may be shown.
	Preview hongyan.Preview
	// Registered is the device as the directory has it; nil where it has none.
	Registered *directory.Device
}

// plan is what to withdraw, in an order that is the same at each time.
func (q *question) plan(users map[directory.Ref]*directory.User, policy route.Policy) Withdrawal {
	w := Withdrawal{Recall: q.recall}
	for d, p := range q.pushes {
		user := users[directory.Ref{App: q.app, User: d.user}]
		w.Pushes = append(w.Pushes, Push{User: d.user, Device: d.device, Certificate: p.certificate, Shown: p.shown, At: p.at, Displaced: p.displaced,
			Preview: policy.PreviewOf(user), Registered: user.Device(d.device)})
	}
	slices.SortFunc(w.Pushes, func(a, b Push) int {
		return cmp.Or(cmp.Compare(hongyan.Partition(a.User), hongyan.Partition(b.User)), cmp.Compare(a.User, b.User), cmp.Compare(a.Device, b.Device))
	})
	return w
}

// Compose makes the jobs that overwrite a message where it was accepted, one for the devices of one
// certificate and partition that get the same notification, and the lines of devices that get none.
// It reads no clock and changes nothing.
func Compose(w Withdrawal, app route.App, catalogue *texts.Catalogue, now time.Time) (jobs []*dispatch.Job, lines []store.Line) {
	type variant struct {
		certificate string
		partition   int
		language    *texts.Language
		preview     hongyan.Preview
		shown       dispatch.Shown
	}
	open := map[variant]*dispatch.Job{}
	for i := range w.Pushes {
		p := &w.Pushes[i]
		account := app.Accounts[p.Certificate]
		token := ""
		if p.Registered != nil && !p.Shown.VoIP() && account.Vendor != "" && route.Gone(p.Registered) == "" {
			token = p.Registered.Token(p.Certificate, false)
		}
		if p.Displaced || token == "" {
			reason := hongyan.NotPossible
			if p.Displaced {
				reason = hongyan.Overwritten
			}
			lines = append(lines, store.Line{
				Outcome: hongyan.Outcome{MessageID: w.Recall.Signal.MessageID, App: w.Recall.App, Vendor: account.Vendor, Certificate: p.Certificate,
					Status: hongyan.StatusWithdrawn, At: now.UTC()},
				Device: hongyan.DeviceOutcome{User: p.User, Device: p.Device, Reason: reason},
			})
			continue
		}
		v := variant{p.Certificate, hongyan.Partition(p.User), catalogue.For(p.Registered.Registration.Locale), p.Preview, p.Shown}
		job := open[v]
		if job == nil {
			job = &dispatch.Job{
				App: w.Recall.App, Vendor: account.Vendor, Certificate: p.Certificate, Lane: hongyan.LaneNormal, Published: w.Recall.Stored,
				Variant: v.language.Tag() + "-recalled/" + string(p.Preview) + "/" + string(p.Shown), Decided: now, Withdraws: true, Bulk: len(w.Pushes) > manyDevices,
				Notification: notification(&w.Recall, v.language, p),
			}
			open[v] = job
			jobs = append(jobs, job)
		}
		if until := p.At.Add(outlives); until.After(job.Notification.Deadline) {
			job.Notification.Deadline = until
		}
		r := &p.Registered.Registration
		job.Targets = append(job.Targets, dispatch.Target{User: p.User, Device: p.Device, Token: token, Region: r.Region, Revision: p.Registered.Revision,
			RegisteredAt: r.RegisteredAt})
	}
	return jobs, lines
}

// notification is what overwrites a push.
func notification(r *route.Recall, language *texts.Language, p *Push) *vendors.Notification {
	text := language.Text(texts.Recalled)
	return &vendors.Notification{
		Key: dispatch.WithdrawalKey(r.App, r.Signal.MessageID), ReplaceKey: cmp.Or(p.Shown.ReplaceKey(), dispatch.Key(r.App, r.Signal.MessageID)),
		MessageID: r.Signal.MessageID, Conversation: r.Signal.Conversation, Title: text, Body: text, NoTitle: true, Kind: p.Shown.Kind(), Preview: p.Preview,
		Quiet: true,
	}
}
