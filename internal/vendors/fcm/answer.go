package fcm

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/hongyan-im/hongyan/internal/vendors"
)

// Levels of the code table: where in an answer a code stands.
const (
	levelError   = "errorCode" // details[].errorCode of a google.firebase.fcm.v1.FcmError
	levelProject = "project"   // the same, where a QuotaFailure or an ErrorInfo names the project's quota
	levelToken   = "token"     // the same, where the message or a field violation blames the token
	levelHTTP    = "http"      // the HTTP status of an answer without an FcmError
	levelLogin   = "login"     // the error of the token endpoint
)

// codes is the whole table. https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode,
// https://firebase.google.com/docs/cloud-messaging/error-codes; the login's are RFC 6749, 5.2.
var codes = []vendors.Code{
	{Code: "UNREGISTERED", Level: levelError, Reason: vendors.BadToken, Meaning: vendors.Both(
		"the app was uninstalled or the token expired (270 days without a connection)",
		"应用已卸载，或 token 过期（270 天未连接）")},
	{Code: "SENDER_ID_MISMATCH", Level: levelError, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both(
		"the token belongs to another Firebase project; when many do, the service account is of the wrong project",
		"token 属于另一个 Firebase 项目；若大量如此，说明服务账号属于错误的项目")},
	{Code: "INVALID_ARGUMENT", Level: levelToken, Reason: vendors.BadToken, Meaning: vendors.Both("the token is no registration token", "不是注册 token")},
	{Code: "INVALID_ARGUMENT", Level: levelError, Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter is wrong, or the message is too big", "参数有误，或消息过大")},
	{Code: "QUOTA_EXCEEDED", Level: levelError, Reason: vendors.RateLimited, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
		"the rate of the device (240 a minute, 5,000 an hour) is exceeded: it waits alone",
		"超出该设备的速率（每分钟 240、每小时 5000）：只有它等待")},
	{Code: "QUOTA_EXCEEDED", Level: levelProject, Reason: vendors.RateLimited, Meaning: vendors.Both(
		"the rate of the project (600,000 a minute) is exceeded",
		"超出项目的速率（每分钟 600000）")},
	{Code: "UNAVAILABLE", Level: levelError, Reason: vendors.Unavailable, Meaning: vendors.Both("the server is overloaded", "服务器过载")},
	{Code: "INTERNAL", Level: levelError, Reason: vendors.Unavailable, Meaning: vendors.Both("an internal error", "内部错误")},
	{Code: "THIRD_PARTY_AUTH_ERROR", Level: levelError, Reason: vendors.Refused, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
		"the token is of an iPhone or a browser, and the APNs or web push credential in the Firebase project is missing or invalid",
		"token 来自 iPhone 或浏览器，而 Firebase 项目中的 APNs 或 Web Push 凭据缺失或无效")},
	{Code: "APNS_AUTH_ERROR", Level: levelError, Reason: vendors.Refused, Scope: vendors.ScopeDevice, Meaning: vendors.Both(
		"the old name of THIRD_PARTY_AUTH_ERROR",
		"THIRD_PARTY_AUTH_ERROR 的旧名")},
	{Code: "UNSPECIFIED_ERROR", Level: levelError, Reason: vendors.Unknown, Meaning: vendors.Both("no more is known", "没有更多信息")},

	{Code: "400", Level: levelHTTP, Reason: vendors.BadPayload, Meaning: vendors.Both("the JSON does not match the schema", "JSON 不符合格式")},
	{Code: "401", Level: levelHTTP, Reason: vendors.AuthExpired, Meaning: vendors.Both("the access token is missing or expired", "访问令牌缺失或过期")},
	{Code: "403", Level: levelHTTP, Reason: vendors.BadCredentials, Meaning: vendors.Both(
		"the service account lacks cloudmessaging.messages.create, or the FCM API is disabled in the project",
		"服务账号缺少 cloudmessaging.messages.create 权限，或项目未启用 FCM API")},
	{Code: "404", Level: levelHTTP, Reason: vendors.BadCredentials, Meaning: vendors.Both("no such project or address", "项目或地址不存在"), Uncertain: true},
	{Code: "429", Level: levelHTTP, Reason: vendors.RateLimited, Meaning: vendors.Both("too fast", "发送过快")},
	{Code: "500", Level: levelHTTP, Reason: vendors.Unavailable, Meaning: vendors.Both("an internal error", "内部错误")},
	{Code: "502", Level: levelHTTP, Reason: vendors.Unavailable, Meaning: vendors.Both("the gateway failed; the body is HTML", "网关故障；应答是 HTML")},
	{Code: "503", Level: levelHTTP, Reason: vendors.Unavailable, Meaning: vendors.Both("the server is overloaded", "服务器过载")},
	{Code: "504", Level: levelHTTP, Reason: vendors.Unavailable, Meaning: vendors.Both("the gateway failed; the body is HTML", "网关故障；应答是 HTML")},

	{Code: "invalid_grant", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both(
		"the key was deleted, the account is unknown, or this host's clock is wrong",
		"密钥已删除、账号不存在，或本机时钟不准")},
	{Code: "invalid_client", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both("the service account is unknown", "服务账号不存在")},
	{Code: "unauthorized_client", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both("the service account may not log in so", "服务账号不能以此方式登录")},
	{Code: "invalid_scope", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both("the service account may not use FCM", "服务账号不能使用 FCM")},
	{Code: "access_denied", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both("a policy of the organisation forbids the login", "组织策略禁止登录")},
	{Code: "invalid_request", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both(
		"the token endpoint did not understand the login; is token_uri right?",
		"令牌端点不理解登录请求；token_uri 是否正确？")},
	{Code: "unsupported_grant_type", Level: levelLogin, Reason: vendors.BadCredentials, Meaning: vendors.Both(
		"the token endpoint does not know the login; is token_uri right?",
		"令牌端点不支持该登录方式；token_uri 是否正确？")},
}

