// Package apns plays APNs: a strict fake of its server API, the look of its phones, and its account
// in the demo.
package apns

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hongyan-im/hongyan/internal/sandbox"
)

// Account is an account that the fake of apns knows.
type Account struct {
	// TeamID and KeyID are of the .p8 key whose public half is Key; Topics are the bundle ids that
	// it may push to.
	TeamID, KeyID string
	Key           *ecdsa.PublicKey
	Topics        []string
	// Certificate, in DER, is a client certificate that speaks for the account instead of a key.
	// The server has to ask for one (tls.RequestClientCert).
	Certificate []byte
}

// fake plays api.push.apple.com. Apple, "Sending notification requests to APNs" and "Handling
// notification responses from APNs".
type fake struct {
	core     *sandbox.Core
	accounts []Account

	mu sync.Mutex
	// net/http gives all requests of a connection the same pointer
	conns  map[*tls.ConnectionState]*conn
	jwts   map[string]providerToken // provider tokens whose signature was right
	topics map[string]string        // device token to the topic it was first seen with
}

func newFake(core *sandbox.Core, accounts []Account) *fake {
	return &fake{
		core: core, accounts: accounts,
		conns: map[*tls.ConnectionState]*conn{}, jwts: map[string]providerToken{}, topics: map[string]string{},
	}
}

func (f *fake) Pushes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/3/device/{token}": f.device, "/3/device/{$}": f.device, "/3/": f.badPath}
}

func (f *fake) Logins() map[string]http.HandlerFunc { return nil }

// status is the status that goes with each reason.
var status = map[string]int{
	"BadCollapseId": 400, "BadDeviceToken": 400, "BadExpirationDate": 400, "BadMessageId": 400, "BadPriority": 400, "BadTopic": 400,
	"DeviceTokenNotForTopic": 400, "DuplicateHeaders": 400, "IdleTimeout": 400, "InvalidPushType": 400, "MissingDeviceToken": 400,
	"MissingTopic": 400, "PayloadEmpty": 400, "TopicDisallowed": 400,
	"BadCertificate": 403, "BadCertificateEnvironment": 403, "ExpiredProviderToken": 403, "Forbidden": 403, "InvalidProviderToken": 403,
	"MissingProviderToken": 403, "UnrelatedKeyIdInToken": 403, "BadEnvironmentKeyIdInToken": 403, "BadEnvironmentKeyInToken": 403,
	"BadPath": 404, "MethodNotAllowed": 405, "ExpiredToken": 410, "Unregistered": 410, "PayloadTooLarge": 413,
	"TooManyProviderTokenUpdates": 429, "TooManyRequests": 429,
	"InternalServerError": 500, "ServiceUnavailable": 503, "Shutdown": 503,
}

// brokenRule is a rule that a request broke, and what APNs answers.
type brokenRule struct{ reason, rule string }

func broken(reason, format string, args ...any) *brokenRule {
	return &brokenRule{reason, fmt.Sprintf(format, args...)}
}

// call is one request on its way through the checks.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	id    string // apns-id, given or made
	token string
	body  []byte
}

func (f *fake) badPath(w http.ResponseWriter, r *http.Request) {
	if c, ok := f.begin(w, r); ok {
		f.violate(c, broken("BadPath", "the path is /3/device/ and a device token"))
	}
}

