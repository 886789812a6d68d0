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
		{Code: "BadCollapseId", Reason: vendors.BadPayload, Meaning: vendors.Both("The collapse identifier exceeds 64 bytes.", "折叠标识超过 64 字节")},
		{Code: "BadDeviceToken", Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
			"The token is invalid, or of the other environment: if many tokens get this at once, test_mode or endpoint is wrong.",
			"token 无效或属于另一环境：若大量 token 同时如此，说明 test_mode 或 endpoint 有误")},
		{Code: "BadExpirationDate", Reason: vendors.BadPayload, Meaning: vendors.Both("The apns-expiration value is bad.", "apns-expiration 的值有误")},
		{Code: "BadMessageId", Reason: vendors.BadPayload, Meaning: vendors.Both("The apns-id value is bad.", "apns-id 的值有误")},
		{Code: "BadPriority", Reason: vendors.BadPayload, Meaning: vendors.Both("The apns-priority value is bad.", "apns-priority 的值有误")},
		{Code: "BadTopic", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"The apns-topic is invalid; of a VoIP push that push is refused, and the certificate is not parked.",
			"apns-topic 无效；若是 VoIP 推送，则只拒绝该推送，不暂停证书")},
		{Code: "DeviceTokenNotForTopic", Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
			"The token belongs to another topic: another bundle id, or a VoIP token used for alerts.",
			"token 属于另一 topic：另一个 Bundle ID，或把 VoIP token 用于普通通知")},
		{Code: "DuplicateHeaders", Reason: vendors.BadPayload, Meaning: vendors.Both("A header was repeated.", "请求头重复")},
		{Code: "IdleTimeout", Reason: vendors.Unavailable, Meaning: vendors.Both(
			"The connection was idle for too long; the next push uses a new one.",
			"连接空闲过久；下一条推送使用新连接"), Uncertain: true},
		{Code: "InvalidPushType", Reason: vendors.BadPayload, Meaning: vendors.Both("The apns-push-type value is invalid.", "apns-push-type 的值无效")},
		{Code: "MissingDeviceToken", Reason: vendors.BadPayload, Meaning: vendors.Both("The path names no device token.", "路径中没有设备 token")},
		{Code: "MissingTopic", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"The apns-topic is missing, and the certificate covers several.",
			"缺少 apns-topic，而证书涵盖多个 topic")},
		{Code: "PayloadEmpty", Reason: vendors.BadPayload, Meaning: vendors.Both("The payload is empty.", "负载为空")},
		{Code: "TopicDisallowed", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"Pushing to this topic is not allowed; of a VoIP push as above.",
			"不允许向该 topic 推送；VoIP 推送的处理同 BadTopic")},
		{Code: "BadCertificate", Reason: vendors.BadCredentials, Meaning: vendors.Both("The certificate is invalid.", "证书无效")},
		{Code: "BadCertificateEnvironment", Reason: vendors.BadCredentials, Meaning: vendors.Both("The certificate is for the other environment.", "证书属于另一环境")},
		{Code: "ExpiredProviderToken", Reason: vendors.AuthExpired, Meaning: vendors.Both(
			"The provider token is stale; a new one is made, and the push sent again over a new connection. If that is refused too, a clock is wrong.",
			"签发的令牌已过期；重新签发并经新连接重发。若仍被拒，则时钟不准")},
		{Code: "Forbidden", Reason: vendors.BadCredentials, Meaning: vendors.Both("The action is not allowed.", "不允许该操作")},
		{Code: "InvalidProviderToken", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"The provider token is invalid or its signature wrong: check key, key_id and team_id.",
			"令牌无效或签名错误：检查 key、key_id 和 team_id")},
		{Code: "MissingProviderToken", Reason: vendors.BadCredentials, Meaning: vendors.Both("Neither a certificate nor a provider token.", "既没有证书也没有令牌")},
		{Code: reasonUnrelatedKeyID, Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"The key is unrelated to the connection's first; the push was already sent again over a new connection.",
			"密钥与该连接最初使用的密钥无关；已经新连接重发")},
		{Code: reasonKeyEnvironment, Reason: vendors.BadCredentials, Meaning: vendors.Both("The key is for the other environment.", "密钥属于另一环境")},
		{Code: reasonKeyEnvironmentShort, Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"Another spelling of BadEnvironmentKeyIdInToken.",
			"BadEnvironmentKeyIdInToken 的另一种拼写"), Uncertain: true},
		{Code: "BadPath", Reason: vendors.BadPayload, Meaning: vendors.Both("The path is wrong.", "路径有误")},
		{Code: "MethodNotAllowed", Reason: vendors.BadPayload, Meaning: vendors.Both("The method is not POST.", "方法不是 POST")},
		{Code: "ExpiredToken", Reason: vendors.BadToken, Meaning: vendors.Both("The device token has expired.", "设备 token 已过期")},
		{Code: "Unregistered", Reason: vendors.BadToken, Meaning: vendors.Both(
			"The token is inactive for the topic: the app was removed. A registration later than the answer's timestamp stays.",
			"token 对该 topic 已失效：应用已卸载。在应答所给时间之后的登记会保留")},
		{Code: "PayloadTooLarge", Reason: vendors.BadPayload, Meaning: vendors.Both("The payload exceeds 4,096 bytes, or 5,120 for VoIP.", "负载超过 4096 字节（VoIP 为 5120）")},
		{Code: "TooManyProviderTokenUpdates", Reason: vendors.RateLimited, Meaning: vendors.Both(
			"The provider token changed more often than every 20 minutes; the one in use is kept.",
			"令牌更换间隔短于 20 分钟；继续使用当前令牌")},
		{Code: "TooManyRequests", Reason: vendors.RateLimited, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
			"Too many pushes in a row to this one device, which waits alone.",
			"短时间内发给这一台设备的推送过多；只有它等待")},
		{Code: "InternalServerError", Reason: vendors.Unavailable, Meaning: vendors.Both("An internal error.", "内部错误")},
		{Code: "ServiceUnavailable", Reason: vendors.Unavailable, Meaning: vendors.Both("The service is unavailable.", "服务不可用")},
		{Code: "Shutdown", Reason: vendors.Unavailable, Meaning: vendors.Both("The server is shutting down; the next push uses a new connection.", "服务器正在关闭；下一条推送使用新连接")},
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
		r.Err = errors.New(code.Meaning.EN)
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