// reader reads answers by the table of codes and what the configuration adds to it, by level.
type reader map[string]map[string]vendors.Code

func newReader(c *vendors.Common) reader {
	rd := reader{levelHTTP: vendors.Index(codes, levelHTTP)}
	for _, level := range []string{levelError, levelProject, levelToken} {
		rd[level] = c.Table(codes, level)
	}
	return rd
}

const fcmError = "type.googleapis.com/google.firebase.fcm.v1.FcmError"

// notAToken is what FCM says of a token that never was one.
const notAToken = "not a valid FCM registration token"

// problem is an error's body.
type problem struct {
	Error struct {
		Message string `json:"message"`
		Status  string `json:"status"`
		Details []struct {
			Type      string `json:"@type"`
			ErrorCode string `json:"errorCode"`
			// of a google.rpc.QuotaFailure and a google.rpc.ErrorInfo
			Violations []struct {
				Subject string `json:"subject"`
			} `json:"violations"`
			Metadata struct {
				QuotaLimit string `json:"quota_limit"`
			} `json:"metadata"`
			FieldViolations []struct {
				Field string `json:"field"`
			} `json:"fieldViolations"`
		} `json:"details"`
	} `json:"error"`
}

// interpret reads an answer.
func (rd reader) interpret(resp vendors.Response) vendors.Result {
	if resp.Status >= 200 && resp.Status < 300 {
		var ok struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(resp.Body, &ok) == nil && ok.Name != "" {
			return vendors.Result{Reason: vendors.Accepted, VendorID: ok.Name}
		}
		return vendors.HTTPResult(resp)
	}
	var p problem
	if json.Unmarshal(resp.Body, &p) != nil {
		p = problem{} // a gateway's page
	}
	code := p.errorCode()
	if code == "" {
		return rd.byStatus(resp, p)
	}
	level := levelError
	switch {
	case code == "INVALID_ARGUMENT" && p.blamesToken():
		level = levelToken
	case code == "QUOTA_EXCEEDED" && p.blamesProject():
		level = levelProject
	}
	row, known := rd[level][code]
	if !known {
		r := vendors.HTTPResult(resp)
		if r.Reason != vendors.RateLimited && r.Reason != vendors.Unavailable {
			r.Reason = vendors.Unknown
		}
		r.Code = code
		return wait(r)
	}
	return result(row, resp, p)
}

