package honor

import "github.com/hongyan-im/hongyan/internal/vendors"

// Where a code stands: as code of the answer, as HTTP status, or as the list of data that names a
// device.
const (
	levelCode   = ""
	levelHTTP   = "http"
	levelDevice = "device"
)

const codeOK = "200"

// codes are the answers of Honor that this driver knows. Only for 200 and the two lists there is
// more than one source; the codes of the form 8001xxx in Honor's documentation belong to the SDK in
// the phone. Config.Codes and Config.SuccessCodes change the rows of the first level.
func codes() []vendors.Code {
	return []vendors.Code{
		{Code: codeOK, Reason: vendors.Accepted, Meaning: vendors.Both("success; data may name tokens that failed", "成功；data 中可能列出失败的 token")},
		{Code: "0", Reason: vendors.Unknown, Meaning: vendors.Both("success in one source: name it under success_codes if it is", "有资料称表示成功；若确实如此，写入 success_codes"), Uncertain: true},
		{Code: "80000000", Reason: vendors.Unknown, Meaning: vendors.Both("success at Huawei: name it under success_codes if it is", "在华为表示成功；若此处也是，写入 success_codes"), Uncertain: true},
		{Code: "12200000", Reason: vendors.Unknown, Meaning: vendors.Both(
			"success in one source: name it under success_codes if it is",
			"有资料称表示成功；若确实如此，写入 success_codes"), Uncertain: true},
		{Code: "400", Reason: vendors.BadPayload, Meaning: vendors.Both("wrong parameters", "参数错误"), Uncertain: true},
		{Code: "401", Reason: vendors.AuthExpired, Meaning: vendors.Both("access token invalid or expired", "访问令牌无效或过期"), Uncertain: true},
		{Code: "403", Reason: vendors.BadCredentials, Meaning: vendors.Both("no permission", "没有权限"), Uncertain: true},
		{Code: "404", Reason: vendors.Unknown, Meaning: vendors.Both("invalid token in one source; no registration is given up for a guess", "有资料称 token 无效；不会因猜测删除登记"), Uncertain: true},
		{Code: "429", Reason: vendors.RateLimited, Meaning: vendors.Both("too fast", "发送过快"), Uncertain: true},
		{Code: "500", Reason: vendors.Unavailable, Meaning: vendors.Both("server error", "服务端错误"), Uncertain: true},
		{Code: "502", Reason: vendors.Unavailable, Meaning: vendors.Both("server error", "服务端错误"), Uncertain: true},
		{Code: "503", Reason: vendors.RateLimited, Meaning: vendors.Both("too fast, as at Huawei", "发送过快，与华为相同"), Uncertain: true},
		{Code: "504", Reason: vendors.Unavailable, Meaning: vendors.Both("server error", "服务端错误"), Uncertain: true},

		{Code: "HTTP 400", Level: levelHTTP, Reason: vendors.BadPayload, Meaning: vendors.Both("wrong parameters", "参数错误"), Uncertain: true},
		{Code: "HTTP 401", Level: levelHTTP, Reason: vendors.AuthExpired, Meaning: vendors.Both("access token invalid or expired", "访问令牌无效或过期"), Uncertain: true},
		{Code: "HTTP 403", Level: levelHTTP, Reason: vendors.BadCredentials, Meaning: vendors.Both("no permission", "没有权限"), Uncertain: true},
		{Code: "HTTP 429", Level: levelHTTP, Reason: vendors.RateLimited, Meaning: vendors.Both("too fast", "发送过快"), Uncertain: true},
		{Code: "HTTP 503", Level: levelHTTP, Reason: vendors.RateLimited, Meaning: vendors.Both("too fast, as at Huawei", "发送过快，与华为相同"), Uncertain: true},

		{Code: "expireTokens", Level: levelDevice, Reason: vendors.BadToken, Doubtful: true, Meaning: vendors.Both("the token is invalid or expired", "token 无效或过期")},
		// Why they failed nobody knows, so they are tried again a few times and no more;
		// unavailable would make an outage of it.
		{Code: "failTokens", Level: levelDevice, Reason: vendors.Unknown, Meaning: vendors.Both(
			"the push to this token failed; the token is kept",
			"向该 token 推送失败；保留 token"), Uncertain: true},
	}
}
