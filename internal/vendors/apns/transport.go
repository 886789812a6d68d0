package apns

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sideshow/apns2"

	"github.com/hongyan-im/hongyan/internal/h2conn"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// pingIdle is how long a connection may be silent before it is checked with a PING. Apple
// recommends an hour; a minute is shorter than the time after which a NAT or a load balancer
// forgets a connection.
const pingIdle = time.Minute

// maxAnswer is how much of an answer is read. Apple's have less than a hundred bytes.
const maxAnswer = 64 << 10

// newTransport makes the connections of one certificate.
func newTransport(c *Config, config *tls.Config, rd reader, token *providerToken) (*h2conn.Transport, error) {
	return h2conn.New(c.host(), h2conn.Options{
		TLS: config, Proxy: c.ProxyFor(), MaxConns: c.connections(), PingIdle: pingIdle, MaxAnswer: maxAnswer,
		Fatal: func(away *h2conn.GoAwayError) bool { return rd.goAway(away.Debug).fatal },
		Spent: func(status int, body []byte) bool { return status >= 400 && spent(body, token) },
	})
}

// spent reports whether an answer says that its connection takes no further pushes, or none with a
// new provider token. The token is nil with a certificate.
func spent(body []byte, token *providerToken) bool {
	var answer struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return false
	}
	switch answer.Reason {
	case apns2.ReasonShutdown, apns2.ReasonIdleTimeout, reasonUnrelatedKeyID:
		return true
	case apns2.ReasonExpiredProviderToken:
		// Once a new token came early, no further one will, and other connections do no better.
		return token != nil && !token.isEarly()
	}
	return false
}

// kind is what the pushes of one kind have in common in their headers.
type kind struct {
	topic    string
	pushType apns2.EPushType
	priority int
}

// newKinds makes the headers of all kinds of pushes that the driver sends. Connections encode them
// once.
func newKinds(topic, voipTopic string) (map[kind]*h2conn.Preset, error) {
	kinds := map[kind]*h2conn.Preset{}
	for _, k := range []kind{
		{topic, apns2.PushTypeAlert, apns2.PriorityHigh},
		{topic, apns2.PushTypeAlert, apns2.PriorityLow},
		{voipTopic, apns2.PushTypeVOIP, apns2.PriorityHigh},
	} {
		preset, err := h2conn.NewPreset(http.MethodPost,
			h2conn.Field{Name: "apns-topic", Value: k.topic},
			h2conn.Field{Name: "apns-push-type", Value: string(k.pushType)},
			h2conn.Field{Name: "apns-priority", Value: strconv.Itoa(k.priority)},
			h2conn.Field{Name: "content-type", Value: "application/json; charset=utf-8"},
		)
		if err != nil {
			return nil, err
		}
		kinds[k] = preset
	}
	return kinds, nil
}

// authorization is a provider token as the header that carries it.
type authorization struct {
	bearer string
	field  *h2conn.Literal
}

// withoutToken is the header of a driver with a certificate.
var withoutToken = &authorization{}

// authorize returns the header of the provider token, which apns2 replaces when it gets old.
func (d *driver) authorize() (*authorization, error) {
	if d.token == nil {
		return withoutToken, nil
	}
	bearer := d.token.GenerateIfExpired()
	if a := d.authorized.Load(); a != nil && a.bearer == bearer {
		return a, nil
	}
	field, err := h2conn.NewLiteral("authorization", "bearer "+bearer)
	if err != nil {
		return nil, err
	}
	a := &authorization{bearer: bearer, field: field}
	d.authorized.Store(a)
	return a, nil
}

// exchange is a request and its answer, which are used again for further pushes.
type exchange struct {
	req  h2conn.Request
	resp h2conn.Response
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// request writes a push as a request. The payload is not the notification's, which apns2 would
// marshal, and neither is the expiration, which apns2 cannot send as 0.
func (d *driver) request(x *exchange, push *apns2.Notification, expiration string, payload []byte) {
	x.req.Preset = d.kinds[kind{push.Topic, push.PushType, push.Priority}]
	x.req.Path = "/3/device/" + push.DeviceToken
	x.req.Fields = append(x.req.Fields[:0],
		h2conn.Field{Name: "apns-id", Value: push.ApnsID},
		h2conn.Field{Name: "apns-expiration", Value: expiration},
	)
	if push.CollapseID != "" {
		x.req.Fields = append(x.req.Fields, h2conn.Field{Name: "apns-collapse-id", Value: push.CollapseID})
	}
	x.req.Body, x.req.Timeout = payload, d.timeout
}

// free lets another push have the exchange. It keeps nothing that is large.
func (x *exchange) free() {
	x.req = h2conn.Request{Fields: x.req.Fields[:0]}
	if cap(x.resp.Body) <= keepBody {
		exchanges.Put(x)
	}
}

// keepBody is how much memory for an answer's body is kept.
const keepBody = 4 << 10

// answer is the answer as the reader wants it. An empty 200, which nearly all are, has no header.
// The body may not be kept.
func (x *exchange) answer() vendors.Response {
	a := vendors.Response{Status: x.resp.Status, Body: x.resp.Body}
	if a.Status == http.StatusOK && len(a.Body) == 0 {
		return a
	}
	a.Header = http.Header{}
	for _, f := range x.resp.Header {
		a.Header.Add(f.Name, f.Value)
	}
	a.RetryAfter = vendors.ParseRetryAfter(a.Header)
	return a
}
