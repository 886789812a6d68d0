package oppo

import "github.com/hongyan-im/hongyan/internal/vendors"

// codes is the table of codes, the same for a whole answer and for the errorCode of a device, from
// OPPO's list of return codes and the official SDK's.
func codes() []vendors.Code {
	return []vendors.Code{
		{Code: "-2", Reason: vendors.RateLimited, Meaning: vendors.Both("the service is in flow control", "服务处于流控中")},
		{Code: "-1", Reason: vendors.Unavailable, Meaning: vendors.Both("the service is currently unavailable", "服务当前不可用")},
		{Code: codeOK, Reason: vendors.Accepted, Meaning: vendors.Both("success; each device still has its own errorCode", "成功；每台设备另有自己的 errorCode")},
		{Code: "11", Reason: vendors.AuthExpired, Meaning: vendors.Both("invalid auth_token: wrong or expired", "auth_token 错误或过期")},
		{Code: "12", Reason: vendors.BadCredentials, Meaning: vendors.Both("HTTP method not allowed", "不允许的 HTTP 方法")},
		{Code: "13", Reason: vendors.RateLimited, Meaning: vendors.Both("the app's calls are limited", "应用调用受限")},
		{Code: "14", Reason: vendors.BadCredentials, Meaning: vendors.Both("invalid app_key", "app_key 无效")},
		{Code: "15", Reason: vendors.BadCredentials, Meaning: vendors.Both("app_key is missing", "缺少 app_key")},
		{Code: "16", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"invalid sign: is master_secret the MasterSecret, not the AppSecret?",
			"签名无效：master_secret 填的是 MasterSecret 而不是 AppSecret 吗？")},
		{Code: "17", Reason: vendors.BadCredentials, Meaning: vendors.Both("sign is missing", "缺少签名")},
		{Code: "18", Reason: vendors.BadCredentials, Meaning: vendors.Both("timestamp is missing", "缺少时间戳")},
		{Code: "19", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"invalid timestamp: this machine's clock is wrong by more than ten minutes",
			"时间戳无效：本机时钟误差超过十分钟")},
		{Code: "20", Reason: vendors.BadCredentials, Meaning: vendors.Both("invalid method", "method 无效")},
		{Code: "21", Reason: vendors.BadCredentials, Meaning: vendors.Both("method is missing", "缺少 method")},
		{Code: "22", Reason: vendors.BadCredentials, Meaning: vendors.Both("version is missing", "缺少版本号")},
		{Code: "23", Reason: vendors.BadCredentials, Meaning: vendors.Both("invalid version", "版本号无效")},
		{Code: "24", Reason: vendors.BadCredentials, Meaning: vendors.Both("unsupported version", "不支持的版本")},
		{Code: "25", Reason: vendors.BadPayload, Meaning: vendors.Both("invalid encoding, not UTF-8", "编码无效，不是 UTF-8")},
		{Code: "26", Reason: vendors.BadCredentials, Meaning: vendors.Both("this IP address is on the blacklist", "本机 IP 在黑名单中")},
		{Code: "27", Reason: vendors.BadCredentials, Meaning: vendors.Both("access denied", "拒绝访问")},
		{Code: "28", Reason: vendors.BadCredentials, Meaning: vendors.Both("the app is disabled", "应用已被禁用")},
		{Code: "29", Reason: vendors.BadCredentials, Meaning: vendors.Both("auth_token is missing", "缺少 auth_token")},
		{Code: "30", Reason: vendors.BadCredentials, Meaning: vendors.Both(
			"no permission for the API: the push right is not granted or not reviewed",
			"没有接口权限：推送权限未申请或未审核")},
		{Code: "31", Reason: vendors.BadPayload, Meaning: vendors.Both("the data does not exist", "数据不存在")},
		{Code: codeDuplicate, Reason: vendors.Accepted, Scope: vendors.ScopeDevice, Uncertain: true, Meaning: vendors.Both(
			"duplicate data: the message was taken before; a call for several is taken apart",
			"数据重复：消息此前已被受理；多台设备的调用会拆开重发")},
		{Code: "33", Reason: vendors.QuotaSpent, Meaning: vendors.Both("the day's number of messages is used up", "当日消息数已用尽")},
		{Code: "34", Reason: vendors.QuotaSpent, Meaning: vendors.Both(
			"the day's number of uploaded pictures is used up; not an answer to a push",
			"当日图片上传数已用尽；不会出现在推送的应答中")},
		{Code: "40", Reason: vendors.BadPayload, Scope: vendors.ScopeCall, Meaning: vendors.Both("a required argument is missing", "缺少必填参数")},
		{Code: "41", Reason: vendors.BadPayload, Scope: vendors.ScopeCall, Meaning: vendors.Both(
			"invalid arguments; may stand for a malformed token, yet no token is dropped on it",
			"参数无效；也可能是某个 token 格式有误，但不会因此删除 token")},
		{Code: "51", Reason: vendors.BadPayload, Meaning: vendors.Both("invalid picture", "图片无效")},
		{Code: codeTemplate, Reason: vendors.BadCredentials, Scope: vendors.ScopeKind, Meaning: vendors.Both(
			"the certificate's private template for this kind of message or its values are wrong; refused where the message chose them",
			"证书为此类消息配置的私信模板或其参数有误；由消息自行指定时按拒绝处理")},
		{Code: "55", Reason: vendors.RateLimited, Uncertain: true, Meaning: vendors.Both("the app calls too often", "应用调用过于频繁")},
		{Code: "59", Reason: vendors.BadCredentials, Uncertain: true, Meaning: vendors.Both("no right for the action button", "没有操作按钮的权限")},
		{Code: codeCategory, Reason: vendors.BadCredentials, Uncertain: true, Meaning: vendors.Both(
			"no right for the category or notify_level; refused where the message chose it",
			"没有该 category 或 notify_level 的权限；由消息自行指定时按拒绝处理")},
		{Code: codeBadToken, Reason: vendors.BadToken, Scope: vendors.ScopeDevice, Doubtful: true, Meaning: vendors.Both(
			"invalid registration_id",
			"registration_id 无效")},
		{Code: codeOptedOut, Reason: vendors.BadToken, Scope: vendors.ScopeDevice, Uncertain: true, Meaning: vendors.Both(
			"the registration_id is unsubscribed; a new registration revives it",
			"registration_id 已取消订阅；重新注册后恢复")},
		{Code: "10002", Reason: vendors.BadToken, Uncertain: true, Meaning: vendors.Both("invalid alias; not used here", "别名无效；本系统不用")},
		{Code: "10003", Reason: vendors.BadToken, Uncertain: true, Meaning: vendors.Both("the alias is unsubscribed; not used here", "别名已取消订阅；本系统不用")},
		{Code: codeDoubled, Reason: vendors.BadPayload, Uncertain: true, Meaning: vendors.Both(
			"the registration_id stands twice in the call; the second is tried again where it does",
			"同一次调用中 registration_id 重复；重复的一个会重试")},
		{Code: codeDoubleAlias, Reason: vendors.BadPayload, Uncertain: true, Meaning: vendors.Both(
			"the alias stands twice in the call; not used here",
			"同一次调用中别名重复；本系统不用")},
	}
}
