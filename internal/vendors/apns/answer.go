package apns

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sideshow/apns2"

	"github.com/hongyan-im/hongyan/internal/h2conn"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Reasons that apns2 has no constant for.
const (
	reasonUnrelatedKeyID = "UnrelatedKeyIdInToken"
	reasonKeyEnvironment = "BadEnvironmentKeyIdInToken"
	// reasonKeyEnvironmentShort is how one log of the field spells the reason above.
	reasonKeyEnvironmentShort = "BadEnvironmentKeyInToken"
)

// codes are the reasons of APNs, dated 2026-11. Apple, "Handling notification responses from APNs",
// in the order of their status: 400, 403, 404, 405, 410, 413, 429, 500, 503.
func codes() []vendors.Code {
	return []vendors.Code{
		{Code: "BadCollapseId", Reason: vendors.BadPayload, Meaning: "The collapse identifier exceeds 64 bytes."},
		{Code: "BadDeviceToken", Reason: vendors.BadToken, Doubtful: true, Meaning: "The token is invalid, or of the other environment: if many tokens get this at once, test_mode or endpoint is wrong."},
		{Code: "BadExpirationDate", Reason: vendors.BadPayload, Meaning: "The apns-expiration value is bad."},
		{Code: "BadMessageId", Reason: vendors.BadPayload, Meaning: "The apns-id value is bad."},
		{Code: "BadPriority", Reason: vendors.BadPayload, Meaning: "The apns-priority value is bad."},
		{Code: "BadTopic", Reason: vendors.BadCredentials, Meaning: "The apns-topic is invalid; of a VoIP push that push is refused, and the certificate is not parked."},
		{Code: "DeviceTokenNotForTopic", Reason: vendors.BadToken, Doubtful: true, Meaning: "The token belongs to another topic: another bundle id, or a VoIP token used for alerts."},
		{Code: "DuplicateHeaders", Reason: vendors.BadPayload, Meaning: "A header was repeated."},
		{Code: "IdleTimeout", Reason: vendors.Unavailable, Meaning: "The connection was idle for too long; the next push uses a new one.", Uncertain: true},
		{Code: "InvalidPushType", Reason: vendors.BadPayload, Meaning: "The apns-push-type value is invalid."},
		{Code: "MissingDeviceToken", Reason: vendors.BadPayload, Meaning: "The path names no device token."},
		{Code: "MissingTopic", Reason: vendors.BadCredentials, Meaning: "The apns-topic is missing, and the certificate covers several."},
		{Code: "PayloadEmpty", Reason: vendors.BadPayload, Meaning: "The payload is empty."},
		{Code: "TopicDisallowed", Reason: vendors.BadCredentials, Meaning: "Pushing to this topic is not allowed; of a VoIP push as above."},
		{Code: "BadCertificate", Reason: vendors.BadCredentials, Meaning: "The certificate is invalid."},
		{Code: "BadCertificateEnvironment", Reason: vendors.BadCredentials, Meaning: "The certificate is for the other environment."},
		{Code: "ExpiredProviderToken", Reason: vendors.AuthExpired, Meaning: "The provider token is stale; a new one is made, and the push sent again over a new connection. If that is refused too, a clock is wrong."},
		{Code: "Forbidden", Reason: vendors.BadCredentials, Meaning: "The action is not allowed."},
		{Code: "InvalidProviderToken", Reason: vendors.BadCredentials, Meaning: "The provider token is invalid or its signature wrong: check key, key_id and team_id."},
		{Code: "MissingProviderToken", Reason: vendors.BadCredentials, Meaning: "Neither a certificate nor a provider token."},
		{Code: reasonUnrelatedKeyID, Reason: vendors.BadCredentials, Meaning: "The key is unrelated to the connection's first; the push was already sent again over a new connection."},
		{Code: reasonKeyEnvironment, Reason: vendors.BadCredentials, Meaning: "The key is for the other environment."},
		{Code: reasonKeyEnvironmentShort, Reason: vendors.BadCredentials, Meaning: "Another spelling of BadEnvironmentKeyIdInToken.", Uncertain: true},
		{Code: "BadPath", Reason: vendors.BadPayload, Meaning: "The path is wrong."},
		{Code: "MethodNotAllowed", Reason: vendors.BadPayload, Meaning: "The method is not POST."},
		{Code: "ExpiredToken", Reason: vendors.BadToken, Meaning: "The device token has expired."},
		{Code: "Unregistered", Reason: vendors.BadToken, Meaning: "The token is inactive for the topic: the app was removed. A registration later than the answer's timestamp stays."},
		{Code: "PayloadTooLarge", Reason: vendors.BadPayload, Meaning: "The payload exceeds 4,096 bytes, or 5,120 for VoIP."},
		{Code: "TooManyProviderTokenUpdates", Reason: vendors.RateLimited, Meaning: "The provider token changed more often than every 20 minutes; the one in use is kept."},
		{Code: "TooManyRequests", Reason: vendors.RateLimited, Scope: vendors.ScopeDevice, Meaning: "Too many pushes in a row to this one device, which waits alone."},
		{Code: "InternalServerError", Reason: vendors.Unavailable, Meaning: "An internal error."},
		{Code: "ServiceUnavailable", Reason: vendors.Unavailable, Meaning: "The service is unavailable."},
		{Code: "Shutdown", Reason: vendors.Unavailable, Meaning: "The server is shutting down; the next push uses a new connection."},
	}
}

