package xiaomi

import "github.com/hongyan-im/hongyan/internal/vendors"

// codes is the table of codes, from Xiaomi's list of error codes and the official SDK's. What a
// code that is not here means nobody knows.
func codes() []vendors.Code {
	table := []vendors.Code{
		{Code: "0", Reason: vendors.Accepted, Meaning: vendors.Both(
			"success; data may still name dead tokens (bad_regids) and spent channels (channel_exceed_quota)",
			"成功；data 中仍可能列出失效 token（bad_regids）和额度用尽的渠道（channel_exceed_quota）")},
		{Code: "-1", Reason: vendors.Unavailable, Meaning: vendors.Both("unknown error of the server", "服务端未知错误")},
		{Code: "1", Reason: vendors.Unavailable, Meaning: vendors.Both("internal error", "内部错误")},
		{Code: "100", Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter must not be empty", "参数不能为空")},

		{Code: "10001", Reason: vendors.Unavailable, Meaning: vendors.Both("system error", "系统错误")},
		{Code: "10002", Reason: vendors.Unavailable, Meaning: vendors.Both("service suspended or busy", "服务暂停或繁忙")},
		{Code: "10003", Reason: vendors.Unavailable, Meaning: vendors.Both("remote service error", "远程服务错误")},
		{Code: "10004", Reason: vendors.BadCredentials, Meaning: vendors.Both("this IP address may not use the API", "该 IP 不允许访问接口")},
		{Code: "10005", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app key is not authorised for the API", "该 app key 未获接口授权")},
		{Code: "10006", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app key is missing", "缺少 app key")},
		{Code: "10007", Reason: vendors.BadPayload, Meaning: vendors.Both("unsupported MIME type", "不支持的 MIME 类型")},
		{Code: "10008", Reason: vendors.BadPayload, Meaning: vendors.Both("parameter error", "参数错误")},
		{Code: "10009", Reason: vendors.Unavailable, Meaning: vendors.Both("system busy", "系统繁忙")},
		{Code: "10010", Reason: vendors.Unavailable, Meaning: vendors.Both("job time-out", "任务超时")},
		{Code: "10011", Reason: vendors.Unavailable, Meaning: vendors.Both("RPC error", "RPC 错误")},
		{Code: "10012", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal request", "非法请求")},
		{Code: "10013", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal user", "非法用户")},
		{Code: "10014", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app's access to the API is limited", "应用的接口访问受限")},
		{Code: "10016", Reason: vendors.BadPayload, Meaning: vendors.Both("a required parameter is missing", "缺少必填参数")},
		{Code: "10017", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal value of a parameter", "参数值非法")},
		{Code: "10018", Reason: vendors.BadPayload, Scope: vendors.ScopeCall, Meaning: vendors.Both("the body is too long", "请求体过长")},
		{Code: "10020", Reason: vendors.BadCredentials, Meaning: vendors.Both("API not found", "接口不存在")},
		{Code: "10021", Reason: vendors.BadCredentials, Meaning: vendors.Both("HTTP method not supported", "不支持的 HTTP 方法")},
		{Code: "10022", Reason: vendors.RateLimited, Meaning: vendors.Both("too many requests from this IP address", "该 IP 请求过多")},
		{Code: "10023", Reason: vendors.RateLimited, Meaning: vendors.Both("too many requests of this user", "该用户请求过多")},
		{Code: "10024", Reason: vendors.RateLimited, Meaning: vendors.Both("too many requests of this user to this API", "该用户对此接口请求过多")},
		{Code: "10025", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal callback URL", "回执地址非法")},
		{Code: "10026", Reason: vendors.Refused, Meaning: vendors.Both(
			"the app is on the blacklist and may not call the API: ask Xiaomi why",
			"应用在黑名单中，不能调用接口：请向小米询问原因")},
		{Code: "10027", Reason: vendors.RateLimited, Meaning: vendors.Both("the app calls the API too often", "应用调用该接口过于频繁")},
		{Code: "10028", Reason: vendors.RateLimited, Meaning: vendors.Both("the app calls too often in all", "应用总调用过于频繁")},
		{Code: codeBadDevice, Reason: vendors.NotDisplayed, Scope: vendors.ScopeDevice, Uncertain: true, Meaning: vendors.Both(
			"illegal device; officially an answer to a registration, so no token is dropped on it",
			"非法设备；官方含义属于注册接口，因此不会据此删除 token")},
		{Code: "10030", Reason: vendors.RateLimited, Meaning: vendors.Both(
			"invalid tokens are fetched too often; not an answer to a push",
			"获取失效 token 过于频繁；不会出现在推送的应答中")},
		{Code: "10031", Reason: vendors.Refused, Meaning: vendors.Both("the app is on the blacklist and may not send: ask Xiaomi why", "应用在黑名单中，不能发送消息：请向小米询问原因")},
		{Code: "10032", Reason: vendors.RateLimited, Meaning: vendors.Both("invalid aliases are fetched too often; not an answer to a push", "获取失效别名过于频繁；不会出现在推送的应答中")},
		{Code: "10033", Reason: vendors.Refused, Meaning: vendors.Both("the app is on the blacklist after feedback: ask Xiaomi why", "应用因用户反馈被列入黑名单：请向小米询问原因")},
		{Code: "10034", Reason: vendors.QuotaSpent, Meaning: vendors.Both("too many messages today", "当日消息过多")},
		{Code: "10035", Reason: vendors.Unknown, Meaning: vendors.Both("there are no more invalid aliases; not an answer to a push", "没有更多失效别名；不会出现在推送的应答中")},
		{Code: "10036", Reason: vendors.BadCredentials, Meaning: vendors.Both("operation forbidden", "禁止的操作")},
		{Code: "10037", Reason: vendors.Unavailable, Meaning: vendors.Both("the request expired: a wrong clock or a slow network", "请求过期：时钟不准或网络缓慢")},
		{Code: "10038", Reason: vendors.Refused, Meaning: vendors.Both("the trace API is forbidden; not an answer to a push", "追踪接口被禁用；不会出现在推送的应答中")},
		{Code: "10039", Reason: vendors.RateLimited, Meaning: vendors.Both("the trace API is called too often", "追踪接口调用过于频繁")},
		{Code: codeTemplate, Reason: vendors.BadCredentials, Scope: vendors.ScopeKind, Uncertain: true, Meaning: vendors.Both(
			"the template check refused the message: the certificate's template for this kind of message or its values are wrong; refused where the message chose them",
			"消息未通过模板校验：证书为此类消息配置的模板或其参数有误；由消息自行指定时按拒绝处理")},

		{Code: "20209", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal topic; not used here", "主题非法；本系统不用")},
		{Code: "20215", Reason: vendors.BadPayload, Meaning: vendors.Both("subscribing to the topic failed; not used here", "订阅主题失败；本系统不用")},
		{Code: "20216", Reason: vendors.BadPayload, Meaning: vendors.Both("unsubscribing from the topic failed; not used here", "取消订阅主题失败；本系统不用")},
		{Code: codeNoTargets, Reason: vendors.BadPayload, Meaning: vendors.Both(
			"sending failed; with the reason \"No valid targets!\" every token of the call is dead",
			"发送失败；原因为`No valid targets!`时，本次调用的 token 全部失效")},
		{Code: "20315", Reason: vendors.BadPayload, Meaning: vendors.Both("deleting the broadcast failed; not used here", "删除广播失败；本系统不用")},
		{Code: "20607", Reason: vendors.Unavailable, Meaning: vendors.Both("database error", "数据库错误")},

		{Code: "21301", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"authentication failed: wrong app_secret (it is the AppSecret, not the AppKey)",
			"鉴权失败：app_secret 错误（应为 AppSecret，不是 AppKey）")},
		{Code: "21302", Reason: vendors.BadCredentials, Meaning: vendors.Both("authentication of the token failed", "token 鉴权失败")},
		{Code: "21303", Reason: vendors.BadCredentials, Meaning: vendors.Both("restricted", "受限")},
		{Code: "21305", Reason: vendors.BadPayload, Meaning: vendors.Both("a required parameter is missing", "缺少必填参数")},

		{Code: "22000", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal app", "应用非法")},
		{Code: "22001", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app does not exist", "应用不存在")},
		{Code: "22002", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app was withdrawn", "应用已撤销")},
		{Code: "22003", Reason: vendors.BadCredentials, Meaning: vendors.Both("updating the app failed", "更新应用失败")},
		{Code: "22004", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app's data is missing", "缺少应用信息")},
		{Code: "22005", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal app name", "应用名称非法")},
		{Code: "22006", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal app id", "应用 ID 非法")},
		{Code: "22007", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal app key", "app key 非法")},
		{Code: "22008", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal app secret", "app secret 非法")},
		{Code: "22020", Reason: vendors.BadCredentials, Meaning: vendors.Both("illegal app description", "应用描述非法")},
		{Code: "22021", Reason: vendors.BadCredentials, Meaning: vendors.Both("the user did not authorise the app", "用户未授权该应用")},
		{Code: "22022", Reason: vendors.BadCredentials, Meaning: vendors.Both("the package name does not belong to the app secret", "包名与 app secret 不属于同一应用")},
		{Code: "22100", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal format of the notification", "通知格式非法")},
		{Code: "22101", Reason: vendors.RateLimited, Meaning: vendors.Both("too many notifications", "通知过多")},
		{Code: "22102", Reason: vendors.Unavailable, Meaning: vendors.Both("sending the notification failed", "发送通知失败")},
		{Code: "22103", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal notify_id", "notify_id 非法")},

		{Code: "26003", Reason: vendors.Unavailable, Meaning: vendors.Both("internal call error", "内部调用错误")},
		{Code: "26004", Reason: vendors.RateLimited, Meaning: vendors.Both("broadcasts too often", "广播过于频繁")},
		{Code: "26005", Reason: vendors.RateLimited, Meaning: vendors.Both("user accounts are set too often; not used here", "设置 user account 过于频繁；本系统不用")},
		{Code: "26006", Reason: vendors.BadCredentials, Meaning: vendors.Both("needs review in the console", "需要在平台审核")},
		{Code: codeBadChannel, Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"the channel is missing, not approved or another app's; refused where the message named it",
			"渠道不存在、未审核通过或属于其他应用；由消息自行指定时按拒绝处理")},

		{Code: "65003", Reason: vendors.NotDisplayed, Scope: vendors.ScopeDevice, Uncertain: true, Meaning: vendors.Both(
			"device not found, usually offline for long; no proof that the token is dead",
			"设备不存在，通常是长期离线；不能证明 token 已失效")},
		{Code: "65009", Reason: vendors.BadPayload, Meaning: vendors.Both("the message is too long", "消息过长")},
		{Code: "65011", Reason: vendors.BadPayload, Meaning: vendors.Both("a parameter is missing: title or description is empty", "缺少参数：标题或描述为空")},
		{Code: "65014", Reason: vendors.BadPayload, Meaning: vendors.Both("extra has too many pairs", "extra 的键值对过多")},
		{Code: "65015", Reason: vendors.BadPayload, Meaning: vendors.Both("the pairs of extra are too long", "extra 的键值对过长")},
		{Code: "65029", Reason: vendors.Unavailable, Meaning: vendors.Both("remote error, temporary trouble of the server", "远程错误，服务端临时故障")},
		{Code: "65030", Reason: vendors.BadPayload, Meaning: vendors.Both("the message's JSON could not be built", "无法生成消息的 JSON")},
		{Code: "65036", Reason: vendors.BadPayload, Meaning: vendors.Both("callback.param is too long", "callback.param 过长")},
		{Code: "65037", Reason: vendors.BadPayload, Meaning: vendors.Both("the callback URL is too long", "回执地址过长")},
		{Code: "65038", Reason: vendors.BadPayload, Meaning: vendors.Both("illegal callback URL", "回执地址非法")},
		{Code: codeBadToken, Reason: vendors.BadToken, Scope: vendors.ScopeDevice, Doubtful: true, Uncertain: true, Meaning: vendors.Both(
			"invalid token; a call for several is taken apart",
			"token 无效；多台设备的调用会拆开重发")},
		{Code: "200001", Reason: vendors.QuotaSpent, Meaning: vendors.Both("the day's quota of the class is used up", "该类别当日额度已用尽")},
		{Code: "200002", Reason: vendors.RateLimited, Meaning: vendors.Both("the app's requests per second are exceeded", "超出应用的每秒请求数")},
	}
	for _, own := range []struct{ code, en, zh string }{
		{"65006", "the alias is set too often", "设置别名过于频繁"}, {"65007", "the alias is on the blacklist", "别名在黑名单中"},
		{"65008", "the alias is too long", "别名过长"}, {"65010", "the topic is too long", "主题过长"},
		{"65012", "the alias is empty", "别名为空"}, {"65013", "the topic is empty", "主题为空"},
		{"65016", "the user account is empty", "user account 为空"}, {"65017", "the user account is too long", "user account 过长"},
		{"65028", "the message is not found", "消息不存在"}, {"65035", "too many topics", "主题过多"},
		{"65040", "unregistering failed", "注销失败"}, {"65041", "ImeiMd5 is empty", "ImeiMd5 为空"},
	} {
		table = append(table, vendors.Code{
			Code: own.code, Reason: vendors.BadPayload, Meaning: vendors.Both(own.en+"; not used here", own.zh+"；本系统不用"),
		})
	}
	return table
}
