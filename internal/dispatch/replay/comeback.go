package replay

import (
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/directory"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// comebackKind is what a replay does with a letter.
type comebackKind uint8

const (
	bringBack comebackKind = iota
	tooLate
	noRegistration
	unserved
	unreadable
)

// comeback is a letter on its way back.
type comeback struct {
	letter *dispatch.Letter
	kind   comebackKind
	// rest is a letter for the targets that stay dead, stored before the rest goes back; nil when
	// there are none.
	rest *dispatch.Outgoing
	// out is what goes back, and devices how many it is for; 0 for a message.
	out     dispatch.Outgoing
	devices int
	// addresses are what tells, later, that it came back.
	addresses []address
}

// address names a push to one device of one message, wherever it is found.
type address struct{ app, message, user, device string }

// comebackOptions are what a comeback depends on besides the letter.
type comebackOptions struct {
	subjects       hongyan.Subjects
	filter         *dispatch.LetterFilter
	created        time.Time // of the dead letters' stream
	includeExpired bool
	// served says whether a live worker serves a certificate; nil where that does not matter.
	served Served
}

func (o *comebackOptions) serves(app, vendor, certificate string) bool {
	return o.served == nil || o.served(app, vendor, certificate)
}

// replayID is the Nats-Msg-Id under which a letter goes back: the same however often that is tried.
func replayID(created time.Time, sequence uint64) string {
	return fmt.Sprintf(":replay/%d/%d", created.UnixNano(), sequence)
}

// comeBack prepares a letter's way back. job is the letter's, nil for one that holds an original
// message or cannot be read. It is pure.
func comeBack(l *dispatch.Letter, job *dispatch.Job, users func(directory.Ref) *directory.User, opts comebackOptions, now time.Time) (comeback, error) {
	c := comeback{letter: l}
	id := replayID(opts.created, l.Sequence)
	if l.Original() {
		subject := l.Header[dispatch.HeaderSubject]
		x, err := opts.subjects.Parse(subject)
		switch {
		case err != nil || !published[x.Kind] || l.Truncated():
			c.kind = unreadable
			return c, nil
		case x.Kind == hongyan.KindJob && !opts.serves("", x.Vendor, x.Certificate):
			c.kind = unserved
			return c, nil
		}
		c.out = dispatch.Outgoing{Subject: subject, ID: id, Data: l.Data}
		return c, nil
	}
	if job == nil {
		c.kind = unreadable
		return c, nil
	}
	if !opts.serves(job.App, job.Vendor, job.Certificate) {
		c.kind = unserved
		return c, nil
	}
	next := *job
	if !next.Notification.Deadline.After(now) {
		if !opts.includeExpired {
			c.kind = tooLate
			return c, nil
		}
		fresh := *next.Notification
		fresh.Deadline = now.Add(lifetime(job))
		next.Notification = &fresh
	}
	reason := l.Reason
	var back, stay []dispatch.Target
	for _, t := range job.Targets {
		if !opts.filter.Wants(&t) {
			stay = append(stay, t)
			continue
		}
		fresh, registered := refresh(t, job, users(directory.Ref{App: job.App, User: t.User}))
		if !registered && reason == vendors.BadToken {
			stay = append(stay, t)
			continue
		}
		back = append(back, fresh)
	}
	if len(back) == 0 {
		c.kind = noRegistration
		return c, nil
	}
	if len(stay) > 0 {
		rest, err := job.Part(stay).Encode()
		if err != nil {
			return c, err
		}
		c.rest = &dispatch.Outgoing{Subject: l.Subject, ID: fmt.Sprintf(":rest/%d/%d", opts.created.UnixNano(), l.Sequence), Data: rest, Header: l.Header}
		next = *next.Part(back)
	}
	next.Targets = back
	next.Attempts, next.NotBefore, next.FirstAttempt, next.LastAttempt = 0, time.Time{}, time.Time{}, time.Time{}
	data, err := next.Encode()
	if err != nil {
		return c, err
	}
	c.out = dispatch.Outgoing{Subject: opts.subjects.Job(job.Vendor, job.Certificate, job.Lane), ID: id, Data: data}
	c.devices = len(back)
	for _, t := range back {
		c.addresses = append(c.addresses, address{job.App, job.Notification.MessageID, t.User, t.Device})
	}
	return c, nil
}

// published are the kinds of subjects that the workers read, and an original message may go back
// to.
var published = map[hongyan.Kind]bool{hongyan.KindMessage: true, hongyan.KindUrgent: true, hongyan.KindSignal: true, hongyan.KindPiece: true, hongyan.KindJob: true}

// lifetime is how long a job's message was to live from its publication.
func lifetime(job *dispatch.Job) time.Duration {
	if ttl := job.Notification.Deadline.Sub(job.Published); !job.Published.IsZero() && ttl > 0 {
		return ttl
	}
	if job.Notification.Urgent {
		return hongyan.DefaultInviteTTL
	}
	return hongyan.DefaultTTL
}

// refresh brings a target up to date with the directory: the device may have a new token by now.
// registered says whether the device is still registered with the job's certificate; where it is
// not, the target stays as it was.
func refresh(t dispatch.Target, job *dispatch.Job, u *directory.User) (_ dispatch.Target, registered bool) {
	d := u.Device(t.Device)
	if d == nil {
		return t, false
	}
	token := d.Token(job.Certificate, job.Notification.VoIP)
	if token == "" {
		return t, false
	}
	t.Token, t.Region, t.Revision, t.RegisteredAt = token, d.Registration.Region, d.Revision, d.Registration.RegisteredAt
	return t, true
}
