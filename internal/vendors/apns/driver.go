package apns

//lint:file-ignore SA1019 the transport goes with the issue that makes a connection for pushes; net/http has no way yet to give a request to a certain connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sideshow/apns2"
	"golang.org/x/net/http2"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Driver makes the driver. It connects with the first push, not here.
func (c *Config) Driver(vendors.Env) (vendors.Driver, error) {
	tlsConfig, err := c.TLS()
	if err != nil {
		return nil, err
	}
	d := &driver{config: c, timeout: c.CallTimeout(), voipTopic: c.Topic + ".voip", reader: newReader(&c.Common)}
	var cert tls.Certificate
	if c.Key != "" {
		if d.token, err = newToken(c); err != nil {
			return nil, fmt.Errorf("apns: %w", err)
		}
	} else {
		if cert, err = parseCertificate(c.Certificate, c.CertificatePassword); err != nil {
			return nil, fmt.Errorf("apns: certificate %w", err)
		}
		tlsConfig.Certificates = []tls.Certificate{cert}
	}
	for range c.connections() {
		d.conns = append(d.conns, newConn(d.client(cert), tlsConfig, d.reader))
	}
	return d, nil
}

// client makes an apns2 client with a transport of its own.
func (d *driver) client(cert tls.Certificate) *apns2.Client {
	client := apns2.NewClient(cert)
	if d.token != nil {
		client = apns2.NewTokenClient(d.token.Token)
	}
	client.Host = d.config.host()
	client.HTTPClient.Timeout = 0 // the context has the deadline
	// APNs does not redirect; following one would carry the token elsewhere.
	client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	transport := client.HTTPClient.Transport.(*http2.Transport)
	transport.DisableCompression = true // answers are a line long
	transport.ReadIdleTimeout = pingIdle
	return client
}

// pingIdle is how long a connection may be silent before it is checked with a PING. Apple
// recommends an hour; a minute is shorter than the time after which a NAT or a load balancer
// forgets a connection. A connection that fails under load is noticed sooner, see maxFailures.
const pingIdle = time.Minute

type driver struct {
	config    *Config
	timeout   time.Duration
	voipTopic string
	token     *providerToken // nil with a certificate
	reader    reader
	conns     []*conn
	next      atomic.Uint32
	fitted    fittedTexts
}

// Limits returns one device per call: APNs has no batches.
func (d *driver) Limits() vendors.Limits { return vendors.Limits{Batch: 1} }

// Close closes the connections and waits for their writers.
func (d *driver) Close() {
	for _, c := range d.conns {
		c.close()
	}
}

// Push sends to each device of the batch, of which there is one.
func (d *driver) Push(ctx context.Context, batch vendors.Batch) []vendors.Result {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	results := make([]vendors.Result, len(batch.Devices))
	for i := range batch.Devices {
		results[i] = d.push(ctx, parent, batch.Now, &batch.Devices[i])
	}
	return results
}

// placeholder is the payload that apns2 marshals; exchange.rewrite replaces it by the real one.
const placeholder = "{}"

// errWrongToken is the error of a token that is not hexadecimal. apns2 would put it into the URL
// unchanged.
var errWrongToken = errors.New("the device token is not hexadecimal")

func (d *driver) push(ctx, parent context.Context, now time.Time, dev *vendors.Device) vendors.Result {
	if err := vendors.CheckToken(dev.Token); err != nil || !isHex(dev.Token) {
		return vendors.Result{Reason: vendors.BadToken, Code: apns2.ReasonBadDeviceToken, Err: errWrongToken}
	}
	n := dev.Notification
	body, note, err := d.payload(n, dev.Badge)
	if err != nil {
		return vendors.Result{Reason: vendors.BadPayload, Code: apns2.ReasonPayloadTooLarge, Err: err}
	}
	push := &apns2.Notification{
		ApnsID: uuid(dev.Key), CollapseID: digest(n.Replaces()), DeviceToken: dev.Token,
		Topic: d.config.Topic, PushType: apns2.PushTypeAlert, Priority: apns2.PriorityHigh, Payload: placeholder,
	}
	switch {
	case n.VoIP:
		push.Topic, push.PushType = d.voipTopic, apns2.PushTypeVOIP
	case d.level(n) == passive:
		// nothing that lights the screen, so the phone may choose the moment
		push.Priority = apns2.PriorityLow
	}
	x := exchange{body: body, expiration: expiration(n, now, d.config.TTL)}
	c := d.pick()
	r := d.send(ctx, parent, c, push, &x)
	switch r.Code {
	case apns2.ReasonExpiredProviderToken:
		if d.token == nil {
			r.Reason = vendors.BadCredentials
			break
		}
		// On a connection that has not seen the old token the new one may come early.
		c.drop(x.last)
		renewed := d.token.renew(x.bearer, now)
		if renewed {
			r = d.send(ctx, parent, c, push, &x)
		}
		if r.Reason == vendors.AuthExpired {
			r.Reason = vendors.BadCredentials
			if !renewed {
				r.Err = errors.New("APNs calls a provider token expired that is younger than 20 minutes: check this machine's clock")
			}
		}
	case reasonUnrelatedKeyID:
		c.drop(x.last)
		r = d.send(ctx, parent, c, push, &x)
	case apns2.ReasonShutdown, apns2.ReasonIdleTimeout:
		c.drop(x.last) // for the next push; this one is tried again by whoever called
	}
	if n.VoIP {
		r = ofVoIP(r)
	}
	if r.Reason == vendors.Accepted {
		r.Note = note
	}
	return r
}

// send makes one call.
func (d *driver) send(ctx, parent context.Context, c *conn, push *apns2.Notification, x *exchange) vendors.Result {
	x.reset()
	if _, err := c.client.PushWithContext(context.WithValue(ctx, exchangeKey{}, x), push); err != nil {
		return failed(parent, err)
	}
	return d.reader.interpret(x.answer)
}

// pick returns the connections in turn. It skips those that are just being opened or are full,
// unless all of them are.
func (d *driver) pick() *conn {
	n := uint32(len(d.conns))
	start := d.next.Add(1)
	for i := range n {
		if c := d.conns[(start+i)%n]; !c.busy() {
			return c
		}
	}
	return d.conns[start%n]
}

// voipStore is how long APNs keeps a VoIP push for a phone that is off. Apple asks for "0, or only
// a few seconds", because a push that arrives later would ring for a call that has ended.
const voipStore = 5 * time.Second

// maxStore is how long APNs keeps a push at most.
const maxStore = 30 * 24 * time.Hour

// expiration is the header apns-expiration: the deadline in seconds since the epoch, or "0" if it
// has passed, which means "try once, do not store". Without the header APNs would keep the push for
// up to 30 days.
func expiration(n *vendors.Notification, now time.Time, ttl time.Duration) string {
	if !n.Deadline.After(now) {
		return "0"
	}
	store := maxStore
	if n.VoIP {
		store = voipStore
	}
	if ttl > 0 && (n.VoIP || ttl < store) {
		store = ttl
	}
	at := n.Deadline
	if last := now.Add(store); at.After(last) {
		at = last
	}
	sec := at.Unix()
	if at.Nanosecond() > 0 {
		sec++
	}
	return strconv.FormatInt(sec, 10)
}
