package vivo

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// singlesAtOnce is how many single pushes stand in for a list push at a time.
const singlesAtOnce = 32

// driver sends list pushes until vivo answers that the number of contents stored per day is used up
// (10252), and then single pushes until vivo's midnight. An ordinary app may store a thousand
// contents a day, which a few busy groups use up by noon, and vivo asks not to call saveListPayload
// again on that day. This is the only state of the driver; if it is lost, vivo is asked once more.
type driver struct {
	vendors.Driver
	timeout time.Duration
	// noListsUntil is when list pushes may be tried again, in Unix seconds.
	noListsUntil atomic.Int64
}

// Push makes the call, or where a list is not to be had, a call for each device.
func (d *driver) Push(ctx context.Context, batch vendors.Batch) []vendors.Result {
	if len(batch.Devices) < 2 {
		return d.Driver.Push(ctx, batch)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if batch.Now.Unix() < d.noListsUntil.Load() {
		return d.pushSingly(ctx, batch)
	}
	results := d.Driver.Push(ctx, batch)
	// storing the content is refused for all devices or for none
	if results[0].Code != codeListBodies {
		return results
	}
	d.noListsUntil.Store(midnight(batch.Now).Unix())
	return d.pushSingly(ctx, batch)
}

// pushSingly pushes to each device in a call of its own, until an answer concerns the app or a call
// gets no answer. The devices for which there was no call then get the app's result where that
// counts as no attempt, and else are Interrupted, which sends them again at once.
func (d *driver) pushSingly(ctx context.Context, batch vendors.Batch) []vendors.Result {
	results := make([]vendors.Result, len(batch.Devices))
	var stop atomic.Pointer[vendors.Result]
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(singlesAtOnce, len(batch.Devices)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(results) {
					return
				}
				if result := stop.Load(); result != nil {
					results[i] = ofOthers(result)
					continue
				}
				if ctx.Err() != nil { // the time of the call is over, and the device had none of it
					results[i] = untried()
					continue
				}
				single := batch
				single.Devices = batch.Devices[i : i+1]
				results[i] = d.Driver.Push(ctx, single)[0]
				if stops(results[i].Reason) {
					stop.CompareAndSwap(nil, &results[i])
				}
			}
		})
	}
	wg.Wait()
	return results
}

// stops says whether no more single pushes are to be made after a result.
func stops(r vendors.Reason) bool {
	switch r {
	case vendors.BadCredentials, vendors.AuthExpired, vendors.RateLimited, vendors.QuotaSpent, vendors.Unavailable, vendors.Timeout, vendors.Interrupted:
		return true
	default:
		return false
	}
}

// ofOthers is the result of a device that was not pushed to because of another device's result.
func ofOthers(r *vendors.Result) vendors.Result {
	switch {
	case r.Reason == vendors.Unavailable, r.Reason == vendors.Timeout, r.Scope == vendors.ScopeDevice, r.Scope == vendors.ScopeNotification:
		return untried()
	}
	return *r
}

func untried() vendors.Result {
	return vendors.Result{Reason: vendors.Interrupted, Err: errors.New("not tried after the trouble of others of the list")}
}

// midnight is the end of vivo's day, which is the day in China.
func midnight(now time.Time) time.Time {
	y, m, d := now.In(time.FixedZone("UTC+8", 8*60*60)).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.FixedZone("UTC+8", 8*60*60))
}
