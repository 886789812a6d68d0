package apns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sideshow/apns2"

	"github.com/hongyan-im/hongyan/internal/h2conn"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Driver makes the driver. It connects with the first push, not here.
func (c *Config) Driver(vendors.Env) (vendors.Driver, error) {
	tlsConfig, err := c.TLS()
	if err != nil {
		return nil, err
	}
	d := &driver{config: c, timeout: c.CallTimeout(), host: strings.TrimPrefix(c.host(), "https://"), voipTopic: c.Topic + ".voip", reader: newReader(&c.Common)}
	if c.Key != "" {
		if d.token, err = newToken(c); err != nil {
			return nil, fmt.Errorf("apns: %w", err)
		}
	} else {
		cert, err := parseCertificate(c.Certificate, c.CertificatePassword)
		if err != nil {
			return nil, fmt.Errorf("apns: certificate %w", err)
		}
		tlsConfig.Certificates = []tls.Certificate{cert}
	}
	if d.kinds, err = newKinds(c.Topic, d.voipTopic); err != nil {
		return nil, fmt.Errorf("apns: topic: %w", err)
	}
	if d.transport, err = newTransport(c, tlsConfig, d.reader, d.token); err != nil {
		return nil, fmt.Errorf("apns: %w", err)
	}
	return d, nil
}

type driver struct {
	config     *Config
	timeout    time.Duration
	host       string
	voipTopic  string
	token      *providerToken // nil with a certificate
	authorized atomic.Pointer[authorization]
	kinds      map[kind]*h2conn.Preset
	reader     reader
	transport  *h2conn.Transport
	fitted     fittedTexts
}

// Limits returns one device per call: APNs has no batches.
func (d *driver) Limits() vendors.Limits {
	return vendors.Limits{Batch: 1, Replaces: true, Badge: true}
}

// Close ends all calls and closes the connections.
func (d *driver) Close() { d.transport.Close() }

// Push sends to each device of the batch, of which there is one.
func (d *driver) Push(ctx context.Context, batch vendors.Batch) []vendors.Result {
	results := make([]vendors.Result, len(batch.Devices))
	for i := range batch.Devices {
		results[i] = d.push(ctx, batch.Now, &batch.Devices[i])
	}
	return results
}

// errWrongToken is the error of a token that is not hexadecimal, which would break the path.
var errWrongToken = errors.New("the device token is not hexadecimal")

func (d *driver) push(ctx context.Context, now time.Time, dev *vendors.Device) vendors.Result {
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
		Topic: d.config.Topic, PushType: apns2.PushTypeAlert, Priority: apns2.PriorityHigh,
	}
	switch {
	case n.VoIP:
		push.Topic, push.PushType = d.voipTopic, apns2.PushTypeVOIP
	case d.level(n) == passive && !n.Quiet: // what is on the screen is replaced at once
		// nothing that lights the screen, so the phone may choose the moment
		push.Priority = apns2.PriorityLow
	}
	x := exchanges.Get().(*exchange)
	defer x.free()
	d.request(x, push, expiration(n, now, d.config.TTL), body)
	r, bearer := d.send(ctx, x)
	switch r.Code {
	case apns2.ReasonExpiredProviderToken:
		if d.token == nil {
			r.Reason = vendors.BadCredentials
			break
		}
		// On a connection that has not seen the old token, see spent, the new one may come early.
		renewed := d.token.renew(bearer, now)
		if renewed {
			r, _ = d.send(ctx, x)
		}
		if r.Reason == vendors.AuthExpired {
			r.Reason = vendors.BadCredentials
			if !renewed {
				r.Err = errors.New("APNs calls a provider token expired that is younger than 20 minutes: check this machine's clock")
			}
		}
	case reasonUnrelatedKeyID:
		r, _ = d.send(ctx, x) // over another connection, see spent
	}
	if n.VoIP {
		r = ofVoIP(r)
	}
	if r.Reason == vendors.Accepted {
		r.Note = note
	}
	return r
}

// send makes one call. It also returns the provider token that it used.
func (d *driver) send(ctx context.Context, x *exchange) (vendors.Result, string) {
	auth, err := d.authorize()
	if err != nil {
		return vendors.Result{Reason: vendors.BadCredentials, Err: err}, ""
	}
	x.req.Literal = auth.field
	trace := vendors.StartExchange(ctx, http.MethodPost, "https", d.host, "/3/device/REDACTED")
	if err := d.transport.Do(ctx, &x.req, &x.resp); err != nil {
		trace.Failed(err)
		return d.reader.failed(ctx, err), auth.bearer
	}
	trace.Answered(x.resp.Status, x.resp.Get("date"))
	r := d.reader.interpret(x.answer())
	r.VendorID = x.resp.Get("apns-id")
	return r, auth.bearer
}

// voipStore is how long APNs keeps a VoIP push for a phone that is off. Apple asks for "0, or only
// a few seconds", because a push that arrives later would ring for a call that has ended.
const voipStore = 5 * time.Second

// maxStore is how long APNs keeps a push at most.
const maxStore = 30 * 24 * time.Hour

// expiration is the header apns-expiration: the deadline in seconds since the epoch, or "0" if it
// has passed, which means "try once, do not store". Without the header APNs would keep the push for
// up to 30 days. A quiet push is never stored: APNs keeps one for a device, which may be another
// message that nobody has seen yet.
func expiration(n *vendors.Notification, now time.Time, ttl time.Duration) string {
	if n.Quiet || !n.Deadline.After(now) {
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
