package send

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/ratelimit"
	"github.com/hongyan-im/hongyan/internal/sleep"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// longWait divides waits for the rate: shorter ones are waited out in the lane, where they hold up
// nobody else, since the rate is the certificate's; longer ones belong to JetStream.
const longWait = 2500 * time.Millisecond

// limit asks the limiter for the call's devices. What may not go now returns to the queue, and so
// does a call that waited until a device is due to be decided on again, or too late, or whose
// certificate is held; a long wait ends those jobs' turn.
func (l *lane) limit(c *call) bool {
	ctx := l.s.ctx
	lim := l.s.Limiter
	if lim == nil {
		return true
	}
	for waited := false; ; waited = true {
		now := l.s.Now()
		if waited && l.tooOld(c, now) || l.s.held.Load() {
			l.uncap(c, everyone)
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
			l.uncap(c, func(k int) bool { return k >= g.Devices })
			l.putBack(c, g.Devices)
			return true
		}
		if g.Reason != vendors.RateLimited || g.Wait > longWait {
			l.uncap(c, everyone)
			c.shed(vendors.Result{Reason: g.Reason, RetryAfter: g.Wait}, everyone)
			return false
		}
		if !sleep.For(ctx, max(g.Wait, time.Millisecond)) {
			l.uncap(c, everyone)
			l.putBack(c, 0)
			return false
		}
		if !l.drop(c) {
			return false
		}
	}
}

// tooOld says whether one of the call's devices was decided on too long ago, or has no time left.
func (l *lane) tooOld(c *call, now time.Time) bool {
	for k, w := range c.works {
		if !now.Before(w.job.Notification.Deadline) || l.old(w, c.index[k:k+1], now) {
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
	now := l.s.Now()
	may, err := l.s.Limiter.TakeDevices(l.s.ctx, l.deviceRequest(c, now, everyone))
	if err != nil {
		c.shed(vendors.Result{Reason: vendors.RateLimited, RetryAfter: longWait, Err: err}, everyone)
		return false
	}
	c.counted = now
	c.shed(vendors.Result{Reason: vendors.DeviceCapped}, func(k int) bool { return !may[k] })
	return len(c.works) > 0
}

// deviceRequest names the devices that are chosen, by a hash: keys of the store must hold no token.
// They count in the day of a time.
func (l *lane) deviceRequest(c *call, at time.Time, chosen func(k int) bool) ratelimit.DeviceRequest {
	r := ratelimit.DeviceRequest{Certificate: l.s.Certificate.ID, Class: c.class, Now: at}
	for k := range c.works {
		if chosen(k) {
			sum := sha256.Sum256([]byte(c.batch.Devices[k].Token))
			r.Devices = append(r.Devices, hex.EncodeToString(sum[:16]))
		}
	}
	return r
}

// uncap takes back what was counted under a cap, if it was, for devices that are not pushed to.
func (l *lane) uncap(c *call, chosen func(k int) bool) {
	if c.counted.IsZero() {
		return
	}
	r := l.deviceRequest(c, c.counted, chosen)
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
	l.uncap(c, func(k int) bool { return !ratelimit.Counts(results[k].Reason) })
}
