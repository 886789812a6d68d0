package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// capCalls is how many counters of devices are asked for at once.
const capCalls = 32

// DeviceRequest asks for one push to each of some devices.
type DeviceRequest struct {
	Certificate string
	Class       vendors.Class
	// Devices are hashes of tokens, 1 to 64 of [A-Za-z0-9_-]: keys must hold no token. No device
	// twice.
	Devices []string
	Now     time.Time
}

// Caps reports whether devices have a cap in this class. Only then TakeDevices needs to be called.
// A class that is meant for chat ([vendors.Class.Capped] is false) never has a cap.
func (l *Limiter) Caps(certificate string, class vendors.Class) bool {
	if !class.Capped {
		return false
	}
	c, err := l.find(certificate, class)
	return err == nil && c.cap > 0
}

// TakeDevices counts a push for each device and returns which devices may get it; false means
// [vendors.DeviceCapped]. It costs one round trip for each device, 32 at a time; nothing where
// there is no cap. After an error nothing may be sent, and what was counted is given back where
// that is certain.
func (l *Limiter) TakeDevices(ctx context.Context, r DeviceRequest) ([]bool, error) {
	allowed := make([]bool, len(r.Devices))
	c, days, err := l.capDays(r)
	if err != nil {
		return nil, err
	}
	if c == nil {
		for i := range allowed {
			allowed[i] = true
		}
		return allowed, nil
	}
	taken := make([]int, len(r.Devices)) // on how many days the device's push was counted
	// A count that was begun is finished, so that its outcome is known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(capCalls)
	for i, device := range r.Devices {
		group.Go(func() error {
			for _, d := range days {
				value, err := l.store.Add(ctx, c.deviceKey(device, d), 1, "")
				if err != nil {
					return err
				}
				taken[i]++
				if value > c.cap {
					n := taken[i]
					taken[i] = 0
					return l.returnDevice(ctx, c, device, days[:n])
				}
			}
			allowed[i] = true
			return nil
		})
	}
	if err = group.Wait(); err == nil {
		return allowed, nil
	}
	l.storeFailed(err)
	back, cancelBack := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
	defer cancelBack()
	var again errgroup.Group
	again.SetLimit(capCalls)
	for i, device := range r.Devices {
		if taken[i] > 0 {
			again.Go(func() error { return l.returnDevice(back, c, device, days[:taken[i]]) })
		}
	}
	return nil, fmt.Errorf("count devices: %w", errors.Join(err, again.Wait()))
}

// ReturnDevices undoes what TakeDevices counted, for devices whose push the vendor did not count.
// Now must be the Now of TakeDevices. If it fails, the devices can use less of their cap, never
// more.
func (l *Limiter) ReturnDevices(ctx context.Context, r DeviceRequest) error {
	c, days, err := l.capDays(r)
	if err != nil || c == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.opts.StoreTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(capCalls)
	for _, device := range r.Devices {
		group.Go(func() error { return l.returnDevice(ctx, c, device, days) })
	}
	return group.Wait()
}

func (l *Limiter) returnDevice(ctx context.Context, c *class, device string, days []string) error {
	var failed []error
	for _, d := range days {
		if _, err := l.store.Add(ctx, c.deviceKey(device, d), -1, ""); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (c *class) deviceKey(device, day string) string {
	return joinKey(deviceKey, c.cert.config.ID, c.name, device, day)
}

// capDays finds the class and the days that the push counts in; no class where there is no cap.
func (l *Limiter) capDays(r DeviceRequest) (*class, []string, error) {
	if !r.Class.Capped {
		return nil, nil, nil
	}
	c, err := l.find(r.Certificate, r.Class)
	if err != nil || c.cap == 0 {
		return nil, nil, err
	}
	for _, d := range r.Devices {
		if !validToken(d) {
			return nil, nil, errors.New("ratelimit: a device's hash cannot stand in a key")
		}
	}
	from, to := c.cert.arrival.bounds(r.Now)
	days := []string{dayRangeOf(from, c.cert.zone).name}
	if last := dayRangeOf(to, c.cert.zone).name; last != days[0] {
		days = append(days, last)
	}
	return c, days, nil
}
