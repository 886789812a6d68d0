package vivo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// singlesAtOnce is how many single pushes stand in for a list push at a time.
const singlesAtOnce = 32

// driver sends list pushes until vivo says that the day's stored contents are used up (10252), and
// single pushes from then to vivo's midnight: vivo stores a thousand contents a day for an ordinary
// app, which a few busy groups use up by noon, and asks not to call saveListPayload again on that
// day. It is the one thing that this driver remembers; a forgetful one asks vivo once more.
type driver struct {
	vendors.Driver
	timeout time.Duration
	// until is when list pushes may be tried again, in Unix seconds.
	until atomic.Int64
}

// Push makes the call, or where a list is not to be had, a call for each device.
func (d *driver) Push(ctx context.Context, batch vendors.Batch) []vendors.Result {
	if len(batch.Devices) < 2 {
		return d.Driver.Push(ctx, batch)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if batch.Now.Unix() < d.until.Load() {
		return d.singles(ctx, batch)
	}
	results := d.Driver.Push(ctx, batch)
	// storing the content is refused for all devices or for none
	if results[0].Code != codeListBodies {
		return results
	}
	d.until.Store(midnight(batch.Now).Unix())
	return d.singles(ctx, batch)
}

// singles pushes to each device by itself. What vivo says of the app rather than of a device ends
// it: the rest get the same word.
func (d *driver) singles(ctx context.Context, batch vendors.Batch) []vendors.Result {
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
				if word := stop.Load(); word != nil {
					results[i] = *word
					continue
				}
				single := batch
				single.Devices = batch.Devices[i : i+1]
				results[i] = d.Driver.Push(ctx, single)[0]
				if ofApp(results[i].Reason) {
					stop.CompareAndSwap(nil, &results[i])
				}
			}
		})
	}
	wg.Wait()
	return results
}

// ofApp reports whether a reason would meet every other device as well.
func ofApp(r vendors.Reason) bool {
	switch r {
	case vendors.BadCredentials, vendors.AuthExpired, vendors.RateLimited, vendors.QuotaSpent, vendors.Unavailable, vendors.Timeout, vendors.Interrupted:
		return true
	default:
		return false
	}
}

// midnight is the end of vivo's day, which is China's.
func midnight(now time.Time) time.Time {
	y, m, d := now.In(time.FixedZone("UTC+8", 8*60*60)).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, time.FixedZone("UTC+8", 8*60*60))
}
