package send

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// longWait divides waits for the rate: shorter ones are waited out in the lane, where they hold up
// nobody else, since the rate is the certificate's; longer ones belong to JetStream.
const longWait = 2500 * time.Millisecond

// limit asks the limiter for the call's devices. What may not go now returns to the queue, and so
// does a call that waited until the decision on a device is old or the certificate is held; a long
// wait ends those jobs' turn.
func (l *lane) limit(c *call) bool {
	ctx := l.s.ctx
	lim := l.s.Limiter
	if lim == nil {
		return true
	}
	for waited := false; ; waited = true {
		now := l.s.Now()
		if waited && l.tooOld(c, now) || l.s.held.Load() {
			if c.capped {
				l.returnDevices(c, 0, func(int) bool { return true })
			}
			l.putBack(c, 0)
			return false
		}
		g, err := lim.Take(ctx, ratelimit.Request{Certificate: l.s.Certificate.ID, Class: c.class, Urgent: l.name == hongyan.LaneUrgent, Devices: len(c.works), Requests: 1, Now: now})
		if err != nil {
			l.s.Log.Error("the limiter refuses a call", "certificate", l.s.Certificate.ID, "class", c.class.Name, "error", err)
			g = ratelimit.Grant{Reason: vendors.RateLimited, Wait: longWait + time.Second}
		}
		if g.Devices > 0 {
			c.grant = g
			if c.capped && g.Devices < len(c.works) {
				l.returnDevices(c, g.Devices, func(int) bool { return true })
			}
			l.putBack(c, g.Devices)
			return true
		}
		if g.Reason != vendors.RateLimited || g.Wait > longWait {
			if c.capped {
				l.returnDevices(c, 0, func(int) bool { return true })
			}
			c.shed(func(int) (vendors.Result, bool) { return vendors.Result{Reason: g.Reason, RetryAfter: g.Wait}, true })
			return false
		}
		if !sleep(ctx, max(g.Wait, time.Millisecond)) {
			if c.capped {
				l.returnDevices(c, 0, func(int) bool { return true })
			}
			l.putBack(c, 0)
			return false
		}
		if !l.drop(c) {
			return false
		}
	}
}

// tooOld says whether one of the call's devices was decided on too long ago.
func (l *lane) tooOld(c *call, now time.Time) bool {
	for k, w := range c.works {
		if l.old(w, c.index[k:k+1], now) {
			return true
		}
	}
	return false
}

func (l *lane) caps(class vendors.Class) bool {
	return l.s.Limiter != nil && l.s.Limiter.Caps(l.s.Certificate.ID, class)
}

// capDevices counts the call's devices under the class's cap and ends the turn of those that had
// their share of the day. False means that nobody is left.
func (l *lane) capDevices(c *call) bool {
	if !l.caps(c.class) {
		return true
	}
	may, err := l.s.Limiter.TakeDevices(l.s.ctx, l.deviceRequest(c, 0, func(int) bool { return true }))
	if err != nil {
		c.shed(func(int) (vendors.Result, bool) {
			return vendors.Result{Reason: vendors.RateLimited, RetryAfter: longWait, Err: err}, true
		})
		return false
	}
	c.capped = true
	c.shed(func(k int) (vendors.Result, bool) { return vendors.Result{Reason: vendors.DeviceCapped}, !may[k] })
	return len(c.works) > 0
}

// deviceRequest names the devices from the first-th on that are chosen, by a hash: keys of the
// store must hold no token.
func (l *lane) deviceRequest(c *call, first int, chosen func(k int) bool) ratelimit.DeviceRequest {
	r := ratelimit.DeviceRequest{Certificate: l.s.Certificate.ID, Class: c.class, Now: c.batch.Now}
	for k := first; k < len(c.works); k++ {
		if chosen(k) {
			sum := sha256.Sum256([]byte(c.batch.Devices[k].Token))
			r.Devices = append(r.Devices, hex.EncodeToString(sum[:16]))
		}
	}
	return r
}

// returnDevices takes back what was counted under a cap for devices that were not pushed to.
func (l *lane) returnDevices(c *call, first int, chosen func(k int) bool) {
	r := l.deviceRequest(c, first, chosen)
	if len(r.Devices) == 0 {
		return
	}
	if err := l.s.Limiter.ReturnDevices(l.s.hard, r); err != nil {
		l.s.Log.Warn("devices keep a push less than their cap today", "certificate", l.s.Certificate.ID, "devices", len(r.Devices), "error", err)
	}
}

// settleLimits tells the limiter what became of a call.
func (l *lane) settleLimits(c *call, results []vendors.Result, now time.Time) {
	if l.s.Limiter == nil {
		return
	}
	l.s.Limiter.Settle(c.grant, ratelimit.OutcomeOf(results, now))
	if c.capped {
		l.returnDevices(c, 0, func(k int) bool { return !ratelimit.Counts(results[k].Reason) })
	}
}
