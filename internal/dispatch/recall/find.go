package recall

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
)

// Outcomes reads what became of pushes.
type Outcomes interface {
	// Outcomes calls each with the records of an app and status since a time, as they are stored,
	// oldest first, until it returns false. All that was stored before the call is among them.
	Outcomes(ctx context.Context, app string, status hongyan.Status, since time.Time, each func(dispatch.Records) (more bool)) error
}

// device is a device of a user.
type device struct{ user, device string }

// place is what a screen shows one notification of at a time.
type place struct {
	device
	replaceKey string
}

// push is an accepted push of a recalled message.
type push struct {
	device
	message     string
	certificate string
	shown       dispatch.Shown
	// accepted is when the vendor took it, at when that was stored, or the same where it was handed
	// over.
	accepted, at time.Time
	// displaced says that a newer message has taken its place on the screen.
	displaced bool
}

// finding looks for what was accepted of some recalled messages of an app.
type finding struct {
	app string
	// asked are the questions by message.
	asked map[string]*question
	// last is the last push in each place that newer messages take, of any message once there is
	// one of a recalled message.
	last map[place]*push
	// counts says that the app counts what its icons show.
	counts bool
	// found counts the pushes, full says that there were too many.
	found int
	full  bool
}

// mostPushes is about how many pushes one reading finds; a message has up to 10,000 recipients.
const mostPushes = 200_000

// errFull says that the questions have too many pushes for one reading.
var errFull = errors.New("too many pushes for one reading")

func newFinding(app string, questions []*question, counts bool) *finding {
	f := &finding{app: app, asked: map[string]*question{}, last: map[place]*push{}, counts: counts}
	for _, q := range questions {
		f.asked[q.message] = q
		q.pushes, q.others = maps.Clone(q.late), map[string]bool{}
		for _, p := range q.late {
			f.take(p)
		}
	}
	return f
}

// take lets a push take its place on the screen, where newer messages take the place of older ones:
// of several messages the one that was accepted last has it.
func (f *finding) take(p *push) {
	key := p.shown.ReplaceKey()
	if key == "" {
		return
	}
	at := place{p.device, key}
	if last := f.last[at]; last != nil && last.message != p.message {
		if p.accepted.Before(last.accepted) {
			p.displaced = true
			return
		}
		last.displaced = true
	}
	f.last[at] = p
}

// find reads what was accepted in the windows, and then what was withdrawn already of it.
func (f *finding) find(ctx context.Context, from Outcomes, windows []window) error {
	if err := f.within(ctx, from, windows, hongyan.StatusAccepted, f.accepted); err != nil {
		return err
	}
	if f.counts {
		for _, status := range []hongyan.Status{hongyan.StatusSuppressed, hongyan.StatusWaiting} {
			if err := f.within(ctx, from, windows, status, f.counted); err != nil {
				return err
			}
		}
	}
	since, some := f.first()
	if !some {
		return nil
	}
	return from.Outcomes(ctx, f.app, hongyan.StatusWithdrawn, since, func(r dispatch.Records) bool {
		f.withdrawn(r)
		return true
	})
}

// within reads the records of a status in the windows.
func (f *finding) within(ctx context.Context, from Outcomes, windows []window, status hongyan.Status, each func(dispatch.Records)) error {
	for _, w := range windows {
		err := from.Outcomes(ctx, f.app, status, w.from, func(r dispatch.Records) bool {
			if r.Stored.After(w.to) {
				return false
			}
			each(r)
			return !f.full
		})
		if err != nil {
			return err
		}
		if f.full {
			return errFull
		}
	}
	return nil
}

// first is when the first push that was found was accepted; false where there is none.
func (f *finding) first() (first time.Time, some bool) {
	for _, q := range f.asked {
		for _, p := range q.pushes {
			if !some || p.at.Before(first) {
				first, some = p.at, true
			}
		}
	}
	return first, some
}

// accepted takes over what records say of recalled messages, and of newer ones in their places.
func (f *finding) accepted(r dispatch.Records) {
	words := strings.Fields(r.Shown)
	i := 0
	for line := range bytes.Lines(r.Data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		shown := dispatch.Shown("")
		if i < len(words) {
			shown = dispatch.ParseShown(words[i])
		}
		i++
		key := shown.ReplaceKey()
		if id, ok := messageOf(line); ok && f.asked[string(id)] == nil && (key == "" || len(f.last) == 0) {
			continue
		}
		outcomes, err := hongyan.ParseOutcomes(line)
		if err != nil {
			continue // what cannot be read says nothing of any message
		}
		for k := range outcomes {
			f.learn(&outcomes[k], shown, key, r.Stored)
		}
	}
}

// learn takes over an outcome that was stored at a time.
func (f *finding) learn(o *hongyan.Outcome, shown dispatch.Shown, key string, stored time.Time) {
	q := f.asked[o.MessageID]
	asked := q != nil && q.window.has(stored)
	for i := range o.Devices {
		d := device{o.Devices[i].User, o.Devices[i].Device}
		if last := f.last[place{d, key}]; !asked && (last == nil || last.message == o.MessageID) {
			continue
		}
		p := &push{device: d, message: o.MessageID, certificate: o.Certificate, shown: shown, accepted: o.At, at: stored}
		if p.accepted.IsZero() {
			p.accepted = stored
		}
		if f.take(p); !asked {
			continue
		}
		if q.pushes == nil {
			q.pushes = map[device]*push{}
		}
		q.pushes[d] = p
		f.found++
		f.full = f.found >= mostPushes && len(f.asked) > 1
	}
}

// withdrawn takes out what records say was withdrawn.
func (f *finding) withdrawn(r dispatch.Records) {
	f.each(r, func(q *question, d *hongyan.DeviceOutcome) {
		at := device{d.User, d.Device}
		if p := q.pushes[at]; p != nil && !r.Stored.Before(p.at) {
			delete(q.pushes, at)
		}
	})
}

// counted takes over for whom recalled messages were counted although nothing was accepted: their
// devices wait, or would be pushed to at another time.
func (f *finding) counted(r dispatch.Records) {
	f.each(r, func(q *question, d *hongyan.DeviceOutcome) {
		if !q.window.has(r.Stored) || q.others[d.User] {
			return
		}
		q.others[d.User] = true
		f.found++
		f.full = f.found >= mostPushes && len(f.asked) > 1
	})
}

// each calls use with the devices of records that are of recalled messages.
func (f *finding) each(r dispatch.Records, use func(q *question, d *hongyan.DeviceOutcome)) {
	for line := range bytes.Lines(r.Data) {
		if id, ok := messageOf(line); ok && f.asked[string(id)] == nil {
			continue
		}
		outcomes, err := hongyan.ParseOutcomes(line)
		if err != nil {
			continue // what cannot be read says nothing of any message
		}
		for _, o := range outcomes {
			if q := f.asked[o.MessageID]; q != nil {
				for i := range o.Devices {
					use(q, &o.Devices[i])
				}
			}
		}
	}
}

// messageOf is the message's id in a record's line as workers write it; false where it is written
// in another way.
func messageOf(line []byte) (id []byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"message_id":"`))
	if !ok {
		return nil, false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return nil, false
	}
	return rest[:end], true
}
