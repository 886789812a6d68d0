package ratelimit

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Certificate is what the limiter needs to know about a certificate. [CertificateOf] makes one from
// its configuration.
type Certificate struct {
	ID string
	// Rate, for all workers together; the zero value for none.
	Rate vendors.Rate
	// DailyQuota and DeviceCap by class name win over the published numbers of a [vendors.Class].
	DailyQuota, DeviceCap map[string]vendors.Quota
	// UrgentReserve is the share of the daily quota, 0 to 1, that only urgent requests may use.
	UrgentReserve float64
	// Timezone is the vendor's day. Default Asia/Shanghai.
	Timezone string
	// Timeout is the longest that a call takes; around midnight it decides which days a call counts
	// in. Default 10s.
	Timeout time.Duration
	// Classes that are known before the first request, for the operator's view.
	Classes []vendors.Class
}

// CertificateOf makes a Certificate from the keys of the configuration.
func CertificateOf(c *vendors.Common, classes ...vendors.Class) Certificate {
	return Certificate{
		ID: c.ID, Rate: c.Rate, DailyQuota: c.DailyQuota, DeviceCap: c.DeviceCap, UrgentReserve: c.UrgentReserve,
		Timezone: c.Timezone, Timeout: c.CallTimeout(), Classes: classes,
	}
}

// Options of a [Limiter].
type Options struct {
	// Certificates are all that Take may name.
	Certificates []Certificate
	// Member is this worker's name among the workers, 1 to 64 of [A-Za-z0-9_-], different for every
	// process and start. Required unless Alone.
	Member string
	// Alone says that there is no other worker: the whole rate is used at once, and no lease of
	// this worker is stored.
	Alone bool
	// Now is the clock of Run; it must be the one that fills Request.Now. Nil is time.Now.
	Now func() time.Time
	// Logger gets one line for each change of state. Nil logs nothing.
	Logger *slog.Logger
	// Guard is how far the clocks of the workers and of the vendor may differ. Default 5s.
	Guard time.Duration
	// Heartbeat is how often the worker renews its lease and reads the KV. It must be at least
	// twice the KV's lag. Default 1s.
	Heartbeat time.Duration
	// MemberTTL is how long a worker's lease lasts after its last renewal. The worker itself stops
	// using its share of the rates half a heartbeat earlier. Default 5 heartbeats, at least 2s.
	MemberTTL time.Duration
	// Burst is for how long an unused rate accumulates. Default 100ms.
	Burst time.Duration
	// Drain is how long a worker that finds the whole quota leased waits for what other workers
	// return, before it reports the quota as spent. Default 4 heartbeats, none when Alone.
	Drain time.Duration
	// StoreTimeout is the longest that a call of the store may take. Default 2s.
	StoreTimeout time.Duration
}

func defaults(o *Options) {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&o.Guard, 5*time.Second)
	set(&o.Heartbeat, time.Second)
	set(&o.MemberTTL, max(5*o.Heartbeat, 2*time.Second))
	set(&o.Burst, 100*time.Millisecond)
	set(&o.Drain, 4*o.Heartbeat)
	set(&o.StoreTimeout, 2*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func newCertificate(c Certificate, opts Options) (*certificate, error) {
	if !validToken(c.ID) {
		return nil, errors.New("id is not 1 to 64 of [A-Za-z0-9_-]")
	}
	if c.UrgentReserve < 0 || c.UrgentReserve > 1 {
		return nil, errors.New("urgent_reserve is not between 0 and 1")
	}
	if c.Rate.DevicesPerSecond < 0 || c.Rate.RequestsPerSecond < 0 || c.Rate.DevicesPerSecond > 0 && c.Rate.RequestsPerSecond > 0 {
		return nil, errors.New("rate is not one number above 0")
	}
	if c.Timezone == "" {
		c.Timezone = "Asia/Shanghai"
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone: %w", err)
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	cert := &certificate{config: c, zone: zone, arrival: arrivalWindow{guard: opts.Guard, callTimeout: c.Timeout}, throttle: newThrottle(c.Rate, opts.Burst), slowKey: joinKey(slowdownKey, c.ID)}
	if opts.Alone {
		cert.throttle.setShare(1, 0, time.Time{}, opts.Now())
	}
	classes := map[string]*class{}
	for _, vc := range c.Classes {
		name := className(vc)
		if !validToken(name) {
			return nil, fmt.Errorf("class %q cannot stand in a key", name)
		}
		classes[name] = newClass(cert, vc, name)
	}
	cert.classes.Store(&classes)
	return cert, nil
}

func className(vc vendors.Class) string {
	if vc.Name == "" {
		return "all"
	}
	return vc.Name
}

// certificate is a Certificate with its state.
type certificate struct {
	config   Certificate
	zone     *time.Location
	arrival  arrivalWindow
	throttle *throttle
	slowKey  string // of its slowdown's entry

	classes atomic.Pointer[map[string]*class] // never changed, only replaced, under Limiter.mu
}