// device checks in the order of Pushy's mock server, but for the credentials, which APNs looks at
// before the device token. The rest of APNs' own order is not known, and nobody should depend on
// it.
func (f *fake) device(w http.ResponseWriter, r *http.Request) {
	c, ok := f.begin(w, r)
	if !ok {
		return
	}
	h, bad := readHeaders(r)
	if bad == nil {
		bad = f.authorize(r, h)
	}
	if bad == nil {
		if fault, struck := f.core.Strike("apns", c.token, sandbox.FaultExpiredAuth); struck {
			f.fault(c, fault)
			return
		}
		bad = checkToken(c.token)
	}
	if bad != nil {
		f.violate(c, bad)
		return
	}
	if _, struck := f.core.Strike("apns", c.token, sandbox.FaultDeadToken, sandbox.FaultPartial); struck {
		f.gone(c, "Unregistered", f.core.Now())
		return
	}
	if since, dead := f.core.Dead("apns", c.token); dead {
		f.gone(c, "Unregistered", since)
		return
	}
	if fault, struck := f.core.Strike("apns", c.token, sandbox.FaultThrottle, sandbox.FaultCode); struck {
		f.fault(c, fault)
		return
	}
	bad = f.bindTopic(c.token, h.topic)
	var p payload
	if bad == nil {
		p, bad = readPayload(c.body, h)
	}
	if bad != nil {
		f.violate(c, bad)
		return
	}
	f.core.Accept(sandbox.Push{
		Vendor: "apns", App: h.topic, Token: c.token, Key: h.collapse, VendorID: c.id, Title: p.title, Subtitle: p.subtitle, Body: p.body,
		Ext: p.ext, Class: h.pushType, Sound: p.sound, Image: p.image, Badge: p.badge, Group: p.thread, Call: h.pushType == "voip",
		Quiet: p.level == "passive" && p.sound == "", OnlyBadge: p.onlyBadge,
		Clears: p.clears(), CallID: p.callID, EndsCall: p.endsCall(h.pushType),
	})
	w.Header().Set("apns-id", c.id)
	w.WriteHeader(http.StatusOK)
}

// begin refuses what is no HTTP/2 over TLS and reads the request.
func (f *fake) begin(w http.ResponseWriter, r *http.Request) (call, bool) {
	if r.ProtoMajor != 2 || r.TLS == nil {
		f.core.Violate("apns", "", "APNs takes HTTP/2 over TLS only, and closes the connection on "+r.Proto)
		panic(http.ErrAbortHandler)
	}
	body, err := sandbox.Body(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	id := r.Header.Get("apns-id")
	if id == "" {
		id = uuid()
	}
	return call{w: w, r: r, id: id, token: r.PathValue("token"), body: body}, true
}

func (f *fake) violate(c call, b *brokenRule) {
	f.core.Violate("apns", b.reason, b.rule)
	f.answer(c, b.reason, time.Time{})
}

// gone answers 410. It is no error condition, says Apple, and breaks no rule.
func (f *fake) gone(c call, reason string, since time.Time) {
	f.core.Refuse("apns", 1)
	f.answer(c, reason, since)
}

func (f *fake) fault(c call, fault sandbox.Fault) {
	f.core.Refuse("apns", 1)
	if fault.RetryAfter > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter)))
	}
	switch fault.Kind {
	case sandbox.FaultThrottle:
		f.answer(c, "TooManyRequests", time.Time{})
	case sandbox.FaultExpiredAuth:
		f.answer(c, "ExpiredProviderToken", time.Time{})
	default:
		f.answer(c, fault.Code, f.core.Now())
	}
}

// answer writes an error: JSON with the reason, and for a 410 the time in milliseconds.
func (f *fake) answer(c call, reason string, since time.Time) {
	status, known := status[reason]
	if !known {
		status = http.StatusBadRequest
	}
	body := struct {
		Reason    string `json:"reason"`
		Timestamp int64  `json:"timestamp,omitzero"`
	}{Reason: reason}
	if status == http.StatusGone {
		body.Timestamp = since.UnixMilli()
	}
	c.w.Header().Set("apns-id", c.id)
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_ = json.NewEncoder(c.w).Encode(body) // the client may be gone
}

// bindTopic remembers the topic that a device token came with: a token is good for one, and a VoIP
// token is another than the one for alerts.
func (f *fake) bindTopic(token, topic string) *brokenRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	first, seen := f.topics[token]
	if !seen {
		if len(f.topics) >= 1<<20 {
			clear(f.topics)
		}
		f.topics[token] = topic
		return nil
	}
	if first != topic {
		return broken("DeviceTokenNotForTopic", "the device token belongs to topic %s, not to %s", first, topic)
	}
	return nil
}

func checkToken(token string) *brokenRule {
	if token == "" {
		return broken("MissingDeviceToken", "the path names no device token")
	}
	if _, err := hex.DecodeString(token); err != nil || len(token) < 64 || len(token) > 200 {
		return broken("BadDeviceToken", "a device token is hexadecimal, mostly 64 digits")
	}
	return nil
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// speaksFor reports whether a client certificate is an account's.
func (a Account) speaksFor(state *tls.ConnectionState) bool {
	return len(a.Certificate) > 0 && len(state.PeerCertificates) > 0 && bytes.Equal(state.PeerCertificates[0].Raw, a.Certificate)
}