// byStatus reads an answer without an FcmError: a gateway's, or that of the machinery before FCM.
func (rd reader) byStatus(resp vendors.Response, p problem) vendors.Result {
	if resp.Status == http.StatusBadRequest && p.blamesToken() {
		return result(rd[levelToken]["INVALID_ARGUMENT"], resp, p)
	}
	plain := vendors.HTTPResult(resp)
	row, known := rd[levelHTTP][strconv.Itoa(resp.Status)]
	if !known || plain.Reason == vendors.Unavailable && resp.Status < 500 { // or not Google's own answer
		return wait(plain)
	}
	r := result(row, resp, p)
	r.Code = "HTTP " + row.Code
	if plainCode(p.Error.Status) {
		r.Code = p.Error.Status
	}
	return r
}

func result(row vendors.Code, resp vendors.Response, p problem) vendors.Result {
	text := row.Meaning.EN
	if where := p.where(); where != "" && row.Reason == vendors.BadPayload {
		text += " (" + where + ")"
	}
	r := row.Result()
	r.RetryAfter, r.Err = resp.RetryAfter, errors.New(text)
	return wait(r)
}

// wait puts in how long Google asks to wait where the answer does not say: 60 s after a 429 of the
// project, and never less than 10 s after a failure. How long a single device waits is the sender's
// choice.
func wait(r vendors.Result) vendors.Result {
	switch {
	case r.Reason == vendors.RateLimited && r.RetryAfter == 0 && r.Scope != vendors.ScopeDevice:
		r.RetryAfter = quotaRetry
	case r.Reason == vendors.Unavailable && r.RetryAfter < firstRetry:
		r.RetryAfter = firstRetry
	}
	return r
}

// errorCode is FCM's own code, empty where the answer has none.
func (p *problem) errorCode() string {
	for _, d := range p.Error.Details {
		if d.Type == fcmError && plainCode(d.ErrorCode) {
			return d.ErrorCode
		}
	}
	return ""
}

// blamesToken tells a bad token from a bad message, which share the code INVALID_ARGUMENT.
func (p *problem) blamesToken() bool {
	if strings.Contains(p.Error.Message, notAToken) {
		return true
	}
	for _, d := range p.Error.Details {
		for _, v := range d.FieldViolations {
			if v.Field == "message.token" {
				return true
			}
		}
	}
	return false
}

// blamesProject says that a quota is the project's: the real body that is known has an ErrorInfo
// with the quota_limit SendsPerMinutePerProject, the documented one a QuotaFailure that names its
// subject. Anything else is the device's, which is the quota that chat meets.
func (p *problem) blamesProject() bool {
	for _, d := range p.Error.Details {
		if strings.Contains(strings.ToLower(d.Metadata.QuotaLimit), "project") {
			return true
		}
		for _, v := range d.Violations {
			if strings.HasPrefix(v.Subject, "project") {
				return true
			}
		}
	}
	return false
}

// where names the part of the message that FCM objects to. Only names out of this list are passed
// on: FCM's texts quote values.
func (p *problem) where() string {
	if strings.Contains(p.Error.Message, "too big") {
		return "too big"
	}
	for _, d := range p.Error.Details {
		for _, v := range d.FieldViolations {
			for _, part := range []string{"message.data", "message.android", "message.notification", "message.apns", "message"} {
				if strings.HasPrefix(v.Field, part) {
					return part
				}
			}
		}
	}
	return ""
}

// plainCode says that a code is fit for logs and metrics.
func plainCode(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '_' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