// reader reads what APNs says, by the table of codes.
type reader map[string]vendors.Code

func newReader(c *vendors.Common) reader { return c.Table(codes(), "") }

// interpret reads an answer. Only an empty 200 is Apple's word for "taken"; a 200 with a body comes
// from something in between.
func (rd reader) interpret(resp vendors.Response) vendors.Result {
	r := vendors.Result{}
	if resp.Status == http.StatusOK && len(resp.Body) == 0 {
		r.Reason = vendors.Accepted
		return r
	}
	r.RetryAfter = resp.RetryAfter
	var body struct {
		Reason    string          `json:"reason"`
		Timestamp json.RawMessage `json:"timestamp"`
	}
	if json.Unmarshal(resp.Body, &body) != nil || body.Reason == "" || resp.Status < 400 {
		r.Code, r.Reason = "HTTP "+strconv.Itoa(resp.Status), vendors.Unavailable
		switch {
		case resp.Status == http.StatusTooManyRequests:
			r.Reason = vendors.RateLimited
		case resp.Status >= 400 && resp.Status < 500:
			r.Scope = vendors.ScopeCall
		}
		r.Err = errors.New("the answer is not one of APNs")
		return r
	}
	r.Code = printable(body.Reason)
	if code, known := rd[body.Reason]; known {
		r.Reason, r.Scope, r.Doubtful = code.Reason, code.Scope, code.Doubtful
		r.Err = errors.New(code.Meaning)
	} else {
		r.Reason = byStatus(resp.Status)
		r.Err = errors.New("a reason that is not in Apple's table")
	}
	if r.Reason == vendors.BadToken {
		r.DeadSince = deadSince(body.Timestamp)
	}
	return r
}

// ofVoIP is what an answer means for a VoIP push: a certificate without the right for the topic of
// such pushes still serves all others.
func ofVoIP(r vendors.Result) vendors.Result {
	switch r.Code {
	case apns2.ReasonBadTopic, apns2.ReasonTopicDisallowed, apns2.ReasonMissingTopic:
		if r.Reason == vendors.BadCredentials {
			r.Reason, r.Scope = vendors.Refused, vendors.ScopeDevice
		}
	}
	return r
}

// byStatus is the reason of an answer whose reason nobody knows.
func byStatus(status int) vendors.Reason {
	switch {
	case status == http.StatusForbidden:
		return vendors.BadCredentials
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusRequestEntityTooLarge:
		return vendors.BadPayload
	case status == http.StatusGone:
		return vendors.BadToken
	case status == http.StatusTooManyRequests:
		return vendors.RateLimited
	case status >= 500:
		return vendors.Unavailable
	}
	return vendors.Unknown
}

// firstMillisecond is where numbers begin to be milliseconds: as seconds it is in the year 5138.
const firstMillisecond = 1e11

// deadSince reads the timestamp of a 410: milliseconds since the epoch, as Apple says, or seconds,
// as some were seen to be. It is zero where the answer has none, as for a 400.
func deadSince(timestamp json.RawMessage) time.Time {
	n, err := strconv.ParseInt(strings.Trim(string(timestamp), `"`), 10, 64)
	switch {
	case err != nil || n <= 0 || n > 1<<48:
		return time.Time{}
	case n < firstMillisecond:
		return time.Unix(n, 0)
	}
	return time.UnixMilli(n)
}

// printable cuts a reason that nobody knows to what may stand in a log line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}

// goAwayError is a GOAWAY by which APNs said why it closes a connection. The reason is APNs' word
// about the connection, or about some push on it: never about the push that got the error.
type goAwayError struct {
	reason string // as in the table of codes, else empty
	// fatal says that no connection with these credentials will do better.
	fatal bool
}

func (e *goAwayError) Error() string {
	if e.reason == "" {
		return "APNs closed the connection by a GOAWAY without a reason"
	}
	return "APNs closed the connection by a GOAWAY, reason " + e.reason
}

// goAway reads the debug data of a GOAWAY, {"reason":"…"}. Only a known reason is passed on.
func (rd reader) goAway(debug []byte) *goAwayError {
	var body struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(debug, &body) != nil {
		return &goAwayError{}
	}
	code := rd[body.Reason]
	return &goAwayError{reason: code.Code, fatal: code.Reason == vendors.BadCredentials}
}

// failed is the result of a call that got no answer.
func (rd reader) failed(ctx context.Context, err error) vendors.Result {
	r := vendors.TransportResult(ctx, err)
	var away *h2conn.GoAwayError
	var alert *h2conn.AlertError
	switch {
	case r.Reason == vendors.Interrupted:
	case errors.As(err, &away):
		said := rd.goAway(away.Debug)
		r.Reason, r.Code, r.Err = vendors.Unavailable, "GOAWAY", said
		if said.fatal {
			r.Reason, r.Code = vendors.BadCredentials, said.reason
		}
	case errors.As(err, &alert) && alert.Certificate():
		r.Reason, r.Code = vendors.BadCredentials, apns2.ReasonBadCertificate
	}
	return r
}
