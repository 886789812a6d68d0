package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/standing"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// followEvery is how often what became of a message is read again.
	followEvery = 500 * time.Millisecond
	// followQuiet is how long nothing must come before devices that have no end are given up: they
	// were registered after the message, or are not among its recipient's. A vendor that does not
	// answer is known after a call's timeout, ten seconds unless the configuration says otherwise.
	followQuiet = 15 * time.Second
)

// Follow calls told with each decision on the question's message as it is stored, until the
// message has ended on all of the user's devices, is found to be malformed, or no worker runs that
// could read it.
func (r *Reader) Follow(ctx context.Context, q Question, told func(*Decision)) error {
	u, _, err := r.User(ctx, q.App, q.User)
	if err != nil {
		return err
	}
	f := following{devices: map[string]bool{}, seen: map[string]bool{}}
	for i := range u.Devices {
		if reg := &u.Devices[i].Registration; reg.Token != "" || reg.VoIP != nil {
			f.devices[u.Devices[i].ID] = true
		}
	}
	x := &explainer{Reader: r, q: q, e: Explanation{App: q.App, User: q.User, Message: q.Message}}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	from, heard := q.Since, r.Now()
	for reads := 1; ; reads++ {
		err := r.Bus.Records(ctx, q.App, hongyan.Partition(q.User), from, func(record dispatch.Record) bool {
			from = record.Stored
			if record.MessageID != q.Message {
				return true
			}
			for i := range record.Devices {
				if d := decided(&record, i, r.Language); d.User == q.User && f.take(&d) {
					heard = r.Now()
					told(&d)
				}
			}
			return true
		})
		if err != nil {
			return err
		}
		if f.over(r.Now().Sub(heard)) {
			return nil
		}
		if len(f.seen) == 0 && reads%10 == 0 {
			if unreadable, err := x.unreadable(ctx); unreadable || err != nil {
				return err
			}
			if _, err := standing.Workers(ctx, r.Bus); errors.Is(err, standing.ErrNoWorker) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// unreadable says whether a worker found that the message cannot be read.
func (x *explainer) unreadable(ctx context.Context) (found bool, err error) {
	box, err := x.Bus.LetterBox(ctx)
	if isAbsent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	filter := dispatch.LetterFilter{Reason: vendors.Malformed, App: x.e.App, Message: x.e.Message, Since: x.q.Since}
	err = x.letters(ctx, box, &filter, func(*dispatch.Letter) { found = true })
	return found, err
}

// following is what was seen of a message that is followed.
type following struct {
	// devices are those that the push may go to: true while no end of them is known.
	devices map[string]bool
	seen    map[string]bool
	// last is the newest decision of each device, the one that is decided last.
	last map[string]Decision
}

// take notes a decision; it returns false for one that was seen before.
func (f *following) take(d *Decision) (unseen bool) {
	key := fmt.Sprint(d.Device, "\x00", d.Status, "\x00", d.Reason, "\x00", d.Attempt, "\x00", d.At.UnixNano(), "\x00", d.stored.UnixNano())
	if f.seen[key] {
		return false
	}
	f.seen[key] = true
	if f.last == nil {
		f.last = map[string]Decision{}
	}
	if old, has := f.last[d.Device]; d.Status != hongyan.StatusWithdrawn && (!has || !d.At.Before(old.At)) {
		f.last[d.Device] = *d
	}
	if d.Status.End() {
		f.devices[d.Device] = false
	}
	return true
}

// over says that nothing more is to come, when nothing came for so long.
func (f *following) over(quiet time.Duration) bool {
	if len(f.last) == 0 {
		return false
	}
	_, all := f.last[""] // a decision on the whole user
	for _, d := range f.last {
		if !d.Status.End() && !all {
			return false
		}
	}
	for _, open := range f.devices {
		if open && !all && quiet < followQuiet {
			return false
		}
	}
	return true
}
