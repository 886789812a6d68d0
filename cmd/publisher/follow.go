package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/bus"
	"github.com/hongyan-im/hongyan/internal/dispatch"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

const (
	// followEvery is how often what became of a message is read again.
	followEvery = 500 * time.Millisecond
	// followQuiet is how long nothing must come before devices that have no end are given up: they
	// were registered after the message, or are not among its recipient's.
	followQuiet = 5 * time.Second
)

// follow prints what becomes of the message as it is stored, until it has ended on all of the
// user's devices, or is found to be malformed.
func (x *explainer) follow(ctx context.Context) error {
	u, _, err := x.t.lookup(ctx, x.b, x.e.App, x.e.User)
	if err != nil {
		return err
	}
	f := following{devices: map[string]bool{}, seen: map[string]bool{}}
	for i := range u.Devices {
		if r := &u.Devices[i].Registration; r.Token != "" || r.VoIP != nil {
			f.devices[u.Devices[i].ID] = true
		}
	}
	if !x.t.json() {
		x.t.printf("following %s to %s; the interrupt key ends it", x.e.Message, x.e.User)
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	from, heard := x.since, x.t.now()
	for reads := 1; ; reads++ {
		err := x.b.Records(ctx, x.e.App, hongyan.Partition(x.e.User), from, func(r dispatch.Record) bool {
			from = r.Stored
			if r.MessageID != x.e.Message {
				return true
			}
			for i := range r.Devices {
				if d := decided(&r, i); d.User == x.e.User && f.take(&d) {
					heard = x.t.now()
					x.told(&d)
				}
			}
			return true
		})
		if err != nil {
			return err
		}
		if f.over(x.t.now().Sub(heard)) {
			return nil
		}
		if len(f.seen) == 0 && reads%10 == 0 {
			if unreadable, err := x.unreadable(ctx); unreadable || err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// told prints a decision as it comes.
func (x *explainer) told(d *decision) {
	if x.t.json() {
		return
	}
	said := d.Meaning
	if d.VendorCode != "" {
		said = d.VendorCode + " " + said
	}
	x.t.printf("%s  device %s  %s %s  %s", d.At.Local().Format("15:04:05.000"), dash(d.Device), d.Status, d.Reason, said)
}

// unreadable says whether a worker found that the message cannot be read.
func (x *explainer) unreadable(ctx context.Context) (found bool, err error) {
	box, err := x.b.LetterBox(ctx)
	if errors.Is(err, bus.ErrNoStream) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	filter := dispatch.LetterFilter{Reason: vendors.Malformed, App: x.e.App, Message: x.e.Message, Since: x.since}
	err = x.letters(ctx, box, &filter, func(*dispatch.Letter) { found = true })
	return found, err
}

// following is what was seen of a message that is followed.
type following struct {
	// devices are those that the push may go to: true while no end of them is known.
	devices map[string]bool
	seen    map[string]bool
	// last is the newest decision of each device, the one that is decided last.
	last map[string]decision
}

// take notes a decision; it returns false for one that was seen before.
func (f *following) take(d *decision) (unseen bool) {
	key := fmt.Sprint(d.Device, "\x00", d.Status, "\x00", d.Reason, "\x00", d.Attempt, "\x00", d.At.UnixNano(), "\x00", d.stored.UnixNano())
	if f.seen[key] {
		return false
	}
	f.seen[key] = true
	if f.last == nil {
		f.last = map[string]decision{}
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
